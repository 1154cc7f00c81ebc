"""Delta coding and the autoencoder: errors within bounds, gradients of the joined networks against differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_lib.lora import Autoencoder, delta_pack, delta_unpack, fit_code
from lstm_lib.network.losses import mse
from lstm_lib.network.spec import init_params
from lstm_lib.training.adam import Adam

floats = st.floats(-50, 50)


@given(st.lists(floats, max_size=50), floats, st.floats(0.01, 5))
def test_deltas_come_back_within_epsilon_and_errors_do_not_add_up(
    values: list[float], last: float, epsilon: float
) -> None:
    packed, end = delta_pack(np.array(values), last, epsilon)
    found = delta_unpack(packed, last, epsilon)
    assert len(found) == len(values)
    assert np.abs(found - values).max(initial=0) <= epsilon * (1 + 1e-9)
    assert end == (found[-1] if values else last)
    jumps = np.abs(np.diff(np.r_[last, found]) / (2 * epsilon)).round()
    assert len(packed) == np.where(jumps < 128, 1, 3).sum()


def test_deltas_by_hand() -> None:
    assert delta_pack(np.array([2.0, 1.0, 130.0, -127.0]), 1.0, 0.5) == (
        bytes([1, 255, 128, 129, 0, 128, 255, 254]), -127.0
    )  # fmt: skip
    assert delta_unpack(b"\x7f\x81", 0.0, 0.5).tolist() == [127.0, 0.0]


@pytest.mark.parametrize(
    ("values", "epsilon", "told"),
    [
        ([np.nan], 1, "nan can't be packed"),
        ([1e9], 1, "steps of 2"),
        ([65536.0], 1, "after 0"),
        ([1.0], 0, "epsilon is 0"),
    ],
)
def test_what_can_not_be_packed_is_refused(values: list[float], epsilon: float, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        delta_pack(np.array(values), 0, epsilon)
    assert delta_unpack(delta_pack(np.array([65534.0]), 0, 1)[0], 0, 1).tolist() == [65534]


def joined(model: Autoencoder, days: np.ndarray) -> float:
    from lstm_lib import forward

    code = forward(model.encoder, model.params["encoder"], days)[0]
    return mse(forward(model.decoder, model.params["decoder"], model.read(code, days.shape[1]))[0], days)[0]


def test_the_gradient_of_both_networks_is_that_of_differences(rng: np.random.Generator) -> None:
    model, days = Autoencoder.begin(2, units=3, dtype="float64"), rng.standard_normal((4, 5, 1))
    for params in model.params.values():
        for p in params.values():
            p += rng.normal(0, 0.4, p.shape)
    loss, grads = model.gradients(days)
    assert loss == pytest.approx(joined(model, days), abs=1e-14)
    for half, params in model.params.items():
        assert grads[half].keys() == params.keys()
        for name, p in params.items():
            at = tuple(rng.integers(n) for n in p.shape)
            kept, found = p[at], []
            for by in (1e-6, -1e-6):
                p[at] = kept + by
                found.append(joined(model, days))
            p[at] = kept
            slope = (found[0] - found[1]) / 2e-6
            assert abs(slope) > 1e-7
            assert grads[half][name][at] == pytest.approx(slope, rel=1e-5, abs=1e-9), (half, name)


def test_the_decoder_reads_the_code_at_every_step_and_the_clock() -> None:
    read = Autoencoder.begin(2).read(np.array([[1.0, 2.0]]), 4)
    np.testing.assert_allclose(
        read[0], [[1, 2, 0, 1], [1, 2, 1, 0], [1, 2, 0, -1], [1, 2, -1, 0]], atol=1e-12
    )


def test_the_rate_falls_along_a_cosine_over_all_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, step = list[tuple[float, float]](), Adam.step

    def noted(self: Adam, *args: Any, scale: float = 1.0) -> None:
        seen.append((self.lr, scale))
        step(self, *args, scale=scale)

    sizes, gradients = list[int](), Autoencoder.gradients
    monkeypatch.setattr(Adam, "step", noted)
    monkeypatch.setattr(
        Autoencoder, "gradients", lambda m, days: (sizes.append(len(days)), gradients(m, days))[1]
    )
    fit_code(
        np.ones((5, 4, 1), "float32"), k=1, units=2, epochs=3, batch=2
    )  # 3 steps an epoch, of two networks
    factors = (1 + np.cos(np.pi * np.arange(9) / 9)) / 2
    assert len(seen) == 18 and {lr for lr, _ in seen} == {5e-3}
    assert sizes == [2, 2, 1] * 3
    np.testing.assert_allclose([scale for _, scale in seen], factors.repeat(2), rtol=1e-12)


def test_a_seed_draws_both_networks_and_the_order() -> None:
    model = Autoencoder.begin(2, units=3, seed=4)
    for half, seed in (("encoder", 4), ("decoder", 5)):
        drawn = init_params(getattr(model, half), seed)
        assert all(np.array_equal(p, drawn[name]) for name, p in model.params[half].items())
    days = np.sin(np.arange(96, dtype="float32") ** 2).reshape(8, 12, 1)
    codes = [
        fit_code(days, 1, units=3, epochs=2, batch=3, **seed).params
        for seed in ({}, {"seed": 0}, {"seed": 1})
    ]
    weights = [params["decoder"]["head/W"] for params in codes]
    assert np.array_equal(weights[0], weights[1]) and not np.array_equal(weights[0], weights[2])


def test_training_brings_days_of_two_kinds_back(rng: np.random.Generator) -> None:
    t = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    kinds = np.stack([np.sin(t), np.cos(2 * t)])[rng.integers(2, size=60)]
    days = (kinds + rng.normal(0, 0.05, kinds.shape)).astype("float32")[..., None]
    model = fit_code(days, k=1, units=12, epochs=60, batch=16, lr=1e-2)
    codes = model.encode(days)
    assert codes.dtype == np.int8 and codes.shape == (60, 1) and np.abs(codes).max() in (63, 64)
    again = model.decode(codes, 12)
    assert again.shape == days.shape and np.mean((again - days) ** 2) < 0.05 * np.var(days)
    outside = model.encode(20 * days)
    assert np.abs(outside).max() <= 127  # a code beyond the limit is cut off, and never goes round
    same = fit_code(days, k=1, units=12, epochs=60, batch=16, lr=1e-2)
    assert np.array_equal(same.decode(codes, 12), again)
