"""Where a number leaves its type: steps of Adam by wider arithmetic, or refused; never NaN, never no step, in silence.

Squares of gradients reach the edge of a type first: in float32 above 1.8e19, and below 1e-19 where eps is not there to
cover it. `is_plain` says from a few numbers whether a step stays away from the edge, as nearly all do; `made_wide`
makes the others. `norm` and `clipped` take gradients of any size.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from lstm_lib.network.cells import Array
from lstm_lib.network.spec import Params
from lstm_lib.network.work import Arcs

from .parts import NotFinite

Chosen = dict[str, list[tuple[Any, Array]]]  # by parameter: indices, and the gradients there
Todo = list[tuple[dict[str, Arcs], Chosen, bool]]  # True: weights move too; False: their moments alone


class OutOfType(NotFinite):
    """A step that can't be had in the dtype of the parameters; the text says why and what helps."""


def peak(g: Array) -> float:
    """The largest magnitude; NaN if one is NaN.

    >>> peak(np.array([1.0, -3.0])), peak(np.array([]))
    (3.0, 0.0)
    """
    return float(max(g.max(), -g.min())) if g.size else 0.0


def norm(gradients: Sequence[Array]) -> float:
    """Of all numbers together, also where their squares don't fit.

    >>> round(norm([np.array([3e200]), np.array([4e200])]) / 1e200, 12)
    5.0
    """
    with np.errstate(over="ignore", under="ignore"):
        total = float(sum(np.square(g, dtype="float64").sum() for g in gradients))
    if 1e-280 < total < np.inf or not (largest := max(map(peak, gradients), default=0.0)):
        return float(np.sqrt(total))
    exponent = int(np.frexp(largest)[1])
    scaled = (np.ldexp(g.astype("float64"), -exponent) for g in gradients)
    root = np.sqrt(sum(np.square(g).sum() for g in scaled))
    with np.errstate(over="ignore"):
        return float(np.ldexp(root, exponent))


def clipped(g: Array, most: float, length: float) -> Array:
    """The gradient of a norm of `length` made shorter, to a norm of `most`.

    >>> clipped(np.array([1e308]), 1e-10, 1e308).tolist()
    [1e-10]
    """
    if most >= length:
        return g
    if most / length > _limits(g.dtype, 1.0).factor:
        return g * (most / length)
    return np.asarray(g.astype("float64") / length * most).astype(g.dtype)  # the factor alone would not fit


def is_plain(
    dtype: np.dtype[Any], squares: float, rate: float, eps: float, keep: float, decay: float
) -> bool:
    """Whether a step stays within its type as it is written, whatever the moments are.

    Parameters
    ----------
    squares : of the gradients, their sum.
    rate, eps : of w -= rate · m / (√v + eps), what they are at least and, of rate, at most a few times.
    keep : 1 - beta2, the share of g² that v takes.
    decay : what weight decay takes off, as a share.

    >>> [is_plain(np.dtype("float32"), g, 1e-3, 1e-8, 1e-3, 0) for g in (1, np.inf)]
    [True, False]
    """
    top, tiny, highest, covers, _ = _limits(dtype, keep)
    return (
        squares < top / 4
        and (rate == 0 or (tiny <= rate and rate * highest / max(eps, tiny) < top / 4))
        and covers <= eps < top
        and decay <= 1
    )


class _Limits(NamedTuple):
    """Of a dtype: largest and smallest normal number; the largest m; eps that covers what is lost of √v; a factor."""

    top: float
    tiny: float
    highest: float
    covers: float
    factor: float


@lru_cache(maxsize=8)
def _limits(dtype: np.dtype[Any], keep: float) -> _Limits:
    info = np.finfo(dtype)
    top, tiny, ulp = float(info.max), float(info.tiny), float(info.eps)
    return _Limits(top, tiny, top**0.5 / keep**0.5, unseen(dtype, keep) ** 0.5 / ulp, tiny / ulp)


def unseen(dtype: np.dtype[Any], keep: float) -> float:
    """How much of v its type can lose near zero: a change of less rounds to none.

    >>> round(unseen(np.dtype("float32"), 1e-3) / 1e-42, 1)
    1.4
    """
    return float(np.finfo(dtype).smallest_subnormal) / keep


def made_wide(adam: Any, todo: Todo, params: Params, state: Any, scale: float) -> None:
    """A step of an `Adam` in float64, rounded and put in place when all of it fits the dtype.

    What the dtype can have lost of v near zero must not show: the step is tried with that much more and less of v.

    Raises `OutOfType` when it does not fit; nothing has been moved then.
    """
    exact, more, less = (_tried(adam, todo, params, state, scale, side) for side in (0, 1, -1))
    for _, chosen, _ in todo:
        for name, parts in chosen.items():
            why = _misfit(adam, [named.get(name) for named in exact[:-1]], more[0][name], less[0][name])
            if why:
                g, t = max((peak(g) for _, g in parts), default=0.0), int(np.max(exact[-1][name]))
                dtype = params[name].dtype
                raise OutOfType(
                    f"step {t} of {name!r}, with gradients up to {g:.3g}, does not fit {dtype}: {why}"
                )
    for old, new in zip((params, state.m, state.v, state.v_max or {}), exact, strict=False):
        for name, a in old.items():
            a[...] = new[name]
    state.t = exact[-1]


def _tried(
    adam: Any, todo: Todo, params: Params, state: Any, scale: float, side: int
) -> list[dict[str, Any]]:
    """Weights, m, v, v_max in their dtype and counts after the step, from v shifted to one side by what is `unseen`."""

    def wide(named: Params, shift: int = 0) -> Params:
        return {k: np.maximum(a.astype("float64") + shift * unseen(a.dtype, 1 - adam.beta2), 0 if shift else -np.inf)
                for k, a in named.items()}  # fmt: skip

    found, trial = wide(params), state.copy()
    trial.m, trial.v = wide(state.m), wide(state.v, side)
    trial.v_max = None if state.v_max is None else wide(state.v_max, side)
    for_all = [
        (arcs, {k: [(at, g.astype("float64")) for at, g in parts] for k, parts in chosen.items()}, moves)
        for arcs, chosen, moves in todo
    ]
    with np.errstate(all="ignore"):
        adam._make(for_all, found, trial, scale)
        made = [{k: a.astype(params[k].dtype) for k, a in named.items()}
                for named in (found, trial.m, trial.v, trial.v_max or {})]  # fmt: skip
    return [*made, trial.t]


def _misfit(adam: Any, new: list[Any], more: Array, less: Array) -> str:
    """Why new weights and moments don't fit their dtype, and what helps; "" if they do."""
    w, *moments = new
    if not all(np.isfinite(a).all() for a in moments if a is not None):
        return "their squares are too large; clip_norm=1.0 bounds gradients, scaled inputs and targets keep them small"
    with np.errstate(all="ignore"):
        unsure = ~(np.abs(more - less) <= 4 * np.spacing(np.abs(w))) & np.isfinite(w)
    if unsure.any() or np.isnan(w).any():
        return f"beside eps={adam.eps} squares count that round to 0; give a larger eps, such as 1e-8"
    if not np.isfinite(w).all():
        about = f"lr={adam.lr}, eps={adam.eps}, weight_decay={adam.weight_decay}"
        return f"{about} lead to infinity; give a smaller lr or a larger eps"
    return ""
