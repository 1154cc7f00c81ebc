"""The compiled engine: the same steps as one loop without the interpreter, where Numba is installed.

The functions of a cell's stages (`cells.py`) are compiled as they stand, for one number at a time, and put into a loop
over units and batch; with the products of a step, by BLAS from within, that makes the loop over time. Nouns: a kernel
is the loop over the numbers of one step, for one stage; `loops` are the two loops over time of a cell.

Two things must be said to Numba so that it uses vector instructions: no test for a division by zero
(`error_model="numpy"`), and a tanh that is arithmetic alone. NaN and infinity keep their meaning, since a training that
leaves the numbers must be seen. The first use of a cell takes a few seconds; then its loops are kept on disk by Numba.
"""

from __future__ import annotations

import dis
import hashlib
import importlib.util
import marshal
import os
import types
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from . import cells
from .cells import Array, Cell
from .errors import QUIET, Carrier, Errors
from .layout import layout
from .trace import Layer
from .work import Index

ENGINES = ("plain", "compiled")
OPTIONS: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"reassoc", "contract", "arcp", "nsz"},  # not nnan, ninf
}


def choose(engine: str | None, dtype: np.dtype[Any]) -> str:
    """The engine that runs: the one asked for, or named by LSTM_LIB_ENGINE, or "compiled" where it can.

    Complex numbers are for complex steps, which the plain engine takes.

    >>> choose("plain", np.dtype("float32"))
    'plain'
    """
    wanted = engine or os.environ.get("LSTM_LIB_ENGINE") or ("compiled" if _installed() else "plain")
    if wanted not in ENGINES:
        raise ValueError(f"engine is {wanted!r}; the choices are {', '.join(ENGINES)}")
    if wanted == "compiled" and not _installed():
        raise ValueError("the compiled engine needs Numba and SciPy: pip install 'lstm_lib[fast]'")
    return "plain" if dtype.kind == "c" else wanted


@cache
def _installed() -> bool:
    return all(importlib.util.find_spec(name) is not None for name in ("numba", "scipy"))


def run_forward(layer: Layer) -> None:
    """As `forward.run_plain`."""
    products = [(p.blocks, p.columns) for stage in layer.layout.products for p in stage]
    at = np.array([(rows.start, rows.stop, columns.start, columns.stop) for rows, columns in products])
    arrays = layer.values, layer.sources, layer.cells, layer.peepholes
    _run(layer.cell, layer.values.dtype, "forward", *arrays, at, layer.layout.made.start, *layer.weights)


def run_errors(errors: Errors) -> int:
    """As `backward.run_plain`."""
    layer, work, dtype = errors.layer, errors.work, errors.dz.dtype
    B, n, units, blocks = layer.B, work.units.size, work.units, len(layer.cell.blocks)
    if isinstance(units.at, slice):  # neighbours are one run of numbers
        starts, length = np.array([units.at.start * B]), n * B
    else:
        starts, length = units.at * B, B
    slots = np.full(blocks, -1)
    slots[list(work.blocks)] = np.arange(len(work.blocks)) * n
    spare = layer.memory.get("spare", blocks, n, B)  # for the errors of blocks that are not kept
    none = np.empty((0, 0), dtype), *_listed(Index.all(0)), np.empty((0, 0), dtype)
    carriers: list[Any] = []
    for c in errors.through:
        carriers += [*none, *none[1:]] if c is None else _parts(c)
    arrays = layer.values, layer.sources, layer.cells, errors.peepholes, errors.dz, errors.arriving.errors
    steps = errors.arriving.first, errors.start, errors.first_product, dtype.type(errors.floor)
    states = errors.dh, errors.dc, errors.made, spare
    return int(
        _run(layer.cell, dtype, "backward", *arrays, *steps, *states, starts, length, slots, *carriers)
    )


def multiply(a: Array, b: Array, out: Array) -> None:
    """Write a @ b into `out`, by the library of the compiled loops."""
    _outside_the_loop()[0](a, b, out)


def carry_all(carrier: Carrier, errors: Array, out: Array) -> None:
    """Write what errors (steps, rows kept, B) carry into `out` (steps, receivers, B)."""
    _outside_the_loop()[1](*_parts(carrier), errors, out)


@cache
def _outside_the_loop() -> tuple[Any, Any]:
    add = _jit(_add)

    def multiply(a, b, out):  # type: ignore[no-untyped-def]
        np.dot(a, b, out)

    def carry(weights, take, first, taken, put, into, product, errors, out):  # type: ignore[no-untyped-def]
        for t in range(errors.shape[0]):
            out[t] = 0
            add(weights, take, first, taken, put, into, product, errors[t], out[t])

    return _kept(multiply), _kept(carry)


def _parts(c: Carrier) -> list[Any]:
    """A carrier as the compiled functions take it."""
    return [c.weights, *_listed(c.take), c.taken, *_listed(c.put), c.product]


def _listed(index: Index) -> tuple[Array, int]:
    """Positions as a list, or an empty list and the first of them where they are neighbours."""
    return (index.at, 0) if isinstance(index.at, np.ndarray) else (np.empty(0, np.intp), index.at.start)


# ----------------------------------------------------------------------------------------- from equations to loops


class Loops(NamedTuple):
    """The loops over time of a cell in one dtype."""

    forward: Callable[..., None]
    backward: Callable[..., int]


def _run(cell: Cell, dtype: np.dtype[Any], direction: str, *arguments: Any) -> Any:
    """Call a loop; ValueError for a cell whose equations Numba can't take, which shows at its first call."""
    import numba

    try:
        return getattr(loops(cell, dtype), direction)(*arguments)
    except numba.core.errors.NumbaError as error:
        raise ValueError(
            f"the compiled engine can't run the cell {cell.name!r}: {str(error).strip().splitlines()[0]}; "
            "give engine='plain', or set LSTM_LIB_ENGINE=plain"
        ) from error


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
    found = []
    for direction, text in (("forward", _forward_loop(cell)), ("backward", _backward_loop(cell))):
        # Numba's cache knows this file and the name of a function; so the name tells other equations apart
        digest = hashlib.sha256("".join([*texts, text]).encode()).hexdigest()[:16]
        name = f"{direction}_{cell.name}_{dtype.name}_{digest}"
        exec(compile(text.replace("LOOP", name), __file__, "exec"), names)
        found.append(_kept(names[name]))
    return Loops(*found)


@cache
def _versions() -> str:
    """What else the compiled loops depend on: what goes into every loop, how Numba is asked, and Numba itself.

    Taken from memory, not from this file, which may have been replaced since it was imported.
    """
    import numba

    inside = "".join(_code(function) for function in (_known_functions, _tanh32, _add, _quieted))
    return inside + str(sorted(OPTIONS["fastmath"])) + str(numba.__version__)


def _named(function: Any) -> tuple[list[Any], dict[str, Any]]:
    """What a function takes from around it, and the globals that it reads."""
    around = [cell.cell_contents for cell in function.__closure__ or ()]
    read = {i.argval for i in dis.get_instructions(function) if i.opname == "LOAD_GLOBAL"}
    return around, {name: function.__globals__[name] for name in sorted(read) if name in function.__globals__}


def _code(function: Any) -> str:
    """The code of a plain function and of every plain function that it calls."""
    around, read = _named(function)
    own = marshal.dumps(function.__code__.replace(co_filename="")).hex()
    for value in (*around, *read.values()):
        if isinstance(value, types.FunctionType) and value is not function:
            own += _code(value)
        elif isinstance(value, int | float | str | np.generic):
            own += repr(value)
    return own


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


def _arguments(cell: Cell, at: str) -> tuple[str, str, str]:
    """Values, states and peepholes of one number as tuples; `at` names the states: before or after."""
    values = [f"V[{k} * N + k0]" for k in range(len(cell.values))]
    states = [f"{state}_{at}[k0]" for state in cell.states]
    return _tuple(values), _tuple(states), _tuple([f"p[{k}, k0]" for k in range(len(cell.peepholes))])


def _forward_kernel(cell: Cell, k: int) -> str:
    """Values and states of one step, or what the next stage reads, from pre-activations in their place."""
    _, before, p = _arguments(cell, "before")
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
    values, before, p = _arguments(cell, "before")
    _, after, _ = _arguments(cell, "after")
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
def kernel(values, source, c, after, c_new, p, dh, dc, inject, live, made, {given}, starts, length):
    V, h_before, c_before = values.reshape(-1), source.reshape(-1), c.reshape(-1)
    h_after, c_after = after.reshape(-1), c_new.reshape(-1)
    d_h, d_c, inject_, made_ = dh.reshape(-1), dc.reshape(-1), inject.reshape(-1), made.reshape(-1)
    {"; ".join(f"{o} = r{o}.reshape(-1)" for o in outs)}
    N = p.shape[1]
    for run in range(starts.size):
        for i in range(length):
            k0, m = starts[run] + i, run * length + i
            e = {arriving}
            {found}, _ = equations({values}, {before}, {after}, {_tuple(reaching)}, {p})
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
            f"backward_{k}(values[t], sources[t], cells[t], sources[t + 1], cells[t + 1], p, dh, dc, inject[t], "
            f"t >= arrives, made, {outs}, starts, length)"
        )
        if stage.reads == "h":
            lines.append(f"if w{k}.size and t >= first_product: add({carriers[k]}, dz[t], dh)")
        else:
            lines += ["made[:] = 0", f"if w{k}.size: add({carriers[k]}, dz[t], made)"]
    body = "\n        ".join(lines)
    names = "values, sources, cells, p, dz, inject, arrives, start, first_product, floor, dh, dc, made, spare, starts"
    return f"""
def LOOP({names}, length, slots, {", ".join(carriers)}):
    T, n = values.shape[0], dh.shape[0]
    for t in range(T - 1, start - 1, -1):
        {body}
        if (T - t) % {QUIET} == 0 and t > start and quieted(dh, dc, floor) and t <= arrives and w0.size:
            return t
    return start
"""
