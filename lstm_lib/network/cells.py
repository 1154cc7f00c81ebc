"""The recurrent cells: a cell is a row of `CELLS`, and its equations stand here once.

Nouns: a gate has H rows in every matrix of a layer; a block is H pre-activations, which are one gate's or, where a gate
keeps apart what it reads from h and from x, one of its two; a `Stage` turns blocks into values and states, and back;
a `Cell` names gates, blocks, stages and states. `step.py` runs one time step of any row.

The two functions of a stage are plain arithmetic, so that the same text runs on arrays (`forward.py`, `backward.py`),
on complex numbers (`checks.py`) and, compiled, on one number after the other (`compiled.py`):

    step(blocks, before, p)            -> values, states after
    back(values, before, errors, p)    -> errors of blocks, of the states before, whole errors of those after

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

from collections.abc import Callable, Mapping
from dataclasses import dataclass
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

    def back(values: Any, before: Any, errors: Any, p: Any) -> Any:
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

    def back(values: Any, before: Any, errors: Any, p: Any) -> Any:
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

    def back(values: Any, before: Any, errors: Any, p: Any) -> Any:
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

    def back(values: Any, before: Any, errors: Any, p: Any) -> Any:
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

    def reset_back(values: Any, before: Any, errors: Any, p: Any) -> Any:
        (_, r, _), (h_prev,), (drh,) = values, before, errors
        return (drh * h_prev * slope_r(r),), (drh * r,), (drh,)

    def mix(blocks: Any, before: Any, p: Any) -> Any:
        (z_z, r, z_g), (h_prev,) = blocks, before
        z = act_z(z_z)
        g = act_g(z_g)
        return (z, r, g), (g + z * (h_prev - g),)

    def mix_back(values: Any, before: Any, errors: Any, p: Any) -> Any:
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
