"""The layers of a Keras model, and whether they are a chain: who reads layers alone loses all else in its graph."""

from __future__ import annotations

from typing import Any

from .backend import keras


def layers_of(model: Any) -> list[Any]:
    """The layers in their order, without that of the inputs."""
    if not isinstance(model, keras.Sequential | keras.Function):
        raise ValueError(
            f"from_keras takes a Sequential or functional model, got a {type(model).__name__}; "
            "only these say how their layers are put together"
        )
    layers = [one for one in model.layers if not isinstance(one, keras.layers.InputLayer)]
    if not all(one.built for one in layers):
        raise ValueError(
            f"model {model.name!r} has no weights yet; begin it with keras.Input((None, inputs)), or call it once"
        )
    return layers


def chain_of(model: Any) -> list[Any]:
    """The layers from the inputs to the output; ValueError for what is no chain of layers, by its name."""
    graph = model if isinstance(model, keras.Function) else getattr(model, "_functional", None)
    if graph is None:
        return list(model.layers)
    found: list[Any] = []
    tensors = keras.tree.flatten(graph.outputs)
    while True:
        if len(tensors) != 1:
            at = f"layer {found[0].name!r}" if found else f"model {model.name!r}"
            raise ValueError(
                f"{at} takes or gives {len(tensors)} tensors; only a chain of layers can be converted"
            )
        one, node, _ = tensors[0]._keras_history
        if isinstance(one, keras.layers.InputLayer):
            return found
        if not isinstance(one, keras.layers.Layer):
            raise ValueError(
                f"{one.name!r} is a {type(one).__name__}, no layer; expected nothing but layers between the inputs "
                "and the output: do what it does to the data, before or after"
            )
        if any(one is other for other in found):
            raise ValueError(f"layer {one.name!r} is used twice; only a chain of layers can be converted")
        found.insert(0, one)
        tensors = one._inbound_nodes[node].input_tensors
