"""The forms of Adam and their options against the installed Keras and, where there is one, PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lstm_lib as ll
from tests.training.adam_cases import OPTIONS, START, STEPS, gradients, walk


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # inside Keras
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_keras_form_follows_the_installed_keras(options: dict[str, Any], rng: Any) -> None:
    from lstm_lib.keras import keras

    given = {"clip_norm": "global_clipnorm", "eps": "epsilon"}
    settings = {given.get(k, k): v for k, v in options.items() if k != "weight_decay"}
    kind = keras.optimizers.AdamW if "weight_decay" in options else keras.optimizers.Adam
    settings |= {k: v for k, v in options.items() if k == "weight_decay"}
    optimizer = kind(learning_rate=0.01, **settings)
    w = keras.Variable(START, dtype="float64")
    grads, path = gradients(rng), []
    for g in grads:
        optimizer.apply([keras.ops.convert_to_tensor(g)], [w])
        path.append(keras.ops.convert_to_numpy(w))
    ours = walk(ll.Adam(0.01, form="keras", **options), grads)
    # Keras keeps its rate, and powers of beta, in float32
    np.testing.assert_allclose(ours, path, rtol=0, atol=5e-6 * 0.01 * STEPS)
    other = walk(ll.Adam(0.01, form="keras", **options | {"weight_decay": 0.2}), grads)
    assert np.abs(other - path).max() > 1e-4  # the comparison can fail


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_paper_form_follows_the_installed_pytorch(options: dict[str, Any], rng: Any) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is optional; install it to run this comparison")
    settings = {k: v for k, v in options.items() if k not in ("clip_norm", "weight_decay")}
    w = torch.tensor(START, requires_grad=True)
    decay = options.get("weight_decay", 0.0)
    optimizer = torch.optim.AdamW([w], lr=0.01, weight_decay=decay, **settings)
    grads, path = gradients(rng), []
    for g in grads:
        w.grad = torch.tensor(g)
        if "clip_norm" in options:
            torch.nn.utils.clip_grad_norm_([w], options["clip_norm"])
        optimizer.step()
        path.append(w.detach().numpy().copy())
    # clip_grad_norm_ divides by the norm + 1e-6, so a clipped path agrees to about that
    np.testing.assert_allclose(walk(ll.Adam(0.01, form="paper", **options), grads), path, rtol=0, atol=1e-7)
