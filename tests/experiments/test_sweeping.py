"""The sweep: in turn, taken up again, timed one at a time."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import hypothesis
import numpy as np
import pandas as pd
import pytest

import lstm_lib as ll
from lstm_lib.experiments import Store, StoreError, Task, sweeping
from lstm_lib.training.step import Step
from tests.experiments.small import ROOT, equal_numbers, make, pair, small


def test_a_sweep_takes_turns_and_begins_with_another_for_each_seed(tmp_path: Path) -> None:
    three = [small(name) for name in "abc"]
    table = make(three, [0, 1, 2], tmp_path)
    assert " ".join(table["name"] + table["seed"].astype(str)) == "a0 b0 c0 a1 b1 c1 a2 b2 c2"
    made = Store(tmp_path).table()
    assert " ".join(made["name"] + made["seed"].astype(str)) == "a0 b0 c0 b1 c1 a1 c2 a2 b2"
    whole = make(three, [0, 1], tmp_path / "other", order="by configuration")
    made = Store(tmp_path / "other").table()
    assert " ".join(made["name"] + made["seed"].astype(str)) == "a0 a1 b0 b1 c0 c1"
    equal_numbers(whole, table[:6])


def test_a_second_sweep_runs_only_what_is_new_and_takes_todays_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = make(pair(), [0], tmp_path)
    made = []
    execute = sweeping._execute
    monkeypatch.setattr(sweeping, "_execute", lambda r, alone: made.append(r.seed) or execute(r, alone))
    again = make([dataclasses.replace(c, group="g") for c in pair()], [0, 1], tmp_path)
    assert made == [1, 1]
    assert again["group"].tolist() == ["g"] * 4
    assert again["test_rmse"][:2].tolist() == first["test_rmse"].tolist()


def test_side_by_side_gives_the_same_errors_and_no_times(tmp_path: Path) -> None:
    in_turn = make(pair())
    together = make(pair(), store=tmp_path, jobs=2)
    equal_numbers(in_turn, together)
    assert not together["alone"].any()
    assert all(Store(tmp_path).record(key).spec == small().spec for key in together["key"])


def test_a_cluster_of_two_processes_gives_the_same_errors(tmp_path: Path) -> None:
    import joblib
    from distributed import Client, LocalCluster

    factor = 0.5  # a closure goes to the workers by value
    local = small("local", isolation=lambda spec: ll.isolate(spec, ll.nothing(spec), span=int(4 * factor)))
    settings = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with LocalCluster(**settings) as cluster, Client(cluster), joblib.parallel_config(backend="dask"):
        table = make([*pair(), local], store=tmp_path, jobs=-1)
    equal_numbers(table, make([*pair(), local]))


def test_timed_runs_are_made_again_and_have_to_agree(tmp_path: Path) -> None:
    together = make(pair(), store=tmp_path)
    assert not together["alone"].any()
    timed = make(pair(), store=tmp_path, timed=True)
    assert timed["alone"].all()
    equal_numbers(together, timed)
    assert len(Store(tmp_path).rows()) == 8
    assert make(pair(), store=tmp_path, timed=True)["seconds"].equals(
        timed["seconds"]
    )  # none made a third time
    assert make(pair(), store=tmp_path)["alone"].all()  # the timed row is the better one
    assert len(Store(tmp_path).rows()) == 8


def test_a_run_that_comes_out_otherwise_when_timed_is_an_error(tmp_path: Path) -> None:
    make([small()], [0], tmp_path / "first")
    (line,) = Store(tmp_path / "first").rows()
    line["test_rmse"] = float(np.nextafter(line["test_rmse"], 2))
    Store(tmp_path).append(line)
    with pytest.raises(
        StoreError, match=r"'dense' with seed 0 gives other numbers .* test_rmse .* then, .* now"
    ):
        make([small()], [0], tmp_path, timed=True)
    assert len(Store(tmp_path).rows()) == 1
    assert Store(tmp_path).claim(line["key"]) is not None


@pytest.mark.parametrize("jobs", [1, 2])
def test_another_error_names_the_run_and_keeps_what_is_finished(tmp_path: Path, jobs: int) -> None:
    def fails_when_run(spec: ll.Spec) -> ll.Plan:
        plan = ll.isolate(spec, ll.nothing(spec))
        object.__setattr__(
            plan, "work", dataclasses.replace(plan.work, layers=())
        )  # fails in the backward pass
        return plan

    bad = small("bad", isolation=fails_when_run)
    with pytest.raises(RuntimeError, match=r"configuration 'bad', seed \d+: ") as caught:
        make([small(epochs=5), bad], range(60), tmp_path, jobs=jobs)
    assert "fails_when_run" not in str(caught.value)
    assert "Traceback" in caught.value.__notes__[0]
    made = [(r["name"], r["seed"]) for r in Store(tmp_path).rows()]
    assert ("dense", 0) in made  # begun before the other failed, and finished
    assert len(made) < 60  # none is begun once the failure is known
    assert Store(tmp_path).claim(bad.key(0)) is not None


def test_ctrl_c_stops_and_the_same_call_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, step, calls = make(pair()), Step.__call__, []

    def interrupted(self: Step, *arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 40:  # 16 steps a run: in the third
            raise KeyboardInterrupt
        return step(self, *arguments)

    monkeypatch.setattr(Step, "__call__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make(pair(), store=tmp_path)
    assert "2 of 4 runs are left" in capsys.readouterr().err
    assert len(Store(tmp_path).done()) == 2
    equal_numbers(make(pair(), store=tmp_path), whole)
    assert len(calls) == 40 + 2 * 16


PROGRAM = """
import sys
from pathlib import Path
import tests.experiments.small as t
folder, jobs, timed, began = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "timed", Path(sys.argv[4])
began.touch()
t.make(t.pair(task=t.Task(lookback=4, every=4), epochs=4), range(4), folder, jobs=jobs, timed=timed)
"""
LONGER = Task(lookback=4, every=4)


@pytest.fixture(scope="module")
def whole() -> pd.DataFrame:
    """What the program makes where nothing disturbs it."""
    return make(pair(task=LONGER, epochs=4), range(4))


def start(folder: Path, jobs: int = 1, timed: bool = False) -> subprocess.Popen[bytes]:
    """The program in a process of its own, from the moment it begins to sweep."""
    began = folder.parent / f"began-{time.monotonic_ns()}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    arguments = [str(folder), str(jobs), "timed" if timed else "", str(began)]
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments], env=environment)
    while not began.exists():
        assert process.poll() is None
        time.sleep(0.002)
    return process


@pytest.mark.parametrize("jobs", [1, 2])
def test_killed_at_any_moment_it_loses_at_most_the_runs_it_was_in(
    tmp_path: Path, whole: pd.DataFrame, jobs: int
) -> None:
    folder, moments = tmp_path / "store", random.Random(jobs)
    before = set[str]()
    kills = max(2, hypothesis.settings().max_examples // 25)  # 4 in CI, 80 by `make soak`
    for _ in range(kills if jobs == 1 else kills // 2):
        process = start(folder, jobs)
        time.sleep(moments.uniform(0.3, 0.9))
        process.send_signal(signal.SIGKILL)
        process.wait()
        done = Store(folder).done()
        assert done >= before
        for key in done:
            Store(folder).record(key)
        before = done
    lines = len(Store(folder).rows())
    equal_numbers(make(pair(task=LONGER, epochs=4), range(4), folder), whole)
    assert len(Store(folder).rows()) == lines + 8 - len(before) == 8


def test_two_processes_share_one_store(tmp_path: Path, whole: pd.DataFrame) -> None:
    folder = tmp_path / "store"
    both = [start(folder), start(folder)]
    assert [process.wait() for process in both] == [0, 0]
    rows = Store(folder).rows()
    assert len(rows) == len({r["key"] for r in rows}) == 8  # none was made twice
    equal_numbers(make(pair(task=LONGER, epochs=4), range(4), folder), whole)


def test_timed_runs_of_two_processes_never_overlap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock is held while a timed run is made, and waited for; an untimed run doesn't wait."""
    held = sweeping._timed_lock()
    seen = []
    execute = sweeping._execute

    def spy(r: sweeping.Planned, alone: bool) -> Any:
        other = sweeping._timed_lock()
        seen.append((alone, is_free(other)))
        return execute(r, alone)

    monkeypatch.setattr(sweeping, "_execute", spy)
    make([small()], [0], timed=True)
    make([small()], [0])
    assert seen == [(True, False), (False, True)]
    with held:
        waiting = threading.Thread(target=make, args=([small()], [1], tmp_path), kwargs={"timed": True})
        waiting.start()
        time.sleep(0.3)
        assert Store(tmp_path).done() == set()
    waiting.join()
    assert Store(tmp_path).done(alone=True) == {small().key(1)}


def test_a_timed_run_that_waits_for_another_process_says_so() -> None:
    bar = Mock()

    def wait() -> None:
        with sweeping._nothing_beside(bar):
            pass

    held = sweeping._timed_lock()
    with held:
        waiting = threading.Thread(target=wait)
        waiting.start()
        time.sleep(0.3)
        said = [call.args[0] for call in bar.set_postfix_str.call_args_list]
        assert len(said) == 1 and "another process" in said[0] and str(held.lock_file) in said[0]
    waiting.join()
    assert bar.set_postfix_str.call_args.args == ("",)  # and no more, once its turn has come
    wait()
    assert bar.set_postfix_str.call_count == 2


def is_free(lock: Any) -> bool:
    from filelock import Timeout

    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    lock.release()
    return True


def test_the_lock_of_timed_runs_is_open_to_every_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a sticky folder, as the temporary one is, a file belongs to who made it first."""
    monkeypatch.delenv("LSTM_LIB_TIMED_LOCK", raising=False)
    before = os.umask(0o077)
    try:
        with sweeping._timed_lock() as held:
            path = Path(held.lock_file)
            assert path.stat().st_mode & 0o777 == 0o666
    finally:
        os.umask(before)
    assert path.parent.stat().st_mode & 0o7777 == 0o777


def corrected(path: Path) -> Path:
    hours = pd.date_range("2020-01-01", periods=300, freq="h", tz="UTC")
    before = pd.read_csv(path)["load"] if path.exists() else 10 + np.sin(np.arange(300) / 4)
    pd.DataFrame({"time": hours, "load": 1000 * before}).to_csv(path, index=False)
    return path


def test_a_corrected_file_is_run_anew(tmp_path: Path) -> None:
    task = Task(str(corrected(tmp_path / "a.csv")), lookback=4)
    first = make([small(task=task)], [0], tmp_path / "store")
    corrected(tmp_path / "a.csv")
    again = make([small(task=task)], [0], tmp_path / "store")
    assert again["key"][0] != first["key"][0]
    assert again["test_rmse"][0] == pytest.approx(1000 * first["test_rmse"][0], rel=1e-2)


def test_a_file_that_changes_during_a_sweep_gives_no_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a training on one content under the key of another, nor a row whose key was not asked for."""
    configuration = small(task=Task(str(corrected(tmp_path / "a.csv")), lookback=4))
    train = sweeping.runs.run
    for before in (False, True):

        def changed(*given: object, before: bool = before) -> ll.Record:
            if before:
                corrected(tmp_path / "a.csv")
            record = train(*given)
            if not before:
                corrected(tmp_path / "a.csv")
            return record

        monkeypatch.setattr(sweeping.runs, "run", changed)
        with pytest.raises(
            RuntimeError, match=r"other data than .*a\.csv holds now|a\.csv has changed since"
        ):
            make([configuration], [0], tmp_path / "store")
        assert Store(tmp_path / "store").rows() == []


def test_the_folder_of_the_lock_is_opened_by_who_made_it_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else's link there must not open what it leads to."""
    monkeypatch.delenv("LSTM_LIB_TIMED_LOCK", raising=False)
    monkeypatch.setattr(sweeping.tempfile, "tempdir", str(tmp_path))
    (private := tmp_path / "private").mkdir(mode=0o700)
    (tmp_path / "lstm_lib-timed").symlink_to(private)
    with sweeping._timed_lock():
        assert private.stat().st_mode & 0o777 == 0o700


def hold_the_lock(uid: int, folder: str) -> None:
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
    sweeping.tempfile.tempdir = folder
    with sweeping._timed_lock():
        pass


@pytest.mark.skipif(
    not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can become other accounts"
)
def test_several_accounts_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LSTM_LIB_TIMED_LOCK", raising=False)
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        os.chmod(folder, 0o1777)
        for uid in (65534, 1234, 65534, 0, 4321):
            process = multiprocessing.get_context("fork").Process(target=hold_the_lock, args=(uid, folder))
            process.start()
            process.join()
            assert process.exitcode == 0
