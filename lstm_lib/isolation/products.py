"""From zones to smaller products: what is left to do in a layer, and in the head, when arcs are isolated.

`plan.py` puts the layers together; the records are those of `lstm_lib.network.work`, which the engine runs. `active` is
a mask, True where an arc is updated; that of a layer has the shape of its one matrix (`network/layout.py`).

Letters: H units, D inputs of a layer, P blocks, S sources, O outputs.
"""

from __future__ import annotations

import numpy as np

from lstm_lib.network.cells import Array
from lstm_lib.network.layout import Layout
from lstm_lib.network.work import HeadWork, Index, LayerWork, Passage, Rectangle, all_weights

from .text import equal_rows

# What a copied row costs, as a number of columns of a product: a copy is bound by memory, a product is not.
# (Measured with 256 units: 1.0 ns a number against 10 ps a multiplication and addition.)
COPY = 100
# Rectangles of more patterns of rows than this are not told apart; 0/1 masks serve better then.
MOST_PATTERNS = 64
# What it costs to compute the errors of scattered units instead of neighbours, as a share: shorter vectors.
SCATTERED = 1.2


# ------------------------------------------------------------------------------------------- the errors of a layer


def reached_units(Wh: Array, has_row: Array, arrives: Array, readers: Array) -> Array:
    """The units with an active row that an error gets to, through active arcs alone.

    Parameters
    ----------
    Wh : (G·H, H), active. has_row : (H,), units that an active arc leads to. arrives : (H,), units an error comes to
    from above. readers : (G·H,), the unit of each row of Wh.
    """
    reached: Array = arrives & has_row
    while True:
        more = reached | (has_row & Wh[reached[readers]].any(axis=0))
        if np.array_equal(more, reached):
            return reached
        reached = more


def cut_errors(
    at: Layout, masks: dict[str, Array], active: Array, reached: Array, below: Array, receivers: Array
) -> tuple[LayerWork, bool]:
    """The errors of a layer when none passes through an isolated arc, and nothing yet of its weights.

    Parameters
    ----------
    masks : matrix -> active arcs. active : (P·H, S), the same in one. reached : (H,), from `reached_units`.
    below, receivers : positions of the units below that can use an error, and of those whose errors are kept there.

    Returns
    -------
    LayerWork, and whether it keeps all units because scattered ones would cost more.
    """
    H, cell = at.H, at.cell
    by_block: Array = _wanted_blocks(at, masks, active) & reached
    units = np.flatnonzero(reached)
    blocks = tuple(np.flatnonzero(by_block.any(axis=1)).tolist())
    costly = Index.of(units, H).copies and SCATTERED * len(units) * len(blocks) > H * len(cell.blocks)
    if costly:
        units, blocks = np.arange(H), tuple(range(len(cell.blocks)))
    kept = kept_rows(blocks, units, H)
    used = by_block.ravel()[kept]

    def passage(matrix: str, readers: tuple[int, ...], columns: Array, into: Array) -> Passage | None:
        row_of = np.full(at.rows, -1)
        for gate, block in enumerate(cell.readers(matrix)):
            if block in readers:
                row_of[block * H : (block + 1) * H] = np.arange(gate * H, (gate + 1) * H)
        rows = row_of[kept]
        return _passage(masks[matrix], rows, used, columns, into)

    through = tuple(passage("Wh", stage.blocks, np.flatnonzero(reached), units) for stage in cell.stages)
    down = passage("Wx", tuple(range(len(cell.blocks))), below, receivers)
    closed = ~masks["p"] if cell.peepholes and not masks["p"].all() else None
    return LayerWork(Index.of(units, H), blocks, through, down, (), None, closed), costly


def _wanted_blocks(at: Layout, masks: dict[str, Array], active: Array) -> Array:
    """(P, H): whether an active arc leads to the unit's row of a block."""
    wanted = np.asarray(active.any(axis=1)).reshape(-1, at.H)
    for k, gate in enumerate(at.cell.peepholes):
        wanted[at.cell.blocks.index(gate)] |= masks["p"].reshape(-1, at.H)[k]
    return wanted


def kept_rows(blocks: tuple[int, ...], units: Array, H: int) -> Array:
    """Which of the P·H rows belong to these blocks and units, block by block."""
    return np.concatenate([block * H + units for block in blocks]) if blocks else units[:0]


def _passage(active: Array, rows: Array, used: Array, columns: Array, receivers: Array) -> Passage | None:
    """The rectangle of kept rows and of columns between which there are active arcs; None if there is no arc.

    `rows` are those of the matrix for every row kept, -1 where it reads another; `used` marks the rows that have a
    right to pass an error; `receivers` contains `columns`.
    """
    block = active[rows] if len(columns) == active.shape[1] else active[np.ix_(rows, columns)]
    if not (right := used & (rows >= 0)).all():
        block = block & right[:, None]
    some_rows, some_columns = block.any(axis=1), block.any(axis=0)
    if not some_rows.any():
        return None
    errors = Index.of(np.flatnonzero(some_rows), len(rows))
    readable = Index.of(np.flatnonzero(rows >= 0), len(rows))
    if errors.copies and not readable.copies and not _gather_pays(errors.size, readable.size, len(columns)):
        errors = readable  # rows without an active arc come along; they are marked to be dropped
    block = errors.take(block)[:, some_columns]
    columns = columns[some_columns]
    into = np.searchsorted(receivers, columns)
    return Passage(
        Index.of(errors.take(rows), len(active)),
        Index.of(columns, active.shape[1]),
        errors,
        Index.of(into, len(receivers)),
        None if block.all() else ~block,
    )


def _gather_pays(some: int, kept: int, columns: int) -> bool:
    """Whether a product over some of the kept rows is worth gathering them at every step."""
    return some * COPY < (kept - some) * columns


# ------------------------------------------------------------------------------------ the weight gradients


def with_weights(work: LayerWork, at: Layout, active: Array, peepholes: Array | None) -> LayerWork:
    """Add the products that give the gradients of the active arcs, (P·H, S), of the rows whose errors are kept."""
    if peepholes is not None and peepholes.any():
        work = work._replace(peepholes=peepholes)
    if active.sum() == at.arcs:
        return work._replace(weights=all_weights(at))  # all there are: as in the plain pass, bit for bit
    kept = kept_rows(work.blocks, work.units.positions, at.H)
    found = rectangles(active[kept])
    everything = work.units.whole and len(work.blocks) * at.H == at.rows
    if everything and sum(r.rows.size * r.sources.size for r in found) > at.arcs:
        # joined, they cost more than the products of the plain pass, which leave out what no arc reads
        all_there = ((r, active[r.rows.at, r.sources.at]) for r in all_weights(at))
        return work._replace(weights=tuple(r._replace(drop=~mask) for r, mask in all_there if mask.any()))
    return work._replace(
        weights=tuple(r._replace(rows=Index.of(r.errors.take(kept), at.rows)) for r in found)
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
    at = Index.of(rows, len(active))
    return Rectangle(at, Index.of(sources, active.shape[1]), at, None if block.all() else ~block)


# ------------------------------------------------------------------------------------------------------ the head


def head_work(W: Array, b: Array, down: Passage | None) -> HeadWork:
    """The products of the head for the active arcs of W (O, H) and b (O,)."""
    rows, sources = W.any(axis=1), W.any(axis=0)
    weights = _rectangle(W, np.flatnonzero(rows), np.flatnonzero(sources)) if rows.any() else None
    return HeadWork(weights, Index.of(np.flatnonzero(b), len(b)), down)


def head_passage(W: Array, units: Array, receivers: Array) -> Passage | None:
    """The error that the head's active arcs W (O, H) carry down to some units of those that keep errors."""
    rows = np.arange(len(W))
    return _passage(W, rows, np.ones(len(W), bool), units, receivers)
