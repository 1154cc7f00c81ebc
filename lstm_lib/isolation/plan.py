"""Plans: a zone, a depth and a span in time, compiled once into what the backward pass and the optimiser still do.

Nouns: to isolate a zone is to keep its arcs from being updated while the forward pass stays as it is; a `Plan`
is what is left to do then; a `Cost` counts it before it is done.

Other people's words for parts of this: to freeze (a whole variable), to mask (a gradient, after it was
computed), to prune (a weight set to zero; here weights keep their value).

The depth says how much of the work for an isolated zone is left out:

- "hold": the update. Everything is computed, as with a mask; it saves nothing.
- "skip": the weight gradients of isolated arcs as well, and with them every error signal that no active arc
  below needs. Exact: active arcs get the gradient that they get without isolation.
- "cut": besides, no error passes through an isolated arc, so that a unit to which no active arc leads drops out
  of the backward pass. An approximation, in the family of the truncated gradient of the first LSTM (Hochreiter and
  Schmidhuber, 1997) and of meProp (Sun et al., 2017).
- "cache": as "skip"; besides, the states of the lowest layers that are isolated altogether are remembered instead
  of computed again (`lstm_lib.states`). Exact.

A span of n back-propagates the last n steps only (truncated back-propagation through time, Williams and Peng
1990); it is an approximation.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from lstm_lib.network.cells import Array
from lstm_lib.network.layout import layout
from lstm_lib.network.spec import Spec, is_whole
from lstm_lib.network.work import Arcs, HeadWork, Index, LayerWork, Passage, Work, full_errors, no_errors

from .cost import Cost, count
from .products import cut_errors, head_passage, head_work, reached_units, with_weights
from .text import runs
from .zones import HEAD_MATRICES, Zone, everything, nothing

DEPTHS = ("hold", "skip", "cut", "cache")
MOMENTS = ("held", "tracked")

RANGE = 8192  # arcs that a range of rows must have to be worth calls of its own; else rows are gathered


@dataclass(frozen=True, eq=False, repr=False)
class Plan:
    """What is left to do when a zone is isolated; made by `isolate`.

    `work` is what the engine does, and `work.updates` what the optimiser moves. `cached` says how many of the lowest
    layers are remembered. `unreached` holds the active arcs that no error reaches at depth "cut"; their gradient is 0.
    `notes` tells in words where the plan does not save what its zone promises.
    """

    zone: Zone
    depth: str
    moments: str
    work: Work
    cached: int
    unreached: Zone
    notes: tuple[str, ...]

    @property
    def spec(self) -> Spec:
        """The network it is for."""
        return self.work.spec

    @property
    def span(self) -> int | None:
        """How many of the last steps are back-propagated; None: all."""
        return self.work.span

    def __repr__(self) -> str:
        span = "" if self.span is None else f", span {self.span}"
        moments = "" if self.moments == "held" else f", moments {self.moments}"
        notes = "".join(f"; {note}" for note in self.notes)
        return f"<Plan: {self.depth} {self.zone.short!r}{span}{moments}{notes}>"

    def cost(self, steps: int, batch: int, dtype: DTypeLike = "float32", output: str | None = None) -> Cost:
        """What one training step on a batch still costs; see `Cost`. ValueError for sizes below 1.

        output : with a target at the "last" step or at "every" one, as on sequences; None takes what the spec says.

        >>> from lstm_lib import zone
        >>> spec = Spec(inputs=2, units=(4,), outputs=1)
        >>> dense, head = (isolate(spec, z).cost(5, 3) for z in (nothing(spec), ~zone(spec, layer="head")))
        >>> head.forward == dense.forward, head.error, head.weights, head.update
        (True, 0, 24, 60)
        """
        for name, number in (("steps", steps), ("batch", batch)):
            if not is_whole(number, 1):
                raise ValueError(f"{name} must be a whole number of at least 1, got {number!r}")
        every = (output or self.spec.output) == "every"
        return count(self.work, steps, batch, every, self.cached, dtype)

    def describe(self) -> dict[str, Any]:
        """The plan in words, for a record; a digest tells zones of equal size apart."""
        arcs = b"".join(np.packbits(self.zone.mask(k)).tobytes() for k in self.spec.shapes)
        digest = hashlib.sha256(arcs).hexdigest()[:16]
        words = {"zone": repr(self.zone), "arcs": digest, "depth": self.depth, "span": self.span}
        return words | ({} if self.moments == "held" else {"moments": self.moments})


def isolate(
    spec: Spec, zone: Zone, depth: str = "skip", span: int | None = None, moments: str = "held"
) -> Plan:
    """Compile a zone, a depth and a span into a `Plan`.

    Parameters
    ----------
    zone : the arcs to isolate; `nothing(spec)` isolates none.
    depth : "hold", "skip", "cut" or "cache", see the module's first lines. "cache" needs a zone with all arcs of
        layer 0, and remembers as many of the lowest layers as are isolated altogether.
    span : how many steps an error travels back at most; None: all. Counted from the end: with its one target a window
        is back-propagated through the last `span` steps, and what a target at every step sends back stops at the border
        after every `span` steps (truncated BPTT; Williams and Peng, 1990, Neural Computation 2(4)).
    moments : what becomes of the moments of isolated arcs in Adam: "held" keeps them as they are; "tracked" runs
        them on with the gradient, which only depth "hold" computes.

    Raises ValueError for another network's zone, an unknown depth, a span below 1, a "cache" without a layer to
    remember, "tracked" moments at a depth that computes no gradient for them.

    >>> from lstm_lib import zone
    >>> spec = Spec(inputs=2, units=(4,), outputs=1)
    >>> plan = isolate(spec, ~zone(spec, layer="head"))  # train the head alone
    >>> sorted(plan.work.updates), plan
    (['head/W', 'head/b'], <Plan: skip '0'>)
    """
    _check(spec, zone, depth, span, moments)
    active = ~zone
    unreached, notes = nothing(spec), tuple[str, ...]()
    if depth == "cut":
        layers, head, lowest, unreached, notes = _cut(active)
    else:
        layers, head, lowest = _exact(everything(spec) if depth == "hold" else active)
    updates = {k: _arcs(mask) for k in spec.shapes if (mask := active.mask(k)).any()}
    work = Work(spec, layers, head, lowest, span, depth != "cut", updates)
    return Plan(
        zone, depth, moments, work, _isolated_layers(zone) if depth == "cache" else 0, unreached, notes
    )


@cache
def dense(spec: Spec) -> Plan:
    """The plan that isolates nothing: the dense step."""
    return isolate(spec, nothing(spec))


def _check(spec: Spec, zone: Zone, depth: str, span: int | None, moments: str) -> None:
    if not isinstance(zone, Zone):
        raise ValueError(f"isolate() takes a Zone, from zone(spec, ...); got a {type(zone).__name__}")
    if zone.spec != spec:
        raise ValueError(f"the zone was made for {zone.spec}, not for {spec}")
    if depth not in DEPTHS:
        raise ValueError(f"depth is {depth!r}; the choices are {', '.join(DEPTHS)}")
    if span is not None and not is_whole(span, 1):
        raise ValueError(f"span must be a whole number of steps of at least 1, or None for all, got {span!r}")
    if moments not in MOMENTS:
        raise ValueError(f"moments is {moments!r}; the choices are {', '.join(MOMENTS)}")
    if moments == "tracked" and depth != "hold":
        raise ValueError(
            f"moments='tracked' needs the gradients of isolated arcs, which depth {depth!r} leaves out; "
            "use depth='hold', or moments='held'"
        )
    if depth == "cache" and not _isolated_layers(zone):
        raise ValueError(
            "depth 'cache' remembers layers that are isolated altogether, from layer 0 up, but the zone has only "
            f"{_layer_share(zone):.1%} of the arcs of layer 0; add zone(spec, layer=0), or use depth 'skip' or 'cut'"
        )


def _isolated_layers(zone: Zone) -> int:
    """How many of the lowest layers are isolated altogether."""
    spec = zone.spec
    whole = (all(mask.all() for mask in _masks(zone, k).values()) for k in range(spec.layers))
    return sum(1 for _ in takewhile(bool, whole))


def _layer_share(zone: Zone) -> float:
    masks = _masks(zone, 0).values()
    return sum(int(m.sum()) for m in masks) / sum(m.size for m in masks)


def _masks(zone: Zone, k: int) -> dict[str, Array]:
    """Matrix -> the arcs of layer k that belong to the zone."""
    return {matrix: zone.mask(f"{k}/{matrix}") for matrix in zone.spec.row.matrices}


def _arcs(mask: Array) -> Arcs:
    """What selects the active arcs of a parameter that has some."""
    if mask.all():
        return None
    rows = np.flatnonzero(mask.reshape(len(mask), -1).any(axis=1))
    if not mask[rows].all():
        return np.flatnonzero(mask)
    ranges = runs(rows)
    if len(rows) * mask[0].size < RANGE * len(ranges):
        return (rows,)
    return tuple(slice(first, last) for first, last in ranges)


def _whole_matrix(spec: Spec, k: int, masks: dict[str, Array]) -> Array:
    """(P·H, S): the layer's arcs in its one matrix."""
    at = layout(spec.row, spec.fan_in(k), spec.units[k])
    whole = np.zeros((at.rows, at.S), bool)
    at.fill(whole, masks)
    return whole


def _exact(computed: Zone) -> tuple[tuple[LayerWork, ...], HeadWork, int]:
    """All errors down to the lowest layer with an arc whose gradient is computed, and that arc's gradients."""
    spec, works, lowest = computed.spec, list[LayerWork](), computed.spec.layers
    for k, H in enumerate(spec.units):
        masks, at = _masks(computed, k), layout(spec.row, spec.fan_in(k), H)
        works.append(with_weights(full_errors(spec, k), at, _whole_matrix(spec, k, masks), masks.get("p")))
        if any(mask.any() for mask in masks.values()):
            lowest = min(lowest, k)
    W, b = (computed.mask(f"head/{m}") for m in HEAD_MATRICES)
    outputs, units = Index.all(spec.outputs), Index.all(spec.units[-1])
    return tuple(works), head_work(W, b, Passage(outputs, units, outputs, units)), lowest


def _cut(active: Zone) -> tuple[tuple[LayerWork, ...], HeadWork, int, Zone, tuple[str, ...]]:
    """Only the errors that get to active arcs through active arcs, from the top down, and the gradients there."""
    spec, gates = active.spec, len(active.spec.row.gates)
    W, b = (active.mask(f"head/{m}") for m in HEAD_MATRICES)
    masks = [_masks(active, k) for k in range(spec.layers)]
    reached: dict[int, Array] = {}
    arrives: Array = np.asarray(W.any(axis=0))
    for k in reversed(range(spec.layers)):
        units = np.tile(np.arange(spec.units[k]), gates)
        has_row = np.any(
            [_rows(mask).reshape(-1, spec.units[k]).any(axis=0) for mask in masks[k].values()], axis=0
        )
        found = reached_units(masks[k]["Wh"], has_row, arrives, units)
        if not found.any():
            break
        reached[k] = found
        arrives = np.asarray(masks[k]["Wx"][found[units]].any(axis=0))
    lowest = min(reached, default=spec.layers)
    works, notes = [no_errors(len(spec.row.stages))] * lowest, []
    below = receivers = np.arange(spec.fan_in(lowest) if lowest < spec.layers else 0)
    for k in range(lowest, spec.layers):
        at = layout(spec.row, spec.fan_in(k), spec.units[k])
        whole = _whole_matrix(spec, k, masks[k])
        work, costly = cut_errors(at, masks[k], whole, reached[k], below, receivers)
        if costly:
            notes.append(f"layer {k} keeps its full width, since slices of its errors would cost more")
        p = masks[k]["p"] & np.tile(reached[k], len(spec.row.peepholes)) if "p" in masks[k] else None
        works.append(with_weights(work, at, whole & np.tile(reached[k], len(spec.row.blocks))[:, None], p))
        below, receivers = np.flatnonzero(reached[k]), work.units.positions
    down = head_passage(W, below, receivers) if lowest < spec.layers else None
    return tuple(works), head_work(W, b, down), lowest, _unreached(active, reached), tuple(notes)


def _rows(mask: Array) -> Array:
    """Which rows of a parameter have an arc in a mask."""
    return mask if mask.ndim == 1 else np.asarray(mask.any(axis=1))


def _unreached(active: Zone, reached: dict[int, Array]) -> Zone:
    masks = {}
    for k, H in enumerate(active.spec.units):
        out = ~reached.get(k, np.zeros(H, bool))
        for matrix, mask in _masks(active, k).items():
            rows = np.tile(out, len(mask) // H)
            masks[f"{k}/{matrix}"] = mask & (rows if mask.ndim == 1 else rows[:, None])
    return Zone(active.spec, {k: m for k, m in masks.items() if m.any()})
