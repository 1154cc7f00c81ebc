"""Back-propagation through time, as far as a `Work` asks for it.

An engine runs the steps of a layer's error pass (`errors.py`): `run_plain` below, or `compiled.py`. `backward_layer`
owns the order of what is done in a layer: errors, weight gradients, what goes down.

Letters as in `trace.py`: T time steps, B batch, D inputs, H units, of which n are kept, P blocks, S sources. Errors are
(rows kept, B) per step, block by block. No array is allocated between calls while sizes stay the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import lru_cache
from typing import Any, Protocol

import numpy as np

from . import compiled
from .cells import Array
from .errors import QUIET, Arriving, Carrier, Errors, quieted
from .layout import Layout
from .spec import Params, Spec
from .trace import Buffers, Layer, Memory, Trace, empty_grads, together
from .work import HeadWork, Index, Rectangle, Work, plain_work


class HasWork(Protocol):
    """Anything compiled into a `Work`, such as `lstm_lib.Plan`."""

    @property
    def work(self) -> Work:
        """What is left to do."""
        ...


def backward(
    spec: Spec,
    params: Params,
    trace: Trace,
    dy: Array,
    plan: HasWork | None = None,
    also: Collection[str] = (),
) -> Params:
    """Back-propagation through time, after Werbos (1990) and Gers et al. (2000); equations as in `cells.py`.

    Parameters
    ----------
    spec, params : as given to `forward`.
    trace : from `forward`; may be used more than once, with the same result.
    dy : shape of yhat; ∂L/∂yhat for the linear head, ∂L/∂scores for the softmax head, as the losses return.
    plan : what to leave out (`lstm_lib.isolate`); None leaves out nothing.
    also : any of "x" and "state": adds the gradient of the inputs, key "x" (B, T, D), and of the states before the
        first step, keys "0/h0", "0/c0", … (B, H). At depth "cut" without what isolated arcs would have carried.

    Returns
    -------
    dict with the names, shapes and dtype of `params`. Isolated arcs whose gradient is left out have 0.
    With a workspace the arrays are reused by the next call.

    Raises ValueError on a dy of another shape or dtype, an overwritten trace, a plan for another spec.

    >>> from lstm_lib import forward, init_params, mse
    >>> spec = Spec(inputs=2, units=(3,), outputs=1)
    >>> params = init_params(spec, dtype="float64")
    >>> yhat, trace = forward(spec, params, np.ones((5, 4, 2)))
    >>> loss, dy = mse(yhat, np.zeros((5, 1)))
    >>> {name: g.shape for name, g in backward(spec, params, trace, dy).items()} == spec.shapes
    True
    """
    trace.check()
    work = plain_work(spec) if plan is None else plan.work
    _check_error(trace, spec, work, dy, also)
    results = together(
        lambda share: _backward_share(params, trace, share, dy[share.at], work, also), trace.shares
    )
    grads: Params = results[0]
    for other in results[1:]:
        for name, a in other.items():
            if name in spec.shapes:
                grads[name] += a
            else:
                grads[name] = np.concatenate([grads[name], a])
    return grads


def _backward_share(
    params: Params, trace: Trace, buffers: Buffers, dy: Array, work: Work, also: Collection[str]
) -> Params:
    """The gradients that a share of the batch makes, with its part of what is asked for besides."""
    spec, engine, T, B = trace.spec, trace.engine, buffers.T, buffers.B
    grads = dict(buffers.grads or empty_grads(spec, dy.dtype))
    bottom = 0 if also and work.exact else work.lowest
    ds = np.ascontiguousarray(dy.transpose(1, 2, 0) if trace.every else dy.T[None])  # (steps, O, B)
    _head_gradients(work.head, buffers, ds, grads["head/W"], grads["head/b"], engine)
    start = work.start(T, trace.every)
    arriving = _from_head(work, buffers, params, ds, start, engine) if bottom < spec.layers else None
    for k in reversed(range(bottom, spec.layers)):
        layer, below = buffers.layers[k], buffers.layers.get(k - 1)
        own, to_write = ({m: a[f"{k}/{m}"] for m in spec.row.matrices} for a in (params, grads))
        assert arriving is not None  # as long as there is a layer to go down to
        errors = Errors(layer, work.layers[k], own, arriving, start, work.span, "state" in also)
        receivers = Index.all(spec.inputs) if k == 0 else work.layers[k - 1].units
        down = ("x" in also) if k == 0 else k > bottom
        memory = (layer if below is None else below).memory
        arriving = backward_layer(errors, to_write, receivers if down else None, memory, engine)
        buffers.errors[k] = errors.spread
        if "state" in also:
            grads |= {f"{k}/{name}0": a for name, a in errors.start_errors().items()}
    if "x" in also:
        grads["x"] = np.zeros((B, T, spec.inputs), dy.dtype)
        if bottom == 0 and arriving is not None:
            grads["x"][:, arriving.first :] = arriving.errors[arriving.first :].transpose(2, 0, 1)
    for k in range(bottom):
        for matrix in spec.row.matrices:
            grads[f"{k}/{matrix}"][...] = 0
        if k in buffers.layers:
            buffers.errors[k] = _untouched(buffers.layers[k])
        if "state" in also:
            shape = (B, spec.units[k])
            grads |= {f"{k}/{name}0": np.zeros(shape, dy.dtype) for name in spec.row.states}
    return grads


def _check_error(trace: Trace, spec: Spec, work: Work, dy: Array, also: Collection[str]) -> None:
    for what, other in (("trace", trace.spec), ("plan", work.spec)):
        if other != spec:
            raise ValueError(f"the {what} was made for {other}, not for {spec}")
    if dy.shape != trace.yhat.shape or dy.dtype != trace.yhat.dtype:
        raise ValueError(
            f"dy is {dy.dtype} {dy.shape}; expected {trace.yhat.dtype} {trace.yhat.shape}, as yhat"
        )
    if unknown := set(also) - {"x", "state"}:
        raise ValueError(f"also={sorted(unknown)} is unknown; the choices are 'x' and 'state'")
    if known := trace.shares[0].known:
        if also:
            raise ValueError(
                f"also={sorted(also)} needs all layers; {known} were known in this pass and not run"
            )
        if work.lowest < known:
            raise ValueError(
                f"the lowest {known} layers were known in this pass and not run, so the plan must isolate all their "
                f"arcs; it needs errors from layer {work.lowest} up"
            )


# ------------------------------------------------------------------------------------------------------ one layer


def _untouched(layer: Layer) -> Callable[[], Array]:
    return lambda: np.zeros((layer.T, layer.layout.rows, layer.B), layer.values.dtype)


def backward_layer(
    errors: Errors, grads: dict[str, Array], receivers: Index | None, memory: Memory, engine: str
) -> Arriving | None:
    """Back through one layer: its errors, the gradients of its arcs, and the error of what it reads.

    Parameters
    ----------
    errors : of the layer, which are filled. grads : matrix -> its gradient, which is written.
    receivers : whose error goes down, into arrays of `memory`; None: nobody's.
    """
    layer, work = errors.layer, errors.work
    if work.units.size:
        errors.stop = compiled.run_errors(errors) if engine == "compiled" else run_plain(errors)
    else:
        errors.stop = layer.T
    weight_gradients(errors, grads, engine)
    if receivers is None:
        return None
    below = memory.get("dx" if memory is layer.memory else "inject", layer.T, receivers.size, layer.B)
    _pass_down(errors, below, engine)
    return Arriving(below, errors.stop)


def run_plain(errors: Errors) -> int:
    """Fill dz from the last step down to `start`; return the first step that has an error."""
    layer, work, cell = errors.layer, errors.work, errors.layer.cell
    H, B, n, units = layer.H, layer.B, work.units.size, work.units
    values = layer.values.reshape(layer.T, -1, H, B)
    p = tuple(units.take(a) for a in errors.peepholes.reshape(-1, H, B))
    rows = {block: slice(k * n, (k + 1) * n) for k, block in enumerate(work.blocks)}

    def states(t: int) -> tuple[Array, ...]:
        return tuple(units.take(a) for a in (layer.sources[t, :H], layer.cells[t])[: len(cell.states)])

    for t in range(layer.T - 1, errors.start - 1, -1):
        kept, before, dz = tuple(units.take(values[t], axis=1)), states(t), errors.dz[t]
        border = t > errors.start and (layer.T - t) % errors.span == 0
        if t >= errors.arriving.first:
            errors.dh += errors.arriving.errors[t]
        reaching: tuple[Array, ...] = (errors.dh, errors.dc)[: len(cell.states)]
        total: tuple[Array, ...] = ()
        for stage, carrier in zip(reversed(cell.stages), reversed(errors.through), strict=True):
            given, direct, _ = stage.back(kept, before, reaching, p)
            for block, error in zip(stage.errors, given, strict=True):
                if block in rows:
                    dz[rows[block]] = error
            total = tuple(a + b for a, b in zip(total, direct, strict=True)) if total else direct
            if stage.reads != "h":  # the error of what the stage before it made
                errors.made[...] = 0
                if carrier is not None:
                    carrier.add(dz, errors.made)
                reaching = (errors.made,)
            elif carrier is not None and t >= errors.first_product and not border:
                carrier.add(dz, total[0])
        for place, error in zip((errors.dh, errors.dc), total, strict=False):
            np.copyto(place, 0 if border else error)
        looks = (layer.T - t) % QUIET == 0 and t > errors.start
        quiet = looks and quieted(errors.dh, errors.dc, errors.floor)
        if (
            quiet and t <= errors.arriving.first and errors.through[0] is not None
        ):  # else it was never to go far
            return t
    return errors.start


# ------------------------------------------------------------------------------------------------ what goes down


def _from_head(work: Work, buffers: Buffers, params: Params, ds: Array, start: int, engine: str) -> Arriving:
    """The error of the top layer's output, from ds (steps, O, B)."""
    spec, T, B = work.spec, buffers.T, buffers.B
    memory, n = buffers.layers[spec.layers - 1].memory, work.layers[-1].units.size
    first = max(T - len(ds), start)
    out = memory.get("inject", T, n, B)
    if work.head.down is None:
        out[first:] = 0
    else:
        carrier = Carrier.of(work.head.down, params["head/W"], memory, B, "head")
        _carry_all(carrier, ds[first - T :], out[first:], engine)
    return Arriving(out, first)


def _pass_down(errors: Errors, out: Array, engine: str) -> None:
    """Write the error of what the layer reads, at the steps from `stop` on, into `out` (T, receivers, B)."""
    passage, stop = errors.work.below, errors.stop
    if passage is None or stop == errors.layer.T:
        out[stop:] = 0
        return
    carrier = Carrier.of(passage, errors.params["Wx"], errors.layer.memory, errors.layer.B, "below")
    _carry_all(carrier, errors.dz[stop:], out[stop:], engine)


def _carry_all(carrier: Carrier, errors: Array, out: Array, engine: str) -> None:
    """What errors (steps, rows kept, B) carry to (steps, receivers, B), at all steps."""
    if engine == "compiled":
        compiled.carry_all(carrier, errors, out)
        return
    if carrier.put.whole and not carrier.take.copies:
        np.matmul(carrier.weights.T, errors[:, carrier.take.at], out=out)
        return
    out[...] = 0
    for error, place in zip(errors, out, strict=True):
        carrier.add(error, place)


# -------------------------------------------------------------------------------------------- the weight gradients


def weight_gradients(errors: Errors, grads: dict[str, Array], engine: str) -> None:
    """Write Σ_t dz_t sources_tᵀ over all steps with an error into the gradients of a layer, a product a rectangle.

    What no rectangle covers is 0.
    """
    layer, work, stop = errors.layer, errors.work, errors.stop
    covered = sum(r.rows.size * r.sources.size for r in work.weights)
    if covered < layer.layout.arcs or stop == layer.T or any(r.drop is not None for r in work.weights):
        for gradient in grads.values():
            gradient[...] = 0
    for r in work.weights if stop < layer.T else ():
        product = _product(r, errors.dz[stop:], layer.sources[stop : layer.T], layer.memory, engine)
        for matrix, into, across, part in _places(r.rows, r.sources, layer.layout):
            found = product[part]
            grads[matrix][into, across] = found[:, 0] if grads[matrix].ndim == 1 else found
    if "p" in grads:
        _peephole_gradient(errors, grads["p"])


def _product(r: Rectangle, errors: Array, sources: Array, memory: Memory, engine: str) -> Array:
    """The gradients of a rectangle, from (steps, rows kept, B) and (steps, S, B): one product over steps and batch."""
    steps, _, B = errors.shape
    rows = memory.get("errors by row", r.errors.size, steps, B)
    columns = memory.get("sources by row", r.sources.size, steps, B)
    product = memory.get("product", *r.size)
    if engine == "compiled":
        compiled.multiply(errors, r.errors, rows, sources, r.sources, columns, product)
    else:
        _by_row(errors, r.errors, rows)
        _by_row(sources, r.sources, columns)
        np.matmul(rows.reshape(len(rows), -1), columns.reshape(len(columns), -1).T, out=product)
    if r.drop is not None:
        np.copyto(product, 0, where=r.drop)
    return product


def _by_row(a: Array, at: Index, out: Array) -> None:
    """Copy some rows of (steps, rows, B) to (rows, steps, B), eight steps at a time: half the time of one long copy."""
    for t in range(0, len(a), 8):
        np.copyto(out[:, t : t + 8], a[t : t + 8, at.at].transpose(1, 0, 2))


@lru_cache(maxsize=256)
def _places(rows: Index, sources: Index, at: Layout) -> list[tuple[str, Any, Any, tuple[slice, slice]]]:
    """Where the gradients of a rectangle of the one matrix go: parameter, its rows and columns, the part that goes."""
    found: list[tuple[str, Any, Any, tuple[slice, slice]]] = []
    for matrix, own_rows, blocks, columns in at.pieces:
        a, b = np.searchsorted(rows.positions, (blocks.start, blocks.stop))
        c, d = np.searchsorted(sources.positions, (columns.start, columns.stop))
        if a == b or c == d:
            continue
        into: Any = _shifted(rows.positions[a:b], own_rows.start - blocks.start)
        across: Any = _shifted(sources.positions[c:d], -columns.start)
        if matrix in ("b", "bh"):
            across = ...
        elif not isinstance(into, slice) and not isinstance(across, slice):
            into, across = np.ix_(into, across)
        found.append((matrix, into, across, (slice(a, b), slice(c, d))))
    return found


def _shifted(positions: Array, by: int) -> slice | Array:
    """Positions in order, moved, as a slice where they are neighbours."""
    moved = positions + by
    return slice(moved[0], moved[-1] + 1) if moved[-1] - moved[0] == len(moved) - 1 else moved


def _peephole_gradient(errors: Errors, gradient: Array) -> None:
    """Σ over steps and batch of dz times the state that the gate reads: for o the new one, else the one before."""
    layer, work, cell = errors.layer, errors.work, errors.layer.cell
    gradient[...] = 0
    if work.peepholes is None:
        return
    n, units = work.units.size, work.units
    for k, gate in enumerate(cell.peepholes):
        block = cell.blocks.index(gate)
        if block in work.blocks:
            rows = work.blocks.index(block) * n
            dz = errors.dz[errors.stop :, rows : rows + n]
            shift = int(gate == "o")
            c = units.take(layer.cells[errors.stop + shift : layer.T + shift], axis=1)
            gradient[k * layer.H + units.positions] = np.einsum("tub,tub->u", dz, c)
    gradient[~work.peepholes] = 0


# ------------------------------------------------------------------------------------------------------ the head


def _head_gradients(head: HeadWork, buffers: Buffers, ds: Array, dW: Array, db: Array, engine: str) -> None:
    """Gradients of scores = W @ h + b, with ds (steps, O, B)."""
    r = head.weights
    if r is None or r.size != dW.shape or r.drop is not None:
        dW[...] = 0
    if r is not None:
        into = (...,) if r.size == dW.shape else np.ix_(r.rows.positions, r.sources.positions)
        dW[into] = _product(r, ds, buffers.top, buffers.memory, engine)
    if head.bias.size < len(db):
        db[...] = 0
    if head.bias.size:
        db[head.bias.at] = head.bias.take(ds.sum(axis=(0, 2)))
