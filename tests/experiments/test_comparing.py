"""Comparisons of runs: numbers worked out by hand, cases that are known, and refusals in words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

import lstm_lib as ll
from lstm_lib.experiments import (
    Configuration,
    Task,
    against,
    epochs_of_equal_time,
    explained,
    lookback_of_equal_cost,
    pareto,
    predicted_step,
    time_to_error,
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


# ------------------------------------------------------------------------------------------------- time to an error


def curves(name: str, *valid: list[float], seconds: float = 1.0, **columns: Any) -> pd.DataFrame:
    frame = pd.DataFrame({"name": name, "seed": range(len(valid)), "valid_rmse": list(valid)})
    frame["epoch_seconds"] = [[seconds] * len(curve) for curve in valid]
    return frame.assign(**{"alone": True, "diverged": ""} | columns)


def test_time_to_an_error_is_paired_by_seed_and_says_never() -> None:
    dense = curves("dense", [3.0, 2.0, 1.0], [9.0, 5.0, 5.0])
    cut = curves("cut", [2.0, 1.0, 0.9], [5.1, 5.2, 6.0], seconds=0.5)
    found = time_to_error(pd.concat([dense, cut]), tolerance=0.0).set_index(["name", "seed"])
    assert found["target"].tolist() == [1.0, 5.0, 1.0, 5.0]
    assert found["epoch"].tolist()[:3] == [3, 2, 2]
    assert found.loc[("cut", 0), ["seconds", "ratio"]].tolist() == [1.0, 3.0]
    assert not found.loc[("cut", 1), "reached"]
    assert np.isnan(found.loc[("cut", 1), ["epoch", "seconds"]].astype(float)).all()
    assert found.loc[("cut", 1), "ratio"] == 0.0
    assert found.groupby("name")["reached"].mean().to_dict() == {"cut": 0.5, "dense": 1.0}
    near = time_to_error(pd.concat([dense, cut]), tolerance=0.02).set_index(["name", "seed"])
    assert near.loc[("cut", 1), ["epoch", "seconds", "ratio"]].tolist() == [1.0, 0.5, 4.0]


def test_time_to_an_error_counts_no_time_of_runs_side_by_side() -> None:
    rows = pd.concat([curves("dense", [2.0, 1.0]), curves("cut", [1.0, 1.0], alone=False)])
    found = time_to_error(rows).set_index("name").loc["cut"]
    assert (found["reached"], found["epoch"]) == (True, 1.0)
    assert np.isnan([found["seconds"], found["ratio"]]).all()


def test_a_reference_that_diverged_sets_no_target() -> None:
    rows = pd.concat([curves("dense", [2.0], diverged="loss is nan"), curves("cut", [1.0, 1.0])])
    found = time_to_error(rows)
    assert found["target"].isna().all()
    assert not found["reached"].any()


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


# -------------------------------------------------------------------------------------------------------- explained


def crossed(effect_gate: float, effect_share: float, noise: float, seeds: int = 6) -> pd.DataFrame:
    rng, rows = np.random.default_rng(1), []
    for g, gate in enumerate("fi"):
        for s, share in enumerate((0.25, 0.5, 0.75)):
            rows += [
                (gate, share, g * effect_gate + s * effect_share + noise * rng.normal()) for _ in range(seeds)
            ]
    return pd.DataFrame(rows, columns=["gate", "share", "error"])


def test_shares_of_the_variation_worked_out_by_hand() -> None:
    """Effects 2 g and s: variances 1 and 2/3 without noise, so shares 0.6 and 0.4 that add up to 1."""
    found = explained(crossed(2.0, 1.0, 0.0), ["gate", "share"], "error")
    assert found["alone"].tolist() == pytest.approx([0.6, 0.4])
    assert found["beyond"].tolist() == pytest.approx([0.6, 0.4])
    assert found["levels"].tolist() == [2, 3]
    assert found["by_chance"].tolist() == pytest.approx([1 / 35, 2 / 35])


def test_one_way_agrees_with_the_analysis_of_variance() -> None:
    rows = crossed(1.0, 0.5, 1.0)
    found = explained(rows, ["gate", "share"], "error")
    for factor, (alone, low, high) in zip(
        found.index, found[["alone", "low", "high"]].to_numpy(), strict=True
    ):
        groups = [g.to_numpy() for _, g in rows.groupby(factor)["error"]]
        F, (k, n) = scipy.stats.f_oneway(*groups).statistic, (len(groups), len(rows))
        assert alone == pytest.approx((k - 1) * F / ((k - 1) * F + n - k))
        assert 0 <= low <= alone <= high <= 1


def test_what_a_factor_adds_is_type_ii_of_statsmodels() -> None:
    """Which our least squares give too where factors vary together: there statsmodels' is not 0 but the share alone."""
    rows = crossed(1.0, 0.5, 1.0)[3:]  # no longer balanced
    sums = anova_lm(ols("error ~ C(gate) + C(share)", rows).fit(), typ=2)["sum_sq"]
    total = ((rows["error"] - rows["error"].mean()) ** 2).sum()
    found = explained(rows, ["gate", "share"], "error", resamples=0)["beyond"]
    np.testing.assert_allclose(found, sums[["C(gate)", "C(share)"]] / total, rtol=1e-10)


def test_factors_that_vary_together_explain_the_same_only_once() -> None:
    rows = crossed(1.0, 0.5, 1.0).assign(same=lambda t: t["gate"] + "!")
    found = explained(rows, ["gate", "same"], "error")
    assert found["alone"].nunique() == 1
    assert found["beyond"].tolist() == pytest.approx([0, 0], abs=1e-12)


def test_noise_is_explained_as_much_as_chance_gives() -> None:
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(150):
        rows = pd.DataFrame({"gate": list("fiog") * 5, "error": rng.normal(size=20)})
        shares.append(explained(rows, ["gate"], "error", resamples=0).loc["gate", ["alone", "by_chance"]])
    found = pd.DataFrame(shares).mean()
    assert found["alone"] == pytest.approx(found["by_chance"], rel=0.2)


def test_rows_without_a_label_are_left_out_and_counted() -> None:
    rows = crossed(2.0, 1.0, 0.0)
    more = pd.concat(
        [rows, pd.DataFrame({"gate": [None, "f"], "share": [0.5, 0.5], "error": [99.0, np.nan]})]
    )
    pd.testing.assert_frame_equal(explained(rows, ["gate"], "error"), explained(more, ["gate"], "error"))


@pytest.mark.parametrize(
    ("factors", "response", "said"),
    [
        ("gate", "error", "factors takes a list"),
        (["zone"], "error", "no column 'zone'; it has"),
        (["gate"], "constant", "'constant' is 1.0 in all 36 rows"),
        (["gate"], "missing", "has n = 0 rows"),
    ],
)
def test_what_cannot_be_explained_is_refused(factors: Any, response: str, said: str) -> None:
    rows = crossed(1.0, 1.0, 0.1).assign(constant=1.0, missing=np.nan)
    with pytest.raises(ValueError, match=said):
        explained(rows, factors, response)


# ------------------------------------------------------------------------------------------------------- equal cost

SPEC = ll.Spec(7, (64, 32), 1)
T, B = 48, 32


def cost(spec: ll.Spec, steps: int = T) -> float:
    return ll.isolate(spec, ll.nothing(spec)).cost(steps, B).seconds.total


def test_controls_of_the_dense_cost_are_the_network_itself() -> None:
    dense = ll.isolate(SPEC, ll.nothing(SPEC)).cost(T, B)
    assert units_of_equal_cost(SPEC, dense, T, B) == (64, 32)
    assert lookback_of_equal_cost(SPEC, dense, T, B) == T
    assert epochs_of_equal_time(SPEC, dense, 8, T, B) == 8


@pytest.mark.parametrize("n", [1, 7, 20, 63])
def test_controls_find_back_what_the_cost_was_made_of(n: int) -> None:
    units = (n, max(1, round(n / 2)))
    assert units_of_equal_cost(SPEC, cost(ll.Spec(7, units, 1)), T, B) == units
    if n <= T:
        assert lookback_of_equal_cost(SPEC, cost(SPEC, n), T, B) == n


def test_epochs_share_out_the_time() -> None:
    assert [epochs_of_equal_time(SPEC, share * cost(SPEC), 10, T, B) for share in (0.01, 0.31, 0.5)] == [
        1,
        3,
        5,
    ]


def test_the_control_of_a_plan_costs_about_as_much() -> None:
    plan = ll.isolate(SPEC, ll.zone(SPEC, layer=0), depth="cut").cost(T, B)
    units = units_of_equal_cost(SPEC, plan, T, B)
    assert cost(ll.Spec(7, units, 1)) == pytest.approx(plan.seconds.total, rel=0.05)
    assert units < SPEC.units


@pytest.mark.parametrize("wrong", [0.0, -1.0, float("nan"), 1.0])
def test_a_cost_that_no_control_can_have_is_refused(wrong: float) -> None:
    for control in (units_of_equal_cost, lookback_of_equal_cost):
        with pytest.raises(ValueError, match="above 0 and at most that of the dense step"):
            control(SPEC, wrong, T, B)
    with pytest.raises(ValueError, match="epochs must be"):
        epochs_of_equal_time(SPEC, cost(SPEC), 0, T, B)


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
