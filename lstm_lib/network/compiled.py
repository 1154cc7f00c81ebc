"""The compiled engine: the same steps as one loop without the interpreter, where Numba is installed.

`compiled_loops.py` makes the loops of a cell; here they are called, with the arrays of a layer and of an error pass.
"""

from __future__ import annotations

import importlib.util
import os
from functools import cache
from typing import Any

import numpy as np

from .cells import Array, Cell
from .compiled_loops import loops, outside_the_loop
from .errors import Carrier, Errors
from .trace import Layer
from .work import Index

ENGINES = ("plain", "compiled")


def choose(engine: str | None, dtype: np.dtype[Any]) -> str:
    """The engine that runs: the one asked for, or named by LSTM_LIB_ENGINE, or "compiled" where it can.

    Complex numbers are for complex steps, which the plain engine takes.

    >>> choose("plain", np.dtype("float32"))
    'plain'
    """
    wanted = engine or os.environ.get("LSTM_LIB_ENGINE") or ("compiled" if _installed() else "plain")
    if wanted not in ENGINES:
        raise ValueError(f"engine is {wanted!r}; the choices are {', '.join(ENGINES)}")
    if wanted == "compiled" and not _installed():
        raise ValueError("the compiled engine needs Numba and SciPy: pip install 'lstm_lib[fast]'")
    return "plain" if dtype.kind == "c" else wanted


@cache
def _installed() -> bool:
    return all(importlib.util.find_spec(name) is not None for name in ("numba", "scipy"))


def run_forward(layer: Layer) -> None:
    """As `forward.run_plain`."""
    at, arrays = layer.layout, (layer.values, layer.sources, layer.cells, layer.peepholes)
    _run(layer.cell, layer.values.dtype, "forward", *arrays, at.edges, at.made.start, *layer.weights)


def run_errors(errors: Errors) -> int:
    """As `backward.run_plain`."""
    layer, work, dtype = errors.layer, errors.work, errors.dz.dtype
    B, n, units, blocks = layer.B, work.units.size, work.units, len(layer.cell.blocks)
    if isinstance(units.at, slice):  # neighbours are one run of numbers
        starts, length = np.array([units.at.start * B]), n * B
    else:
        starts, length = units.at * B, B
    slots = np.full(blocks, -1)
    slots[list(work.blocks)] = np.arange(len(work.blocks)) * n
    spare = layer.memory.get("spare", blocks, n, B)  # for the errors of blocks that are not kept
    none = np.empty((0, 0), dtype), *_listed(Index.all(0)), np.empty((0, 0), dtype)
    carriers: list[Any] = []
    for c in errors.through:
        carriers += [*none, *none[1:]] if c is None else _parts(c)
    arrays = layer.values, layer.sources, layer.cells, errors.peepholes, errors.dz, errors.arriving.errors
    steps = errors.arriving.first, errors.start, errors.first_product, errors.span, dtype.type(errors.floor)
    states = errors.dh, errors.dc, errors.made, spare
    return int(
        _run(layer.cell, dtype, "backward", *arrays, *steps, *states, starts, length, slots, *carriers)
    )


def multiply(
    errors: Array, rows: Index, by_row: Array, sources: Array, columns: Index, by_column: Array, out: Array
) -> None:
    """Write Σ_t errors_t sources_tᵀ of some rows and columns into `out`, by way of arrays (rows, steps, B) for both."""
    multiplied = outside_the_loop("multiply", out.dtype)
    multiplied(errors, *_listed(rows), by_row, sources, *_listed(columns), by_column, out)


def carry_all(carrier: Carrier, errors: Array, out: Array) -> None:
    """Write what errors (steps, rows kept, B) carry into `out` (steps, receivers, B)."""
    outside_the_loop("carry_all", out.dtype)(*_parts(carrier), errors, out)


def _parts(c: Carrier) -> list[Any]:
    """A carrier as the compiled functions take it."""
    return [c.weights, *_listed(c.take), c.taken, *_listed(c.put), c.product]


def _listed(index: Index) -> tuple[Array, int]:
    """Positions as a list, or an empty list and the first of them where they are neighbours."""
    return (index.at, 0) if isinstance(index.at, np.ndarray) else (np.empty(0, np.intp), index.at.start)


def _run(cell: Cell, dtype: np.dtype[Any], direction: str, *arguments: Any) -> Any:
    """Call a loop; ValueError for a cell whose equations Numba can't take, which shows at its first call."""
    import numba

    try:
        return getattr(loops(cell, dtype), direction)(*arguments)
    except numba.core.errors.NumbaError as error:
        raise ValueError(
            f"the compiled engine can't run the cell {cell.name!r}: {str(error).strip().splitlines()[0]}; "
            "give engine='plain', or set LSTM_LIB_ENGINE=plain"
        ) from error
