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
from .compiled import KERAS_ORDER, Carry, Ref, Split, Structure

Arrays = Mapping[str, Any]
Parts = Mapping[tuple[str, str], Any]


def run(
    s: Structure, arrays: Arrays, parts: Parts, x: Any, h0: Any, c0: Any, mask: Any, sequences: bool
) -> tuple[Any, Any]:
    """Forward pass of a layer, with a gradient that computes what the structure leaves.

    Parameters
    ----------
    s, arrays : from `compile_plan`, the arrays as tensors.
    parts : (matrix, "active" or "isolated") -> the values of its arcs, with the shapes of the `Split`.
    x, h0, c0 : (T, B, D), (B, H), (B, H).
    mask : (T, B, 1) of bool, False where a step keeps the states as they are; or None.
    sequences : return every h, (T, B, H), or the last, (B, H).

    Returns
    -------
    h and the last c (B, H). Isolated arcs have no gradient.
    """
    keys = list(parts)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def layer(x: Any, h0: Any, c0: Any, *values: Any) -> Any:
        one = _Pass(s, arrays, dict(zip(keys, values, strict=True)), x, h0, c0, mask, sequences)
        kept = one.forward()

        def grad(dh: Any, dc: Any) -> tuple[Any, ...]:
            every, last = (dh, tf.zeros_like(dh[0])) if sequences else (None, dh)
            *found, arcs = one.backward(kept, every, last, dc)
            return *found, *(arcs.get(key) for key in keys)

        return (kept["h"] if sequences else kept["h"][-1], kept["c"][-1]), grad

    return layer(x, h0, c0, *parts.values())  # type: ignore[no-any-return]


class _Pass:
    """One pass over a batch; the arguments are those of `run`. K, U, b: kernel, recurrent kernel and bias."""

    def __init__(
        self, s: Structure, arrays: Arrays, parts: Parts, x: Any, h0: Any, c0: Any, mask: Any, sequences: bool
    ) -> None:
        self.s, self.arrays, self.x, self.h0, self.c0, self.mask = s, arrays, x, h0, c0, mask
        self.short = s.span is not None and not sequences
        self.last = (
            slice(-s.span, None) if s.span and self.short else slice(None)
        )  # the steps that errors travel
        self.K, self.U, self.b = (self.joined(matrix, split, parts) for matrix, split in s.splits.items())

    def joined(self, matrix: str, split: Split, parts: Parts) -> Any:
        """A matrix from its arcs."""
        values = tf.concat([parts[matrix, kind] for kind in split.shapes], axis=-1)
        return tf.reshape(self.pick(values, split.order, -1), split.shape)

    def pick(self, a: Any, at: Ref, axis: int) -> Any:
        """`a` at these positions of an axis."""
        if at is None:
            return a
        if isinstance(at, str):
            return tf.gather(a, self.arrays[at], axis=axis)
        return a[(slice(None),) * (axis % len(a.shape)) + (slice(*at),)]

    def units(self, a: Any) -> Any:
        """`a`, whose last axis is H, of the units that have errors."""
        return self.pick(a, self.s.units, -1)

    def carrier(self, carry: Carry, W: Any) -> Callable[[Any], Any]:
        """The function that takes dz (·, columns kept) to the error of the receivers."""
        block = self.pick(self.pick(W, carry.sources, 0), carry.columns, 1)
        if carry.keep is not None:
            block = tf.where(self.arrays[carry.keep], block, tf.zeros_like(block))
        block = tf.transpose(block)

        def carried(dz: Any) -> Any:
            error = tf.matmul(self.pick(dz, carry.errors, 1), block)
            if carry.into is None:
                return error
            return tf.gather(tf.pad(error, [[0, 0], [0, 1]]), self.arrays[carry.into], axis=1)

        return carried

    def forward(self) -> dict[str, Any]:
        """Gates i, f, g, o, states c and h and tanh(c) of every step, (T, B, H); c and h alone if nothing goes back."""
        mask, names = self.mask, (*KERAS_ORDER, "c", "tanh_c", "h") if self.s.kept else ("c", "h")
        read = {"z": tf.tensordot(self.x, self.K, 1) + self.b} | ({} if mask is None else {"mask": mask})

        def step(before: Any, now: Any) -> dict[str, Any]:
            i, f, g, o = tf.split(now["z"] + tf.matmul(before["h"], self.U), 4, axis=1)
            i, f, g, o = tf.sigmoid(i), tf.sigmoid(f), tf.tanh(g), tf.sigmoid(o)
            c = f * before["c"] + i * g
            tanh_c = tf.tanh(c)
            h = o * tanh_c
            if mask is not None:
                c, h = tf.where(now["mask"], c, before["c"]), tf.where(now["mask"], h, before["h"])
            made = {"i": i, "f": f, "g": g, "o": o, "c": c, "tanh_c": tanh_c, "h": h}
            return {name: made[name] for name in names}

        start = dict.fromkeys(names, tf.zeros_like(self.h0)) | {"c": self.c0, "h": self.h0}
        return tf.scan(step, read, start, parallel_iterations=1)  # type: ignore[no-any-return]

    def backward(self, kept: Arrays, every: Any, dh: Any, dc: Any) -> tuple[Any, ...]:
        """∂L/∂ of x, h0 and c0, and of the active arcs by key.

        `every` (T, B, H) is the error that arrives at h of every step, or None; dh and dc (B, H) come to the last one.
        """
        s, last, units = self.s, self.last, self.units
        if not s.kept:
            return *map(tf.zeros_like, (self.x, self.h0, self.c0)), {}
        h_prev, c_prev = (
            tf.concat([first[None], kept[k][:-1]], axis=0)[last]
            for k, first in (("h", self.h0), ("c", self.c0))
        )
        i, f, g, o, tanh_c = (units(kept[k][last]) for k in (*KERAS_ORDER, "tanh_c"))
        # What multiplies the error, as in `network.cells`: dc for the gates of (4), dh for o and for dc itself.
        slopes = {
            "i": lambda: g * i * (1 - i),
            "f": lambda: units(c_prev) * f * (1 - f),
            "g": lambda: i * (1 - g * g),
            "o": lambda: tanh_c * o * (1 - o),
        }
        read = {
            "f": f,
            "dc_dh": o * (1 - tanh_c * tanh_c),
            "slopes": tf.concat([slopes[gate]() for gate in s.gates], axis=2),
        }
        if every is not None:
            read["every"] = units(every)
            if s.span is not None:  # no error crosses the border after so many steps, counted from the end
                t = tf.range(tf.shape(every)[0])
                read["border"] = ((t > 0) & ((tf.shape(every)[0] - t) % s.span == 0))[:, None, None]
        if self.mask is not None:
            read["mask"] = tf.cast(self.mask[last], self.x.dtype)
        step_back = None if s.through is None else self.carrier(s.through, self.U)

        def step(after: Any, now: Any) -> dict[str, Any]:
            dh, dc = after["dh"] + now.get("every", 0), after["dc"]
            past_h, past_c = 0, 0  # errors that a masked step hands on as they are
            if "mask" in now:
                past_h, past_c = dh - dh * now["mask"], dc - dc * now["mask"]
                dh, dc = dh * now["mask"], dc * now["mask"]
            dc = dc + dh * now["dc_dh"]
            dz = tf.concat([dh if gate == "o" else dc for gate in s.gates], axis=1) * now["slopes"]
            dh = tf.zeros_like(dh) if step_back is None else step_back(dz)
            dh, dc = dh + past_h, dc * now["f"] + past_c
            if "border" in now:
                dh, dc = (tf.where(now["border"], tf.zeros_like(error), error) for error in (dh, dc))
            return {"dh": dh, "dc": dc, "dz": dz}

        start = {"dh": units(dh), "dc": units(dc), "dz": tf.zeros_like(read["slopes"][0])}
        found = tf.scan(step, read, start, parallel_iterations=1, reverse=True)
        dz = tf.reshape(found["dz"], (-1, len(s.gates) * s.kept))
        errors = (self.start_error(found[name][0]) for name in ("dh", "dc"))
        return self.dx(dz), *errors, self.arc_gradients(dz, h_prev)

    def dx(self, dz: Any) -> Any:
        """(T, B, D); 0 before the span."""
        if self.s.below is None:
            return tf.zeros_like(self.x)
        shape = tf.shape(self.x[self.last])
        error = tf.reshape(self.carrier(self.s.below, self.K)(dz), shape)
        return tf.pad(error, [[tf.shape(self.x)[0] - shape[0], 0], [0, 0], [0, 0]])

    def start_error(self, error: Any) -> Any:
        """(B, H) from the kept units; 0 where the error did not get so far."""
        at = self.s.units
        if self.short:
            error = tf.where(tf.shape(self.x)[0] <= self.s.span, error, tf.zeros_like(error))
        if at is None:
            return error
        units = tf.range(*at) if isinstance(at, tuple) else self.arrays[at]
        back = tf.scatter_nd(units[:, None], tf.transpose(error), tf.stack([self.s.H, tf.shape(self.x)[1]]))
        return tf.transpose(back)

    def arc_gradients(self, dz: Any, h_prev: Any) -> Parts:
        """Gradients of the active arcs: a product for each rectangle of the plan, over all steps at once."""
        s, x = self.s, self.x[self.last]
        if not s.products:
            return {}
        sources = tf.reshape(tf.concat([h_prev, x, tf.ones_like(x[..., :1])], axis=2), (-1, s.H + s.D + 1))
        numbers = [
            tf.matmul(self.pick(sources, at, 1), self.pick(dz, errors, 1), transpose_a=True)
            for at, errors in s.products
        ]
        flat = tf.concat([tf.reshape(some, [-1]) for some in numbers], axis=0)
        return {
            (matrix, "active"): tf.reshape(self.pick(flat, split.found, 0), split.shapes["active"])
            for matrix, split in s.splits.items()
            if "active" in split.shapes
        }
