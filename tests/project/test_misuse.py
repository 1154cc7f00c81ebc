"""The wrong thing handed over: each slip that a newcomer is likely to make is answered in words."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lstm_lib as ll
from lstm_lib.training.loop import MEANT

SPEC = ll.Spec(inputs=1, units=(2,), outputs=1)
ZONE = ll.zone(SPEC, layer=0, gate="f")
X = np.linspace(-1, 1, 60, dtype="float32").reshape(20, 3, 1)
PAIR = (X, X[:, -1])


def fit(**options: Any) -> ll.Record:
    return ll.fit(SPEC, **{"train": PAIR, "epochs": 1, "batch": 8, "progress": False} | options)


@pytest.fixture(scope="module")
def split() -> ll.Split:
    index = pd.date_range("2020-01-01", periods=600, freq="h", tz="UTC")
    load = np.sin(np.arange(600) / 4) + np.random.default_rng(1).normal(0, 0.1, 600)
    frame = pd.DataFrame({"load": load}, index)
    return ll.windows(ll.Series("demo", frame, "load", "kW"), lookback=5, split=(0.6, 0.2, 0.2))


SLIPS: list[tuple[Callable[[ll.Split], Any], str]] = [
    (lambda s: fit(isolation=ZONE), r"isolation takes a Plan, from isolate\(spec, zone\); got a Zone"),
    (lambda s: fit(train=s), "train is a Split; expected a part of a split, such as split.train"),
    (lambda s: fit(train=s.series.frame), "train is a DataFrame; expected a part of a split"),
    (lambda s: fit(valid=X), "valid is a ndarray; expected a part of a split"),
    (lambda s: fit(optimizer="adam"), r"optimizer takes an Adam, such as Adam\(lr=1e-3\); got 'adam'"),
    (lambda s: fit(rate="linear"), "rate is 'linear'; the choices are constant, cosine, step, or a function"),
    (lambda s: fit(callbacks=print), r"callbacks takes a list of callbacks; got <built-in function print>"),
    (lambda s: fit().predict(X, "first"), "params is 'first'; the choices are 'best' and 'last'"),
    (lambda s: fit(resume="run.npz"), r"resume takes a Record, from fit\(\) or Record.load\(path\); got str"),
    (lambda s: ll.compare(s.series, {}), "compare.. takes a part of a split, such as split.test, and a dict"),
    (lambda s: ll.compare(s.test, s.test.actual), "takes a part of a split.*got Windows and ndarray"),
    (lambda s: ll.windows("fixed.csv"), r"windows\(\) takes a Series, from load_series\(...\); got str"),
    (lambda s: ll.isolate(SPEC, None), r"isolate\(\) takes a Zone, from zone\(spec, ...\); got a NoneType"),
    (lambda s: ll.zone(SPEC, unit=3.0), "unit takes an index, a slice or a list of indices; got 3.0"),
    (lambda s: ll.zone(SPEC, unit=np.array([True, False])), r"got a mask; give numpy.flatnonzero\(mask\)"),
    (lambda s: ll.mse(np.zeros((2, 24)), np.zeros((2, 1))), "Spec.outputs is the number of targets"),
]  # fmt: skip


@pytest.mark.parametrize(("slip", "answer"), SLIPS, ids=[answer[:30] for _, answer in SLIPS])
def test_a_slip_is_answered(slip: Callable[[ll.Split], Any], answer: str, split: ll.Split) -> None:
    with pytest.raises(ValueError, match=answer):
        slip(split)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("lr", r"optimizer=Adam\(lr=...\)"),
        ("clip_norm", r"optimizer=Adam\(clip_norm=...\)"),
        ("learning_rate", r"optimizer=Adam\(lr=...\)"),
        ("schedule", r"rate=... for the learning rate; a schedule of plans goes to isolation=..."),
        ("each_epoch", r"callbacks=\[function\]"),
        ("each_step", r"callbacks=\[...\] with a Callback that has after_step"),
        ("batch_size", "batch=..."),
        ("epoch", "epochs=..."),
        ("optimiser", "optimizer=..."),
        ("colour", "one of spec, train, valid, seed, epochs, batch"),
    ],
)
def test_an_argument_that_fit_lacks_is_answered_with_the_one_that_was_meant(name: str, answer: str) -> None:
    with pytest.raises(TypeError, match=rf"fit\(\) has no argument '{name}'; give {answer}"):
        fit(**{name: 1})


def test_the_arguments_that_are_answered_are_not_arguments() -> None:
    assert not MEANT.keys() & inspect.signature(ll.fit).parameters.keys()


def test_forecasts_of_another_part_are_not_scored(split: ll.Split) -> None:
    """Both parts have as many windows; only the stamps tell them apart."""
    ridge = ll.ridge_forecast(split)
    assert len(split.valid) == len(split.test)
    with pytest.raises(ValueError, match=r"Forecast 'ridge' is for the stamps .*; the valid part has"):
        ll.compare(split.valid, {"ridge": ridge})
    with pytest.raises(ValueError, match="in order of time"):
        ll.compare(split.test, {"ridge": ridge.sample(frac=1, random_state=0)})
    assert ll.compare(split.test, {"ridge": ridge}).loc["ridge", "skill"] > 0


def test_a_run_is_resumed_on_its_own_data_alone() -> None:
    record = fit()
    with pytest.raises(ValueError, match=r"cannot resume with other settings \(train: 20 samples"):
        fit(train=(X * 2, X[:, -1]), epochs=2, resume=record)
    with pytest.raises(ValueError, match="epochs must be a whole number"):
        fit(epochs=0, resume=record)
    longer = fit(epochs=3, resume=record)
    with pytest.raises(ValueError, match="the record has 3 epochs already; epochs=2 is fewer"):
        fit(epochs=2, resume=longer)


def test_an_interrupted_run_says_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    def press_ctrl_c(now: Any) -> None:
        raise KeyboardInterrupt

    assert fit(epochs=3, callbacks=[press_ctrl_c], progress=True).interrupted
    assert "Interrupted in epoch 2; fit(..., resume=record) goes on after epoch 1." in capsys.readouterr().err
    assert fit(epochs=3, callbacks=[press_ctrl_c]).interrupted  # quiet: who asked for no bar reads the record
    assert capsys.readouterr().err == ""


def test_a_record_is_found_under_the_name_it_was_given(tmp_path: Any) -> None:
    record = fit()
    record.save(tmp_path / "run")
    assert ll.Record.load(tmp_path / "run").history.equals(record.history)


@pytest.mark.parametrize("kind", ["csv", "npz"])
def test_another_file_is_no_record(kind: str, tmp_path: Any) -> None:
    path = tmp_path / f"other.{kind}"
    if kind == "csv":
        path.write_text("a,b\n1,2\n")
    else:
        np.savez(path, a=np.zeros(2))
    with pytest.raises(ValueError, match=r"is not a record; expected a file written by Record.save"):
        ll.Record.load(path)


def test_zones_can_be_taken_from_one_another() -> None:
    everything = ll.everything(SPEC)
    assert everything - ZONE == everything & ~ZONE
    assert (ZONE - everything).size == 0


def test_a_series_says_its_local_time(split: ll.Split) -> None:
    assert "rows every 1 h" in repr(split.series)
    assert "local time UTC" in repr(split.series)
    assert "local time Etc/GMT-1" in repr(ll.load_series("sceaux", columns=["power"]))
