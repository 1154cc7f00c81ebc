"""`isolate_layer`: a model in which one LSTM layer has a zone, or none again."""

from __future__ import annotations

import tempfile
from typing import Any

from .backend import keras
from .layer import IsolatedLSTM
from .zoned import ZoneLike

L = keras.layers
# What may stand around the layer: the attribute that has it, and its name in the config.
PARTS = (
    (L.Bidirectional, "forward_layer", "layer"),
    (L.Bidirectional, "backward_layer", "backward_layer"),
    (L.TimeDistributed, "layer", "layer"),
)


def isolate_layer(
    model: Any, layer: str, zone: ZoneLike, depth: str = "skip", span: int | None = None
) -> Any:
    """A copy of a model in which one LSTM layer is an `IsolatedLSTM`, or a keras.layers.LSTM again.

    Parameters
    ----------
    model : a built Sequential or functional model. It stays as it is.
    layer : the name of its keras.layers.LSTM or IsolatedLSTM, which may stand in a model within the model or in a
        TimeDistributed, or be one of the two in a Bidirectional, such as "forward_lstm".
    zone, depth, span : as for `IsolatedLSTM`; zone=None makes it a keras.layers.LSTM.

    Returns
    -------
    A model with the same weights and all other state of its layers (what `adapt` found, a vocabulary), compiled as the
    model was, with the same losses and a fresh optimiser of the same settings.

    Raises ValueError for a name that isn't there, with those of the LSTM layers, or that two layers have; for a model
    of one's own class; for a layer that can't be expressed, naming the argument; for a zone, depth or span that isn't
    one.

    >>> import numpy as np
    >>> model = keras.Sequential([keras.Input((6, 3)), keras.layers.LSTM(4, name="lstm"), keras.layers.Dense(1)])
    >>> part = isolate_layer(model, "lstm", "0/Wh", depth="skip")
    >>> x = np.ones((2, 6, 3), "float32")
    >>> bool(np.allclose(part(x), model(x), atol=1e-6)), [v.name for v in part.trainable_weights]
    (True, ['kernel', 'bias', 'kernel', 'bias'])
    >>> type(isolate_layer(part, "lstm", None).layers[0]).__name__
    'LSTM'
    """
    if not isinstance(model, keras.Sequential | keras.Function):
        raise ValueError(
            f"isolate_layer takes a Sequential or functional model, got a {type(model).__name__}; only these can be "
            "copied. In a model of your own put an IsolatedLSTM where its LSTM is, and use set_zone(..., model=model)"
        )
    layers = [one for one in model._flatten_layers() if isinstance(one, keras.layers.Layer)]
    named = {id(one): one for one in layers if one.name == layer}
    if len(named) > 1:
        raise ValueError(
            f"{len(named)} layers of the model are called {layer!r}; give each a name of its own"
        )
    old = next(iter(named.values()), None)
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
        for kind, attribute, key in PARTS:
            if isinstance(one, kind) and getattr(one, attribute) is old:
                swapped += 1
                config[key] = keras.saving.serialize_keras_object(new)
        return one.__class__.from_config(config)

    compiled, model.compiled = (
        model.compiled,
        False,
    )  # else Keras looks for losses of one's own by their names
    try:
        made = keras.models.clone_model(model, clone_function=clone, recursive=True)
    finally:
        model.compiled = compiled
    if not swapped:
        raise ValueError(
            f"layer {layer!r} stands inside a layer that wraps it and is no Bidirectional or TimeDistributed; "
            "wrap an IsolatedLSTM yourself and give it the weights with set_weights"
        )
    _copy_state(model, made)
    if compiled:
        _compile_as(model, made)
    return made


def _copy_state(old: Any, new: Any) -> None:
    """Layer by layer, as Keras saves each: its variables, and what it keeps beside them, such as a vocabulary."""
    if isinstance(old, keras.layers.LSTM):
        new.set_weights(old.get_weights())
        return
    kept: dict[str, Any] = {}
    old.save_own_variables(kept)
    if kept:
        new.load_own_variables(kept)
    if hasattr(old, "save_assets"):
        with tempfile.TemporaryDirectory() as folder:
            old.save_assets(folder)
            new.load_assets(folder)
    for one, other in zip(old._layers, new._layers, strict=True):
        _copy_state(one, other)


def _compile_as(old: Any, new: Any) -> None:
    """With the same losses, fresh metrics and a fresh optimiser of the same settings."""
    given = dict(old._compile_config.config)

    def fresh(one: Any) -> Any:
        return type(one).from_config(one.get_config()) if isinstance(one, keras.Metric) else one

    for name in ("metrics", "weighted_metrics"):
        given[name] = keras.tree.map_structure(fresh, given.get(name))
    optimizer = old.optimizer
    given["optimizer"] = type(optimizer).from_config(optimizer.get_config())
    new.compile(**given)
