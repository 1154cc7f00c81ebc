"""Zones: named sets of arcs and their algebra.

Nouns: an arc is one scalar weight or bias; a `Zone` is a set of arcs of one network; its text, such as
`0/Wh/f[0:32] | 0/Wx/g`, reads back to the same set; a `Partition` cuts a network into named blocks. What it
means to isolate a zone is told in `plan.py`.

The text of a zone is a list of terms with ` | ` between them, each

    layer            all arcs of a layer: 0, 1, …, head
    layer/matrix     one of its matrices: 0/Wx, 0/Wh, 0/b, head/W, head/b
    layer/matrix/gates   the rows of some gates: 0/Wh/f, 0/Wh/fi; 0/*/f are those of all three matrices
    term[units]      of these the arcs that lead to some units: 0[0:64], 0/Wh/f[0:32], 0/b[0,4:8]
    term[units;sources]  and come from some sources: 0/Wh/f[0:32;64:128], 0/Wx[:;3]
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise, product
from typing import Literal

import numpy as np

from lstm_lib.network.cells import GATES, Array
from lstm_lib.network.spec import Spec, is_whole

MATRICES = ("Wx", "Wh", "b")
HEAD_MATRICES = ("W", "b")
BLOCKS_BY = ("gate", "unit")

Index = int | slice | Iterable[int] | None


@dataclass(frozen=True, eq=False, repr=False)
class Zone:
    """A set of arcs of one network; made by `zone` and its like, combined with `|`, `&`, `~`, `-`.

    `str(zone)` is its text, which `read_zone` reads back.

    >>> spec = Spec(inputs=2, units=(4,), outputs=1)
    >>> forget = zone(spec, layer=0, gate="f")
    >>> forget.size, (forget | ~forget).share, (forget & ~forget).size
    (28, 1.0, 0)
    >>> forget | zone(spec, layer="head", matrix="b")
    <Zone 0/*/f | head/b: 29 of 117 arcs, 24.8 %>
    """

    spec: Spec
    _masks: dict[str, Array] = field()  # parameters without an arc in the zone may be absent

    def mask(self, name: str) -> Array:
        """Read-only boolean array of the parameter's shape, True where the arc belongs to the zone.

        Raises ValueError for an unknown parameter name, with the valid ones.
        """
        if name not in self.spec.shapes:
            raise ValueError(f"no parameter {name!r}; the names are {', '.join(self.spec.shapes)}")
        found = self._masks.get(name)
        mask = np.zeros(self.spec.shapes[name], bool) if found is None else found.view()
        mask.flags.writeable = False  # a plan made of the zone would not follow a change
        return mask

    @property
    def sizes(self) -> dict[str, int]:
        """Number of arcs in the zone, by parameter."""
        return {k: int(np.count_nonzero(self._masks.get(k, False))) for k in self.spec.shapes}

    @property
    def size(self) -> int:
        """Number of arcs in the zone."""
        return sum(self.sizes.values())

    @property
    def share(self) -> float:
        """Share of the network's arcs that belong to the zone, 0 to 1."""
        return self.size / self.spec.size

    def __or__(self, other: Zone) -> Zone:
        self._check(other)
        both = self._masks.keys() & other._masks.keys()
        return Zone(
            self.spec, self._masks | other._masks | {k: self._masks[k] | other._masks[k] for k in both}
        )

    def __and__(self, other: Zone) -> Zone:
        self._check(other)
        both = self._masks.keys() & other._masks.keys()
        return Zone(self.spec, {k: self._masks[k] & other._masks[k] for k in both})

    def __sub__(self, other: Zone) -> Zone:
        return self & ~other

    def __invert__(self) -> Zone:
        return Zone(self.spec, {k: ~self.mask(k) for k in self.spec.shapes})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Zone):
            return NotImplemented
        return self.spec == other.spec and all(
            np.array_equal(self.mask(k), other.mask(k)) for k in self.spec.shapes
        )

    __hash__ = None  # type: ignore[assignment]  # equality by value over arrays

    def _check(self, other: Zone) -> None:
        if not isinstance(other, Zone):
            raise ValueError(f"zones combine with zones, such as read_zone(spec, text); got {other!r}")
        if self.spec != other.spec:
            raise ValueError(f"zones of two networks do not combine: {self.spec} and {other.spec}")

    def __str__(self) -> str:
        return " | ".join(_terms(self)) or "nothing"

    def __repr__(self) -> str:
        return f"<Zone {self.short}: {self.size:,} of {self.spec.size:,} arcs, {100 * self.share:.1f} %>"

    @property
    def short(self) -> str:
        """The text, or its first terms and how many more there are."""
        terms = list(_terms(self)) or ["nothing"]
        return " | ".join(terms[:4]) + (f" | and {len(terms) - 4} terms more" if len(terms) > 4 else "")


def everything(spec: Spec) -> Zone:
    """All arcs of the network."""
    return ~nothing(spec)


def nothing(spec: Spec) -> Zone:
    """No arc: isolating it is the plain run."""
    return Zone(spec, {})


# ------------------------------------------------------------------------------------------------------ selecting


def zone(
    spec: Spec,
    layer: int | Literal["head"] | None = None,
    matrix: str | None = None,
    gate: str | None = None,
    unit: Index = None,
    source: Index = None,
) -> Zone:
    """Select arcs by layer, matrix, gate, unit and source; None means all.

    Parameters
    ----------
    layer : 0 … layers - 1, or "head".
    matrix : "Wx", "Wh" or "b"; for the head "W" or "b".
    gate : any of the letters f, i, o, g, for example "f" or "fi". Leaves the head out.
    unit : index, slice or list of the units the arcs lead to (for the head: of its outputs).
    source : index, slice or list of what the arcs come from: inputs for Wx, units for Wh and the head's W.
        Needs `matrix`, since each matrix has its own sources; a bias has none.

    Raises ValueError that names the argument, what was given and the valid choices; also when no arc is left.

    >>> spec = Spec(inputs=2, units=(4,), outputs=1)
    >>> zone(spec, layer=0, matrix="Wh", gate="f", unit=slice(0, 2)).size
    8
    >>> zone(spec, layer="head")
    <Zone head: 5 of 117 arcs, 4.3 %>
    """
    _check_choices(spec, layer, matrix, gate, source)
    unit, source = _kept("unit", unit), _kept("source", source)
    masks = {}
    for name, shape in spec.shapes.items():
        place, kind = name.split("/")
        if (layer is not None and place != str(layer)) or (matrix is not None and kind != matrix):
            continue
        if place == "head" and gate is not None:
            continue
        rows = _positions("unit", unit, shape[0] if place == "head" else shape[0] // 4, name)
        if place != "head":
            gates = [k for k, letter in enumerate(GATES) if gate is None or letter in gate]
            rows = np.concatenate([k * (shape[0] // 4) + rows for k in gates])
        masks[name] = np.zeros(shape, bool)
        at = (
            rows
            if len(shape) == 1 or source is None
            else np.ix_(rows, _positions("source", source, shape[1], name))
        )
        masks[name][at] = True
    if not masks:
        raise ValueError(
            f"layer={layer!r}, matrix={matrix!r}, gate={gate!r}, unit={unit!r}, source={source!r} selects no arc; "
            f"the parameters are {', '.join(spec.shapes)}"
        )
    return Zone(spec, masks)


def _kept(what: str, index: Index) -> Index:
    """An iterator as a list, since every matrix reads it anew."""
    if index is None or isinstance(index, int | np.integer | slice):
        return index
    if not isinstance(index, Iterable) or isinstance(index, str) or getattr(index, "dtype", int) == np.bool_:
        kind = "a mask; give numpy.flatnonzero(mask)" if hasattr(index, "dtype") else repr(index)
        raise ValueError(f"{what} takes an index, a slice or a list of indices; got {kind}")
    return list(index)


def _positions(what: str, index: Index, size: int, name: str) -> Array:
    """Index, slice or list as an array of positions, all within 0..size - 1."""
    if index is None:
        return np.arange(size)
    if isinstance(index, slice):
        chosen = np.arange(size)[index]
        if (index.stop is not None and index.stop > size) or not chosen.size:
            raise ValueError(f"{what}={index} does not fit {name}, which has {what}s 0..{size - 1}")
        return chosen
    chosen = np.atleast_1d(np.asarray(index if isinstance(index, int | np.integer) else list(index)))
    if not chosen.size or chosen.dtype.kind not in "iu" or chosen.min() < 0 or chosen.max() >= size:
        raise ValueError(f"{what}={index!r} does not fit {name}, which has {what}s 0..{size - 1}")
    return chosen


def _check_choices(
    spec: Spec, layer: int | str | None, matrix: str | None, gate: str | None, source: Index
) -> None:
    layers = (*range(spec.layers), "head")
    if layer is not None and (layer not in layers or isinstance(layer, bool)):
        raise ValueError(f"layer is {layer!r}; the layers are {', '.join(map(repr, layers))}")
    matrices = HEAD_MATRICES if layer == "head" else MATRICES if layer is not None else (*MATRICES, "W")
    if matrix is not None and matrix not in matrices:
        raise ValueError(f"matrix is {matrix!r}; the choices are {', '.join(matrices)}")
    if gate is not None and (layer == "head" or not gate or set(gate) - set(GATES)):
        raise ValueError(
            f"gate is {gate!r}; give letters of {''.join(GATES)}, and none for the head: f is the forget gate, i the "
            "input gate, o the output gate, g the candidate (c in Keras)"
        )
    if source is not None and matrix in (None, "b"):
        raise ValueError(f"source={source!r} needs matrix='Wx', 'Wh' or 'W', got matrix={matrix!r}")


# ---------------------------------------------------------------------------------------------- a zone and its text

_BLANKS = re.compile(r"\s+(?=[\[\];:,])|(?<=[\[\];:,])\s+")  # around punctuation; elsewhere a blank is a slip
_TERM = re.compile(
    r"(?P<layer>\d+|head)(?:/(?P<matrix>\w+|\*))?(?:/(?P<gate>\w+))?(?:\[(?P<unit>[^];]*)(?:;(?P<source>[^];]*))?\])?"
)


def read_zone(spec: Spec, text: str) -> Zone:
    """The zone that a text names, in the form that `str(zone)` writes; the module's first lines tell it.

    Raises ValueError with the term that can't be read or doesn't fit the network, and the valid choices.

    >>> spec = Spec(inputs=2, units=(4,), outputs=1)
    >>> read_zone(spec, "0/Wh/f[0:2] | 0/Wx/g")
    <Zone 0/Wx/g | 0/Wh/f[0:2]: 16 of 117 arcs, 13.7 %>
    >>> str(read_zone(spec, "0/*/fiog[0,1] | 0[2:4] | head"))
    'everything'
    """
    if not isinstance(text, str):
        raise ValueError(f"a zone's text is a string such as '0/Wh/f[0:32] | 0/Wx/g'; got {text!r}")
    found = nothing(spec)
    for term in text.split("|"):
        found = found | _read_term(spec, _BLANKS.sub("", term.strip()))
    return found


def _read_term(spec: Spec, term: str) -> Zone:
    if term in ("everything", "nothing"):
        return everything(spec) if term == "everything" else nothing(spec)
    parts = _TERM.fullmatch(term)
    if parts is None:
        raise ValueError(
            f"can't read the term {term!r}; a term is layer/matrix/gates[units;sources], such as 0, 0/Wh, 0/Wh/f, "
            "0/Wh/f[0:32], 0/Wx[:;3], 0/*/f or head, with ' | ' between terms"
        )
    place, matrix, gate = parts["layer"], parts["matrix"], parts["gate"]
    try:
        return zone(
            spec,
            "head" if place == "head" else int(place),
            None if matrix == "*" else matrix,
            gate,
            _read_index(parts["unit"]),
            _read_index(parts["source"]),
        )
    except ValueError as error:
        raise ValueError(f"in the term {term!r}: {error}") from None


def _read_index(text: str | None) -> Index:
    """`0:4,7` as a list of positions; None and `:` as all."""
    if text is None or text == ":":
        return None
    if not re.fullmatch(r"[0-9]+(:[0-9]+)?(,[0-9]+(:[0-9]+)?)*", text):
        raise ValueError(f"[{text}] is no list of positions such as 0:32 or 0,4:8")
    if re.fullmatch(r"[0-9]+:[0-9]+", text):
        return slice(*map(int, text.split(":")))
    positions: list[int] = []
    for part in text.split(","):
        first, colon, last = part.partition(":")
        positions += range(int(first), int(last) if colon else int(first) + 1)
    return positions


def _terms(zone: Zone) -> Iterator[str]:
    """The terms of a zone's text."""
    spec, masks = zone.spec, {k: m for k, m in zone._masks.items() if m.any()}
    if len(masks) == len(spec.shapes) and all(m.all() for m in masks.values()):
        yield "everything"
        return
    for k, H in enumerate(spec.units):
        found: dict[str, dict[str, str]] = {}  # index -> matrix -> gates
        for matrix, (row, gate) in product(MATRICES, enumerate(GATES)):
            if (mask := masks.get(f"{k}/{matrix}")) is not None:
                for index in _indices(mask[row * H : (row + 1) * H]):
                    letters = found.setdefault(index, {})
                    letters[matrix] = letters.get(matrix, "") + gate
        for index, alike in found.items():
            same = len(alike) == 3 and len(set(alike.values())) == 1 and ";" not in index
            by_matrix = {"*": alike["Wx"]} if same else alike
            for matrix, gates in by_matrix.items():
                short = "" if gates == "".join(GATES) else f"/{gates}"
                yield f"{k}{short and '/*' if matrix == '*' else '/' + matrix}{short}{index}"
    ends: dict[str, list[str]] = {
        matrix: list(_indices(masks[f"head/{matrix}"]))
        for matrix in HEAD_MATRICES
        if f"head/{matrix}" in masks
    }
    if ends == {"W": [""], "b": [""]}:
        yield "head"
    else:
        yield from (f"head/{matrix}{index}" for matrix, indices in ends.items() for index in indices)


def _indices(block: Array) -> Iterator[str]:
    """What stands behind a block's name: nothing for all of it, else `[units]` or `[units;sources]`."""
    block = block.reshape(len(block), -1)
    for pattern, rows in equal_rows(block):
        units = _runs(rows, len(block))
        if pattern.all():
            yield "" if units == ":" else f"[{units}]"
        else:
            yield f"[{units};{_runs(np.flatnonzero(pattern), len(pattern))}]"


def equal_rows(mask: Array) -> list[tuple[Array, Array]]:
    """The different rows of a mask that have a True, each with the positions at which it stands.

    >>> [(pattern.tolist(), at.tolist()) for pattern, at in equal_rows(np.array([[1, 0], [0, 0], [1, 0]], bool))]
    [([True, False], [0, 2])]
    """
    rows = np.flatnonzero(mask.any(axis=1))
    if not rows.size:
        return []
    first = mask[rows[0]]
    if (mask[rows] == first).all():  # the common case, and cheaper to see than to sort for
        return [(first, rows)]
    packed = np.packbits(mask[rows], axis=1)
    _, where, group = np.unique(
        packed.view(f"V{packed.shape[1]}").ravel(), return_index=True, return_inverse=True
    )
    return [(mask[rows[where[k]]], rows[group == k]) for k in np.argsort(where)]


def _runs(positions: Array, size: int) -> str:
    """Positions in order as a list such as `0:4,7`; `:` for all.

    >>> _runs(np.array([0, 1, 2, 3, 7]), 9)
    '0:4,7'
    """
    if len(positions) == size:
        return ":"
    return ",".join(f"{a}" if b == a + 1 else f"{a}:{b}" for a, b in runs(positions))


def runs(positions: Array) -> list[tuple[int, int]]:
    """Positions in order, at least one, as ranges of neighbours.

    >>> runs(np.array([0, 1, 2, 7]))
    [(0, 3), (7, 8)]
    """
    edges = [0, *(1 + np.flatnonzero(np.diff(positions) > 1)).tolist(), len(positions)]
    return [(int(positions[a]), int(positions[b - 1]) + 1) for a, b in pairwise(edges)]


# ------------------------------------------------------------------------------------------------------- partitions


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
    >>> len(blocks), blocks["0/Wh/f[0:2]"].size, blocks.union(blocks) == everything(spec)
    (26, 8, True)
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
    for k, H in enumerate(spec.units):
        units = _ranges(H, blocks)
        for unit in units if by == "unit" else ():
            rows = np.concatenate([np.arange(unit.start, unit.stop) + row * H for row in range(4)])
            yield f"{k}{_bracket(unit, H)}", tuple((f"{k}/{m}", rows, None) for m in MATRICES)
        for matrix, (row, gate), unit in product(MATRICES, enumerate(GATES), units if by == "gate" else ()):
            width = {"Wx": spec.fan_in(k), "Wh": H, "b": 1}[matrix]
            for source in _ranges(width, sources):
                name = f"{k}/{matrix}/{gate}{_bracket(unit, H, source, width)}"
                rows = np.arange(unit.start, unit.stop) + row * H
                yield name, ((f"{k}/{matrix}", rows, None if source == slice(0, width) else source),)
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
    rows, columns = (_runs(np.arange(at.start, at.stop), n) for at, n in ((unit, units), (source, sources)))
    return f"[{rows};{columns}]" if columns != ":" else f"[{rows}]" if rows != ":" else ""
