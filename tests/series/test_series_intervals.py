"""Intervals: as many hours inside as were asked for, nothing of the future in them, and every forecast has its own."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lstm_lib as ll
from lstm_lib.series import SeriesError
from lstm_lib.series.intervals import adaptive_margins, margins, scores_of

EVERY = {"ridge": ll.ridge_forecast, "trees": lambda split: ll.boosted_forecast(split, trees=10)}


def demo(rows: int = 3000, wide: float = 1.0) -> ll.Series:
    """A daily wave; the noise of the last part is `wide` times that of the others."""
    index = pd.date_range("2020-01-01", periods=rows, freq="h", tz="UTC")
    noise = np.random.default_rng(3).normal(0, 10, rows)
    noise[int(0.85 * rows) :] *= wide
    load = 500 + 90 * np.sin(2 * np.pi * np.arange(rows) / 24) + noise
    return ll.Series("demo", pd.DataFrame({"load": load}, index), "load", "kW")


@pytest.fixture(scope="module")
def split() -> ll.Split:
    return ll.windows(demo(), 24, horizon=2, steps="all")


# --------------------------------------------------------------------------------------------------- margins


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9])
def test_the_margin_holds_its_share_of_new_draws_on_the_average(level: float) -> None:
    """The guarantee of split-conformal: at least `level`, at most 1 / (n + 1) more, whatever the distribution."""
    rng, n = np.random.default_rng(0), 19
    draws = np.abs(rng.standard_cauchy((n + 1, 40_000)))
    held = (draws[-1] <= margins(draws[:-1], level)).mean()
    assert level - 0.01 < held < level + 1 / (n + 1) + 0.01


def test_adaptive_margins_never_see_what_is_not_known_yet() -> None:
    rng = np.random.default_rng(1)
    before, scores, delay = rng.gamma(2, size=(200, 3)), rng.gamma(2, size=(50, 3)), [1, 2, 24]
    found = adaptive_margins(before, scores, delay, 0.9)
    for o, wait in enumerate(delay):
        changed = scores.copy()
        changed[20:, o] = 99.0
        again = adaptive_margins(before, changed, delay, 0.9)
        np.testing.assert_array_equal(again[: 20 + wait], found[: 20 + wait])
        assert wait == 24 or again[20 + wait :, o].max() > found[20 + wait :, o].max()


def test_adaptive_margins_come_back_to_their_share_where_fixed_ones_do_not() -> None:
    rng = np.random.default_rng(2)
    before, now = np.abs(rng.normal(size=(500, 1))), np.abs(rng.normal(0, 3, size=(4000, 1)))
    fixed, moved = (
        (now <= margins(before, 0.9)).mean(),
        (now <= adaptive_margins(before, now, [1], 0.9)).mean(),
    )
    assert fixed < 0.5 and abs(moved - 0.9) < 0.02
    still = adaptive_margins(before, now, [1], 0.9, rate=0)[:1]
    np.testing.assert_array_equal(still, margins(before, 0.9)[None])


def test_the_score_of_two_quantiles_is_the_distance_outside_them() -> None:
    low, high = np.array([[1.0]] * 3), np.array([[3.0]] * 3)
    assert scores_of((low, high), np.array([[0.0], [2.5], [7.0]])).ravel().tolist() == [1.0, -0.5, 4.0]


# --------------------------------------------------------------------------------------------------- compare


def test_every_forecast_has_coverage_and_width(split: ll.Split) -> None:
    model = ll.Forecaster(units=4, epochs=1).fit(split)
    table = ll.compare(split, EVERY | {"LSTM": model}, level=0.9)
    assert len(table) == 7 and table.notna().all().all()
    plain = ll.compare(split.test, {"ridge": ll.ridge_forecast(split), "LSTM": model})
    pd.testing.assert_frame_equal(table.loc[plain.index, list(plain)], plain, atol=1e-9)
    assert (
        table["coverage"].between(0.85, 0.95).all() and table["adaptive_coverage"].between(0.87, 0.93).all()
    )
    assert (table["coverage_low"] < table["coverage"]).all() and (
        table["coverage"] < table["coverage_high"]
    ).all()
    pd.testing.assert_frame_equal(
        ll.compare(split, {"a": (model.predict(split.valid), model.predict(split.test))}, level=0.9).loc[
            ["a"]
        ],
        table.loc[["LSTM, from windows"]].set_axis(["a"]),
    )


def test_coverage_and_width_are_those_of_margins_measured_on_the_validation_part(split: ll.Split) -> None:
    rng = np.random.default_rng(5)
    pair = tuple(
        part.actual + rng.normal(0, [5, 20], part.actual.shape) for part in (split.valid, split.test)
    )
    margin = margins(np.abs(pair[0] - split.valid.actual), 0.8)
    table = ll.compare(split, {"a": pair}, level=0.8, by="horizon").loc["a"]
    naive = ll.naive_forecasts(split.test)
    common = naive.notna().all(axis=1).to_numpy()
    inside = np.abs(pair[1] - split.test.actual)[common] <= margin
    np.testing.assert_allclose(table["width"], 2 * margin)
    np.testing.assert_allclose(table["coverage"], inside.mean(axis=0))
    assert 3 < table["width"].iloc[1] / table["width"].iloc[0] < 5


def test_where_test_hours_are_wilder_the_fixed_interval_misses_and_the_adaptive_one_widens() -> None:
    wild = ll.windows(demo(wide=3.0), 24)
    row = ll.compare(wild, {"ridge": ll.ridge_forecast}, level=0.9).loc["ridge"]
    assert row["coverage_high"] < 0.8 and row["adaptive_coverage"] > 0.86
    assert row["adaptive_width"] > 1.5 * row["width"]


@pytest.mark.parametrize("how", ["windows", "sequences"])
def test_a_head_of_quantiles_is_calibrated_from_its_quantiles(how: str) -> None:
    kind = {
        "windows": lambda s: ll.windows(s, 24),
        "sequences": lambda s: ll.sequences(s, 24, 6, lookback=24),
    }
    split = kind[how](demo())
    model = ll.Forecaster(units=8, epochs=4, lr=0.01, levels=(0.05, 0.5, 0.95)).fit(split)
    values = model.quantiles(split.test)
    assert values.shape == (len(model.predict(split.test)), 1, 3) and (np.diff(values) >= 0).all()
    np.testing.assert_array_equal(model.predict(split.test), values[..., 1])
    table = ll.compare(split, {"LSTM": model}, level=0.9)
    assert table.loc["LSTM, in one pass", "coverage"] == pytest.approx(0.9, abs=0.04)
    known = model.quantiles(split.valid)[..., 0, :]
    valid, common = getattr(split, "windows", split).valid.actual[:, 0], table["n"].iloc[0]
    margin = margins(np.maximum(known[:, 0] - valid, valid - known[:, 2])[:, None], 0.9)
    assert common == len(values)
    bare = (values[..., 2] - values[..., 0]).mean()
    assert table.loc[
        "LSTM, in one pass" if how == "sequences" else "LSTM, from windows", "width"
    ] == pytest.approx(bare + 2 * margin[0], rel=1e-6)
    ahead = model.forecast(split.series, level=0.9)
    low, high = ahead["forecast"] - ahead["low"], ahead["high"] - ahead["forecast"]
    assert (low > 0).all() and (high > 0).all() and not np.allclose(low, high)
    with pytest.raises(
        SeriesError, match=r"level=0.8 takes the quantiles 0.1 and 0.9, .* valid is level=0.9"
    ):
        model.forecast(split.series, level=0.8)


@pytest.mark.parametrize("how", ["windows", "sequences"])
def test_a_forecast_adapts_to_the_hours_after_those_it_was_fitted_on(how: str, tmp_path: Any) -> None:
    """Its margin is the one that `compare` would take there; hours that it was fitted on teach nothing."""
    kind = {
        "windows": lambda s: ll.windows(s, 24, 2, steps="all"),
        "sequences": lambda s: ll.sequences(s, 24, 6, 2, steps="all", lookback=24),
    }
    series = demo(wide=3.0)
    split = kind[how](series)
    model = ll.Forecaster(units=4, epochs=2).fit(split)
    model = ll.Forecaster.load(model.save(tmp_path / "model.npz"))
    part, valid = (getattr(split, "windows", split).test, getattr(split, "windows", split).valid)
    at = part.origin[-1]
    table = model.forecast(series, level=0.9, at=at, adaptive=True)
    past = model.backtest(series)
    past = past[(past.index > series.index[valid.target_rows.max()]) & (past.index <= part.times[-1])]
    load = series.frame["load"]
    actual = np.stack([load[past.index], load[past.index + series.step]], axis=1)
    assert len(past) > len(part)  # whose windows read no row of the validation part
    scores = np.abs(past.to_numpy() - actual)
    expected = adaptive_margins(np.abs(model.predict(split.valid) - valid.actual), scores, [1, 2], 0.9)[-1]
    np.testing.assert_allclose((table["high"] - table["low"]) / 2, expected, rtol=1e-4)
    fixed = model.forecast(series, level=0.9)
    assert ((table["high"] - table["low"]).to_numpy() > 1.3 * (fixed["high"] - fixed["low"]).to_numpy()).all()
    early = series.index[2000]
    pd.testing.assert_frame_equal(
        model.forecast(series, level=0.9, at=early, adaptive=True),
        model.forecast(series, level=0.9, at=early),
    )


def test_a_score_that_is_missing_teaches_nothing() -> None:
    before, scores = np.arange(1.0, 100)[:, None], np.array([[1000.0], [np.nan], [0.0], [0.0]])
    found = adaptive_margins(before, scores, [1], 0.9)
    assert np.isfinite(found).all() and found[1] == found[2]


def test_quantiles_are_saved_with_a_forecaster_and_lack_no_median(tmp_path: Any, split: ll.Split) -> None:
    model = ll.Forecaster(units=4, epochs=1, levels=(0.1, 0.5, 0.9)).fit(split)
    again = ll.Forecaster.load(model.save(tmp_path / "model.npz"))
    table = model.forecast(split.series, level=0.8)
    pd.testing.assert_frame_equal(again.forecast(split.series, level=0.8), table, check_exact=True)
    assert again.levels == (0.1, 0.5, 0.9)
    with pytest.raises(ValueError, match=r"levels=\(0.1, 0.9\) lack 0.5, the median"):
        ll.Forecaster(levels=(0.1, 0.9)).fit(split)
    x = np.linspace(0, 9, 120).reshape(20, 6)
    assert ll.Forecaster(units=2, epochs=1, levels=(0.1, 0.5, 0.9)).fit(x, x[:, :2]).predict(x).shape == (
        20,
        2,
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: ll.compare(s.test, {}, level=0.9), r"level=0.9 measures intervals on the validation part"),
        (lambda s: ll.compare(s, {"a": s.test.actual}, level=0.9), r"Forecast 'a' is given for the test part alone"),
        (lambda s: ll.compare(s, {"a": (s.test.actual,)}, level=0.9), r"'a' is a tuple of 1; expected \(of valid"),
        (lambda s: ll.compare(s.test, {"a": ll.ridge_forecast}), r"'a' is a function of a split; give compare"),
        (lambda s: ll.compare(s, {}, level=1.0), r"level=1.0 was given; it is the share of hours"),
        (lambda s: ll.compare(s, {"a": (s.test.actual,) * 2}, level=0.9), r"a row for each window of the valid"),
        (lambda s: ll.compare(s, {}, level=0.9999), r"level=0.9999 needs at least 9999 windows"),
    ],
)  # fmt: skip
def test_what_can_not_be_measured_is_refused(call: Any, message: str, split: ll.Split) -> None:
    with pytest.raises(SeriesError, match=message):
        call(
            dataclasses.replace(split, valid=dataclasses.replace(split.valid, starts=split.valid.starts[5:]))
        )
