"""Training on sequences and streams against loops written out, and forecasts in one pass."""

import numpy as np
import pandas as pd
import pytest

import lstm_lib as ll
from lstm_lib.network.losses import LOSSES
from lstm_lib.network.spec import copy_params
from lstm_lib.training.sources import Source
from tests.cases import identical, same

KINDS = {"sequences": {}, "streams": {"stateful": True}, "no warm-up": {"warmup": 0}}


def demo(n=260, holes=(40, 41, 130), seed=3):
    rng = np.random.default_rng(seed)
    load = np.sin(np.arange(n) / 4) + rng.normal(0, 0.2, n) + 3
    load[list(holes)] = np.nan
    index = pd.date_range("2021-03-01", periods=n, freq="h", tz="UTC")
    return ll.Series("demo", pd.DataFrame({"load": load, "other": rng.normal(size=n)}, index), "load", "kW")


def cut(**options):
    return ll.sequences(demo(), **{"length": 8, "warmup": 3, "lookback": 12} | options)


@pytest.fixture(params=KINDS)
def split(request):
    return cut(**KINDS[request.param])


SPEC = ll.Spec(2, (5,), 1)


def fit(split, spec=SPEC, **options):
    about = {"epochs": 4, "batch": 3, "seed": 5, "rate": "cosine", "progress": False, "threads": 1} | options
    return ll.fit(spec, split.train, split.valid, optimizer=ll.Adam(0.02), **about)


def by_hand(split, spec=SPEC, epochs=4, batch=3, seed=5):
    """The same training, with nothing but the public functions; its losses by epoch."""
    params, opt = ll.init_params(spec, seed), ll.Adam(0.02)
    state, history = opt.init(params), []
    rounds = [
        split.train.round(np.random.default_rng([seed, epoch]), batch) for epoch in range(1, epochs + 1)
    ]
    total, made = sum(len(order) for _, order in rounds), 0
    for part, order in rounds:
        states, losses = None, []
        for rows in order:
            x, y = part.take(rows)
            if part.stateful and states is not None:
                goes_on = (~part.fresh[rows])[:, None]
                states = [tuple(goes_on * a[: len(rows)] for a in layer) for layer in states]
            yhat, trace = ll.forward(spec, params, x, initial=states, output="every")
            loss, dy = LOSSES[spec.head](yhat, y, part.weights(rows))
            states = trace.states() if part.stateful else None
            opt.step(
                params,
                ll.backward(spec, params, trace, dy),
                state,
                scale=(1 + np.cos(np.pi * made / total)) / 2,
            )
            losses.append(float(loss))
            made += 1
        history.append(np.mean(losses))
    return params, history


@pytest.mark.parametrize("units", [(5,), (4, 3)])
def test_fit_is_the_loop_written_out(split, units):
    spec = ll.Spec(2, units, 1)
    record, (params, history) = fit(split, spec), by_hand(split, spec)
    np.testing.assert_allclose(record.history["train_loss"], history, rtol=1e-6)
    same(record.params, params)


def test_a_run_that_is_resumed_is_the_run_that_was_never_interrupted(split, tmp_path):
    class Interrupt(ll.callbacks.Callback):
        def after_step(self, now):
            if now.epoch == 3 and now.losses.size == 2:
                raise KeyboardInterrupt

    whole, broken = fit(split), fit(split, callbacks=[Interrupt()])
    assert (broken.interrupted, len(broken.history)) == (True, 2)
    resumed = fit(split, resume=ll.Record.load(broken.save(tmp_path / "run")))
    identical(resumed.params, whole.params)
    columns = ["train_loss", "valid_loss", "valid_rmse"]
    pd.testing.assert_frame_equal(resumed.history[columns], whole.history[columns])


def test_the_record_says_on_what_it_was_trained_and_is_resumed_on_nothing_else():
    sequences, streams = cut(), cut(stateful=True)
    record = fit(sequences, epochs=1)
    assert record.config["data"] == "sequences of 8 steps, warm-up 3"
    assert fit(streams, epochs=1).config["data"] == "streams of 8 steps, warm-up 3"
    assert fit(sequences.windows, epochs=1).config["data"] == "windows of 12 steps"
    with pytest.raises(ValueError, match="data: sequences of 8 steps, warm-up 3 then, streams of 8 steps"):
        fit(streams, epochs=1, resume=record)


def test_every_epoch_lays_the_sequences_anew(split):
    source = Source(SPEC, split.train, 3, 5, 2**30, None, None)
    orders = [source.order(epoch) or source.now.starts for epoch in (1, 2, 1)]
    starts = []
    for epoch in (1, 2, 1):
        assert len(source.order(epoch)) == source.steps(epoch)
        starts.append(source.now.starts.tolist())
    assert starts[0] == starts[2] != starts[1]
    assert [a.tolist() for a in orders[0]] == [a.tolist() for a in orders[2]]


def test_validation_forecasts_the_hours_of_the_windows(split):
    record = fit(split, epochs=2)
    valid = split.valid.windows
    yhat = ll.predict(SPEC, record.params, valid, way="pass")
    loss = float(((yhat - valid.y) ** 2).mean())
    assert record.history["valid_loss"].iloc[-1] == pytest.approx(loss, rel=1e-6)
    rmse = float(np.sqrt(((split.unscale(yhat) - valid.actual) ** 2).mean()))
    assert record.history["valid_rmse"].iloc[-1] == pytest.approx(rmse, rel=1e-5)


@pytest.mark.parametrize("every", [1, 5])
def test_one_pass_reads_from_the_first_window_of_an_unbroken_run(every, monkeypatch):
    """Gaps end a run; the state of a chunk goes on to the next one."""
    monkeypatch.setattr("lstm_lib.training.samples.CHUNK", 7)
    split = ll.windows(demo(), lookback=6, every=every)
    spec = ll.Spec(2, (4, 3), 1)
    params = ll.init_params(spec, 1)
    for part in (split.train, split.test):
        found = ll.predict(spec, params, part, way="pass")
        assert found.shape == part.y.shape
        values = part.values
        for k, start in enumerate(part.starts):
            end = start + part.lookback
            first = min(a for a in part.starts if np.isfinite(values[a:end]).all())
            expected, _ = ll.forward(spec, params, values[None, first:end])
            same(found[k], expected[0])
    assert len(split.train.starts) > 10


def test_both_ways_forecast_the_hours_of_windows():
    split, record = cut(), fit(cut(), epochs=2)
    part, windows = split.test, split.windows.test
    identical(record.predict(part), record.predict(windows, way="pass"))
    identical(record.predict(part, way="windows"), record.predict(windows))
    for spec in (SPEC, ll.Spec(2, (5,), 1, output="every")):
        identical(ll.predict(spec, record.best_params, windows, way="windows"), record.predict(windows))
        identical(ll.predict(spec, record.best_params, part), record.predict(part))
    assert not np.allclose(record.predict(part), record.predict(windows), rtol=1e-6)
    with pytest.raises(ValueError, match="way is 'both'; the choices are 'windows', 'pass'"):
        record.predict(part, way="both")
    with pytest.raises(ValueError, match=r"one pass needs a part of a split, such as .*; got a Arrays"):
        record.predict(windows.x, way="pass")


@pytest.mark.parametrize("depth", ["cut", "cache"])
def test_the_lower_layer_may_be_remembered_within_an_epoch(depth):
    split, spec = cut(), ll.Spec(2, (4, 3), 1)
    plan = ll.isolate(spec, ll.zone(spec, layer=0), depth)
    record = fit(split, spec, isolation=plan)
    start = ll.init_params(spec, 5)
    identical(record.params["0/Wh"], start["0/Wh"])
    assert not np.array_equal(record.params["1/Wh"], start["1/Wh"])
    same(record.params, fit(split, spec, isolation=ll.isolate(spec, plan.zone, "skip")).params)
    head = ~ll.zone(spec, layer="head")
    cached, whole = (
        fit(split, spec, isolation=ll.isolate(spec, head, way)).params for way in (depth, "skip")
    )
    same(cached, whole)


def test_streams_can_not_be_remembered():
    spec = ll.Spec(2, (4, 3), 1)
    plan = ll.isolate(spec, ll.zone(spec, layer=0), "cache")
    with pytest.raises(
        ValueError, match=r"streams carry theirs; give depth='cut', or sequences\(..., stateful=False\)"
    ):
        fit(cut(stateful=True), spec, isolation=plan)


def test_a_span_is_where_errors_stop():
    """A sequence with a span of one step moves its arcs as one whose state nobody can be blamed for."""
    split, params = cut(length=8, warmup=0), ll.init_params(SPEC, 5)
    plan = ll.isolate(SPEC, ll.nothing(SPEC), span=1)
    record = fit(split, isolation=plan, epochs=1)
    part, order = split.train.round(np.random.default_rng([5, 1]), 3)
    state, opt, steps = None, ll.Adam(0.02), len(order)
    state = opt.init(params)
    for k, rows in enumerate(order):
        x, y = part.take(rows)
        _, whole = ll.forward(SPEC, params, x, output="every")
        h, c = (np.moveaxis(getattr(whole.layer(0), name), 0, 1) for name in "hc")  # (H, T, B)
        total = copy_params(params)
        for name in total:
            total[name] *= 0
        for t in range(8):
            before = None if t == 0 else [(h[:, t - 1].T, c[:, t - 1].T)]
            yhat, trace = ll.forward(SPEC, params, x[:, t : t + 1], initial=before)
            for name, g in ll.backward(SPEC, params, trace, ll.mse(yhat, y[:, t])[1] / 8).items():
                total[name] += g
        opt.step(params, total, state, scale=(1 + np.cos(np.pi * k / steps)) / 2)
    same(record.params, params, 1e-3)


def test_a_forecaster_learns_from_sequences_and_is_compared_in_both_ways():
    split = cut(stateful=True)
    model = ll.Forecaster(units=5, epochs=2, batch=3).fit(split)
    assert model.record_.config["data"].startswith("streams")
    forecasts = {way: model.predict(split.test, way=way) for way in ("windows", "pass")}
    identical(forecasts["pass"], model.predict(split.test))
    table = ll.compare(split.test, {"LSTM": model, "again": forecasts["pass"]})
    assert table.index[-3:].tolist() == ["LSTM, from windows", "LSTM, in one pass", "again"]
    assert table.loc["LSTM, in one pass"].equals(table.loc["again"])
    assert not table.loc["LSTM, from windows"].equals(table.loc["again"])
    pd.testing.assert_frame_equal(
        table, ll.compare(split.windows.test, {"LSTM": model, "again": forecasts["pass"]})
    )
    assert model.score(split.test) == pytest.approx(model.score(split.windows.test), abs=0.05)
    assert len(model.backtest(demo()))
    pd.testing.assert_frame_equal(ll.naive_forecasts(split.test), ll.naive_forecasts(split.windows.test))
    pd.testing.assert_frame_equal(ll.ridge_forecast(split), ll.ridge_forecast(split.windows))
