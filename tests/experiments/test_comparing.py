"""Comparisons of runs: numbers worked out by hand, cases that are known, and refusals in words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats

import lstm_lib as ll
from lstm_lib.experiments import (
    Configuration,
    Task,
    against,
    pareto,
    predicted_step,
    units_of_equal_cost,
)


def runs(name: str, seconds: Any, errors: Any, **columns: Any) -> pd.DataFrame:
    """A table with the rows of one configuration, seeds from 0 on."""
    frame = pd.DataFrame({"name": name, "seed": range(len(errors)), "seconds": seconds, "test_rmse": errors})
    return frame.assign(**{"alone": True, "diverged": "", "predicted": 1.5, "last_valid": errors} | columns)


DENSE = runs("dense", [4.0, 6.0, 8.0], [1.0, 2.0, 4.0])


def table(*others: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([DENSE, *others], ignore_index=True)


# ---------------------------------------------------------------------------------------------------------- against


def test_ratios_are_taken_within_a_seed_and_then_over_the_seeds() -> None:
    cut = runs("cut", [2.0, 1.0, 8.0], [1.1, 2.0, 3.6])  # ratios 2, 6, 1; +10 %, 0, -10 %
    found = against(table(cut)).loc["cut"]
    assert (found["n"], found["timed"], found["seconds"], found["predicted"]) == (3, 3, 2.0, 1.5)
    assert found["time_ratio"] == 2.0  # the ratio of the medians is 3, and so is the mean
    assert found["error"] == pytest.approx((1.1 + 2.0 + 3.6) / 3)
    assert found["error_percent"] == pytest.approx(0.0, abs=1e-12)
    assert 1.0 <= found["time_low"] <= 2.0 <= found["time_high"] <= 6.0
    assert -10.0 - 1e-9 <= found["error_low"] < 0 < found["error_high"] <= 10.0 + 1e-9


def test_seeds_are_paired_by_number_not_by_place() -> None:
    cut = runs("cut", [2.0, 2.0, 8.0], [1.1, 2.0, 3.6])
    assert against(table(cut[::-1])).loc["cut"].equals(against(table(cut)).loc["cut"])
    some = against(table(cut[1:]))  # seeds 1 and 2: ratios 3 and 1
    assert (some.loc["cut", "n"], some.loc["cut", "time_ratio"]) == (2, 2.0)
    assert some.loc["dense", "n"] == 3


def test_equal_runs_are_as_fast_as_the_reference_without_doubt() -> None:
    found = against(table(runs("again", DENSE["seconds"], DENSE["test_rmse"])))
    for name in ("dense", "again"):
        assert found.loc[name, ["time_ratio", "time_low", "time_high"]].tolist() == [1, 1, 1]
        assert found.loc[name, ["error_percent", "error_low", "error_high"]].tolist() == [0, 0, 0]
        assert found.loc[name, ["time_method", "error_method"]].tolist() == ["all alike"] * 2


def test_the_interval_is_that_of_scipy() -> None:
    rng = np.random.default_rng(3)
    errors = rng.normal(1, 0.01, 12)
    both = pd.concat([runs("dense", 1.0, np.ones(12)), runs("cut", 1.0, errors)])
    found = against(both, resamples=500, confidence=0.9, seed=7).loc["cut"]
    expected = scipy.stats.bootstrap(
        (100 * (errors - 1),), np.mean, n_resamples=500, confidence_level=0.9, method="BCa", rng=7
    ).confidence_interval
    assert (found["error_low"], found["error_high"]) == pytest.approx(tuple(expected), rel=1e-12)
    assert found["error_method"] == "BCa"


def test_where_bca_is_not_defined_the_percentiles_stand_in() -> None:
    """Two alike and one other: the median without any one of them is the same, so BCa has nothing to go by."""
    cut = runs("cut", [2.0, 3.0, 4.0, 5.0, 1.0], np.ones(5))
    base = runs("dense", [4.0, 6.0, 8.0, 10.0, 4.0], np.ones(5))  # ratios 2, 2, 2, 2, 4
    found = against(pd.concat([base, cut])).loc["cut"]
    assert (found["time_ratio"], found["time_method"]) == (2.0, "percentile")
    assert 2.0 == found["time_low"] <= found["time_high"] <= 4.0


def test_intervals_hold_what_they_promise() -> None:
    """Of 60 experiments with 20 seeds, about 95 % of the intervals have the true difference of 1 % within."""
    rng, held = np.random.default_rng(0), 0
    for _ in range(60):
        found = against(
            pd.concat([runs("dense", 1.0, np.ones(20)), runs("cut", 1.0, rng.normal(1.01, 0.02, 20))]),
            resamples=199,
        ).loc["cut"]
        held += found["error_low"] <= 1.0 <= found["error_high"]
    assert 52 <= held < 60


def test_only_times_of_runs_that_were_alone_count() -> None:
    cut = runs("cut", [2.0, 2.0, 8.0], [1.1, 2.0, 3.6], alone=[True, True, False])
    found = against(table(cut)).loc["cut"]
    assert (found["n"], found["timed"], found["time_ratio"], found["seconds"]) == (3, 2, 2.5, 2.0)
    one = against(table(cut.assign(alone=[True, False, False]))).loc["cut"]
    assert (one["timed"], one["time_ratio"], one["time_method"]) == (1, 2.0, "")
    assert np.isnan([one["time_low"], one["time_high"]]).all()
    none = against(table(cut.assign(alone=False))).loc["cut"]
    assert none["timed"] == 0
    assert np.isnan([none["time_ratio"], none["seconds"]]).all()
    assert none["error_percent"] == pytest.approx(0, abs=1e-12)


def test_a_run_that_diverged_is_counted_and_not_passed_over() -> None:
    cut = runs("cut", [2.0, 2.0, 0.1], [1.1, 2.0, np.nan], diverged=["", "", "loss is nan"])
    found = against(table(cut)).loc["cut"]
    assert (found["n"], found["timed"], found["diverged"], found["time_ratio"]) == (3, 2, 1, 2.5)
    assert np.isnan([found["error"], found["error_percent"], found["error_low"]]).all()


@pytest.mark.parametrize(
    ("rows", "settings", "said"),
    [
        (table(runs("cut", 1.0, [1.0])), {}, r"'cut' and .* n = 1 seeds in common; .* 'cut' has \[0\]"),
        (table(DENSE), {}, "'dense' has several runs with seed 0"),
        (table(), {"reference": "plain"}, "reference is 'plain'; the table has 'dense'"),
        (table(), {"confidence": 95}, "confidence must be above 0 and below 1, got 95"),
        (DENSE.drop(columns="seed"), {}, "no column 'seed'"),
        (table(), {"error": "tst_rmse"}, r"no column 'tst_rmse'; it has \['name'"),
    ],
    ids=["one seed", "twice", "unknown", "confidence", "no seed", "no error"],
)
def test_what_cannot_be_compared_is_refused(rows: pd.DataFrame, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        against(rows, **settings)


# ----------------------------------------------------------------------------------------------------------- pareto


def test_the_front_is_what_nothing_beats_in_both() -> None:
    points = {"dense": (4, 1.0), "a": (2, 2.0), "b": (3, 2.0), "c": (1, 3.0), "d": (4, 0.9), "e": (2, 2.0)}
    rows = pd.concat([runs(name, float(s), [e, e]) for name, (s, e) in points.items()])
    found = pareto(rows)
    assert found["seconds"].tolist() == sorted(found["seconds"])
    assert set(found.index[found["front"]]) == {"a", "c", "d", "e"}  # a and e are the same point


def test_the_front_compares_on_common_timed_seeds_only() -> None:
    late = runs("late", [1.0, 1.0, 100.0], [1.0, 2.0, 4.0], alone=[False, True, True])
    lost = runs("lost", 0.1, [0.1, np.nan, 0.1])
    untimed = runs("untimed", 0.1, [0.1, 0.1, 0.1], alone=False)
    found = pareto(table(late, lost, untimed))
    assert found.loc["late"].tolist() == [50.5, 3.0, False]
    assert found.loc["dense"].tolist() == [7.0, 3.0, True]
    assert found.loc[["lost", "untimed"], "seconds"].isna().all()
    assert not found.loc[["lost", "untimed"], "front"].any()
    with pytest.raises(ValueError, match=r"no seed in common .* timed=True"):
        pareto(DENSE.assign(alone=False))


# ------------------------------------------------------------------------------------------------------- equal cost

SPEC = ll.Spec(7, (64, 32), 1)
T, B = 48, 32


def cost(spec: ll.Spec, steps: int = T) -> float:
    return ll.isolate(spec, ll.nothing(spec)).cost(steps, B).seconds.total


def test_controls_of_the_dense_cost_are_the_network_itself() -> None:
    dense = ll.isolate(SPEC, ll.nothing(SPEC)).cost(T, B)
    assert units_of_equal_cost(SPEC, dense, T, B) == (64, 32)


@pytest.mark.parametrize("n", [1, 7, 20, 63])
def test_controls_find_back_what_the_cost_was_made_of(n: int) -> None:
    units = (n, max(1, round(n / 2)))
    assert units_of_equal_cost(SPEC, cost(ll.Spec(7, units, 1)), T, B) == units


def test_the_control_of_a_plan_costs_about_as_much() -> None:
    plan = ll.isolate(SPEC, ll.zone(SPEC, layer=0), depth="cut").cost(T, B)
    units = units_of_equal_cost(SPEC, plan, T, B)
    assert cost(ll.Spec(7, units, 1)) == pytest.approx(plan.seconds.total, rel=0.05)
    assert units < SPEC.units


@pytest.mark.parametrize("wrong", [0.0, -1.0, float("nan"), 1.0])
def test_a_cost_that_no_control_can_have_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="above 0 and at most that of the dense step"):
        units_of_equal_cost(SPEC, wrong, T, B)


def test_a_schedule_costs_the_mean_of_its_plans() -> None:
    def half(spec: ll.Spec) -> Any:
        return ll.schedules.from_epoch(3, ll.isolate(spec, ll.zone(spec, layer=0), depth="skip"))

    task = Task(lookback=4, every=100)
    sizes = {"units": (4, 3), "epochs": 4, "batch": 32}
    seconds, updated = predicted_step(Configuration("half", task, isolation=half, **sizes))
    spec = ll.Spec(7, (4, 3), 1)
    zone = ll.zone(spec, layer=0)
    plans = [ll.isolate(spec, z, depth="skip").cost(4, 32).seconds.total for z in (ll.nothing(spec), zone)]
    assert seconds == pytest.approx(np.mean(plans))
    assert updated == pytest.approx(1 - zone.share / 2)
