"""Where the parameters of a layer stand: one matrix from sources to blocks.

Nouns: the sources of a step are what its products read, [h; x; 1] and what a cell needs besides; a `Layout` says
which columns of sources and which rows of blocks each parameter of the layer takes (a `Piece`), and which smaller
products make up the whole (a `Product`). Gradients come in the same layout.

Letters: H units, D inputs, P blocks, K values, S sources. Rows are P·H, block by block as in `Cell.blocks`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import NamedTuple

import numpy as np

from .cells import Array, Cell


class Piece(NamedTuple):
    """Rows of a parameter, and the rows of blocks and columns of sources that they take; a bias takes one column."""

    matrix: str
    rows: slice
    blocks: slice
    columns: slice


class Product(NamedTuple):
    """Rows of blocks that read the same sources."""

    blocks: slice
    columns: slice


@dataclass(frozen=True, eq=False)
class Layout:
    """The one matrix of a layer, (P·H, S).

    pieces : where each parameter stands in it. products : stage by stage, what a step multiplies.
    S : how many sources; h, x : their columns; made : columns of what a stage makes in the place of h, or none.
    """

    cell: Cell
    H: int
    D: int
    S: int
    h: slice
    x: slice
    made: slice
    pieces: tuple[Piece, ...]
    products: tuple[tuple[Product, ...], ...]

    @property
    def rows(self) -> int:
        """P·H."""
        return len(self.cell.blocks) * self.H

    @property
    def arcs(self) -> int:
        """How many of its places hold an arc of a parameter."""
        products = (p for products in self.products for p in products)
        return sum((p.blocks.stop - p.blocks.start) * (p.columns.stop - p.columns.start) for p in products)

    @cached_property
    def edges(self) -> Array:
        """A row a product, stage by stage: first and last + 1 of its rows of blocks, then of its columns of sources."""
        products = (p for products in self.products for p in products)
        return np.array([(p.blocks.start, p.blocks.stop, p.columns.start, p.columns.stop) for p in products])

    @property
    def ones(self) -> tuple[int, ...]:
        """The columns that are always 1, which the biases read."""
        return tuple(p.columns.start for p in self.pieces if p.matrix in ("b", "bh"))

    def fill(self, weights: Array, params: dict[str, Array]) -> None:
        """Write the parameters of a layer, by matrix, into (P·H, S); what no parameter takes is left as it is."""
        for matrix, rows, blocks, columns in self.pieces:
            part = params[matrix][rows]
            weights[blocks, columns] = part[:, None] if part.ndim == 1 else part


@cache
def layout(cell: Cell, D: int, H: int) -> Layout:
    """The layout of a layer of this cell.

    >>> from lstm_lib.network.cells import CELLS
    >>> lstm = layout(CELLS["standard"], 2, 3)
    >>> lstm.S, [(piece.matrix, piece.blocks, piece.columns) for piece in lstm.pieces][0]
    (6, ('Wx', slice(0, 12, None), slice(3, 5, None)))
    >>> [len(products) for products in layout(CELLS["gru"], 2, 3).products]
    [3]
    """
    first = H + bool(cell.apart)  # [h; 1 for bh; x; 1 for b; made]
    h, x = slice(0, H), slice(first, first + D)
    columns = {"Wx": x, "b": slice(x.stop, x.stop + 1), "bh": slice(H, H + 1), "h": h}
    S = x.stop + 1
    for name in cell.made:
        columns[name] = slice(S, S + H)
        S += H
    pieces = _pieces(cell, H, columns)
    products = tuple(_products(stage.blocks, pieces, H) for stage in cell.stages)
    made = columns[cell.made[0]] if cell.made else slice(S, S)
    return Layout(cell, H, D, S, h, x, made, pieces, products)


def _pieces(cell: Cell, H: int, columns: dict[str, slice]) -> tuple[Piece, ...]:
    reads = {block: stage.reads for stage in cell.stages for block in stage.blocks}
    pieces: list[Piece] = []
    for matrix in (m for m in cell.matrices if m != "p"):
        for gate, block in enumerate(cell.readers(matrix)):
            rows, at = slice(gate * H, (gate + 1) * H), slice(block * H, (block + 1) * H)
            piece = Piece(matrix, rows, at, columns[reads[block] if matrix == "Wh" else matrix])
            last = pieces[-1] if pieces else piece
            joins = (last.matrix, last.columns, last.blocks.stop) == (matrix, piece.columns, at.start)
            if joins:  # neighbours in both become one
                pieces[-1] = Piece(
                    matrix,
                    slice(last.rows.start, rows.stop),
                    slice(last.blocks.start, at.stop),
                    piece.columns,
                )
            else:
                pieces.append(piece)
    return tuple(pieces)


def _products(blocks: tuple[int, ...], pieces: tuple[Piece, ...], H: int) -> tuple[Product, ...]:
    """One product for neighbouring blocks that read the same sources; these are neighbours by the layout's order."""
    found: list[Product] = []
    for block in blocks:
        read = [p.columns for p in pieces if p.blocks.start <= block * H < p.blocks.stop]
        columns = slice(min(c.start for c in read), max(c.stop for c in read))
        if found and found[-1].columns == columns and found[-1].blocks.stop == block * H:
            found[-1] = Product(slice(found[-1].blocks.start, (block + 1) * H), columns)
        else:
            found.append(Product(slice(block * H, (block + 1) * H), columns))
    return tuple(found)
