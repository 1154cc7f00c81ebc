"""The map: every arc of every cell stands on it once, and nothing overlaps."""

from __future__ import annotations

import pytest

import lstm_lib as ll
from lstm_lib.lab import grid
from lstm_lib.network.cells import CELLS

SPECS = [
    *(ll.Spec(3, (4,), 1, cell=cell) for cell in CELLS),
    *(ll.Spec(11, (64, 64, 64), 1, cell=cell) for cell in ("standard", "peephole")),
    ll.Spec(2, (1, 5), 3),
]


@pytest.mark.parametrize("spec", SPECS, ids=str)
@pytest.mark.parametrize("blocks", [1, 3, 16])
def test_the_map_shows_every_arc_once_and_every_heading_names_a_zone(spec, blocks):
    found = grid.make_grid(spec, blocks)
    cells = [item.name for item in found.items if item.kind == "cell"]
    assert sorted(cells) == sorted(found.cut)
    for at, item in list(enumerate(found.items))[:: 1 + len(cells) // 100]:
        zone = ll.read_zone(spec, item.name)
        assert found.under[at] @ found.sizes > 0
        shares = dict(zip([i.name for i in found.items], grid.shares(zone, found), strict=True))
        assert shares[item.name] == 1
        assert sum(shares[c] * n for c, n in zip(found.cut, found.sizes, strict=True)) == pytest.approx(
            zone.size
        )


def test_the_units_of_a_row_have_room_for_their_numbers():
    rows = [item for item in grid.items(ll.Spec(3, (256,), 1), 8) if item.kind == "row"]
    assert rows[-1].label == "224–255" and all(7 * len(item.label) < item.w for item in rows)


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_items_do_not_overlap_and_stay_on_the_map(spec):
    items = grid.items(spec, 16)
    assert max(i.x + i.w for i in items) <= grid.WIDTH + 1e-6
    assert max(i.y + i.h for i in items) <= grid.TOP + grid.ROWS + 1e-6
    boxes = [(i.x, i.y, i.x + i.w, i.y + i.h) for i in items]
    for k, (ax, ay, bx, by) in enumerate(boxes):
        for cx, cy, dx, dy in boxes[k + 1 :]:
            assert min(bx, dx) - max(ax, cx) < 1e-6 or min(by, dy) - max(ay, cy) < 1e-6
