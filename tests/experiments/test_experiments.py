"""Runs, the store and the sweep: repeatable, kept whole, taken up again, timed one at a time."""

from __future__ import annotations

import dataclasses
import json
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

import numpy as np
import pandas as pd
import pytest

import lstm_lib as ll
from lstm_lib.experiments import Configuration, Store, StoreError, Task, row, run, sweep, sweeping
from lstm_lib.series import SeriesError
from tests.cases import identical

ROOT = Path(__file__).resolve().parent.parent
TASK = Task(lookback=4, every=100)  # 233 windows to train on
MADE_ANEW = ["seconds", "epoch_seconds", "alone", "load", "date"]  # what differs between equal runs


def cut_forget(spec: ll.Spec) -> ll.Plan:
    return ll.isolate(spec, ll.zone(spec, gate="f"), depth="cut")


def small(name: str = "dense", **settings: Any) -> Configuration:
    return Configuration(name, **{"task": TASK, "units": (3,), "epochs": 2, "batch": 32} | settings)


def pair(**settings: Any) -> list[Configuration]:
    return [small(**settings), small("cut f", isolation=cut_forget, labels={"gate": "f"}, **settings)]


def make(configurations: Any, seeds: Any = (0, 1), store: Any = None, **settings: Any) -> pd.DataFrame:
    return sweep(configurations, seeds, store, **{"progress": False} | settings)


def equal_numbers(a: pd.DataFrame, b: pd.DataFrame) -> None:
    """The same rows in the same order, bit for bit but for times and circumstances."""
    parts = [frame.drop(columns=MADE_ANEW).reset_index(drop=True) for frame in (a, b)]
    pd.testing.assert_frame_equal(*parts, check_exact=True)


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A place of the test's own for the lock of timed runs: a real study on this machine is not waited for."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))


# --------------------------------------------------------------------------------------------- tasks, configurations


def test_a_task_is_what_windows_makes_of_the_series() -> None:
    task = Task("fontana", lookback=24, horizon=3, steps="all", every=5)
    split = ll.windows(ll.load_series("fontana"), 24, 3, steps="all", every=5)
    identical(task.split().test.y, split.test.y)
    assert task.split() is task.split()
    assert json.loads(json.dumps(task.describe()))["steps"] == "all"


def test_every_step_of_a_day_ahead_is_trained_and_scored() -> None:
    day = small(task=Task(lookback=4, horizon=24, steps="all", every=100))
    assert day.spec.outputs == 24
    found = row(day, 0, run(day, 0))
    split = day.task.split()
    yhat = split.unscale(ll.predict(day.spec, run(day, 0).params, split.test))
    assert found["test_mae"] == ll.metrics(split.test.actual, yhat)["mae"]


OTHERS = {
    "name": "another",
    "task": Task(lookback=5, every=100),
    "units": (4,),
    "cell": "brief",
    "epochs": 3,
    "batch": 33,
    "lr": 1e-3,
    "schedule": "constant",
    "optimizer": {"form": "keras"},
    "isolation": cut_forget,
    "engine": "keras",
    "threads": 2,
}
IRRELEVANT = {"group": "another", "labels": {"gate": "f"}}


def test_everything_that_decides_the_numbers_is_in_the_key_and_nothing_else() -> None:
    fields = {f.name for f in dataclasses.fields(Configuration)}
    assert fields == OTHERS.keys() | IRRELEVANT.keys()
    keys = {small(**{"name": "dense"} | {name: value}).key(0) for name, value in OTHERS.items()}
    assert len(keys | {small().key(0), small().key(1)}) == len(OTHERS) + 2
    assert {small(**{name: value}).key(0) for name, value in IRRELEVANT.items()} == {small().key(0)}


@pytest.mark.parametrize(
    ("field", "value"),
    [("lookback", 5), ("horizon", 2), ("steps", "all"), ("every", 99), ("shares", (0.6, 0.2, 0.2)),
     ("inputs", ("power",)), ("target", "heater"), ("series", "fontana"), ("reading", {"calendar": ["hour"]})],
)  # fmt: skip
def test_every_part_of_a_task_is_in_the_key(field: str, value: Any) -> None:
    base = Task(lookback=4, horizon=1 if field != "steps" else 2, every=100)
    assert small(task=dataclasses.replace(base, **{field: value})).key(0) != small(task=base).key(0)


def test_the_key_is_the_same_in_another_process() -> None:
    code = "import tests.experiments.test_experiments as t; print(t.small('cut f', isolation=t.cut_forget).key(3))"
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    for hash_seed in "12":
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": hash_seed},
        )  # fmt: skip
        assert done.stdout.strip() == small("cut f", isolation=cut_forget).key(3)


def csv(path: Path, factor: float = 1.0) -> Path:
    hours = pd.date_range("2020-01-01", periods=400, freq="h", tz="UTC")
    load = factor * (10 + np.sin(np.arange(400) / 4))
    pd.DataFrame({"time": hours, "load": load}).to_csv(path, index=False)
    return path


def test_a_file_of_several_columns_is_read_as_the_task_says(tmp_path: Path) -> None:
    """The target is told when the file is read, not only when it is cut; other options go to load_series too."""
    stamps = pd.date_range("2020-07-01", periods=400, freq="h").strftime("%d/%m/%Y %H:%M")
    table = pd.DataFrame({"when": stamps, "load": np.arange(400.0) % 24, "other": np.arange(400.0) % 7})
    table.to_csv(path := tmp_path / "mine.csv", sep=";", index=False)
    reading = {"time": "when", "separator": ";", "stamp_format": "%d/%m/%Y %H:%M", "timezone": "Europe/Paris"}
    task = Task(str(path), lookback=4, target="load", reading=reading)
    assert task.load().target == "load" and task.load().timezone == "Europe/Paris"
    assert task.split().series.target == "load"
    assert dict(task.describe()["reading"]) == reading and "reading" not in Task().describe()
    assert small(task=task).key(0) == small(
        task=dataclasses.replace(task, reading=dict(reversed(reading.items())))
    ).key(0)
    renamed = dataclasses.replace(
        task, reading=reading | {"columns": {"load": "demand", "other": "b"}}, target="demand"
    )
    assert renamed.split().series.target == "demand"
    with pytest.raises(SeriesError, match="laod"):
        dataclasses.replace(task, target="laod").split()
    with pytest.raises(ValueError, match=r"a name or a file's path.* got a Series. .*to_parquet"):
        Task(task.load())
    task.load().frame.to_parquet(again := tmp_path / "again.parquet")
    same = Task(str(again), lookback=4, target="load").split()
    np.testing.assert_array_equal(same.train.values, task.split().train.values)
    with pytest.raises(
        ValueError, match=r"reading has 'zone'; load_series can be told time, columns, timezone"
    ):
        Task(str(path), reading={"zone": "UTC"})


@pytest.mark.parametrize("given", [None, ll.zone(ll.Spec(3, (4,), 1), gate="f"), "f"])
def test_an_isolation_that_gives_no_plan_is_refused(given: Any) -> None:
    """A forgotten return would be a dense run under another name."""
    forgot = small("mine", isolation=lambda spec: given)
    with pytest.raises(ValueError, match=r"configuration 'mine': its isolation gave .* has to return a Plan"):
        forgot.key(0)


def test_a_file_counts_by_its_values_not_by_its_place(tmp_path: Path) -> None:
    here, there, other = csv(tmp_path / "a.csv"), csv(tmp_path / "b.csv"), csv(tmp_path / "c.csv", 2.0)
    keys = [small(task=Task(str(path), lookback=4)).key(0) for path in (here, there, other)]
    assert keys[0] == keys[1] != keys[2]  # twice as much has the same scaled values, and other errors


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"name": " "}, "a name that is not empty"),
        ({"task": "sceaux"}, r"task takes a Task, .* got 'sceaux'"),
        ({"units": ()}, "units"),
        ({"cell": "gru"}, "gru"),
        ({"epochs": 0}, "'dense': epochs must be a whole number of at least 1, got 0"),
        ({"batch": 1.5}, "batch must be"),
        ({"threads": True}, "threads must be"),
        ({"lr": -1}, "lr must be a positive number, got -1"),
        ({"schedule": "warm"}, "schedule is 'warm'; the choices are constant, cosine, step"),
        ({"engine": "torch"}, "engine is 'torch'; the choices are lstm_lib, keras"),
        ({"optimizer": {"momentum": 1}}, "momentum"),
        ({"isolation": "f"}, "isolation takes a function of the spec"),
        ({"engine": "keras", "isolation": cut_forget}, "Keras has no isolation"),
        ({"engine": "keras", "cell": "brief"}, "Keras has no cell='brief'"),
        ({"engine": "keras", "optimizer": {"form": "paper"}}, "Keras has no form='paper'"),
        ({"labels": {"gate": ["f"]}}, r"labels take .* got 'gate': \['f'\]"),
    ],
)
def test_bad_settings_are_refused_by_name(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        small(**settings)


def test_a_label_that_is_a_column_already_is_refused() -> None:
    with pytest.raises(RuntimeError, match=r"'dense', seed 0: .* labels \['seconds'\] are columns"):
        make([small(labels={"seconds": 1})])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"configurations": []}, "at least one"),
        ({"configurations": small()}, r"put the one into a list"),
        ({"configurations": [small(), small(epochs=3)]}, "several configurations are called 'dense'"),
        ({"seeds": 3}, r"such as range\(5\); got 3"),
        ({"seeds": [0, 0]}, "none twice"),
        ({"seeds": [0.5]}, "whole numbers"),
        ({"jobs": 0}, "jobs must be .* got 0"),
        ({"order": "random"}, "the choices are by seed, by configuration"),
        ({"timed": True, "jobs": 2}, "timed=True needs jobs=1"),
        ({"timed": True, "order": "by configuration"}, "timed=True needs"),
    ],
)
def test_bad_sweeps_are_refused_before_anything_runs(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make(**{"configurations": [small()]} | arguments)


# ------------------------------------------------------------------------------------------------------------- runs


def test_compared_runs_start_from_the_same_weights_and_see_the_same_batches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: dict[str, list[Any]] = {}
    step = ll.training._Run.step

    def spy(self: Any, rows: Any, params: Any, *rest: Any) -> float:
        seen[name].append((rows.copy(), {k: p.copy() for k, p in params.items()}))
        return step(self, rows, params, *rest)

    monkeypatch.setattr(ll.training._Run, "step", spy)
    for configuration in pair():
        name = configuration.name
        seen[name] = []
        run(configuration, seed=5)
    dense, cut = seen["dense"], seen["cut f"]
    assert len(dense) == len(cut) == 2 * 8
    identical(dense[0][1], cut[0][1])
    identical(dense[0][1], ll.init_params(small().spec, 5))
    for (a, after_dense), (b, after_cut) in zip(dense[1:], cut[1:], strict=True):
        identical(a, b)
        assert not np.array_equal(after_dense["0/Wh"], after_cut["0/Wh"])


def test_a_row_says_what_the_record_says() -> None:
    (_, cut), seed = pair(epochs=4, lr=0.3), 1
    record = run(cut, seed)
    found = row(cut, seed, record)
    again = ll.fit(
        cut.spec, TASK.split().train, TASK.split().valid, seed=1, epochs=4, batch=32, optimizer=ll.Adam(lr=0.3),
        isolation=cut_forget(cut.spec), schedule="cosine", threads=1, progress=False,
    )  # fmt: skip
    identical(record.params, again.params)
    assert found["valid_rmse"] == again.history["valid_rmse"].tolist()
    assert found["seconds"] == pytest.approx(sum(found["epoch_seconds"])) == record.seconds
    best = int(np.argmin(found["valid_rmse"]))
    assert best < 3  # or the test could not tell the best from the last
    assert (found["best_epoch"], found["best_valid"]) == (best + 1, found["valid_rmse"][best])
    test = TASK.split().test
    for prefix, params in (("", again.params), ("best_", again.best_params)):
        wrong = TASK.split().unscale(ll.predict(cut.spec, params, test)) - test.actual
        assert found[f"{prefix}test_rmse"] == pytest.approx(np.sqrt((wrong**2).mean()), rel=1e-12)
        assert found[f"{prefix}test_mae"] == pytest.approx(np.abs(wrong).mean(), rel=1e-12)
    zone = ll.zone(cut.spec, gate="f")
    assert found["updated"] == pytest.approx(1 - zone.share)
    costs = [ll.isolate(cut.spec, z, "cut").cost(4, 32).seconds.total for z in (ll.nothing(cut.spec), zone)]
    assert found["predicted"] == pytest.approx(costs[0] / costs[1])
    assert (found["gate"], found["threads"], found["alone"], found["diverged"]) == ("f", 1, False, "")
    assert json.loads(json.dumps(found)) == found


def test_where_a_run_was_made_is_told_alike_whatever_else_is_loaded() -> None:
    """Another library of products beside NumPy's, as SciPy brings, or TensorFlow, is not what the run was made with."""
    import scipy.linalg

    import lstm_lib.keras_bridge

    assert scipy.linalg, lstm_lib.keras_bridge
    found = row(small(), 0, run(small(), 0))
    code = "import lstm_lib.experiments.runs as r; print(r.versions()); print(r.machine())"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [found["versions"], found["machine"]]


def test_a_schedule_of_plans_is_predicted_by_its_mean() -> None:
    """Half of the epochs isolated: the mean of both costs, and half of the arcs' share."""
    half = small(epochs=4, isolation=lambda spec: ll.schedules.from_epoch(3, cut_forget(spec)))
    whole = small(epochs=4, isolation=cut_forget)
    found, full = row(half, 0, run(half, 0)), row(whole, 0, run(whole, 0))
    assert 1 - found["updated"] == pytest.approx((1 - full["updated"]) / 2)
    assert 1 / found["predicted"] == pytest.approx((1 + 1 / full["predicted"]) / 2)


def test_a_run_that_diverges_is_a_row_with_its_reason(tmp_path: Path) -> None:
    wild = small("wild", lr=1e38, schedule="constant")
    with np.errstate(all="ignore"):
        table = make([small(), wild], [0], tmp_path)
    assert table["diverged"].str.contains("not finite|loss is").tolist() == [False, True]
    assert table["test_rmse"].isna().tolist() == [False, True]
    assert len(Store(tmp_path).done()) == 2


# ------------------------------------------------------------------------------------------------------------ store


def filled(folder: Path, lines: int = 3) -> Store:
    store = Store(folder)
    for k in range(lines):
        store.append({"key": f"é-{k}", "seed": k, "numbers": [0.1, float("nan")]})
    return store


def test_what_is_appended_is_found_again(tmp_path: Path) -> None:
    store, other = filled(tmp_path), Store(tmp_path)
    assert store.done() == other.done() == {"é-0", "é-1", "é-2"}
    assert other.row("é-1") == {"key": "é-1", "seed": 1, "numbers": [0.1, None]}
    assert other.row("é-9") is None
    store.append({"key": "later"})
    assert other.table(["later", "é-0", "unknown"])["key"].tolist() == ["later", "é-0"]
    assert len(Store(tmp_path / "nothing here").table()) == 0


def test_a_record_comes_back_whole_and_leaves_no_unfinished_file(tmp_path: Path) -> None:
    store, record = Store(tmp_path), run(small(), 0)
    store.append(row(small(), 0, record), record)
    (key,) = store.done()
    identical(store.record(key).params, record.params)
    assert [path.name for path in (tmp_path / "records").iterdir()] == [f"{key}.npz"]
    with pytest.raises(KeyError, match="no run 'other'"):
        store.record("other")


@pytest.mark.parametrize("reading_first", [True, False])
def test_a_line_torn_at_any_byte_is_set_aside_and_nothing_else(tmp_path: Path, reading_first: bool) -> None:
    whole = filled(tmp_path / "whole").path.read_bytes()
    start = whole[:-1].rfind(b"\n") + 1
    for at in range(start, len(whole)):
        folder = tmp_path / str(at)
        folder.mkdir()
        (folder / "runs.jsonl").write_bytes(whole[:at])
        store = Store(folder)
        if reading_first:
            assert store.done() == {"é-0", "é-1"}
        store.append({"key": "é-2", "seed": 2, "numbers": [0.1, None]})
        assert store.path.read_bytes() == whole
        assert store.done() == Store(folder).done() == {"é-0", "é-1", "é-2"}
        torn = folder / "runs.jsonl.torn"
        assert (torn.read_bytes() if torn.exists() else b"") == (
            whole[start:at] + b"\n" if at > start else b""
        )


@pytest.mark.parametrize("damage", [b'{"key": "x"', b"[1]", b"{}", b"", b"\xff"])
def test_a_damaged_line_elsewhere_is_named(tmp_path: Path, damage: bytes) -> None:
    store = filled(tmp_path)
    lines = store.path.read_bytes().split(b"\n")
    store.path.write_bytes(b"\n".join([lines[0], damage, *lines[2:]]))
    for _ in range(2):
        with pytest.raises(StoreError, match=r"runs\.jsonl, line 2 can't be read"):
            Store(tmp_path).done()
    assert not (tmp_path / "runs.jsonl.torn").exists()


def test_a_file_that_was_replaced_is_read_anew(tmp_path: Path) -> None:
    store = filled(tmp_path)
    assert len(store.done()) == 3
    store.path.write_text('{"key": "a"}\n')
    assert store.done() == {"a"}
    store.path.unlink()
    assert store.done() == set()


def test_a_claim_is_held_by_one_and_free_afterwards(tmp_path: Path) -> None:
    claim = Store(tmp_path).claim("k")
    assert claim is not None
    assert Store(tmp_path).claim("k") is None
    assert Store(tmp_path).claim("other") is not None
    claim.release()
    assert Store(tmp_path).claim("k") is not None


def append_many(folder: Path, name: str, n: int) -> None:
    store = Store(folder)
    for k in range(n):
        store.append({"key": f"{name}-{k}", "text": "x" * 5000})
        store.done()


def test_many_writers_lose_no_line(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=append_many, args=(tmp_path, str(k), 40)) for k in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert Store(tmp_path).done() == {f"{w}-{k}" for w in range(3) for k in range(40)}
    assert not (tmp_path / "runs.jsonl.torn").exists()


def test_a_reader_waits_for_another_thread_that_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """joblib asks for the next run in a thread of its own, while the first one stores a result."""
    filled(tmp_path)
    store, parsed, seen = Store(tmp_path), Store._parsed, list[int]()
    reading = threading.Event()

    def slowly(self: Store, line: bytes, number: int) -> dict[str, Any]:
        reading.set()
        time.sleep(0.02)
        return parsed(self, line, number)

    monkeypatch.setattr(Store, "_parsed", slowly)
    first = threading.Thread(target=lambda: seen.append(len(store.rows())))
    first.start()
    reading.wait()
    seen.append(len(store.rows()))
    first.join()
    assert seen == [3, 3]
    assert len(store.rows()) == 3


# ------------------------------------------------------------------------------------------------------------ sweep


def test_a_sweep_takes_turns_and_begins_with_another_for_each_seed(tmp_path: Path) -> None:
    three = [small(name) for name in "abc"]
    table = make(three, [0, 1, 2], tmp_path)
    assert (table["name"] + table["seed"].astype(str)).tolist() == [
        f"{n}{s}" for s in range(3) for n in "abc"
    ]
    made = Store(tmp_path).table()
    assert (made["name"] + made["seed"].astype(str)).tolist() == [
        "a0",
        "b0",
        "c0",
        "b1",
        "c1",
        "a1",
        "c2",
        "a2",
        "b2",
    ]
    whole = make(three, [0, 1], tmp_path / "other", order="by configuration")
    made = Store(tmp_path / "other").table()
    assert (made["name"] + made["seed"].astype(str)).tolist() == ["a0", "a1", "b0", "b1", "c0", "c1"]
    equal_numbers(whole, table[:6])


def test_a_second_sweep_runs_only_what_is_new_and_takes_todays_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = make(pair(), [0], tmp_path)
    made = []
    execute = sweeping._execute
    monkeypatch.setattr(sweeping, "_execute", lambda r, alone: made.append(r.seed) or execute(r, alone))
    again = make([dataclasses.replace(c, group="g", labels={"gate": "?"}) for c in pair()], [0, 1], tmp_path)
    assert made == [1, 1]
    assert again["group"].tolist() == ["g"] * 4
    assert again["gate"].tolist() == ["?"] * 4
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
    make([small()], [0], tmp_path)
    path = tmp_path / "runs.jsonl"
    line = json.loads(path.read_text())
    line["test_rmse"] = float(np.nextafter(line["test_rmse"], 2))
    path.write_text(json.dumps(line) + "\n")
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
        object.__setattr__(plan, "works", ())  # fails in the backward pass
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
    whole, step, calls = make(pair()), ll.training._Run.step, []

    def interrupted(self: Any, *arguments: Any) -> float:
        calls.append(1)
        if len(calls) == 40:  # 16 steps a run: in the third
            raise KeyboardInterrupt
        return step(self, *arguments)

    monkeypatch.setattr(ll.training._Run, "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make(pair(), store=tmp_path)
    assert "2 of 4 runs are left" in capsys.readouterr().err
    assert len(Store(tmp_path).done()) == 2
    equal_numbers(make(pair(), store=tmp_path), whole)
    assert len(calls) == 40 + 2 * 16


PROGRAM = """
import sys
from pathlib import Path
import tests.experiments.test_experiments as t
folder, jobs, timed, began = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "timed", Path(sys.argv[4])
began.touch()
t.make(t.pair(task=t.LONGER, epochs=4), range(4), folder, jobs=jobs, timed=timed)
"""
LONGER = Task(lookback=4, every=4)


def start(folder: Path, jobs: int = 1, timed: bool = False) -> subprocess.Popen[bytes]:
    """The program in a process of its own, from the moment it begins to sweep."""
    began = folder.parent / f"began-{time.monotonic_ns()}"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    arguments = [str(folder), str(jobs), "timed" if timed else "", str(began)]
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments], env=environment)
    while not began.exists():
        assert process.poll() is None
        time.sleep(0.002)
    return process


@pytest.mark.parametrize("jobs", [1, 2])
def test_killed_at_any_moment_it_loses_at_most_the_runs_it_was_in(tmp_path: Path, jobs: int) -> None:
    folder, moments = tmp_path / "store", random.Random(jobs)
    before = set[str]()
    for _ in range(4 if jobs == 1 else 2):
        process = start(folder, jobs)
        time.sleep(moments.uniform(0.3, 0.9))
        process.send_signal(signal.SIGKILL)
        process.wait()
        done = Store(folder).done()
        assert done >= before
        for key in done:
            Store(folder).record(key)
        before = done
    whole = make(pair(task=LONGER, epochs=4), range(4))
    lines = len(Store(folder).rows())
    equal_numbers(make(pair(task=LONGER, epochs=4), range(4), folder), whole)
    assert len(Store(folder).rows()) == lines + 8 - len(before) == 8


def test_two_processes_share_one_store(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    both = [start(folder), start(folder)]
    assert [process.wait() for process in both] == [0, 0]
    rows = Store(folder).rows()
    assert len(rows) == len({r["key"] for r in rows}) == 8  # none was made twice
    equal_numbers(
        make(pair(task=LONGER, epochs=4), range(4), folder), make(pair(task=LONGER, epochs=4), range(4))
    )


def test_timed_runs_of_two_processes_never_overlap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock is held while a timed run is made, and waited for; an untimed run doesn't wait."""
    held = sweeping._timed_lock()
    seen = []
    execute = sweeping._execute

    def spy(r: Any, alone: bool) -> Any:
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
