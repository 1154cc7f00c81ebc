"""Gradient checks: differences of the loss against derived gradients, with a tolerance by dtype.

Three ways to measure a slope without deriving it:

- "central": (L(w + ε) - L(w - ε)) / 2ε for single arcs; good to about ε², limited by rounding of L;
- "complex": Im L(w + iε) / ε with ε = 1e-30 for single arcs; no subtraction, so good to rounding itself.
  Needs code that is analytic, as the equations of all cells are (Squire and Trapp, SIAM Review 40(1), 1998);
- "projection": one slope along a random direction through all arcs at once; cheap, and blind to nothing but
  a chance of measure zero.

`gradient_check` runs one of them against `lstm_lib.backward`, for any cell, and returns a `Report` that prints both
numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lstm_lib.network.backward import backward
from lstm_lib.network.cells import Array
from lstm_lib.network.forward import forward
from lstm_lib.network.losses import loss_of
from lstm_lib.network.spec import Params, Spec

Loss = Callable[[Params], Any]

# Largest accepted difference, relative to the largest entry of the array, by method and dtype of the weights.
TOLERANCE = {
    ("central", "float64"): 1e-6,
    ("central", "float32"): 3e-2,
    ("complex", "float64"): 1e-11,
    ("projection", "float64"): 1e-6,
    ("projection", "float32"): 3e-2,
    ("autograd", "float64"): 1e-10,
    ("autograd", "float32"): 2e-4,
}
STEP = {"float64": 1e-5, "float32": 1e-2}  # of central differences: near the cube root of the dtype's epsilon
COMPLEX_STEP = 1e-30
METHODS = ("central", "complex", "projection")


@dataclass(frozen=True)
class Report:
    """What a check compared: a table with both numbers of the worst entry of every array.

    Parameters
    ----------
    method : how the reference was found. tolerance : the largest error that passes.
    table : one row an array: ours, reference (at the entry where they differ most), error (relative to the array's
        largest reference entry), entries (how many were compared), passed.
    """

    method: str
    tolerance: float
    table: pd.DataFrame

    @property
    def passed(self) -> bool:
        """True when every array is within the tolerance."""
        return bool(self.table["passed"].all())

    @property
    def error(self) -> float:
        """The largest relative difference."""
        return float(self.table["error"].max(skipna=False))

    def require(self) -> Report:
        """Return the report, or raise AssertionError that prints both numbers of every failing array."""
        if not self.passed:
            raise AssertionError(f"{self.method} check failed\n{self}")
        return self

    def __str__(self) -> str:
        bad = self.table[~self.table["passed"]]
        verdict = f"largest relative error {self.error:.1e}, allowed {self.tolerance:.0e}"
        lines = [f"{self.method}: {len(self.table)} arrays, {verdict}"]
        lines += [
            f"  {name}: ours {row.ours:.9g}, reference {row.reference:.9g}, relative error {row.error:.1e}"
            for name, row in bad.iterrows()
        ]
        return "\n".join(lines)


def compare(
    ours: Params, reference: Params, method: str = "autograd", tolerance: float | None = None
) -> Report:
    """Compare two sets of arrays name by name.

    Parameters
    ----------
    ours, reference : arrays of equal names and shapes; NaN in the reference marks an entry that wasn't measured.
    method : a row of `TOLERANCE` ("autograd", "central", "complex", "projection").
    tolerance : overrides the table's.

    Raises ValueError when names or shapes differ, or an array has nothing to compare.

    >>> print(compare({"w": np.array([2.001])}, {"w": np.array([2.0])}))
    autograd: 1 arrays, largest relative error 5.0e-04, allowed 1e-10
      w: ours 2.001, reference 2, relative error 5.0e-04
    """
    if ours.keys() != reference.keys():
        raise ValueError(f"the names differ: {sorted(ours)} and {sorted(reference)}")
    if not ours:
        raise ValueError("there is nothing to compare: no array was given")
    if tolerance is None:
        tolerance = TOLERANCE[method, next(iter(ours.values())).dtype.name]
    rows = {name: _row(name, ours[name], reference[name], tolerance) for name in ours}
    return Report(method, tolerance, pd.DataFrame.from_dict(rows, orient="index"))


def side_by_side(
    ours: Params, references: Mapping[str, Params], tolerance: float, digits: int = 6
) -> pd.DataFrame:
    """The first entry of every array beside those of its references, once all entries were found to agree.

    In the corner of the table stands, once for all rows, below what every relative error is.

    Parameters
    ----------
    ours : derived arrays by name.
    references : method -> arrays of the same names and shapes, found in another way.
    tolerance : largest accepted difference, relative to the array's largest entry.
    digits : decimals of the entries shown.

    Raises AssertionError that prints both numbers of every array that differs, and ValueError when a reference
    is the very array that it should be compared with.

    >>> found = side_by_side({"w": np.array([2.0])}, {"central": {"w": np.array([2.0 + 1e-9])}}, 1e-6)
    >>> found.columns.name
    'errors < 1e-06'
    """
    table = pd.DataFrame({"shape": {name: a.shape for name, a in ours.items()}})
    table["ours"] = [round(float(a.flat[0]), digits) for a in ours.values()]
    for method, reference in references.items():
        compare(ours, reference, method, tolerance).require()
        if same := [name for name, a in ours.items() if np.shares_memory(a, reference[name])]:
            raise ValueError(f"{same} and the reference {method!r} are the same array; nothing was compared")
        table[method] = [round(float(reference[name].flat[0]), digits) for name in ours]
    return table.rename_axis(columns=f"errors < {tolerance:.0e}")


def _row(name: str, ours: Array, reference: Array, tolerance: float) -> dict[str, Any]:
    if ours.shape != reference.shape:
        raise ValueError(f"{name}: ours has shape {ours.shape}, the reference {reference.shape}")
    measured = ~np.isnan(reference)
    if not measured.any():
        raise ValueError(f"{name}: no entry of the reference was measured")
    a, b = ours[measured].astype("float64"), reference[measured].astype("float64")
    difference = np.abs(a - b) / max(np.abs(b).max(), np.finfo("float64").tiny)
    worst = int(np.argmax(np.where(np.isnan(difference), np.inf, difference)))
    numbers = {"ours": a[worst], "reference": b[worst], "error": float(difference[worst]), "entries": len(a)}
    return numbers | {"passed": numbers["error"] <= tolerance}


# ------------------------------------------------------------------------------------------------------ differences


def central_differences(loss: Loss, params: Params, entries: int | None = None, seed: int = 0) -> Params:
    """Slopes of `loss` by central differences.

    Parameters
    ----------
    loss : function of a dict of arrays, returns a scalar.
    params : where the slope is taken; float32 or float64.
    entries : measure that many random entries of each array; None measures all.

    Returns
    -------
    Arrays of the shapes of `params` in float64; entries that were not measured are NaN.

    >>> central_differences(lambda p: (p["w"] ** 2).sum(), {"w": np.array([3.0])})["w"].round(6).tolist()
    [6.0]
    """

    def slope(name: str, at: int) -> float:
        step = STEP[params[name].dtype.name]
        low, high = (_shifted(params, name, at, by) for by in (-step, step))
        width = float(high[name].flat[at]) - float(low[name].flat[at])  # what the dtype made of two steps
        return (float(loss(high)) - float(loss(low))) / width

    return _slopes(slope, params, entries, seed)


def complex_step(loss: Loss, params: Params, entries: int | None = None, seed: int = 0) -> Params:
    """Slopes of `loss` by complex-step differences; `loss` must be analytic. Arguments as `central_differences`.

    >>> complex_step(lambda p: (p["w"] ** 3).sum(), {"w": np.array([2.0])})["w"].tolist()
    [12.0]
    """
    point = {k: p.astype("complex128") for k, p in params.items()}

    def slope(name: str, at: int) -> float:
        return float(np.imag(loss(_shifted(point, name, at, 1j * COMPLEX_STEP))) / COMPLEX_STEP)

    return _slopes(slope, params, entries, seed)


def projection(loss: Loss, params: Params, grads: Params, seed: int = 0) -> tuple[float, float]:
    """The slope of `loss` along one random direction, from the gradients and by central differences.

    Returns
    -------
    (ours, reference): Σ grads · direction, and the difference quotient.

    >>> w = {"w": np.array([1.0, 2.0])}
    >>> ours, reference = projection(lambda p: (p["w"] ** 2).sum(), w, {"w": 2 * w["w"]})
    >>> abs(ours - reference) < 1e-9
    True
    """
    rng = np.random.default_rng(seed)
    direction = {k: rng.standard_normal(p.shape) for k, p in params.items()}
    length = np.sqrt(sum((d * d).sum() for d in direction.values()))
    dtype = next(iter(params.values())).dtype
    step = STEP[dtype.name]
    low, high = (
        {k: (p + sign * step * direction[k] / length).astype(dtype) for k, p in params.items()}
        for sign in (-1, 1)
    )
    ours = sum(float((grads[k].astype("float64") * direction[k]).sum()) for k in params) / length
    return float(ours), (float(loss(high)) - float(loss(low))) / (2 * step)


def _slopes(slope: Callable[[str, int], float], params: Params, entries: int | None, seed: int) -> Params:
    rng = np.random.default_rng(seed)
    found = {k: np.full(p.shape, np.nan) for k, p in params.items()}
    for name, array in found.items():
        size = array.size
        for at in rng.choice(size, size if entries is None else min(entries, size), replace=False):
            array.flat[at] = slope(name, at)
    return found


def _shifted(params: Params, name: str, at: int, by: complex) -> Params:
    moved = params[name].copy()
    moved.flat[at] += by
    return params | {name: moved}


# ------------------------------------------------------------------------------------------------------- the network


def gradient_check(
    spec: Spec,
    params: Params,
    x: Array,
    y: Array,
    method: str = "complex",
    initial: list[tuple[Array, ...]] | None = None,
    entries: int | None = 20,
    seed: int = 0,
) -> Report:
    """Check `lstm_lib.backward` against differences: every parameter, the inputs and the states before the first step.

    Parameters
    ----------
    spec, params : any cell; float64 or float32.
    x, y : (B, T, D) and what the head's loss compares its output with, of the shape of yhat.
    initial : the states of each layer before the first step, (h, c) or (h,), each (B, H); None starts from zero.
    method : "complex" (float64 alone; its differences take the plain engine), "central" or "projection".
    entries : random entries of each array that are measured; None measures all. seed : of the choice.

    Raises ValueError for an unknown method, or "complex" with float32.

    >>> from lstm_lib import init_params
    >>> spec = Spec(inputs=2, units=(3,), outputs=1, cell="gru")
    >>> params = init_params(spec, dtype="float64")
    >>> x = np.linspace(-1, 1, 24).reshape(3, 4, 2)
    >>> gradient_check(spec, params, x, np.ones((3, 1))).passed
    True
    """
    if (method, x.dtype.name) not in TOLERANCE or method not in METHODS:
        raise ValueError(
            f"method {method!r} on {x.dtype}; the choices are {[k for k in TOLERANCE if k[0] in METHODS]}"
        )
    states = spec.row.states
    if initial is None:
        initial = [(np.zeros((len(x), H), x.dtype),) * len(states) for H in spec.units]
    point = {**params, "x": x}
    for k, given in enumerate(initial):
        point |= {f"{k}/{name}0": state for name, state in zip(states, given, strict=False)}

    def loss(at: Params) -> Any:
        start = [tuple(at[f"{k}/{name}0"] for name in states) for k in range(spec.layers)]
        yhat, _ = forward(spec, {k: at[k] for k in params}, at["x"], initial=start)
        return loss_of(spec)(yhat, y)[0]

    yhat, trace = forward(spec, params, x, initial=initial)
    grads = backward(spec, params, trace, loss_of(spec)(yhat, y)[1], also=("x", "state"))
    if method == "projection":
        ours, reference = (
            {"along one direction": np.array([s])} for s in projection(loss, point, grads, seed)
        )
        return compare(ours, reference, method, TOLERANCE[method, x.dtype.name])
    differences = complex_step if method == "complex" else central_differences
    return compare(grads, differences(loss, point, entries, seed), method)
