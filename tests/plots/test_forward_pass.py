"""The figures of the forward pass show what they were given, at the place where it belongs."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from lstm_lib import plots
from lstm_lib.network.cells import CELLS, Cell

TIMES = pd.date_range("2010-11-08", periods=48, freq="h", tz="Etc/GMT-1")


def some_gates(rng: np.random.Generator, cell: Cell = CELLS["standard"]) -> dict[str, np.ndarray]:
    gates = {gate: rng.uniform(-1, 1, (3, len(TIMES))) for gate in cell.gates}
    first = np.array([[0.9], [0.2], [0.5]]) + 0.01 * rng.uniform(-1, 1, (3, len(TIMES)))
    first[1, 0] = 1.0  # one open hour does not make a long memory
    return gates | {cell.gates[0]: first}


def maps(fig: Figure) -> dict[str, mpl.collections.QuadMesh]:
    found = [mesh for ax in fig.axes for mesh in ax.collections if isinstance(mesh, mpl.collections.QuadMesh)]
    return {mesh.get_gid()[-1]: mesh for mesh in found if mesh.get_gid()}


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_maps_show_the_gates_by_the_mean_of_the_first_in_the_range_of_their_activation(
    cell: Cell, rng: np.random.Generator
) -> None:
    gates = some_gates(rng, cell)
    fig = plots.gates_over_time(TIMES, np.ones(len(TIMES)), gates, cell, "kW")
    found = maps(fig)
    assert [*found] == [*cell.gates]
    for gate, mesh in found.items():
        assert np.array_equal(mesh.get_array(), gates[gate][[1, 2, 0]])
        assert mesh.get_clim() == ((0, 1) if cell.activations[gate] == "sigmoid" else (-1, 1))
        assert [label.get_text() for label in mesh.axes.get_yticklabels()] == ["1", "2", "0"]
        bottom, top = mesh.axes.get_ylim()
        assert bottom > top  # the first row, which forgets most, is on top


def test_each_column_of_a_map_is_centred_on_its_hour(rng: np.random.Generator) -> None:
    power = rng.uniform(0, 5, len(TIMES))
    fig = plots.gates_over_time(TIMES, power, some_gates(rng), CELLS["standard"], "kW")
    edges = maps(fig)["f"].get_coordinates()[0, :, 0]
    second = 1 / 86400  # of a day; the numbers are days since 1970, too large for a relative tolerance
    assert np.allclose((edges[1:] + edges[:-1]) / 2, mpl.dates.date2num(TIMES), rtol=0, atol=second)
    line = fig.axes[0].lines[0]
    assert list(line.get_xdata()) == list(TIMES)
    assert np.array_equal(line.get_ydata(), power)
    assert fig.axes[0].get_ylabel() == "power (kW)"


def test_days_begin_at_local_midnight(rng: np.random.Generator) -> None:
    fig = plots.gates_over_time(TIMES, np.ones(len(TIMES)), some_gates(rng), CELLS["standard"], "kW")
    axis = maps(fig)["g"].axes.xaxis
    first = axis.get_majorticklocs()[0]
    assert mpl.dates.num2date(first, tz=TIMES.tz).hour == 0
    assert axis.get_major_formatter()(first) == "Mon 08 Nov"
    assert "UTC+1" in axis.get_label_text()


def test_states_are_drawn_by_unit_with_the_share_below_zero() -> None:
    c = np.array([[-1.0, 1, 1, 1], [1, 1, 1, -1]])
    fig = plots.states_over_time(TIMES[:4], {"standard": c, "brief": abs(c)})
    upper, lower = fig.axes
    assert [line.get_ydata().tolist() for line in upper.lines[:2]] == c.tolist()
    assert upper.get_title(loc="left") == "standard cell: 25% of the values are below 0"
    assert lower.get_title(loc="left") == "brief cell: 0% of the values are below 0"
    assert upper.get_ylim() == lower.get_ylim()
    assert upper.get_ylabel() == "cell state c"
    assert plots.states_over_time(TIMES[:4], {"gru": c}, "state h").axes[0].get_ylabel() == "state h"


def test_outlines_hold_all_values_in_the_right_panel() -> None:
    values = np.array([[-1.0, -0.5], [0.5, 1.0]])
    fig = plots.gate_distributions({"g": {"a": values}, "o": {"a": abs(values), "b": values}})
    assert [ax.get_xlabel() for ax in fig.axes] == ["value of g", "value of o"]
    for ax, outlines in zip(fig.axes, (1, 2), strict=True):
        found = [line for line in ax.lines if len(line.get_xdata()) > 2]
        assert len(found) == outlines
        for line in found:  # 40 bins; the height of the last one stands twice
            assert line.get_ydata()[:-1].sum() == pytest.approx(100)
            assert (line.get_xdata()[0], line.get_xdata()[-1]) == (-1, 1)
    solid, dashed = fig.axes[1].lines[:2]
    assert solid.get_linestyle() != dashed.get_linestyle()


def test_half_of_a_state_is_left_after_its_half_life() -> None:
    fig = plots.half_life_curve({"a": 0.3, "b": 0.99})
    curve, *points = fig.axes[0].lines
    for line in (curve, *points):
        f, n = line.get_data()
        assert np.allclose(np.asarray(f) ** np.asarray(n), 0.5)
    assert [float(point.get_xdata()[0]) for point in points] == [0.3, 0.99]
    assert [text.get_text() for text in fig.axes[0].texts] == ["a: 0.576", "b: 69"]


def test_dots_of_the_identity_fall_on_sigma() -> None:
    tanh, sigma, dots, _ = plots.activation_curves().axes[0].lines
    z = sigma.get_xdata()
    assert np.allclose(tanh.get_ydata(), np.tanh(z))
    assert np.allclose(sigma.get_ydata(), 1 / (1 + np.exp(-z)))
    assert np.allclose(dots.get_ydata(), 1 / (1 + np.exp(-dots.get_xdata())))
