"""The drawings show each cell's own activations, and arrows that lead where the data and the errors go."""

from __future__ import annotations

import pytest
from matplotlib.figure import Figure

from lstm_lib import plots
from lstm_lib.network.cells import CELLS, Cell, lstm

STANDARD, BRIEF = CELLS["standard"], CELLS["brief"]
SIGN = {"sigmoid": "σ", "tanh": "tanh"}


def texts(fig: Figure) -> list[str]:
    return [text.get_text() for text in fig.axes[0].texts]


OWN = lstm("own", "", f="tanh", i="tanh", o="sigmoid", g="sigmoid")


@pytest.mark.parametrize("cell", [STANDARD, BRIEF, OWN], ids=lambda cell: cell.name)
def test_every_gate_shows_its_own_activation(cell: Cell) -> None:
    fig = plots.cell_diagram(cell)
    shown = {text.get_gid(): text.get_text() for text in fig.axes[0].texts if text.get_gid()}
    assert shown == {f"gate-{gate}": SIGN[activation] for gate, activation in cell.activations.items()}
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
        elif text.get_text()[:3] in {f"${gate}$" for gate in BRIEF.gates}:
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


@pytest.mark.parametrize("cell", ["rnn", "gru", "gru_v3", "peephole"])
def test_a_cell_without_a_drawing_is_refused(cell: str) -> None:
    with pytest.raises(ValueError, match=f"cell '{cell}' has no drawing; .* have: standard, brief$"):
        plots.cell_diagram(CELLS[cell])


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


def test_two_roads_lead_backward_in_time() -> None:
    ax = plots.two_roads().axes[0]
    roads = {"c-road": [], "h-road": [], "link-road": []}
    for text in ax.texts:
        if text.get_gid() in roads:
            roads[text.get_gid()].append((text.xyann[0], text.xy[0]))  # start and end of the arrow
    assert [len(found) for found in roads.values()] == [2, 2, 5]
    assert all(end < start for road in ("c-road", "h-road") for start, end in roads[road])
