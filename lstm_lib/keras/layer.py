"""`IsolatedLSTM`: the LSTM layer of Keras with a zone of arcs that are not updated.

Active and isolated arcs stand in variables of their own, trainable and not, so that nothing an optimiser does to a
variable (moments, weight decay, clipping, moving averages) reaches an isolated arc. The backward pass is the derived
one (`keras_pass.py`), with the products that `isolate` leaves.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np

from lstm_lib.isolation.plan import Plan, isolate
from lstm_lib.isolation.zones import Zone, nothing, read_zone
from lstm_lib.network.cells import Array
from lstm_lib.network.spec import Spec

from .backend import keras, tf
from .compiled import MATRICES, Split, Structure, compile_plan, join_arcs, split_arcs
from .moments import Held
from .running import run

# Arguments of keras.layers.LSTM that have one value here: the value, and why.
_WHOLE = "it sets whole columns, isolated arcs included"
ONLY: dict[str, tuple[Any, str]] = {
    "activation": ("tanh", "the gradients are derived for the standard cell"),
    "recurrent_activation": ("sigmoid", "the gradients are derived for the standard cell"),
    "use_bias": (True, "the gradients are derived with a bias"),
    "kernel_constraint": (None, _WHOLE),
    "recurrent_constraint": (None, _WHOLE),
    "bias_constraint": (None, _WHOLE),
    "recurrent_dropout": (0.0, "Keras draws a mask for each gate then, which takes a product for each"),
    "stateful": (False, "pass initial_state and use return_state instead"),
    "unroll": (False, "the loop over time is never unrolled"),
}
DEPTHS = ("hold", "skip", "cut")
DTYPES = ("float32", "float64")
SUMS = (keras.regularizers.L1, keras.regularizers.L2, keras.regularizers.L1L2)  # over arcs, one by one
REGULARIZERS = dict(
    zip(MATRICES, ("kernel_regularizer", "recurrent_regularizer", "bias_regularizer"), strict=True)
)


def _check_only(given: dict[str, Any]) -> None:
    """Take the arguments of `ONLY` out of `given`; refuse other values by name."""
    for name, (only, why) in ONLY.items():
        value = given.pop(name, only)
        if name.endswith("activation") and value is not None and not isinstance(value, str):
            value = keras.activations.serialize(keras.activations.get(value))
        if value != only:
            raise ValueError(f"IsolatedLSTM has {name}={value!r}; only {only!r} is supported: {why}")
    if given.pop("use_cudnn", "auto") is True:
        raise ValueError(
            "IsolatedLSTM has use_cudnn=True; only 'auto' and False are supported: its pass is its own"
        )
    given.pop("implementation", None)  # how keras.layers.LSTM forms its products


@keras.saving.register_keras_serializable(package="lstm_lib")
class IsolatedLSTM(keras.layers.Layer):  # type: ignore[misc]
    """keras.layers.LSTM with a zone of isolated arcs.

    Parameters
    ----------
    units : H.
    zone : the arcs to isolate, on the names of a network of one layer ("0/Wx", "0/Wh", "0/b"): a `Zone` of a
        `Spec` with this layer's inputs and units, its text such as "0/Wh/f[0:32]", or None for no arc. What it
        says of the head is left to the Dense layer that is the head.
    depth : "hold", "skip" or "cut", as for `lstm_lib.isolate`; "cache" has no counterpart here.
    span : errors travel the last `span` steps only (of the order in which steps are computed); None: all.
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
        self,
        units: int,
        zone: Zone | str | None = None,
        depth: str = "skip",
        span: int | None = None,
        *,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        zero_output_for_mask: bool = False,
        **kwargs: Any,
    ) -> None:
        _check_only(kwargs)
        super().__init__(**kwargs)
        if not isinstance(units, int | np.integer) or isinstance(units, bool) or units < 1:
            raise ValueError(f"units must be a whole number of at least 1, got {units!r}")
        if not 0 <= dropout <= 1:
            raise ValueError(f"dropout must be from 0 to 1, got {dropout!r}")
        if self.compute_dtype not in DTYPES or self.variable_dtype != self.compute_dtype:
            raise ValueError(
                f"IsolatedLSTM has dtype={self.dtype_policy.name!r}; only {' and '.join(DTYPES)} are supported"
            )
        self.units = int(units)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.recurrent_initializer = keras.initializers.get(recurrent_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.unit_forget_bias = unit_forget_bias
        given = kernel_regularizer, recurrent_regularizer, bias_regularizer
        self.regularizers = {m: _a_sum(REGULARIZERS[m], r) for m, r in zip(MATRICES, given, strict=True)}
        self.dropout = dropout
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed=seed) if dropout else None
        self.return_sequences, self.return_state = return_sequences, return_state
        self.go_backwards, self.zero_output_for_mask = go_backwards, zero_output_for_mask
        self.stateful = False
        self.supports_masking = True
        self.input_spec = keras.layers.InputSpec(ndim=3)
        if zone is not None and not isinstance(zone, Zone | str):
            raise ValueError(f"zone is a Zone, its text or None; got a {type(zone).__name__}")
        self._zone_given: Zone | str | None = zone
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
        self,
        zone: Zone | str | None,
        depth: str = "same",
        span: int | Literal["same"] | None = "same",
        model: Any = None,
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

    def _read(self, zone: Zone | str | None) -> Zone:
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
        structure, arrays = compile_plan(plan)
        anew = bool(structure != self._structure)
        full = dict(zip(MATRICES, self.get_weights(), strict=True))
        optimizer = None if model is None else model.optimizer
        if optimizer is not None and optimizer.built:
            taken = self._held.take(optimizer, self._active(), self._splits, self._orders)
            self._hold(structure, arrays, full, anew)
            trained = model.trainable_variables if anew else optimizer._trainable_variables
            model.optimizer = self._held.give(
                optimizer, list(trained), self._active(), self._splits, self._orders, taken, not anew
            )
        else:
            self._hold(structure, arrays, full, anew)
        if anew and model is not None:
            if model.train_function is not None:
                model.make_train_function(force=True)
            model.test_function = model.predict_function = None
        self._plan, self._depth, self._span = plan, plan.depth, plan.span
        return anew

    # --------------------------------------------------------------------------------------------- the variables

    def build(self, sequences_shape: Sequence[int | None], initial_state_shape: Any = None) -> None:
        """Make the variables; sequences_shape is (B, T, D), of which only D must be known."""
        D, H = sequences_shape[-1], self.units
        if D is None:
            raise ValueError(f"layer {self.name!r} needs a known number of inputs, got {sequences_shape}")
        self._spec = Spec(int(D), (H,), 1)
        self._steps = sequences_shape[1]
        self._held = Held()
        # (matrix, "active" or "isolated") -> variable, and the arrays of the plan by name. In a namespace, for Keras
        # and TensorFlow wrap dicts; the layer itself keeps track of what is in these.
        self._own = SimpleNamespace(variables={}, arrays={})
        plan = isolate(self._spec, self._read(self._zone_given), self._depth, self._span)
        self._mark: Any = None
        with tf.init_scope():
            self._hold(*compile_plan(plan), self._initial(int(D), H), anew=True)
        self._plan = plan

    def _initial(self, D: int, H: int) -> dict[str, Array]:
        """As keras.layers.LSTM draws them."""
        dtype = self.variable_dtype
        kernel = np.asarray(self.kernel_initializer((D, 4 * H), dtype=dtype))
        recurrent = np.asarray(self.recurrent_initializer((H, 4 * H), dtype=dtype))
        if self.unit_forget_bias:
            first, last = (np.asarray(self.bias_initializer((n,), dtype=dtype)) for n in (H, 2 * H))
            bias = np.concatenate([first, np.ones(H, dtype), last])
        else:
            bias = np.asarray(self.bias_initializer((4 * H,), dtype=dtype))
        return {"kernel": kernel, "recurrent_kernel": recurrent, "bias": bias}

    def _hold(
        self, structure: Structure, arrays: dict[str, Array], full: dict[str, Array], anew: bool
    ) -> None:
        """Keep a compiled plan and the weights: in the variables there are, or in new ones for a new structure."""
        self._structure = structure
        self._splits: dict[str, Split] = dict(structure.splits)
        self._orders = {k: arrays[s.order] if s.order else None for k, s in self._splits.items()}
        locked = self._tracker.locked
        self._tracker.unlock()
        if anew:
            self._give_up_variables()
            for name, array in arrays.items():
                self._own.arrays[name] = tf.Variable(array, trainable=False, dtype=array.dtype)
            for matrix, split in self._splits.items():
                for kind, shape in split.shapes.items():
                    self._own.variables[matrix, kind] = self.add_weight(
                        shape=shape,
                        initializer="zeros",
                        name=matrix if len(split.shapes) == 1 else f"{matrix}_{kind}",
                        trainable=kind == "active",
                        regularizer=self.regularizers[matrix] if kind == "active" else None,
                    )
        else:
            for name, array in arrays.items():
                self._own.arrays[name].assign(array)
        self._write(full)
        self._mark_arcs()
        if locked:
            self._tracker.lock()

    def _give_up_variables(self) -> None:
        """Let go of all variables. They become NaN: whoever still runs a graph with them shall notice."""
        for variable in self._own.variables.values():
            variable.assign(np.full(variable.shape, np.nan))
            self._untrack_variable(variable)
        self._own.variables.clear()
        self._own.arrays.clear()

    def _mark_arcs(self) -> None:
        """Have a weight of no numbers whose shape differs from zone to zone.

        Variables of two zones can have the same shapes and hold other arcs. With it Keras refuses to put weights that
        a model gave at one zone, as EarlyStopping keeps them, back at another.
        """
        orders = b"".join(order.tobytes() for order in self._orders.values() if order is not None)
        shape = (0, zlib.crc32(orders))
        if self._mark is not None and tuple(self._mark.shape) != shape:
            self._untrack_variable(self._mark)
            self._mark = None
        if self._mark is None and orders:
            self._mark = self.add_weight(shape=shape, initializer="zeros", name="arcs", trainable=False)

    def _write(self, full: dict[str, Array]) -> None:
        """Write the weights into the variables."""
        for matrix, split in self._splits.items():
            for kind, value in split_arcs(split, self._orders[matrix], full[matrix]).items():
                self._own.variables[matrix, kind].assign(value)

    def _active(self) -> dict[int, str]:
        """Matrix of every variable of active arcs, by its id."""
        return {id(v): matrix for (matrix, kind), v in self._own.variables.items() if kind == "active"}

    def slots(self, optimizer: Any, name: str) -> dict[str, Array]:
        """What a built optimiser keeps by a name, such as "momentum", of all arcs: held for isolated ones, or 0."""
        self._held.take(optimizer, self._active(), self._splits, self._orders)
        held = self._held.values
        return {m: held[m, name, 0][0] for m in MATRICES if (m, name, 0) in held}

    def get_weights(self) -> list[Array]:
        """Kernel (D, 4H), recurrent kernel (H, 4H) and bias (4H,), as of keras.layers.LSTM."""
        if not self.built:
            return []
        values = {key: np.asarray(v) for key, v in self._own.variables.items()}
        return [
            join_arcs(s, self._orders[m], {kind: values[m, kind] for kind in s.shapes})
            for m, s in self._splits.items()
        ]

    def set_weights(self, weights: Iterable[Any]) -> None:
        """Take kernel, recurrent kernel and bias, as of keras.layers.LSTM; ValueError for other shapes."""
        full = [np.asarray(w) for w in weights]
        shapes = [s.shape for s in self._splits.values()] if self.built else []
        if [w.shape for w in full] != shapes:
            raise ValueError(
                f"layer {self.name!r} takes weights of shapes {shapes}, got {[w.shape for w in full]}"
                + ("" if self.built else "; build the layer first")
            )
        self._write(dict(zip(MATRICES, full, strict=True)))

    def save_own_variables(self, store: Any) -> None:
        """Save the weights in the layout of keras.layers.LSTM, so that a layer with another zone can load them."""
        for k, weight in enumerate(self.get_weights()):
            store[str(k)] = weight

    def load_own_variables(self, store: Any) -> None:
        """Load what `save_own_variables` saved."""
        self.set_weights([np.asarray(store[str(k)][()]) for k in range(len(store.keys()))])

    # ------------------------------------------------------------------------------------------------- running

    def call(
        self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False
    ) -> Any:
        """See the class."""
        if not tf.executing_eagerly():
            self._traced = True
        x = tf.convert_to_tensor(sequences)
        if training and self.dropout:
            kept = keras.random.dropout(tf.ones_like(x[:, 0, :]), self.dropout, seed=self.seed_generator)
            x = x * kept[:, None]
        if isinstance(mask, list | tuple):
            mask = mask[0]
        h, c = self.get_initial_state(tf.shape(x)[0]) if initial_state is None else initial_state
        h, c = (tf.cast(tf.convert_to_tensor(a), x.dtype) for a in (h, c))
        x = tf.transpose(x, (1, 0, 2))
        if mask is not None:
            mask = tf.transpose(tf.cast(mask, tf.bool))[:, :, None]
        if self.go_backwards:
            x, mask = tf.reverse(x, [0]), None if mask is None else tf.reverse(mask, [0])
        parts = {key: tf.convert_to_tensor(v) for key, v in self._own.variables.items()}
        arrays = {name: tf.convert_to_tensor(v) for name, v in self._own.arrays.items()}
        hs, c = run(self._structure, arrays, parts, x, h, c, mask, self.return_sequences)
        h = hs[-1] if self.return_sequences else hs
        output = hs if mask is None else hs * self._shown(mask, hs.dtype)
        if self.return_sequences:
            output = tf.transpose(output, (1, 0, 2))
        return (output, h, c) if self.return_state else output

    def _shown(self, mask: Any, dtype: Any) -> Any:
        """1 where Keras shows an output, 0 where it shows zeros: at masked steps if asked to, else before the first."""
        shown = tf.cast(mask, dtype)
        if not self.zero_output_for_mask:
            shown = tf.cast(tf.cumsum(shown) > 0, dtype)
        return shown if self.return_sequences else shown[-1]

    def get_initial_state(self, batch_size: Any = None) -> list[Any]:
        """Zeros for h and c, (batch_size, H) each."""
        return [tf.zeros((batch_size, self.units), self.compute_dtype) for _ in range(2)]

    def compute_output_shape(
        self, sequences_shape: Sequence[int | None], initial_state_shape: Any = None
    ) -> Any:
        """Of what `call` returns."""
        B, T, _ = sequences_shape
        state = (B, self.units)
        output = (B, T, self.units) if self.return_sequences else state
        return (output, state, state) if self.return_state else output

    def compute_output_spec(self, sequences: Any, *args: Any, **kwargs: Any) -> Any:
        """As `compute_output_shape`, with dtypes."""
        shape = self.compute_output_shape(sequences.shape)
        if not self.return_state:
            return keras.KerasTensor(shape, dtype=self.compute_dtype)
        return tuple(keras.KerasTensor(one, dtype=self.compute_dtype) for one in shape)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The mask of what comes out: that of the steps, if steps come out."""
        mask = mask[0] if isinstance(mask, list | tuple) else mask
        mask = mask if self.return_sequences else None
        return (mask, None, None) if self.return_state else mask

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this layer again, with the zone it has now as a text."""
        zone = self._zone_given if self._plan is None else self._plan.zone
        flags = ("return_sequences", "return_state", "go_backwards", "zero_output_for_mask")
        own = ("units", "unit_forget_bias", "dropout", "seed", *flags)
        initializers = ("kernel_initializer", "recurrent_initializer", "bias_initializer")
        config = {name: getattr(self, name) for name in own}
        config |= {name: keras.initializers.serialize(getattr(self, name)) for name in initializers}
        penalties = {REGULARIZERS[m]: r for m, r in self.regularizers.items()}
        penalties["activity_regularizer"] = self.activity_regularizer
        config |= {k: None if r is None else keras.regularizers.serialize(r) for k, r in penalties.items()}
        words = {"zone": None if zone is None else str(zone), "depth": self._depth, "span": self._span}
        return {**super().get_config(), **config, **words}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> IsolatedLSTM:
        """The layer of a `get_config`, or of that of a keras.layers.LSTM."""
        return cls(**config)


def _a_sum(name: str, given: Any) -> Any:
    """A regularizer that adds up what it makes of every arc, so that it can leave isolated ones out; or None."""
    found = keras.regularizers.get(given)
    if found is not None and type(found) not in SUMS:
        raise ValueError(
            f"IsolatedLSTM has {name}={given!r}; only L1, L2 and L1L2 are supported: others act on whole variables"
        )
    return found


def _checked(depth: str, span: Any) -> tuple[str, int | None]:
    """A depth and a span that this layer has; ValueError otherwise."""
    if depth not in DEPTHS:
        why = "; 'cache' remembers states, which a single layer can't" if depth == "cache" else ""
        raise ValueError(f"depth is {depth!r}; the choices are {', '.join(DEPTHS)}{why}")
    spec = Spec(1, (1,), 1)
    return depth, isolate(spec, nothing(spec), depth, span).span
