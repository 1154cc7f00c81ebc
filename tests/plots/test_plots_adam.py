"""The figures of the optimiser draw the numbers they are given, where they belong."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import LogNorm

from lstm_lib import plots


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    plt.close("all")


def test_curves_draw_lines_points_and_limits() -> None:
    x, y = np.array([1.0, 10.0, 100.0]), np.array([2.0, 0.0, 4.0])
    ax = plots.curves(
        {"a": (x, y), "b": (x, 2 * y)}, "step", "distance", limits={"end": 3.0}, points=["b"]
    ).axes[0]
    a, b, end = ax.lines
    np.testing.assert_array_equal(a.get_xydata(), np.stack([x, y], axis=1))
    np.testing.assert_array_equal(b.get_ydata(), 2 * y)
    assert (a.get_marker(), b.get_linestyle()) == ("None", "None")
    assert b.get_marker() not in ("", "None")
    assert list(end.get_ydata()) == [3.0, 3.0]
    assert [t.get_text() for t in ax.texts] == ["end"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("step", "distance")
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["a", "b"]


@pytest.mark.parametrize("log", ["", "x", "y", "xy"])
def test_curves_have_the_axes_that_are_asked_for(log: str) -> None:
    ax = plots.curves({"a": (np.arange(1, 4), np.array([1.0, 0.0, -1.0]))}, "x", "y", log=log).axes[0]
    scales = [scale == "log" for scale in (ax.get_xscale(), ax.get_yscale())]
    assert scales == ["x" in log, "y" in log]
    expected = [1.0, np.nan, np.nan] if "y" in log else [1.0, 0.0, -1.0]
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), expected)
    assert ax.get_legend() is None  # one line needs no name beside the axis


def test_bowl_draws_the_paths_over_lines_of_equal_loss() -> None:
    paths = {"SGD": np.array([[-2.0, 1.0], [0.0, 0.5]]), "Adam": np.array([[-2.0, 1.0], [-1.0, 0.0]])}
    ax = plots.bowl((1, 9), paths).axes[0]
    for line, path in zip(ax.lines, paths.values(), strict=False):
        np.testing.assert_array_equal(line.get_xydata(), path)
    assert ax.lines[0].get_marker() != ax.lines[1].get_marker()
    assert ax.lines[2].get_xydata().tolist() == [[-2.0, 1.0]]  # the start
    assert ax.lines[3].get_xydata().tolist() == [[0, 0]]  # the bottom
    outline = ax.collections[0].get_paths()[0].vertices
    loss = outline[:, 0] ** 2 + 9 * outline[:, 1] ** 2
    assert np.ptp(loss) < 0.1 * loss.mean()  # a line of equal loss


def test_zone_maps_draw_a_row_a_zone_and_a_column_an_epoch() -> None:
    table = pd.DataFrame([[1.0, 2.0], [3.0, 400.0], [5.0, 6.0]], index=["f", "i", "head"], columns=[1, 2])
    fig = plots.zone_maps({"norm": table, "ratio": 2 * table}, log=["norm"])
    first, second = fig.axes[:2]
    np.testing.assert_array_equal(first.images[0].get_array(), table)
    np.testing.assert_array_equal(second.images[0].get_array(), 2 * table)
    assert isinstance(first.images[0].norm, LogNorm)
    assert not isinstance(second.images[0].norm, LogNorm)
    assert [t.get_text() for t in first.get_yticklabels()] == ["f", "i", "head"]
    assert [t.get_text() for t in first.get_xticklabels()] == ["1", "2"]
    assert (first.get_title(loc="left"), first.get_xlabel()) == ("norm", "epoch")
    assert len(fig.axes) == 4  # a colour scale each


def test_figures_draw_into_the_axes_they_are_given() -> None:
    one = np.ones(2)
    table = pd.DataFrame([[1.0, 2.0]])
    for draw in (
        lambda ax: plots.curves({"a": (one, one)}, "x", "y", ax=ax),
        lambda ax: plots.bowl((1, 1), {"a": np.eye(2)}, ax=ax),
        lambda ax: plots.zone_maps({"a": table}, axes=[ax]),
    ):
        fig, ax = plots.canvas()
        assert draw(ax) is fig
        assert ax.has_data()
