"""The graph shows what is known at each step: values from the first node on, then errors from the last node back."""

from __future__ import annotations

import re
from typing import Any

import matplotlib.pyplot as plt
import pytest
from matplotlib.figure import Figure

from lstm_lib import plots
from lstm_lib.plots.graphs import errors_so_far

# L = (w² x)·w: w is used twice, once over a node in between
SOURCES = {"s": ("w",), "p": ("s", "x"), "L": ("p", "w")}
VALUES = {"w": 3.0, "x": 2.0, "s": 9.0, "p": 18.0, "L": 54.0}
FACTORS = {("w", "s"): 6.0, ("s", "p"): 2.0, ("x", "p"): 9.0, ("p", "L"): 3.0, ("w", "L"): 18.0}


def drawn(fig: Figure, gid: str) -> list[str]:
    return [text.get_text() for text in fig.axes[0].texts if text.get_gid() == gid]


def test_the_errors_are_the_derivatives() -> None:
    """L = 2 w³: dw = 3 · 2 w² = 54, dx = w³ = 27."""
    errors = errors_so_far(SOURCES, FACTORS, len(SOURCES))
    assert errors == {"L": 1, "p": 3, "w": 54, "s": 6, "x": 27}
    assert errors_so_far(SOURCES, FACTORS, 1) == {"L": 1, "p": 3, "w": 18}  # the later use alone


@pytest.mark.parametrize(("shown", "values", "errors"), [
    (0, 2, 0), (1, 3, 0), (3, 5, 0), (4, 5, 1), (5, 5, 3), (6, 5, 5), (7, 5, 5), (None, 5, 5),
])  # fmt: skip
def test_each_step_shows_one_thing_more(shown: int | None, values: int, errors: int) -> None:
    fig = plots.computation_graph(SOURCES, VALUES, FACTORS, shown=shown)
    assert sum(not text.endswith("?") for text in drawn(fig, "node")) == values
    assert len(drawn(fig, "error")) == errors
    assert bool(drawn(fig, "factor")) == bool(errors)
    marked = [box for text in fig.axes[0].texts if (box := text.get_bbox_patch()) and box.get_linewidth() > 2]
    assert len(marked) == (shown not in (0, 4))  # the node that is computed, or hands its error on


def test_an_error_grows_with_each_use() -> None:
    at = {k: drawn(plots.computation_graph(SOURCES, VALUES, FACTORS, shown=k), "error") for k in (5, 7)}
    assert "dw = 18" in at[5]
    assert "dw = 54" in at[7]
    fig = plots.computation_graph(SOURCES, VALUES, FACTORS, labels={"L": "loss"})
    assert "loss\n54" in drawn(fig, "node")
    assert "s\n9" in drawn(fig, "node")


def test_arrows_lead_from_left_to_right_and_no_two_nodes_stand_in_one_place() -> None:
    fig = plots.computation_graph(SOURCES, VALUES, FACTORS)
    places = [text.get_position() for text in fig.axes[0].texts if text.get_gid() == "node"]
    assert len(set(places)) == len(VALUES)
    at = {text.get_text()[0]: text.get_position() for text in fig.axes[0].texts if text.get_gid() == "node"}
    assert all(at[source][0] < at[node][0] for node, sources in SOURCES.items() for source in sources)
    assert sum(text.get_gid() == "back" for text in fig.axes[0].texts) == len(FACTORS)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"shown": 8}, "shown is 8; this graph has steps 0 to 7"),
        ({"shown": -1}, "steps 0 to 7"),
        ({"values": {"w": 1.0}}, "no number is given for s, p, L, x"),
        ({"factors": {}}, "w to s, s to p"),
    ],
)
def test_what_can_not_be_drawn_is_refused(change: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        plots.computation_graph(**({"sources": SOURCES, "values": VALUES, "factors": FACTORS} | change))


def test_given_numbers_of_one_node_stand_apart() -> None:
    names = ("a", "b", "c", "d")
    fig = plots.computation_graph(
        {"L": names}, dict.fromkeys((*names, "L"), 1.0), {(n, "L"): 1.0 for n in names}
    )
    places = [text.get_position() for text in fig.axes[0].texts if text.get_gid() == "node"]
    assert len(set(places)) == 5
    assert len({y > 0 for _, y in places}) == 2  # above and below


def test_buttons_step_forward_and_back_and_end_at_the_ends() -> None:
    seen: list[int] = []

    def draw(step: int) -> Figure:
        seen.append(step)
        return plt.figure()

    (row, picture) = plots.stepper(draw, 2, 'a "picture"').children
    back, forward, place = row.children
    assert seen == [0, 1, 2]  # all at once: what `draw` reads may have changed when a button is pressed
    assert not plt.get_fignums()  # every picture is closed
    assert (back.disabled, forward.disabled) == (True, False)
    for button, step in ((forward, 1), (forward, 2), (back, 1), (forward, 2)):
        button.click()
        alt = f'<img style="max-width: 100%" alt="Step {step} of 2. a &quot;picture&quot;" src="data:image/png;base64,'
        assert picture.value.startswith(alt)
    assert (back.disabled, forward.disabled, place.value) == (False, True, 2)
    place.value = 0
    assert picture.value.startswith('<img style="max-width: 100%" alt="Step 0')
    assert (back.disabled, forward.disabled) == (True, False)
