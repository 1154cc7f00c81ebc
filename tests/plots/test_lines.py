"""Lines draw the numbers they are given, where they belong, and are told apart without colour."""

from __future__ import annotations

import numpy as np
import pytest

from lstm_lib import plots

X, Y = np.array([1.0, 10.0, 100.0]), np.array([2.0, 0.0, 4.0])


def test_curves_draw_lines_points_and_limits() -> None:
    ax = plots.curves(
        {"a": (X, Y), "b": (X, 2 * Y)}, "step", "distance", limits={"end": 3.0}, points=["b"]
    ).axes[0]
    end, a, b = ax.lines
    np.testing.assert_array_equal(a.get_xydata(), np.stack([X, Y], axis=1))
    np.testing.assert_array_equal(b.get_ydata(), 2 * Y)
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


def test_a_limit_is_drawn_on_top_of_a_line_that_runs_along_it() -> None:
    figure = plots.curves({"a": (X, 3 + 0 * X)}, "step", "distance", limits={"end": 3.0})
    limit, along = figure.axes[0].lines
    assert limit.get_zorder() > along.get_zorder()
    assert limit.get_linestyle() == "--"  # what lies below shows through


def test_values_alone_are_counted_from_one() -> None:
    (line,) = plots.curves({"a": np.array([3.0, 2.0])}, "epoch", "loss").axes[0].lines
    assert line.get_xydata().tolist() == [[1, 3], [2, 2]]


@pytest.mark.parametrize("marks", ["", "equal", "nested"])
def test_marks_are_equal_or_stand_within_each_other(marks: str) -> None:
    first, second = plots.curves({"a": Y, "b": Y}, "x", "y", marks=marks).axes[0].lines
    assert first.get_linestyle() != second.get_linestyle()
    if not marks:
        assert {first.get_marker(), second.get_marker()} == {"None"}
        return
    assert first.get_marker() != second.get_marker()
    assert (first.get_markersize() > second.get_markersize()) == (marks == "nested")


def test_guides_lie_below_the_lines_and_bear_their_names_at_their_end() -> None:
    ax = plots.curves({"central": (X, X**2)}, "step ε", "error", log="xy", guides={"ε²": (X, 2 * X)}).axes[0]
    guide, central = ax.lines
    np.testing.assert_array_equal(guide.get_xydata(), np.column_stack([X, 2 * X]))
    np.testing.assert_array_equal(central.get_ydata(), X**2)
    (name,) = ax.texts
    assert (name.get_text(), name.xy) == ("ε²", (100, 200))


def test_vanishing_draws_each_network_and_its_c_road() -> None:
    errors = {-1: np.array([1e-9, 1e-3, 1.0]), 5: np.array([0.1, 0.2, 0.3])}
    alone = {bias: 0.5 * norms for bias, norms in errors.items()}
    ax = plots.vanishing(errors, "error", alone).axes[0]
    assert ax.get_yscale() == "log"
    pairs = zip(ax.lines[:4:2], ax.lines[1:4:2], strict=True)
    for (bias, norms), (line, thin) in zip(errors.items(), pairs, strict=True):
        np.testing.assert_array_equal(line.get_xydata(), np.column_stack([[1, 2, 3], norms]))
        np.testing.assert_array_equal(thin.get_ydata(), alone[bias])
        assert line.get_color() == thin.get_color()
        assert line.get_linestyle() != thin.get_linestyle()
    labels = [t.get_text() for t in ax.get_legend().get_texts()]
    assert labels == ["$b_f$ = −1", "$b_f$ = 5", "c road alone"]
    assert ax.lines[0].get_marker() != ax.lines[2].get_marker()
    named = plots.vanishing({"GRU": errors[5], "LSTM": errors[-1]}, "error").axes[0]
    assert [line.get_label() for line in named.lines] == ["GRU", "LSTM"]


@pytest.mark.parametrize(("lowest", "apart"), [(1e-9, 2), (1e-42, 10), (1e-300, 50)])
def test_ticks_over_many_powers_of_ten_are_round(lowest: float, apart: int) -> None:
    ax = plots.vanishing({0: np.array([lowest, 1.0])}, "error").axes[0]
    low, high = ax.get_ylim()
    ticks = np.round(np.log10([tick for tick in ax.get_yticks() if low <= tick <= high]))
    assert (np.diff(ticks) == apart).all() and (ticks % apart == 0).all() and 3 <= len(ticks) <= 9


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


def test_descent_marks_the_start_the_bottom_and_the_end_of_each_path() -> None:
    paths = {
        "SGD": np.array([[-1.0, 1.0], [0.0, 0.5], [0.5, 0.2]]),
        "Adam": np.array([[-1.0, 1.0], [0.2, 0.0]]),
    }
    ax = plots.descent(lambda w: w[..., 0] ** 2 + w[..., 1] ** 2, paths, (0, 0), (-2, 2), (-1, 2)).axes[0]
    assert [line.get_xydata().tolist() for line in ax.lines[:2]] == [path.tolist() for path in paths.values()]
    assert [line.get_markevery() for line in ax.lines[:2]] == [[2], [1]]
    assert ax.lines[2].get_xydata().tolist() == [[-1, 1]]
    assert ax.lines[3].get_xydata().tolist() == [[0, 0]]
    assert (ax.get_xlim(), ax.get_ylim()) == ((-2, 2), (-1, 2))
    assert not ax.get_legend().get_frame_on()
