"""Zones: named sets of arcs, their algebra, and the plan that leaves their work out.

Nouns: an arc is one scalar weight or bias; a `Zone` is a set of arcs of one network; to isolate a zone is to
keep its arcs from being updated while the forward pass stays as it is; a `Plan` is a zone, a depth and a span
in time, compiled once into what `backward` and the optimiser still have to do.

Other people's words for parts of this: to freeze (a whole variable), to mask (a gradient, after it was
computed), to prune (a weight set to zero; here weights keep their value).

Depths: "hold" computes everything and leaves out the update; "skip" leaves out the weight gradients of
isolated arcs as well, and with them every error signal that no active arc below needs. Both are exact: the
active arcs get the same gradient as without isolation. A span of n back-propagates the last n steps only
(truncated back-propagation through time, Williams and Peng 1990); it is an approximation.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from .cell import GATES, Array
from .layer import LayerWork
from .spec import Spec

MATRICES = ("Wx", "Wh", "b")
HEAD_MATRICES = ("W", "b")
DEPTHS = ("hold", "skip")

Index = int | slice | Iterable[int] | None


@dataclass(frozen=True, eq=False)
class Zone:
    """A set of arcs of one network. Made by `zone`, `everything`, `nothing`; combined with `|`, `&`, `~`, `-`.

    >>> spec = Spec(inputs=2, units=(4,), outputs=1)
    >>> forget = zone(spec, layer=0, gate="f")
    >>> forget.size, (forget | ~forget).share, (forget & ~forget).size
    (28, 1.0, 0)
    """

    spec: Spec
    _masks: dict[str, Array] = field(repr=False)

    def mask(self, name: str) -> Array:
        """Boolean array of the parameter's shape, True where the arc belongs to the zone.

        Raises ValueError for an unknown parameter name, with the valid ones.
        """
        if name not in self._masks:
            raise ValueError(f"no parameter {name!r}; the names are {', '.join(self._masks)}")
        return self._masks[name]

    @property
    def size(self) -> int:
        """Number of arcs in the zone."""
        return sum(int(np.count_nonzero(m)) for m in self._masks.values())

    @property
    def share(self) -> float:
        """Share of the network's arcs that belong to the zone, 0 to 1."""
        return self.size / self.spec.size

    def __or__(self, other: Zone) -> Zone:
        self._check(other)
        return Zone(self.spec, {k: m | other._masks[k] for k, m in self._masks.items()})

    def __and__(self, other: Zone) -> Zone:
        self._check(other)
        return Zone(self.spec, {k: m & other._masks[k] for k, m in self._masks.items()})

    def __sub__(self, other: Zone) -> Zone:
        return self & ~other

    def __invert__(self) -> Zone:
        return Zone(self.spec, {k: ~m for k, m in self._masks.items()})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Zone):
            return NotImplemented
        return self.spec == other.spec and all(
            np.array_equal(m, other._masks[k]) for k, m in self._masks.items()
        )

    __hash__ = None  # type: ignore[assignment]  # equality by value over arrays

    def _check(self, other: Zone) -> None:
        if self.spec != other.spec:
            raise ValueError(f"zones of two networks do not combine: {self.spec} and {other.spec}")

    def __repr__(self) -> str:
        parts = [
            f"{k} {'all' if m.all() else f'{np.count_nonzero(m)} of {m.size}'}"
            for k, m in self._masks.items()
            if m.any()
        ]
        return f"<Zone of {self.size} of {self.spec.size} arcs: {'; '.join(parts) or 'nothing'}>"


def everything(spec: Spec) -> Zone:
    """All arcs of the network."""
    return Zone(spec, {k: np.ones(shape, bool) for k, shape in spec.shapes.items()})


def nothing(spec: Spec) -> Zone:
    """No arc: isolating it is the plain run."""
    return ~everything(spec)


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
    <Zone of 5 of 117 arcs: head/W all; head/b all>
    """
    _check_choices(spec, layer, matrix, gate, source)
    unit, source = _kept("unit", unit), _kept("source", source)
    masks = {k: np.zeros(shape, bool) for k, shape in spec.shapes.items()}
    for name, mask in masks.items():
        place, kind = name.split("/")
        if (layer is not None and place != str(layer)) or (matrix is not None and kind != matrix):
            continue
        if place == "head":
            if gate is None:
                _select(mask, _positions("unit", unit, mask.shape[0], name), source, name)
            continue
        H = spec.units[int(place)]
        units = _positions("unit", unit, H, name)
        rows = np.concatenate(
            [k * H + units for k, letter in enumerate(GATES) if gate is None or letter in gate]
        )
        _select(mask, rows, source, name)
    selected = Zone(spec, masks)
    if not selected.size:
        raise ValueError(
            f"layer={layer!r}, matrix={matrix!r}, gate={gate!r}, unit={unit!r}, source={source!r} selects no arc; "
            f"the parameters are {', '.join(masks)}"
        )
    return selected


def _select(mask: Array, rows: Array, source: Index, name: str) -> None:
    if mask.ndim == 1:
        mask[rows] = True
    else:
        mask[np.ix_(rows, _positions("source", source, mask.shape[1], name))] = True


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
        raise ValueError(f"gate is {gate!r}; give letters of {''.join(GATES)}, and none for the head")
    if source is not None and matrix in (None, "b"):
        raise ValueError(f"source={source!r} needs matrix='Wx', 'Wh' or 'W', got matrix={matrix!r}")


@dataclass(frozen=True)
class Plan:
    """What is left to do when a zone is isolated; made by `isolate`.

    `layers` and `head` are read by `backward`; `updates` by the optimiser: a parameter that is absent keeps
    its value, None updates all of it, an array lists the flat positions of its active arcs.
    """

    spec: Spec
    zone: Zone
    depth: str
    span: int | None
    layers: tuple[LayerWork, ...] = field(repr=False)
    head: dict[str, Array | None] = field(repr=False)
    updates: dict[str, Array | None] = field(repr=False)


def isolate(spec: Spec, zone: Zone, depth: str = "skip", span: int | None = None) -> Plan:
    """Compile a zone, a depth and a span into a `Plan`.

    Parameters
    ----------
    zone : the arcs to isolate; `nothing(spec)` isolates none.
    depth : "hold" or "skip", see the module's first lines.
    span : back-propagate through the last `span` steps only; None through all.

    Raises ValueError for another network's zone, an unknown depth or a span below 1.

    >>> spec = Spec(inputs=2, units=(4,), outputs=1)
    >>> plan = isolate(spec, ~zone(spec, layer="head"))  # train the head alone
    >>> sorted(plan.updates)
    ['head/W', 'head/b']
    """
    if not isinstance(zone, Zone):
        raise ValueError(f"isolate() takes a Zone, from zone(spec, ...); got a {type(zone).__name__}")
    if zone.spec != spec:
        raise ValueError(f"the zone was made for {zone.spec}, not for {spec}")
    if depth not in DEPTHS:
        raise ValueError(f"depth is {depth!r}; the choices are {', '.join(DEPTHS)}")
    if span is not None and (not isinstance(span, int | np.integer) or isinstance(span, bool) or span < 1):
        raise ValueError(f"span must be a whole number of steps of at least 1, or None for all, got {span!r}")
    active = ~zone
    computed = everything(spec) if depth == "hold" else active
    layers = tuple(_layer_work(computed, k) for k in range(spec.layers))
    head = {k: _keep(computed.mask(f"head/{k}")) for k in HEAD_MATRICES if computed.mask(f"head/{k}").any()}
    updates = {
        k: None if active.mask(k).all() else np.flatnonzero(active.mask(k))
        for k in spec.shapes
        if active.mask(k).any()
    }
    return Plan(spec, zone, depth, span, layers, head, updates)


def _layer_work(active: Zone, k: int) -> LayerWork:
    mask = np.hstack([active.mask(f"{k}/Wh"), active.mask(f"{k}/Wx"), active.mask(f"{k}/b")[:, None]])
    if mask.all():
        return LayerWork()
    if not mask.any():
        return LayerWork(weights=False)
    rows, sources = mask.any(axis=1), mask.any(axis=0)
    return LayerWork(
        rows=None if rows.all() else np.flatnonzero(rows),
        sources=None if sources.all() else np.flatnonzero(sources),
        keep=None if mask[np.ix_(rows, sources)].all() else mask,
    )


def _keep(mask: Array) -> Array | None:
    return None if mask.all() else mask
