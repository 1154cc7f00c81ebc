"""Partitions: a network cut into named blocks, of which every arc belongs to exactly one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise, product

import numpy as np

from lstm_lib.network.cells import Array
from lstm_lib.network.spec import Spec, is_whole

from .text import ranges
from .zones import Zone

BLOCKS_BY = ("gate", "unit")

# A block as the rectangles it covers: parameter, rows, and columns or None for all of them.
Block = tuple[tuple[str, Array, slice | None], ...]


class Partition(Mapping[str, Zone]):
    """A network cut into named blocks: every arc belongs to exactly one. Made by `partition`.

    A mapping from name to `Zone`; a name is the zone's text. A zone is made when it is asked for, so that a
    partition of a large network into many blocks costs little.
    """

    def __init__(self, spec: Spec, blocks: Mapping[str, Block]) -> None:
        self.spec, self._blocks = spec, dict(blocks)

    def __getitem__(self, name: str) -> Zone:
        return self.union([name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._blocks)

    def __len__(self) -> int:
        return len(self._blocks)

    def __repr__(self) -> str:
        return f"<Partition of {self.spec} into {len(self)} blocks>"

    def sums(self, values: Mapping[str, Array]) -> dict[str, float]:
        """The sum over the arcs of every block, of arrays with the names and shapes of the parameters.

        >>> spec = Spec(inputs=2, units=(4,), outputs=1)
        >>> ones = {name: np.ones(shape) for name, shape in spec.shapes.items()}
        >>> partition(spec, blocks=2, by="unit").sums(ones)
        {'0[0:2]': 56.0, '0[2:4]': 56.0, 'head/W': 4.0, 'head/b': 1.0}
        """
        return {
            name: float(
                sum(
                    values[parameter][rows if columns is None else (rows, columns)].sum(dtype="float64")
                    for parameter, rows, columns in block
                )
            )
            for name, block in self._blocks.items()
        }

    def union(self, names: Iterable[str]) -> Zone:
        """The blocks of these names together; no name gives `nothing`. KeyError for a name that isn't there."""
        masks: dict[str, Array] = {}
        whole: dict[str, list[Array]] = {}  # rows that belong to the union in full
        for name in [names] if isinstance(names, str) else names:
            if name not in self._blocks:
                some = ", ".join(list(self)[:6]) + (", …" if len(self) > 6 else "")
                raise KeyError(f"no block {name!r}; the {len(self)} blocks are {some}")
            for parameter, rows, columns in self._blocks[name]:
                if parameter not in masks:
                    masks[parameter] = np.zeros(self.spec.shapes[parameter], bool)
                    whole[parameter] = []
                if columns is None:
                    whole[parameter].append(rows)
                else:
                    masks[parameter][rows, columns] = True
        for parameter, parts in whole.items():
            if parts:
                masks[parameter][np.concatenate(parts)] = True
        return Zone(self.spec, masks)


def partition(
    spec: Spec, blocks: int | None = None, by: str = "gate", sources: int | None = None
) -> Partition:
    """Cut a network into named blocks, layer by layer.

    Parameters
    ----------
    blocks : into how many ranges of neighbouring units a layer is cut, as equal as can be (no more than it has
        units); None does not cut.
    by : "gate" gives every gate of every matrix its own blocks (`0/Wh/f[0:32]`); "unit" keeps all arcs that lead
        to a range of units together (`0[0:32]`), which is what depth "cut" saves most on.
    sources : into how many ranges of sources the matrices are cut besides (`0/Wh/f[0:32;0:64]`), by gate alone.

    Returns
    -------
    Partition. The head is one block for W and one for b.

    Raises ValueError that names the argument, what was given and the valid choices.

    >>> spec = Spec(inputs=2, units=(4,), outputs=1)
    >>> list(partition(spec, blocks=2, by="unit"))
    ['0[0:2]', '0[2:4]', 'head/W', 'head/b']
    >>> blocks = partition(spec, blocks=2)
    >>> len(blocks), blocks["0/Wh/f[0:2]"].size, blocks.union(blocks).share
    (26, 8, 1.0)
    """
    for name, number in (("blocks", blocks), ("sources", sources)):
        if number is not None and not is_whole(number, 1):
            raise ValueError(
                f"{name} must be a whole number of at least 1, or None for no cut, got {number!r}"
            )
    if by not in BLOCKS_BY:
        raise ValueError(f"by is {by!r}; the choices are {', '.join(BLOCKS_BY)}")
    if by == "unit" and sources is not None:
        raise ValueError(f"sources={sources!r} needs by='gate': a unit's arcs come from several matrices")
    return Partition(spec, dict(_blocks(spec, blocks or 1, by, sources or 1)))


def _blocks(spec: Spec, blocks: int, by: str, sources: int) -> Iterator[tuple[str, Block]]:
    matrices = spec.row.matrices
    for k, H in enumerate(spec.units):
        units = _ranges(H, blocks)
        for unit in units if by == "unit" else ():
            rows = {m: np.concatenate([np.arange(unit.start, unit.stop) + row * H for row in range(len(gates))])
                    for m, gates in matrices.items()}  # fmt: skip
            yield f"{k}{_bracket(unit, H)}", tuple((f"{k}/{m}", at, None) for m, at in rows.items())
        for matrix, gates in matrices.items() if by == "gate" else ():
            width = {"Wx": spec.fan_in(k), "Wh": H}.get(matrix, 1)
            for (row, gate), unit, source in product(enumerate(gates), units, _ranges(width, sources)):
                of_gate = "" if gate == gates else f"/{gate}"  # the only one needs no name
                name = f"{k}/{matrix}{of_gate}{_bracket(unit, H, source, width)}"
                at = np.arange(unit.start, unit.stop) + row * H
                yield name, ((f"{k}/{matrix}", at, None if source == slice(0, width) else source),)
    H, outputs = spec.units[-1], np.arange(spec.outputs)
    for source in _ranges(H, sources):
        yield f"head/W{_bracket(slice(0, 1), 1, source, H)}", (("head/W", outputs, source),)
    yield "head/b", (("head/b", outputs, None),)


def _ranges(size: int, parts: int) -> list[slice]:
    """0..size in ranges as equal as can be."""
    edges = np.linspace(0, size, min(parts, size) + 1).round().astype(int).tolist()
    return [slice(a, b) for a, b in pairwise(edges)]


def _bracket(unit: slice, units: int, source: slice = slice(0, 1), sources: int = 1) -> str:
    """What a block's name says of its units and sources; nothing of those that are all there are."""
    rows, columns = (ranges(np.arange(at.start, at.stop), n) for at, n in ((unit, units), (source, sources)))
    return f"[{rows};{columns}]" if columns != ":" else f"[{rows}]" if rows != ":" else ""
