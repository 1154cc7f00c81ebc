"""The recurrent cells: a cell is a row of `CELLS`, and its equations stand here once.

Nouns: a gate has H rows in every matrix of a layer; a block is H pre-activations, which are one gate's or, where a gate
keeps apart what it reads from h and from x, one of its two; a `Stage` turns blocks into values and states, and back;
a `Cell` names gates, blocks, stages and states. `step_forward` and `step_backward` run one time step of any cell: the
strict pair that everything else is tested against.

The two functions of a stage are plain arithmetic, so that the same text runs on arrays (`forward.py`, `backward.py`),
on complex numbers (`checks.py`) and, compiled, on one number after the other (`compiled.py`):

    step(blocks, before, p)                    -> values, after
    back(values, before, after, errors, p)     -> errors of blocks, of the states before, whole errors of those after

Letters: D inputs, H hidden units, B batch; f forget, i input, o output gate, g candidate; z update, r reset gate of the
GRU; p peepholes. Arrays are feature-major, (H, B). Equation numbers are those of the project's brief:

    (1) f = act_f(Wx_f x + Wh_f h_prev + b_f)        (4) c = f * c_prev + i * g
    (2) i = act_i(Wx_i x + Wh_i h_prev + b_i)        (5) g = act_g(Wx_g x + Wh_g h_prev + b_g)
    (3) o = act_o(Wx_o x + Wh_o h_prev + b_o)        (6) h = o * tanh(c)

Sources: Elman (1990), Cognitive Science 14(2), for `rnn`; Hochreiter and Schmidhuber (1997), Neural Computation 9(8),
and Gers, Schmidhuber and Cummins (2000), Neural Computation 12(10), for `standard`; Gers, Schraudolph and Schmidhuber
(2002), JMLR 3, for `peephole`; Cho et al. (2014), arXiv:1406.1078v3, for `gru_v3`, and its version 1, with the layers
of Keras and PyTorch, for `gru`.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


# ---------------------------------------------------------------------------------------------- activations


def tanh(z: Any) -> Any:
    """Hyperbolic tangent."""
    return np.tanh(z)


def tanh_slope(a: Any) -> Any:
    """Its derivative, written with its value a."""
    return 1 - a * a


def sigmoid(z: Any) -> Any:
    """Logistic function, as (1 + tanh(z/2))/2: never overflows, and analytic for complex steps."""
    return 0.5 + 0.5 * np.tanh(0.5 * z)


def sigmoid_slope(a: Any) -> Any:
    """Its derivative, written with its value a."""
    return a * (1 - a)


def no_error(error: Any) -> Any:
    """Zeros in the place of an error."""
    return 0 * error


class Activation(NamedTuple):
    """A function of the pre-activation, and its derivative as a function of its own value."""

    value: Callable[[Any], Any]
    slope: Callable[[Any], Any]


ACTIVATIONS = {
    "sigmoid": Activation(sigmoid, sigmoid_slope),
    "tanh": Activation(tanh, tanh_slope),
}


# ---------------------------------------------------------------------------------------------------- rows


class Stage(NamedTuple):
    """A part of a time step between two products.

    blocks : those whose products it needs, by position; those of earlier stages hold their values by then.
    step, back : see the module's first lines. `step` is given all blocks and returns all values.
    errors : the blocks whose errors `back` returns, by position.
    reads : what Wh is multiplied by for its blocks: the state h, or what the stage before it made in h's place.
    """

    blocks: tuple[int, ...]
    step: Callable[..., Any]
    back: Callable[..., Any]
    errors: tuple[int, ...]
    reads: str = "h"


@dataclass(frozen=True, eq=False)
class Cell:
    """A recurrent cell.

    Parameters
    ----------
    name : as in `Spec.cell`. says : in one line.
    activations : gate -> name of its activation, in the order of the row blocks of every (G·H, …) array.
    stages : what a time step does, in order; the last one makes the states.
    states : "h", or "h" and "c"; h is what the layer puts out.
    apart : the gate whose product with h is a block of its own, with a bias of its own, bh; "" for none.
    keeps : names of the values that `step` adds to those of the blocks.
    peepholes : gates that read the cell state through weights p, one a unit.
    forget : the gate whose bias `init_params` lets begin at `forget_bias`; "" for none.
    """

    name: str
    activations: Mapping[str, str]
    stages: tuple[Stage, ...]
    states: tuple[str, ...] = ("h",)
    apart: str = ""
    keeps: tuple[str, ...] = ()
    peepholes: str = ""
    forget: str = ""
    says: str = ""

    @property
    def gates(self) -> str:
        """The letters of its gates, in order."""
        return "".join(self.activations)

    @property
    def blocks(self) -> tuple[str, ...]:
        """Names of its blocks: the gate that keeps apart what it reads from h comes first, "u", that part, last.

        So the blocks that read Wx are neighbours, and those that read Wh.
        """
        others = self.gates.replace(self.apart, "") if self.apart else self.gates
        return (*self.apart, *others, *(["u"] if self.apart else []))

    @property
    def values(self) -> tuple[str, ...]:
        """Names of what a step keeps, H rows each: the values of the blocks, then `keeps`."""
        return self.blocks + self.keeps

    @property
    def made(self) -> tuple[str, ...]:
        """What its stages put in the place of h for the next one."""
        return tuple(stage.reads for stage in self.stages if stage.reads != "h")

    @property
    def matrices(self) -> dict[str, str]:
        """Matrix of a layer -> the gates that have H rows in it."""
        found = {"Wx": self.gates, "Wh": self.gates, "b": self.gates}
        if self.apart:
            found["bh"] = self.gates
        if self.peepholes:
            found["p"] = self.peepholes
        return found

    def readers(self, matrix: str) -> tuple[int, ...]:
        """The block that reads each gate's rows of a matrix, by position."""
        own = self.apart if matrix in ("Wh", "bh") else ""
        return tuple(self.blocks.index("u" if gate == own else gate) for gate in self.matrices[matrix])

    def activation(self, gate: str) -> Activation:
        """The `Activation` of one of its gates."""
        return ACTIVATIONS[self.activations[gate]]

    @cached_property
    def step_trace(self) -> Any:
        """The NamedTuple that `step_forward` returns."""
        return namedtuple("StepTrace", ("x", *self._before, *self.values, *self.made, *self.states))

    @cached_property
    def step_gradients(self) -> Any:
        """The NamedTuple that `step_backward` returns."""
        whole = (state for state in self.states if state != "h")
        return namedtuple("StepGradients", (*self.matrices, "x", *self._before, "z", *whole))

    @property
    def _before(self) -> tuple[str, ...]:
        return tuple(f"{state}_prev" for state in self.states)


def lstm(name: str, says: str, **activations: str) -> Cell:
    """A row for an LSTM: equations (1) to (6) with these activations of f, i, o and g."""
    (act_f, slope_f), (act_i, slope_i), (act_o, slope_o), (act_g, slope_g) = _known(name, activations)

    def step(blocks: Any, before: Any, p: Any) -> Any:
        (z_f, z_i, z_o, z_g), (_, c_prev) = blocks, before
        f = act_f(z_f)  # (1)
        i = act_i(z_i)  # (2)
        o = act_o(z_o)  # (3)
        g = act_g(z_g)  # (5)
        c = f * c_prev + i * g  # (4)
        tanh_c = tanh(c)
        h = o * tanh_c  # (6)
        return (f, i, o, g, tanh_c), (h, c)

    def back(values: Any, before: Any, after: Any, errors: Any, p: Any) -> Any:
        (f, i, o, g, tanh_c), (_, c_prev), (dh, dc) = values, before, errors
        # (6) h = o * tanh(c)
        do = dh * tanh_c
        dc = dc + dh * o * tanh_slope(tanh_c)
        # (4) c = f * c_prev + i * g
        df, di, dg = dc * c_prev, dc * g, dc * i
        # (1), (2), (3), (5) a = act(z)
        dz = df * slope_f(f), di * slope_i(i), do * slope_o(o), dg * slope_g(g)
        return dz, (no_error(dh), dc * f), (dh, dc)

    stage = Stage((0, 1, 2, 3), step, back, (0, 1, 2, 3))
    return Cell(name, activations, (stage,), ("h", "c"), keeps=("tanh_c",), forget="f", says=says)


def peephole(name: str, says: str, **activations: str) -> Cell:
    """A row for an LSTM whose gates also read the cell state: f and i the one before, o the new one."""
    (act_f, slope_f), (act_i, slope_i), (act_o, slope_o), (act_g, slope_g) = _known(name, activations)

    def step(blocks: Any, before: Any, p: Any) -> Any:
        (z_f, z_i, z_o, z_g), (_, c_prev), (p_f, p_i, p_o) = blocks, before, p
        f = act_f(z_f + p_f * c_prev)
        i = act_i(z_i + p_i * c_prev)
        g = act_g(z_g)
        c = f * c_prev + i * g
        o = act_o(z_o + p_o * c)
        tanh_c = tanh(c)
        return (f, i, o, g, tanh_c), (o * tanh_c, c)

    def back(values: Any, before: Any, after: Any, errors: Any, p: Any) -> Any:
        (f, i, o, g, tanh_c), (_, c_prev), (dh, dc), (p_f, p_i, p_o) = values, before, errors, p
        # h = o * tanh(c);  o = act(z_o + p_o * c)
        dz_o = dh * tanh_c * slope_o(o)
        dc = dc + dh * o * tanh_slope(tanh_c) + dz_o * p_o
        # c = f * c_prev + i * g;  f = act(z_f + p_f * c_prev), i likewise
        dz_f, dz_i, dz_g = dc * c_prev * slope_f(f), dc * g * slope_i(i), dc * i * slope_g(g)
        dc_prev = dc * f + dz_f * p_f + dz_i * p_i
        return (dz_f, dz_i, dz_o, dz_g), (no_error(dh), dc_prev), (dh, dc)

    stage = Stage((0, 1, 2, 3), step, back, (0, 1, 2, 3))
    return Cell(
        name, activations, (stage,), ("h", "c"), keeps=("tanh_c",), peepholes="fio", forget="f", says=says
    )


def rnn(name: str, says: str, **activations: str) -> Cell:
    """A row for the simple recurrent network: h = act(Wx x + Wh h_prev + b)."""
    ((act, slope),) = _known(name, activations)

    def step(blocks: Any, before: Any, p: Any) -> Any:
        (z_g,) = blocks
        g = act(z_g)
        return (g,), (g,)

    def back(values: Any, before: Any, after: Any, errors: Any, p: Any) -> Any:
        (g,), (dh,) = values, errors
        return (dh * slope(g),), (no_error(dh),), (dh,)

    return Cell(name, activations, (Stage((0,), step, back, (0,)),), says=says)


def gru(name: str, says: str, **activations: str) -> Cell:
    """A row for the GRU that resets after the product.

    g = act(Wx_g x + b_g + r * (Wh_g h_prev + bh_g)), h = z * h_prev + (1 - z) * g.
    """
    (act_z, slope_z), (act_r, slope_r), (act_g, slope_g) = _known(name, activations)

    def step(blocks: Any, before: Any, p: Any) -> Any:
        (z_g, z_z, z_r, u), (h_prev,) = blocks, before
        z = act_z(z_z)
        r = act_r(z_r)
        g = act_g(z_g + r * u)
        h = g + z * (h_prev - g)  # z * h_prev + (1 - z) * g
        return (g, z, r, u), (h,)

    def back(values: Any, before: Any, after: Any, errors: Any, p: Any) -> Any:
        (g, z, r, u), (h_prev,), (dh,) = values, before, errors
        # h = g + z * (h_prev - g)
        dz_z = dh * (h_prev - g) * slope_z(z)
        dz_g = (dh - dh * z) * slope_g(g)
        # g = act(z_g + r * u)
        dz_r = dz_g * u * slope_r(r)
        return (dz_g, dz_z, dz_r, dz_g * r), (dh * z,), (dh,)

    stage = Stage((0, 1, 2, 3), step, back, (0, 1, 2, 3))
    return Cell(name, activations, (stage,), apart="g", says=says)


def gru_v3(name: str, says: str, **activations: str) -> Cell:
    """A row for the GRU that resets before the product.

    g = act(Wx_g x + Wh_g (r * h_prev) + b_g), h = z * h_prev + (1 - z) * g.
    """
    (act_z, slope_z), (act_r, slope_r), (act_g, slope_g) = _known(name, activations)

    def reset(blocks: Any, before: Any, p: Any) -> Any:
        (z_z, z_r, z_g), (h_prev,) = blocks, before
        r = act_r(z_r)
        return (z_z, r, z_g), (r * h_prev,)

    def reset_back(values: Any, before: Any, after: Any, errors: Any, p: Any) -> Any:
        (_, r, _), (h_prev,), (drh,) = values, before, errors
        return (drh * h_prev * slope_r(r),), (drh * r,), (drh,)

    def mix(blocks: Any, before: Any, p: Any) -> Any:
        (z_z, r, z_g), (h_prev,) = blocks, before
        z = act_z(z_z)
        g = act_g(z_g)
        return (z, r, g), (g + z * (h_prev - g),)

    def mix_back(values: Any, before: Any, after: Any, errors: Any, p: Any) -> Any:
        (z, _, g), (h_prev,), (dh,) = values, before, errors
        dz = dh * (h_prev - g) * slope_z(z), (dh - dh * z) * slope_g(g)
        return dz, (dh * z,), (dh,)

    stages = (
        Stage((0, 1), reset, reset_back, (1,)),
        Stage((2,), mix, mix_back, (0, 2), reads="rh"),
    )
    return Cell(name, activations, stages, says=says)


def _known(name: str, activations: Mapping[str, str]) -> list[Activation]:
    for gate, activation in activations.items():
        if activation not in ACTIVATIONS:
            raise ValueError(
                f"cell {name!r} has the activation {activation!r} for gate {gate}; "
                f"those with a row in ACTIVATIONS are {', '.join(ACTIVATIONS)}"
            )
    return [ACTIVATIONS[activation] for activation in activations.values()]


S, T = "sigmoid", "tanh"
CELLS = {
    cell.name: cell
    for cell in (
        lstm("standard", "LSTM with a forget gate, as everybody has it", f=S, i=S, o=S, g=T),
        lstm("brief", "LSTM as the brief writes it: tanh and sigmoid the other way round in o and g",
             f=S, i=S, o=T, g=S),
        rnn("rnn", "simple recurrent network", g=T),
        gru("gru", "GRU, reset after the product, as in Keras and PyTorch", z=S, r=S, g=T),
        gru_v3("gru_v3", "GRU, reset before the product, as in its paper", z=S, r=S, g=T),
        peephole("peephole", "LSTM whose gates also read the cell state", f=S, i=S, o=S, g=T),
    )
}  # fmt: skip


def get_cell(name: str) -> Cell:
    """Look a cell up by name.

    Raises ValueError with the valid names when there is none of that name.

    >>> get_cell("brief").activations["o"], get_cell("gru").gates
    ('tanh', 'zrg')
    """
    if name not in CELLS:
        raise ValueError(f"unknown cell {name!r}; the cells are {', '.join(sorted(CELLS))}")
    return CELLS[name]


# ----------------------------------------------------------------------------------------- one step of any cell


def step_forward(cell: Cell, weights: Mapping[str, Array], x: Array, *before: Array) -> Any:
    """One time step: for the LSTMs equations (1) to (6).

    Parameters
    ----------
    cell : from `CELLS`.
    weights : Wx (G·H, D), Wh (G·H, H), b (G·H,), and bh or p where the cell has them (`cell.matrices`).
    x : (D, B). before : the states before, h and, for an LSTM, c, each (H, B). Any float dtype, or complex.

    Returns
    -------
    NamedTuple of x, the states before (h_prev, …), every value and every state after.

    >>> import numpy as np
    >>> one, W = np.ones((1, 1)), np.zeros((4, 1))
    >>> t = step_forward(CELLS["standard"], {"Wx": W, "Wh": W, "b": np.zeros(4)}, one, one, one)
    >>> float(t.f[0, 0]), float(t.c[0, 0]), round(float(t.h[0, 0]), 4)
    (0.5, 0.5, 0.2311)
    """
    p = _peepholes(cell, weights)
    blocks = _from_x(cell, weights, x)
    made: dict[str, Array] = {"h": before[0]}
    values: tuple[Array, ...] = ()
    after: tuple[Array, ...] = ()
    for stage, following in zip(cell.stages, [*cell.stages[1:], None], strict=True):
        for block, part in _from_h(cell, weights, stage, made[stage.reads]).items():
            blocks[block] = blocks[block] + part
        values, after = stage.step(tuple(blocks), before, p)
        blocks[:] = values[: len(blocks)]
        if following is not None:
            made[following.reads] = after[0]
    return cell.step_trace(x, *before, *values, *(made[name] for name in cell.made), *after)


def step_backward(cell: Cell, weights: Mapping[str, Array], trace: Any, *errors: Array) -> Any:
    """The derivative of `step_forward`, stage by stage in reverse.

    Parameters
    ----------
    cell, weights : as given to `step_forward`. trace : what it returned.
    errors : (H, B) each: ∂L/∂h and, for an LSTM, the part of ∂L/∂c that comes from later steps.

    Returns
    -------
    NamedTuple of the gradients of every matrix (of this step alone, summed over the batch), of x and of the states
    before, of the pre-activations z (all blocks, (P·H, B)), and for an LSTM of c, the whole error that reaches it.
    """
    n, k = len(cell.states), len(cell.values)
    before, values, after = trace[1 : 1 + n], trace[1 + n : 1 + n + k], trace[-n:]
    p, H = _peepholes(cell, weights), len(before[0])
    dz: list[Any] = [None] * len(cell.blocks)
    below = errors
    found: tuple[Array, ...] = tuple(np.zeros_like(a) for a in errors)
    whole: tuple[Array, ...] = ()
    made = {"h": before[0]} | {name: getattr(trace, name) for name in cell.made}
    for stage in reversed(cell.stages):
        given, direct, reached = stage.back(values, before, after, below, p)
        whole = whole or reached
        for at, error in zip(stage.errors, given, strict=True):
            dz[at] = error
        found = tuple(a + d for a, d in zip(found, direct, strict=True))
        carried = sum(
            _gate_rows(cell, weights, "Wh", block, H).T @ dz[block] for block in _recurrent(cell, stage)
        )
        if stage.reads == "h":
            found = (found[0] + carried, *found[1:])
        else:
            below = (carried,)
    return cell.step_gradients(
        **_weight_gradients(cell, weights, dz, trace, made),
        x=sum(_gate_rows(cell, weights, "Wx", block, H).T @ dz[block] for block in cell.readers("Wx")),
        **dict(zip(cell._before, found, strict=True)),
        z=np.concatenate(dz),
        **dict(zip(cell.states[1:], whole[1:], strict=True)),
    )


def _peepholes(cell: Cell, weights: Mapping[str, Array]) -> tuple[Array, ...]:
    return tuple(np.split(weights["p"][:, None], len(cell.peepholes))) if cell.peepholes else ()


def _from_x(cell: Cell, weights: Mapping[str, Array], x: Array) -> list[Any]:
    """What every block reads from x; 0 for a block that reads h alone."""
    parts = np.split(weights["Wx"] @ x + weights["b"][:, None], len(cell.gates))
    found = dict(zip(cell.readers("Wx"), parts, strict=True))
    return [found.get(block, 0) for block in range(len(cell.blocks))]


def _recurrent(cell: Cell, stage: Stage) -> list[int]:
    """The blocks of a stage that read Wh."""
    return [block for block in cell.readers("Wh") if block in stage.blocks]


def _from_h(cell: Cell, weights: Mapping[str, Array], stage: Stage, h: Array) -> dict[int, Array]:
    """What the blocks of a stage read from h."""
    found = {}
    for block in _recurrent(cell, stage):
        found[block] = _gate_rows(cell, weights, "Wh", block, len(h)) @ h
        if "bh" in weights:
            found[block] = found[block] + _gate_rows(cell, weights, "bh", block, len(h))[:, None]
    return found


def _gate_rows(cell: Cell, weights: Mapping[str, Array], matrix: str, block: int, H: int) -> Array:
    """The rows of a matrix that a block reads."""
    k = cell.readers(matrix).index(block)
    return weights[matrix][k * H : (k + 1) * H]


def _weight_gradients(
    cell: Cell, weights: Mapping[str, Array], dz: list[Array], trace: Any, made: Mapping[str, Array]
) -> dict[str, Array]:
    reads = {block: made[stage.reads] for stage in cell.stages for block in stage.blocks}
    found = {
        "Wx": np.concatenate([dz[block] @ trace.x.T for block in cell.readers("Wx")]),
        "Wh": np.concatenate([dz[block] @ reads[block].T for block in cell.readers("Wh")]),
        "b": np.concatenate([dz[block].sum(axis=1) for block in cell.readers("b")]),
    }
    if cell.apart:
        found["bh"] = np.concatenate([dz[block].sum(axis=1) for block in cell.readers("bh")])
    if cell.peepholes:
        states = {gate: trace.c if gate == "o" else trace.c_prev for gate in cell.peepholes}
        found["p"] = np.concatenate(
            [(dz[cell.blocks.index(gate)] * states[gate]).sum(axis=1) for gate in cell.peepholes]
        )
    return found
