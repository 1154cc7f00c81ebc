"""The figures of zones and their cost draw the arcs, products and numbers they are given."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import lstm_lib as ll
from lstm_lib import plots

SPEC = ll.Spec(inputs=3, units=(4, 4), outputs=1)


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    plt.close("all")


def texts(fig: plt.Figure, gid: str) -> list[str]:
    return [t.get_text() for t in fig.axes[0].texts if t.get_gid() == gid]


def test_depth_table_strikes_what_each_depth_leaves_out() -> None:
    fig = plots.depth_table()
    struck: dict[str, list[str]] = {}
    for line in fig.axes[0].lines:
        depth, part = line.get_gid().split(" leaves out ")
        struck.setdefault(depth, []).append(part)
    assert struck == {
        "hold": ["update"],
        "skip": ["weight gradient", "update"],
        "cut": ["error", "weight gradient", "update"],
        "cache": ["forward", "error", "weight gradient", "update"],
    }
    words = [t.get_text() for t in fig.axes[0].texts]
    assert {"dense", *ll.plan.DEPTHS} <= set(words)
    assert sum(word.startswith("$") for word in words) == 5 * 4


def test_block_map_numbers_every_block_where_it_stands() -> None:
    by_gate = plots.block_map(ll.partition(SPEC, blocks=2), layer=1)
    assert texts(by_gate, "block") == [str(k) for k in range(1, 25)]
    by_unit = plots.block_map(ll.partition(SPEC, blocks=2, by="unit"))
    assert texts(by_unit, "block") == ["1"] * 12 + ["2"] * 12  # a band in each gate of each matrix
    first, second = by_unit.axes[0].patches[0], by_unit.axes[0].patches[12]
    assert first.get_bbox().bounds == (0, 0, 3, 2)
    assert second.get_bbox().bounds == (0, 2, 3, 2)
    assert first.get_hatch() != second.get_hatch()  # told apart without colour
    assert texts(plots.block_map(ll.partition(SPEC, by="unit")), "block") == ["1"] * 12  # a layer uncut


@pytest.mark.parametrize(
    ("zone", "sizes", "used", "dropped"),
    [
        ("nothing", ["16 × 8"], 128, 0),
        ("0[0:3]", ["4 × 8"], 32, 0),
        ("0/*/fi", ["8 × 8"], 64, 0),
        ("0/Wh/f[0;0]", ["16 × 8"], 127, 1),
        ("0", [], 0, 0),
    ],
)
def test_product_map_tells_used_dropped_and_not_computed_apart(
    zone: str, sizes: list[str], used: int, dropped: int
) -> None:
    fig = plots.product_map(ll.isolate(SPEC, ll.read_zone(SPEC, zone)))
    assert texts(fig, "size") == sizes
    state = fig.axes[0].images[0].get_array()
    assert state.shape == (16, 8)
    assert [(state == kind).sum() for kind in (0, 1, 2)] == [128 - used - dropped, used, dropped]


def test_product_map_hatches_regions_and_leaves_single_arcs_alone() -> None:
    wide = ll.Spec(inputs=3, units=(16,), outputs=1)
    patches = plots.product_map(ll.isolate(wide, ll.read_zone(wide, "0/Wh/f[0:8;0:8]"))).axes[0].patches
    assert {p.get_hatch() for p in patches} == {"..", "xx"}
    assert [p.get_bbox().bounds for p in patches if p.get_hatch() == "xx"] == [(0, 0, 8, 8)]
    single = plots.product_map(ll.isolate(wide, ll.read_zone(wide, "0/Wh/f[3;5]"))).axes[0].patches
    assert {p.get_hatch() for p in single} == {".."}


def test_predicted_and_measured_draws_bars_whiskers_and_numbers() -> None:
    table = pd.DataFrame(
        {"FLOPs": [1.0, 2.5, 900.0], "measured": [1.0, 2.0, 50.0]}, index=["dense", "cut", "cache"]
    )
    spread = np.array([0.9, 1.8, 40.0]), np.array([1.1, 2.2, 60.0])
    ax = plots.predicted_and_measured(table, spread, most=4).axes[0]
    lengths = [[bar.get_width() for bar in bars] for bars in ax.containers]
    assert lengths == [[1, 2.5, 4], [1, 2, 4]]
    assert [t.get_text() for t in ax.texts] == ["1.00", "2.50", "900 →", "1.00", "2.00", "50 →"]
    ends = [segment[:, 0].tolist() for segment in ax.collections[0].get_segments()]
    assert ends == [[0.9, 1.1], [1.8, 2.2], [4, 4]]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["dense", "cut", "cache"]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first plan on top
    assert len({bars[0].get_hatch() for bars in ax.containers}) == 2
    plain = plots.predicted_and_measured(table).axes[0]
    assert plain.containers[0][2].get_width() == 900
    assert not plain.collections


def test_figures_draw_into_the_axes_they_are_given() -> None:
    partition, plan = ll.partition(SPEC), ll.isolate(SPEC, ll.nothing(SPEC))
    for draw in (
        lambda ax: plots.depth_table(ax=ax),
        lambda ax: plots.block_map(partition, ax=ax),
        lambda ax: plots.product_map(plan, ax=ax),
        lambda ax: plots.predicted_and_measured(pd.DataFrame({"a": [1.0]}, index=["b"]), ax=ax),
    ):
        fig, ax = plots.canvas()
        assert draw(ax) is fig
        assert ax.has_data() or ax.texts
