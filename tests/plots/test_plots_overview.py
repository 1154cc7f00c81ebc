"""The maps of arcs and steps hatch what is isolated and nothing else, to scale."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib.pyplot as plt
import pandas as pd
import pytest

import lstm_lib as ll
from lstm_lib import plots

SPEC = ll.Spec(inputs=3, units=(8,), outputs=1)
HISTORY = pd.DataFrame({"seconds": [1.0, 2.0], "valid_rmse": [0.5, 0.4]})


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    plt.close("all")


def areas(fig: plt.Figure) -> dict[bool, float]:
    """Total area of the hatched and of the filled rectangles of the first axes."""
    found = {True: 0.0, False: 0.0}
    for patch in fig.axes[0].patches:
        if patch.get_fill():
            found[patch.get_hatch() is not None] += patch.get_width() * patch.get_height()
    return found


def test_nothing_is_hatched_where_nothing_is_isolated() -> None:
    assert areas(plots.arc_map(SPEC))[True] == 0
    assert areas(plots.arc_map(SPEC, ll.everything(SPEC)))[False] == 0


@pytest.mark.parametrize(
    ("zone", "area"),
    [
        (ll.zone(SPEC, layer=0, matrix="Wh", gate="f"), 64),
        (ll.zone(SPEC, layer=0, matrix="Wh", gate="fo", unit=slice(0, 2)), 32),
        (ll.zone(SPEC, layer=0, matrix="Wh", gate="g", unit=[1, 5], source=[0, 3, 4]), 6),
        (ll.zone(SPEC, layer=0, matrix="Wx", source=0), 32),
        (ll.zone(SPEC, layer=0, matrix="Wx") | ll.zone(SPEC, layer=0, matrix="Wh"), 32 * 11),
    ],
)
def test_the_hatched_area_is_the_number_of_isolated_arcs(zone: ll.Zone, area: float) -> None:
    plain, drawn = areas(plots.arc_map(SPEC)), areas(plots.arc_map(SPEC, zone))
    assert drawn[True] == pytest.approx(area)
    assert sum(drawn.values()) == pytest.approx(plain[False])


def test_an_isolated_arc_stands_in_the_row_of_its_unit_and_the_column_of_its_source() -> None:
    fig = plots.arc_map(SPEC, ll.zone(SPEC, layer=0, matrix="Wh", gate="o", unit=2, source=5))
    (arc,) = (p for p in fig.axes[0].patches if p.get_hatch())
    frames = [p for p in fig.axes[0].patches if not p.get_fill()]
    block = frames[4 + 2]  # Wx has the first four, f, i, o, g; then Wh
    assert block.get_width() == block.get_height() == 8
    assert arc.get_x() - block.get_x() == pytest.approx(5)
    assert arc.get_y() - block.get_y() == pytest.approx(2)


def test_the_strip_keeps_the_last_steps() -> None:
    fig = plots.span_strip(steps=6, span=2)
    kept = [p.get_x() for p in fig.axes[0].patches if p.get_gid() == "kept"]
    assert kept == [4, 5]
    assert sum(p.get_gid() == "left out" for p in fig.axes[0].patches) == 4


def test_errors_stand_over_the_time_since_the_start() -> None:
    fig = plots.time_and_error({"dense": HISTORY}, "kW", {"last value": 0.7})
    reference, run = fig.axes[0].lines
    assert run.get_xydata().tolist() == [[1.0, 0.5], [3.0, 0.4]]
    assert set(reference.get_ydata()) == {0.7}
    assert fig.axes[0].get_ylabel() == "validation RMSE (kW)"


def test_the_overview_names_each_run_beside_what_it_leaves_out() -> None:
    histories = dict.fromkeys(["dense", "short", "few"], HISTORY)
    fig = plots.overview(SPEC, ~ll.zone(SPEC, layer="head"), 6, 2, histories, "kW")
    arcs, errors, strip = fig.axes
    assert arcs.get_title("left").startswith("▲ few")
    assert strip.get_title("left").startswith("■ short")
    assert [t.get_text() for t in errors.get_legend().get_texts()] == ["dense", "short", "few"]
    assert areas(fig)[False] < areas(fig)[True]
