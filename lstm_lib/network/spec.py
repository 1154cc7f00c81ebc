"""The shape of a network and its parameters.

Nouns: an arc is one scalar weight or bias; a `Spec` is the shape of a network; `params` is a dict of named
arrays with exactly the names and shapes of `Spec.shapes`.

Letters: D inputs, H units of a layer, O outputs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from .cells import Array, Cell, get_cell

HEADS = ("linear", "softmax", "quantiles")
OUTPUTS = ("last", "every")
Params = dict[str, Array]


def is_whole(number: object, least: int) -> bool:
    """Whether this is a whole number, of Python or NumPy, of at least `least`; True and False are none.

    >>> is_whole(np.int64(2), 1), is_whole(0, 1), is_whole(2.0, 1), is_whole(True, 1)
    (True, False, False, False)
    """
    return isinstance(number, int | np.integer) and not isinstance(number, bool) and bool(number >= least)


def spread(Q: int) -> tuple[float, ...]:
    """Q levels of quantiles, evenly spread.

    >>> spread(2)
    (0.25, 0.75)
    """
    return tuple((k + 0.5) / Q for k in range(Q))


def refuse_masked(**arrays: Any) -> None:
    """ValueError for an array, given by its name, of which some values are masked: its numbers would be taken anyway.

    >>> refuse_masked(x=np.ma.masked_equal([1.0, 2.0], 2.0))
    Traceback (most recent call last):
    ValueError: x is a masked array with 1 of 2 values masked; drop them first, or fill them: x.filled(...)
    """
    for name, a in arrays.items():
        if masked := int(np.ma.getmaskarray(a).sum()) if isinstance(a, np.ma.MaskedArray) else 0:
            raise ValueError(
                f"{name} is a masked array with {masked} of {np.size(a)} values masked; drop them first, or fill them: "
                f"{name}.filled(...)"
            )


@dataclass(frozen=True)
class Spec:
    """The shape of a network: stacked recurrent layers and a dense head.

    Parameters
    ----------
    inputs : D, features per time step.
    units : H of each layer, lowest first; one entry in `units` a layer.
    outputs : O, width of the head.
    cell : a row of `CELLS`: "standard", "brief", "rnn", "gru", "gru_v3" or "peephole".
    head : "linear", "softmax" whose outputs are probabilities, or "quantiles", a linear one with the pinball loss.
    output : "last" gives (B, O) from the last step, "every" gives (B, T, O).
    levels : of the quantiles of each target value, above 0, below 1 and rising; O is a multiple of their number.
        Without any, those of one target value, spread evenly. For other heads none.

    Raises ValueError that names the field, what was given and the valid choices.

    >>> spec = Spec(inputs=3, units=(4,), outputs=1)
    >>> spec.shapes
    {'0/Wx': (16, 3), '0/Wh': (16, 4), '0/b': (16,), 'head/W': (1, 4), 'head/b': (1,)}
    >>> spec.size
    133
    """

    inputs: int
    units: tuple[int, ...]
    outputs: int
    cell: str = "standard"
    head: str = "linear"
    output: str = "last"
    levels: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        units = tuple(self.units) if isinstance(self.units, Iterable) else (self.units,)
        object.__setattr__(self, "units", units)
        for name, size in (
            ("inputs", self.inputs),
            ("outputs", self.outputs),
            *(("units", u) for u in units),
        ):
            if not is_whole(size, 1):
                raise ValueError(f"Spec.{name} must be a whole number of at least 1, got {size!r}")
        object.__setattr__(self, "units", tuple(map(int, units)))
        object.__setattr__(self, "inputs", int(self.inputs))
        object.__setattr__(self, "outputs", int(self.outputs))
        if not units:
            raise ValueError("Spec.units is empty; give one entry a layer, for example units=(64,)")
        get_cell(self.cell)
        for name, choice, choices in (("head", self.head, HEADS), ("output", self.output, OUTPUTS)):
            if choice not in choices:
                raise ValueError(f"Spec.{name} is {choice!r}; the choices are {', '.join(choices)}")
        levels = tuple(float(level) for level in self.levels)
        if self.head == "quantiles":
            levels = levels or spread(self.outputs)
            fit = self.outputs % len(levels) == 0
        else:
            fit = not levels
        if not fit or not all(low < high for low, high in pairwise((0.0, *levels, 1.0))):
            raise ValueError(
                f"Spec.levels is {self.levels!r}; expected rising numbers above 0 and below 1, of which "
                f"outputs={self.outputs} is a multiple, for head='quantiles', and none for other heads"
            )
        object.__setattr__(self, "levels", levels)

    def __repr__(self) -> str:
        named = {name: value for name, value in vars(self).items() if name != "levels" or value}
        return f"Spec({', '.join(f'{name}={value!r}' for name, value in named.items())})"

    @property
    def row(self) -> Cell:
        """The row of `CELLS` that says what its layers are."""
        return get_cell(self.cell)

    @property
    def layers(self) -> int:
        """How many recurrent layers there are."""
        return len(self.units)

    def fan_in(self, layer: int) -> int:
        """Inputs per step of a layer: D for the lowest, the units below for the others."""
        return self.inputs if layer == 0 else self.units[layer - 1]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every parameter, in the order they are applied."""
        shapes: dict[str, tuple[int, ...]] = {}
        for layer, H in enumerate(self.units):
            width = {"Wx": (self.fan_in(layer),), "Wh": (H,)}
            for matrix, gates in self.row.matrices.items():
                shapes[f"{layer}/{matrix}"] = (len(gates) * H, *width.get(matrix, ()))
        shapes["head/W"] = (self.outputs, self.units[-1])
        shapes["head/b"] = (self.outputs,)
        return shapes

    @property
    def size(self) -> int:
        """How many arcs (scalar weights and biases) the network has."""
        return sum(int(np.prod(shape)) for shape in self.shapes.values())


def init_params(spec: Spec, seed: int = 0, dtype: DTypeLike = "float32", forget_bias: float = 1.0) -> Params:
    """Initial parameters: Glorot-uniform Wx and head, orthogonal Wh, zero biases but for a forget gate.

    The same choices as the recurrent layers of Keras (glorot_uniform, orthogonal, unit_forget_bias), drawn from
    NumPy's generator; peepholes start at zero. The numbers are drawn in float64 and rounded, so that both dtypes start
    alike.

    Parameters
    ----------
    seed : of `numpy.random.default_rng`.
    dtype : float32 or float64.
    forget_bias : start of b_f; 1 keeps the early error signal alive (Jozefowicz et al., 2015).

    >>> params = init_params(Spec(3, (4,), 1))
    >>> params["0/Wh"].shape, params["0/b"][:4].tolist()
    ((16, 4), [1.0, 1.0, 1.0, 1.0])
    """
    if np.dtype(dtype) not in (np.dtype("float32"), np.dtype("float64")):
        raise ValueError(f"dtype is {np.dtype(dtype)}; the choices are float32, float64")
    rng = np.random.default_rng(seed)
    gates, forget = spec.row.gates, spec.row.forget
    params: Params = {}
    for name, shape in spec.shapes.items():
        if name.endswith("/Wh"):
            q, r = np.linalg.qr(rng.standard_normal(shape))
            value = q * np.sign(np.diag(r))  # the sign makes the draw uniform over orthogonal matrices
        elif len(shape) == 2:
            limit = np.sqrt(6 / sum(shape))
            value = rng.uniform(-limit, limit, shape)
        else:
            value = np.zeros(shape)
            if forget and name.endswith("/b") and name != "head/b":
                value.reshape(len(gates), -1)[gates.index(forget)] = forget_bias
        params[name] = value.astype(dtype)
    return params


def copy_params(params: Params) -> Params:
    """The same parameters in arrays of their own."""
    return {name: p.copy() for name, p in params.items()}


def check_params(spec: Spec, params: Params) -> np.dtype[Any]:
    """Check names, shapes and a common dtype against `spec` and return that dtype.

    Raises ValueError naming the parameter, its shape or dtype and the expected one.
    """
    shapes = spec.shapes
    if params.keys() != shapes.keys():
        missing, extra = sorted(shapes.keys() - params.keys()), sorted(params.keys() - shapes.keys())
        raise ValueError(f"parameters do not fit the spec: missing {missing}, unknown {extra}")
    dtype = params["head/W"].dtype
    if dtype.kind not in "fc":
        raise ValueError(f"params have dtype {dtype}; expected float32 or float64")
    for name, shape in shapes.items():
        if params[name].shape != shape:
            raise ValueError(f"params[{name!r}] has shape {params[name].shape}; the spec expects {shape}")
        if params[name].dtype != dtype:
            raise ValueError(
                f"params[{name!r}] is {params[name].dtype} but params['head/W'] is {dtype}; use one dtype"
            )
    return dtype
