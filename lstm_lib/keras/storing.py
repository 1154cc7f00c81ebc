"""What a file keeps of a layer, and what loading it takes when the file is of another zone.

Beside kernel, recurrent kernel and bias in the layout of keras.layers.LSTM a file has the zone at which it was written
and the moments held for isolated arcs. The moments of active arcs stand in the optimiser's own part of the file, by
variable, and fit that zone alone. So the layer takes that zone while Keras loads the optimiser, and then its own again.
Keras loads layers before the optimiser, and the parts of the optimiser after it (`rebuilding.Lineage`).
A tf.train.Checkpoint has the same beside the variables that it writes, and goes back to its own zone alone.
"""

from __future__ import annotations

import io
import re
from typing import Any

import numpy as np

from lstm_lib.network.cells import Array

from .backend import tf
from .compiled import MATRICES
from .rebuilding import lineage

PLAIN = re.compile(r"(^|/)lstm(_\d+)?/cell/vars$")  # where Keras has the weights of keras.layers.LSTM


def save(layer: Any, store: Any) -> None:
    """Write the weights, the zone and what is held."""
    if not layer.built:
        return
    for k, weight in enumerate(layer.get_weights()):
        store[str(k)] = weight
    for name, values in layer.moments.in_a_file().items():
        store[name] = values
    store["zone"] = np.frombuffer(str(layer.zone).encode(), "uint8")


def load(layer: Any, store: Any) -> str | None:
    """Take what `save` wrote, or a file of keras.layers.LSTM, or of the first edition, which has weights alone.

    Returns the zone of the file where it isn't the layer's and the optimiser's moments were not led to their arcs: it
    isn't known which model is trained with the layer, or that has none yet.
    """
    found = {key: np.asarray(store[key][()]) for key in store.keys()}  # noqa: SIM118
    own, zone = layer.zone, found["zone"].tobytes().decode() if "zone" in found else str(layer.zone)
    weights = [found[str(k)] for k in range(len(MATRICES)) if str(k) in found]
    if not weights:
        weights, zone = _of_a_plain_layer(layer, store), "nothing"
    layer.check_weights(weights)
    model = layer.its_model()
    optimizer = getattr(model, "optimizer", None)
    elsewhere = zone if zone != str(own) else None
    if elsewhere is not None and optimizer is not None and optimizer.built:
        _lend(layer, elsewhere, model, optimizer)
        elsewhere = None
    layer.set_weights(weights)
    layer.moments.from_a_file(found)
    return elsewhere


class InCheckpoint(tf.train.experimental.PythonState):  # type: ignore[misc]
    """What a tf.train.Checkpoint keeps of a layer. It is asked before any variable is written.

    A checkpoint has active arcs by the number of their variable, and isolated ones not at all. Here all stand with
    their zone; at another one the checkpoint is refused.
    """

    def __init__(self, layer: Any) -> None:
        self.layer = layer

    def serialize(self) -> bytes:
        """What `save` writes."""
        file, found = io.BytesIO(), dict[str, Any]()
        save(self.layer, found)
        np.savez(file, **found)
        return file.getvalue()

    def deserialize(self, string_value: bytes) -> None:
        """Take it; ValueError for a checkpoint of another zone, or a layer that isn't built."""
        layer = self.layer
        with np.load(io.BytesIO(string_value), allow_pickle=False) as file:
            found = dict(file)
        if not found:
            return
        zone = found["zone"].tobytes().decode()
        if not layer.built or zone != str(layer.zone):
            has = f"isolates {str(layer.zone)!r}" if layer.built else "isn't built"
            raise ValueError(
                f"this checkpoint was written while layer {layer.name!r} isolated {zone!r}; now it {has}, and the "
                "checkpoint would give variables those of other arcs. Give it that zone first, "
                f"set_zone({zone!r}, model=model), or save and load with Keras: model.save_weights"
            )
        layer.set_weights([found[str(k)] for k in range(len(MATRICES))])
        layer.moments.from_a_file(found)


def _lend(layer: Any, zone: str, model: Any, optimizer: Any) -> None:
    """Give the layer the zone of the file until the optimiser, which stays the same object, has been loaded.

    Should Keras leave the optimiser out, the next trace finds the layer still at that zone, and refuses.
    """
    own = layer.zone
    layer.set_zone(zone, model=model, optimizer=optimizer)
    layer.on_loan = str(own)
    lineage(optimizer).waiting.append(lambda: layer.set_zone(own, model=model, optimizer=optimizer))
    model.make_train_function(force=True)


def _of_a_plain_layer(layer: Any, store: Any) -> list[Array]:
    """The weights of the keras.layers.LSTM of the layer's name, which Keras has elsewhere in a file.

    Keras numbers the layers of a file by class. Where it has several LSTM, an IsolatedLSTM among them shifts the
    numbers of the others, and those would get each other's weights.
    """
    file: Any = getattr(store, "h5_file", None)
    paths: list[str] = []
    if file is not None:
        file.visit(paths.append)
    plain = [path.removesuffix("/cell/vars") for path in paths if PLAIN.search(path)]
    if len(plain) == 1 and file[plain[0]]["vars"].attrs.get("name") == layer.name:
        return [np.asarray(file[f"{plain[0]}/cell/vars/{k}"]) for k in range(len(MATRICES))]
    raise ValueError(
        f"the file has nothing for an IsolatedLSTM at the place of layer {layer.name!r}, and {len(plain)} of "
        "keras.layers.LSTM; only a single one of the layer's name is read. Load it into the model that it was saved "
        "from, and use isolate_layer(model, name, zone)"
    )
