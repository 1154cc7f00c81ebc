"""Adam at the edge of a type: the update of exact arithmetic, rounded, or a refusal with its cause; never NaN."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lstm_lib as ll
from lstm_lib.training.adam import FORMS
from lstm_lib.training.edges import clipped, is_plain, norm
from lstm_lib.training.record import Diverged
from tests.cases import identical


def after(gradients: list[Any], dtype: str, start: Any = (0.0, 0.0), **settings: Any) -> Any:
    """The weights after every step; what moved where a step is refused would be seen here."""
    adam, w = ll.Adam(**{"lr": 0.1, **settings}), {"0/b": np.array(start, dtype)}
    state, found = adam.init(w), []
    for g in gradients:
        before = copy.deepcopy((w, state))
        try:
            adam.step(w, {"0/b": np.array(g, dtype)}, state)
        except ValueError:
            identical(w, before[0])
            assert repr(state) == repr(before[1])
            raise
        found.append(w["0/b"].astype("float64"))
    return np.array(found)


ONES = [[1, 1]] * 5


@pytest.mark.parametrize(
    ("dtype", "large", "settings", "end"),
    [
        ("float32", 1e20, {}, [-0.32800, -0.60000]),
        ("float64", 1e20, {}, [-0.32800, -0.60000]),
        ("float32", 1e20, {"clip_norm": 1.0}, [-0.58712, -0.44081]),
        ("float32", 3e38, {"clip_norm": 1.0}, [-0.58712, -0.44081]),
        ("float64", 1e160, {"clip_norm": 1.0}, [-0.58712, -0.44081]),
        ("float64", 1e308, {"clip_norm": 1.0}, [-0.58712, -0.44081]),
    ],
)
def test_a_gradient_whose_square_is_too_large(dtype: str, large: float, settings: Any, end: Any) -> None:
    np.testing.assert_allclose(after([[large, 1], *ONES], dtype, **settings)[-1], end, atol=6e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradients_whose_norm_is_no_number_are_clipped(dtype: str) -> None:
    top = float(np.finfo(dtype).max)
    for first, second in (([top, top], [1, 1]), ([top, -top / 2], [2, -1])):
        np.testing.assert_allclose(
            after([first, *ONES], dtype, clip_norm=1.0),
            after([second, *ONES], dtype, clip_norm=1.0),
            rtol=1e-6,
        )


@pytest.mark.parametrize("form", FORMS)
def test_an_eps_above_the_type_divides_to_nothing(form: str) -> None:
    assert (after([[1, 1]], "float32", form=form, eps=1e300) == 0).all()


@pytest.mark.parametrize("scale", [np.nan, np.inf])
def test_a_factor_that_is_no_number_is_refused_as_such(scale: float) -> None:
    opt, w = ll.Adam(), {"0/b": np.ones(2)}
    with pytest.raises(ValueError, match="scale, the factor on the learning rate, must be a finite number"):
        opt.step(w, {"0/b": np.ones(2)}, opt.init(w), scale=scale)
    assert (w["0/b"] == 1).all()


@pytest.mark.parametrize(("dtype", "large"), [("float32", 1e30), ("float32", 3e38), ("float64", 1e160)])
@pytest.mark.parametrize("form", FORMS)
def test_a_square_that_fits_nowhere_is_refused_with_its_cause(dtype: str, large: float, form: str) -> None:
    with pytest.raises(ValueError, match=rf"step 2 of '0/b'.* does not fit {dtype}: .*clip_norm=1.0"):
        after([[1, 1], [large, 1]], dtype, form=form)
    assert np.isfinite(after([[1, 1], [large, 1]], dtype, form=form, clip_norm=1.0)).all()  # the remedy works


@pytest.mark.parametrize("eps", [1e-46, 1e-45, 1e-43, 1e-38, 1e-20, 5e-324])
@pytest.mark.parametrize("form", FORMS)
def test_eps_below_the_type_changes_nothing_where_nothing_moves(form: str, eps: float) -> None:
    for gradients in ([[0, 0]], [[0, 0.5]] * 3):
        if eps == 5e-324 and form == "paper":  # times a root it is 0 in every type: refused
            with pytest.raises(ValueError, match="give a larger eps"):
                after(gradients, "float32", form=form, eps=eps)
            continue
        found = after(gradients, "float32", [1, -2], form=form, eps=eps)
        np.testing.assert_allclose(found, after(gradients, "float64", [1, -2], form=form), rtol=1e-6)


@pytest.mark.parametrize(("dtype", "small"), [("float32", 1e-21), ("float64", 1e-163)])
def test_a_square_that_rounds_to_0_counts_where_eps_does_not_cover_it(dtype: str, small: float) -> None:
    with pytest.raises(ValueError, match=r"squares count that round to 0; give a larger eps, such as 1e-8"):
        after([[small, small]], dtype, eps=small / 1e3)
    after([[small, small]], dtype, eps=1e-8)


def test_fit_tells_the_cause_and_no_other_advice() -> None:
    x = np.linspace(-1, 1, 80, dtype=np.float32).reshape(8, 5, 2)
    x[..., 1] = 0  # an input whose arcs have no gradient
    y = x[:, -1, :1]
    train = {"spec": ll.Spec(2, (3,), 1), "epochs": 2, "batch": 4, "progress": False}
    usual, edge = (
        ll.fit(train=(x, y), optimizer=ll.Adam(eps=eps, form="paper"), **train) for eps in (1e-16, 1e-46)
    )
    for name, p in usual.params.items():
        np.testing.assert_allclose(edge.params[name], p, rtol=1e-4, atol=1e-6)
    far = np.full_like(y, 1.2e19)  # whose square still fits, unlike that of its gradient
    with pytest.raises(Diverged, match=r"clip_norm=1\.0 bounds") as refused:
        ll.fit(train=(x, far), optimizer=ll.Adam(beta2=0.0), **train | {"batch": 1})
    assert "smaller learning rate" not in str(refused.value)


# ----------------------------------------------------------------------------------------- any numbers, any settings

EXPONENT = {"float32": (-44, 38), "float64": (-320, 307)}


@st.composite
def cases(draw: st.DrawFn) -> tuple[str, list[Any], dict[str, Any], list[float]]:
    dtype = draw(st.sampled_from(["float32", "float64"]))
    low, high = EXPONENT[dtype]

    def number() -> float:
        sign, power = (
            draw(st.sampled_from([-1.0, 1.0, 0.0])),
            draw(st.integers(low, high) | st.integers(-3, 3)),
        )
        return sign * draw(st.floats(1, 3)) * 10.0**power

    gradients = [[number(), number()] for _ in range(draw(st.integers(1, 4)))]
    settings: dict[str, Any] = {
        "eps": 10.0 ** draw(st.integers(-14, -1) | st.integers(-46, 0)), "form": draw(st.sampled_from(sorted(FORMS))),
        "lr": 10.0 ** draw(st.integers(-4, 0) | st.integers(-46, 39)), "amsgrad": draw(st.booleans()),
        "beta2": draw(st.sampled_from([0.999, 0.0, 0.5, 0.999999])), "beta1": draw(st.sampled_from([0.9, 0.0])),
    }  # fmt: skip
    if draw(st.booleans()):
        settings["clip_norm"] = 10.0 ** draw(st.integers(-3, 3))
    return dtype, gradients, settings, [draw(st.floats(-9, 9, width=32)) for _ in range(2)]


def exactly(gradients: list[Any], dtype: str, start: list[float], settings: dict[str, Any]) -> Any:
    """The rule of Adam by numbers of 800 digits, of which none is too small or large."""
    import decimal

    decimal.getcontext().prec, decimal.getcontext().Emax, decimal.getcontext().Emin = 800, 10**6, -(10**6)
    D = decimal.Decimal
    adam = ll.Adam(**settings)
    b1, b2, eps = D(adam.beta1), D(adam.beta2), D(adam.eps or 0)
    w, m, v, top = [D(float(np.dtype(dtype).type(a))) for a in start], [D(0)] * 2, [D(0)] * 2, [D(0)] * 2
    for t, pair in enumerate(gradients, 1):
        g = [D(float(np.dtype(dtype).type(a))) for a in pair]
        length = (g[0] ** 2 + g[1] ** 2).sqrt()
        if adam.clip_norm is not None and length > D(adam.clip_norm):
            g = [a * D(adam.clip_norm) / length for a in g]
        root = (1 - b2**t).sqrt()
        for k in range(2):
            m[k] += (g[k] - m[k]) * (1 - b1)
            v[k] += (g[k] ** 2 - v[k]) * (1 - b2)
            top[k] = max(top[k], v[k])
            under = (top[k] if adam.amsgrad else v[k]).sqrt() + (eps * root if adam.form == "paper" else eps)
            w[k] -= D(adam.lr) * root / (1 - b1**t) * m[k] / under
    return np.array([float(a) for a in w])


@given(case=cases())
def test_any_step_is_that_of_exact_arithmetic_or_refused(case: Any) -> None:
    dtype, gradients, settings, start = case
    try:
        found = after(gradients, dtype, start, **settings)[-1]
    except ValueError as error:
        assert "does not fit" in str(error)  # noqa: PT017
        return
    assert np.isfinite(found).all()
    wanted, ulp = exactly(gradients, dtype, start, settings), np.finfo(dtype).eps
    scale = np.maximum(np.abs(wanted), np.abs(start)) + len(gradients) * settings["lr"]
    cancelled = 1e-15 / (1 - settings["beta2"])  # of 1 - beta2ᵗ, in float64
    np.testing.assert_array_less(np.abs(found - wanted), (1e3 * ulp + cancelled) * scale + 1e-35)


@pytest.mark.parametrize("beta", [0.0, 1e-3, 0.3])
def test_a_small_gradient_after_a_large_one_counts_where_little_is_kept(beta: float) -> None:
    gradients, settings = [[1e4, 1e4]] + [[1, 1]] * 20, {"beta1": beta, "beta2": beta}
    wide = after(gradients, "float64", **settings)
    np.testing.assert_allclose(after(gradients, "float32", **settings), wide, rtol=1e-5)


def test_the_usual_settings_need_no_second_look() -> None:
    for form in FORMS.values():
        for dtype in map(np.dtype, ("float32", "float64")):
            for keep in (1e-1, 1e-2, 1e-3, 1e-4):
                eps = form.default_eps * (keep**0.5 if form.eps_joins_corrected_root else 1)
                assert all(is_plain(dtype, 1e30, lr, eps, keep, 0.1) for lr in (0, 1e-12, 1e-3, 1))


@pytest.mark.parametrize("power", [-300, -160, 0, 160, 300])
def test_a_norm_and_its_clipping_at_any_size(power: int) -> None:
    g = np.array([3.0, 4.0]) * 10.0**power
    assert norm([g[:1], g[1:]]) == pytest.approx(5 * 10.0**power, rel=1e-14)
    np.testing.assert_allclose(
        clipped(g, 1e-3, 5 * 10.0**power), [6e-4, 8e-4] if power >= 0 else g, rtol=1e-12
    )
    assert norm([np.zeros(2)]) == norm([]) == 0
