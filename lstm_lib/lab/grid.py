"""The map: every block of the network as a cell, every row, column, matrix and layer as a heading, in pixels.

A layer stands beside the layer below it, from left to right as the forward pass goes. Its rows are ranges of units,
its columns the gates of each of its matrices. An item's `name` is the text of the zone that a click on it toggles.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from lstm_lib.isolation.partition import Partition, partition
from lstm_lib.isolation.zones import Zone
from lstm_lib.network.cells import Array
from lstm_lib.network.spec import Spec
from lstm_lib.training.statistics import sizes

# Pixels: of all, of a layer's rows together, of the headings above them; of the headings beside rows, between matrices,
# between layers.
WIDTH, ROWS, TOP = 720.0, 216.0, 58.0
SIDE, GAP, APART = 58.0, 5.0, 10.0
WIDEST = 52.0  # a cell of Wx or Wh
RAMP = ((243, 86, 0), (247, 163, 58), (250, 208, 92))  # red, green and blue, from low to high
UNKNOWN = "#bbb"  # where nothing is known
THIN = 0.6  # of its width has a cell of a vector: a bias or peepholes


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


def items(spec: Spec, blocks: int) -> list[Item]:
    """All cells and headings of the map, layer by layer.

    >>> found = items(Spec(inputs=3, units=(4,), outputs=1), blocks=2)
    >>> [item.name for item in found if item.kind != "cell"][:6]
    ['0', '0[0:2]', '0[2:4]', '0/Wx', '0/Wx/f', '0/Wx/i']
    >>> sum(item.kind == "cell" for item in found)
    26
    """
    wide = {matrix: 1.0 if len(spec.shapes[f"0/{matrix}"]) == 2 else THIN for matrix in spec.row.matrices}
    columns = sum(len(gates) * wide[matrix] for matrix, gates in spec.row.matrices.items())  # of a layer
    around = SIDE + GAP * (len(wide) - 1)
    spare = WIDTH - spec.layers * (around + APART) - 2 * GAP
    cell = min(WIDEST, spare / (columns * spec.layers + 2.6))
    across, rows = around + columns * cell, list(partition(spec, blocks, by="unit"))
    found: list[Item] = []
    for k in range(spec.layers):
        left = k * (across + APART)
        brackets = [name.removeprefix(f"{k}") for name in rows if name.partition("[")[0] == f"{k}"]
        found.append(Item("layer", f"{k}", f"layer {k}", left, 0, across, 19))
        found += _layer(spec, k, brackets, {matrix: cell * w for matrix, w in wide.items()}, left)
    return found + list(_head(spec.layers * (across + APART), cell))


def _layer(spec: Spec, k: int, brackets: list[str], wide: dict[str, float], left: float) -> Iterator[Item]:
    high = ROWS / len(brackets)
    rows = [(TOP + row * high, bracket) for row, bracket in enumerate(brackets)]
    for y, bracket in rows:
        first, colon, last = bracket.strip("[]").partition(":")
        units = f"{first}–{int(last) - 1}" if colon else first or "all"
        yield Item("row", f"{k}{bracket}", units, left, y, SIDE - 3, high)
    x = left + SIDE
    for matrix, gates in spec.row.matrices.items():
        w = wide[matrix]
        yield Item("matrix", f"{k}/{matrix}", matrix, x, 20, len(gates) * w, 18)
        for gate in gates:
            name = f"{k}/{matrix}/{gate}" if len(gates) > 1 else f"{k}/{matrix}"
            yield Item("column", name, gate, x, 39, w, 18)
            for y, bracket in rows:
                yield Item("cell", f"{name}{bracket}", "", x, y, w, high)
            x += w
        x += GAP


def _head(left: float, wide: float) -> Iterator[Item]:
    w = max(wide, 20.0)
    yield Item("layer", "head", "head", left, 0, 2 * w, 19)
    for column, matrix in enumerate(("W", "b")):
        yield Item("matrix", f"head/{matrix}", matrix, left + column * w, 20, w, 18)
        yield Item("cell", f"head/{matrix}", "", left + column * w, TOP, w, ROWS)


@dataclass(frozen=True)
class Grid:
    """The map of one network: its blocks, its items, and which blocks stand under each item."""

    cut: Partition
    items: tuple[Item, ...]
    sizes: Array  # (blocks,) arcs
    under: Array  # (items, blocks) share of the item's arcs that the block holds


@lru_cache(maxsize=8)
def make_grid(spec: Spec, blocks: int) -> Grid:
    """The map of a network whose layers are cut into so many ranges of units; remembered."""
    cut, found = partition(spec, blocks), tuple(items(spec, blocks))
    arcs = np.array(list(sizes(cut).values()))
    under = np.array([[_under(name, item) for name in cut] for item in found]) * arcs
    return Grid(cut, found, arcs, under / under.sum(axis=1, keepdims=True))


def _under(cell: str, item: Item) -> bool:
    """Whether a cell is the item, or stands in its row, column, matrix or layer."""
    if item.kind != "row":
        return cell == item.name or cell.startswith((f"{item.name}/", f"{item.name}["))
    layer, bracket, units = item.name.partition("[")
    return cell.startswith(f"{layer}/") and (not bracket or cell.endswith(bracket + units))


def shares(zone: Zone, grid: Grid) -> list[float]:
    """Share of the arcs of each item that belong to a zone, 0 to 1, in the order of the items.

    >>> from lstm_lib import read_zone
    >>> spec = Spec(inputs=2, units=(4,), outputs=1)
    >>> found = make_grid(spec, 2)
    >>> by_name = dict(zip([item.name for item in found.items], shares(read_zone(spec, "0/Wh[0] | head"), found)))
    >>> by_name["0/Wh/f[0:2]"], by_name["0/Wh"], by_name["head"]
    (0.5, 0.25, 1.0)
    """
    inside = grid.cut.sums({name: zone.mask(name) for name in zone.spec.shapes})
    found: list[float] = (grid.under @ (np.array(list(inside.values())) / grid.sizes)).round(9).tolist()
    return found


def shades(values: pd.Series) -> dict[str, str]:
    """The colour of each cell, by the rank of its value among all, so that one extreme leaves the others apart.

    UNKNOWN where a value is NaN.

    >>> shades(pd.Series({"a": 5.0, "b": 0.1, "c": 900.0, "d": np.nan}))
    {'a': 'rgb(86,163,208)', 'b': 'rgb(243,247,250)', 'c': 'rgb(0,58,92)', 'd': '#bbb'}
    """
    ranks = values.rank() - 1
    at = (ranks / max(ranks.max(), 1)).fillna(-1)
    mixed = np.stack([np.interp(at, (0, 0.5, 1), stops) for stops in RAMP], axis=1).round().astype(int)
    return {
        str(name): UNKNOWN if rank < 0 else "rgb({},{},{})".format(*colour)
        for (name, rank), colour in zip(at.items(), mixed, strict=True)
    }
