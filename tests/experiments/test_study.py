"""The study: its families of configurations, how they are tuned, its table, and the command that makes it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import lstm_lib as ll
from lstm_lib.experiments import Configuration, Task, against
from lstm_lib.experiments import study as st
from lstm_lib.plots import study as figures
from lstm_lib.training.schedules import Moment, Schedule, plan_at

SMALL = st.Design(Task("fontana", lookback=12, length=24, warmup=12), units=(8,), epochs=4, batch=32)
SPEC = SMALL.make("dense", "dense").spec


def named(configurations: list[Configuration], name: str) -> Configuration:
    (found,) = [c for c in configurations if c.name == name]
    return found


def shares(configuration: Configuration, epochs: int = 4) -> list[float]:
    """What is isolated of the layers in every epoch."""
    layers = 1 - ll.zone(SPEC, layer="head").share
    plans = [plan_at(configuration.plan, SPEC, Moment(epoch, epochs, 0)) for epoch in range(1, epochs + 1)]
    return [round(plan.zone.share / layers, 2) for plan in plans]


def test_every_family_has_names_of_its_own_and_one_design() -> None:
    for family in st.FAMILIES.values():
        found = family(SMALL, 0)
        assert len({c.name for c in found}) == len(found) >= 1
        assert {c.rate for c in found} == {"cosine"}  # every rate decays fully
    both = [c.name for c in st.policies(SMALL) + st.controls(SMALL)]
    assert both[0] == "dense" and {c.name for c in st.core(SMALL)} < set(both)
    assert st.policies(SMALL)[0].plan is None


@pytest.mark.parametrize(
    ("name", "isolated"),
    [
        ("a quarter kept", [0.25] * 4),
        ("seven eighths kept", [0.88] * 4),
        ("three quarters kept, skip", [0.75] * 4),
        ("three quarters kept after an epoch", [0, 0.75, 0.75, 0.75]),
        ("three quarters in turn with none", [0.75, 0, 0.75, 0]),
        ("three quarters kept, thawed at the end", [0.75, 0.75, 0.75, 0]),
        ("half redrawn", [0.5] * 4),
        ("dense, then the head", [0, 0, 0, 1]),
        ("the head alone", [1] * 4),
        ("f and i rest", [0.5] * 4),
        ("f, i and a quarter of the units rest", [0.62] * 4),
        ("f, i and half of the units rest", [0.75] * 4),
        ("f, i and half of the units rest, thawed at the end", [0.75, 0.75, 0.75, 0]),
        ("f, i and half of the units rest, thawed for the last epoch", [0.75, 0.75, 0.75, 0]),
        ("f, i and Wh of o rest", [0.63] * 4),
        ("span 12", [0] * 4),
    ],
)
def test_a_policy_isolates_what_its_name_says(name: str, isolated: list[float]) -> None:
    assert shares(named(st.policies(SMALL), name)) == isolated


def test_what_comes_late_comes_late_in_a_shorter_training_too() -> None:
    layers = ll.everything(SPEC) - ll.zone(SPEC, layer="head")
    for name, at_rest in (
        ("three quarters kept, thawed at the end", ll.nothing(SPEC)),
        ("dense, then the head", layers),
    ):
        trials = {c.epochs: c.plan for c in st.trials_of(named(st.policies(SMALL), name))}
        for epochs in (2, 4):  # of the design's four
            first, last = (plan_at(trials[epochs], SPEC, Moment(e, epochs, 0)).zone for e in (1, epochs))
            assert last == at_rest != first


def test_the_depth_is_the_one_that_is_named_and_the_head_learns() -> None:
    for c in st.policies(SMALL):
        plans = [plan_at(c.plan, SPEC, Moment(epoch, 4, 0)) for epoch in range(1, 5)]
        deep = {plan.depth for plan in plans if plan.zone.size}
        assert deep <= ({"skip"} if c.name.endswith("skip") else {"cut"})
        assert not any((plan.zone & ll.zone(SPEC, layer="head")).size for plan in plans)
    assert plan_at(named(st.policies(SMALL), "span 12").plan, SPEC, Moment(1, 4, 0)).span == 12


def test_what_is_kept_stays_and_what_is_redrawn_changes_and_every_seed_draws_its_own() -> None:
    kept, redrawn = (
        [named(st.policies(SMALL, seed), f"half {how}") for seed in range(4)] for how in ("kept", "redrawn")
    )
    of = [[str(plan_at(c.plan, SPEC, Moment(e, 4, 0)).zone) for e in range(1, 5)] for c in (*kept, *redrawn)]
    assert all(len(set(zones)) == 1 for zones in of[:4]) and all(len(set(zones)) > 1 for zones in of[4:])
    assert len({zones[0] for zones in of[:4]}) > 2
    assert [zones[0] for zones in of[:4]] == [zones[0] for zones in of[4:]]


def test_a_statistic_stands_beside_the_draw_that_is_kept_as_long() -> None:
    draw, *arms = st.statistics(SMALL, 3)
    assert draw.name == "three quarters kept after an epoch" and len(arms) == 3 * 8
    assert {c.group for c in arms} == {"statistic"}
    wrong, once, again = (
        named(arms, f"fisher, {arm}").plan for arm in ("the wrong way", "once", "each epoch")
    )
    assert isinstance(wrong, Schedule) and isinstance(once, Schedule) and isinstance(again, Schedule)
    described = [schedule.describe()["by statistic"] for schedule in (once, again, wrong)]
    assert [(one["every"], one.get("most", False)) for one in described] == [
        (None, False),
        (1, False),
        (None, True),
    ]
    assert {one["warmup"] for one in described} == {1} and {one["blocks"] for one in described} == {8}
    settings = dataclasses.replace(SMALL, settings={draw.name: {"lr": 0.5}, "dense": {"lr": 0.25}})
    assert {c.lr for c in st.statistics(settings, 0)} == {0.5}


def test_controls_cost_what_three_quarters_kept_cost() -> None:
    design = st.Design(st.SEQUENCES, units=(64,), epochs=10)
    spec = design.make("dense", "dense").spec
    wanted = st.kept(0.75, 0)(spec).cost(48, 8, output="every").seconds.total
    small = named(st.controls(design), "smaller network")
    own = ll.isolate(small.spec, ll.nothing(small.spec)).cost(48, 8, output="every").seconds.total
    assert own == pytest.approx(wanted, rel=0.05)
    dense = ll.isolate(spec, ll.nothing(spec)).cost(48, 8, output="every").seconds.total
    assert named(st.controls(design), "fewer epochs").epochs == round(10 * wanted / dense)
    both = named(st.controls(design), "smaller network, f and i rest")
    assert both.units == small.units and str(both.plan.zone) == "0/*/fi" and both.plan.depth == "cut"
    assert named(st.controls(design), "shorter sequences").task.length == 30
    (windows,) = st.windows(design)
    assert windows.task.length is None and windows.task.lookback == 72


def test_an_earlier_end_is_an_earlier_test_part() -> None:
    whole, early = Task("fontana").split(), Task("fontana", end=0.7).split()
    assert early.test.times[-1] < whole.test.times[0]
    assert Configuration("a", Task("fontana")).key(0) != Configuration("a", Task("fontana", end=0.7)).key(0)
    with pytest.raises(ValueError, match=r"end is a share of the rows, above 0 and at most 1; got 1\.5"):
        Task("fontana", end=1.5)


# ------------------------------------------------------------------------------------------------------ the whole

FEW = ["dense", "half kept", "the head alone"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[st.Design, pd.DataFrame, Path]:
    folder = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(
            st.FAMILIES, "policies", lambda d, seed=0: [named(st.policies(d, seed), name) for name in FEW]
        )
        design, trials = st.tuned(SMALL, folder, ["policies"], progress=False)
    assert (trials["group"] == "tuning").all() and trials["test_rmse"].isna().all()
    table = st.run_study(design, folder, range(3), ["policies"], progress=False, only=FEW, timed=range(2))
    return design, table, folder


def test_each_has_the_settings_that_were_best_on_validation(
    made: tuple[st.Design, pd.DataFrame, Path],
) -> None:
    design, _, folder = made
    trials = st.Store(folder).table().query("group == 'tuning'")
    assert (
        trials["test_rmse"].isna().all() and trials["test_days"].isna().all()
    )  # so that nobody can choose by it
    assert sorted(set(trials["seed"])) == list(st.TUNED_ON) and len(trials) == 3 * 9 * 2
    for name in FEW:
        own = trials[trials["name"].str.startswith(f"{name}: ")]
        best = own.groupby(["lr", "epochs"])["last_valid"].mean().idxmin()
        assert (design.settings[name]["lr"], design.settings[name]["epochs"]) == best
        made_with = design.make(name, "")
        assert (made_with.lr, made_with.epochs) == best


def test_a_study_makes_all_its_runs_times_some_and_goes_on(
    made: tuple[st.Design, pd.DataFrame, Path],
) -> None:
    design, table, folder = made
    assert len(table) == 9 and table.groupby("seed")["alone"].all().tolist() == [True, True, False]
    again = st.run_study(design, folder, range(3), ["policies"], progress=False, only=FEW, timed=range(2))
    assert again["seconds"].tolist() == table["seconds"].tolist()
    assert not list(folder.glob("records/*"))  # rows alone are kept
    with pytest.raises(ValueError, match=r"no family 'luck'; the choices are policies, controls"):
        st.run_study(SMALL, folder, range(2), ("luck",))
    with pytest.raises(
        ValueError, match=r"no run named 'some kept'; the choices are 'dense', 'a quarter kept'"
    ):
        st.of_families(SMALL, ["policies"], only=["dense", "some kept"])


def test_the_days_of_a_run_are_those_of_its_test_part(made: tuple[st.Design, pd.DataFrame, Path]) -> None:
    _, table, _ = made
    part = SMALL.task.split().test
    days = part.times.tz_convert(part.series.timezone).normalize()
    hours = pd.Series(1, days).groupby(level=0).sum().to_numpy()
    for _, row in table.iterrows():
        assert len(row["test_days"]) == len(hours)
        assert np.sqrt(np.average(row["test_days"], weights=hours)) == pytest.approx(
            row["test_rmse"], rel=1e-4
        )


def test_a_table_is_read_as_it_was_written(
    made: tuple[st.Design, pd.DataFrame, Path], tmp_path: Path
) -> None:
    _, table, _ = made
    st.write_table(table, tmp_path / "results.csv")
    read = st.read_table(tmp_path / "results.csv")
    assert list(read) == list(st.COLUMNS)
    assert read["name"].tolist() == table["name"].tolist()
    np.testing.assert_allclose(read["test_rmse"], table["test_rmse"].astype(float), rtol=1e-4)
    np.testing.assert_allclose(read["test_days"].sum(), table["test_days"].sum(), rtol=1e-4)
    assert (read["diverged"] == "").all() and read["alone"].dtype == bool
    pd.DataFrame({"a": [1]}).to_csv(tmp_path / "other.csv")
    with pytest.raises(ValueError, match="no results table of a study: it lacks series, horizon"):
        st.read_table(tmp_path / "other.csv")


def test_the_figure_draws_what_a_study_leaves(made: tuple[st.Design, pd.DataFrame, Path]) -> None:
    _, table, _ = made
    summary, groups = against(table, resamples=99), dict(zip(table["name"], table["group"], strict=True))
    labels = figures.forest(summary, groups).axes[0].get_yticklabels()
    assert {t.get_text() for t in labels} == set(summary.index)
