"""Adam against the written algorithm, one scalar at a time, and what isolation needs of it."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lstm_lib as ll
from lstm_lib.training.adam import FORMS
from tests.cases import identical, same

SPEC = ll.Spec(1, (2,), 1)
DEFAULT_EPS = {"paper": 1e-8, "tf15": 1e-8, "keras": 1e-7}


def algorithm_1(w, gradients, lr, beta1, beta2, eps):
    """Kingma and Ba (2015), Algorithm 1, line by line."""
    m = v = 0.0
    for t, g in enumerate(gradients, 1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat = m / (1 - beta1**t)
        v_hat = v / (1 - beta2**t)
        w = w - lr * m_hat / (math.sqrt(v_hat) + eps)
    return w


def before_section_2_1(w, gradients, lr, beta1, beta2, eps_hat):
    """The same paper's more efficient order, with the epsilon of TensorFlow 1.5: lr_t m / (√v + ε̂)."""
    m = v = 0.0
    for t, g in enumerate(gradients, 1):
        lr_t = lr * math.sqrt(1 - beta2**t) / (1 - beta1**t)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        w = w - lr_t * m / (math.sqrt(v) + eps_hat)
    return w


WRITTEN = {"paper": algorithm_1, "tf15": before_section_2_1, "keras": before_section_2_1}


@pytest.fixture(params=FORMS)
def form(request):
    return request.param


def run(opt, gradients, w=1.0, dtype="float64", plans=None, scale=1.0):
    """The weight after each gradient in turn."""
    params = {"w": np.array([w], dtype)}
    state = opt.init(params)
    for k, g in enumerate(gradients):
        opt.step(params, {"w": np.array([g], dtype)}, state, None if plans is None else plans[k], scale)
    return params["w"][0]


# ------------------------------------------------------------------------------------ the written algorithm


def test_the_forms_are_those_of_the_table(form):
    assert WRITTEN.keys() == FORMS.keys()
    assert ll.Adam(form=form).eps == DEFAULT_EPS[form]
    assert ll.Adam() == ll.Adam(lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, form="tf15")


# From far below eps to far above it, so that it shows where eps stands; within one run over two decades,
# since m += (g - m)(1 - beta1) loses the digits by which a tiny gradient follows a large one.
GRADIENTS = st.builds(
    lambda decade, parts: [10.0**decade * part for part in parts],
    st.floats(-10, 3),
    st.lists(st.floats(0.1, 10) | st.floats(-10, -0.1), min_size=1, max_size=12),
)


@given(
    form=st.sampled_from([*FORMS]),
    gradients=GRADIENTS,
    lr=st.floats(1e-4, 1),
    beta1=st.floats(0, 0.99),
    beta2=st.floats(0, 0.9999),
    eps=st.none() | st.floats(1e-12, 1e-2),
)
def test_every_form_is_its_written_algorithm(form, gradients, lr, beta1, beta2, eps):
    expected = WRITTEN[form](0.0, gradients, lr, beta1, beta2, DEFAULT_EPS[form] if eps is None else eps)
    ours = run(ll.Adam(lr, beta1, beta2, eps, form), gradients, w=0.0)
    # 1 - beta**t loses digits as beta nears 1
    assert ours == pytest.approx(expected, rel=1e-9, abs=1e-9 * lr)


def test_the_arrays_of_a_network_are_moved_like_so_many_scalars(form):
    rng = np.random.default_rng(3)
    params = ll.init_params(SPEC, dtype="float64")
    start = {k: p.copy() for k, p in params.items()}
    grads = [{k: rng.standard_normal(p.shape) * 1e-6 for k, p in params.items()} for _ in range(4)]
    opt = ll.Adam(0.1, form=form)
    state = opt.init(params)
    for g in grads:
        opt.step(params, g, state)
    for k, p in start.items():
        expected = np.empty_like(p)
        for at in np.ndindex(p.shape):
            expected[at] = WRITTEN[form](p[at], [g[k][at] for g in grads], 0.1, 0.9, 0.999, DEFAULT_EPS[form])
        same(params[k], expected)


def test_eps_acts_31_6_times_as_strongly_in_tf15_at_the_first_step():
    """√v + ε̂ is √v̂ + ε̂/√(1 - beta2) once both are divided: a step of "paper" with a larger eps."""
    factor = 1 / math.sqrt(1 - 0.999)
    assert factor == pytest.approx(31.6, abs=0.05)
    for g in (1e-9, 1e-8, 1e-6):
        tf15 = run(ll.Adam(0.1, eps=1e-8, form="tf15"), [g])
        assert tf15 == pytest.approx(run(ll.Adam(0.1, eps=1e-8 * factor, form="paper"), [g]), rel=1e-12)
        assert abs(tf15 - run(ll.Adam(0.1, eps=1e-8, form="paper"), [g])) > 1e-6


def test_the_wrong_form_of_eps_hat_would_be_seen():
    """ε̂ written as (1 - beta2ᵗ)ε instead of √(1 - beta2ᵗ)ε is another number."""
    right = run(ll.Adam(0.1, eps=1e-8, form="paper"), [1e-8])
    assert abs(right - algorithm_1(1.0, [1e-8], 0.1, 0.9, 0.999, 1e-8 * math.sqrt(0.001))) > 1e-3


@pytest.mark.parametrize("size", [1e-2, 1.0, 1e3])
def test_the_first_step_is_one_lr_whatever_the_size_of_the_gradient(form, size):
    assert 1.0 - run(ll.Adam(0.01, form=form), [size]) == pytest.approx(0.01, rel=1e-3)


def test_scale_multiplies_the_rate_alone(form):
    gradients = [1.0, -0.5, 2.0]
    assert run(ll.Adam(0.1, form=form), gradients, scale=0.25) == pytest.approx(
        run(ll.Adam(0.025, form=form), gradients), rel=1e-14
    )
    assert run(ll.Adam(0.1, form=form), gradients, scale=0.0) == 1.0


def test_float32_is_float64_rounded(form):
    gradients = np.random.default_rng(4).standard_normal(50).astype("float32")
    opt = ll.Adam(0.01, form=form)
    narrow = run(opt, gradients, dtype="float32")
    assert narrow.dtype == np.float32
    assert narrow == pytest.approx(run(opt, gradients.astype("float64")), rel=1e-5)


# ------------------------------------------------------------------------------------ state and step counts

BIAS = ll.zone(SPEC, layer=0, matrix="b", unit=0)  # four of the eight biases
PLAN = ll.isolate(SPEC, BIAS)


def test_an_arc_counts_its_own_steps(form):
    """Isolated at first, an arc then moves like one that starts new, next to arcs that have gone on."""
    params = {k: np.zeros_like(p) for k, p in ll.init_params(SPEC, dtype="float64").items()}
    opt = ll.Adam(0.1, form=form)
    state = opt.init(params)
    gradients = [0.5, -2.0, 1e-7, 3.0, -1.0]
    plans = [PLAN, PLAN, PLAN, None, None]
    for g, plan in zip(gradients, plans, strict=True):
        opt.step(params, {k: np.full(p.shape, g) for k, p in params.items()}, state, plan)
    written = [
        WRITTEN[form](0.0, seen, 0.1, 0.9, 0.999, DEFAULT_EPS[form]) for seen in (gradients, gradients[3:])
    ]
    mask = BIAS.mask("0/b")
    same(params["0/b"], np.where(mask, written[1], written[0]))
    same(params["0/Wh"], np.full((8, 2), written[0]))
    assert state.t["0/b"].tolist() == np.where(mask, 2, 5).tolist()
    assert state.t["0/Wh"] == 5


def test_a_thawed_arc_makes_a_first_step_of_one_lr(form):
    """Corrected with the step count of the others its first step would be several times as long."""
    params = {k: np.zeros_like(p) for k, p in ll.init_params(SPEC, dtype="float64").items()}
    opt = ll.Adam(0.01, form=form)
    state = opt.init(params)
    for plan in [PLAN] * 200 + [None]:
        before = params["0/b"].copy()
        opt.step(params, {k: np.ones_like(p) for k, p in params.items()}, state, plan)
    first = np.abs(params["0/b"] - before)[BIAS.mask("0/b")]
    np.testing.assert_allclose(first, 0.01, rtol=1e-3)
    common_count = 0.01 * math.sqrt(1 - 0.999**201) / (1 - 0.9**201) * 0.1 / math.sqrt(0.001)
    assert common_count > 1.3 * 0.01


def test_a_zeroed_gradient_does_not_isolate(form):
    """With warm moments the weight drifts on by several lr: what a plan is for."""
    assert (
        abs(
            run(ll.Adam(0.01, form=form), [1.0] * 20 + [0.0] * 50) - run(ll.Adam(0.01, form=form), [1.0] * 20)
        )
        > 0.05
    )


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"clip_norm": 0.1},
        {"amsgrad": True},
        {"weight_decay": 0.1},
        {"clip_norm": 1.0, "weight_decay": 0.01},
    ],
    ids=str,
)
def test_active_arcs_move_as_if_there_were_no_others(form, options):
    """Under a plan Adam is Adam on the active arcs alone, with every option, a clipped norm included."""
    rng = np.random.default_rng(6)
    opt, whole = ll.Adam(0.1, form=form, **options), ll.init_params(SPEC, dtype="float64")
    active = {k: ~BIAS.mask(k) for k in whole}
    alone = {k: p[active[k]] for k, p in whole.items()}
    state, lone_state = opt.init(whole), opt.init(alone)
    for _ in range(4):
        grads = {k: rng.standard_normal(p.shape) for k, p in whole.items()}
        opt.step(whole, grads, state, PLAN)
        opt.step(alone, {k: g[active[k]] for k, g in grads.items()}, lone_state)
    same({k: p[active[k]] for k, p in whole.items()}, alone, 1e-15)
    identical(whole["0/b"][BIAS.mask("0/b")], ll.init_params(SPEC, dtype="float64")["0/b"][BIAS.mask("0/b")])


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("share", [0.5, 1.0, 2.0])
def test_clipping_scales_gradients_of_any_size_down_to_the_norm(share, size, form):
    """By hand: 3, 4 and 12 have the norm 13. With beta 0 and eps that dwarfs v a step is lr · g / eps."""
    grads = {"a": np.array([3.0, 4.0]) * size, "b": np.array([12.0]) * size}
    opt = ll.Adam(1.0, 0.0, 0.0, 1e12 * size, form, clip_norm=share * 13 * size)
    params = {k: np.zeros_like(g) for k, g in grads.items()}
    opt.step(params, grads, opt.init(params))
    same(params, {k: -g * min(1.0, share) / (1e12 * size) for k, g in grads.items()}, 1e-10)


def test_counts_stay_numbers_as_long_as_all_arcs_move_together(form):
    params = ll.init_params(SPEC)
    opt = ll.Adam(form=form)
    state = opt.init(params)
    assert set(state.t.values()) == {0}
    assert all(not a.any() and a.dtype == np.float32 for a in (*state.m.values(), *state.v.values()))
    grads = {k: np.ones_like(p) for k, p in params.items()}
    opt.step(params, grads, state)
    opt.step(params, grads, state, ll.isolate(SPEC, ll.zone(SPEC, layer="head")))
    assert state.t == {"0/Wx": 2, "0/Wh": 2, "0/b": 2, "head/W": 1, "head/b": 1}


def test_init_and_copy_share_no_memory():
    params = ll.init_params(SPEC)
    opt = ll.Adam()
    state = opt.init(params)
    opt.step(params, {k: np.ones_like(p) for k, p in params.items()}, state, PLAN)
    twin = state.copy()
    arrays = [a for s in (state, twin) for part in (s.m, s.v) for a in part.values()]
    arrays += [s.t["0/b"] for s in (state, twin)] + [*params.values()]
    for k, a in enumerate(arrays):
        assert not any(np.shares_memory(a, b) for b in arrays[:k])
    for part in ("m", "v"):
        identical(getattr(twin, part), getattr(state, part))
    opt.step(params, {k: np.ones_like(p) for k, p in params.items()}, state, PLAN)
    assert (state.t["0/Wh"], twin.t["0/Wh"]) == (2, 1)
    assert state.t["0/b"].max() == 2 * twin.t["0/b"].max()


def test_a_step_leaves_the_gradients_alone(form):
    params = ll.init_params(SPEC)
    grads = {k: np.ones_like(p) for k, p in params.items()}
    opt = ll.Adam(form=form)
    opt.step(params, grads, opt.init(params), PLAN)
    assert all((g == 1).all() for g in grads.values())


@pytest.mark.parametrize("plan", [None, PLAN], ids=["plain", "isolated"])
def test_arrays_of_any_layout_are_moved_in_place(form, plan):
    def run_on(layout):
        rng = np.random.default_rng(5)
        params = {k: layout(p) for k, p in ll.init_params(SPEC).items()}
        held = dict(params)
        opt = ll.Adam(0.1, form=form)
        state = opt.init(params)
        for _ in range(3):
            opt.step(
                params,
                {k: rng.standard_normal(p.shape).astype("float32") for k, p in params.items()},
                state,
                plan,
            )
        assert all(params[k] is held[k] for k in params)
        return params

    plain = run_on(np.array)
    for layout in (
        np.asfortranarray,
        lambda p: np.repeat(p, 2, axis=-1)[..., ::2],
        lambda p: p[::-1].copy()[::-1],
    ):
        identical(run_on(layout), plain)


# ------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"form": "adamw"}, r"form is 'adamw'; the choices are paper, tf15, keras"),
        ({"lr": 0}, r"lr must be a positive number, got 0"),
        ({"lr": -1e-3}, r"lr must be .* got -0.001"),
        ({"lr": math.inf}, r"lr must be .* got inf"),
        ({"lr": math.nan}, r"lr must be .* got nan"),
        ({"eps": 0.0}, r"eps must be a positive number, got 0.0"),
        ({"beta1": 1.0}, r"beta1 must lie in \[0, 1\), got 1.0"),
        ({"beta1": -0.1}, r"beta1 must lie in \[0, 1\), got -0.1"),
        ({"beta2": 1.0}, r"beta2 must lie in \[0, 1\), got 1.0"),
        ({"beta2": math.nan}, r"beta2 must lie in \[0, 1\), got nan"),
    ],
)
def test_a_bad_setting_is_named(settings, message):
    with pytest.raises(ValueError, match=message):
        ll.Adam(**settings)


@pytest.mark.parametrize("plan", [None, PLAN], ids=["plain", "isolated"])
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda g: g[:-1], r"grads\['0/b'\] is float32 \(7,\); expected float32 \(8,\)"),
        (lambda g: g.astype("float64"), r"grads\['0/b'\] is float64 \(8,\); expected float32 \(8,\)"),
    ],
)
def test_a_gradient_that_does_not_fit_is_refused(wrong, message, plan):
    params = ll.init_params(SPEC)
    grads = {k: np.ones_like(p) for k, p in params.items()}
    opt = ll.Adam()
    with pytest.raises(ValueError, match=message):
        opt.step(params, grads | {"0/b": wrong(grads["0/b"])}, opt.init(params), plan)
