"""The figures of a study draw intervals where they lie, one look a group in every figure, means in their fields."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from lstm_lib import plots

SUMMARY = pd.DataFrame(
    {
        "time_ratio": [1.0, 2.5, np.nan, 2.0], "time_low": [1.0, 2.0, np.nan, np.nan],
        "time_high": [1.0, 3.0, np.nan, np.nan], "error_percent": [0.0, 1.5, -0.5, 3.0],
        "error_low": [0.0, 1.0, -1.0, 2.0], "error_high": [0.0, 2.0, 0.5, 5.0],
    },
    ["dense", "fast", "untimed", "mine"],
)  # fmt: skip
GROUPS = {"dense": "dense", "fast": "gates", "untimed": "gates", "mine": "own"}


def looks(fig: Figure) -> dict[str, tuple[str, str]]:
    legend = fig.axes[0].get_legend()
    handles = zip(legend.get_texts(), legend.legend_handles, strict=True)
    return {text.get_text(): (handle.get_markerfacecolor(), handle.get_marker()) for text, handle in handles}


def segments(fig: Figure, axes: int) -> list[list[float]]:
    """Both ends of every interval; NaN where there is none."""
    drawn = fig.axes[axes].collections[0].get_segments()
    return [segment[:, 0].tolist() if len(segment) else [np.nan, np.nan] for segment in drawn]


def test_forest_has_a_row_for_every_configuration_the_fastest_on_top() -> None:
    fig = plots.forest(SUMMARY, GROUPS, title="mine")
    time, error = fig.axes
    assert [t.get_text() for t in time.get_yticklabels()] == ["fast", "mine", "dense", "untimed"]
    assert time.get_ylim()[0] > time.get_ylim()[1]
    assert time.get_title(loc="left") == "mine"
    order = SUMMARY.loc[["fast", "mine", "dense", "untimed"]]
    np.testing.assert_array_equal(time.collections[1].get_offsets(), [(2.5, 0), (2.0, 1), (1.0, 2)])
    points = np.column_stack([order["error_percent"], range(4)])
    np.testing.assert_array_equal(error.collections[1].get_offsets(), points)
    np.testing.assert_array_equal(segments(fig, 1), order[["error_low", "error_high"]])
    np.testing.assert_array_equal(segments(fig, 0), order[["time_low", "time_high"]])
    assert "%" in error.get_xlabel()


def test_a_group_has_one_look_in_every_figure() -> None:
    whole = looks(plots.forest(SUMMARY, GROUPS))
    part = looks(plots.forest(SUMMARY.loc[["untimed", "fast"]], GROUPS))
    assert [*whole] == ["dense", "gates", "own"]
    assert len({mark for _, mark in whole.values()}) == 3
    assert part == {"gates": whole["gates"]}


def test_intervals_have_the_colour_of_their_group() -> None:
    fig = plots.forest(SUMMARY, GROUPS | {"mine": "control"})
    intervals, points = fig.axes[1].collections[:2]
    np.testing.assert_array_equal(intervals.get_colors(), points.get_facecolors())
    assert len(np.unique(intervals.get_colors(), axis=0)) == 3


def test_arms_stand_in_one_row_a_statistic_beside_the_reference() -> None:
    names = [f"{s}, {arm}" for s in ("magnitude", "snr") for arm in ("once", "each epoch", "the wrong way")]
    values = pd.Series([0.1, 2.0, 1.0, -0.2, 3.0, 0.5], names)
    table = pd.DataFrame({"error_percent": values, "error_low": values - 1, "error_high": values + 2})
    ax = plots.arms(table, "the draw").axes[0]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["magnitude", "snr"]
    labels = [t.get_text() for t in ax.get_legend().get_texts()]
    assert labels == ["once", "each epoch", "the wrong way"]
    for line, arm in zip(ax.lines[-3:], labels, strict=True):
        assert line.get_xdata().tolist() == [values[f"{s}, {arm}"] for s in ("magnitude", "snr")]
        assert np.round(np.abs(line.get_ydata() - [0, 1]), 6).max() < 0.5
    assert "the draw" in ax.get_xlabel()
    segments = [part[:, 0].tolist() for c in ax.collections for part in c.get_segments()]
    assert [values.iloc[0] - 1, values.iloc[0] + 2] in segments and len(segments) == 6
    without = plots.arms(table.drop(index=[n for n in names if "each" in n]), "the draw").axes[0]
    assert looks(without.figure) == {k: v for k, v in looks(ax.figure).items() if k != "each epoch"}


def test_by_units_draws_policy_by_policy() -> None:
    rows = [{"policy": p, "units": H, "time_ratio": H / 8, "time_low": H / 9, "time_high": H / 7,
             "error_percent": 1.0, "error_low": 0.0, "error_high": 2.0} for p in "ba" for H in (64, 16)]  # fmt: skip
    time, error = plots.by_units(pd.DataFrame(rows)).axes
    assert [t.get_text() for t in time.get_legend().get_texts()] == ["b", "a"]
    assert [t.get_text() for t in error.get_xticklabels()] == ["16", "64"]
    one, two = time.lines[:2]
    assert one.get_ydata().tolist() == two.get_ydata().tolist() == [2, 8]
    assert (one.get_xdata() < two.get_xdata()).all()  # side by side
    assert one.get_marker() != two.get_marker()
    ends = [segment[:, 1].tolist() for segment in time.collections[0].get_segments()]
    assert ends == [pytest.approx([16 / 9, 16 / 7]), pytest.approx([64 / 9, 64 / 7])]
