"""The parts of a parameter that an optimiser moves, gathered and put back.

Nouns: `Arcs` says which arcs of a parameter are active: all, ranges or lists of rows, or flat positions; a part is one
index of it and the numbers there, a view of a range of rows, else a copy.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from lstm_lib.isolation.plan import Plan
from lstm_lib.network.cells import Array
from lstm_lib.network.work import Arcs


class NotFinite(ValueError):
    """A loss or a gradient holds NaN or infinity: the training has left the numbers."""


def chosen_parts(name: str, w: Array, g: Array, arcs: Arcs) -> tuple[list[tuple[Any, Array]], float]:
    """The active arcs in parts that are moved together, an index and the gradient there; and the sum of their squares.

    A sum that is finite is the check too: no gradient is NaN or infinite, nor is its square. `NotFinite` for the first.
    """
    if g.shape != w.shape or g.dtype != w.dtype:
        raise ValueError(f"grads[{name!r}] is {g.dtype} {g.shape}; expected {w.dtype} {w.shape}")
    parts = [(at, part_of(g, arcs, at)) for at in _parts(arcs)]
    squares = sum(float(np.vdot(part, part)) for _, part in parts)
    if not math.isfinite(squares) and not all(np.isfinite(part).all() for _, part in parts):
        bad = sum(np.count_nonzero(~np.isfinite(part)) for _, part in parts)
        total = sum(part.size for _, part in parts)
        raise NotFinite(f"grads[{name!r}] holds {bad} of {total} values that are not finite")
    return parts, squares


def isolated_arcs(plan: Plan) -> dict[str, Arcs]:
    """The flat positions of the isolated arcs, by parameter that has some."""
    masks = {name: plan.zone.mask(name) for name in plan.spec.shapes}
    return {name: np.flatnonzero(mask) for name, mask in masks.items() if mask.any()}


def _parts(arcs: Arcs) -> tuple[Any, ...]:
    """The indices that together name the active arcs."""
    return arcs if isinstance(arcs, tuple) else (slice(None) if arcs is None else arcs,)


def part_of(a: Array, arcs: Arcs, at: Any) -> Array:
    """One of the parts of `arcs`: rows, or flat positions."""
    return np.asarray(np.take(a, at)) if isinstance(arcs, np.ndarray) else a[at]


@contextmanager
def moving(whole: list[Array], arcs: Arcs, at: Any) -> Iterator[list[Array]]:
    """The arcs of a part, to be changed in place: views of ranges of rows, else gathered and scattered back."""
    part = [part_of(a, arcs, at) for a in whole]
    yield part
    if isinstance(at, np.ndarray):
        for a, moved in zip(whole, part, strict=True):
            if isinstance(arcs, np.ndarray):
                np.put(a, at, moved)
            else:
                a[at] = moved


def advanced(count: int | Array, arcs: Arcs, shape: tuple[int, ...]) -> int | Array:
    """The step counts with those of the active arcs one higher."""
    if arcs is None:
        return count + 1
    count = np.full(shape, count) if np.ndim(count) == 0 else np.asarray(count)
    for at in _parts(arcs):
        with moving([count], arcs, at) as (some,):
            some += 1
    return count
