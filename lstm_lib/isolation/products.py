"""What is left to do in the backward pass when arcs are isolated, as lists of smaller dense products.

Nouns: a part lists positions along one axis; a `Passage` is the product that carries an error backwards through
the active arcs of a matrix; a `Rectangle` is the product that gives the gradient of some rows and sources; a
`LayerWork` holds all of these for one layer. They are compiled once from masks of active arcs, and run by
`layer_backward.py`; `plan.py` puts the layers together.

Nothing here depends on the number of steps or the batch: all products of a layer have steps · batch columns, so
what is cheaper for one size is cheaper for the others.

Letters: H units, D inputs of a layer, S = H + D + 1 sources [h; x; 1], O outputs. `active` is a mask, True where
an arc is updated.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lstm_lib.network.cells import GATES, Array

from .zones import equal_rows

# Positions along an axis: all, neighbours (of which NumPy takes a view), or any.
Part = slice | Array | None

# What a copied row costs, as a number of columns of a product: a copy is bound by memory, a product is not.
# (Measured with 256 units: 1.0 ns a number against 10 ps a multiplication and addition.)
COPY = 100
# Rectangles of more patterns of rows than this are not told apart; 0/1 masks serve better then.
MOST_PATTERNS = 64


class Passage(NamedTuple):
    """The error that flows backwards through a matrix: (rows, columns) of it, turned, times (rows, batch).

    `rows` and `columns` are parts of the matrix; `errors` says where the rows stand among the errors kept (all
    alike when None) and `into` where the columns go among what receives the error; `drop` marks the isolated arcs
    of that rectangle, None if there are none.
    """

    rows: Part = None
    columns: Part = None
    errors: Part = None
    into: Part = None
    drop: Array | None = None
    size: tuple[int, int] = (0, 0)

    @property
    def whole(self) -> bool:
        """Whether all of the matrix takes part, between all errors and all receivers."""
        return all(at is None for at in self[:-1])


class Rectangle(NamedTuple):
    """The gradient of some rows and sources: (rows, steps · batch) times (steps · batch, sources).

    `rows` and `sources` are parts of the 4H rows and the S sources, `errors` says where the rows stand among the
    errors kept; `drop` marks isolated arcs within.
    """

    rows: Part = None
    sources: Part = None
    errors: Part = None
    drop: Array | None = None
    size: tuple[int, int] = (0, 0)


class LayerWork(NamedTuple):
    """What is left to do in one layer.

    `units` are those whose errors are computed, `gates` the gates; together they are the rows kept, gate by gate.
    `through` carries the error to the step before, `below` to the layer below or the inputs; either is None where
    no active arc carries it. `weights` are the products for the weight gradients.
    """

    units: Part
    gates: str
    kept: int  # how many units
    through: Passage | None
    below: Passage | None
    weights: tuple[Rectangle, ...]


class HeadWork(NamedTuple):
    """What is left to do in the head: the gradient of W (None: none), of b (its active outputs), and the error."""

    weights: Rectangle | None
    bias: Part
    bias_size: int
    down: Passage | None


def part(positions: Array, size: int) -> Part:
    """Positions as the cheapest index that selects them, in their order, out of `size`.

    >>> part(np.array([0, 1, 2]), 3), part(np.array([1, 2]), 3), part(np.array([0, 2]), 3).tolist()
    (None, slice(1, 3, None), [0, 2])
    """
    if not len(positions) or (np.diff(positions) != 1).any():
        return positions
    return None if len(positions) == size else slice(int(positions[0]), int(positions[-1]) + 1)


def picked(at: Part, size: int) -> Array:
    """The positions of a part as an array."""
    return np.arange(size)[at] if isinstance(at, slice) else np.arange(size) if at is None else at


# ------------------------------------------------------------------------------------------- the errors of a layer


def full_errors(H: int, D: int) -> LayerWork:
    """All errors of a layer, and nothing yet of its weights."""
    return LayerWork(None, "".join(GATES), H, Passage(size=(4 * H, H)), Passage(size=(4 * H, D)), ())


def no_errors() -> LayerWork:
    """Nothing of a layer."""
    return LayerWork(np.arange(0), "", 0, None, None, ())


def reached_units(Wh: Array, rows: Array, arrives: Array) -> Array:
    """The units with an active row that an error gets to, through active arcs alone.

    Parameters
    ----------
    Wh : (4H, H), active. rows : (4H,), rows with an active arc. arrives : (H,), units an error comes to from above.
    """
    H = len(arrives)
    has_row = rows.reshape(4, H).any(axis=0)
    reached: Array = arrives & has_row
    while True:
        more = reached | (has_row & Wh[np.tile(reached, 4)].any(axis=0))
        if np.array_equal(more, reached):
            return reached
        reached = more


def cut_errors(
    Wh: Array, Wx: Array, rows: Array, reached: Array, below: Array, receivers: Array
) -> tuple[LayerWork, bool]:
    """The errors of a layer when none passes through an isolated arc, and nothing yet of its weights.

    Parameters
    ----------
    Wh, Wx : (4H, H) and (4H, D), active. rows : (4H,), rows with an active arc. reached : (H,), from `reached_units`.
    below, receivers : positions of the units below that can use an error, and of those whose errors are kept there.

    Returns
    -------
    LayerWork, and whether it keeps all units because slices of them would cost more.
    """
    H = len(reached)
    by_gate: Array = rows.reshape(4, H) & reached
    units = np.flatnonzero(reached)
    gates = "".join(gate for gate, at in zip(GATES, by_gate, strict=True) if at.any())
    costly = isinstance(part(units, H), np.ndarray) and not _gathering_units_pays(len(units), len(gates), H)
    if costly:
        units, gates = np.arange(H), "".join(GATES)
    kept = kept_rows(gates, units, H)
    used = by_gate.ravel()[kept]
    through = _passage(Wh, kept, used, np.flatnonzero(reached), units)
    down = _passage(Wx, kept, used, below, receivers)
    return LayerWork(part(units, H), gates, len(units), through, down, ()), costly


def _gathering_units_pays(units: int, gates: int, H: int) -> bool:
    """Whether arithmetic on some units, whose gates and states are gathered, moves less than that on all H units."""
    return units * (11 * gates + 16 + 14) < H * (11 * 4 + 16)


def kept_rows(gates: str, units: Array, H: int) -> Array:
    """Which of the 4H rows belong to these gates and units, gate by gate."""
    return np.concatenate([GATES.index(gate) * H + units for gate in gates]) if gates else units[:0]


def _passage(active: Array, kept: Array, used: Array, columns: Array, receivers: Array) -> Passage | None:
    """The rectangle of kept rows and of columns between which there are active arcs; None if there is no arc.

    `used` marks the kept rows that have a right to pass an error; `receivers` contains `columns`.
    """
    block = active[kept] if len(columns) == active.shape[1] else active[np.ix_(kept, columns)]
    if not used.all():
        block = block & used[:, None]
    some_rows, some_columns = block.any(axis=1), block.any(axis=0)
    if not some_rows.any():
        return None
    at = part(np.flatnonzero(some_rows), len(kept))
    if isinstance(at, np.ndarray) and not _gather_pays(len(at), len(kept), len(columns)):
        at = None  # rows without an active arc come along; they are marked to be dropped
    block = block[:, some_columns] if at is None else block[at][:, some_columns]
    columns = columns[some_columns]
    into = np.searchsorted(receivers, columns)
    return Passage(
        part(kept if at is None else kept[at], len(active)),
        part(columns, active.shape[1]),
        at,
        part(into, len(receivers)),
        None if block.all() else ~block,
        block.shape,
    )


def _gather_pays(some: int, kept: int, columns: int) -> bool:
    """Whether a product over some of the kept rows is worth gathering them at every step."""
    return some * COPY < (kept - some) * columns


# ------------------------------------------------------------------------------------ the weight gradients


def with_weights(work: LayerWork, active: Array) -> LayerWork:
    """Add the products that give the gradients of the active arcs, (4H, S), of the rows whose errors are kept."""
    H = len(active) // 4
    units = picked(work.units, H)
    if work.units is None and work.gates == "".join(GATES):
        return work._replace(weights=rectangles(active))
    kept = kept_rows(work.gates, units, H)
    found = rectangles(active[kept])
    return work._replace(
        weights=tuple(r._replace(rows=part(kept[picked(r.errors, len(kept))], 4 * H)) for r in found)
    )


def rectangles(active: Array) -> tuple[Rectangle, ...]:
    """Rectangles of rows and sources that cover all active arcs, each row in one of them.

    Rows with the same sources go together; then two groups are joined whenever one larger product costs no more
    than two. Isolated arcs that come in with that are marked to be dropped.

    >>> mask = np.zeros((4, 300), bool)
    >>> mask[:2, :100] = mask[2, 200:] = True
    >>> [r.size for r in rectangles(mask)]
    [(2, 100), (1, 100)]
    """
    if active.all():
        return (Rectangle(size=active.shape),)
    groups = equal_rows(active)
    if not groups:
        return ()
    if len(groups) > MOST_PATTERNS:
        groups = [(np.asarray(active.any(axis=0)), np.flatnonzero(active.any(axis=1)))]
    sources = np.array([pattern for pattern, _ in groups])
    rows = [at for _, at in groups]
    while len(rows) > 1:
        gain, a, b = _best_join(sources, np.array([len(at) for at in rows]))
        if gain < 0:
            break
        sources[a] |= sources[b]
        rows[a] = np.sort(np.concatenate([rows[a], rows[b]]))
        sources = np.delete(sources, b, axis=0)
        del rows[b]
    return tuple(_rectangle(active, at, np.flatnonzero(s)) for at, s in zip(rows, sources, strict=True))


def _best_join(sources: Array, rows: Array) -> tuple[float, int, int]:
    """The pair of groups whose joining gains most, in arcs of a product: what it saves less what it adds."""
    counts = sources.sum(axis=1)
    common = sources.astype(np.float32) @ sources.T.astype(np.float32)
    union = counts[:, None] + counts[None, :] - common
    added = (rows[:, None] + rows[None, :]) * union - (rows * counts)[:, None] - (rows * counts)[None, :]
    # sources that are copied once instead of twice, and one call less
    gain = COPY * common + 2 * COPY - added
    gain[np.tril_indices(len(rows))] = -np.inf
    a, b = np.unravel_index(int(gain.argmax()), gain.shape)
    return float(gain[a, b]), int(a), int(b)


def _rectangle(active: Array, rows: Array, sources: Array) -> Rectangle:
    block = active[np.ix_(rows, sources)]
    at = part(rows, len(active))
    return Rectangle(at, part(sources, active.shape[1]), at, None if block.all() else ~block, block.shape)


# ------------------------------------------------------------------------------------------------------ the head


def head_work(W: Array, b: Array, down: Passage | None) -> HeadWork:
    """The products of the head for the active arcs of W (O, H) and b (O,)."""
    rows, sources = W.any(axis=1), W.any(axis=0)
    weights = _rectangle(W, np.flatnonzero(rows), np.flatnonzero(sources)) if rows.any() else None
    return HeadWork(weights, part(np.flatnonzero(b), len(b)), int(b.sum()), down)


def head_passage(W: Array, units: Array, receivers: Array) -> Passage | None:
    """The error that the head's active arcs W (O, H) carry down to some units of those that keep errors."""
    return _passage(W, np.arange(len(W)), np.ones(len(W), bool), units, receivers)
