"""What readers have saved with the first edition still loads, predicts the same and can be trained on."""

from __future__ import annotations

import importlib
import sys

import numpy as np
import pytest

import lstm_lib as ll
from tests.fixtures import first_edition as first

# Equal to the rounding of the dtype, not bit for bit: an engine may sum in another order. Two epochs of Adam make
# that rounding larger, since a step does not depend on how large a gradient is.
CLOSE = {"float32": 2e-6, "float64": 1e-13}
AFTER_TRAINING = {"float32": 2e-4, "float64": 1e-10}


@pytest.mark.parametrize("name", first.SPECS)
def test_a_record_of_the_first_edition_predicts_as_it_did(name: str) -> None:
    record, gives = ll.Record.load(first.HERE / f"{name}.npz"), np.load(first.HERE / f"{name}_gives.npz")
    assert record.spec == first.SPECS[name]
    assert record.interrupted == (name == "isolated")
    assert len(record.history) == first.DONE
    found = ll.predict(record.spec, record.params, gives["x"])
    np.testing.assert_allclose(found, gives["predictions"], rtol=0, atol=CLOSE[found.dtype.name])


@pytest.mark.parametrize("name", first.SPECS)
def test_a_record_of_the_first_edition_is_resumed(name: str) -> None:
    record, gives = ll.Record.load(first.HERE / f"{name}.npz"), np.load(first.HERE / f"{name}_gives.npz")
    x, y = gives["x"], gives["y"]
    later = ll.fit(record.spec, (x, y), epochs=first.EPOCHS, resume=record, **first.settings(name))
    close = AFTER_TRAINING[x.dtype.name]
    np.testing.assert_allclose(later.history["train_loss"], gives["losses"], rtol=0, atol=close)
    np.testing.assert_allclose(ll.predict(later.spec, later.params, x), gives["later"], rtol=0, atol=close)


@pytest.mark.parametrize("name", first.MODELS)
def test_a_keras_model_of_the_first_edition_predicts_and_trains_as_it_did(name: str) -> None:
    from lstm_lib.keras import IsolatedLSTM, keras

    model = keras.models.load_model(first.HERE / f"{name}.keras")
    layers = [one for one in model._flatten_layers() if isinstance(one, IsolatedLSTM)]
    kept = {"plain": [], "isolated": [("cut", 4)], "bidirectional": [("skip", None)]}[name]
    assert [(one.depth, one.span) for one in layers] == kept
    gives = np.load(first.HERE / f"{name}_keras_gives.npz")
    x, y = gives["x"], gives["y"]
    np.testing.assert_allclose(
        model.predict(x, verbose=0), gives["predictions"], rtol=0, atol=CLOSE["float32"]
    )
    model.fit(x, y, batch_size=first.BATCH, shuffle=False, verbose=0)
    later = model.predict(x, verbose=0)
    np.testing.assert_allclose(later, gives["later"], rtol=0, atol=AFTER_TRAINING["float32"])
    assert np.abs(later - gives["predictions"]).max() > 10 * AFTER_TRAINING["float32"], (
        "the epoch moved nothing"
    )


def test_the_old_name_of_the_keras_folder_still_serves_and_says_the_new_one() -> None:
    sys.modules.pop("lstm_lib.keras_bridge", None)
    with pytest.warns(FutureWarning, match=r"lstm_lib.keras_bridge is now lstm_lib.keras"):
        old = importlib.import_module("lstm_lib.keras_bridge")
    new = importlib.import_module("lstm_lib.keras")
    assert all(getattr(old, name) is getattr(new, name) for name in new.__all__)
