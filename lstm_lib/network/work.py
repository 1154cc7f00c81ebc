"""What the backward pass is to do: the instruction set of the engine.

Nouns: an `Index` lists positions along an axis; a `Passage` is the product that carries an error backwards through a
matrix; a `Rectangle` is the product that gives the gradient of some rows and sources; a `LayerWork` holds these for a
layer, a `Work` for a network. `plain_work` asks for everything; `lstm_lib.isolation` compiles zones into less.

Nothing here depends on the number of steps or the batch: all products of a layer have steps · batch columns.

Letters: H units, D inputs of a layer, P blocks, S sources (see `layout.py`), O outputs. The errors of a layer are those
of its kept blocks, n kept units each: (kept blocks · n) rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np

from .cells import Array
from .layout import Layout, layout
from .spec import Spec

# The arcs of a parameter that the optimiser moves: all; whole rows, as a tuple of ranges or of one array; or flat
# positions.
Arcs = tuple[slice | Array, ...] | Array | None


@dataclass(frozen=True, eq=False)
class Index:
    """Positions along an axis, as the cheapest that selects them: a range, of which NumPy takes a view, or a list."""

    at: slice | Array
    size: int  # how many positions
    whole: bool  # whether these are all there are

    @classmethod
    def of(cls, positions: Array, total: int) -> Index:
        """These positions, in their order, out of `total`.

        >>> Index.of(np.array([1, 2]), 3).at, Index.of(np.array([0, 2]), 3).at.tolist()
        (slice(1, 3, None), [0, 2])
        """
        n = len(positions)
        if n and (np.diff(positions) == 1).all():
            return cls(slice(int(positions[0]), int(positions[-1]) + 1), n, n == total)
        return cls(np.asarray(positions, np.intp), n, False)

    @classmethod
    def all(cls, total: int) -> Index:
        """All positions."""
        return cls(slice(0, total), total, True)

    @property
    def copies(self) -> bool:
        """Whether taking these positions makes a copy."""
        return isinstance(self.at, np.ndarray)

    @property
    def positions(self) -> Array:
        """The positions as an array."""
        return np.arange(self.at.start, self.at.stop) if isinstance(self.at, slice) else self.at

    def take(self, a: Array, axis: int = 0) -> Array:
        """`a` at these positions of an axis: a view of a range, else a copy."""
        if isinstance(self.at, slice):
            return a if self.whole else a[(slice(None),) * axis + (self.at,)]
        return np.take(a, self.at, axis=axis)

    def __repr__(self) -> str:
        return f"{self.at.start}:{self.at.stop}" if isinstance(self.at, slice) else repr(self.at.tolist())


class Passage(NamedTuple):
    """The error that flows backwards through a matrix: (rows, columns) of it, turned, times (rows, batch).

    rows, columns : of the parameter. errors : where the rows stand among the errors kept.
    into : where the columns go among what receives the error. drop : isolated arcs of the rectangle, None if there are
    none.
    """

    rows: Index
    columns: Index
    errors: Index
    into: Index
    drop: Array | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.rows.size, self.columns.size

    @property
    def whole(self) -> bool:
        """Whether the matrix as it is carries the errors as they are."""
        return (
            self.rows.whole
            and self.columns.whole
            and self.errors.whole
            and self.into.whole
            and self.drop is None
        )


class Rectangle(NamedTuple):
    """The gradient of some rows and sources: (rows, steps · batch) times (steps · batch, sources).

    rows, sources : of the one matrix of the layer (`layout.py`). errors : where the rows stand among the errors kept.
    drop : arcs within whose gradient is not wanted, None if there are none.
    """

    rows: Index
    sources: Index
    errors: Index
    drop: Array | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Rows and sources."""
        return self.rows.size, self.sources.size


class LayerWork(NamedTuple):
    """What is to be done in one layer.

    units : those whose errors are computed. blocks : the blocks, by position; together they are the rows kept.
    through : for each stage of the cell the error that it carries to what it reads (for the first: to the step
    before). below : the error carried to the layer below or the inputs. None where no arc carries one.
    weights : the products for the weight gradients. peepholes : arcs of p whose gradient is wanted, None: no arc.
    closed : arcs of p through which no error may pass, None: no arc.
    """

    units: Index
    blocks: tuple[int, ...]
    through: tuple[Passage | None, ...]
    below: Passage | None
    weights: tuple[Rectangle, ...]
    peepholes: Array | None = None
    closed: Array | None = None


class HeadWork(NamedTuple):
    """What is to be done in the head: the gradients of W (None: none) and of b (some outputs), and the error of h."""

    weights: Rectangle | None
    bias: Index
    down: Passage | None


@dataclass(frozen=True, eq=False)
class Work:
    """What is to be done in a training step.

    layers, head : as above. lowest : the lowest layer that needs an error; `spec.layers` for none.
    span : how many steps an error travels back at most; None: as far as there are steps. Counted from the last step,
        every so many steps there is a border that no error crosses.
    exact : whether all errors that are computed are those of the plain pass, so that x and the state before the first
        step can have theirs though no arc needs them.
    updates : the arcs that the optimiser moves, by parameter; a parameter that is absent keeps its value.
    """

    spec: Spec
    layers: tuple[LayerWork, ...]
    head: HeadWork
    lowest: int
    span: int | None
    exact: bool
    updates: dict[str, Arcs]

    def start(self, T: int, every: bool) -> int:
        """The first of T steps that an error reaches, with a target at every step or at the last."""
        return 0 if self.span is None or every else max(0, T - self.span)


def no_errors(stages: int) -> LayerWork:
    """Nothing of a layer."""
    return LayerWork(Index.of(np.arange(0), 0), (), (None,) * stages, None, ())


def full_errors(spec: Spec, k: int) -> LayerWork:
    """All errors of layer k, and nothing yet of its weights."""
    cell, H, D = spec.row, spec.units[k], spec.fan_in(k)
    P, readers = len(cell.blocks), cell.readers("Wh")

    def passage(matrix: str, gates: list[int], columns: int) -> Passage:
        rows = np.concatenate([np.arange(gate * H, (gate + 1) * H) for gate in gates])
        blocks = cell.readers(matrix)
        errors = np.concatenate([np.arange(blocks[gate] * H, (blocks[gate] + 1) * H) for gate in gates])
        order = np.argsort(errors)  # so that neighbours stay neighbours among the errors
        whole = Index.all(columns)
        return Passage(Index.of(rows[order], len(blocks) * H), whole, Index.of(errors[order], P * H), whole)

    through = tuple(
        passage("Wh", [gate for gate, block in enumerate(readers) if block in stage.blocks], H)
        for stage in cell.stages
    )
    below = passage("Wx", list(range(len(cell.gates))), D)
    return LayerWork(Index.all(H), tuple(range(P)), through, below, ())


def all_weights(at: Layout) -> tuple[Rectangle, ...]:
    """The gradients of all arcs of a layer: a rectangle for each of its products."""

    def index(part: slice, total: int) -> Index:
        return Index(part, part.stop - part.start, part == slice(0, total))

    return tuple(
        Rectangle(index(p.blocks, at.rows), index(p.columns, at.S), index(p.blocks, at.rows))
        for products in at.products
        for p in products
    )


@cache
def plain_work(spec: Spec) -> Work:
    """Everything: all errors, all gradients, all updates."""
    layers = []
    for k, H in enumerate(spec.units):
        at, p = layout(spec.row, spec.fan_in(k), H), spec.row.peepholes
        peepholes = np.ones(len(p) * H, bool) if p else None
        layers.append(full_errors(spec, k)._replace(weights=all_weights(at), peepholes=peepholes))
    O, H = spec.outputs, spec.units[-1]
    head = Rectangle(Index.all(O), Index.all(H), Index.all(O))
    down = Passage(Index.all(O), Index.all(H), Index.all(O), Index.all(H))
    updates: dict[str, Arcs] = dict.fromkeys(spec.shapes)
    return Work(spec, tuple(layers), HeadWork(head, Index.all(O), down), 0, None, True, updates)
