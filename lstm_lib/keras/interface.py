"""What `IsolatedLSTM` has in common with keras.layers.LSTM: its arguments, shapes, masks and first weights.

Letters: B batch, T steps, D inputs, H units. Keras has a kernel (D, 4H), a recurrent kernel (H, 4H) and a bias (4H,).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lstm_lib.network.cells import Array
from lstm_lib.network.spec import is_whole

from .backend import keras, tf
from .compiled import MATRICES

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
DTYPES = ("float32", "float64")
SUMS = (keras.regularizers.L1, keras.regularizers.L2, keras.regularizers.L1L2)  # over arcs, one by one
REGULARIZERS = dict(
    zip(MATRICES, ("kernel_regularizer", "recurrent_regularizer", "bias_regularizer"), strict=True)
)
INITIALIZERS = ("kernel_initializer", "recurrent_initializer", "bias_initializer")
FLAGS = ("return_sequences", "return_state", "go_backwards", "zero_output_for_mask")


class LSTMInterface(keras.layers.Layer):  # type: ignore[misc]
    """The arguments of keras.layers.LSTM, and what follows from them alone; see `IsolatedLSTM`.

    Raises ValueError, by name, for an argument that isn't supported.
    """

    def __init__(
        self,
        units: int,
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
        if not is_whole(units, 1):
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
        self.regularizers = {
            m: _regularizer(REGULARIZERS[m], one) for m, one in zip(MATRICES, given, strict=True)
        }
        self.dropout = dropout
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed=seed) if dropout else None
        self.return_sequences, self.return_state = return_sequences, return_state
        self.go_backwards, self.zero_output_for_mask = go_backwards, zero_output_for_mask
        self.stateful = False
        self.supports_masking = True
        self.input_spec = keras.layers.InputSpec(ndim=3)

    def first_weights(self, D: int) -> dict[str, Array]:
        """Kernel, recurrent kernel and bias as keras.layers.LSTM draws them, in its order."""
        dtype, H = self.variable_dtype, self.units
        kernel = np.asarray(self.kernel_initializer((D, 4 * H), dtype=dtype))
        recurrent = np.asarray(self.recurrent_initializer((H, 4 * H), dtype=dtype))
        if self.unit_forget_bias:
            first, last = (np.asarray(self.bias_initializer((n,), dtype=dtype)) for n in (H, 2 * H))
            bias = np.concatenate([first, np.ones(H, dtype), last])
        else:
            bias = np.asarray(self.bias_initializer((4 * H,), dtype=dtype))
        return {"kernel": kernel, "recurrent_kernel": recurrent, "bias": bias}

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

    def _shown(self, mask: Any, dtype: Any) -> Any:
        """1 where Keras shows an output, 0 where it shows zeros: at masked steps if asked to, else before the first."""
        shown = tf.cast(mask, dtype)
        if not self.zero_output_for_mask:
            shown = tf.cast(tf.cumsum(shown) > 0, dtype)
        return shown if self.return_sequences else shown[-1]

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this layer again."""
        own = ("units", "unit_forget_bias", "dropout", "seed", *FLAGS)
        config = {name: getattr(self, name) for name in own}
        config |= {name: keras.initializers.serialize(getattr(self, name)) for name in INITIALIZERS}
        penalties = {REGULARIZERS[m]: one for m, one in self.regularizers.items()}
        penalties["activity_regularizer"] = self.activity_regularizer
        config |= {
            name: None if one is None else keras.regularizers.serialize(one)
            for name, one in penalties.items()
        }
        return {**super().get_config(), **config}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """The layer of a `get_config`, or of that of a keras.layers.LSTM."""
        return cls(**config)


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


def _regularizer(name: str, given: Any) -> Any:
    """A regularizer that adds up what it makes of every arc, so that it can leave isolated ones out; or None."""
    found = keras.regularizers.get(given)
    if found is not None and type(found) not in SUMS:
        raise ValueError(
            f"IsolatedLSTM has {name}={given!r}; only L1, L2 and L1L2 are supported: others act on whole variables"
        )
    return found
