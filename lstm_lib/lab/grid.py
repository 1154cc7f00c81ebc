"""The map: every block of the network as a cell, every row, column, matrix and layer as a heading, in pixels.

A layer stands beside the layer below it, from left to right as the forward pass goes. Its rows are ranges of units,
its columns the gates of Wx, Wh and b. An item's `name` is the text of the zone that a click on it toggles.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from lstm_lib.cell import GATES
from lstm_lib.spec import Spec
from lstm_lib.zones import MATRICES, Partition, Zone, partition

WIDTH, ROWS, TOP = 720.0, 216.0, 58.0  # pixels: of all, of a layer's rows together, of the headings above them
SIDE, GAP, APART = 46.0, 5.0, 10.0  # of the headings beside rows, between matrices, between layers
NARROW = {"Wx": 1.0, "Wh": 1.0, "b": 0.6}  # width of a matrix's cells, beside each other


@dataclass(frozen=True)
class Item:
    """A cell or a heading: what it toggles, what it says, where it is."""

    kind: str  # cell, row, column, matrix, layer
    name: str
    label: str
    x: float
    y: float
    w: float
    h: float


@lru_cache(maxsize=8)
def cut(spec: Spec, blocks: int) -> Partition:
    """The blocks that the map shows as cells."""
    return partition(spec, blocks)


def items(spec: Spec, blocks: int) -> list[Item]:
    """All cells and headings of the map, layer by layer.

    >>> found = items(Spec(inputs=3, units=(4,), outputs=1), blocks=2)
    >>> [item.name for item in found if item.kind != "cell"][:6]
    ['0', '0[0:2]', '0[2:4]', '0/Wx', '0/Wx/f', '0/Wx/i']
    >>> sum(item.kind == "cell" for item in found)
    26
    """
    names = list(cut(spec, blocks))
    columns = 4 * sum(NARROW.values()) * spec.layers + 2.6
    spare = WIDTH - spec.layers * (SIDE + 2 * GAP + APART) - 2 * GAP
    wide = min(44.0, spare / columns)
    found: list[Item] = []
    left = 0.0
    for k in range(spec.layers):
        brackets = [name.removeprefix(f"{k}/Wx/f") for name in names if name.startswith(f"{k}/Wx/f")]
        found += _layer(k, brackets, left, wide)
        left += SIDE + 4 * sum(NARROW.values()) * wide + 2 * GAP + APART
    return found + list(_head(left, wide))


def _layer(k: int, brackets: list[str], left: float, wide: float) -> Iterator[Item]:
    high = ROWS / len(brackets)
    across = SIDE + 4 * sum(NARROW.values()) * wide + 2 * GAP
    yield Item("layer", f"{k}", f"layer {k}", left, 0, across, 19)
    for row, bracket in enumerate(brackets):
        units = bracket.strip("[]").replace(":", "–") or "all"
        if "–" in units:
            first, last = units.split("–")
            units = f"{first}–{int(last) - 1}"
        yield Item("row", f"{k}{bracket}", units, left, TOP + row * high, SIDE - 3, high)
    x = left + SIDE
    for matrix in MATRICES:
        w = NARROW[matrix] * wide
        yield Item("matrix", f"{k}/{matrix}", matrix, x, 20, 4 * w, 18)
        for gate in GATES:
            yield Item("column", f"{k}/{matrix}/{gate}", gate, x, 39, w, 18)
            for row, bracket in enumerate(brackets):
                yield Item("cell", f"{k}/{matrix}/{gate}{bracket}", "", x, TOP + row * high, w, high)
            x += w
        x += GAP


def _head(left: float, wide: float) -> Iterator[Item]:
    w = max(wide, 20.0)
    yield Item("layer", "head", "head", left, 0, 2 * w, 19)
    for column, matrix in enumerate(("W", "b")):
        yield Item("matrix", f"head/{matrix}", matrix, left + column * w, 20, w, 18)
        yield Item("cell", f"head/{matrix}", "", left + column * w, TOP, w, ROWS)


def sizes(cut: Partition) -> dict[str, float]:
    """Number of arcs of each block."""
    return cut.sums({name: np.ones(shape) for name, shape in cut.spec.shapes.items()})


def shares(zone: Zone, cut: Partition) -> dict[str, float]:
    """Share of each block's arcs that belong to a zone, 0 to 1.

    >>> from lstm_lib import read_zone
    >>> spec = Spec(inputs=2, units=(4,), outputs=1)
    >>> shares(read_zone(spec, "0/Wh[0] | head/W"), cut(spec, 2))["0/Wh/f[0:2]"]
    0.5
    """
    inside = cut.sums({name: zone.mask(name) for name in cut.spec.shapes})
    return {name: inside[name] / size for name, size in sizes(cut).items()}


def with_headings(shares: dict[str, float], found: list[Item], sizes: dict[str, float]) -> dict[str, float]:
    """The shares of the cells, and those of the headings they stand under."""
    cells = [item.name for item in found if item.kind == "cell"]
    whole = dict(shares)
    for item in found:
        if item.kind != "cell":
            under = [name for name in cells if _under(name, item)]
            size = sum(sizes[name] for name in under)
            whole[item.name] = sum(shares[name] * sizes[name] for name in under) / size
    return whole


def _under(cell: str, heading: Item) -> bool:
    """Whether a cell stands in the row, column, matrix or layer of a heading."""
    if heading.kind != "row":
        return cell == heading.name or cell.startswith((f"{heading.name}/", f"{heading.name}["))
    layer, bracket, units = heading.name.partition("[")
    return cell.startswith(f"{layer}/") and (not bracket or cell.endswith(bracket + units))


def shades(values: pd.Series) -> dict[str, float]:
    """How dark each cell is, 0 to 1: the rank of its value among all, so that one extreme leaves the others apart.

    >>> shades(pd.Series({"a": 5.0, "b": 0.1, "c": 900.0}))
    {'a': 0.5, 'b': 0.0, 'c': 1.0}
    """
    ranks = values.rank(method="average") - 1
    most = max(float(ranks.max()), 1.0)
    return {str(name): float(rank) / most for name, rank in ranks.items()}
