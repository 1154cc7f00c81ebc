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

from lstm_lib.network.cells import Array, get_cell
from lstm_lib.network.spec import Spec, is_whole

from .cost import (
    ADAM_FLOPS,
    ADAM_NUMBERS,
    GATHERED_NUMBERS,
    Cost,
    Count,
    Parts,
    count_errors,
    count_forward,
    count_head,
    count_weights,
)
from .products import (
    HeadWork,
    LayerWork,
    Passage,
    cut_errors,
    full_errors,
    head_passage,
    head_work,
    no_errors,
    picked,
    reached_units,
    with_weights,
)
from .zones import HEAD_MATRICES, MATRICES, Zone, everything, nothing, runs

DEPTHS = ("hold", "skip", "cut", "cache")
MOMENTS = ("held", "tracked")

# The active arcs of a parameter: all; whole rows, as a tuple of ranges or of one array; or flat positions.
Arcs = tuple[slice | Array, ...] | Array | None
RANGE = 8192  # arcs that a range of rows must have to be worth calls of its own; else rows are gathered


@dataclass(frozen=True, eq=False, repr=False)
class Plan:
    """What is left to do when a zone is isolated; made by `isolate`.

    `works`, `head` and `lowest` are read by `backward`: the layers' products, the head's, and the lowest layer that
    needs an error. `updates` is read by the optimiser: a parameter that is absent keeps its value; None updates all
    of it, a tuple whole rows, an array the arcs at these flat positions. `cached` says how many of the lowest layers
    are remembered. `unreached` holds the active arcs that no error reaches at depth "cut"; their gradient is 0.
    `notes` tells in words where the plan does not save what its zone promises.
    """

    spec: Spec
    zone: Zone
    depth: str
    span: int | None
    moments: str
    works: tuple[LayerWork, ...]
    head: HeadWork
    lowest: int
    updates: dict[str, Arcs]
    cached: int
    unreached: Zone
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        span = "" if self.span is None else f", span {self.span}"
        moments = "" if self.moments == "held" else f", moments {self.moments}"
        notes = "".join(f"; {note}" for note in self.notes)
        return f"<Plan: {self.depth} {self.zone.short!r}{span}{moments}{notes}>"

    def start(self, T: int) -> int:
        """The first of T steps that is back-propagated."""
        return 0 if self.span is None else max(0, T - self.span)

    def cost(self, steps: int, batch: int, dtype: DTypeLike = "float32") -> Cost:
        """What one training step on a batch still costs; see `Cost`. ValueError for sizes below 1.

        >>> from lstm_lib import zone
        >>> spec = Spec(inputs=2, units=(4,), outputs=1)
        >>> dense, head = (isolate(spec, z).cost(5, 3) for z in (nothing(spec), ~zone(spec, layer="head")))
        >>> head.forward == dense.forward, head.error, head.weights, head.update
        (True, 0, 24, 60)
        """
        for name, number in (("steps", steps), ("batch", batch)):
            if not is_whole(number, 1):
                raise ValueError(f"{name} must be a whole number of at least 1, got {number!r}")
        spec, B, back = self.spec, batch, steps - self.start(steps)
        every = spec.output == "every"
        arrive = back if every else 1  # steps at which the head has an error for the layer below
        forward, error, weights = Count(), Count(), Count()
        for k, H in enumerate(spec.units):
            D = spec.fan_in(k)
            if k >= self.cached:
                count_forward(forward, get_cell(spec.cell), steps, B, D, H)
            if k >= self.lowest:
                injected = arrive if k == spec.layers - 1 else back
                count_errors(error, self.works[k], back, injected, B, H, D, k > self.lowest)
                count_weights(weights, self.works[k].weights, back, B)
        passed = arrive if self.lowest < spec.layers else 0
        sizes = spec.outputs, spec.units[-1], self.works[-1].kept, B
        count_head((forward, error, weights), self.head, sizes, steps if every else 1, passed)
        arcs, moved = self._updated()
        size = np.dtype(dtype).itemsize
        moves = (forward.numbers * size, error.numbers * size, weights.numbers * size, moved * size)
        return Cost(forward.flops, error.flops, weights.flops, ADAM_FLOPS * arcs, Parts(*moves))

    def _updated(self) -> tuple[int, int]:
        """Arcs that the optimiser moves, and numbers that it reads and writes for that."""
        arcs = moved = 0
        for name, at in self.updates.items():
            some = int(np.prod(self.spec.shapes[name])) - self.zone.sizes[name]
            arcs += some
            moved += some * (ADAM_NUMBERS if at is None else ADAM_NUMBERS + GATHERED_NUMBERS)
        return arcs, moved

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
    span : back-propagate through the last `span` steps only; None through all.
    moments : what becomes of the moments of isolated arcs in Adam: "held" keeps them as they are; "tracked" runs
        them on with the gradient, which only depth "hold" computes.

    Raises ValueError for another network's zone, an unknown depth, a span below 1, a "cache" without a layer to
    remember, "tracked" moments at a depth that computes no gradient for them.

    >>> from lstm_lib import zone
    >>> spec = Spec(inputs=2, units=(4,), outputs=1)
    >>> plan = isolate(spec, ~zone(spec, layer="head"))  # train the head alone
    >>> sorted(plan.updates), plan
    (['head/W', 'head/b'], <Plan: skip '0'>)
    """
    _check(spec, zone, depth, span, moments)
    active = ~zone
    if depth == "cut":
        works, head, lowest, unreached, notes = _cut(active)
    else:
        computed = everything(spec) if depth == "hold" else active
        works, head, lowest = _exact(computed)
        unreached, notes = nothing(spec), ()
    cached = _isolated_layers(zone) if depth == "cache" else 0
    updates = {k: _arcs(mask) for k in spec.shapes if (mask := active.mask(k)).any()}
    return Plan(spec, zone, depth, span, moments, works, head, lowest, updates, cached, unreached, notes)


@cache
def plain(spec: Spec) -> Plan:
    """The plan that isolates nothing: the plain backward pass."""
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
    whole = (all(zone.mask(f"{k}/{m}").all() for m in MATRICES) for k in range(spec.layers))
    return sum(1 for _ in takewhile(bool, whole))


def _layer_share(zone: Zone) -> float:
    masks = [zone.mask(f"0/{m}") for m in MATRICES]
    return sum(int(m.sum()) for m in masks) / sum(m.size for m in masks)


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


def _active(active: Zone, k: int) -> Array:
    """(4H, S): the layer's active arcs as [Wh | Wx | b]."""
    b = active.mask(f"{k}/b")[:, None]
    return np.hstack([active.mask(f"{k}/Wh"), active.mask(f"{k}/Wx"), b])


def _exact(computed: Zone) -> tuple[tuple[LayerWork, ...], HeadWork, int]:
    """All errors down to the lowest layer with an arc whose gradient is computed, and that arc's gradients."""
    spec = computed.spec
    masks = [_active(computed, k) for k in range(spec.layers)]
    works = tuple(
        with_weights(full_errors(H, spec.fan_in(k)), mask)
        for k, (H, mask) in enumerate(zip(spec.units, masks, strict=True))
    )
    lowest = next((k for k, mask in enumerate(masks) if mask.any()), spec.layers)
    W, b = (computed.mask(f"head/{m}") for m in HEAD_MATRICES)
    down = Passage(size=(spec.outputs, spec.units[-1]))
    return works, head_work(W, b, down), lowest


def _cut(active: Zone) -> tuple[tuple[LayerWork, ...], HeadWork, int, Zone, tuple[str, ...]]:
    """Only the errors that get to active arcs through active arcs, from the top down, and the gradients there."""
    spec = active.spec
    W, b = (active.mask(f"head/{m}") for m in HEAD_MATRICES)
    masks = [_active(active, k) for k in range(spec.layers)]
    reached: dict[int, Array] = {}
    arrives: Array = np.asarray(W.any(axis=0))
    for k in reversed(range(spec.layers)):
        H, mask = spec.units[k], masks[k]
        found = reached_units(mask[:, :H], np.asarray(mask.any(axis=1)), arrives)
        if not found.any():
            break
        reached[k] = found
        arrives = np.asarray(mask[np.tile(found, 4), H:-1].any(axis=0))
    lowest = min(reached, default=spec.layers)
    works, notes = [no_errors()] * lowest, []
    below = receivers = np.arange(spec.fan_in(lowest) if lowest < spec.layers else 0)
    for k in range(lowest, spec.layers):
        H, mask = spec.units[k], masks[k]
        rows = np.asarray(mask.any(axis=1))
        work, costly = cut_errors(mask[:, :H], mask[:, H:-1], rows, reached[k], below, receivers)
        if costly:
            notes.append(f"layer {k} keeps its full width, since slices of its errors would cost more")
        works.append(with_weights(work, mask & np.tile(reached[k], 4)[:, None]))
        below, receivers = np.flatnonzero(reached[k]), picked(work.units, H)
    down = head_passage(W, below, receivers) if lowest < spec.layers else None
    return tuple(works), head_work(W, b, down), lowest, _unreached(active, reached), tuple(notes)


def _unreached(active: Zone, reached: dict[int, Array]) -> Zone:
    masks = {}
    for k, H in enumerate(active.spec.units):
        out = ~np.tile(reached.get(k, np.zeros(H, bool)), 4)
        for name in (f"{k}/{m}" for m in MATRICES):
            mask = active.mask(name)
            masks[name] = mask & (out if mask.ndim == 1 else out[:, None])
    return Zone(active.spec, {k: m for k, m in masks.items() if m.any()})
