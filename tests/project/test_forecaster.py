"""The short way: a forecaster does what the long way does, and has the habits of scikit-learn."""

from __future__ import annotations

import dataclasses
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lstm_lib as ll
from lstm_lib.series import SeriesError

SMALL: dict[str, Any] = {"units": 4, "epochs": 2, "batch": 16}


def series(rows: int = 300, **columns: Any) -> ll.Series:
    index = pd.date_range("2020-01-01", periods=rows, freq="h", tz="UTC")
    load = 500 + 90 * np.sin(np.arange(rows) / 4) + np.random.default_rng(1).normal(0, 9, rows)
    return ll.Series("demo", pd.DataFrame({"load": load} | columns, index), "load", "kW")


def cut(given: ll.Series, **how: Any) -> ll.Split:
    return ll.windows(given, lookback=6, **how)


@pytest.fixture(scope="module")
def split() -> ll.Split:
    return cut(series())


@pytest.fixture(scope="module")
def model(split: ll.Split) -> ll.Forecaster:
    return ll.Forecaster(**SMALL).fit(split)


def test_it_is_fit_and_predict_with_the_best_parameters_in_the_unit_of_the_series(
    model: ll.Forecaster, split: ll.Split
) -> None:
    spec = ll.Spec(1, (4,), 1)
    record = ll.fit(
        spec,
        split.train,
        split.valid,
        epochs=2,
        batch=16,
        optimizer=ll.Adam(4e-3),
        rate="cosine",
        progress=False,
    )
    yhat = split.unscale(ll.predict(spec, record.best_params, split.test))
    np.testing.assert_array_equal(model.predict(split.test), yhat)
    assert yhat.shape == (len(split.test), 1) and 300 < yhat.mean() < 700
    error = ((yhat - split.test.actual) ** 2).sum() / (
        (split.test.actual - split.test.actual.mean()) ** 2
    ).sum()
    assert model.score(split.test) == pytest.approx(1 - error)
    assert (model.spec_, model.n_iter_) == (spec, 2)


def test_isolation_patience_and_cell_get_through(split: ll.Split) -> None:
    chosen = ll.Forecaster(
        **SMALL | {"epochs": 30, "lr": 0.3}, cell="gru", patience=1,
        isolation=lambda spec: ll.isolate(spec, ll.zone(spec, layer=0, matrix="Wh")),
    ).fit(split)  # fmt: skip
    assert chosen.spec_.cell == "gru"
    start, end = ll.init_params(chosen.spec_), chosen.record_.params
    np.testing.assert_array_equal(end["0/Wh"], start["0/Wh"])
    assert chosen.n_iter_ < 30 and chosen.record_.stopped


# ------------------------------------------------------------------------------------------------------- forecasts


def test_a_backtest_of_the_same_series_is_the_prediction_by_its_stamps(
    model: ll.Forecaster, split: ll.Split
) -> None:
    table = model.backtest(split.series)
    for part in (split.train, split.valid, split.test):
        np.testing.assert_allclose(table.loc[part.times], model.predict(part), rtol=1e-6)
    assert list(table.columns) == ["forecast"] and table.index.name == "time"
    assert table.index[0] == split.series.index[6]
    assert table.index[-1] == split.series.index[-1] + pd.Timedelta("1h")  # not known yet
    assert len(table) == 300 - 5
    scores = ll.compare(split.test, {"model": table.loc[split.test.times]})
    assert scores.loc["model", "rmse"] > 0


def test_a_new_series_is_scaled_by_the_one_it_was_fitted_on(model: ll.Forecaster, split: ll.Split) -> None:
    higher = dataclasses.replace(series(), frame=series().frame + 50)
    shifted = (higher.frame.to_numpy() - split.scaling["mean"].to_numpy()) / split.scaling["sd"].to_numpy()
    part = dataclasses.replace(split.test, values=shifted.astype("float32"), series=higher)
    np.testing.assert_allclose(model.backtest(higher).loc[part.times], model.predict(part), rtol=1e-5)
    np.testing.assert_array_equal(model.predict(split.test), model.predict(cut(series()).test))
    with pytest.raises(
        ValueError, match="scaled by other training rows than those the forecaster was fitted on"
    ):
        model.predict(cut(higher).test)
    later = series()
    later = dataclasses.replace(later, frame=later.frame.set_axis(later.index + pd.Timedelta("365D")))
    np.testing.assert_array_equal(model.backtest(later), model.backtest(series()))


def test_windows_with_a_gap_have_no_forecast(model: ll.Forecaster) -> None:
    holed = series()
    holed.frame.loc[holed.index[20], "load"] = np.nan
    table, whole = model.backtest(holed), model.backtest(series())
    assert list(whole.index.difference(table.index)) == [holed.index[20 + k] for k in range(1, 7)]
    np.testing.assert_allclose(table, whole.loc[table.index], rtol=1e-6)
    short = dataclasses.replace(series(), frame=series().frame[:5])
    with pytest.raises(SeriesError, match="there are no 6 rows in a run without a missing value"):
        model.backtest(short)


@pytest.mark.parametrize(
    ("how", "names"),
    [
        ({"horizon": 3}, [None]),
        ({"horizon": 3, "steps": "all"}, ["forecast", "step"]),
        ({"target": ["load", "air"], "horizon": 2, "steps": "all"}, ["forecast", "target", "step"]),
        ({"target": ["load", "air"]}, ["forecast", "target", "step"]),
    ],
)
def test_a_backtest_has_the_columns_of_the_baselines(how: dict[str, Any], names: list[Any]) -> None:
    two = series(air=np.arange(300.0))
    split = cut(two, **how)
    table = ll.Forecaster(**SMALL).fit(split).backtest(two)
    naive = ll.naive_forecasts(split.test)["last value"]
    assert list(table.columns.names) == names
    assert names == [None] or table["forecast"].columns.equals(naive.columns)
    np.testing.assert_allclose(
        table.loc[split.test.times], ll.Forecaster(**SMALL).fit(split).predict(split.test), rtol=1e-5
    )


def test_calendar_features_are_added(split: ll.Split) -> None:
    known = series().with_calendar("hour")
    model = ll.Forecaster(**SMALL).fit(cut(known))
    np.testing.assert_array_equal(model.backtest(series()), model.backtest(known))


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda s: s.frame, r"forecast\(\) takes a Series, from load_series\(...\); got DataFrame"),
        (lambda s: s.resample("2h"), r"its step is 0 days 02:00:00, and the forecaster was fitted on"),
        (
            lambda s: dataclasses.replace(s, unit="W"),
            r"column 'load' is in W; the forecaster was fitted on kW",
        ),
        (
            lambda s: dataclasses.replace(s, frame=s.frame.rename(columns={"load": "power"}), target="power"),
            r"it lacks the columns \['load'\]",
        ),
    ],
)
def test_a_series_of_another_kind_is_refused(other: Any, message: str, model: ll.Forecaster) -> None:
    with pytest.raises(SeriesError, match=message):
        model.forecast(other(series()))


@pytest.mark.parametrize(
    ("slip", "message"),
    [
        (lambda m, s: ll.Forecaster().fit(s.train), r"takes a Split, .* or sequences\(series\), .* got a Windows"),
        (lambda m, s: ll.Forecaster().fit(s.series), r"takes a Split, .* got a Series"),
        (lambda m, s: ll.Forecaster().predict(s.test), r"has learned nothing yet; call fit\(split\) first"),
        (lambda m, s: m.predict(s), r"samples is a Split; expected a part of a split"),
        (lambda m, s: arrays().predict(s.test), r"takes arrays, since this forecaster was fitted on arrays"),
        (lambda m, s: arrays().forecast(s.series), r"needs a forecaster that was fitted on a Split"),
        (lambda m, s: m.set_params(unit=3), r"there is no parameter 'unit'; the parameters are units, cell"),
    ],
)  # fmt: skip
def test_a_slip_is_answered(slip: Any, message: str, model: ll.Forecaster, split: ll.Split) -> None:
    with pytest.raises(ValueError, match=message):
        slip(model, split)


def arrays(**settings: Any) -> ll.Forecaster:
    x = np.linspace(0, 9, 120).reshape(20, 6)
    return ll.Forecaster(**SMALL | settings).fit(x, 1000 + x[:, -1])


def test_arrays_are_scaled_inside_and_keep_the_shape_of_y() -> None:
    x = np.random.default_rng(0).normal(50, 9, (200, 6))
    y = 1000 + 3 * x[:, -1]
    model = ll.Forecaster(units=6, epochs=30, lr=0.03).fit(x, y)
    assert model.predict(x).shape == (200,)
    assert model.score(x, y) > 0.9
    two = ll.Forecaster(units=6, epochs=30, lr=0.03).fit(x[:, :, None], np.stack([y, -y], axis=1))
    assert two.predict(x[:, :, None]).shape == (200, 2)
    np.testing.assert_allclose(two.predict(x), two.predict(x[:, :, None]))
    assert two.score(x, np.stack([y, -y], axis=1)) > 0.8


# --------------------------------------------------------------------------------------------------- scikit-learn


def test_settings_are_read_set_and_shown() -> None:
    model = ll.Forecaster(units=(8, 4), lr=0.1)
    assert repr(model) == "Forecaster(units=(8, 4), lr=0.1)"
    assert model.get_params() == ll.Forecaster().get_params() | {"units": (8, 4), "lr": 0.1}
    assert model.set_params(epochs=3) is model and model.epochs == 3
    again = pickle.loads(pickle.dumps(arrays()))
    np.testing.assert_array_equal(again.predict(np.ones((2, 6))), arrays().predict(np.ones((2, 6))))


def test_a_clone_has_the_settings_and_nothing_learned(model: ll.Forecaster) -> None:
    base = pytest.importorskip("sklearn.base")
    copy = base.clone(model)
    assert copy.get_params() == model.get_params()
    assert not hasattr(copy, "record_")


@pytest.mark.filterwarnings(
    "ignore:Estimator Forecaster does not inherit from"
)  # it works without scikit-learn
def test_the_checks_of_scikit_learn_pass() -> None:
    """All of them make sense: where they give a table (N, features), a row is a window of one column.

    What they can't see is that windows overlap: folds that keep the order of time are made by `lstm_lib.folds`.
    """
    checks = pytest.importorskip("sklearn.utils.estimator_checks")
    model = ll.Forecaster(units=6, epochs=40, lr=0.05, batch=16)
    found = checks.check_estimator(model, on_fail=None, on_skip=None)
    failed = {f"{one['check_name']}: {one['exception']!r}" for one in found if one["status"] == "failed"}
    assert not failed
    assert {one["check_name"] for one in found if one["status"] == "skipped"} <= {
        "check_array_api_input"  # arrays of other libraries, tried where SCIPY_ARRAY_API is set
    }
    assert len(found) > 40
