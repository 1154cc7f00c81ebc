"""`IsolatedLSTM`: the LSTM layer of Keras with a zone of arcs that are not updated.

Active and isolated arcs stand in variables of their own (`variables.py`), trainable and not, so that nothing an
optimiser does to a variable (moments, weight decay, clipping, moving averages) reaches an isolated arc. The backward
pass is the derived one (`running.py`), with the products that `isolate` leaves. All else is keras.layers.LSTM, but
for what `interface.py` refuses.

Letters: B batch, T steps, D inputs, H units.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from lstm_lib.isolation.plan import isolate
from lstm_lib.network.cells import Array
from lstm_lib.network.spec import Spec

from .backend import keras, tf
from .compiled import MATRICES
from .moments import Moments
from .running import run
from .storing import InCheckpoint, load, save
from .variables import ArcVariables
from .zoned import ZonedLSTM, ZoneLike


@keras.saving.register_keras_serializable(package="lstm_lib")
class IsolatedLSTM(ZonedLSTM):
    """keras.layers.LSTM with a zone of isolated arcs.

    Parameters
    ----------
    units : H.
    zone : the arcs to isolate, on the names of a network of one layer ("0/Wx", "0/Wh", "0/b"): a `Zone` of a
        `Spec` with this layer's inputs and units, its text such as "0/Wh/f[0:32]", or None for no arc. What it
        says of the head is left to the Dense layer that is the head.
    depth : "hold", "skip" or "cut", as for `lstm_lib.isolate`; "cache" has no counterpart here.
    span : errors travel the last `span` steps only (of the order in which steps are computed); with `return_sequences`
        no error crosses the border after every `span` steps; None: all.
    kernel_initializer, recurrent_initializer, bias_initializer, unit_forget_bias, dropout, seed,
    return_sequences, return_state, go_backwards, zero_output_for_mask, activity_regularizer, name, dtype, trainable :
        as for keras.layers.LSTM. dtype is "float32" or "float64".
    kernel_regularizer, recurrent_regularizer, bias_regularizer : L1, L2 or L1L2; they sum over active arcs.
    kwargs : the other arguments of keras.layers.LSTM, at their default values.

    Call arguments are those of keras.layers.LSTM: sequences (B, T, D), initial_state [h, c] each (B, H), mask (B, T),
    training. Returns h (B, H), or (B, T, H) with return_sequences; with return_state a tuple of it, h and c.

    `get_weights` and `set_weights` have the layout of keras.layers.LSTM whatever the zone. Those of a model list its
    variables: weights taken from a model at one zone are refused at another. What is saved can be loaded at any zone,
    moments included; a file of a model of keras.layers.LSTM can be loaded where it has one LSTM. To load a model,
    `import lstm_lib.keras` first. A file for keras.layers.LSTM is that of `isolate_layer(model, name, None)`.
    A tf.train.Checkpoint of layer or model brings back all arcs at its own zone and is refused at another before
    anything is written; one of an optimiser alone knows no zone. `model.set_state_tree` refuses a tree of another zone
    only after it has written what is trained, since Keras asks nobody before: load a file instead.

    Raises ValueError, by name, for an argument that isn't supported, a depth, a span, a dtype or a zone that isn't
    one; for a zone's text when the layer is built, since only then the number of inputs is known.

    >>> layer = IsolatedLSTM(4, zone="0/Wh/f | 0/b", depth="skip")
    >>> layer(np.ones((2, 3, 5), "float32")).shape
    TensorShape([2, 4])
    >>> sum(int(np.prod(v.shape)) for v in layer.trainable_weights)
    128
    >>> [w.shape for w in layer.get_weights()]
    [(5, 16), (4, 16), (16,)]
    """

    def __init__(
        self, units: int, zone: ZoneLike = None, depth: str = "skip", span: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(units, zone, depth, span, **kwargs)
        self.in_checkpoint = InCheckpoint(self)

    # --------------------------------------------------------------------------------------------- the weights

    def build(self, sequences_shape: Sequence[int | None], initial_state_shape: Any = None) -> None:
        """Make the variables; sequences_shape is (B, T, D), of which only D must be known."""
        D = sequences_shape[-1]
        if len(sequences_shape) != 3 or D is None:
            raise ValueError(
                f"layer {self.name!r} needs a known number of inputs in sequences (B, T, D), got {sequences_shape}"
                + ("; it is no cell, which makes one step" if len(sequences_shape) == 2 else "")
            )
        self._spec = Spec(int(D), (self.units,), 1)
        self.steps = sequences_shape[1]
        self._plan = isolate(self._spec, self._read(self._zone_given), self._depth, self._span)
        with tf.init_scope():
            self.arcs = ArcVariables(self, self._plan, self.first_weights(int(D)))
        self.moments = Moments()
        self.cell.built = (
            True  # it only draws masks of dropout; Keras quantizes no layer that has another to build
        )

    def slots(self, optimizer: Any, name: str) -> dict[str, Array]:
        """What a built optimiser keeps by a name, such as "momentum", of all arcs: held for isolated ones, or 0."""
        self.moments.read(optimizer, self.arcs)
        values = self.moments.values
        return {m: np.nan_to_num(values[m, name, 0]) for m in MATRICES if (m, name, 0) in values}

    def get_weights(self) -> list[Array]:
        """Kernel (D, 4H), recurrent kernel (H, 4H) and bias (4H,), as of keras.layers.LSTM."""
        return list(self.arcs.read().values()) if self.built else []

    def set_weights(self, weights: Iterable[Any]) -> None:
        """Take kernel, recurrent kernel and bias, as of keras.layers.LSTM; ValueError for other shapes."""
        given = self.check_weights(weights)
        self.arcs.write(dict(zip(MATRICES, given, strict=True)))

    def check_weights(self, weights: Iterable[Any]) -> list[Array]:
        """Kernel, recurrent kernel and bias as arrays; ValueError for other shapes."""
        given = [np.asarray(w) for w in weights]
        shapes = [s.shape for s in self.arcs.splits.values()] if self.built else []
        if not self.built or [w.shape for w in given] != shapes:
            raise ValueError(
                f"layer {self.name!r} takes weights of shapes {shapes}, got {[w.shape for w in given]}"
                + ("" if self.built else "; build the layer first")
            )
        return given

    @property
    def weights(self) -> list[Any]:
        """Its variables, the mark of the zone first: Keras then refuses a list of another zone before it writes."""
        return self._mark_first(super().weights)

    @property
    def variables(self) -> list[Any]:
        """As `weights`, with the state of the random numbers."""
        return self._mark_first(super().variables)

    def _mark_first(self, variables: list[Any]) -> list[Any]:
        mark = self.arcs.mark if self.built else None
        return sorted(variables, key=lambda v: v is not mark)

    def save_own_variables(self, store: Any) -> None:
        """Save the weights in the layout of keras.layers.LSTM, the zone, and the moments held for isolated arcs."""
        save(self, store)

    def load_own_variables(self, store: Any) -> None:
        """Load what `save_own_variables` saved, at any zone; the optimiser's moments go to their arcs."""
        self.elsewhere = None
        self.elsewhere = load(self, store)

    # ------------------------------------------------------------------------------------------------- running

    def inner_loop(self, sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
        """The pass, for the `call` of keras.layers.LSTM: the last output or all outputs, twice, and h and c."""
        self.meet_model(training)
        x, (h, c) = sequences, initial_state
        if training and self.dropout:
            x = x * self.cell.get_dropout_mask(x[:, 0, :])[:, None]
        x = tf.transpose(x, (1, 0, 2))
        mask = mask[0] if isinstance(mask, list | tuple) else mask
        if mask is not None:
            mask = tf.transpose(tf.cast(mask, tf.bool))[:, :, None]
        if self.go_backwards:
            x, mask = tf.reverse(x, [0]), None if mask is None else tf.reverse(mask, [0])
        parts = {key: tf.convert_to_tensor(v) for key, v in self.arcs.variables.items()}
        arrays = {name: tf.convert_to_tensor(v) for name, v in self.arcs.arrays.items()}
        output, c = run(self.arcs.structure, arrays, parts, x, h, c, mask, self.return_sequences)
        h = output[-1] if self.return_sequences else output
        if mask is not None:  # as in Keras: zeros at masked steps if asked for, else before the first other
            shown = tf.cast(mask, h.dtype)
            if not self.zero_output_for_mask:
                shown = tf.cast(tf.cumsum(shown) > 0, h.dtype)
            output = output * (shown if self.return_sequences else shown[-1])
        if self.return_sequences:
            output = tf.transpose(output, (1, 0, 2))
        return output, output, [h, c]

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this layer again, with the zone it has now as a text."""
        zone = self._zone_given if self._plan is None else self._plan.zone
        text = None if zone is None else str(zone)
        config: dict[str, Any] = super().get_config()
        return config | {"zone": text, "depth": self._depth, "span": self._span}
