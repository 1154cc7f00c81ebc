"""AMSGrad, decoupled decay, clipping, the report and the rates (test_adam_references.py: Keras, PyTorch)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import lstm_lib as ll
from lstm_lib.training.adam import FORMS
from lstm_lib.training.parts import NotFinite
from lstm_lib.training.rates import RATES
from tests.training.adam_cases import OPTIONS, gradients, walk

SPEC = ll.Spec(inputs=2, units=(3,), outputs=1)


def scalar_walk(w: float, grads: list[float], form: str, lr: float, decay: float, amsgrad: bool) -> float:
    """One weight, written out from the papers."""
    m = v = peak = 0.0
    eps = FORMS[form].default_eps
    for t, g in enumerate(grads, 1):
        w = w - lr * decay * w
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g * g
        peak = max(peak, v)
        used = peak if amsgrad else v
        m_hat, correction = m / (1 - 0.9**t), 1 - 0.999**t
        if form == "paper":
            w = w - lr * m_hat / (math.sqrt(used / correction) + eps)
        else:
            w = w - lr * math.sqrt(correction) * m_hat / (math.sqrt(used) + eps)
    return w


@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("form", FORMS)
def test_options_are_their_written_algorithms(form: str, decay: float, amsgrad: bool, rng: Any) -> None:
    grads = gradients(rng)
    end = walk(ll.Adam(0.01, form=form, weight_decay=decay, amsgrad=amsgrad), grads)[-1]
    start = np.linspace(-1, 1, 8).reshape(2, 4)
    for at in np.ndindex(2, 4):
        expected = scalar_walk(start[at], [float(g[at]) for g in grads], form, 0.01, decay, amsgrad)
        assert end[at] == pytest.approx(expected, rel=1e-12)


# ------------------------------------------------------------------------------------------------- under isolation


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("form", FORMS)
def test_isolated_arcs_stay_to_the_last_bit(form: str, options: dict[str, Any], rng: Any) -> None:
    """Neither warm moments, nor decay, nor clipping moves them; nor does AMSGrad's record change."""
    opt, params = ll.Adam(0.1, form=form, **options), ll.init_params(SPEC, dtype="float64")
    state = opt.init(params)
    zone = ll.zone(SPEC, layer=0, matrix="Wh", gate="fo", unit=1) | ll.zone(SPEC, layer="head", matrix="b")
    plan = ll.isolate(SPEC, zone)
    for _ in range(3):
        opt.step(params, {k: rng.standard_normal(p.shape) for k, p in params.items()}, state)
    before, kept = {k: p.copy() for k, p in params.items()}, state.copy()
    for _ in range(5):
        opt.step(params, {k: rng.standard_normal(p.shape) for k, p in params.items()}, state, plan)
    for k in params:
        mask = zone.mask(k)
        np.testing.assert_array_equal(params[k][mask], before[k][mask])
        assert (params[k][~mask] != before[k][~mask]).all()
        for ours, theirs in zip(state._moments(k), kept._moments(k), strict=True):
            np.testing.assert_array_equal(ours[mask], theirs[mask])


def test_the_norm_that_is_clipped_is_of_active_arcs_alone(rng: Any) -> None:
    """A large gradient of an isolated arc must not shrink the steps of the others."""
    opt, params = ll.Adam(clip_norm=1.0, eps=1.0), ll.init_params(SPEC, dtype="float64")
    grads = {k: rng.standard_normal(p.shape) for k, p in params.items()}
    zone = ll.zone(SPEC, layer=0, gate="g")
    loud = {k: np.where(zone.mask(k), 1e6 * g, g) for k, g in grads.items()}
    ends = []
    for g in (grads, loud):
        moved = {k: p.copy() for k, p in params.items()}
        opt.step(moved, g, opt.init(moved), ll.isolate(SPEC, zone, depth="hold"))
        ends.append(moved)
    for k in params:
        np.testing.assert_array_equal(ends[0][k], ends[1][k])


def test_a_small_gradient_is_not_clipped(rng: Any) -> None:
    grads = [g * 1e-3 for g in gradients(rng)]
    np.testing.assert_array_equal(walk(ll.Adam(clip_norm=10.0), grads), walk(ll.Adam(), grads))
    np.testing.assert_array_equal(
        walk(ll.Adam(clip_norm=1.0), [np.zeros((2, 4))] * 3), walk(ll.Adam(), [np.zeros((2, 4))] * 3)
    )


def test_clipping_keeps_the_direction_and_bounds_the_length() -> None:
    opt = ll.Adam(beta1=0.0, clip_norm=1.0)
    state = opt.init({"a": np.zeros(1), "b": np.zeros(1)})
    opt.step({"a": np.zeros(1), "b": np.zeros(1)}, {"a": np.array([3.0]), "b": np.array([4.0])}, state)
    assert state.m["a"][0] == pytest.approx(0.6)
    assert state.m["b"][0] == pytest.approx(0.8)


@pytest.mark.parametrize("length", [2.0, 0.5])
def test_a_norm_above_the_limit_is_clipped_to_it_be_it_large_or_small(length: float) -> None:
    opt = ll.Adam(beta1=0.0, clip_norm=0.25)
    state = opt.init({"a": np.zeros(2)})
    opt.step({"a": np.zeros(2)}, {"a": length * np.array([0.6, 0.8])}, state)
    np.testing.assert_allclose(state.m["a"], [0.15, 0.2])


def test_clipping_is_the_same_where_only_a_part_of_a_parameter_is_active(rng: Any) -> None:
    """The moments after one step are those of the clipped gradient, in whole parameters and in parts."""
    opt, params = ll.Adam(beta1=0.0, clip_norm=0.1), ll.init_params(SPEC, dtype="float64")
    grads = {k: rng.standard_normal(p.shape) for k, p in params.items()}
    zone = ll.zone(SPEC, layer=0, gate="fi", unit=1)
    state = opt.init(params)
    opt.step(params, grads, state, ll.isolate(SPEC, zone))
    active = {k: np.where(zone.mask(k), 0, g) for k, g in grads.items()}
    norm = math.sqrt(sum((g**2).sum() for g in active.values()))
    for k, g in active.items():
        np.testing.assert_allclose(state.m[k], g * 0.1 / norm, rtol=1e-12)


def test_below_the_limit_a_part_of_a_parameter_moves_as_without_clipping(rng: Any) -> None:
    plan = ll.isolate(SPEC, ll.zone(SPEC, layer=0, gate="fi", unit=1))
    grads = {k: rng.standard_normal(shape) for k, shape in SPEC.shapes.items()}
    ends = []
    for opt in (ll.Adam(eps=1.0), ll.Adam(eps=1.0, clip_norm=1e3)):
        params = ll.init_params(SPEC, dtype="float64")
        opt.step(params, grads, opt.init(params), plan)
        ends.append(params)
    for k in SPEC.shapes:
        np.testing.assert_array_equal(ends[0][k], ends[1][k])


# --------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_gradient_that_is_not_finite_moves_nothing(bad: float) -> None:
    opt, params = ll.Adam(), ll.init_params(SPEC)
    state = opt.init(params)
    grads = {k: np.ones_like(p) for k, p in params.items()}
    grads["head/W"][0, 1] = bad
    before = {k: p.copy() for k, p in params.items()}
    with pytest.raises(NotFinite, match=r"grads\['head/W'\] holds 1 of 3 values that are not finite"):
        opt.step(params, grads, state)
    for k in params:
        np.testing.assert_array_equal(params[k], before[k])
        assert state.t[k] == 0
    opt.step(params, grads, state, ll.isolate(SPEC, ll.zone(SPEC, layer="head", unit=0)))  # it is isolated


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weight_decay": -0.1}, "weight_decay must be 0 or a positive number, got -0.1"),
        ({"weight_decay": np.nan}, "weight_decay must be 0 or a positive number, got nan"),
        ({"clip_norm": 0.0}, "clip_norm must be a positive number, got 0.0"),
        ({"clip_norm": np.inf}, "clip_norm must be a positive number, got inf"),
    ],
)
def test_a_bad_option_is_named(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ll.Adam(**settings)  # type: ignore[arg-type]


# ----------------------------------------------------------------------------------------------------------- report


def moved(opt: ll.Adam, steps: int, rng: Any) -> Any:
    params = ll.init_params(SPEC, dtype="float64")
    state, before = opt.init(params), params
    for _ in range(steps):
        before = {k: p.copy() for k, p in params.items()}
        opt.step(params, {k: rng.standard_normal(p.shape) for k, p in params.items()}, state)
    return state, {k: np.abs(params[k] - before[k]) for k in params}


@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_the_report_tells_the_last_step_of_every_zone(form: str, amsgrad: bool, rng: Any) -> None:
    opt = ll.Adam(0.02, form=form, amsgrad=amsgrad)
    state, change = moved(opt, 4, rng)
    table = opt.report(state)
    assert list(zip(table["layer"], table["matrix"], table["gate"], strict=True)) == [
        ("0", matrix, gate) for matrix in ("Wx", "Wh", "b") for gate in "fiog"
    ] + [("head", "W", ""), ("head", "b", "")]
    assert table["arcs"].sum() == SPEC.size
    for row in table.itertuples():
        at = (
            slice(None)
            if row.layer == "head"
            else slice("fiog".index(row.gate) * 3, "fiog".index(row.gate) * 3 + 3)
        )
        name = f"{row.layer}/{row.matrix}"
        assert row.step == pytest.approx(change[name][at].mean(), rel=1e-12)
        assert row.m_norm == pytest.approx(np.sqrt((state.m[name][at] ** 2).sum()))
        assert row.v_norm == pytest.approx(np.sqrt((state.v[name][at] ** 2).sum()))
        assert row.snr == pytest.approx(row.step / 0.02, rel=1e-3)  # eps is small here
        assert row.eps_limited == 0


def test_the_report_halves_with_the_rate(rng: Any) -> None:
    opt = ll.Adam()
    state, _ = moved(opt, 2, rng)
    whole, half = opt.report(state), opt.report(state, scale=0.5)
    np.testing.assert_allclose(half["step"], whole["step"] / 2)
    np.testing.assert_allclose(half["snr"], whole["snr"])


@pytest.mark.parametrize("form", FORMS)
def test_the_report_finds_arcs_that_eps_limits(form: str) -> None:
    opt, params = ll.Adam(eps=1e-3, form=form), {"0/b": np.zeros(8)}
    state = opt.init(params)
    # √v̂ = |g| at the first step: far below eps, and far above it in either form
    opt.step(params, {"0/b": np.repeat([1e-9, 1.0], 4)}, state)
    assert opt.report(state)["eps_limited"].tolist() == [1, 1, 0, 0]


def test_the_report_leaves_out_arcs_that_made_no_step(rng: Any) -> None:
    opt, params = ll.Adam(), ll.init_params(SPEC, dtype="float64")
    state = opt.init(params)
    with pytest.raises(ValueError, match="made no step"):
        opt.report(state)
    plan = ll.isolate(SPEC, ~ll.zone(SPEC, layer=0, matrix="Wh", gate="f", unit=[0, 2]))
    opt.step(params, {k: rng.standard_normal(p.shape) for k, p in params.items()}, state, plan)
    table = opt.report(state)
    assert table[["layer", "matrix", "gate", "arcs"]].to_numpy().tolist() == [["0", "Wh", "f", 6]]
    assert table["snr"][0] == pytest.approx(1)


def test_a_gradient_of_zero_has_no_signal() -> None:
    opt, params = ll.Adam(), {"head/b": np.zeros(2)}
    state = opt.init(params)
    opt.step(params, {"head/b": np.array([0.0, 1.0])}, state)
    row = opt.report(state).iloc[0]
    assert (row["snr"], row["eps_limited"]) == (pytest.approx(0.5), 0.5)


def test_fit_hands_over_the_state_of_each_epoch() -> None:
    x = np.linspace(-1, 1, 60, dtype=np.float32).reshape(10, 3, 2)
    seen = []
    opt = ll.Adam(amsgrad=True)
    record = ll.fit(
        SPEC, (x, x[:, -1, :1]), epochs=3, batch=5, optimizer=opt, progress=False,
        callbacks=[lambda now: seen.append((now.epoch, now.state.t["head/b"], opt.report(now.state)))],
    )  # fmt: skip
    assert [(epoch, t) for epoch, t, _ in seen] == [(1, 2), (2, 4), (3, 6)]
    assert not seen[0][2].equals(seen[1][2])
    assert len(record.history) == 3


# ------------------------------------------------------------------------------------------------------------ rates


def test_rates_are_factors_that_start_at_one_and_fall() -> None:
    done = np.linspace(0, 1, 101)
    for name, rate in RATES.items():
        values = [rate(d) for d in done]
        assert values[0] == 1, name
        assert (np.diff(values) <= 0).all(), name
    assert RATES["cosine"](1.0) == pytest.approx(0, abs=1e-12)
    assert RATES["cosine"](0.25) == pytest.approx((1 + math.sqrt(0.5)) / 2)
    assert [RATES["step"](d) for d in (0.49, 0.5, 0.74, 0.75, 1.0)] == [1, 0.1, 0.1, 0.01, 0.01]


def test_a_record_keeps_what_amsgrad_needs(tmp_path: Any) -> None:
    x = np.linspace(-1, 1, 60, dtype=np.float32).reshape(10, 3, 2)
    record = ll.fit(SPEC, (x, x[:, -1, :1]), epochs=1, optimizer=ll.Adam(amsgrad=True), progress=False)
    again = ll.Record.load(record.save(tmp_path / "run"))
    assert again.checkpoint.state.v_max is not None
    for k, peak in record.checkpoint.state.v_max.items():
        np.testing.assert_array_equal(again.checkpoint.state.v_max[k], peak)
    plain = ll.fit(SPEC, (x, x[:, -1, :1]), epochs=1, progress=False)
    assert ll.Record.load(plain.save(tmp_path / "plain")).checkpoint.state.v_max is None
