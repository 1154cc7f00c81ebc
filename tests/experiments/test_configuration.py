"""Tasks and configurations: what is in a key, what is refused."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lstm_lib as ll
from lstm_lib.experiments import Configuration, Task, row, run
from lstm_lib.series import SeriesError
from tests.cases import identical
from tests.experiments.small import ROOT, cut_forget, make, small


def test_a_task_is_what_windows_makes_of_the_series() -> None:
    task = Task("fontana", lookback=24, horizon=3, steps="all", every=5)
    split = ll.windows(ll.load_series("fontana"), 24, 3, steps="all", every=5)
    identical(task.split().test.y, split.test.y)
    assert task.split() is task.split()
    assert json.loads(json.dumps(task.describe()))["steps"] == "all"


def test_a_task_on_sequences_is_judged_on_the_windows_of_the_task_without() -> None:
    plain = Task("fontana", lookback=24)
    task = dataclasses.replace(plain, length=30, warmup=6, stateful=True)
    split = ll.sequences(ll.load_series("fontana"), 30, 6, stateful=True, lookback=24)
    identical(task.samples().train.y, split.train.y)
    identical(task.split().test.y, plain.split().test.y)
    assert plain.samples() is plain.split()
    words = task.describe()
    assert {name: words[name] for name in ("length", "warmup", "stateful")} == {
        "length": 30, "warmup": 6, "stateful": True,
    }  # fmt: skip
    assert not {"length", "warmup", "stateful"} & plain.describe().keys()  # keys of older stores hold
    others = [
        dataclasses.replace(task, **{k: v}) for k, v in (("length", 31), ("warmup", 5), ("stateful", False))
    ]
    assert len({small(task=one).key(0) for one in (plain, task, *others)}) == 5
    for other in ({"every": 2}, {"compared_with": 30}):
        with pytest.raises(ValueError, match="give length without every and compared_with"):
            dataclasses.replace(task, **other)
    with pytest.raises(ValueError, match=r"Keras has no streams; its engine .* on windows and sequences"):
        Configuration("keras", task, engine="keras")


def test_a_run_on_sequences_is_that_of_fit_and_its_price_has_a_target_at_every_step() -> None:
    task = Task("fontana", lookback=24, length=300, warmup=6)
    half = small(
        task=task, epochs=2, batch=2, isolation=lambda spec: ll.isolate(spec, ll.zone(spec, gate="f"), "cut")
    )
    record, split = run(half, 3), task.samples()
    again = ll.fit(
        half.spec, split.train, split.valid, seed=3, epochs=2, batch=2, optimizer=half.adam, rate=half.rate,
        isolation=half.plan, threads=1, progress=False,
    )  # fmt: skip
    identical(record.params, again.params)
    found = row(half, 3, record)
    yhat = task.split().unscale(ll.predict(half.spec, record.params, task.split().test))
    assert found["test_rmse"] == ll.metrics(task.split().test.actual, yhat)["rmse"]
    costs = [
        ll.isolate(half.spec, zone, "cut").cost(300, 2, output="every").seconds.total
        for zone in (ll.nothing(half.spec), half.plan.zone)
    ]
    assert found["predicted"] == pytest.approx(costs[0] / costs[1])
    assert found["updated"] == pytest.approx(1 - half.plan.zone.share)


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
    "rate": "constant",
    "optimizer": {"form": "keras"},
    "isolation": cut_forget,
    "engine": "keras",
    "threads": 2,
    "tested": False,
}
IRRELEVANT = {"group": "another"}


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
    code = "import tests.experiments.small as t; print(t.small('cut f', isolation=t.cut_forget).key(3))"
    for hash_seed in "12":
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": hash_seed},
        )  # fmt: skip
        assert done.stdout.strip() == small("cut f", isolation=cut_forget).key(3)


def csv(path: Path, factor: float = 1.0, phase: float = 0.0) -> Path:
    hours = pd.date_range("2020-01-01", periods=400, freq="h", tz="UTC")
    load = factor * (10 + np.sin(phase + np.arange(400) / 4))
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


def test_a_file_that_was_changed_is_read_anew_in_the_same_process(tmp_path: Path) -> None:
    """Old windows under a new file would be old results under a new name."""
    task = Task(str(csv(tmp_path / "a.csv")), lookback=4)
    before, key = task.split().train.x.copy(), small(task=task).key(0)
    assert task.split() is task.split()
    csv(tmp_path / "a.csv")
    assert small(task=task).key(0) == key  # written anew, with the same values
    csv(tmp_path / "a.csv", 2.0, phase=1.0)
    assert not np.array_equal(task.split().train.x, before) and small(task=task).key(0) != key
    (tmp_path / "a.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"a\.csv"):
        task.split()


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
        ({"cell": "lstm"}, "unknown cell 'lstm'"),
        ({"epochs": 0}, "'dense': epochs must be a whole number of at least 1, got 0"),
        ({"batch": 1.5}, "batch must be"),
        ({"threads": True}, "threads must be"),
        ({"lr": -1}, "lr must be a positive number, got -1"),
        ({"rate": "warm"}, "rate is 'warm'; the choices are constant, cosine, step"),
        ({"engine": "torch"}, "engine is 'torch'; the choices are lstm_lib, keras"),
        ({"optimizer": {"momentum": 1}}, "momentum"),
        ({"isolation": "f"}, "isolation takes a function of the spec"),
        ({"engine": "keras", "isolation": cut_forget}, "Keras has no isolation"),
        ({"engine": "keras", "cell": "brief"}, "Keras has no cell='brief'"),
        ({"engine": "keras", "optimizer": {"form": "paper"}}, "Keras has no form='paper'"),
    ],
)
def test_bad_settings_are_refused_by_name(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        small(**settings)


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


@pytest.mark.parametrize("factor", [2, 1000])
def test_a_corrected_file_is_another_task_whatever_its_date_and_size_say(tmp_path: Path, factor: int) -> None:
    """In the same process, with the same task; also where the correction is as long and as old as what it corrects."""
    path, hours = tmp_path / "a.csv", pd.date_range("2020-01-01", periods=400, freq="h", tz="UTC")

    def write(factor: int) -> None:
        load = factor * (2 + np.sin(np.arange(400) / 4))
        pd.DataFrame({"time": hours, "load": load}).to_csv(path, index=False, float_format="%.3f")

    write(1)
    before, configuration = path.stat(), small(task=Task(str(path), lookback=4))
    mean, key = configuration.task.split().scaling["mean"].iloc[0], configuration.key(0)
    write(factor)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size or factor != 2
    assert configuration.task.split().scaling["mean"].iloc[0] == pytest.approx(factor * mean, rel=1e-3)
    assert configuration.key(0) != key


def test_a_file_with_another_column_makes_another_network(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    configuration = small(task=Task(str(csv(path)), lookback=4, target="load"), isolation=cut_forget)
    assert configuration.spec.inputs == 1 and configuration.plan is configuration.plan
    pd.read_csv(path).assign(other=lambda frame: frame["load"] ** 2).to_csv(path, index=False)
    assert configuration.spec.inputs == 2
    assert configuration.plan is not None and configuration.plan.spec == configuration.spec
