"""What a forecast depends on: slopes measured by differences, and the ranking that permutation finds."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lstm_lib as ll
from lstm_lib.forecasting.drivers import drivers, permuted
from lstm_lib.series import SeriesError
from lstm_lib.training.samples import predict


def driven(rows: int = 2500) -> ll.Series:
    """The load follows the heat of two hours before, a little the sun of one hour before, and the noise not at all."""
    rng = np.random.default_rng(0)
    heat, sun, noise = rng.normal(size=(3, rows))
    load = 50 + 8 * np.roll(heat, 2) + 3 * np.roll(sun, 1) + 0.3 * rng.normal(size=rows)
    index = pd.date_range("2020-01-01", periods=rows, freq="h", tz="UTC")
    frame = pd.DataFrame({"load": load, "heat": heat, "sun": sun, "noise": noise}, index)
    return ll.Series("driven", frame, "load", "kW")


@pytest.fixture(scope="module", params=[(), (0.1, 0.5, 0.9)], ids=["mean", "quantiles"])
def fitted(request: pytest.FixtureRequest) -> tuple[ll.Forecaster, Any]:
    split = ll.windows(driven(), 6, horizon=2, steps="all", dtype="float64")
    return ll.Forecaster(units=10, epochs=12, lr=0.02, levels=request.param).fit(split), split


def test_the_table_says_which_hour_of_which_input_moves_the_forecast(fitted: Any) -> None:
    model, split = fitted
    table = drivers(model, split.test)
    assert table.index.tolist() == [5, 4, 3, 2, 1, 0] and list(table) == ["load", "heat", "sun", "noise"]
    assert (
        table["heat"].idxmax() == 1 and table["sun"].idxmax() == 0
    )  # one step ahead of the last row that is read
    assert table.sum().idxmax() == "heat" and table.loc[1, "heat"] == pytest.approx(8, rel=0.3)
    later = drivers(model, split.test, ahead=2)
    assert later["heat"].idxmax() == 0 and later.loc[0, "heat"] == pytest.approx(8, rel=0.3)


def test_the_slopes_are_those_of_differences(fitted: Any) -> None:
    model, split = fitted
    few = dataclasses.replace(split.test, starts=split.test.starts[:1])
    table, (x, _) = drivers(model, few, ahead=2), few.take([0])
    at, quantiles = (4, 3) if model.levels else (1, 1)
    for t, d in ((0, 1), (5, 1), (4, 2), (3, 0)):
        low, high = x.copy(), x.copy()
        low[0, t, d] -= 1e-5
        high[0, t, d] += 1e-5
        slope = np.diff([predict(model.spec_, model.params_, a)[0, at] for a in (low, high)]) / 2e-5
        found = abs(slope[0]) * split.scaling.loc["load", "sd"]
        assert table.iloc[t, d] == pytest.approx(found, rel=1e-6)
    assert quantiles == max(1, len(model.levels))


def test_permutation_finds_the_same_ranking(fitted: Any) -> None:
    model, split = fitted
    above, table = permuted(model, split.test), drivers(model, split.test)
    assert list(above.sort_values().index[-2:]) == ["sun", "heat"]
    assert list(table.sum().drop("load").sort_values().index) == ["noise", "sun", "heat"]
    assert above["noise"] < 0.1 * above["heat"] and above["heat"] > 4


def test_what_is_not_forecast_is_refused(fitted: Any) -> None:
    model, split = fitted
    with pytest.raises(SeriesError, match="ahead=3 is not forecast; there is 1 to 2"):
        drivers(model, split.test, ahead=3)
    x = np.linspace(0, 9, 120).reshape(20, 6)
    with pytest.raises(ValueError, match=r"drivers\(\) needs a forecaster that was fitted on a Split"):
        drivers(ll.Forecaster(units=2, epochs=1).fit(x, x[:, 0]), split.test)
    other = ll.windows(dataclasses.replace(driven(), frame=driven().frame + 5), 6, dtype="float64")
    with pytest.raises(ValueError, match="scaled by other training rows"):
        drivers(model, other.test)
