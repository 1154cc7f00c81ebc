"""The look: colours that are told apart, settings that stay where they are, words for every figure."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from lstm_lib import plots
from lstm_lib.network.cells import CELLS
from lstm_lib.plots.look import line


def test_colours_are_told_apart() -> None:
    """Okabe and Ito's; no two nearer than a step that can be seen in print."""
    colours = [np.array(to_rgb(c)) for c in plots.PALETTE.values()]
    distances = [np.abs(a - b).max() for k, a in enumerate(colours) for b in colours[:k]]
    assert min(distances) > 0.15
    assert set(plots.SEQUENCE) <= set(plots.PALETTE.values())


@pytest.mark.parametrize("cell", CELLS)
def test_every_gate_has_a_colour_of_its_own(cell: str) -> None:
    gates = CELLS[cell].gates
    assert [gate for gate in plots.GATE_COLOURS if gate in gates] == [*gates]
    assert len({plots.GATE_COLOURS[gate] for gate in gates}) == len(gates)


def test_lines_are_told_apart_without_colour() -> None:
    looks = [line(k) for k in range(20)]
    assert len({(look["ls"], look["marker"]) for look in looks}) == 20
    assert "marker" not in line(3, marks=False)


def test_the_look_holds_inside_a_canvas_and_nowhere_else() -> None:
    before = dict(plt.rcParams)
    fig, axes = plots.canvas(2, 1, size=(5, 4), sharex=True)
    assert fig.get_size_inches().tolist() == [5, 4]
    assert len(axes) == 2
    assert not axes[0].spines["right"].get_visible()
    assert dict(plt.rcParams) == before


@pytest.mark.parametrize("alt", ["", "  \n"])
def test_a_figure_without_words_is_refused(alt: str) -> None:
    with pytest.raises(ValueError, match="alt is empty; say in a sentence what the figure shows"):
        plots.show(plots.canvas()[0], alt)


def test_show_displays_with_words_and_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda fig, metadata: shown.append((fig, metadata)))
    fig, _ = plots.canvas()
    plots.show(fig, "The error falls.")
    assert shown == [(fig, {"image/png": {"alt": "The error falls."}})]
    assert not plt.fignum_exists(fig.number)
