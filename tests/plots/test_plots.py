"""What every figure keeps to, and the figures that belong to no notebook alone."""

import inspect
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from lstm_lib import plots

HELPERS = {"canvas", "show"}
PUBLIC = {
    name: function
    for name, function in inspect.getmembers(plots, inspect.isfunction)
    if function.__module__.startswith(plots.__name__) and not name.startswith("_") and name not in HELPERS
}
TIMES = pd.date_range("2010-03-28", periods=5, freq="h", tz="Europe/Paris")
HISTORY = pd.DataFrame({"seconds": [2.0, 3.0, 1.0], "valid_rmse": [0.6, 0.5, 0.4]})


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def forecast(ax=None):
    actual = np.array([1.0, 2.0, np.nan, 4.0, 3.0])
    return plots.forecast(TIMES, actual, {"LSTM": np.arange(5.0), "naive": np.ones(5)}, "kW", ax)


def learning(ax=None):
    return plots.learning({"plain": HISTORY, "isolated": HISTORY / 2}, "kW", ax)


# --------------------------------------------------------------------------------------------- every figure


@pytest.mark.parametrize("name", PUBLIC)
def test_a_figure_is_what_a_function_returns_and_it_says_what_it_takes(name):
    signature = inspect.signature(PUBLIC[name], eval_str=True)
    assert signature.return_annotation is Figure
    assert inspect.getdoc(PUBLIC[name])
    if "ax" in signature.parameters:
        assert signature.parameters["ax"].default is None


@pytest.mark.parametrize("name", PUBLIC)
def test_a_figure_is_drawn_by_some_test(name):
    tests = Path(__file__).parent.glob("test_plots*.py")
    assert any(f"plots.{name}(" in path.read_text(encoding="utf-8") for path in tests)


@pytest.mark.parametrize("draw", [forecast, learning])
def test_a_figure_is_drawn_into_the_axes_that_are_given_or_into_new_ones(draw):
    fig, (left, right) = plots.canvas(1, 2)
    assert draw(right) is fig
    assert right.lines
    assert not left.lines
    assert draw() is not fig


def test_colours_are_told_apart():
    """Okabe and Ito's; no two nearer than a step that can be seen in print."""
    colours = [np.array(to_rgb(c)) for c in plots.PALETTE.values()]
    distances = [np.abs(a - b).max() for k, a in enumerate(colours) for b in colours[:k]]
    assert min(distances) > 0.15
    assert [*plots.GATE_COLOURS] == ["f", "i", "o", "g"]
    assert len(set(plots.GATE_COLOURS.values())) == 4
    assert set(plots.SEQUENCE) <= set(plots.PALETTE.values())


def test_the_look_holds_inside_a_canvas_and_nowhere_else():
    before = dict(plt.rcParams)
    fig, axes = plots.canvas(2, 1, size=(5, 4), sharex=True)
    assert fig.get_size_inches().tolist() == [5, 4]
    assert len(axes) == 2
    assert not axes[0].spines["right"].get_visible()
    assert dict(plt.rcParams) == before


# ----------------------------------------------------------------------------------------------------- show


@pytest.mark.parametrize("alt", ["", "  \n"])
def test_a_figure_without_words_is_refused(alt):
    with pytest.raises(ValueError, match="alt is empty; say in a sentence what the figure shows"):
        plots.show(learning(), alt)


def test_show_displays_with_words_and_closes(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda fig, metadata: shown.append((fig, metadata)))
    fig = learning()
    plots.show(fig, "The error falls.")
    assert shown == [(fig, {"image/png": {"alt": "The error falls."}})]
    assert not plt.fignum_exists(fig.number)


# --------------------------------------------------------------------------------------- the shared figures


def test_forecast_draws_the_numbers_over_local_time():
    ax = forecast().axes[0]
    assert (ax.get_ylabel(), ax.get_xlabel()) == ("power (kW)", "time (Europe/Paris)")
    assert [line.get_label() for line in ax.lines] == ["measured", "LSTM", "naive"]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["measured", "LSTM", "naive"]
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), [1, 2, np.nan, 4, 3])
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), np.arange(5))
    # colour is never the only carrier
    assert ax.lines[1].get_linestyle() != ax.lines[2].get_linestyle()
    assert len({line.get_color() for line in ax.lines}) == 3


def test_learning_draws_the_error_over_the_seconds_spent_so_far():
    ax = learning().axes[0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("training time (s)", "validation RMSE (kW)")
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), [2, 5, 6])
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), [0.6, 0.5, 0.4])
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["plain", "isolated"]
    assert ax.lines[0].get_marker() != ax.lines[1].get_marker()
    assert ax.get_xlim()[0] == 0
