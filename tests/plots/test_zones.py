"""Arcs, blocks and products are drawn where they stand on the matrices of any cell, to scale."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import LogNorm

import lstm_lib as ll
from lstm_lib import plots
from lstm_lib.network.cells import CELLS
from lstm_lib.network.layout import layout

ONE = ll.Spec(inputs=3, units=(8,), outputs=1)
SPEC = ll.Spec(inputs=3, units=(4, 4), outputs=1)


def texts(fig: plt.Figure, gid: str) -> list[str]:
    return [t.get_text() for t in fig.axes[0].texts if t.get_gid() == gid]


def areas(fig: plt.Figure) -> dict[bool, float]:
    """Total area of the hatched and of the filled rectangles of the first axes."""
    found = {True: 0.0, False: 0.0}
    for patch in fig.axes[0].patches:
        if patch.get_fill():
            found[patch.get_hatch() is not None] += patch.get_width() * patch.get_height()
    return found


def test_nothing_is_hatched_where_nothing_is_isolated() -> None:
    assert areas(plots.arc_map(ONE))[True] == 0
    assert areas(plots.arc_map(ONE, ll.everything(ONE)))[False] == 0


@pytest.mark.parametrize(
    ("zone", "area"),
    [
        (ll.zone(ONE, layer=0, matrix="Wh", gate="f"), 64),
        (ll.zone(ONE, layer=0, matrix="Wh", gate="fo", unit=slice(0, 2)), 32),
        (ll.zone(ONE, layer=0, matrix="Wh", gate="g", unit=[1, 5], source=[0, 3, 4]), 6),
        (ll.zone(ONE, layer=0, matrix="Wx", source=0), 32),
        (ll.zone(ONE, layer=0, matrix="Wx") | ll.zone(ONE, layer=0, matrix="Wh"), 32 * 11),
    ],
)
def test_the_hatched_area_is_the_number_of_isolated_arcs(zone: ll.Zone, area: float) -> None:
    plain, drawn = areas(plots.arc_map(ONE)), areas(plots.arc_map(ONE, zone))
    assert drawn[True] == pytest.approx(area)
    assert sum(drawn.values()) == pytest.approx(plain[False])


@pytest.mark.parametrize("cell", CELLS)
def test_every_matrix_of_any_cell_is_drawn_with_its_own_gates(cell: str) -> None:
    spec = ll.Spec(3, (8,), 1, cell)
    H, D, gates, matrices = 8, 3, spec.row.gates, spec.row.matrices
    fig = plots.arc_map(spec, ll.zone(spec, layer=0, gate=gates[0], unit=slice(0, 2)))
    first = [matrix for matrix, own in matrices.items() if gates[0] in own]
    thin = 2.0  # of a column that stands alone
    widths = {"Wx": D, "Wh": H} | dict.fromkeys(("b", "bh", "p"), thin)
    assert areas(fig)[True] == pytest.approx(sum(2 * widths[matrix] for matrix in first))
    frames = [p for p in fig.axes[0].patches if not p.get_fill()]
    assert len(frames) == sum(len(own) for own in matrices.values()) + 1  # the head
    rows = [round(p.get_y() / (1.06 * H)) for p in frames[:-1]]
    assert rows == [gates.index(gate) for own in matrices.values() for gate in own]
    assert texts(fig, "gate") == [*gates]
    names = [t.get_text() for t in fig.axes[0].texts if t.get_gid() is None]
    assert names[: len(matrices)] == [
        {"Wx": "$W_x$ (3)", "Wh": "$W_h$ (8)", "b": "$b$", "bh": "$b_h$", "p": "$p$"}[matrix]
        for matrix in matrices
    ]


def test_an_isolated_arc_stands_in_the_row_of_its_unit_and_the_column_of_its_source() -> None:
    fig = plots.arc_map(ONE, ll.zone(ONE, layer=0, matrix="Wh", gate="o", unit=2, source=5))
    (arc,) = (p for p in fig.axes[0].patches if p.get_hatch())
    frames = [p for p in fig.axes[0].patches if not p.get_fill()]
    block = frames[4 + 2]  # Wx has the first four, f, i, o, g; then Wh
    assert block.get_width() == block.get_height() == 8
    assert arc.get_x() - block.get_x() == pytest.approx(5)
    assert arc.get_y() - block.get_y() == pytest.approx(2)


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
    state = fig.axes[0].collections[0].get_array()
    assert state.shape == (16, 8)
    assert [(state == kind).sum() for kind in (0, 1, 2)] == [128 - used - dropped, used, dropped]


@pytest.mark.parametrize("cell", CELLS)
def test_product_map_shows_the_matrix_of_any_cell(cell: str) -> None:
    spec = ll.Spec(3, (4,), 1, cell)
    at, products = layout(spec.row, 3, 4), [p for stage in layout(spec.row, 3, 4).products for p in stage]
    fig = plots.product_map(ll.isolate(spec, ll.nothing(spec)))
    state = fig.axes[0].collections[0].get_array()
    expected = np.zeros((at.rows, at.S))
    for blocks, columns in products:
        expected[blocks, columns] = 1
    np.testing.assert_array_equal(state, expected)
    assert len(texts(fig, "size")) == len(products)
    assert [t.get_text() for t in fig.axes[0].get_yticklabels()] == [*spec.row.blocks]
    sources = {"$h$": at.h, "$x$": at.x, r"$r \circ h$": at.made} | {"1": slice(at.S - 1, at.S)}
    ticks = zip(fig.axes[0].get_xticks(), fig.axes[0].get_xticklabels(), strict=True)
    for place, name in ticks:
        part = sources[name.get_text()]
        assert part.start < place < part.stop or (name.get_text() == "1" and int(place) in at.ones)
    assert all(p.get_hatch() == ".." for p in fig.axes[0].patches)


def test_product_map_hatches_regions_and_leaves_single_arcs_alone() -> None:
    wide = ll.Spec(inputs=3, units=(16,), outputs=1)
    patches = plots.product_map(ll.isolate(wide, ll.read_zone(wide, "0/Wh/f[0:8;0:8]"))).axes[0].patches
    assert {p.get_hatch() for p in patches} == {"..", "xx"}
    assert [p.get_bbox().bounds for p in patches if p.get_hatch() == "xx"] == [(0, 0, 8, 8)]
    single = plots.product_map(ll.isolate(wide, ll.read_zone(wide, "0/Wh/f[3;5]"))).axes[0].patches
    assert {p.get_hatch() for p in single} == {".."}


def test_zone_maps_draw_a_row_a_zone_and_a_column_an_epoch() -> None:
    table = pd.DataFrame([[1.0, 2.0], [3.0, 400.0], [5.0, 6.0]], index=["f", "i", "head"], columns=[1, 2])
    fig = plots.zone_maps({"norm": table, "ratio": 2 * table}, log=["norm"])
    first, second = fig.axes[:2]
    (one,), (two,) = first.collections, second.collections
    np.testing.assert_array_equal(one.get_array(), table)
    np.testing.assert_array_equal(two.get_array(), 2 * table)
    assert isinstance(one.norm, LogNorm)
    assert not isinstance(two.norm, LogNorm)
    assert first.get_ylim() == (3, 0)  # the first zone on top
    assert [t.get_text() for t in first.get_yticklabels()] == ["f", "i", "head"]
    assert [t.get_text() for t in first.get_xticklabels()] == ["1", "2"]
    assert (first.get_title(loc="left"), first.get_xlabel()) == ("norm", "epoch")
    assert len(fig.axes) == 4  # a colour scale each
