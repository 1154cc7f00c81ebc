"""Our Adam and our whole training held against a real run of TensorFlow 1.5.0 (tools/tf15_traces.py)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lstm_lib as ll
from lstm_lib.keras import from_tf15

TRACES = json.loads((Path(__file__).parents[1] / "traces" / "tf15.json").read_text())
ROUNDINGS = 16  # accepted float32 roundings of the largest weight: one or two a step, of 40 steps


def single(values: Any) -> np.ndarray:
    return np.array(values, dtype="float32")


def tf15_adam(settings: dict[str, float]) -> ll.Adam:
    return ll.Adam(settings["lr"], settings["beta1"], settings["beta2"], settings["eps"], form="tf15")


def largest_error(opt: ll.Adam, trace: dict[str, Any], gradients: list[np.ndarray]) -> float:
    """Largest difference to the recorded weights over all steps, in units of float32 rounding."""
    params = {"w": single(trace["start"])}
    state, worst = opt.init(params), 0.0
    for gradient, weights in zip(gradients, single(trace["weights"]), strict=True):
        opt.step(params, {"w": gradient}, state)
        worst = max(worst, float(np.abs(params["w"] - weights).max() / np.abs(weights).max()))
    return worst / np.finfo("float32").eps


@pytest.mark.parametrize(
    "trace", TRACES["adam"], ids=lambda t: f"{t['sequence']}, eps {t['settings']['eps']}"
)
def test_adam_follows_tensorflow_1_5(trace: dict[str, Any]) -> None:
    assert largest_error(tf15_adam(trace["settings"]), trace, list(single(trace["gradients"]))) < ROUNDINGS


@pytest.mark.parametrize("trace", TRACES["sparse"], ids=lambda t: f"eps {t['settings']['eps']}")
def test_sparse_gradients_decay_all_rows(trace: dict[str, Any]) -> None:
    """TensorFlow 1.5 moves rows that got no gradient: its sparse step equals the dense one with zeros."""
    gradients = []
    for rows, factors in zip(trace["rows"], single(trace["factors"]), strict=True):
        gradient = np.zeros_like(single(trace["start"]))
        gradient[rows] = factors
        gradients.append(gradient)
    assert largest_error(tf15_adam(trace["settings"]), trace, gradients) < ROUNDINGS


def test_another_form_is_told_apart() -> None:
    """The comparison can fail: Algorithm 1 with the same eps leaves the recorded path."""
    trace = next(t for t in TRACES["adam"] if t["sequence"] == "tiny" and t["settings"]["lr"] == 0.001)
    assert (
        largest_error(ll.Adam(0.001, form="paper"), trace, list(single(trace["gradients"]))) > 100 * ROUNDINGS
    )


def relative(ours: ll.network.Params, theirs: ll.network.Params) -> float:
    return max(float(np.abs(ours[k] - theirs[k]).max() / np.abs(theirs[k]).max()) for k in theirs)


def test_a_whole_training_follows_tensorflow_1_5() -> None:
    """First gradients, 60 losses and the final weights, with our gradients and our Adam."""
    run = TRACES["lstm"]
    x, y, forget_bias = single(run["x"]), single(run["y"]), run["about"]["forget_bias"]
    spec, params = from_tf15(run["start"], forget_bias)
    assert spec == ll.Spec(inputs=3, units=(8,), outputs=1)
    opt = tf15_adam(run["about"]["settings"])
    state = opt.init(params)
    for k, recorded in enumerate(run["losses"]):
        yhat, trace = ll.forward(spec, params, x[k % 4])
        loss, dy = ll.mse(yhat, y[k % 4])
        grads = ll.backward(spec, params, trace, dy)
        if k == 0:
            assert relative(grads, from_tf15(run["first_gradients"], forget_bias=0)[1]) < 1e-5
        assert loss == pytest.approx(recorded, rel=1e-5)
        opt.step(params, grads, state)
    assert len(run["losses"]) >= 50
    assert relative(params, from_tf15(run["final"], forget_bias)[1]) < 1e-5


def test_weights_that_do_not_fit_are_refused() -> None:
    weights = {name: single(w) for name, w in TRACES["lstm"]["start"].items()}
    for name, cut in (
        ("kernel", weights["kernel"][:, 1:]),
        ("kernel", weights["kernel"][:8]),
        ("bias", weights["bias"][1:]),
        ("head_W", weights["head_W"][1:]),
        ("head_b", single([0, 0])),
    ):
        with pytest.raises(ValueError, match="do not fit"):
            from_tf15(weights | {name: cut})


def test_the_traces_say_what_made_them() -> None:
    assert "TensorFlow 1.5.0" in TRACES["made by"]
    assert "Python 3.6" in TRACES["made by"]
