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

from lstm_lib.isolation.plan import Plan, isolate
from lstm_lib.isolation.zones import Zone, nothing, read_zone
from lstm_lib.network.cells import Array
from lstm_lib.network.spec import Spec

from .backend import keras, tf
from .compiled import MATRICES
from .interface import LSTMInterface
from .moments import Moments
from .running import run
from .variables import ArcVariables

DEPTHS = ("hold", "skip", "cut")
ZoneLike = Zone | str | None  # what a zone is given as: itself, its text, or None for no arc


@keras.saving.register_keras_serializable(package="lstm_lib")
class IsolatedLSTM(LSTMInterface):
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

    `get_weights` and `set_weights` have the layout of keras.layers.LSTM whatever the zone; so has what is saved. Those
    of a model list its variables, so that weights taken from a model at one zone are refused at another.

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
        super().__init__(units, **kwargs)
        if zone is not None and not isinstance(zone, Zone | str):
            raise ValueError(f"zone is a Zone, its text or None; got a {type(zone).__name__}")
        self._zone_given = zone
        self._depth, self._span = _checked(depth, span)
        self._plan: Plan | None = None
        self._traced = False

    # ------------------------------------------------------------------------------------------------- the zone

    @property
    def depth(self) -> str:
        """The depth of its plan."""
        return self._depth

    @property
    def span(self) -> int | None:
        """The span of its plan."""
        return self._span

    @property
    def zone(self) -> Zone:
        """The isolated arcs, as a zone of `plan.spec`; the layer must be built."""
        return self.plan.zone

    @property
    def plan(self) -> Plan:
        """What is left to do, for a network of this layer and one output; the layer must be built."""
        if self._plan is None:
            raise ValueError(
                f"layer {self.name!r} has no plan yet: its zone needs the number of inputs; build the layer first"
            )
        return self._plan

    def set_zone(
        self, zone: ZoneLike, depth: str = "same", span: int | str | None = "same", model: Any = None
    ) -> bool:
        """Isolate another zone from now on. Weights keep their values, and moments go with their arcs.

        Parameters
        ----------
        zone, depth, span : as for the layer; "same" keeps what is.
        model : the model that is trained with this layer, once it has been run: its optimiser is carried over
            (`model.optimizer` becomes another object with another structure) and, where needed, its functions are
            traced anew. Other functions that were traced with the layer give NaN from then on: trace them again,
            and compile() another model that shares the layer.

        Returns
        -------
        Whether something must be traced anew. A zone of the same structure, such as other units in the same
        number, keeps variables and graphs, and only writes new values into them.

        Raises ValueError as the layer does; without `model` when the layer has been traced; for a model without it.

        >>> layer = IsolatedLSTM(4, zone="0[0,2]", depth="cut")
        >>> layer.build((None, 3, 5))
        >>> layer.set_zone("0[1,3]"), layer.set_zone("0[2:4]")
        (False, True)
        """
        depth, span = _checked(
            self._depth if depth == "same" else depth, self._span if span == "same" else span
        )
        if not self.built:
            self._zone_given, self._depth, self._span = zone, depth, span
            return False
        plan = isolate(self._spec, self._read(zone), depth, span)
        if model is None and self._traced:
            raise ValueError(
                f"layer {self.name!r} already is part of a traced function, which would go on with the old zone; "
                "give the model it belongs to: set_zone(..., model=model)"
            )
        if model is not None and all(layer is not self for layer in model._flatten_layers()):
            raise ValueError(f"the model {model.name!r} has no layer that is this {self.name!r}")
        if (plan.zone, plan.depth, plan.span) == (self.zone, self._depth, self._span):
            return False
        return self._change(plan, model)

    def _read(self, zone: ZoneLike) -> Zone:
        """The zone on this layer's own spec, without what it says of the head."""
        spec = self._spec
        if zone is None:
            return nothing(spec)
        found = read_zone(spec, zone) if isinstance(zone, str) else zone
        theirs = found.spec
        if (theirs.inputs, theirs.units, theirs.cell) != (spec.inputs, spec.units, spec.cell):
            raise ValueError(
                f"the zone was made for {theirs}; layer {self.name!r} needs one for inputs={spec.inputs}, "
                f"units={spec.units}, cell='standard'"
            )
        masks = {name: mask for name in MATRICES.values() if (mask := found.mask(name)).any()}
        if found.size and not masks:
            raise ValueError(f"the zone {found} has arcs of the head alone; those of a layer are named 0/...")
        return Zone(spec, masks)

    def _change(self, plan: Plan, model: Any) -> bool:
        """Put the arcs where the plan wants them; True if anything must be traced anew."""
        optimizer = None if model is None else model.optimizer
        if optimizer is not None and optimizer.built:
            others = self._moments.read(optimizer, self.arcs)
            anew = self.arcs.hold(plan)
            trained = model.trainable_variables if anew else None
            model.optimizer = self._moments.write(optimizer, trained, self.arcs, others)
        else:
            anew = self.arcs.hold(plan)
        if anew and model is not None:
            if model.train_function is not None:
                model.make_train_function(force=True)
            model.test_function = model.predict_function = None
        self._plan, self._depth, self._span = plan, plan.depth, plan.span
        return anew

    # --------------------------------------------------------------------------------------------- the weights

    def build(self, sequences_shape: Sequence[int | None], initial_state_shape: Any = None) -> None:
        """Make the variables; sequences_shape is (B, T, D), of which only D must be known."""
        D = sequences_shape[-1]
        if D is None:
            raise ValueError(f"layer {self.name!r} needs a known number of inputs, got {sequences_shape}")
        self._spec = Spec(int(D), (self.units,), 1)
        self.steps = sequences_shape[1]
        self._plan = isolate(self._spec, self._read(self._zone_given), self._depth, self._span)
        with tf.init_scope():
            self.arcs = ArcVariables(self, self._plan, self.first_weights(int(D)))
        self._moments = Moments()

    def slots(self, optimizer: Any, name: str) -> dict[str, Array]:
        """What a built optimiser keeps by a name, such as "momentum", of all arcs: held for isolated ones, or 0."""
        self._moments.read(optimizer, self.arcs)
        values = self._moments.values
        return {m: np.nan_to_num(values[m, name, 0]) for m in MATRICES if (m, name, 0) in values}

    def get_weights(self) -> list[Array]:
        """Kernel (D, 4H), recurrent kernel (H, 4H) and bias (4H,), as of keras.layers.LSTM."""
        return list(self.arcs.read().values()) if self.built else []

    def set_weights(self, weights: Iterable[Any]) -> None:
        """Take kernel, recurrent kernel and bias, as of keras.layers.LSTM; ValueError for other shapes."""
        given = [np.asarray(w) for w in weights]
        shapes = [s.shape for s in self.arcs.splits.values()] if self.built else []
        if [w.shape for w in given] != shapes:
            raise ValueError(
                f"layer {self.name!r} takes weights of shapes {shapes}, got {[w.shape for w in given]}"
                + ("" if self.built else "; build the layer first")
            )
        self.arcs.write(dict(zip(MATRICES, given, strict=True)))

    def save_own_variables(self, store: Any) -> None:
        """Save the weights in the layout of keras.layers.LSTM, so that a layer with another zone can load them."""
        for k, weight in enumerate(self.get_weights()):
            store[str(k)] = weight

    def load_own_variables(self, store: Any) -> None:
        """Load what `save_own_variables` saved."""
        self.set_weights([np.asarray(store[str(k)][()]) for k in range(len(store.keys()))])

    # ------------------------------------------------------------------------------------------------- running

    def inner_loop(self, sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
        """The pass, for the `call` of keras.layers.LSTM: the last output or all outputs, twice, and h and c."""
        self._traced |= not tf.executing_eagerly()
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


def _checked(depth: str, span: Any) -> tuple[str, int | None]:
    """A depth and a span that this layer has; ValueError otherwise."""
    if depth not in DEPTHS:
        why = "; 'cache' remembers states, which a single layer can't" if depth == "cache" else ""
        raise ValueError(f"depth is {depth!r}; the choices are {', '.join(DEPTHS)}{why}")
    spec = Spec(1, (1,), 1)
    return depth, isolate(spec, nothing(spec), depth, span).span
