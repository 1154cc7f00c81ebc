"""The study: its families of configurations, its table, and the command that makes it."""

from __future__ import annotations

import dataclasses
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lstm_lib as ll
from lstm_lib.experiments import Configuration, Task, against, explained, in_words
from lstm_lib.experiments import study as st
from lstm_lib.experiments.configuration import READING
from lstm_lib.plots import study as figures
from lstm_lib.training.schedules import Moment, plan_at

ROOT = Path(__file__).resolve().parents[2]
SMALL = st.Design(Task("fontana", lookback=12, every=40), units=(4,), epochs=3)


def named(configurations: list[Configuration], name: str) -> Configuration:
    (found,) = [c for c in configurations if c.name == name]
    return found


def spans(configuration: Configuration, epochs: int, steps: int = 1) -> list[int | None]:
    """The span of every step of every epoch."""
    moments = [
        Moment(epoch, epochs, (epoch - 1) * steps + k) for epoch in range(1, epochs + 1) for k in range(steps)
    ]
    return [plan_at(configuration.plan, configuration.spec, moment).span for moment in moments]


def test_every_family_has_names_of_its_own_and_one_design() -> None:
    design = st.Design(Task("fontana"))
    for family in (st.policies, st.controls, st.statistics, st.core, st.sizes, st.zones):
        found = family(design)
        assert len({c.name for c in found}) == len(found) > 3
        assert {c.batch for c in found} == {design.batch} and {c.lr for c in found} == {design.lr}
        assert {c.rate for c in found} == {"cosine"}  # every rate decays fully
    assert {c.epochs for c in st.zones(dataclasses.replace(design, epochs=7))} == {3}
    both = [c.name for c in st.policies(design) + st.controls(design)]
    assert both[0] == "dense" and {c.name for c in st.core(design)} < set(both)
    assert st.policies(design)[0].plan is None


def test_the_schedules_are_what_their_names_say() -> None:
    design = dataclasses.replace(SMALL, task=Task("fontana", lookback=72, every=40), epochs=6)
    policies = st.policies(design)
    for n in (24, 18, 12, 6):
        assert spans(named(policies, f"span {n}"), 6) == [n] * 6
    assert spans(named(policies, "spans 6, 12, 24"), 6) == [6, 6, 12, 12, 24, 24]
    assert spans(named(policies, "span 6, each fourth 36"), 2, 4) == [6, 6, 6, 36] * 2
    last = named(policies, "span 24, then head")
    assert spans(last, 6) == [24] * 4 + [None] * 2
    assert [plan_at(last.plan, last.spec, Moment(e, 6, 0)).cached for e in (4, 5)] == [0, 1]
    window = named(policies, "window 36, span 12, then head")
    assert window.task.lookback == 36 and spans(window, 6)[:5] == [12] * 4 + [None]


@pytest.mark.parametrize("epochs", [1, 2, 3, 7])
def test_short_trainings_have_policies_too(epochs: int) -> None:
    design = dataclasses.replace(SMALL, epochs=epochs)
    for configuration in st.policies(design):
        for moment in range(1, epochs + 1):
            assert plan_at(configuration.plan, configuration.spec, Moment(moment, epochs, 0)) is not None


def test_redrawn_and_fixed_isolate_the_same_share() -> None:
    spec = ll.Spec(3, (16,), 1)
    one, fixed = st.redrawn(0.5, 4)(spec), st.fixed(0.5, 4)(spec)
    zones = [plan_at(one, spec, Moment(e, 9, 0)).zone for e in (1, 2, 3)]
    assert zones[0] != zones[1] and len({z.size for z in zones}) == 1
    assert plan_at(fixed, spec, Moment(5, 9, 0)).zone == zones[0]
    assert plan_at(fixed, spec, Moment(5, 9, 0)).depth == "cut"


def test_controls_cost_what_the_short_span_costs() -> None:
    design = st.Design(Task("fontana"), epochs=10)
    span = named(st.policies(design), "span 12")
    assert isinstance(span.plan, ll.Plan)
    wanted = span.plan.cost(72, 64).seconds.total
    controls = st.controls(design)
    small, window, fewer = (
        named(controls, f"{x}") for x in ("smaller network", "shorter window", "fewer epochs")
    )
    for control in (small, window):
        plan = ll.isolate(control.spec, ll.nothing(control.spec))
        assert plan.cost(control.task.lookback, 64).seconds.total == pytest.approx(wanted, rel=0.05)
    dense = ll.isolate(span.spec, ll.nothing(span.spec)).cost(72, 64).seconds.total
    assert fewer.epochs == round(10 * wanted / dense)


def test_shorter_windows_are_judged_on_the_same_hours() -> None:
    design = st.Design(Task("sceaux"))
    whole, short = design.task.split(), design.shorter(30).split()
    alone = Task("sceaux", lookback=30).split()
    for part in ("valid", "test"):
        a, b, c = (getattr(split, part).times for split in (whole, short, alone))
        assert a.equals(b) and len(c) > len(a)
    assert len(short.train) == len(alone.train) > len(whole.train)
    sparse = [
        Task("fontana", lookback, every=7, compared_with=12 if lookback == 5 else None).split()
        for lookback in (12, 5)
    ]
    assert sparse[0].test.times.equals(sparse[1].test.times)
    keys = {Configuration("a", task).key(0) for task in (design.shorter(30), Task("sceaux", lookback=30))}
    assert len(keys) == 2


def test_a_seed_draws_a_quarter_of_the_zones_and_the_dense_network() -> None:
    names = [[c.name for c in st.zones(SMALL, seed)] for seed in range(10)]
    every = {c.name for c in st.zones(SMALL)}
    beside = ["dense, two layers", f"span {SMALL.short}, two layers"]  # without a zone, for either span
    assert len(every) == 130 and all(len(some) == 34 and some[:2] == beside for some in names)
    assert names[0] != names[1] and names[0] == [c.name for c in st.zones(SMALL, 0)]
    assert len(set().union(*names)) > 115
    bare = st.zones(SMALL, 0)[:2]
    assert [(c.labels["span"], c.isolation is None) for c in bare] == [(12, True), (SMALL.short, False)]
    assert spans(bare[1], 1) == [SMALL.short]
    one = next(c for c in st.zones(SMALL, 0) if "gate" in c.labels)
    plan = one.plan
    assert isinstance(plan, ll.Plan) and plan.depth == one.labels["depth"] and plan.span == one.labels["span"]
    units = round(one.labels["share"] * 32)
    sources = {("Wx", 0): 6, ("Wx", 1): 32}.get((one.labels["matrix"], one.labels["layer"]), 32)
    assert plan.zone.size == units * sources


# ------------------------------------------------------------------------------------------------------ the whole


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, Path]:
    folder = tmp_path_factory.mktemp("study")
    families = ("policies", "statistics", "zones")
    return st.run_study(SMALL, folder, range(2), families, progress=False), folder


def test_a_study_makes_all_its_runs_and_goes_on_from_what_it_has(made: tuple[pd.DataFrame, Path]) -> None:
    table, folder = made
    count = len(st.policies(SMALL)) + len(st.statistics(SMALL)) + 34
    assert len(table) == 2 * count
    assert table["alone"].sum() == 2 * (count - 34) and set(table.loc[~table["alone"], "group"]) == {"zone"}
    again = st.run_study(SMALL, folder, range(2), ("policies", "statistics", "zones"), progress=False)
    assert again["seconds"].tolist() == table["seconds"].tolist()
    with pytest.raises(ValueError, match=r"no family 'luck'; the choices are policies, controls"):
        st.run_study(SMALL, folder, range(2), ("luck",))


def test_some_runs_of_a_study_are_made_by_their_names(made: tuple[pd.DataFrame, Path]) -> None:
    table, folder = made
    some = st.run_study(
        SMALL, folder, range(2), ("policies", "zones"), progress=False, only=["span 4", "dense"]
    )
    both = table[table["name"].isin(["dense", "span 4"])]
    assert sorted(some["name"]) == ["dense", "dense", "span 4", "span 4"]
    assert sorted(some["seconds"]) == sorted(both["seconds"])
    with pytest.raises(ValueError, match=r"no run named 'span 5'; the choices are 'dense', 'span 4'"):
        st.run_study(SMALL, folder, range(2), ("policies",), only=["dense", "span 5"])
    with pytest.raises(ValueError, match="no run named 'dense, two layers'"):
        st.timed_runs(SMALL, ("policies", "zones"), ["dense, two layers"])


def test_families_that_share_a_configuration_make_it_once(tmp_path: Path) -> None:
    def fast(design: st.Design) -> list[Configuration]:
        return st.policies(design)[:2]

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(st.FAMILIES, "fast", fast)
        patch.setitem(st.FAMILIES, "again", fast)
        table = st.run_study(SMALL, tmp_path, range(2), ("fast", "again"), progress=False)
    assert table["name"].tolist() == ["dense", "span 4"] * 2


def test_a_table_is_read_as_it_was_written(made: tuple[pd.DataFrame, Path], tmp_path: Path) -> None:
    table, _ = made
    st.write_table(table, tmp_path / "results.csv")
    read = st.read_table(tmp_path / "results.csv")
    assert list(read) == list(st.COLUMNS)
    assert read["name"].tolist() == table["name"].tolist()
    np.testing.assert_allclose(read["test_rmse"], table["test_rmse"].astype(float), rtol=1e-4)
    assert read["valid_rmse"].map(len).tolist() == table["valid_rmse"].map(len).tolist()
    np.testing.assert_allclose(read["valid_rmse"].sum(), table["valid_rmse"].sum(), rtol=1e-4)
    assert (
        (read["diverged"] == "").all()
        and read["alone"].dtype == bool
        and read["units"].unique().tolist() == ["4", "32-32"]
    )
    pd.DataFrame({"a": [1]}).to_csv(tmp_path / "other.csv")
    with pytest.raises(ValueError, match="no results table of a study: it lacks series, horizon"):
        st.read_table(tmp_path / "other.csv")


def test_a_task_is_picked_from_a_table(made: tuple[pd.DataFrame, Path]) -> None:
    table, _ = made
    runs = st.task_runs(table, "fontana")
    assert not set(runs["group"]) & {"zone", "size"} and len(runs) == (table["group"] != "zone").sum()
    assert set(st.task_runs(table, "fontana", groups=["zone"])["group"]) == {"zone"}
    for wrong in ({"series": "sceaux"}, {"horizon": 2}, {"groups": ["luck"]}):
        with pytest.raises(ValueError, match="no run of"):
            st.task_runs(table, **({"series": "fontana"} | wrong))


def summary_of(made: tuple[pd.DataFrame, Path]) -> pd.DataFrame:
    return against(st.task_runs(made[0], "fontana"), resamples=99)


def test_a_summary_in_words_says_its_numbers(made: tuple[pd.DataFrame, Path]) -> None:
    summary = summary_of(made)
    words = in_words(summary, ["dense", "span 2"])
    row = summary.loc["span 2"]
    assert words.index.tolist() == ["dense", "span 2"]
    expected = f"{row['time_ratio']:.2f} ({row['time_low']:.2f} to {row['time_high']:.2f})"
    assert words.loc["span 2", "times as fast"] == expected
    assert words.loc["dense", "error above, %"] == "+0.00 (+0.00 to +0.00)"
    assert len(in_words(summary)) == len(summary)
    untimed = against(st.task_runs(made[0].assign(alone=False), "fontana"), resamples=99)
    assert set(in_words(untimed)["times as fast"]) == {"–"}


def test_the_readme_says_what_the_shipped_tables_say() -> None:
    table = st.read_table(ROOT / "benchmarks/study.csv")
    for series in ("sceaux", "fontana"):
        found = against(st.task_runs(table, series, groups=["dense", "then head"]))
        careful, fast = found.loc["span 24, then head"], found.loc["span 12, then head"]
        assert careful["n"] == careful["timed"] >= 10
        assert round(careful["time_ratio"], 1) == 2.3 and careful["error_high"] < 1
        assert round(fast["time_ratio"], 1) in (2.7, 2.8)
    older = st.read_table(ROOT / "benchmarks/study_keras.csv")
    ahead = st.read_table(ROOT / "benchmarks/study_day.csv")
    for series in ("sceaux", "fontana"):
        for reference in ("dense", "Keras, XLA"):
            ratio = against(st.task_runs(older, series), reference)["time_ratio"]
            assert 1.65 < ratio["span 24, then head"] < 2 and 1.85 < ratio["span 12, then head"] < 2.3
        error = against(st.task_runs(ahead, series, 24))["error_percent"]
        assert abs(error["span 12"]) < 1.5
        assert error["span 12"] < error[["smaller network", "fewer epochs", "shorter window"]].min()
    text = " ".join((ROOT / "README.md").read_text().split())
    assert "it was about 1.8 and 2 times as fast as our dense training" in text
    assert "2.3 times as fast on both series" in text and "over the last sixth 2.7 times" in text


def test_the_figures_draw_what_a_study_leaves(made: tuple[pd.DataFrame, Path]) -> None:
    summary, groups = summary_of(made), dict(zip(made[0]["name"], made[0]["group"], strict=True))
    labels = figures.forest(summary, groups).axes[0].get_yticklabels()
    assert {t.get_text() for t in labels} == set(summary.index)
    zones = st.task_runs(made[0], "fontana", groups=["zone"])
    crossed = zones.dropna(subset=["gate"]).assign(error_percent=lambda t: t["test_rmse"])
    mean = crossed.groupby(["layer", "matrix", "gate"])["error_percent"].mean().loc[0, "Wh", "f"]
    assert f"{mean:+.2f}" in {t.get_text() for t in figures.zone_grid(crossed).axes[0].texts}
    shares = explained(crossed, list(st.FACTORS), "error_percent", resamples=49)
    assert len(figures.explained(shares).axes[0].get_yticklabels()) == len(st.FACTORS)


# --------------------------------------------------------------------------------------------------------- command


def study(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "tools/study.py"), *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False, **options,
    )  # fmt: skip


def test_the_command_makes_a_table_and_a_figure_of_a_file(tmp_path: Path) -> None:
    index = pd.date_range("2024-01-01", periods=500, freq="h", tz="UTC")
    load = 10 + np.sin(np.arange(500) / 4) + np.random.default_rng(0).normal(size=500) / 9
    table = pd.DataFrame({"when": index, "load [kW]": load, "warmth": load[::-1]})
    table.to_csv(tmp_path / "mine.csv", index=False, sep=";")
    arguments = ("--series", str(tmp_path / "mine.csv"), "--horizon", "1", "--lookback", "12", "--units", "4")
    arguments += ("--target", "load [kW]", "--separator", ";", "--time", "when")
    arguments += ("--families", "policies", "--quick", "--out", str(tmp_path / "out"))
    first = study(*arguments)
    assert first.returncode == 0, first.stderr
    table = st.read_table(tmp_path / "out/results.csv")
    assert len(table) == 2 * 14 and table["alone"].all()
    assert (tmp_path / "out/mine_1.png").stat().st_size > 10_000
    assert "span 2, then head" in first.stdout
    assert study(*arguments).stdout == first.stdout  # nothing is made twice
    assert "2 seeds: the intervals know only these" in first.stdout
    other = study(*arguments, "--units", "3", "--only", "dense", "span 2")
    assert other.returncode == 0, other.stderr
    both = st.read_table(tmp_path / "out/results.csv")
    pd.testing.assert_frame_equal(both[both["units"] == "4"], table)  # another study adds to the table
    assert sorted(both.loc[both["units"] == "3", "name"]) == ["dense", "dense", "span 2", "span 2"]


def test_the_command_can_be_told_of_a_file_all_that_load_series_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", os.environ.copy())  # the command sets some of it for itself
    command = importlib.import_module("tools.study")
    for name in READING:
        argument = "rows" if name == "only" else name.replace("_", "-")
        monkeypatch.setattr(sys, "argv", ["study", "--series", "a.csv", f"--{argument}", "2"])
        assert list(command.designs(command.parsed())[0].task.reading) == [name]
    given = [
        "--time",
        "Date, Time",
        "--missing",
        "?",
        "--skip",
        "2, 9",
        "--header",
        "3",
        "--rows",
        "id=7",
        "--columns",
    ]
    given += ["load=power, air", "--separator", "tab", "--time", "Date, Time", "--only", "dense"]
    monkeypatch.setattr(sys, "argv", ["study", "--series", "a.csv", *given])
    read = command.designs(command.parsed())[0].task.reading
    assert read == {
        "time": ["Date", "Time"], "missing": "?", "skip": [2, 9], "header": 3, "only": {"id": "7"},
        "columns": ["load=power", "air"], "separator": "\t",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--families", "luck"), "invalid choice: 'luck'"),
        (("--series", "absent.csv"), "study: "),
        (("--series", "sceaux", "--target", "heat"), "study: .*heat"),
        (("--only", "dense", "span 13"), "study: no run named 'span 13'; the choices are 'dense', 'span 24'"),
    ],
)
def test_the_command_refuses_in_a_line(arguments: tuple[str, ...], said: str) -> None:
    refused = study(*arguments, "--quick")
    assert refused.returncode == 2 and re.search(said, refused.stderr)
    assert "Traceback" not in refused.stderr
