"""One network for several buildings or one each: the same hours, the right building, and nothing of another's scale."""

import numpy as np
import pandas as pd
import pytest

from lstm_lib.experiments import one_or_each
from lstm_lib.experiments.buildings import Pooled
from lstm_lib.series import Series, SeriesError, windows


@pytest.fixture
def street(rng):
    """Three buildings that follow one rhythm in their own units, with weather; the second one lacks two days."""
    index = pd.date_range("2021-01-01", periods=1200, freq="h", tz="UTC")
    wave = np.sin(np.arange(1200) * 2 * np.pi / 24)
    frame = pd.DataFrame({"air": rng.normal(5, 1, 1200)}, index)
    for k, name in enumerate(("a", "b", "c")):
        frame[name] = 10.0 ** (2 * k) * (3 + np.roll(wave, 6 * k) + rng.normal(0, 0.1, 1200))
    frame.loc[index[1100:1148], "b"] = np.nan
    return Series("street", frame, "a", "kW")


def test_a_pooled_sample_is_its_building_and_says_so(street):
    own = [windows(street, lookback=5, inputs=[name, "air"], target=name).train for name in ("a", "c")]
    pooled = Pooled(tuple(own))
    N = len(own[0])
    assert len(pooled) == 2 * N
    x, y = pooled.take(np.array([3, N + 3, N + 4, 0]))
    for row, (k, at) in enumerate([(0, 3), (1, 3), (1, 4), (0, 0)]):
        its_x, its_y = own[k].take([at])
        np.testing.assert_array_equal(x[row, :, :2], its_x[0])
        np.testing.assert_array_equal(x[row, :, 2:], np.tile(np.eye(2)[k], (5, 1)))
        assert y[row] == its_y[0]
    assert x.dtype == own[0].x.dtype


def test_three_ways_on_the_same_hours(street):
    table = one_or_each(street, ["a", "b", "c"], lookback=12, units=6, epochs=6, batch=16, lr=1e-2, every=2)
    assert list(table.index) == ["last value", "one each", "told which", "all at once"]
    errors = table[["a", "b", "c"]]
    scale = np.array([1.0, 1e2, 1e4])
    assert (errors.loc["one each"] < 0.75 * errors.loc["last value"]).all(), errors
    assert ((errors / scale).loc["told which"] < 0.75 * (errors / scale).loc["last value"]).all(), errors
    assert ((errors / scale) < 1).all(axis=None), "each in its own unit"
    np.testing.assert_allclose(table["nrmse"], (errors / (3 * scale)).mean(axis=1), rtol=0.05)
    test = windows(street, 12, target=["a", "b", "c"], every=2).test
    last = test.series.frame["a"].to_numpy()[test.target_rows[:, 0] - 1]
    assert table.loc["last value", "a"] == pytest.approx(np.sqrt(np.mean((last - test.actual[:, 0]) ** 2)))
    assert table.loc["one each", "arcs"] == 3 * (24 * (2 + 6 + 1) + 7)
    assert table.loc["told which", "arcs"] == 24 * (2 + 3 + 6 + 1) + 7
    assert table.loc["all at once", "arcs"] == 24 * (4 + 6 + 1) + 3 * 7


@pytest.mark.parametrize("buildings", [["a"], "a", ["a", "a"], []])
def test_fewer_than_two_buildings_are_refused(street, buildings):
    with pytest.raises(SeriesError, match="a list of two or more columns, none twice"):
        one_or_each(street, buildings)


def test_a_building_that_is_not_there_is_refused(street):
    with pytest.raises(SeriesError, match=r"no column 'd'; there is 'air', 'a'"):
        one_or_each(street, ["a", "d"])
