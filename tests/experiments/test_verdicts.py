"""Verdicts: coverage and power of the bootstrap over seeds and weeks, the margin, Holm's correction."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from lstm_lib.experiments.verdicts import _beside, verdicts

RNG = np.random.default_rng


def runs(name: str, days: Any, end: float = 1.0) -> pd.DataFrame:
    return pd.DataFrame(
        {"name": name, "seed": range(len(days)), "end": end, "test_days": [list(d) for d in days]}
    )


def errors(
    rng: np.random.Generator, percent: float, seeds: int = 10, days: int = 140, apart: float = 1.0
) -> pd.DataFrame:
    """Runs whose RMSE is above dense's by so much, with noise by seed (per cent) and hard weeks that all share."""
    hard = np.repeat(rng.lognormal(0, 0.5, days // 7), 7)
    dense = hard * (1 + rng.normal(0, 0.01, (seeds, 1)))
    factor = (1 + (percent + rng.normal(0, apart, (seeds, 1))) / 100) ** 2
    return pd.concat([runs("dense", dense), runs("cut", dense * factor)])


def one(seed: int, percent: float, resamples: int) -> dict[str, Any]:
    """The row of "cut", without what a whole table takes: statsmodels collects garbage in every call."""
    return _beside(errors(RNG(seed), percent, seeds=20), "cut", "dense", resamples, 0)


def test_an_interval_holds_the_truth_nineteen_times_of_twenty() -> None:
    found = [one(k, 1.0, 499) for k in range(150)]
    assert 0.87 <= np.mean([row["error_low"] <= 1.0 <= row["error_high"] for row in found]) <= 0.99


def test_time_counts_as_well_as_seeds() -> None:
    """A difference that lies in a few weeks is less sure than one of every week, however many seeds agree on it."""
    base = np.ones((30, 70))
    everywhere, somewhere = base * 1.02, base.copy()
    somewhere[:, 7:14] = 1.2
    found = verdicts(
        pd.concat([runs("dense", base), runs("everywhere", everywhere), runs("somewhere", somewhere)])
    )
    assert found["error_percent"].round(2).nunique() == 1
    assert found.loc["everywhere", "verdict"] == "worse" and found.loc["somewhere", "error_low"] <= 0
    assert found.loc["somewhere", "verdict"] == "not known"


def test_equal_is_shown_and_not_the_lack_of_a_difference() -> None:
    close, few = verdicts(errors(RNG(0), 0.0, apart=0.3)), verdicts(errors(RNG(1), 0.0, seeds=3, apart=4.0))
    assert close.loc["cut", "verdict"] == "equal" and close.loc["cut", "detectable"] < 0.5
    assert few.loc["cut", "verdict"] == "not known" and few.loc["cut", "detectable"] > 2
    assert verdicts(errors(RNG(0), 0.0, apart=0.3), margin=0.01).loc["cut", "verdict"] == "not known"


def test_what_is_detectable_is_detected_four_times_of_five() -> None:
    size = float(np.mean([one(k, 0.0, 199)["detectable"] for k in range(40)]))
    seen = [one(1000 + k, size, 499)["error_low"] > 0 for k in range(100)]
    assert 0.65 <= np.mean(seen) <= 0.95


def test_better_and_worse_are_told_and_holm_counts_all_rows() -> None:
    rng = RNG(3)
    dense = rng.lognormal(0, 0.3, (12, 70))
    noise = 1 + rng.normal(0, 0.002, (12, 1))
    table = pd.concat([runs("dense", dense), runs("a", dense * 1.1 * noise), runs("b", dense * 0.9 * noise)])
    found = verdicts(table)
    assert found["verdict"].tolist() == ["worse", "better"]
    assert (found["p_holm"] >= found["p"]).all() and found["p_holm"].max() == pytest.approx(
        2 * found["p"].min()
    )


def test_folds_are_taken_together() -> None:
    days = np.ones((4, 14))
    noise = np.array([[0.99], [1.0], [1.01], [1.02]])
    folds = [
        pd.concat([runs("dense", days[:seeds], end), runs("cut", (days * by * noise)[:seeds], end)])
        for end, by, seeds in ((0.7, 1.02, 3), (1.0, 1.06, 4))  # a stretch may have fewer seeds than another
    ]
    found = verdicts(pd.concat(folds)).loc["cut"]
    alone = [verdicts(one).loc["cut", "error_percent"] for one in folds]
    assert (found["n"], found["folds"]) == (7, 2) and found["error_percent"] == pytest.approx(np.mean(alone))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (runs("cut", np.ones((2, 7))), "reference is 'dense'; the table has 'cut'"),
        (
            pd.concat([runs("dense", np.ones((2, 7))), runs("cut", np.ones((1, 7)))]),
            "shares 1 seeds with 'dense'",
        ),
        (pd.concat([runs("dense", np.ones((2, 7))), runs("cut", np.ones((2, 8)))]), "7, 8. test days"),
        (pd.concat([runs("dense", np.ones((2, 7))), runs("cut", np.ones((2, 7)), 0.7)]), "shares 0 seeds"),
    ],
)
def test_what_does_not_fit_is_refused(table: pd.DataFrame, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        verdicts(table)
