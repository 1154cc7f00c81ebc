"""The losses, each with its derivative, and which fits which head."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from .cells import Array
from .spec import Spec, refuse_masked, spread

Loss = Callable[..., tuple[Any, Array]]


def mse(yhat: Array, y: Array, weights: Array | None = None) -> tuple[Any, Array]:
    """Mean squared error over all entries, and its derivative.

    Parameters
    ----------
    yhat, y : same shape, (B, O) or (B, T, O).
    weights : (B,) or (B, T), how much each forecast counts in the mean; None: all alike. One of 0 counts nothing,
        whatever y is there.

    Returns
    -------
    loss : scalar, mean of (yhat - y)**2.
    dy : ∂loss/∂yhat, shape of yhat.

    >>> mse(np.array([[1.0], [3.0]]), np.array([[1.0], [1.0]]))
    (np.float64(2.0), array([[0.],
           [2.]]))
    """
    refuse_masked(yhat=yhat, y=y, weights=weights)
    if yhat.shape != y.shape:
        raise ValueError(
            f"yhat has shape {yhat.shape} but y has shape {y.shape}; they must be equal "
            "(Spec.outputs is the number of targets of a window)"
        )
    residual = yhat - y
    if weights is None:
        return np.mean(residual * residual), residual * (2 / residual.size)
    share = _shares(weights, yhat)
    residual[~share[..., 0].astype(bool)] = 0
    error = share * residual / y.shape[-1]
    return (error * residual).sum(), 2 * error


def cross_entropy(yhat: Array, y: Array, weights: Array | None = None) -> tuple[Any, Array]:
    """Mean cross-entropy of the softmax head's probabilities, and its derivative with respect to the SCORES.

    With p = softmax(s) the derivative with respect to the scores s is (p - y)/n, free of the division by p
    that the derivative with respect to p needs; `backward` expects it in this form for the softmax head.

    Parameters
    ----------
    yhat : (B, O) or (B, T, O), probabilities from `forward`.
    y : the same shape (none below 0, each last axis adds up to 1), or class numbers of shape (B,) or (B, T).
    weights : as for `mse`.

    Returns
    -------
    loss : scalar, mean over samples (and steps) of -Σ y log p; p is taken as at least the smallest normal
        number of its dtype, so that the loss stays finite.
    dscores : ∂loss/∂scores, shape of yhat.

    >>> loss, dy = cross_entropy(np.array([[0.5, 0.5]]), np.array([0]))
    >>> round(float(loss), 4), dy.tolist()
    (0.6931, [[-0.5, 0.5]])
    """
    refuse_masked(yhat=yhat, y=y, weights=weights)
    O = yhat.shape[-1]
    if y.shape == yhat.shape[:-1] and np.issubdtype(y.dtype, np.integer):
        if y.size and (y.min() < 0 or y.max() >= O):
            raise ValueError(f"class numbers must lie in 0..{O - 1}, got {y.min()}..{y.max()}")
        y = np.eye(O, dtype=yhat.real.dtype)[y]
    if y.shape != yhat.shape:
        raise ValueError(
            f"y has shape {y.shape} and dtype {y.dtype}; expected {yhat.shape}, or class numbers {yhat.shape[:-1]}"
        )
    share = None if weights is None else _shares(weights, yhat)
    counted = y if share is None else y[share[..., 0] > 0]
    if counted.size and not (counted.min() >= 0 and abs(counted.sum(axis=-1) - 1).max() < 1e-4):
        sums = counted.sum(axis=-1)
        raise ValueError(
            f"y has to hold probabilities, none below 0, that add up to 1 along the last axis; got values from "
            f"{counted.min():g} and sums from {sums.min():g} to {sums.max():g}. Class numbers are given as whole "
            f"numbers of shape {yhat.shape[:-1]}"
        )
    p = np.where(yhat.real < np.finfo(yhat.dtype).tiny, np.finfo(yhat.dtype).tiny, yhat)
    if share is None:
        n = yhat.size // O
        return -(y * np.log(p)).sum() / n, (yhat - y) * (1 / n)
    y = np.where(share > 0, y, 0)
    return -(share * y * np.log(p)).sum(), share * (yhat - y)


def pinball(
    yhat: Array, y: Array, weights: Array | None = None, levels: Sequence[float] | None = None
) -> tuple[Any, Array]:
    """Mean pinball loss of forecasts of quantiles, and its derivative (Koenker and Bassett 1978).

    For a quantile of level τ, with e = yhat - y, the loss is (1[e > 0] - τ) e: what lies above y costs 1 - τ a unit,
    what lies below τ. Its derivative is (1[e > 0] - τ) / n, which is 0 on the average where a share τ of the y lies
    below yhat; at e = 0, where there is none, -τ / n is taken.

    Parameters
    ----------
    yhat : (B, K Q) or (B, T, K Q), the Q quantiles of the first target value, then those of the second, and so on.
    y : (B, K) or (B, T, K). weights : as for `mse`.
    levels : (Q,), of the quantiles; None spreads them evenly, (k + 1/2) / Q: the median alone where there is one each.

    >>> loss, dy = pinball(np.array([[1.0, 3.0]]), np.array([[2.0]]), levels=(0.1, 0.9))
    >>> round(float(loss), 3), dy.round(3).tolist()
    (0.1, [[-0.05, 0.05]])
    """
    refuse_masked(yhat=yhat, y=y, weights=weights)
    Q = len(levels) if levels is not None else max(1, yhat.shape[-1] // max(1, y.shape[-1]))
    if y.shape[:-1] != yhat.shape[:-1] or y.shape[-1] * Q != yhat.shape[-1]:
        raise ValueError(
            f"yhat has shape {yhat.shape} but y has shape {y.shape}; with {Q} quantiles y must have shape "
            f"{(*yhat.shape[:-1], yhat.shape[-1] // Q)}"
        )
    tau = np.tile(np.asarray(spread(Q) if levels is None else levels, yhat.real.dtype), y.shape[-1])
    residual = yhat - np.repeat(y, Q, axis=-1)
    if weights is None:
        slope = ((residual.real > 0) - tau) / residual.size
    else:
        share = _shares(weights, yhat)
        residual[~share[..., 0].astype(bool)] = 0
        slope = ((residual.real > 0) - tau) * share / residual.shape[-1]
    slope = slope.astype(yhat.real.dtype)
    return (slope * residual).sum(), slope


def loss_of(spec: Spec) -> Loss:
    """The loss of a network: that of its head, for its levels.

    >>> loss_of(Spec(1, (3,), 2)) is mse
    True
    """
    return partial(pinball, levels=spec.levels) if spec.head == "quantiles" else LOSSES[spec.head]


def _shares(weights: Array, yhat: Array) -> Array:
    """Weights as shares of the whole, with an axis for the outputs."""
    weights, total = np.asarray(weights, yhat.real.dtype), float(np.sum(weights))
    if weights.shape != yhat.shape[:-1] or not total > 0 or not (weights >= 0).all():
        raise ValueError(
            f"weights have shape {weights.shape} and sum {total}; expected {yhat.shape[:-1]}, none below 0, and a sum "
            "above 0"
        )
    return (weights / total).astype(yhat.real.dtype)[..., None]


# The loss that fits each head.
LOSSES: dict[str, Loss] = {"linear": mse, "softmax": cross_entropy, "quantiles": pinball}
