"""Zones: named sets of arcs and their algebra.

Nouns: an arc is one scalar weight or bias; a `Zone` is a set of arcs of one network; its text, such as
`0/Wh/f[0:32] | 0/Wx/g` (see `text.py`), reads back to the same set. What it means to isolate a zone is told in
`plan.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from lstm_lib.network.cells import Array
from lstm_lib.network.spec import Spec

from .text import Positions, read_term, terms

HEAD_MATRICES = ("W", "b")
GATE_NAMES = {
    "f": "forget gate", "i": "input gate", "o": "output gate", "g": "candidate (c in Keras's LSTM, h in its GRU)",
    "z": "update gate", "r": "reset gate",
}  # fmt: skip


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
        return " | ".join(terms(self.spec, self._masks)) or "nothing"

    def __repr__(self) -> str:
        return f"<Zone {self.short}: {self.size:,} of {self.spec.size:,} arcs, {100 * self.share:.1f} %>"

    @property
    def short(self) -> str:
        """The text, or its first terms and how many more there are."""
        found = list(terms(self.spec, self._masks)) or ["nothing"]
        return " | ".join(found[:4]) + (f" | and {len(found) - 4} terms more" if len(found) > 4 else "")


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
    unit: Positions = None,
    source: Positions = None,
) -> Zone:
    """Select arcs by layer, matrix, gate, unit and source; None means all.

    Parameters
    ----------
    layer : 0 … layers - 1, or "head".
    matrix : a matrix of the cell, "Wx", "Wh" or "b" and what else it has; for the head "W" or "b".
    gate : letters of the cell's gates, for example "f" or "fi". Leaves the head out.
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
        if place == "head":
            rows = _positions("unit", unit, shape[0], name)
        else:
            H, letters = spec.units[int(place)], spec.row.matrices[kind]
            units = _positions("unit", unit, H, name)
            gates = [k for k, letter in enumerate(letters) if gate is None or letter in gate]
            if not gates:
                continue
            rows = np.concatenate([k * H + units for k in gates])
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


def _kept(what: str, index: Positions) -> Positions:
    """An iterator as a list, since every matrix reads it anew."""
    if index is None or isinstance(index, int | np.integer | slice):
        return index
    if not isinstance(index, Iterable) or isinstance(index, str) or getattr(index, "dtype", int) == np.bool_:
        kind = "a mask; give numpy.flatnonzero(mask)" if hasattr(index, "dtype") else repr(index)
        raise ValueError(f"{what} takes an index, a slice or a list of indices; got {kind}")
    return list(index)


def _positions(what: str, index: Positions, size: int, name: str) -> Array:
    """Positions, slice or list as an array of positions, all within 0..size - 1."""
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
    spec: Spec, layer: int | str | None, matrix: str | None, gate: str | None, source: Positions
) -> None:
    layers = (*range(spec.layers), "head")
    if layer is not None and (layer not in layers or isinstance(layer, bool)):
        raise ValueError(f"layer is {layer!r}; the layers are {', '.join(map(repr, layers))}")
    gates, own = spec.row.gates, tuple(spec.row.matrices)
    matrices = HEAD_MATRICES if layer == "head" else own if layer is not None else (*own, "W")
    if matrix is not None and matrix not in matrices:
        raise ValueError(f"matrix is {matrix!r}; the choices are {', '.join(matrices)}")
    if gate is not None and (layer == "head" or not gate or set(gate) - set(gates)):
        words = ", ".join(f"{letter} the {GATE_NAMES.get(letter, 'gate ' + letter)}" for letter in gates)
        raise ValueError(f"gate is {gate!r}; give letters of {gates}, and none for the head: {words}")
    if source is not None and matrix not in ("Wx", "Wh", "W"):
        raise ValueError(f"source={source!r} needs matrix='Wx', 'Wh' or 'W', got matrix={matrix!r}")


# ---------------------------------------------------------------------------------------------------------- text


def read_zone(spec: Spec, text: str) -> Zone:
    """The zone that a text names, in the form that `str(zone)` writes; `text.py` tells it.

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
        found = found | _read_term(spec, term)
    return found


def _read_term(spec: Spec, term: str) -> Zone:
    if (word := term.strip()) in ("everything", "nothing"):
        return everything(spec) if word == "everything" else nothing(spec)
    arguments = read_term(term)
    try:
        return zone(spec, **arguments)
    except ValueError as error:
        raise ValueError(f"in the term {word!r}: {error}") from None
