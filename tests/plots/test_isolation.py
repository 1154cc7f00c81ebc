"""What isolation leaves out and gains is drawn as it is given: depths, steps, shares, times, errors."""

from __future__ import annotations

import numpy as np
import pandas as pd

import lstm_lib as ll
from lstm_lib import plots
from lstm_lib.isolation.plan import DEPTHS

HISTORY = pd.DataFrame({"seconds": [1.0, 2.0], "valid_rmse": [0.5, 0.4]})


def test_depth_table_strikes_what_each_depth_leaves_out() -> None:
    fig = plots.depth_table()
    struck: dict[str, list[str]] = {}
    for line in fig.axes[0].lines:
        depth, part = line.get_gid().split(" leaves out ")
        struck.setdefault(depth, []).append(part)
    assert struck == {
        "hold": ["update"],
        "skip": ["weight gradient", "update"],
        "cut": ["error", "weight gradient", "update"],
        "cache": ["forward", "error", "weight gradient", "update"],
    }
    words = [t.get_text() for t in fig.axes[0].texts]
    assert {"dense", *DEPTHS} <= set(words)
    assert sum(word.startswith("$") for word in words) == 5 * 4


def test_work_shares_stack_to_a_hundred() -> None:
    shares = pd.DataFrame(
        {"forward": [0.5, 0.2], "error": [0.25, 0.3], "weights": [0.15, 0.4], "update": [0.1, 0.1]},
        index=["counted", "measured"],
    )
    ax = plots.work_shares(shares).axes[0]
    bars = [[(bar.get_x(), bar.get_width()) for bar in part] for part in ax.containers]
    np.testing.assert_allclose(
        bars, [[(0, 50), (0, 20)], [(50, 25), (20, 30)], [(75, 15), (50, 40)], [(90, 10), (90, 10)]]
    )
    assert len({bar[0].get_hatch() for bar in ax.containers}) == 4  # told apart without colour
    assert len({bar[0].get_facecolor() for bar in ax.containers}) == 4


def test_predicted_and_measured_draws_bars_whiskers_and_numbers() -> None:
    table = pd.DataFrame(
        {"FLOPs": [1.0, 2.5, 900.0], "measured": [1.0, 2.0, 50.0]}, index=["dense", "cut", "cache"]
    )
    spread = np.array([0.9, 1.8, 40.0]), np.array([1.1, 2.2, 60.0])
    ax = plots.predicted_and_measured(table, spread, most=4).axes[0]
    lengths = [[bar.get_width() for bar in bars] for bars in ax.containers]
    assert lengths == [[1, 2.5, 4], [1, 2, 4]]
    assert [t.get_text() for t in ax.texts] == ["1.00", "2.50", "900 →", "1.00", "2.00", "50 →"]
    assert [t.xy[0] for t in ax.texts[3:]] == [1.1, 2.2, 4]  # at the end of the whisker
    ends = [segment[:, 0].tolist() for segment in ax.collections[0].get_segments()]
    assert ends == [[0.9, 1.1], [1.8, 2.2], [4, 4]]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["dense", "cut", "cache"]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first plan on top
    assert len({bars[0].get_hatch() for bars in ax.containers}) == 2
    plain = plots.predicted_and_measured(table).axes[0]
    assert plain.containers[0][2].get_width() == 900
    assert not plain.collections


def test_the_strip_keeps_the_last_steps() -> None:
    fig = plots.span_strip(steps=6, span=2)
    kept = [p.get_x() for p in fig.axes[0].patches if p.get_gid() == "kept"]
    assert kept == [4, 5]
    assert sum(p.get_gid() == "left out" for p in fig.axes[0].patches) == 4


def test_errors_stand_over_the_time_since_the_start() -> None:
    fig = plots.time_and_error({"dense": HISTORY}, "kW", {"last value": 0.7})
    reference, run = fig.axes[0].lines
    assert run.get_marker() == "o"
    assert run.get_xydata().tolist() == [[1.0, 0.5], [3.0, 0.4]]
    assert set(reference.get_ydata()) == {0.7}
    assert fig.axes[0].get_ylabel() == "validation RMSE (kW)"


def test_the_overview_names_each_run_beside_what_it_leaves_out() -> None:
    histories = dict.fromkeys(["dense", "short", "few"], HISTORY)
    spec = ll.Spec(inputs=3, units=(8,), outputs=1)
    zones = {"short": ll.zone(spec, layer=0, unit=slice(2, 8)), "few": ~ll.zone(spec, layer="head")}
    fig = plots.overview(zones, histories, "kW")
    some, errors, head = fig.axes
    assert some.get_title("left").startswith("■ short")
    assert head.get_title("left").startswith("▲ few")
    assert [t.get_text() for t in errors.get_legend().get_texts()] == ["dense", "short", "few"]
    active = [patch for patch in head.patches if patch.get_fill() and not patch.get_hatch()]
    assert [patch.get_facecolor()[:3] for patch in active] == [(0, 0, 0)]  # the head alone
    assert sum(patch.get_hatch() is not None for patch in some.patches)
