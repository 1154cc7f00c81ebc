"""The figures of the forward pass show what they were given, at the place where it belongs."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from lstm_lib import plots
from lstm_lib.network.cells import CELLS, Cell
from lstm_lib.network.step import step_forward

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


def test_the_bars_of_a_unit_are_its_step() -> None:
    z = {"f": 1.5, "i": -0.2, "o": 0.6, "g": -0.7}
    step = step_forward(
        CELLS["standard"],
        {"Wx": np.zeros((4, 1)), "Wh": np.zeros((4, 1)), "b": np.array(list(z.values()))},
        np.ones((1, 1)), np.zeros((1, 1)), np.full((1, 1), 2.0),
    )  # fmt: skip
    ax = plots.one_unit(z, 2.0).axes[0]
    labels = [label.get_text() for label in ax.get_yticklabels()]
    width = dict(zip(labels, [bar.get_width() for bar in ax.patches], strict=False))
    wanted = {"f: keeps": step.f, "i: lets in": step.i, "g: offers": step.g, "o: shows": step.o,
              "c = f c + i g": step.c, "h = o tanh(c)": step.h}  # fmt: skip
    assert {name: pytest.approx(a.item()) for name, a in wanted.items()} | {"c before": 2.0} == width
    assert [text.get_text() for text in ax.texts][:3] == ["0.82", "0.45", "-0.60"]
    assert plots.one_unit(z, -9.0).axes[0].get_xlim()[0] < -9  # every bar has room


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
