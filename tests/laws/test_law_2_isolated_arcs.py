"""Law 2: isolated arcs are bit-identical after any number of steps, whatever the optimiser does."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lstm_lib as ll
from lstm_lib.isolation.plan import isolate
from lstm_lib.isolation.zones import zone
from lstm_lib.network.losses import LOSSES
from lstm_lib.network.spec import copy_params
from lstm_lib.training.adam import FORMS
from lstm_lib.training.parts import NotFinite
from tests.cases import build, identical
from tests.laws.cases_of_isolation import MANY, Isolated, isolated

OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"weight_decay": 0.1},
    {"clip_norm": 0.05},
    {"amsgrad": True, "weight_decay": 0.01, "clip_norm": 10.0},
)


def parts_of(params: Any, state: Any) -> dict[str, Any]:
    counts = {k: np.broadcast_to(t, params[k].shape) for k, t in state.t.items()}
    return {"w": params, "m": state.m, "v": state.v, "t": counts} | (
        {"v_max": state.v_max} if state.v_max else {}
    )


@MANY
@given(
    isolated("float32"),
    st.sampled_from(["hold", "skip", "cut"]),
    st.sampled_from(sorted(FORMS)),
    st.sampled_from(OPTIONS),
    st.integers(0, 3),
)
def test_isolated_arcs_are_bit_identical_after_any_steps(
    it: Isolated, depth: str, form: str, options: dict[str, Any], warm: int
) -> None:
    spec, case, opt = it.case.spec, it.case, ll.Adam(lr=0.05, form=form, **options)
    params = copy_params(case.params)
    state, plan = opt.init(params), isolate(spec, it.zone, depth, it.span)
    loss = LOSSES[spec.head]

    def step(plan: ll.Plan | None) -> None:
        yhat, trace = ll.forward(spec, params, case.x)
        opt.step(params, ll.backward(spec, params, trace, loss(yhat, case.y)[1], plan), state, plan)

    for _ in range(warm):
        step(None)
    before = {
        part: {k: a.copy() for k, a in named.items()} for part, named in parts_of(params, state).items()
    }
    for _ in range(3):
        step(plan)
    after = parts_of(params, state)
    for part, k in product(before, spec.shapes):
        at = it.zone.mask(k)
        assert after[part][k][at].tobytes() == before[part][k][at].tobytes(), (part, k)
    assert all((after["t"][k][~it.zone.mask(k)] == warm + 3).all() for k in spec.shapes)
    # after thawing, an arc that never moved starts at one learning rate (clipped gradients can be small: eps counts)
    cold = {k: (after["t"][k] == 0) for k in spec.shapes}
    held = copy_params(params)
    step(None)
    for k in spec.shapes:
        decay = np.abs(held[k]) * 0.05 * options.get("weight_decay", 0)
        assert (np.abs(params[k] - held[k])[cold[k]] <= (0.05 * 1.001 + decay)[cold[k]]).all(), k


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=settings.default.max_examples // 2)
@given(it=isolated(), warm=st.integers(0, 3), seed=st.integers(0, 99))
def test_active_arcs_make_the_very_steps_of_a_plain_run(
    form: str, it: Isolated, warm: int, seed: int
) -> None:
    spec, opt = it.case.spec, ll.Adam(lr=0.1, form=form)
    runs = []
    for plan in (isolate(spec, it.zone), None):
        rng = np.random.default_rng(seed)
        params = {k: p.astype("float32") for k, p in it.case.params.items()}
        state = opt.init(params)
        for k in range(warm + 4):
            grads = {n: rng.standard_normal(p.shape).astype("float32") for n, p in params.items()}
            opt.step(params, grads, state, None if k < warm else plan)
        runs.append(parts_of(params, state))
    for part, k in product(runs[0], spec.shapes):
        at = ~it.zone.mask(k)
        assert np.array_equal(runs[0][part][k][at], runs[1][part][k][at]), (part, k)


@pytest.mark.parametrize("text", ["0/Wh/f[0:2]", "0/Wh/f[0:2;1]", "0[1]"])
def test_arrays_in_any_order_in_memory_are_moved(text: str) -> None:
    """Arrays that come transposed, as from Keras, are no exception."""
    case = build(ll.Spec(2, (4,), 1))
    plan, opt = isolate(case.spec, ll.read_zone(case.spec, text)), ll.Adam(lr=0.1)
    grads = {k: np.ones_like(p) for k, p in case.params.items()}
    found = []
    for order in "CF":
        params = {k: np.array(p, order=order) for k, p in case.params.items()}
        state = opt.init(params)
        for _ in range(2):
            opt.step(params, grads, state, plan)
        found.append(params)
    identical(*found)
    for k, p in found[1].items():
        assert np.array_equal(p == case.params[k], plan.zone.mask(k)), k


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("form", FORMS)
def test_tracked_moments_run_on_and_weights_stay(form: str, options: dict[str, Any]) -> None:
    """With clipping off, tracked moments are those of a plain run on the same gradients."""
    case = build(ll.Spec(2, (3,), 1), dtype="float32")
    spec, z = case.spec, zone(case.spec, gate="f") | zone(case.spec, layer=0, matrix="Wx", source=0)
    opt, rng = ll.Adam(lr=0.1, form=form, **options), np.random.default_rng(3)
    plan = isolate(spec, z, "hold", moments="tracked")
    runs = [
        (copy_params(case.params), plan),
        (copy_params(case.params), None),
    ]
    states = [opt.init(params) for params, _ in runs]
    for _ in range(4):
        grads = {k: rng.standard_normal(p.shape).astype("float32") for k, p in case.params.items()}
        for (params, how), state in zip(runs, states, strict=True):
            opt.step(params, grads, state, how)
    (ours, plain), (params, _) = (parts_of(runs[k][0], states[k]) for k in range(2)), runs[0]
    for k in spec.shapes:
        at = z.mask(k)
        assert params[k][at].tobytes() == case.params[k][at].tobytes()
        assert not (params[k][~at] == case.params[k][~at]).any()
        for part in set(ours) - {"w"}:
            if not options.get("clip_norm"):
                assert np.array_equal(ours[part][k], plain[part][k]), (part, k)
            assert (ours["t"][k] == 4).all()
            assert (ours["m"][k] != 0).all()


def test_a_count_may_be_a_number_of_numpy() -> None:
    spec, opt = ll.Spec(1, (2,), 1), ll.Adam()
    runs = []
    for number in (int, np.int64):
        params = ll.init_params(spec)
        state = opt.init(params)
        state.t = {k: number(3) for k in state.t}
        for plan in (None, isolate(spec, zone(spec, gate="f")), None):
            opt.step(params, {k: np.ones_like(p) for k, p in params.items()}, state, plan)
        runs.append(params)
    identical(*runs)


@pytest.mark.parametrize("bad", ["0/Wx", "0/b", "head/b"])
def test_a_tracked_gradient_that_is_not_finite_leaves_everything_as_it_was(bad: str) -> None:
    """Isolated arcs come last in some parameters and first in others: nothing moves before all are checked."""
    case = build(ll.Spec(2, (3,), 1), dtype="float32")
    plan = isolate(
        case.spec, zone(case.spec, gate="f") | zone(case.spec, layer="head"), "hold", moments="tracked"
    )
    opt, params = ll.Adam(), copy_params(case.params)
    state = opt.init(params)
    grads = {k: np.ones_like(p) for k, p in params.items()}
    opt.step(params, grads, state, plan)
    before = {
        part: {k: np.array(a) for k, a in named.items()} for part, named in parts_of(params, state).items()
    }
    grads[bad].flat[0] = np.nan  # the first row is the forget gate's: isolated
    with pytest.raises(NotFinite, match=rf"grads\['{bad}'\] holds 1 of"):
        opt.step(params, grads, state, plan)
    for part, named in parts_of(params, state).items():
        identical({k: np.array(a) for k, a in named.items()}, before[part])
