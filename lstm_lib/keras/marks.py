"""Variables that know of which zone they are: so that weights taken from a model at one zone go back to it alone.

Keras lists a model's weights variable by variable, and which arcs a variable has depends on the zone. A `Mark` is a
weight of no numbers, the first of its layer; its shape names the zone. Keras compares shapes before it writes, so that
a list that was taken at another zone is refused. `Listed` variables notice when a list is taken, as EarlyStopping does.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from lstm_lib.isolation.plan import Plan

from .backend import keras, tf


class Listed(keras.Variable):  # type: ignore[misc]
    """A variable of a layer's arcs. Once all of them were asked for `numpy`, a list was taken."""

    def __init__(self, arcs: Any, **arguments: Any) -> None:
        self._arcs = arcs
        super().__init__(**arguments)

    def numpy(self) -> Any:
        """Its numbers."""
        self._arcs.asked(self)
        return super().numpy()


class ZoneShape(tf.TensorShape):  # type: ignore[misc]
    """The shape of a mark, which refuses that of another zone's mark by its cause."""

    def __init__(self, shape: Any, layer: str, zone: str) -> None:
        super().__init__(shape)
        self.layer, self.zone = layer, zone

    def __ne__(self, other: Any) -> bool:
        differs = bool(super().__ne__(other))
        if differs and len(other) == 2 and other[0] == 0:
            raise ValueError(
                f"these weights were taken from layer {self.layer!r} at another zone than {self.zone!r}, which it has "
                "now; some would have the shape of others and go to other arcs. Give the layer the zone at which they "
                "were taken, layer.set_zone(..., model=model), or take and give the weights layer by layer"
            )
        return differs

    __hash__ = tf.TensorShape.__hash__


class Mark(Listed):
    """Weight of shape (0, n), where n stands for the zone."""

    def __init__(self, arcs: Any, plan: Plan) -> None:
        bits = b"".join(np.packbits(plan.zone.mask(name)).tobytes() for name in ("0/Wx", "0/Wh", "0/b"))
        self._zone = str(plan.zone)
        super().__init__(
            arcs,
            initializer="zeros",
            shape=(0, zlib.crc32(bits)),
            dtype=arcs.layer.variable_dtype,
            trainable=False,
            name="arcs",
        )

    @property
    def shape(self) -> ZoneShape:
        """Another one at another zone."""
        return ZoneShape(super().shape, self._arcs.layer.name, self._zone)
