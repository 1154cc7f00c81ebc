"""`isolate_layer`: a model in which one LSTM layer has a zone, or none again."""

from __future__ import annotations

from typing import Any

from .backend import keras
from .layer import IsolatedLSTM, ZoneLike


def isolate_layer(
    model: Any, layer: str, zone: ZoneLike, depth: str = "skip", span: int | None = None
) -> Any:
    """A copy of a model in which one LSTM layer is an `IsolatedLSTM`, or a keras.layers.LSTM again.

    Parameters
    ----------
    model : a built Sequential or functional model. It stays as it is.
    layer : the name of its keras.layers.LSTM or IsolatedLSTM, which may stand in a model within the model, or be one of
        the two in a Bidirectional, such as "forward_lstm".
    zone, depth, span : as for `IsolatedLSTM`; zone=None makes it a keras.layers.LSTM.

    Returns
    -------
    A model with the same weights, compiled as the model was, with a fresh optimiser (as keras.models.clone_model).

    Raises ValueError for a name that isn't there, with those of the LSTM layers; for a layer that can't be expressed,
    naming the argument; for a zone, depth or span that isn't one.

    >>> import numpy as np
    >>> model = keras.Sequential([keras.Input((6, 3)), keras.layers.LSTM(4, name="lstm"), keras.layers.Dense(1)])
    >>> part = isolate_layer(model, "lstm", "0/Wh", depth="skip")
    >>> x = np.ones((2, 6, 3), "float32")
    >>> bool(np.allclose(part(x), model(x), atol=1e-6)), [v.name for v in part.trainable_weights]
    (True, ['kernel', 'bias', 'kernel', 'bias'])
    >>> type(isolate_layer(part, "lstm", None).layers[0]).__name__
    'LSTM'
    """
    layers = [one for one in model._flatten_layers() if isinstance(one, keras.layers.Layer)]
    old = next((one for one in layers if one.name == layer), None)
    if old is None:
        names = [one.name for one in layers if isinstance(one, keras.layers.LSTM)]
        raise ValueError(f"no layer {layer!r} in the model; its LSTM layers are {', '.join(names) or 'none'}")
    if not isinstance(old, keras.layers.LSTM):
        raise ValueError(
            f"layer {layer!r} is a {type(old).__name__}; expected a keras.layers.LSTM or IsolatedLSTM"
        )
    if not old.built:
        raise ValueError(f"layer {layer!r} has no weights yet; build the model first")
    config, own = old.get_config(), {"zone": zone, "depth": depth, "span": span}
    if zone is None:
        new = keras.layers.LSTM.from_config({k: v for k, v in config.items() if k not in own})
    else:
        new = IsolatedLSTM.from_config(config | own)
    swapped = 0

    def clone(one: Any) -> Any:
        nonlocal swapped
        if one is old:
            swapped += 1
            return new
        config = one.get_config()
        if isinstance(one, keras.layers.Bidirectional):
            for part, key in ((one.forward_layer, "layer"), (one.backward_layer, "backward_layer")):
                if part is old:
                    swapped += 1
                    config[key] = keras.saving.serialize_keras_object(new)
        return one.__class__.from_config(config)

    made = keras.models.clone_model(model, clone_function=clone, recursive=True)
    if not swapped:
        raise ValueError(
            f"layer {layer!r} stands inside a layer that wraps it and is no Bidirectional; "
            "wrap an IsolatedLSTM yourself and give it the weights with set_weights"
        )
    _copy_weights(model, made)
    return made


def _copy_weights(old: Any, new: Any) -> None:
    """Layer by layer, since an IsolatedLSTM has the layout of an LSTM, but the model around it has not."""
    if isinstance(old, keras.Model):
        pairs = list(zip(old.layers, new.layers, strict=True))
    elif isinstance(old, keras.layers.Bidirectional):
        pairs = [(old.forward_layer, new.forward_layer), (old.backward_layer, new.backward_layer)]
    else:
        new.set_weights(old.get_weights())
        return
    for one, other in pairs:
        _copy_weights(one, other)
