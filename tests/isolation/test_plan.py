"""Plans list what is left to do: no arc too few, no row in vain, nothing that doesn't fit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lstm_lib as ll
from lstm_lib.isolation import products
from lstm_lib.isolation.plan import DEPTHS, dense, isolate
from lstm_lib.isolation.zones import zone
from tests.isolation.test_zones import SPEC, ZONES

OTHER = ll.Spec(1, (1,), 1)
NOTHING = ll.nothing(SPEC)


@given(ZONES, st.sampled_from(["hold", "skip", "cut"]), st.sampled_from([None, 1, 3]))
def test_a_plan_lists_what_is_left_to_do(z, depth, span):
    plan = isolate(SPEC, z, depth, span)
    assert (plan.spec, plan.zone, plan.depth, plan.span, plan.cached) == (SPEC, z, depth, span, 0)
    active = ~z
    moved = {}
    for k, at in plan.work.updates.items():
        moved[k] = np.zeros(SPEC.shapes[k], bool)
        if isinstance(at, tuple):
            for rows in at:
                moved[k][rows] = True
        else:
            moved[k].flat[slice(None) if at is None else at] = True
    assert all(np.array_equal(moved.get(k, active.mask(k) & False), active.mask(k)) for k in SPEC.shapes)
    assert all(m.any() for m in moved.values())
    computed = ll.everything(SPEC) if depth == "hold" else active - plan.unreached
    found = []
    for k, layer in enumerate(plan.work.layers):
        H, S = SPEC.units[k], SPEC.units[k] + SPEC.fan_in(k) + 1
        run = np.zeros((4 * H, S), bool)
        for r in layer.weights:
            rows, sources = r.rows.positions, r.sources.positions
            block = np.ones(r.size, bool) if r.drop is None else ~r.drop
            assert (len(rows), len(sources)) == r.size
            assert not run[rows].any()  # each row in one rectangle
            run[np.ix_(rows, sources)] = block
            assert block.any(axis=1).all()  # nothing is run in vain
            assert block.any(axis=0).all()
        masks = {"Wh": run[:, :H], "Wx": run[:, H:-1], "b": run[:, -1]}
        found += [np.array_equal(mask, computed.mask(f"{k}/{m}")) for m, mask in masks.items()]
    assert all(found)
    needs = [k for k in range(SPEC.layers) if any(computed.mask(f"{k}/{m}").any() for m in ("Wx", "Wh", "b"))]
    assert plan.work.lowest == min(needs, default=SPEC.layers)


def test_long_ranges_of_rows_are_updated_as_ranges(monkeypatch):
    """Each is worth a call from RANGE arcs on; shorter ones are gathered."""
    z = ll.read_zone(SPEC, "0/Wh/i[0:2] | 0/Wh/g")  # of 12 rows of 3 arcs, 0 to 2 and 5 to 8 are left
    for least, expected in ((10, (slice(0, 3), slice(5, 9))), (11, None)):
        monkeypatch.setattr("lstm_lib.isolation.plan.RANGE", least)
        found = isolate(SPEC, z).work.updates["0/Wh"]
        if expected is None:
            assert [rows.tolist() for rows in found] == [[0, 1, 2, 5, 6, 7, 8]]
        else:
            assert found == expected


@given(ZONES)
def test_unreached_arcs_are_active_arcs_of_the_layers(z):
    plan = isolate(SPEC, z, "cut")
    assert (plan.unreached & z).size == 0
    assert (plan.unreached & zone(SPEC, layer="head")).size == 0
    assert isolate(SPEC, z, "skip").unreached.size == 0


@pytest.mark.parametrize(
    ("isolated", "unreached"),
    [
        ("head/W", "0 | 1"),  # no error comes down
        ("1/Wx", "0"),
        (
            "head/W[:;0] | 1/Wh[:;0]",
            "1/Wx[0] | 1/b[0] | 1/Wh[0;1]",
        ),  # nothing reads unit 0 of layer 1 any more
        ("head/W[:;0]", "nothing"),  # unit 1 still does, through time
        ("0/Wh", "nothing"),
    ],
)
def test_cut_tells_which_active_arcs_no_error_reaches(isolated, unreached):
    assert str(isolate(SPEC, ll.read_zone(SPEC, isolated), "cut").unreached) == unreached


def test_rectangles_follow_gates_and_matrices():
    spec = ll.Spec(4, (64,), 1)
    H, S = 64, 69

    def sizes(active):
        return sorted(
            r.size for r in isolate(spec, ~ll.read_zone(spec, active), "skip").work.layers[0].weights
        )

    assert sizes("0") == [(4 * H, S)]
    assert sizes("0/*/f") == [(H, S)]
    assert sizes("0/Wh/f | 0/b/f") == [(H, H + 1)]
    # two groups of rows with little in common: two products, where a rectangle around both would do twice the work
    assert sizes("0/Wh/f[:;0:16] | 0/Wh/o[:;48:64]") == [(H, 16), (H, 16)]
    # and one, where they differ by a few inputs only
    assert sizes("0/Wh/fi | 0/Wx/f") == [(2 * H, H + 4)]
    assert (
        isolate(spec, ~ll.read_zone(spec, "0/Wh/fi | 0/Wx/f")).work.layers[0].weights[0].drop.sum() == 4 * H
    )


def test_hundreds_of_patterns_become_one_product_with_arcs_to_drop():
    spec = ll.Spec(4, (64,), 1)
    mask = np.random.default_rng(0).random((256, 69)) < 0.5
    assert len(np.unique(mask, axis=0)) > products.MOST_PATTERNS
    (only,) = products.rectangles(mask)
    assert only.size == (256, 69)
    assert np.array_equal(~only.drop, mask)
    assert spec.size


@pytest.mark.parametrize(
    ("rows", "common", "most"), [((1, 1), 0, 100), ((2, 1), 0, 66), ((1, 2), 0, 66), ((1, 1), 1, 151)]
)
def test_two_groups_of_rows_are_joined_while_that_costs_less_than_a_call_and_copies(rows, common, most):
    """A call costs as much as 200 arcs of a product, a source that is copied twice as 100."""
    for n, products_run in ((most, 1), (most + 1, 2)):
        mask = np.zeros((sum(rows), 2 * n - common), bool)
        mask[: rows[0], :n] = mask[rows[0] :, n - common :] = True
        assert len(products.rectangles(mask)) == products_run


def test_cut_keeps_the_units_that_an_active_arc_leads_to():
    spec = ll.Spec(8, (256,), 1)
    plan = isolate(spec, zone(spec, layer=0, unit=slice(64, 256)), "cut")
    layer = plan.work.layers[0]
    assert (layer.units.at, layer.blocks) == (slice(0, 64), (0, 1, 2, 3))
    assert layer.through[0].size == (256, 64)
    assert [r.size for r in layer.weights] == [(256, 265)]
    assert plan.work.head.down.size == (1, 64)
    gates = isolate(spec, zone(spec, layer=0, gate="fi"), "cut").work.layers[0]
    assert (gates.units.size, gates.blocks, gates.through[0].size) == (256, (2, 3), (512, 256))
    assert gates.weights[0].rows.at == slice(512, 1024)
    no_recurrence = isolate(spec, zone(spec, layer=0, matrix="Wh"), "cut").work.layers[0]
    assert no_recurrence.through == (None,)
    assert [r.size for r in no_recurrence.weights] == [(1024, 9)]


@pytest.mark.parametrize(("units", "keeps_all"), [(64, False), (213, False), (214, True), (250, True)])
def test_scattered_units_are_kept_while_they_cost_less_than_all(units: int, keeps_all: bool) -> None:
    """Each costs a fifth more than one of a row of neighbours: 213 · 1.2 < 256 < 214 · 1.2."""
    spec, rng = ll.Spec(8, (256,), 1), np.random.default_rng(0)
    idle = zone(spec, layer=0, unit=np.sort(rng.choice(256, 256 - units, replace=False)))
    work = isolate(spec, idle, "cut").work.layers[0]
    assert work.units.size == (256 if keeps_all else units)
    assert work.units.copies != keeps_all


def test_gathering_rows_pays_while_a_copied_row_costs_less_than_those_left_out() -> None:
    """A copied row costs as much as a hundred columns, and saves those that stay behind."""
    assert [products._gather_pays(some, 1024, 256) for some in (10, 736, 737, 1000)] == [
        True,
        True,
        False,
        False,
    ]


def test_a_layer_that_no_error_reaches_has_nothing_to_do() -> None:
    plan = isolate(SPEC, ll.read_zone(SPEC, "1/Wx"), "cut")
    nothing = plan.work.layers[0]
    assert (nothing.units.size, nothing.blocks) == (0, ())
    assert (nothing.through, nothing.below, nothing.weights) == ((None,), None, ())


def test_the_update_moves_33_numbers_an_arc_and_28_more_where_arcs_are_gathered() -> None:
    dense = isolate(SPEC, NOTHING).cost(5, 2)
    assert dense.bytes.update == 4 * 33 * SPEC.size
    assert isolate(SPEC, NOTHING).cost(5, 2, "float64").bytes.update == 8 * 33 * SPEC.size
    some = isolate(SPEC, ll.read_zone(SPEC, "0/Wh/f[0]")).cost(5, 2)
    assert some.bytes.update == 4 * (33 * (SPEC.size - 3) + 28 * (36 - 3))


def test_a_plan_that_slices_cannot_help_keeps_the_full_width_and_says_so():
    spec = ll.Spec(8, (256,), 1)
    rng = np.random.default_rng(0)
    few = zone(spec, layer=0, unit=np.sort(rng.choice(256, 3, replace=False)))
    plan = isolate(spec, few, "cut")
    assert plan.work.layers[0].units.whole
    assert plan.notes == ("layer 0 keeps its full width, since slices of its errors would cost more",)
    assert plan.notes[0] in repr(plan)
    assert plan.cost(96, 32).error <= isolate(spec, ll.nothing(spec)).cost(96, 32).error
    assert not isolate(spec, zone(spec, layer=0, unit=slice(3)), "cut").notes  # neighbours need no gathering


# ------------------------------------------------------------------------------------------------------------ cache


def test_cache_remembers_the_lowest_layers_that_are_isolated_altogether():
    spec = ll.Spec(2, (3, 2, 2), 1)
    below = [zone(spec, layer=k) for k in range(3)]
    for layers in (1, 2, 3):
        z = ll.nothing(spec)
        for part in below[:layers]:
            z = z | part
        plan, skip = isolate(spec, z, "cache"), isolate(spec, z, "skip")
        assert (plan.cached, plan.work.lowest, skip.cached) == (layers, layers, 0)
        whole, left = skip.cost(6, 2), plan.cost(6, 2)
        assert left.backward == whole.backward
        assert left.forward < whole.forward
    assert isolate(spec, below[0] | below[2], "cache").cached == 1
    head_only = isolate(spec, ~zone(spec, layer="head"), "cache").cost(6, 2)
    assert head_only.forward == 2 * spec.units[-1] * spec.outputs * 2


@pytest.mark.parametrize("isolated", ["nothing", "1", "0/Wh | 0/Wx", "head"])
def test_cache_is_refused_where_no_layer_can_be_remembered(isolated):
    with pytest.raises(
        ValueError, match=r"depth 'cache' remembers layers .* only \d+\.\d% of the arcs of layer 0; add"
    ):
        isolate(SPEC, ll.read_zone(SPEC, isolated), "cache")


# --------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: isolate(SPEC, ll.nothing(OTHER)), r"the zone was made for Spec\(inputs=1.*, not for Spec\(inputs=2"),
        (lambda: isolate(SPEC, NOTHING, depth="freeze"), r"depth is 'freeze'; the choices are hold, skip, cut, cache"),
        (lambda: isolate(SPEC, NOTHING, span=0), r"span must be a whole number of steps .* got 0"),
        (lambda: isolate(SPEC, NOTHING, span=2.0), r"span must be .* got 2.0"),
        (lambda: isolate(SPEC, NOTHING, span=True), r"span must be .* got True"),
        (lambda: isolate(SPEC, NOTHING).cost(0, 3), r"steps must be a whole number of at least 1, got 0"),
        (lambda: isolate(SPEC, NOTHING).cost(3, 7.5), r"batch must be a whole number of at least 1, got 7.5"),
        (lambda: isolate(SPEC, "0/Wh"), r"isolate\(\) takes a Zone, .* got a str"),
        (lambda: isolate(SPEC, NOTHING, moments="kept"), r"moments is 'kept'; the choices are held, tracked"),
        (lambda: isolate(SPEC, NOTHING, moments="tracked"), r"needs the gradients .* which depth 'skip' leaves out"),
    ],
)  # fmt: skip
def test_what_does_not_belong_together_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_plan_tells_what_it_is():
    z = zone(SPEC, layer=0, gate="f")
    assert repr(isolate(SPEC, z)) == "<Plan: skip '0/*/f'>"
    assert repr(isolate(SPEC, z, "cut", 3)) == "<Plan: cut '0/*/f', span 3>"
    tracked = isolate(SPEC, z, "hold", moments="tracked")
    assert repr(tracked) == "<Plan: hold '0/*/f', moments tracked>"
    described = [
        isolate(SPEC, zone(SPEC, layer=0, gate=gate), depth).describe()
        for gate in "fi"
        for depth in DEPTHS[:3]
    ]
    assert all(a != b for k, a in enumerate(described) for b in described[:k])
    assert tracked.describe() != isolate(SPEC, z, "hold").describe()
    assert dense(SPEC) is dense(ll.Spec(2, (3, 2), 2))


@pytest.mark.parametrize(
    ("cell", "zone", "blocks"),
    [
        ("gru", "0/*/z", (0, 2, 3)),  # blocks g, z, r and u, what g reads from h
        ("gru", "0/Wx/g | 0/b/g", (1, 2, 3)),
        ("gru", "0/Wh/g | 0/bh/g", (0, 1, 2)),
        ("gru_v3", "0/*/r", (0, 2)),
        ("peephole", "0/*/fi", (2, 3)),
        ("peephole", "0/Wx | 0/Wh | 0/b", (0, 1, 2)),  # g has no peephole
        ("rnn", "0/Wx", (0,)),
    ],
)
def test_cut_keeps_the_blocks_that_an_active_arc_leads_to_in_any_cell(cell, zone, blocks):
    spec = ll.Spec(2, (4,), 1, cell)
    assert isolate(spec, ll.read_zone(spec, zone), "cut").work.layers[0].blocks == blocks
