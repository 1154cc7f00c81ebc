"""Whether a forecast is better: the test beside a reference, false alarms as rare as promised, peaks and bias."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import lstm_lib as ll
from lstm_lib.series.differences import best_naive, diebold_mariano, share_between
from tests.series.test_series_intervals import demo


def newey_west(d: Any, lags: int) -> float:
    """The statistic by its formula: mean over the root of Σ_k (1 - |k| / (L + 1)) γ_k / n, with n / (n - 1)."""
    n, e = len(d), d - d.mean()
    gamma = [(e[k:] * e[: n - k]).sum() / n for k in range(lags + 1)]
    long = gamma[0] + 2 * sum((1 - k / (lags + 1)) * gamma[k] for k in range(1, lags + 1))
    return float(d.mean() / np.sqrt(long / n * n / (n - 1)))


@pytest.mark.parametrize("n", [20, 100, 400])
def test_the_statistic_is_that_of_the_formula(n: int) -> None:
    rng = np.random.default_rng(n)
    d = np.convolve(rng.normal(0.1, 1, n + 4), np.ones(5), "valid")
    days = np.repeat(np.arange(n), 3)
    stat, p = diebold_mariano(np.repeat(d, 3), np.zeros(3 * n), days)
    assert stat == pytest.approx(newey_west(d, max(1, int(4 * (n / 100) ** (2 / 9)))), rel=1e-10)
    scipy = pytest.importorskip("scipy.stats")
    assert p == pytest.approx(2 * scipy.t.sf(abs(stat), n - 1), rel=1e-9)
    assert diebold_mariano(np.zeros(3 * n), np.repeat(d, 3), days)[0] == pytest.approx(-stat)


def test_hours_of_a_day_that_err_alike_are_no_evidence() -> None:
    """Of equal forecasts one in twenty is called different, though all 24 hours of a day have one error."""
    rng, days, alarms = np.random.default_rng(0), np.repeat(np.arange(120), 24), 0
    for _ in range(300):
        d = np.repeat(rng.normal(size=120), 24)
        alarms += diebold_mariano(d, np.zeros_like(d), days)[1] < 0.05
    assert 5 <= alarms <= 27


def test_too_few_days_and_equal_losses_say_nothing() -> None:
    for d, days in ((np.arange(7.0), np.arange(7)), (np.ones(50), np.arange(50))):
        assert np.isnan(diebold_mariano(d, np.zeros_like(d), days)).all()
    assert np.isnan(share_between(np.ones((7, 1), bool), np.arange(7))).all()


def test_the_bounds_of_a_share_are_wide_where_days_are_alike() -> None:
    rng, days = np.random.default_rng(1), np.repeat(np.arange(200), 24)
    hours = rng.random((4800, 1)) < 0.9
    of_days = np.repeat(rng.random(200) < 0.9, 24)[:, None]
    (low, high), (far_low, far_high) = share_between(hours, days), share_between(of_days, days)
    assert low < hours.mean() < high and far_low < of_days.mean() < far_high
    assert far_high - far_low > 3 * (high - low)


def test_compare_tells_bias_peak_best_naive_and_the_test() -> None:
    split = ll.windows(demo(), 24, horizon=3, steps="all")
    rng, actual = np.random.default_rng(4), split.test.actual
    forecasts = {
        "high": actual + 5,
        "near": actual + rng.normal(0, 1, actual.shape),
        "ridge": ll.ridge_forecast(split),
    }
    table = ll.compare(split.test, forecasts, baseline="ridge", test=True)
    assert table.loc["high", "bias"] == pytest.approx(5) and table.loc["high", "peak"] == pytest.approx(5)
    assert table.loc["near", ["dm", "p"]].tolist() < [-5, 1e-5]
    assert np.isnan(table.loc["ridge", ["dm", "p"]].to_numpy(float)).all()
    assert (table.loc[["last value", "same hour yesterday"], "skill_best"] <= 1e-12).all()
    steps = ll.compare(split.test, forecasts, baseline="ridge", test=True, by="horizon")
    naive = ["last value", "same hour yesterday", "same hour last week"]
    assert steps.loc[naive, "skill_best"].unstack().max().abs().max() < 1e-12
    assert steps.loc["high", "peak"].tolist() == pytest.approx([5, 5, 5])
    assert ll.compare(split.test, forecasts, test=True, by="hour")["peak"].isna().all()


def test_peaks_are_of_whole_local_days() -> None:
    series = ll.load_series("sceaux", columns=["power"])
    split = ll.windows(series, 24)
    actual, rows = split.test.actual.copy(), split.test.target_rows[:, 0]
    days = pd.Series(actual[:, 0], series.local[rows].tz_localize(None).normalize())
    whole = days.groupby(level=0).transform("size") == 24
    assert 0 < (~whole).sum() < len(whole) / 2
    yhat = actual - np.where(whole, 1.0, 100.0)[:, None]
    assert ll.compare(split.test, {"a": yhat}, test=True).loc["a", "peak"] == pytest.approx(1)


def test_the_best_naive_forecast_is_chosen_at_each_step() -> None:
    actual = np.zeros((4, 2))
    naive = {"a": np.tile([1.0, 3.0], (4, 1)), "b": np.tile([2.0, 1.0], (4, 1))}
    assert best_naive(actual, naive).tolist() == [[1.0, 1.0]] * 4
