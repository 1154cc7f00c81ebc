"""From the equations of a cell to its compiled loops, by Numba.

Nouns: a kernel is the loop over the numbers of a step, for one stage of the cell; `Loops` are the two loops over time.
Their text is made here, of names and numbers of the cell alone; what they call are the functions of its stages as they
stand in `cells.py`, translated for one number at a time.

Two things must be said to Numba so that it uses vector instructions: no test for a division by zero
(`error_model="numpy"`), and a tanh that is arithmetic alone. NaN and infinity keep their meaning, since a training that
leaves the numbers must be seen. The first use of a cell takes a few seconds; then its loops are kept on disk by Numba.
"""

from __future__ import annotations

import dis
import hashlib
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from . import cells
from .cells import Cell
from .errors import QUIET
from .layout import layout

OPTIONS: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"reassoc", "contract", "arcp", "nsz"},  # not nnan, ninf
}


class Loops(NamedTuple):
    """The loops over time of a cell in one dtype."""

    forward: Callable[..., None]
    backward: Callable[..., int]


@cache
def loops(cell: Cell, dtype: np.dtype[Any]) -> Loops:
    """The loops of a cell, made when they are first asked for; Numba compiles them at their first call."""
    import scipy.linalg.cython_blas  # the products; loaded now, so that limits on threads find its BLAS

    assert scipy.linalg.cython_blas is not None
    memo, texts = _known_functions(dtype.name), [_versions()]
    names: dict[str, Any] = {"__name__": __name__, "np": np, "add": _jit(_add), "quieted": _jit(_quieted)}
    for k, stage in enumerate(cell.stages):
        for direction, text, equations in (
            ("forward", _forward_kernel(cell, k), stage.step),
            ("backward", _backward_kernel(cell, k), stage.back),
        ):
            space = {"__name__": __name__, "equations": _translated(equations, memo)}
            exec(text, space)  # the text is made below, of names and numbers of the cell alone
            names[f"{direction}_{k}"] = _jit(space["kernel"])
            texts += [text, _code(equations)]
    made = (("forward", _forward_loop(cell)), ("backward", _backward_loop(cell)))
    return Loops(*(_from_text(text, f"{way}_{cell.name}_{dtype.name}", names, texts) for way, text in made))


OUTSIDE = {
    "multiply": """
def LOOP(errors, take, first, rows, sources, some, start, columns, out):
    by_row(errors, take, first, rows)
    by_row(sources, some, start, columns)
    np.dot(rows.reshape(rows.shape[0], -1), columns.reshape(columns.shape[0], -1).T, out)
""",
    "carry_all": """
def LOOP(weights, take, first, taken, put, into, product, errors, out):
    rows, columns = weights.shape
    if not take.size and not put.size and columns == out.shape[1]:
        for t in range(errors.shape[0]):
            np.dot(weights.T, errors[t, first : first + rows], out[t])
    else:
        for t in range(errors.shape[0]):
            out[t] = 0
            add(weights, take, first, taken, put, into, product, errors[t], out[t])
""",
}


@cache
def outside_the_loop(name: str, dtype: np.dtype[Any]) -> Any:
    """The product of the weights, or what a carrier carries at all steps: `compiled.multiply`, `compiled.carry_all`.

    By the library of the loops: the idle threads of another one would slow it.
    """
    names = {"__name__": __name__, "np": np, "add": _jit(_add), "by_row": _jit(_by_row)}
    return _from_text(OUTSIDE[name], f"{name}_{dtype.name}", names, [_versions()])


def _from_text(text: str, name: str, names: dict[str, Any], known: list[str]) -> Any:
    """The compiled function of a text. Numba's cache knows this file and a function's name: a digest in it tells more.

    A name is for arrays of one dtype and layout: two processes that compile a function for two kinds of arrays at
    once can leave the code of the one under the other in that cache, and it gives wrong numbers without a word.

    names : what the text calls. known : what else decides what it does.
    """
    digest = hashlib.sha256("".join([*known, text]).encode()).hexdigest()[:16]
    exec(compile(text.replace("LOOP", f"{name}_{digest}"), __file__, "exec"), names)
    return _kept(names[f"{name}_{digest}"])


@contextmanager
def announced() -> Iterator[None]:
    """Within a `with`, say on stderr, once, that something is compiled; what comes from the disk is no news."""
    from numba.core import event

    class Say(event.Listener):  # type: ignore[misc]
        told = False

        def on_start(self, event: Any) -> None:
            if not self.told:
                print("Compiling the network's loops: some seconds, once on this machine.", file=sys.stderr)
            self.told = True

        def on_end(self, event: Any) -> None:
            pass

    with event.install_listener("numba:compile", Say()):
        yield


@cache
def _versions() -> str:
    """What else the compiled loops depend on: what goes into every loop, how Numba is asked, and Numba itself.

    Taken from memory, not from this file, which may have been replaced since it was imported.
    """
    import numba

    inside = "".join(_code(function) for function in (_known_functions, _tanh32, _add, _by_row, _quieted))
    return inside + str(sorted(OPTIONS["fastmath"])) + str(numba.__version__)


def _named(function: Any) -> tuple[list[Any], dict[str, Any]]:
    """What a function takes from around it, and the globals that it reads."""
    around = [cell.cell_contents for cell in function.__closure__ or ()]
    read = {i.argval for i in dis.get_instructions(function) if i.opname == "LOAD_GLOBAL"}
    return around, {name: function.__globals__[name] for name in sorted(read) if name in function.__globals__}


def _code(function: Any) -> str:
    """The code of a plain function and of every plain function that it calls."""
    around, read = _named(function)
    own = _instructions(function.__code__)
    for value in (*around, *read.values()):
        if isinstance(value, types.FunctionType) and value is not function:
            own += _code(value)
        elif isinstance(value, int | float | str | np.generic):
            own += repr(value)
    return own


def _instructions(code: types.CodeType) -> str:
    """What a code object does, in the same words in every process and wherever its text lies."""
    constants = [_instructions(c) if isinstance(c, types.CodeType) else repr(c) for c in code.co_consts]
    names = code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars
    return f"{code.co_code.hex()} {code.co_exceptiontable.hex()} {names} {constants}"


def _jit(function: Callable[..., Any], **more: Any) -> Any:
    import numba

    return numba.njit(**OPTIONS, **more)(function)


def _kept(function: Callable[..., Any]) -> Any:
    """A compiled function that Numba keeps on disk, if there is a folder to keep it in."""
    try:
        return _jit(function, cache=True)
    except RuntimeError:
        return _jit(function)


def _translated(function: Any, memo: dict[Any, Any]) -> Any:
    """A plain function compiled, and so every plain function that it calls; what is known takes its place."""
    if function not in memo:

        def of(value: Any) -> Any:
            return _translated(value, memo) if isinstance(value, types.FunctionType) else value

        around, read = _named(function)
        closure = tuple(types.CellType(of(value)) for value in around)
        space = function.__globals__ | {name: of(value) for name, value in read.items()}
        copy = types.FunctionType(function.__code__, space, function.__name__, function.__defaults__, closure)
        memo[function] = _jit(copy, inline="always")
    return memo[function]


def _known_functions(dtype: str) -> dict[Any, Any]:
    """The functions of `cells.py` for one number of this dtype, so that no constant is wider than it."""
    number = np.dtype(dtype).type
    zero, half, one = number(0), number(0.5), number(1)
    tanh = (
        _jit(_tanh32, inline="always") if dtype == "float32" else _jit(lambda x: np.tanh(x), inline="always")
    )

    def sigmoid(z: Any) -> Any:
        return half + half * tanh(half * z)

    def sigmoid_slope(a: Any) -> Any:
        return a * (one - a)

    def tanh_slope(a: Any) -> Any:
        return one - a * a

    def no_error(error: Any) -> Any:
        return zero * error

    found = {cells.tanh: tanh}
    for function in (sigmoid, sigmoid_slope, tanh_slope, no_error):
        found[getattr(cells, function.__name__)] = _jit(function, inline="always")
    return found


# A rational function: odd polynomial of degree 13 over an even one of degree 6, good to a few units in the last place
# of float32. The coefficients are those published in MathFunctionsImpl.h of Eigen (MPL 2.0).
_f = np.float32
_LIMIT = _f(7.90531110763549805)
_P13, _P11, _P9, _P7 = (
    _f(-2.76076847742355e-16),
    _f(2.00018790482477e-13),
    _f(-8.60467152213735e-11),
    _f(5.12229709037114e-08),
)
_P5, _P3, _P1 = _f(1.48572235717979e-05), _f(6.37261928875436e-04), _f(4.89352455891786e-03)
_Q6, _Q4, _Q2, _Q0 = (
    _f(1.19825839466702e-06),
    _f(1.18534705686654e-04),
    _f(2.26843463243900e-03),
    _f(4.89352518554385e-03),
)


def _tanh32(x: Any) -> Any:
    x = _LIMIT if x > _LIMIT else x  # NaN fails both comparisons and stays NaN
    x = -_LIMIT if x < -_LIMIT else x
    s = x * x
    p = ((((((_P13 * s + _P11) * s + _P9) * s + _P7) * s + _P5) * s + _P3) * s + _P1) * x
    return p / (((_Q6 * s + _Q4) * s + _Q2) * s + _Q0)


# -------------------------------------------------------------------------------------- what the loops are made of


def _add(weights, take, first, taken, put, into, product, errors, out):  # type: ignore[no-untyped-def]
    """`Carrier.add` with lists of positions, or the first of neighbours where a list is empty."""
    rows, columns = weights.shape
    if take.size:
        for i in range(rows):
            taken[i] = errors[take[i]]
        np.dot(weights.T, taken, product)
    else:
        np.dot(weights.T, errors[first : first + rows], product)
    for j in range(columns):
        to = put[j] if put.size else into + j
        out[to] += product[j]


def _by_row(a, take, first, out):  # type: ignore[no-untyped-def]
    """Some rows of (steps, rows, B) to (rows, steps, B), eight steps at a time, so that little is read from far."""
    for t0 in range(0, a.shape[0], 8):
        for r in range(out.shape[0]):
            at = take[r] if take.size else first + r
            for t in range(t0, min(t0 + 8, a.shape[0])):
                for k in range(a.shape[2]):
                    out[r, t, k] = a[t, at, k]


def _quieted(dh, dc, floor):  # type: ignore[no-untyped-def]
    """`errors.quieted`."""
    left = 0
    for error in (dh.reshape(-1), dc.reshape(-1)):
        for k in range(error.size):
            if abs(error[k]) < floor:
                error[k] = 0
            left += error[k] != 0
    return left == 0


def _tuple(parts: list[str]) -> str:
    return f"({', '.join(parts)},)" if parts else "()"


def _arguments(cell: Cell) -> tuple[str, str, str]:
    """Values, states before and peepholes of one number, as tuples."""
    values = [f"V[{k} * N + k0]" for k in range(len(cell.values))]
    states = [f"{state}_before[k0]" for state in cell.states]
    return _tuple(values), _tuple(states), _tuple([f"p[{k}, k0]" for k in range(len(cell.peepholes))])


def _forward_kernel(cell: Cell, k: int) -> str:
    """Values and states of one step, or what the next stage reads, from pre-activations in their place."""
    _, before, p = _arguments(cell)
    blocks = _tuple([f"V[{b} * N + k0]" for b in range(len(cell.blocks))])
    values = [f"v{b}" for b in range(len(cell.values) if _last(cell, k) else len(cell.blocks))]
    made = [f"{state}_after" for state in cell.states] if _last(cell, k) else ["h_after"]
    return f"""
def kernel(values, source, c, p, after, c_new):
    V, h_before, c_before = values.reshape(-1), source.reshape(-1), c.reshape(-1)
    h_after, c_after = after.reshape(-1), c_new.reshape(-1)
    N = p.shape[1]
    for k0 in range(N):
        {_tuple(values)}, {_tuple([f"m{j}" for j in range(len(made))])} = equations({blocks}, {before}, {p})
        {"; ".join(f"V[{b} * N + k0] = v{b}" for b in range(len(values)))}
        {"; ".join(f"{name}[k0] = m{j}" for j, name in enumerate(made))}
"""


def _backward_kernel(cell: Cell, k: int) -> str:
    """Errors of a stage's blocks and of the states before, for the kept units: runs of `length` from `starts` on."""
    values, before, p = _arguments(cell)
    stage, n = cell.stages[k], len(cell.states)
    outs = [f"o{b}" for b in stage.errors]
    if _last(cell, k):
        reaching, sums = ["e", "d_c[m]"][:n], [f"d_{state}[m] = b{j}" for j, state in enumerate(cell.states)]
        arriving = "d_h[m] + inject_[m] if live else d_h[m]"
    else:
        reaching, sums, arriving = ["e"], ["d_h[m] = d_h[m] + b0"], "made_[m]"
    given = ", ".join(f"r{o}" for o in outs)
    found = f"{_tuple([f'g{j}' for j in range(len(outs))])}, {_tuple([f'b{j}' for j in range(n)])}"
    return f"""
def kernel(values, source, c, p, dh, dc, inject, live, made, {given}, starts, length):
    V, h_before, c_before = values.reshape(-1), source.reshape(-1), c.reshape(-1)
    d_h, d_c, inject_, made_ = dh.reshape(-1), dc.reshape(-1), inject.reshape(-1), made.reshape(-1)
    {"; ".join(f"{o} = r{o}.reshape(-1)" for o in outs)}
    N = p.shape[1]
    for run in range(starts.size):
        for i in range(length):
            k0, m = starts[run] + i, run * length + i
            e = {arriving}
            {found}, _ = equations({values}, {before}, {_tuple(reaching)}, {p})
            {"; ".join(f"{o}[m] = g{j}" for j, o in enumerate(outs))}
            {"; ".join(sums)}
"""


def _last(cell: Cell, k: int) -> bool:
    return k + 1 == len(cell.stages)


def _forward_loop(cell: Cell) -> str:
    """All steps: the products of a stage, then its kernel."""
    products = [len(stage) for stage in layout(cell, 1, 1).products]
    lines, done = [], 0
    for k, number in enumerate(products):
        lines += [
            f"np.dot(w{j}, sources[t, at[{j}, 2]:at[{j}, 3]], values[t, at[{j}, 0]:at[{j}, 1]])"
            for j in range(done, done + number)
        ]
        after = "sources[t + 1], cells[t + 1]" if _last(cell, k) else "sources[t, made:], cells[t]"
        lines.append(f"forward_{k}(values[t], sources[t], cells[t], p, {after})")
        done += number
    weights = ", ".join(f"w{j}" for j in range(done))
    body = "\n        ".join(lines)
    return f"""
def LOOP(values, sources, cells, p, at, made, {weights}):
    for t in range(values.shape[0]):
        {body}
"""


def _backward_loop(cell: Cell) -> str:
    """All steps from the last down to `start`: the kernel of a stage, then the product that carries its errors."""
    carriers = [
        f"w{k}, take{k}, first{k}, taken{k}, put{k}, into{k}, product{k}" for k in range(len(cell.stages))
    ]
    lines = [
        f"o{b} = dz[t, slots[{b}]:slots[{b}] + n] if slots[{b}] >= 0 else spare[{b}]"
        for b in range(len(cell.blocks))
    ]
    for k in reversed(range(len(cell.stages))):
        stage = cell.stages[k]
        outs = ", ".join(f"o{b}" for b in stage.errors)
        lines.append(
            f"backward_{k}(values[t], sources[t], cells[t], p, dh, dc, inject[t], "
            f"t >= arrives, made, {outs}, starts, length)"
        )
        if stage.reads == "h":
            lines.append(f"if w{k}.size and t >= first_product and not border: add({carriers[k]}, dz[t], dh)")
        else:
            lines += ["made[:] = 0", f"if w{k}.size: add({carriers[k]}, dz[t], made)"]
    body = "\n        ".join(lines)
    names = "values, sources, cells, p, dz, inject, arrives, start, first_product, span, floor, dh, dc, made, spare"
    return f"""
def LOOP({names}, starts, length, slots, {", ".join(carriers)}):
    T, n = values.shape[0], dh.shape[0]
    for t in range(T - 1, start - 1, -1):
        border = t > start and (T - t) % span == 0
        {body}
        if border: dh[:], dc[:] = 0, 0
        if (T - t) % {QUIET} == 0 and t > start and quieted(dh, dc, floor) and t <= arrives and w0.size:
            return t
    return start
"""
