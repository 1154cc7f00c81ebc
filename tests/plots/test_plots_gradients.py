"""The figures of the gradients draw the numbers they are given; the table beside them compares two things."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pytest

from lstm_lib import plots
from lstm_lib.checks import side_by_side


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    plt.close("all")


def test_difference_errors_draws_guides_below_the_curves_on_two_logarithmic_axes() -> None:
    eps = np.array([1e-1, 1e-3])
    ax = plots.difference_errors(
        {"central": (eps, eps**2), "complex": (eps, eps**3)}, {"ε²": (eps, 2 * eps)}
    ).axes[0]
    guide, central, complex_ = ax.lines
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    np.testing.assert_array_equal(guide.get_xydata(), np.column_stack([eps, 2 * eps]))
    np.testing.assert_array_equal(central.get_xydata(), np.column_stack([eps, eps**2]))
    assert central.get_marker() != complex_.get_marker()
    assert central.get_linestyle() != complex_.get_linestyle()
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["central", "complex"]
    assert [t.get_text() for t in ax.texts] == ["ε²"]


def test_two_roads_lead_backward_in_time() -> None:
    ax = plots.two_roads().axes[0]
    roads = {"c-road": [], "h-road": [], "link-road": []}
    for text in ax.texts:
        if text.get_gid() in roads:
            roads[text.get_gid()].append((text.xyann[0], text.xy[0]))  # start and end of the arrow
    assert [len(found) for found in roads.values()] == [2, 2, 5]
    assert all(end < start for road in ("c-road", "h-road") for start, end in roads[road])


def test_vanishing_draws_each_bias_and_its_c_road() -> None:
    errors = {-1: np.array([1e-9, 1e-3, 1.0]), 5: np.array([0.1, 0.2, 0.3])}
    alone = {bias: 0.5 * norms for bias, norms in errors.items()}
    ax = plots.vanishing(errors, "error", alone).axes[0]
    assert ax.get_yscale() == "log"
    for (bias, norms), (line, thin) in zip(
        errors.items(), zip(ax.lines[:4:2], ax.lines[1:4:2], strict=True), strict=True
    ):
        np.testing.assert_array_equal(line.get_xydata(), np.column_stack([[1, 2, 3], norms]))
        np.testing.assert_array_equal(thin.get_ydata(), alone[bias])
        assert line.get_color() == thin.get_color()
        assert line.get_linestyle() != thin.get_linestyle()
    labels = [t.get_text() for t in ax.get_legend().get_texts()]
    assert labels == ["$b_f$ = −1", "$b_f$ = 5", "c road alone"]
    assert ax.lines[0].get_marker() != ax.lines[2].get_marker()
    assert len(plots.vanishing(errors, "error").axes[0].lines) == 2


def test_figures_draw_into_the_axes_they_are_given() -> None:
    one = np.ones(2)
    for draw in (
        lambda ax: plots.difference_errors({"a": (one, one)}, ax=ax),
        lambda ax: plots.two_roads(ax=ax),
        lambda ax: plots.vanishing({1: one}, "y", ax=ax),
    ):
        fig, ax = plots.canvas()
        assert draw(ax) is fig
        assert ax.lines or ax.texts


# ------------------------------------------------------------------------------------------------ side_by_side


def test_side_by_side_shows_every_method() -> None:
    ours = {"a": np.array([[1.0, 2.0]]), "b": np.array([3.0])}
    near = {name: a + 1e-13 for name, a in ours.items()}
    table = side_by_side(ours, {"complex": near, "autograd": near}, 1e-12)
    assert table.columns.tolist() == ["shape", "ours", "complex", "autograd", "relative error"]
    assert table.loc["a"].tolist() == [(1, 2), 1.0, 1.0, 1.0, "all below 1e-12"]


@pytest.mark.parametrize("method", ["first", "second"])
def test_side_by_side_raises_on_any_entry_of_any_reference(method: str) -> None:
    ours = {"a": np.array([1.0, 2.0]), "b": np.array([3.0])}
    references = {name: {k: a.copy() for k, a in ours.items()} for name in ("first", "second")}
    references[method]["a"][1] = 2.001
    with pytest.raises(AssertionError, match=r"a: ours 2, reference 2\.001"):
        side_by_side(ours, references, 1e-6)


def test_side_by_side_refuses_to_compare_an_array_with_itself() -> None:
    ours = {"a": np.ones(4)}
    with pytest.raises(ValueError, match=r"\['a'\] and the reference 'mine' are the same array"):
        side_by_side(ours, {"mine": {"a": ours["a"][:]}}, 1e-6)
