"""Callbacks are shown every step and epoch, are not timed, and can end the run in good order."""

import itertools
import os
import sys
from pathlib import Path

import numpy as np
import pytest

import lstm_lib as ll
from lstm_lib.network.spec import copy_params
from lstm_lib.training.callbacks import Callback, EarlyStopping, SaveRecord
from tests.cases import identical
from tests.training.fit_cases import SPEC, TRAIN, VALID, equal_but_for_time, fit, interrupting


class Steps(Callback):
    """Does something after every step."""

    def __init__(self, do):
        self.do = do

    def after_step(self, now):
        return self.do(now)


def test_every_step_is_shown_and_nothing_is_changed():
    seen = []
    record = fit(callbacks=[Steps(lambda now: seen.append((now, now.params["0/b"].copy(), len(now.losses))))])
    equal_but_for_time(record, fit())
    moments = [now for now, _, _ in seen]
    assert [now.step for now in moments] == list(range(1, 16))  # three epochs of five steps
    assert [now.epoch for now in moments] == [1] * 5 + [2] * 5 + [3] * 5
    assert {(now.epochs, now.steps) for now in moments} == {(3, 15)}
    assert [losses for _, _, losses in seen] == [1, 2, 3, 4, 5] * 3
    seconds = [now.seconds for now in moments]
    assert seconds[0] > 0 and seconds == sorted(seconds)
    for epoch in (1, 2, 3):
        assert seconds[5 * epoch - 1] <= record.history["seconds"][:epoch].sum()
        assert moments[5 * epoch - 1].losses.mean() == record.history["train_loss"][epoch - 1]
    assert np.array_equal(seen[-1][1], record.params["0/b"])
    assert not np.array_equal(seen[0][1], seen[1][1])
    assert all(now.record is record for now in moments)


def test_an_epoch_is_shown_once_it_stands_in_the_history():
    seen = []

    def look(now):
        seen.append((now.epoch, now.step, len(now.record.history), now.seconds, now.state.t["0/b"]))
        identical(now.params, now.record.checkpoint.params)
        assert now.plan.zone == ll.nothing(SPEC)

    record = fit(callbacks=[look])
    assert [row[:3] for row in seen] == [(1, 5, 1), (2, 10, 2), (3, 15, 3)]
    np.testing.assert_allclose([row[3] for row in seen], record.history["seconds"].cumsum(), rtol=1e-12)
    assert [row[4] for row in seen] == [5, 10, 15]


def test_seconds_and_steps_go_on_where_a_resumed_run_does():
    first, seen = fit(epochs=1), []
    fit(resume=first, callbacks=[Steps(lambda now: seen.append((now.step, now.seconds)))])
    assert seen[0][0] == 6 and seen[0][1] > first.seconds


def test_what_callbacks_do_is_not_timed(monkeypatch):
    clock = itertools.count()
    monkeypatch.setattr("lstm_lib.training.loop.time.perf_counter", lambda: float(next(clock)))

    def slow(_):
        for _ in range(1000):
            next(clock)

    assert (fit(callbacks=[Steps(slow), slow]).history["seconds"] < 100).all()


@pytest.mark.parametrize("last", [1, 7, 15])
@pytest.mark.parametrize("how", ["a reason", "Ctrl-C"])
def test_a_step_can_end_the_run(last, how, capsys):
    kept = {}

    def stop(now):
        kept.update(copy_params(now.params))
        if now.step == last and how == "Ctrl-C":
            raise KeyboardInterrupt
        return how if now.step == last else None

    record = fit(callbacks=[Steps(stop)])
    assert (record.interrupted, record.stopped) == ((True, "") if how == "Ctrl-C" else (False, how))
    assert len(record.history) == (last - 1) // 5
    identical(record.params, kept)
    assert capsys.readouterr().err == ""  # a run without a bar says nothing either
    equal_but_for_time(fit(resume=record), fit())


def test_a_run_that_was_stopped_says_why_and_goes_on_when_asked(tmp_path, capsys):
    record = fit(progress=True, callbacks=[lambda now: "it is late" if now.epoch == 2 else None])
    assert (len(record.history), record.stopped) == (2, "it is late")
    assert "Stopped after 2 epochs: it is late." in capsys.readouterr().err
    equal_but_for_time(record, fit(epochs=2))
    again = ll.Record.load(record.save(tmp_path / "run"))
    assert again.stopped == "it is late"
    whole = fit(resume=again)
    assert whole.stopped == ""
    equal_but_for_time(whole, fit())


def test_all_callbacks_see_the_epoch_that_one_of_them_ends():
    seen = []
    record = fit(callbacks=[lambda now: np.bool_(True), lambda now: seen.append(now.epoch)])
    assert (seen, record.stopped) == ([1], "a callback ended the run")


@pytest.mark.parametrize(
    ("callbacks", "message"),
    [
        (lambda now: None, r"callbacks takes a list of callbacks; got <function"),
        ([EarlyStopping], r"callbacks holds <class .*; expected a Callback such as EarlyStopping"),
        ([3], r"callbacks holds 3; expected a Callback"),
        ([lambda now: 0.5], r"a callback returned 0.5; expected None to go on, or a text"),
    ],
)
def test_what_is_no_callback_is_refused(callbacks, message):
    with pytest.raises(ValueError, match=message):
        fit(callbacks=callbacks)


# ------------------------------------------------------------------------------------------- those that come with it


@pytest.mark.parametrize(
    ("settings", "values", "epochs"),
    [
        ({"patience": 1}, [3, 2, 2, 1], 3),
        ({"patience": 2}, [3, 2, 2, 1, 1.5, 1.2, 0], 6),
        ({"patience": 2}, [3, 2, 1, 0], 4),
        ({"patience": 2, "min_delta": 0.5}, [3, 2.6, 2.4, 2.2, 2.1, 1.8], 5),
        ({"patience": 3, "min_delta": 0.5}, [3, 2.6, 2.4, 2.2, 1.8, 1.7], 6),
        ({"patience": 1, "measure": "valid_rmse"}, [4, 1, 9], 3),
    ],
)
def test_early_stopping_ends_a_run_that_no_longer_falls(settings, values, epochs, monkeypatch):
    from lstm_lib.training import record as records

    given = iter(values)
    monkeypatch.setattr(records, "loss_of", lambda spec: lambda *_: (next(given), None))
    record = fit(epochs=len(values), callbacks=[EarlyStopping(**settings)])
    assert len(record.history) == epochs
    assert bool(record.stopped) == (epochs < len(values) or values[-1] >= values[-2])
    best = int(np.argmin(values[:epochs]))
    identical(record.best_params, fit(epochs=best + 1, valid=None).params)


def test_early_stopping_says_since_when():
    record = fit(epochs=40, optimizer=ll.Adam(0.3), callbacks=[EarlyStopping(patience=2)])
    best = int(record.history["valid_loss"].argmin()) + 1
    assert record.stopped == f"valid_loss has not fallen since epoch {best}"
    assert len(record.history) == best + 2 < 40


def test_a_resumed_run_stops_where_the_uninterrupted_one_does():
    settings = {"epochs": 40, "optimizer": ll.Adam(0.3), "callbacks": [EarlyStopping(patience=2)]}
    whole = fit(**settings)
    for at in (3, 11, 5 * (len(whole.history) - 1) + 2):
        stopped = fit(train=interrupting(TRAIN, at), **settings)
        assert stopped.interrupted
        equal_but_for_time(fit(resume=stopped, **settings), whole)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"patience": 0}, "patience must be a whole number of at least 1, got 0"),
        ({"min_delta": -1.0}, "min_delta must be 0 or a positive number, got -1.0"),
        ({"measure": "loss"}, "measure is 'loss'; the choices are train_loss, valid_loss, valid_rmse"),
    ],
)
def test_early_stopping_refuses(settings, message):
    with pytest.raises(ValueError, match=message):
        EarlyStopping(**settings)


def test_early_stopping_without_validation_says_what_to_do():
    with pytest.raises(ValueError, match=r"the history has no valid_loss: give fit.. a validation part"):
        fit(valid=None, callbacks=[EarlyStopping()])
    assert fit(valid=None, callbacks=[EarlyStopping(measure="train_loss")]).history.shape[0] == 3


def test_a_record_is_on_disk_after_every_epoch_and_a_killed_run_goes_on_from_it(tmp_path):
    path = tmp_path / "run.npz"

    def look(now):
        assert ll.Record.load(path).history.equals(now.record.history)
        if now.epoch == 2:
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        fit(callbacks=[SaveRecord(path), look])
    assert os.listdir(tmp_path) == ["run.npz"]
    equal_but_for_time(fit(resume=ll.Record.load(path)), fit())


def test_a_save_that_fails_leaves_the_file_of_before(tmp_path, monkeypatch):
    path, first, second = tmp_path / "run.npz", fit(epochs=1), fit(epochs=2)
    first.save(path)

    def full(file, **arrays):
        file.write(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="no space left"):
        second.save(path)
    assert os.listdir(tmp_path) == ["run.npz"]
    assert len(ll.Record.load(path).history) == 1


def test_a_folder_that_is_not_there_is_told(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        fit(callbacks=[SaveRecord(tmp_path / "none" / "run")])


def test_without_tqdm_there_is_no_bar_and_no_error(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    record = fit(valid=VALID, progress=True)
    equal_but_for_time(record, fit())
    assert capsys.readouterr() == ("", "")
