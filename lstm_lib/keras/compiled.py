"""A plan in the layout of Keras: what a graph is traced for, and the arrays that say which arcs these are.

Nouns: a `Structure` is what is static of a plan, and what a graph is traced for; the arrays beside it (`compile_plan`)
say which units, sources and arcs these are. Two plans of one structure share a graph. A `Split` says how the arcs of a
matrix are divided between a variable of active and one of isolated arcs. NumPy alone.

The products are those of `network.work`, compiled by `isolate`, in the layout of Keras: kernel (D, 4H), recurrent
kernel (H, 4H), bias (4H,), gates in the order i, f, g, o (Keras calls g c). A column here is a row there. The cell is
"standard", whose blocks are its four gates.

Letters: D inputs, H units, S = H + D + 1 sources [h_prev; x; 1].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lstm_lib.isolation.plan import Plan
from lstm_lib.isolation.products import kept_rows
from lstm_lib.network.cells import CELLS, Array
from lstm_lib.network.work import Index, Passage, Rectangle

GATES = CELLS["standard"].gates
KERAS_ORDER = ("i", "f", "g", "o")
MATRICES = {"kernel": "0/Wx", "recurrent_kernel": "0/Wh", "bias": "0/b"}

# Positions along an axis: all, neighbours, or the name of the array that lists them.
Ref = tuple[int, int] | str | None


@dataclass(frozen=True)
class Carry:
    """A `Passage`: the product that takes an error from some columns of dz to its receivers.

    columns, sources : of the matrix. errors : the columns of dz. into : the array that says where each receiver finds
    its error, None if all have one, in order. keep : the array of active arcs within, None if all are.
    """

    columns: Ref
    sources: Ref
    errors: Ref
    into: str | None
    keep: str | None


@dataclass(frozen=True)
class Split:
    """How the arcs of a matrix are divided.

    shapes : "active", "isolated" or both -> the shape of its variable: that of the matrix if it is the only one; some
    of its columns, if no column has arcs of both; else flat. order : the array of the matrix's positions in the two put
    together, None for one variable. found : where the gradients of the active arcs stand among all products.
    """

    shape: tuple[int, ...]
    shapes: dict[str, tuple[int, ...]]
    order: str | None
    found: Ref


@dataclass(frozen=True)
class Structure:
    """What is static of a plan: sizes, and where something is left out at all.

    gates, kept, units : the gates, in Keras's order, and how many and which units have errors; these are the columns of
    dz, gate by gate. through, below : the errors carried to the step before and to the inputs, None where none is.
    products : (sources, columns of dz) of each product for the weight gradients. splits : how each matrix is divided.
    arrays : names and shapes of the arrays beside it.
    """

    H: int
    D: int
    span: int | None
    gates: str
    kept: int
    units: Ref
    through: Carry | None
    below: Carry | None
    products: tuple[tuple[Ref, Ref], ...]
    splits: dict[str, Split]
    arrays: dict[str, tuple[int, ...]]


def keras_columns(H: int) -> Array:
    """The row of (4H, ...) in the order f, i, o, g for every column in Keras's order i, f, g, o."""
    return np.concatenate([GATES.index(gate) * H + np.arange(H) for gate in KERAS_ORDER])


def in_rows(matrices: Mapping[str, Array]) -> dict[str, Array]:
    """Kernel, recurrent kernel and bias as the parameters "0/Wx", "0/Wh" and "0/b" of this project.

    >>> {name: a.shape for name, a in in_rows({"kernel": np.ones((3, 8)), "bias": np.ones(8)}).items()}
    {'0/Wx': (8, 3), '0/b': (8,)}
    """
    return {
        MATRICES[matrix]: np.ascontiguousarray(a.T[np.argsort(keras_columns(a.shape[-1] // 4))])
        for matrix, a in matrices.items()
    }


class _Compiler:
    """Turns the indices of a plan into what a structure holds, and collects the arrays that it names."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.work = plan, plan.work.layers[0]
        self.H, self.D = plan.spec.units[0], plan.spec.inputs
        self.column = np.argsort(keras_columns(self.H))  # of a row
        columns = self.column[kept_rows(self.work.blocks, self.work.units.positions, self.H)]
        self.place = np.argsort(np.argsort(columns))  # among the columns of dz, of a row kept
        self.arrays: dict[str, Array] = {}

    def ref(self, index: Index, name: str) -> Ref:
        """What stands for positions in a structure; scattered ones become an array beside it."""
        if index.whole:
            return None
        return (index.at.start, index.at.stop) if isinstance(index.at, slice) else self.named(index.at, name)

    def named(self, array: Array, name: str) -> str:
        self.arrays[name] = array if array.dtype == np.bool_ else array.astype(np.int32)
        return name

    def columns_and_errors(self, of: Passage | Rectangle, name: str) -> tuple[Array, Ref, Array]:
        """Columns of the matrix in their order, where they stand in dz, and what order that is."""
        columns = self.column[of.rows.positions]
        order = np.argsort(columns)
        errors = Index.of(self.place[of.errors.positions][order], len(self.place))
        return columns[order], self.ref(errors, f"{name} errors"), order

    def carry(self, p: Passage | None, receivers: int, name: str) -> Carry | None:
        """A passage; `receivers` is how many units or inputs there are to receive its errors."""
        if p is None or not self.work.units.size:
            return None
        columns, errors, order = self.columns_and_errors(p, name)
        into = None
        if not p.into.whole:
            back = np.full(receivers, p.into.size)
            back[p.into.at] = np.arange(p.into.size)
            into = self.named(back, f"{name} into")
        return Carry(
            self.ref(Index.of(columns, 4 * self.H), f"{name} columns"),
            self.ref(p.columns, f"{name} sources"),
            errors,
            into,
            None if p.drop is None else self.named(~p.drop[order].T, f"{name} keep"),
        )

    def products(self) -> tuple[tuple[tuple[Ref, Ref], ...], Array, int]:
        """The products, (S, 4H) where each arc's gradient stands among all their numbers, and how many these are."""
        S = self.H + self.D + 1
        found, where, start = [], np.full((S, 4 * self.H), -1), 0
        for k, r in enumerate(self.work.weights):
            columns, errors, _ = self.columns_and_errors(r, f"product {k}")
            found.append((self.ref(r.sources, f"product {k} sources"), errors))
            numbers = np.arange(r.sources.size * len(columns)).reshape(r.sources.size, -1)
            where[np.ix_(r.sources.positions, columns)] = start + numbers
            start += numbers.size
        return tuple(found), where, start

    def split(self, matrix: str, where: Array, total: int) -> Split:
        """How a matrix is divided; `where` has its rows of `products`."""
        zone = self.plan.zone.mask(MATRICES[matrix])
        mask = np.ascontiguousarray(~zone[keras_columns(self.H)].T)
        found = where.reshape(mask.shape)[mask]
        assert (found >= 0).all(), "an active arc without a product"
        at = self.ref(Index.of(found, total), f"{matrix} found") if found.size else None
        if mask.all() or not mask.any():
            return Split(mask.shape, {"active" if mask.any() else "isolated": mask.shape}, None, at)
        columns = mask.reshape(-1, 4 * self.H)
        alike = (columns == columns[0]).all()
        before, flags = (mask.shape[:-1], columns[0]) if alike else ((), mask.ravel())
        order = self.named(np.argsort(np.argsort(~flags, kind="stable")), f"{matrix} order")
        some = int(flags.sum())
        shapes = {"active": (*before, some), "isolated": (*before, len(flags) - some)}
        return Split(mask.shape, shapes, order, at)


def compile_plan(plan: Plan) -> tuple[Structure, dict[str, Array]]:
    """The structure of a plan for one layer, and its arrays by name.

    >>> from lstm_lib import Spec, isolate, zone
    >>> spec = Spec(inputs=2, units=(4,), outputs=1)
    >>> some, other = (compile_plan(isolate(spec, zone(spec, unit=at, layer=0), "cut")) for at in ([0, 2], [1, 3]))
    >>> some[0] == other[0], some[1]["bias order"].tolist()
    (True, [8, 0, 9, 1, 10, 2, 11, 3, 12, 4, 13, 5, 14, 6, 15, 7])
    """
    made, work = _Compiler(plan), plan.work.layers[0]
    H, D = made.H, made.D
    through = made.carry(work.through[0], work.units.size, "through")
    below = made.carry(work.below, D, "below")
    products, where, total = made.products()
    rows = {"recurrent_kernel": where[:H], "kernel": where[H : H + D], "bias": where[-1]}
    splits = {matrix: made.split(matrix, rows[matrix], total) for matrix in MATRICES}
    structure = Structure(
        H, D, plan.span, "".join(g for g in KERAS_ORDER if GATES.index(g) in work.blocks), work.units.size,
        made.ref(work.units, "units"), through, below, products, splits,
        {name: a.shape for name, a in made.arrays.items()},
    )  # fmt: skip
    return structure, made.arrays
