"""Folds with a rolling origin, views instead of copies, boosted trees, and scores by step, hour and target."""

from dataclasses import replace

import numpy as np
import pytest

import lstm_lib as ll
from lstm_lib.series import SeriesError, boosted_forecast, compare, folds, metrics, naive_forecasts, windows
from tests.series.test_series import noisy, series_of

PARTS = ("train", "valid", "test")


def rows_of(part):
    """All rows that the windows of a part read or are compared with."""
    width = part.lookback + int(part.ahead[-1])
    return set((part.starts[:, None] + np.arange(width)).ravel().tolist())


# --------------------------------------------------------------------------------------------------------- folds


@pytest.mark.parametrize("training", ["growing", "fixed"])
def test_folds_roll_their_origin_and_never_look_ahead(training):
    series = noisy(300, gaps=[("heat", 40)])
    made = folds(series, lookback=4, horizon=2, number=4, valid=0.1, test=0.1, training=training)
    assert len(made) == 4
    tested = []
    for k, fold in enumerate(made):
        assert fold.counts["first"].tolist() == [30 * k * (training == "fixed"), 150 + 30 * k, 180 + 30 * k]
        assert fold.counts["rows"].tolist() == [150 + 30 * k * (training == "growing"), 30, 30]
        rows = [rows_of(getattr(fold, name)) for name in PARTS]
        assert max(rows[0]) < min(rows[1]) and max(rows[1]) < min(rows[2]), "no row serves two parts"
        training_rows = series.frame.iloc[fold.counts["first"]["train"] :][: fold.counts["rows"]["train"]]
        np.testing.assert_allclose(fold.scaling["mean"], training_rows.mean(), rtol=1e-12)
        tested += sorted(rows[2])
    assert tested == sorted(set(tested)) and tested[-1] == 299, "test parts do not overlap, and reach the end"


def test_a_fold_is_the_split_of_its_rows():
    """The last fold of a growing training is the plain split with the same borders."""
    series = noisy(300)
    last, plain = folds(series, 4, number=2, valid=0.15, test=0.15)[-1], windows(series, 4)
    for name in PARTS:
        a, b = getattr(last, name), getattr(plain, name)
        assert a.starts.tolist() == b.starts.tolist() and a.x.tobytes() == b.x.tobytes()
    assert last.counts.equals(plain.counts)


def test_what_comes_after_a_fold_does_not_change_it():
    series = noisy(300)
    frame = series.frame.copy()
    frame.iloc[240:] = frame.iloc[240:] * 100 + 7
    other = folds(ll.Series("demo", frame, "load", "kW"), 4, number=4)
    for k, fold in enumerate(folds(series, 4, number=4)):  # tested on rows 180-209, 210-239, ...
        same = all(getattr(fold, n).x.tobytes() == getattr(other[k], n).x.tobytes() for n in PARTS)
        assert same == (k < 2)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"number": 0}, "number=0 was given"),
        ({"number": 9}, r"number=9, valid=0.1, test=0.1 leave 0 of 300 rows to train the first fold on"),
        ({"test": 0}, r"test=0 leave .* each has to be above 0"),
        ({"valid": -0.1}, r"valid=-0.1"),
        ({"training": "all"}, "no way of training 'all'; there is 'growing', 'fixed'"),
        ({"lookback": 40}, r"no window is left in the valid part"),
        ({"horizon": 0}, "horizon=0 was given"),
    ],
)
def test_folds_that_cannot_be_made_are_refused(kwargs, message):
    with pytest.raises(SeriesError, match=message):
        folds(noisy(300), **{"lookback": 4, **kwargs})
    with pytest.raises(SeriesError, match="takes a Series"):
        folds(noisy(300).frame)


# --------------------------------------------------------------------------------------------------------- views


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("gaps", [(), [("heat", 30), ("heat", 33), ("load", 90)]])
def test_blocks_are_the_windows_and_copy_nothing(gaps, every):
    part = windows(noisy(200, gaps=gaps), lookback=5, every=every).train
    blocks = part.blocks()
    np.testing.assert_array_equal(np.concatenate(blocks), part.x)
    assert all(np.shares_memory(block, part.values) and not block.flags.writeable for block in blocks)
    assert len(blocks) <= 1 + 3 * len(gaps)


def test_one_window_is_a_block():
    part = windows(noisy(20), lookback=2, split=(0.7, 0.15, 0.15)).valid
    assert len(part) == 1 and [b.shape for b in part.blocks()] == [(1, 2, 2)] == [part.x.shape]


# -------------------------------------------------------------------------------------------------------- boosted


def test_boosted_trees_find_what_a_line_cannot():
    rng = np.random.default_rng(3)
    load = rng.uniform(-1, 1, 3000)
    load[1:] = np.where(load[:-1] > 0, 1.0, 0.0) + 0.1 * load[1:]
    load[2:] = np.abs(load[:-2] - 0.5) + 0.1 * load[2:]
    split = windows(series_of(load), lookback=6)
    table = compare(split.test, {"ridge": ll.ridge_forecast(split), "boosted": boosted_forecast(split)})
    assert table.loc["boosted", "rmse"] < 0.95 * table.loc["ridge", "rmse"]


def test_boosted_trees_look_at_the_rows_named_and_stop_by_the_validation_part():
    split = windows(noisy(600), lookback=6, horizon=2, steps="all")
    boosted = boosted_forecast(split, lags=(1, 3, 60), trees=40)
    assert boosted.index.equals(split.test.times) and boosted.shape == (len(split.test), 2)
    assert boosted.columns.tolist() == [("boosted", 1), ("boosted", 2)]
    assert all(1 <= kept <= 40 for kept in boosted.attrs["trees"])
    np.testing.assert_array_equal(boosted, boosted_forecast(split, lags=(1, 3), trees=40))
    assert not np.array_equal(boosted, boosted_forecast(split, lags=(1, 2), trees=40))
    swapped = replace(split, valid=split.test)
    every = [
        compare(split.test, {"b": boosted_forecast(swapped, (1, 3), trees=k)}).loc["b", "rmse"]
        for k in (1, 40)
    ]
    chosen = compare(split.test, {"b": boosted_forecast(swapped, (1, 3), trees=40)}).loc["b", "rmse"]
    assert chosen <= min(every), "on pure noise few trees are better than many"
    assert max(boosted.attrs["trees"]) < 40


def test_boosted_trees_never_see_the_test_part():
    series = noisy(600)
    frame = series.frame.copy()
    frame.iloc[-1] = 1e3  # the last target: no window reads it
    other = ll.Series("demo", frame, "load", "kW")
    a, b = (boosted_forecast(windows(s, lookback=6), trees=20) for s in (series, other))
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"lags": (7, 9)}, r"lags=\[7, 9\]: none is within the lookback of 6 rows"),
        ({"lags": (0,)}, "lags=0 was given"),
        ({"trees": 0}, "trees=0 was given"),
    ],
)
def test_boosted_trees_refuse(kwargs, message):
    with pytest.raises(SeriesError, match=message):
        boosted_forecast(windows(noisy(100), lookback=6), **kwargs)


# --------------------------------------------------------------------------------------------------------- scores


def test_nrmse_and_mase_worked_out_by_hand():
    y, yhat = [[1.0, 10.0], [3.0, 30.0]], [[2.0, 10.0], [3.0, 50.0]]  # errors 1, 0, 0, 20
    scores = metrics(y, yhat, steps_apart=[0.5, 10.0])
    assert scores["nrmse"] == pytest.approx((401 / 4) ** 0.5 / 11)
    assert scores["mase"] == (1 / 0.5 + 20 / 10) / 4
    assert all(np.isnan(metrics(y, [0.0, 0.0])["nrmse"]) for y in ([-1.0, 1.0], [-3.0, -1.0]))
    for wrong in (0, -1, np.nan, [1.0, 0.0]):
        with pytest.raises(SeriesError, match=r"steps_apart=.* has to be above 0"):
            metrics(y, yhat, steps_apart=wrong)


def test_mase_is_relative_to_the_training_rows():
    load = np.concatenate([np.arange(700.0) * 2, np.arange(300.0) ** 2])  # steps of 2 in training
    split = windows(series_of(load), lookback=2)
    assert split.test.steps_apart.tolist() == [2.0] == split.train.steps_apart.tolist()
    table = compare(split.test, {})
    assert table.loc["last value", "mase"] == table.loc["last value", "mae"] / 2


@pytest.fixture
def two_days_ahead():
    split = windows(noisy(900, gaps=[("load", 850)]), lookback=3, horizon=5, steps="all")
    rng = np.random.default_rng(0)
    return split, {"guess": split.test.actual + rng.normal(0, [1, 2, 3, 4, 5], split.test.actual.shape)}


def test_scores_by_horizon_are_those_of_each_column(two_days_ahead):
    split, forecasts = two_days_ahead
    table = compare(split.test, forecasts, by="horizon")
    assert table.index.names == ["forecast", "horizon"] and table.loc["guess"].index.tolist() == [
        1,
        2,
        3,
        4,
        5,
    ]
    naive = naive_forecasts(split.test)
    common = naive.notna().all(axis=1).to_numpy()
    for k in range(5):
        last = naive["last value", k + 1].to_numpy()[common]
        by_hand = metrics(
            split.test.actual[common, k], forecasts["guess"][common, k], last, split.test.steps_apart
        )
        assert table.loc[("guess", k + 1)].to_dict() == pytest.approx(by_hand, nan_ok=True)
    one = compare(windows(noisy(900), lookback=3, horizon=5).test, {}, by="horizon")
    assert one.loc["last value"].index.tolist() == [5], "the step is how far ahead, not which output"


def test_scores_by_hour_are_those_of_the_local_hour(two_days_ahead):
    split, forecasts = two_days_ahead
    split.series.__dict__["timezone"] = "Etc/GMT-5"
    table = compare(split.test, forecasts, by="hour").loc["guess"]
    common = naive_forecasts(split.test).notna().all(axis=1).to_numpy()
    hours = (split.test.target_rows[common] + 5) % 24  # the series begins at midnight UTC
    error = (forecasts["guess"] - split.test.actual)[common]
    for hour in range(24):
        chosen = error[hours == hour]
        assert table.loc[hour, "mae"] == pytest.approx(np.abs(chosen).mean())
        assert table.loc[hour, "n"] == chosen.size
    assert table["n"].sum() == error.size


def test_scores_by_target():
    series = noisy(600)
    split = windows(series, lookback=3, horizon=2, steps="all", target=["load", "heat"])
    ridge = ll.ridge_forecast(split)
    assert ridge.columns.names == ["forecast", "target", "step"]
    assert ridge["ridge"]["heat"].columns.tolist() == [1, 2]
    table = compare(split.test, {"ridge": ridge}, by="target")
    for name in ("load", "heat"):
        alone = windows(series, lookback=3, horizon=2, steps="all", target=name)
        single = compare(alone.test, {"ridge": ridge["ridge"][name]}).loc["ridge"]
        assert table.loc[("ridge", name)].to_dict() == pytest.approx(single.to_dict(), nan_ok=True)
    with pytest.raises(
        SeriesError, match="no way to group scores, by = 'day'; there is 'horizon', 'hour', 'target'"
    ):
        compare(split.test, {}, by="day")


def test_a_group_in_which_the_baseline_has_no_error_has_no_skill():
    hours = np.arange(1200)
    sun = np.maximum(0, np.sin(2 * np.pi * hours / 24)) * (1 + 0.3 * np.sin(hours))
    split = windows(series_of(sun), lookback=3)
    table = compare(split.test, {}, by="hour").loc["same hour yesterday"]
    assert table.loc[18, ["skill", "nrmse"]].isna().all() and table.loc[18, "mae"] == 0
    assert table.loc[6, ["skill", "nrmse"]].notna().all()


def test_several_targets_are_learnt_together():
    split = windows(noisy(400), lookback=4, target=["load", "heat"])
    spec = ll.Spec(inputs=2, units=(4,), outputs=2)
    record = ll.fit(spec, split.train, split.valid, epochs=1, batch=32, progress=False)
    forecast = split.unscale(ll.predict(spec, record.params, split.test))
    table = compare(split.test, {"LSTM": forecast}, by="target")
    assert table.loc["LSTM"].index.tolist() == ["load", "heat"]


def test_without_neighbours_to_train_on_there_is_no_mase():
    series = noisy(600, gaps=[("load", row) for row in range(0, 420, 2)])
    split = windows(series, lookback=1, horizon=2, inputs=["load"])
    assert "mase" not in compare(split.test, {}) and "mase" not in compare(split.test, {}, by="hour")


def test_a_naive_forecast_that_a_short_file_has_nowhere_is_left_out():
    series = ll.load_series("fontana", columns=["power"])
    table = compare(windows(replace(series, frame=series.frame[:140]), lookback=4).test, {})
    assert list(table.index) == ["last value", "same hour yesterday"]
