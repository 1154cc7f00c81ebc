"""What `IsolatedLSTM` takes of keras.layers.LSTM: which of its arguments, and how its first weights are drawn.

Letters: D inputs, H units.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lstm_lib.network.cells import Array
from lstm_lib.network.spec import is_whole

from .backend import keras
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
REGULARIZERS = dict(
    zip(MATRICES, ("kernel_regularizer", "recurrent_regularizer", "bias_regularizer"), strict=True)
)
# Those that add up what they make of every arc, so that they can leave isolated ones out.
SUMS = (type(None), keras.regularizers.L1, keras.regularizers.L2, keras.regularizers.L1L2)


class LSTMInterface(keras.layers.LSTM):  # type: ignore[misc]
    """keras.layers.LSTM whose cell is never built: the weights and the pass are left to `IsolatedLSTM`.

    Raises ValueError, by name, for an argument that isn't supported.
    """

    # Else Keras takes a pass of its own where it has one; Bidirectional sets it on its layers, and is not heard.
    use_cudnn = property(lambda self: False, lambda self, given: None)

    def __init__(self, units: int, **arguments: Any) -> None:
        if not is_whole(units, 1):
            raise ValueError(f"units must be a whole number of at least 1, got {units!r}")
        if not 0 <= arguments.get("dropout", 0) <= 1:
            raise ValueError(f"dropout must be from 0 to 1, got {arguments['dropout']!r}")
        if arguments.get("use_cudnn") is True:
            raise ValueError(
                "IsolatedLSTM has use_cudnn=True; only 'auto' and False are supported: its pass is its own"
            )
        # "implementation" says how keras.layers.LSTM forms its products; 1 would draw a dropout mask for each gate
        super().__init__(int(units), **arguments | {"implementation": 2, "use_cudnn": False})
        if not self.dropout:
            self.cell._seed_generators.clear()  # else their state would count among the layer's variables
        config = super().get_config()
        for name, (only, why) in ONLY.items():
            if config[name] != only:
                raise ValueError(
                    f"IsolatedLSTM has {name}={arguments[name]!r}; only {only!r} is supported: {why}"
                )
        if self.compute_dtype not in DTYPES or self.variable_dtype != self.compute_dtype:
            raise ValueError(
                f"IsolatedLSTM has dtype={self.dtype_policy.name!r}; only {' and '.join(DTYPES)} are supported; "
                'give this layer a dtype of its own: LSTM(..., dtype="float32")'
            )
        self.regularizers = {matrix: getattr(self, name) for matrix, name in REGULARIZERS.items()}
        for matrix, name in REGULARIZERS.items():
            if type(self.regularizers[matrix]) not in SUMS:
                raise ValueError(
                    f"IsolatedLSTM has {name}={arguments[name]!r}; only L1, L2 and L1L2 are supported: "
                    "others act on whole variables"
                )

    def first_weights(self, D: int) -> dict[str, Array]:
        """Kernel (D, 4H), recurrent kernel (H, 4H) and bias (4H,) as keras.layers.LSTM draws them, in its order."""
        dtype, H = self.variable_dtype, self.units
        kernel = self.kernel_initializer((D, 4 * H), dtype=dtype)
        recurrent = self.recurrent_initializer((H, 4 * H), dtype=dtype)
        lengths = (H, 2 * H) if self.unit_forget_bias else (4 * H,)
        bias = [np.asarray(self.bias_initializer((n,), dtype=dtype)) for n in lengths]
        if self.unit_forget_bias:
            bias.insert(1, np.ones(H, dtype))
        drawn = map(np.asarray, (kernel, recurrent, np.concatenate(bias)))
        return dict(zip(MATRICES, drawn, strict=True))
