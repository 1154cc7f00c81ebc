"""One LSTM layer in TensorFlow, forward and backward, with what a plan leaves to do and no more.

The forward pass keeps gates and states; its gradient is the derived one: one product per step for the error, one at
the end for each rectangle of weight gradients, and only what the `Structure` leaves of either.

Letters: T time steps, B batch, D inputs, H units, S = H + D + 1 sources [h_prev; x; 1]. Arrays of all steps are
time-major, (T, B, ...).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .backend import tf
from .compiled import KERAS_ORDER, Carry, Ref, Structure


def _pick(a: Any, at: Ref, arrays: Mapping[str, Any], axis: int) -> Any:
    """`a` at these positions of an axis."""
    if at is None:
        return a
    if isinstance(at, str):
        return tf.gather(a, arrays[at], axis=axis)
    return a[(slice(None),) * (axis % len(a.shape)) + (slice(*at),)]


def _carrier(carry: Carry, W: Any, arrays: Mapping[str, Any]) -> Callable[[Any], Any]:
    """The function that takes dz (·, columns kept) to the error of the receivers."""
    block = _pick(_pick(W, carry.sources, arrays, 0), carry.columns, arrays, 1)
    if carry.keep is not None:
        block = tf.where(arrays[carry.keep], block, tf.zeros_like(block))
    block = tf.transpose(block)

    def run(dz: Any) -> Any:
        error = tf.matmul(_pick(dz, carry.errors, arrays, 1), block)
        if carry.into is None:
            return error
        return tf.gather(tf.pad(error, [[0, 0], [0, 1]]), arrays[carry.into], axis=1)

    return run


def run(
    s: Structure,
    arrays: Mapping[str, Any],
    parts: Mapping[tuple[str, str], Any],
    x: Any,
    h0: Any,
    c0: Any,
    mask: Any = None,
    sequences: bool = False,
) -> tuple[Any, Any]:
    """Forward pass of a layer, with a gradient that computes what the structure leaves.

    Parameters
    ----------
    s, arrays : from `compile_plan`, the arrays as tensors.
    parts : (matrix, "active" or "isolated") -> the values of its arcs, with the shapes of the `Split`.
    x, h0, c0 : (T, B, D), (B, H), (B, H).
    mask : (T, B, 1) of bool, False where a step keeps the states as they are.
    sequences : return every h, (T, B, H), or the last, (B, H).

    Returns
    -------
    h and the last c (B, H). Isolated arcs have no gradient.
    """
    keys = list(parts)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def layer(x: Any, h0: Any, c0: Any, *values: Any) -> Any:
        K, U, b = _join(s, arrays, dict(zip(keys, values, strict=True)))
        kept = _forward(s, x, h0, c0, mask, K, U, b)
        hs, cs = kept["h"], kept["c"]
        hs.set_shape((x.shape[0], x.shape[1], s.H))
        cs.set_shape((x.shape[0], x.shape[1], s.H))

        def grad(dh: Any, dc: Any) -> tuple[Any, ...]:
            found = _backward(s, arrays, (x, h0, c0), mask, (K, U), kept, dh if sequences else None, dc, dh)
            return *found[:3], *(found[3].get(key) for key in keys)

        return (hs if sequences else hs[-1], cs[-1]), grad

    return layer(x, h0, c0, *parts.values())  # type: ignore[no-any-return]


def _join(s: Structure, arrays: Mapping[str, Any], values: Mapping[tuple[str, str], Any]) -> list[Any]:
    """Kernel, recurrent kernel and bias from their arcs."""
    found = []
    for matrix, split in s.splits:
        if not split.order:
            found.append(values[matrix, split.form])
            continue
        joined = tf.concat([values[matrix, kind] for kind in split.shapes], axis=-1)
        found.append(tf.reshape(tf.gather(joined, arrays[split.order], axis=-1), split.shape))
    return found


def _forward(s: Structure, x: Any, h: Any, c: Any, mask: Any, K: Any, U: Any, b: Any) -> dict[str, Any]:
    """Gates i, f, g, o, states c and h and tanh(c) of every step, (T, B, H); c and h alone where nothing goes back."""
    T, B, D, H = tf.shape(x)[0], tf.shape(x)[1], s.D, s.H
    from_x = tf.reshape(tf.matmul(tf.reshape(x, (-1, D)), K) + b, tf.stack([T, B, 4 * H]))
    names = (*KERAS_ORDER, "c", "tanh_c", "h") if s.kept else ("c", "h")
    given = _listed(from_x, *([] if mask is None else [mask]))

    def step(t: Any, h: Any, c: Any, *lists: Any) -> tuple[Any, ...]:
        i, f, g, o = tf.split(given[0].read(t) + tf.matmul(h, U), 4, axis=1)
        i, f, g, o = tf.sigmoid(i), tf.sigmoid(f), tf.tanh(g), tf.sigmoid(o)
        next_c = f * c + i * g
        tanh_c = tf.tanh(next_c)
        next_h = o * tanh_c
        if mask is not None:
            now = given[1].read(t)
            next_c, next_h = tf.where(now, next_c, c), tf.where(now, next_h, h)
        made = {"i": i, "f": f, "g": g, "o": o, "c": next_c, "tanh_c": tanh_c, "h": next_h}
        return t + 1, next_h, next_c, *(a.write(t, made[k]) for a, k in zip(lists, names, strict=True))

    empty = [tf.TensorArray(x.dtype, T, element_shape=(x.shape[1], H)) for _ in names]
    _, _, _, *lists = tf.while_loop(
        lambda t, *_: t < T, step, (0, h, c, *empty), maximum_iterations=T, parallel_iterations=1
    )
    return {name: a.stack() for name, a in zip(names, lists, strict=True)}


def _listed(*arrays: Any) -> list[Any]:
    return [tf.TensorArray(a.dtype, tf.shape(a)[0]).unstack(a) for a in arrays]


def _backward(
    s: Structure,
    arrays: Mapping[str, Any],
    start: tuple[Any, Any, Any],
    mask: Any,
    matrices: tuple[Any, Any],
    kept: Mapping[str, Any],
    inject: Any,
    dc: Any,
    dh: Any,
) -> tuple[Any, Any, Any, dict[tuple[str, str], Any]]:
    """∂L/∂ of x, h0, c0 and of the active arcs.

    `inject` (T, B, H) is the error that arrives at every step, or None where only the last h (B, H) has one, `dh`.
    """
    x, h0, c0 = start
    zeros = tuple(map(tf.zeros_like, start))
    if not s.kept:
        return *zeros, {}
    last = slice(None) if s.span is None else slice(-s.span, None)

    def some(a: Any) -> Any:
        """The kept units."""
        return _pick(a, s.units, arrays, -1)

    h_prev, c_prev = (
        tf.concat([first[None], kept[k][:-1]], axis=0)[last] for k, first in (("h", h0), ("c", c0))
    )
    i, f, g, o, c_before, tanh_c = (
        some(a[last]) if k != "c_prev" else some(a)
        for k, a in (
            *((k, kept[k]) for k in KERAS_ORDER), ("c_prev", c_prev), ("tanh_c", kept["tanh_c"])
        )
    )  # fmt: skip
    # What multiplies the error, as in `network.cells`: dc for the gates of (4), dh for o and for dc itself.
    slopes = {
        "i": lambda: g * i * (1 - i),
        "f": lambda: c_before * f * (1 - f),
        "g": lambda: i * (1 - g * g),
    }
    by_c = [slopes[gate]() for gate in s.gates if gate != "o"]
    by_h = [tanh_c * o * (1 - o)] if "o" in s.gates else []
    read: dict[str, Any] = {
        "f": f,
        "dc_dh": o * (1 - tanh_c * tanh_c),
        "slopes": tf.concat(by_c + by_h, axis=2),
    }
    if inject is not None:
        read["inject"] = some(inject[last])
        dh = tf.zeros_like(dh[0])
    if mask is not None:
        read["mask"] = tf.cast(mask[last], x.dtype)
    lists = dict(zip(read, _listed(*read.values()), strict=True))
    step_back = None if s.through is None else _carrier(s.through, matrices[1], arrays)

    def step(t: Any, dh: Any, dc: Any, found: Any) -> tuple[Any, ...]:
        now = {name: a.read(t) for name, a in lists.items()}
        if "inject" in now:
            dh = dh + now["inject"]
        past_h, past_c = 0, 0  # errors that a masked step hands on as they are
        if "mask" in now:
            past_h, past_c = dh - dh * now["mask"], dc - dc * now["mask"]
            dh, dc = dh * now["mask"], dc * now["mask"]
        dc = dc + dh * now["dc_dh"]
        joined = tf.concat([dc] * len(by_c) + [dh] * len(by_h), axis=1) * now["slopes"]
        dh = tf.zeros_like(dh) if step_back is None else step_back(joined)
        return t - 1, dh + past_h, dc * now["f"] + past_c, found.write(t, joined)

    L = tf.shape(h_prev)[0]
    rows = len(s.gates) * s.kept
    empty = tf.TensorArray(x.dtype, L, element_shape=(x.shape[1], rows))
    _, dh, dc, found = tf.while_loop(
        lambda t, *_: t >= 0, step, (L - 1, some(dh), some(dc), empty),
        maximum_iterations=L, parallel_iterations=1,
    )  # fmt: skip
    dz = tf.reshape(found.stack(), (-1, rows))
    return (
        _input_error(s, arrays, x, last, dz, matrices[0]),
        _start_error(s, arrays, dh, h0, L, x),
        _start_error(s, arrays, dc, c0, L, x),
        _weight_gradients(s, arrays, dz, h_prev, x[last]),
    )


def _input_error(s: Structure, arrays: Mapping[str, Any], x: Any, last: slice, dz: Any, K: Any) -> Any:
    """(T, B, D); 0 before the span."""
    if s.below is None:
        return tf.zeros_like(x)
    shape = tf.shape(x[last])
    error = tf.reshape(_carrier(s.below, K, arrays)(dz), shape)
    return tf.pad(error, [[tf.shape(x)[0] - shape[0], 0], [0, 0], [0, 0]])


def _start_error(s: Structure, arrays: Mapping[str, Any], error: Any, like: Any, L: Any, x: Any) -> Any:
    """(B, H) from the kept units; 0 where the error did not get so far."""
    error = tf.where(tf.equal(L, tf.shape(x)[0]), error, tf.zeros_like(error))
    if s.units is None:
        return error
    units = tf.range(*s.units) if isinstance(s.units, tuple) else arrays[s.units]
    back = tf.scatter_nd(units[:, None], tf.transpose(error), tf.stack([s.H, tf.shape(like)[0]]))
    return tf.transpose(back)


def _weight_gradients(
    s: Structure, arrays: Mapping[str, Any], dz: Any, h_prev: Any, x: Any
) -> dict[tuple[str, str], Any]:
    """Gradients of the active arcs: a product for each rectangle of the plan, over all steps at once."""
    if not s.products:
        return {}
    sources = tf.concat([h_prev, x, tf.ones_like(x[..., :1])], axis=2)
    sources = tf.reshape(sources, (-1, s.H + s.D + 1))
    numbers = [
        tf.reshape(
            tf.matmul(_pick(sources, at, arrays, 1), _pick(dz, errors, arrays, 1), transpose_a=True), [-1]
        )
        for at, errors in s.products
    ]
    flat = numbers[0] if len(numbers) == 1 else tf.concat(numbers, axis=0)
    return {
        (matrix, "active"): tf.reshape(_pick(flat, split.found, arrays, 0), split.active)
        for matrix, split in s.splits
        if split.form != "isolated"
    }
