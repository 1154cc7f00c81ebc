"""Windows that are given as arrays: what can be learned from, and how it is scaled."""

from __future__ import annotations

from typing import Any

import numpy as np

from lstm_lib.network.cells import Array
from lstm_lib.network.spec import refuse_masked


def numbers(given: Any, name: str) -> Array:
    """The array in float32 or float64, X (N, T) as (N, T, 1); refused in words that scikit-learn's checks look for."""
    if hasattr(given, "toarray"):
        raise TypeError(f"{name} is sparse, and sparse data can't be used; give an array: {name}.toarray()")
    refuse_masked(**{name: given})
    a: Array = np.asarray(given)
    if a.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {name} is {a.dtype}")
    a = a if a.dtype == np.float32 else a.astype(np.float64)
    if name == "X" and a.ndim not in (2, 3):
        raise ValueError(
            f"X has shape {a.shape}; expected windows (N, T, D), or (N, T) of one column. Reshape your data"
        )
    if a.ndim > 1 and 0 in a.shape[1:]:
        raise ValueError(f"0 feature(s) (shape={a.shape}) while a minimum of 1 is required.")
    if not len(a) or not np.isfinite(a).all():
        what = "holds NaN or infinite values; drop them first" if len(a) else "has no sample"
        raise ValueError(f"{name} {what}")
    return a.reshape(*a.shape[:2], -1) if name == "X" else a


def scaling_of(a: Array, axes: tuple[int, ...]) -> tuple[Array, Array]:
    """Mean and deviation of each column; 1 for the deviation of a constant."""
    with np.errstate(over="ignore", invalid="ignore"):
        sd = a.std(axis=axes)
    if not np.isfinite(sd).all():
        raise ValueError(
            f"the largest value is {np.abs(a).max():g}, too large to be scaled in {a.dtype}; correct it, or "
            "change the unit"
        )
    return a.mean(axis=axes), np.where(sd > 0, sd, 1).astype(a.dtype)


def samples_of(x: Any, y: Any) -> tuple[Array, Array, tuple[tuple[Array, Array], ...], bool]:
    """Scaled x (N, T, D) and y (N, O), how both were scaled, and whether y was given as (N,).

    Raises ValueError where y is missing, or holds what can't be learned from.
    """
    x = numbers(x, "X")
    if y is None:
        raise ValueError("fit() takes targets too: requires y to be passed, but the target y is None")
    y = numbers(y, "y")
    flat, y = y.ndim == 1, y.reshape(len(y), -1).astype(x.dtype)
    scaling = scaling_of(x, (0, 1)), scaling_of(y, (0,))
    scaled = [(a - mean) / sd for a, (mean, sd) in zip((x, y), scaling, strict=True)]
    return scaled[0], scaled[1], scaling, flat
