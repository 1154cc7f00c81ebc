"""One LSTM layer backwards over a whole sequence: the fast path, and the slices that a plan leaves of it.

Nouns: `Errors` owns the arrays of the backward pass of one layer; `run_errors` fills dz, the error of every
pre-activation that is kept; `weight_gradients` runs the products that turn dz into gradients. What to keep and
which products to run stands in a `LayerWork`; with everything kept this is the plain pass.

Letters as in `layer.py`: T time steps, B batch, D inputs, H units, S = H + D + 1 sources; n of the H units are
kept. Errors are (rows kept, B) per step, gate by gate, so that all arithmetic runs on contiguous blocks. No
array is allocated in the loop, and none between calls while sizes stay the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from lstm_lib.isolation.products import LayerWork, Part, Passage, Rectangle, full_errors, kept_rows, picked

from .cells import Array
from .layer import Layer

MOST_VIEWS = 4  # sets of views kept at a time, for schedules that go to and fro between plans


class Store:
    """Flat arrays by name that grow to the largest size asked for, so that plans share memory.

    >>> store = Store(np.dtype("float32"))
    >>> store.get("dz", 2, 3).shape, store.get("dz", 2).base is store.get("dz", 6).base
    ((2, 3), True)
    """

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype
        self.flat: dict[str, Array] = {}
        self.grown = 0  # how often an array was made anew, so that older views are of memory no longer in use

    def get(self, name: str, *shape: int) -> Array:
        """An array of this shape at the start of the memory of that name; its content is whatever is there."""
        size = int(np.prod(shape))
        if name not in self.flat or self.flat[name].size < size:
            self.flat[name] = np.empty(size, self.dtype)
            self.grown += 1
        return self.flat[name][:size].reshape(shape)


class Views:
    """The arrays of the error pass for some kept units and gates, as views that the time loop walks over."""

    def __init__(self, layer: Layer, store: Store, units: Part, gates: str, n: int) -> None:
        T, B, H, rows = layer.T, layer.B, layer.H, len(gates) * n
        self.units = units
        self.dz = store.get("dz", T, rows, B)
        self.inject = store.get("inject", T, n, B)  # error that arrives from above at every step
        self.dh, self.dc = store.get("dh", n, B), store.get("dc", n, B)
        self.block = _block_steps(T, 4 * n * B * store.dtype.itemsize)
        self.dc_dh = store.get("dc_dh", self.block, n, B)
        self.scratch = store.get("scratch", self.block, n, B)
        self.gathered: tuple[Array, Array, Array, Array] | None = None
        if isinstance(units, np.ndarray):  # any units: their gates and states are gathered, a block at a time
            c_prev, tanh_c, h = (store.get(f"kept {name}", self.block, n, B) for name in ("c", "tanh_c", "h"))
            self.gathered = store.get("kept gates", self.block, 4, n, B), c_prev, tanh_c, h
        self.at = {gate: slice(k * n, (k + 1) * n) for k, gate in enumerate(gates)}
        self.steps = []
        for t in range(T):
            dz, slot = self.dz[t], self.slot(t, T)
            f = layer.gates[t, :H] if self.gathered is None else self.gathered[0][slot, 0]
            self.steps.append(
                (
                    dz,
                    [dz[at] for gate, at in self.at.items() if gate != "o"],
                    dz[self.at["o"]] if "o" in gates else None,
                    f[units] if isinstance(units, slice) else f,
                    self.dc_dh[slot],
                    self.inject[t],
                )
            )

    def slot(self, t: int, T: int) -> int:
        """Where step t stands within the arrays of a block: blocks are laid from the last step backwards."""
        return self.block - 1 - (T - 1 - t) % self.block


class Errors:
    """The arrays of the backward pass of one layer, and what the last pass left in them."""

    def __init__(self, layer: Layer) -> None:
        self.store = Store(layer.gates.dtype)
        self.work = full_errors(layer.H, layer.D)
        self.views: Views  # of the last `prepare`
        self._views: dict[tuple[Any, ...], Views] = {}
        # dz holds errors from this step on; None: no backward pass since the forward
        self.stop: int | None = None

    def prepare(self, layer: Layer, work: LayerWork) -> Views:
        """The views for what `work` keeps, made when they are first needed."""
        self.work = work
        # a slice has views of its own place; any other units are gathered into the same arrays
        place = work.units.start if isinstance(work.units, slice) else work.units is None
        key = (work.gates, work.kept, type(work.units), place)
        if key not in self._views:
            before = self.store.grown
            made = Views(layer, self.store, work.units, work.gates, work.kept)
            if self.store.grown > before:
                self._views.clear()
            elif len(self._views) == MOST_VIEWS:
                self._views.pop(next(iter(self._views)))
            self._views[key] = made
        self.views = self._views[key]
        self.views.units = work.units  # gathered units may be others at every call
        return self.views

    def dz(self, layer: Layer) -> Array:
        """(T, 4H, B): the errors of the last pass, 0 where none was kept or reached (a copy)."""
        dz = np.zeros((layer.T, 4 * layer.H, layer.B), self.store.dtype)
        if self.stop is not None and self.stop < layer.T:
            units = picked(self.work.units, layer.H)
            kept = kept_rows(self.work.gates, units, layer.H)
            dz[self.stop :, kept] = self.views.dz[self.stop :]
        return dz


def errors_of(layer: Layer) -> Errors:
    """The layer's arrays of the backward pass, made when they are first needed."""
    if layer.errors is None:
        layer.errors = Errors(layer)
    errors: Errors = layer.errors
    return errors


def _block_steps(T: int, step_bytes: int) -> int:
    """Steps whose gates fit the second-level cache together; few enough for `flush` to keep up."""
    return min(T, max(8, min(16, 2**20 // max(1, step_bytes))))


# ------------------------------------------------------------------------------------------------------ the errors


def run_errors(
    layer: Layer, work: LayerWork, Wh: Array, inject_from: int, start: int, to_start: bool = False
) -> int:
    """Fill dz of the steps from the last down to `start`; return the first step that has an error.

    Errors arrive from above (`Views.inject`) at the steps from `inject_from` on. The last product, which gives
    the error of the state before the first step, is run only when `to_start` asks for it.
    """
    errors = errors_of(layer)
    v = errors.prepare(layer, work)
    multiply, add = np.multiply, np.add
    dh, dc, scratch = v.dh, v.dc, v.scratch[0]
    dh[...] = 0
    dc[...] = 0
    floor = error_floor(v.inject[inject_from:])
    first_product = start if to_start else start + 1
    stop = start
    step_back = _step_back(errors.store, v, work.through, Wh)
    for first, last in _blocks(start, layer.T, v.block):
        slopes(layer, v, first, last)
        for t in range(last - 1, first - 1, -1):
            dz, dz_c, dz_o, f, dc_dh, inject = v.steps[t]
            if t >= inject_from:
                add(dh, inject, out=dh)
            # h = o * tanh(c);  dz_o and dc_dh hold their slopes, from slopes()
            if dz_o is not None:
                multiply(dz_o, dh, out=dz_o)
            multiply(dh, dc_dh, out=scratch)
            add(dc, scratch, out=dc)
            # c = f * c_prev + i * g
            for part in dz_c:
                multiply(part, dc, out=part)
            multiply(dc, f, out=dc)
            # z = Wx @ x + Wh @ h_prev + b
            if t >= first_product:
                step_back(dz)
        if first > start and flush(dh, dc, floor, scratch) and first <= inject_from:
            stop = first
            break
    errors.stop = stop
    return stop


def _step_back(store: Store, v: Views, passage: Passage | None, Wh: Array) -> Callable[[Array], None]:
    """What turns dz of a step into dh of the step before."""
    dh = v.dh
    if passage is None:
        return lambda dz: dh.fill(0)
    carry = carrier(store, passage, Wh, dh.shape[-1])
    return lambda dz: carry(dz, dh)


def carrier(store: Store, passage: Passage, W: Array, B: int) -> Callable[[Array, Array], None]:
    """The function (dz, out) that writes W, turned, times dz (rows kept, B) into out (receivers, B).

    Only the rectangle of W that the passage names takes part; it is copied once, here. Receivers that it doesn't
    name get 0.
    """
    rows, columns = passage.size
    matmul, take = np.matmul, np.take
    W_T = (W if passage.whole else _rectangle_of(store, passage, W)).T
    at, into = passage.errors, passage.into
    chosen = store.get("chosen", rows, B) if isinstance(at, np.ndarray) else None
    product = store.get("carried", columns, B) if isinstance(into, np.ndarray) else None

    def carry(dz: Array, out: Array) -> None:
        if isinstance(at, np.ndarray):
            dz = take(dz, at, axis=0, out=chosen, mode="clip")  # the default mode allocates
        elif at is not None:
            dz = dz[at]
        if into is None:
            matmul(W_T, dz, out=out)
            return
        out.fill(0)
        if product is None:
            matmul(W_T, dz, out=out[into])
        else:
            out[into] = matmul(W_T, dz, out=product)

    return carry


def _rectangle_of(store: Store, passage: Passage, W: Array) -> Array:
    """The rows and columns of W that the passage names, copied, with 0 for isolated arcs."""
    some = store.get("rows of W", passage.size[0], W.shape[1])
    block = store.get("block of W", *passage.size)
    _pick(W, passage.rows, 0, some)
    _pick(some, passage.columns, 1, block)
    if passage.drop is not None:
        np.copyto(block, 0, where=passage.drop)
    return block


def _pick(a: Array, at: Part, axis: int, out: Array) -> None:
    if isinstance(at, np.ndarray):
        np.take(a, at, axis=axis, out=out, mode="clip")
    else:
        np.copyto(out, a[(slice(None),) * axis + (slice(None) if at is None else at,)])


def pass_down(layer: Layer, passage: Passage, W: Array, stop: int, out: Array) -> None:
    """Write the error of what the layer reads, at the steps from `stop` on, into `out` (T, receivers, B)."""
    errors = errors_of(layer)
    dz = errors.views.dz
    if passage.whole:
        np.matmul(W.T, dz[stop:], out=out[stop:])
        return
    carry = carrier(errors.store, passage, W, layer.B)
    for t in range(stop, layer.T):
        carry(dz[t], out[t])


def _blocks(start: int, stop: int, size: int) -> Iterator[tuple[int, int]]:
    """Neighbouring (first, last) ranges that cover start..stop, latest first."""
    for last in range(stop, start, -size):
        yield max(start, last - size), last


def slopes(layer: Layer, v: Views, first: int, last: int) -> None:
    """What multiplies the error, for steps first..last: ∂c/∂z of f, i, g and ∂h/∂z_o into dz, ∂h/∂c into dc_dh.

    With w what the gate is multiplied by and p = w * a the product the forward pass formed,
    w * sigmoid' = p - p * a and w * tanh' = w - p * a.
    """
    n, cell = last - first, layer.cell
    f, i, o, g, c_prev, tanh_c, h = _kept(layer, v, first, last)
    dz, dc_dh, p = v.dz[first:last], v.dc_dh[-n:], v.scratch[-n:]

    def slope(activation: str, p: Array, w: Array, a: Array, out: Array) -> None:
        np.multiply(p, a, out=out)
        np.subtract(p if activation == "sigmoid" else w, out, out=out)

    if "f" in v.at:
        np.multiply(f, c_prev, out=p)
        slope(cell.f, p, c_prev, f, dz[:, v.at["f"]])
    if "i" in v.at or "g" in v.at:
        np.multiply(i, g, out=p)
    if "i" in v.at:
        slope(cell.i, p, g, i, dz[:, v.at["i"]])
    if "g" in v.at:
        slope(cell.g, p, i, g, dz[:, v.at["g"]])
    if "o" in v.at:
        slope(cell.o, h, tanh_c, o, dz[:, v.at["o"]])
    slope("tanh", h, o, tanh_c, dc_dh)


def _kept(layer: Layer, v: Views, first: int, last: int) -> tuple[Array, ...]:
    """f, i, o, g, c_prev, tanh_c and h of the kept units at steps first..last: views, or gathered."""
    steps, H, units = slice(first, last), layer.H, v.units
    if v.gathered is None or not isinstance(units, np.ndarray):
        at = slice(None) if units is None else units
        states = layer.cells[steps], layer.tanh_c[steps], layer.h[steps]
        return tuple(a[:, at] for a in (*layer.gate_views(steps), *states))
    gates, *kept = (a[first - last :] for a in v.gathered)
    np.take(layer.gates[steps].reshape(-1, 4, H, layer.B), units, axis=2, out=gates, mode="clip")
    # h is the first rows of the sources; of layer.h, a view, take() would make a copy first
    h = layer.sources[first + 1 : last + 1]
    for a, out in zip((layer.cells[steps], layer.tanh_c[steps], h), kept, strict=True):
        np.take(a, units, axis=1, out=out, mode="clip")
    return *(gates[:, k] for k in range(4)), *kept


def error_floor(inject: Array) -> float:
    """Magnitude below which an error can't change a gradient in this dtype: smallest normal number / epsilon.

    Scaled down with the incoming error where that is itself small.
    """
    info = np.finfo(inject.dtype)
    peak = min(1.0, float(max(inject.max(), -inject.min())))
    return float(info.tiny) / float(info.eps) * peak


def flush(dh: Array, dc: Array, floor: float, scratch: Array) -> bool:
    """Set errors below `floor` to zero; True when none is left.

    Left alone they decay into subnormal numbers, on which every product is several times slower.
    """
    empty = True
    for error in (dh, dc):
        np.abs(error, out=scratch)
        if scratch.min() < floor:
            np.copyto(error, 0, where=scratch < floor)
        empty = empty and not error.any()
    return empty


# -------------------------------------------------------------------------------------------- the weight gradients


def weight_gradients(layer: Layer, grads: tuple[Array, Array, Array]) -> None:
    """Write Σ_t dz_t [h_prev; x; 1]_tᵀ over all steps with an error into (dWh, dWx, db), a product a rectangle.

    What no rectangle covers is left as it is.
    """
    errors = errors_of(layer)
    v, stop, store = errors.views, errors.stop, errors.store
    dz, sources = v.dz[stop:], layer.sources[stop : layer.T]
    last: Part | str = "none yet"
    for r in errors.work.weights:
        rows = _by_row(store, "dz", dz, r.errors, r.size[0])
        if r.sources is not last:
            columns = _by_row(store, "sources", sources, r.sources, r.size[1])
            last = r.sources
        product = np.matmul(rows, columns.T, out=store.get("product", *r.size))
        if r.drop is not None:
            np.copyto(product, 0, where=r.drop)
        _place(product, r, layer.H, grads)


def _by_row(store: Store, name: str, a: Array, at: Part, rows: int) -> Array:
    """Some rows of (steps, rows, B) as (rows, steps * B), eight steps at a time: half the time of one long copy."""
    steps, _, B = a.shape
    target = store.get(f"{name} by row", rows, steps, B)
    for t in range(0, steps, 8):
        some = a[t : t + 8]
        if isinstance(at, np.ndarray):
            some = np.take(some, at, axis=1, out=store.get("some", len(some), rows, B), mode="clip")
        elif at is not None:
            some = some[:, at]
        np.copyto(target[:, t : t + 8], some.transpose(1, 0, 2))
    return target.reshape(rows, steps * B)


def _place(product: Array, r: Rectangle, H: int, grads: tuple[Array, Array, Array]) -> None:
    """Copy the gradients of a rectangle of [Wh | Wx | b] to where they belong."""
    rows, D = slice(None) if r.rows is None else r.rows, grads[1].shape[1]
    sources = picked(r.sources, H + D + 1)
    edges = (0, *np.searchsorted(sources, (H, H + D)), len(sources))
    for gradient, first, a, b in zip(grads, (0, H, H + D), edges[:-1], edges[1:], strict=True):
        if a == b:
            continue
        if gradient.ndim == 1:
            gradient[rows] = product[:, a]
            continue
        columns = sources[a:b] - first
        if columns[-1] - columns[0] == b - a - 1:
            gradient[rows, columns[0] : columns[-1] + 1] = product[:, a:b]
        elif isinstance(rows, slice):
            gradient[rows, columns] = product[:, a:b]
        else:
            gradient[np.ix_(rows, columns)] = product[:, a:b]
