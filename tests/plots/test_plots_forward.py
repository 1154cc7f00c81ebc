"""The figures of the forward pass show what they were given, at the place where it belongs."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from lstm_lib import plots
from lstm_lib.network.cells import CELLS, GATES, Cell

STANDARD, BRIEF = CELLS["standard"], CELLS["brief"]
SIGN = {"sigmoid": "σ", "tanh": "tanh"}


@pytest.fixture(autouse=True)
def figures_closed() -> Iterator[None]:
    yield
    plt.close("all")


def texts(fig: Figure) -> list[str]:
    return [text.get_text() for text in fig.axes[0].texts]


# ------------------------------------------------------------------------- the drawn cell

OWN = Cell("own", f="tanh", i="tanh", o="sigmoid", g="sigmoid")


@pytest.mark.parametrize("cell", [STANDARD, BRIEF, OWN], ids=lambda cell: cell.name)
def test_every_gate_shows_its_own_activation(cell: Cell) -> None:
    fig = plots.cell_diagram(cell)
    shown = {text.get_gid(): text.get_text() for text in fig.axes[0].texts if text.get_gid()}
    assert shown == {f"gate-{gate}": SIGN[getattr(cell, gate)] for gate in GATES}
    assert cell.name in fig.axes[0].get_title(loc="left")


def test_the_six_equations_stand_where_they_belong() -> None:
    labels = texts(plots.cell_diagram(STANDARD))
    for number, start in enumerate(("$f$", "$i$", "$o$", "$c_t =", "$g$", "$h_t ="), start=1):
        (label,) = [text for text in labels if f"({number})" in text]
        assert label.startswith(start)


def test_a_gates_label_stands_above_its_box() -> None:
    ax = plots.cell_diagram(BRIEF).axes[0]
    boxes = {p.get_gid(): p.get_bbox() for p in ax.patches if p.get_gid()}
    for text in ax.texts:
        if text.get_gid():
            assert boxes[text.get_gid()].contains(*text.get_position())
        elif text.get_text()[:3] in {f"${gate}$" for gate in GATES}:
            box = boxes[f"gate-{text.get_text()[1]}"]
            x, y = text.get_position()
            assert box.x0 < x < box.x1
            assert y > box.y1


@pytest.mark.parametrize(
    ("cell", "heavy"),
    [(STANDARD, ""), (BRIEF, "og"), (OWN, "fig")],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_heavy_frame_marks_what_differs_from_the_standard_cell(cell: Cell, heavy: str) -> None:
    fig = plots.cell_diagram(cell)
    frames = {p.get_gid()[-1]: p.get_linewidth() for p in fig.axes[0].patches if p.get_gid()}
    assert {gate for gate, width in frames.items() if width > 2} == set(heavy)
    assert ("heavy" in fig.axes[0].get_title(loc="left")) == bool(heavy)


def test_a_wire_of_its_colour_leaves_each_gate() -> None:
    ax = plots.cell_diagram(STANDARD).axes[0]
    wires = [(line.get_xdata()[0], line.get_color()) for line in ax.lines]
    for box in (p for p in ax.patches if p.get_gid()):
        x = (box.get_bbox().x0 + box.get_bbox().x1) / 2
        colours = [colour for start, colour in wires if abs(start - x) < 1e-9]
        assert plots.GATE_COLOURS[box.get_gid()[-1]] in colours


def test_a_given_axes_is_drawn_on() -> None:
    fig, axes = plots.canvas(1, 2)
    assert plots.cell_diagram(BRIEF, axes[1]) is fig
    assert not axes[0].texts
    assert axes[1].texts


# ----------------------------------------------------------------------- gates over a week

TIMES = pd.date_range("2010-11-08", periods=48, freq="h", tz="Etc/GMT-1")


def some_gates(rng: np.random.Generator) -> dict[str, np.ndarray]:
    gates = {gate: rng.uniform(-1, 1, (3, len(TIMES))) for gate in GATES}
    gates["f"] = np.array([[0.9], [0.2], [0.5]]) + 0.01 * rng.uniform(-1, 1, (3, len(TIMES)))
    gates["f"][1, 0] = 1.0  # one open hour does not make a long memory
    return gates


def maps(fig: Figure) -> dict[str, mpl.collections.QuadMesh]:
    found = [mesh for ax in fig.axes for mesh in ax.collections if isinstance(mesh, mpl.collections.QuadMesh)]
    return {mesh.get_gid()[-1]: mesh for mesh in found if mesh.get_gid()}


@pytest.mark.parametrize("cell", [STANDARD, BRIEF], ids=lambda cell: cell.name)
def test_maps_show_the_gates_by_mean_f_in_the_range_of_their_activation(
    cell: Cell, rng: np.random.Generator
) -> None:
    gates = some_gates(rng)
    fig = plots.gates_over_time(TIMES, np.ones(len(TIMES)), gates, cell, "kW")
    found = maps(fig)
    assert set(found) == set(GATES)
    for gate, mesh in found.items():
        assert np.array_equal(mesh.get_array(), gates[gate][[1, 2, 0]])
        assert mesh.get_clim() == ((0, 1) if getattr(cell, gate) == "sigmoid" else (-1, 1))
        assert [label.get_text() for label in mesh.axes.get_yticklabels()] == ["1", "2", "0"]
        bottom, top = mesh.axes.get_ylim()
        assert bottom > top  # the first row, which forgets most, is on top


def test_each_column_of_a_map_is_centred_on_its_hour(rng: np.random.Generator) -> None:
    power = rng.uniform(0, 5, len(TIMES))
    fig = plots.gates_over_time(TIMES, power, some_gates(rng), STANDARD, "kW")
    edges = maps(fig)["f"].get_coordinates()[0, :, 0]
    second = 1 / 86400  # of a day; the numbers are days since 1970, too large for a relative tolerance
    assert np.allclose((edges[1:] + edges[:-1]) / 2, mpl.dates.date2num(TIMES), rtol=0, atol=second)
    line = fig.axes[0].lines[0]
    assert list(line.get_xdata()) == list(TIMES)
    assert np.array_equal(line.get_ydata(), power)
    assert fig.axes[0].get_ylabel() == "power (kW)"


def test_days_begin_at_local_midnight(rng: np.random.Generator) -> None:
    fig = plots.gates_over_time(TIMES, np.ones(len(TIMES)), some_gates(rng), STANDARD, "kW")
    axis = maps(fig)["g"].axes.xaxis
    first = axis.get_majorticklocs()[0]
    assert mpl.dates.num2date(first, tz=TIMES.tz).hour == 0
    assert axis.get_major_formatter()(first) == "Mon 08 Nov"
    assert "UTC+1" in axis.get_label_text()


# -------------------------------------------------------- states, distributions, half-lives


def test_states_are_drawn_by_unit_with_the_share_below_zero() -> None:
    c = np.array([[-1.0, 1, 1, 1], [1, 1, 1, -1]])
    fig = plots.states_over_time(TIMES[:4], {"standard": c, "brief": abs(c)})
    upper, lower = fig.axes
    assert [line.get_ydata().tolist() for line in upper.lines[:2]] == c.tolist()
    assert upper.get_title(loc="left") == "standard cell: 25% of the values are below 0"
    assert lower.get_title(loc="left") == "brief cell: 0% of the values are below 0"
    assert upper.get_ylim() == lower.get_ylim()


def test_outlines_hold_all_values_in_the_right_panel() -> None:
    values = np.array([[-1.0, -0.5], [0.5, 1.0]])
    fig = plots.gate_distributions({"g": {"a": values}, "o": {"a": abs(values), "b": values}})
    assert [ax.get_xlabel() for ax in fig.axes] == ["value of g", "value of o"]
    for ax, outlines in zip(fig.axes, (1, 2), strict=True):
        assert len(ax.patches) == outlines
        for outline in ax.patches:  # a step outline rises and falls at every edge: each height stands twice
            assert outline.get_xy()[:, 1].sum() == pytest.approx(2 * 100)
    assert fig.axes[1].patches[0].get_linestyle() != fig.axes[1].patches[1].get_linestyle()


def test_half_of_a_state_is_left_after_its_half_life() -> None:
    fig = plots.half_life_curve({"a": 0.3, "b": 0.99})
    curve, *points = fig.axes[0].lines
    for line in (curve, *points):
        f, n = line.get_data()
        assert np.allclose(np.asarray(f) ** np.asarray(n), 0.5)
    assert [float(point.get_xdata()[0]) for point in points] == [0.3, 0.99]
    assert texts(fig) == ["a: 0.576", "b: 69"]


def test_dots_of_the_identity_fall_on_sigma() -> None:
    tanh, sigma, dots, _ = plots.activation_curves().axes[0].lines
    z = sigma.get_xdata()
    assert np.allclose(tanh.get_ydata(), np.tanh(z))
    assert np.allclose(sigma.get_ydata(), 1 / (1 + np.exp(-z)))
    assert np.allclose(dots.get_ydata(), 1 / (1 + np.exp(-dots.get_xdata())))
