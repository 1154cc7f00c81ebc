"""The figures of back-propagation through time draw the numbers they are given, where they belong."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from lstm_lib import plots


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    plt.close("all")


def texts(fig: plt.Figure) -> list[str]:
    return [t.get_text() for t in fig.axes[0].texts]


@pytest.mark.parametrize(
    ("span", "expected"),
    [(None, ["$dc_1, dh_1$", "$dc_2, dh_2$", "$dc_3, dh_3$"]), (2, ["$dc_3, dh_3$"]), (1, [])],
)
def test_unrolled_draws_one_error_between_the_steps_of_the_span(
    span: int | None, expected: list[str]
) -> None:
    fig = plots.unrolled(steps=4, span=span)
    assert [t for t in texts(fig) if t.startswith("$dc")] == expected
    assert sum(t.startswith("$c_") for t in texts(fig)) == 3  # the forward pass is whole
    assert (f"span = {span}" in texts(fig)) == (span is not None)


def test_training_loss_counts_from_one() -> None:
    fig = plots.training_loss({"ours": np.array([3.0, 2.0]), "fit": np.array([3.0, 1.0])}, xlabel="epoch")
    ours, fit = fig.axes[0].lines
    assert ours.get_xydata().tolist() == [[1, 3], [2, 2]]
    assert fit.get_ydata().tolist() == [3, 1]
    assert ours.get_marker() != fit.get_marker()
    assert ours.get_markersize() > fit.get_markersize()
    assert fig.axes[0].get_xlabel() == "epoch"


def test_by_span_leaves_zero_out_of_a_logarithmic_axis_only() -> None:
    spans, values = np.array([1, 2, 4]), np.array([0.5, 0.1, 0.0])
    log = plots.by_span({"a": (spans, values)}, "error", log=True).axes[0]
    assert log.get_yscale() == "log"
    np.testing.assert_array_equal(log.lines[0].get_ydata(), [0.5, 0.1, np.nan])
    np.testing.assert_array_equal(log.lines[0].get_xdata(), spans)
    np.testing.assert_array_equal(
        plots.by_span({"a": (spans, values)}, "error").axes[0].lines[0].get_ydata(), values
    )


def test_by_step_marks_its_limit() -> None:
    fig = plots.by_step(
        {"a": np.array([0.0, 1e-3]), "b": np.ones(2)}, "|dz|", log=True, limit=(1e-2, "smallest")
    )
    first, second, limit = fig.axes[0].lines
    np.testing.assert_array_equal(first.get_xydata(), [[1, np.nan], [2, 1e-3]])
    assert first.get_linestyle() != second.get_linestyle()
    assert limit.get_ydata() == [1e-2, 1e-2]
    assert "smallest" in texts(fig)


def test_work_shares_stack_to_a_hundred() -> None:
    shares = pd.DataFrame(
        {"forward": [0.5, 0.2], "error": [0.25, 0.3], "weights": [0.25, 0.5]}, index=["counted", "measured"]
    )
    ax = plots.work_shares(shares).axes[0]
    bars = [[(bar.get_x(), bar.get_width()) for bar in part] for part in ax.containers]
    np.testing.assert_allclose(bars, [[(0, 50), (0, 20)], [(50, 25), (20, 30)], [(75, 25), (50, 50)]])
    assert len({bar[0].get_hatch() for bar in ax.containers}) == 3  # told apart without colour


def test_figures_draw_into_the_axes_they_are_given() -> None:
    one = np.ones(2)
    for draw in (
        lambda ax: plots.unrolled(3, ax=ax),
        lambda ax: plots.training_loss({"a": one}, ax=ax),
        lambda ax: plots.by_span({"a": (one, one)}, "y", ax=ax),
        lambda ax: plots.by_step({"a": one}, "y", ax=ax),
        lambda ax: plots.work_shares(pd.DataFrame({"forward": [1.0]}, index=["a"]), ax=ax),
    ):
        fig, ax = plots.canvas()
        assert draw(ax) is fig
        assert ax.has_data()
