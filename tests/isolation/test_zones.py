"""Zones are sets of arcs; their text reads back; a partition gives every arc to one block."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lstm_lib as ll
from lstm_lib.isolation.partition import partition
from lstm_lib.isolation.zones import Zone, read_zone, zone

SPEC = ll.Spec(inputs=2, units=(3, 2), outputs=2)
MATRICES = {"Wx": 2, "Wh": 2, "b": 1, "W": 2}  # by number of axes

LAYERS = st.sampled_from([None, 0, 1, "head"])
INDICES = st.none() | st.integers(0, 1) | st.lists(st.integers(0, 1), min_size=1, max_size=3)
SELECTIONS = st.fixed_dictionaries(
    {
        "layer": LAYERS,
        "matrix": st.sampled_from([None, *MATRICES]),
        "gate": st.sampled_from([None, "f", "i", "o", "g", "fi", "go", "fiog"]),
        "unit": INDICES,
        "source": INDICES,
    }
)
# Any set of arcs at all: one random bit an arc, with plain shares of 0, 1 and in between for every array.
ZONES = st.builds(
    lambda shares, seed: Zone(
        SPEC,
        {
            k: np.random.default_rng([seed, j]).random(shape) < share
            for j, ((k, shape), share) in enumerate(zip(SPEC.shapes.items(), shares, strict=True))
        },
    ),
    st.lists(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]), min_size=8, max_size=8),
    st.integers(0, 99),
)


def arcs_of(z: Zone) -> set[tuple]:
    return {(name, *map(int, at)) for name in SPEC.shapes for at in np.argwhere(z.mask(name))}


def chosen(layer=None, matrix=None, gate=None, unit=None, source=None) -> set[tuple]:
    """The arcs that answer to a description, found by asking every single one."""

    def takes(index, position):
        return index is None or position in ([index] if isinstance(index, int) else index)

    found = set()
    for name, shape in SPEC.shapes.items():
        place, kind = name.split("/")
        for at in np.ndindex(shape):
            letter, row = (
                (None, at[0])
                if place == "head"
                else ("fiog"[at[0] // (shape[0] // 4)], at[0] % (shape[0] // 4))
            )
            if (
                layer in (None, place if place == "head" else int(place))
                and matrix in (None, kind)
                and (gate is None or (letter is not None and letter in gate))
                and takes(unit, row)
                and (len(at) == 1 or takes(source, at[1]))
            ):
                found.add((name, *at))
    return found


# ------------------------------------------------------------------------------------------------ sets of arcs


@given(SELECTIONS)
def test_a_zone_holds_exactly_the_arcs_that_answer_to_its_description(asked):
    refused = (
        (asked["source"] is not None and asked["matrix"] in (None, "b"))
        or (asked["gate"] and asked["layer"] == "head")
        or (asked["layer"] == "head" and asked["matrix"] in ("Wx", "Wh", "b"))
        or (asked["layer"] in (0, 1) and asked["matrix"] == "W")
    )
    if asked["layer"] == "head" and asked["matrix"] == "b":
        refused = asked["source"] is not None or asked["gate"]
    if refused or not chosen(**asked):
        with pytest.raises(ValueError, match=r"needs matrix|is '|selects no arc"):
            zone(SPEC, **asked)
    else:
        assert arcs_of(zone(SPEC, **asked)) == chosen(**asked)


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (None, {0, 1, 2}),
        (1, {1}),
        (np.int64(2), {2}),
        ([0, 2], {0, 2}),
        ((0, 0), {0}),
        (range(2), {0, 1}),
        ({1, 2}, {1, 2}),
        (np.array([2, 0]), {0, 2}),
        (slice(0, 2), {0, 1}),
        (slice(None, None, 2), {0, 2}),
        (slice(-1, None), {2}),
    ],
)
def test_every_kind_of_index_selects_units_and_sources(index, expected):
    of_unit = zone(SPEC, layer=0, matrix="Wh", gate="i", unit=index)
    of_source = zone(SPEC, layer=0, matrix="Wh", gate="i", source=index)
    assert arcs_of(of_unit) == {("0/Wh", 3 + u, s) for u in expected for s in range(3)}
    assert arcs_of(of_source) == {("0/Wh", 3 + u, s) for u in range(3) for s in expected}


@given(ZONES, ZONES)
def test_zone_algebra_is_set_algebra(a, b):
    A, B, whole = arcs_of(a), arcs_of(b), arcs_of(ll.everything(SPEC))
    assert (arcs_of(a | b), arcs_of(a & b), arcs_of(~a)) == (A | B, A & B, whole - A)
    assert (a.size, (a | b).size + (a & b).size) == (len(A), a.size + b.size)
    assert a.size + (~a).size == SPEC.size
    assert a.share == len(A) / SPEC.size
    assert (a == b) == (A == B)
    assert ~~a == a


@given(ZONES)
def test_a_zone_and_its_complement_are_everything_and_share_nothing(z):
    assert (z | ~z) == ll.everything(SPEC)
    assert (z & ~z) == ll.nothing(SPEC)
    assert ((z | ~z).share, (z & ~z).size) == (1.0, 0)


def test_combining_leaves_the_parts_alone():
    a, b = zone(SPEC, layer=0), zone(SPEC, gate="f")
    before = arcs_of(a), arcs_of(b)
    _ = (a | b, a & b, ~a)
    assert (arcs_of(a), arcs_of(b)) == before


def test_parts_of_a_network_add_up():
    layers = [zone(SPEC, layer=layer) for layer in (0, 1, "head")]
    gates = [zone(SPEC, gate=gate) for gate in "fiog"]
    assert sum(z.size for z in layers) == SPEC.size
    assert sum(z.size for z in gates) == SPEC.size - layers[-1].size
    assert layers[0] | layers[1] == gates[0] | gates[1] | gates[2] | gates[3]


def test_a_zone_is_no_key_and_equals_no_other_thing():
    assert zone(SPEC, layer=0) != "layer 0"
    with pytest.raises(TypeError, match="unhashable"):
        hash(zone(SPEC, layer=0))
    assert ll.nothing(SPEC) != ll.nothing(ll.Spec(2, (3,), 2))


def test_repr_tells_the_terms_and_the_size():
    z = zone(SPEC, layer=0, gate="f") | zone(SPEC, layer="head")
    assert repr(z) == f"<Zone 0/*/f | head: 24 of {SPEC.size} arcs, {100 * 24 / SPEC.size:.1f} %>"
    assert repr(ll.nothing(SPEC)) == f"<Zone nothing: 0 of {SPEC.size} arcs, 0.0 %>"
    terms = [f"0/Wh/{gate}[{k % 3};{k % 2}]" for k, gate in enumerate("fiog")] + ["1/b/f[0]", "head/b[1]"]
    assert repr(read_zone(SPEC, " | ".join(terms))).startswith(
        f"<Zone {' | '.join(terms[:4])} | and 2 terms more: 6 of"
    )
    big = ll.Spec(8, (256,), 1)
    assert f"{big.size:,}" in repr(ll.everything(big))


# --------------------------------------------------------------------------------------------- zones and their text


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("0", {"layer": 0}),
        ("head", {"layer": "head"}),
        ("1/Wh", {"layer": 1, "matrix": "Wh"}),
        ("0/Wh/f", {"layer": 0, "matrix": "Wh", "gate": "f"}),
        ("0/*/fg", {"layer": 0, "gate": "gf"}),
        ("0[1:3]", {"layer": 0, "unit": [1, 2]}),
        ("0[0,2]", {"layer": 0, "unit": [0, 2]}),
        ("0/*/i[2]", {"layer": 0, "gate": "i", "unit": 2}),
        ("0/Wx[:;1]", {"layer": 0, "matrix": "Wx", "source": 1}),
        (
            "0/Wh/o[0:2;1:3]",
            {"layer": 0, "matrix": "Wh", "gate": "o", "unit": [0, 1], "source": [1, 2]},
        ),
        ("head/W[1]", {"layer": "head", "matrix": "W", "unit": 1}),
        ("head/W[:;0]", {"layer": "head", "matrix": "W", "source": 0}),
        ("head/b", {"layer": "head", "matrix": "b"}),
    ],
)
def test_a_zone_has_the_text_one_would_write(text, asked):
    assert str(zone(SPEC, **asked)) == text
    assert read_zone(SPEC, text) == zone(SPEC, **asked)


@given(ZONES)
def test_the_text_of_any_zone_reads_back(z):
    assert read_zone(SPEC, str(z)) == z
    assert str(read_zone(SPEC, str(z))) == str(z)


@given(SELECTIONS)
def test_the_text_of_a_selection_is_one_term_or_a_few(asked):
    if chosen(**asked):
        try:
            z = zone(SPEC, **asked)
        except ValueError:
            return
        assert read_zone(SPEC, str(z)) == z
        assert str(z).count("|") <= 6


def test_terms_may_overlap_and_stand_in_any_order():
    z = zone(SPEC, layer=0, matrix="Wh", gate="f") | zone(SPEC, layer="head", matrix="b")
    assert read_zone(SPEC, " head/b|0/Wh/f [ 0 : 2 ] | 0/Wh/f[1,2] ") == z
    assert read_zone(SPEC, "nothing | head/b") == zone(SPEC, layer="head", matrix="b")
    assert read_zone(SPEC, "everything") == ll.everything(SPEC)
    assert read_zone(SPEC, str(ll.nothing(SPEC))) == ll.nothing(SPEC)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"can't read the term ''; a term is layer/matrix/gates\[units;sources\]"),
        ("0/Wh/f |", r"can't read the term ''"),
        ("Wh", r"can't read the term 'Wh'"),
        ("0/Wh/f[0:1", r"can't read the term '0/Wh/f\[0:1'"),
        ("2", r"in the term '2': layer is 2; the layers are 0, 1, 'head'"),
        ("0/Wz", r"in the term '0/Wz': matrix is 'Wz'; the choices are Wx, Wh, b"),
        ("0/Wh/q", r"gate is 'q'; give letters of fiog"),
        ("0[0:9]", r"in the term '0\[0:9\]': unit=.* does not fit 0/Wx, which has units 0..2"),
        ("0[]", r"\[\] is no list of positions"),
        ("0[0:]", r"\[0:\] is no list of positions such as 0:32"),
        ("0[2:2]", r"unit=slice\(2, 2, None\) does not fit"),
        ("0[0:999999999999]", r"unit=slice\(0, 999999999999, None\) does not fit"),
        ("0 1", r"can't read the term '0 1'"),
        ("0/Wh[1 2]", r"\[1 2\] is no list of positions"),
        ("0/W h", r"can't read the term '0/W h'"),
        ("0[²]", r"\[²\] is no list of positions"),
        ("0[-1]", r"\[-1\] is no list of positions"),
        ("0[0;1]", r"source=\[1\] needs matrix="),
        ("head/*/f", r"gate is 'f'"),
        (3, r"a zone's text is a string such as .* got 3"),
    ],
)
def test_a_text_that_does_not_fit_is_refused_with_its_term(text, message):
    with pytest.raises(ValueError, match=message):
        read_zone(SPEC, text)


# -------------------------------------------------------------------------------------------------------- partitions


@pytest.mark.parametrize("units", [(3, 2), (7,), (4, 6, 5)])
@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"blocks": 2},
        {"blocks": 99},
        {"blocks": 3, "sources": 2},
        {"sources": 9},
        {"by": "unit"},
        {"by": "unit", "blocks": 2},
        {"by": "unit", "blocks": 99},
    ],
)
def test_every_arc_belongs_to_one_block_and_names_read_back(units, asked):
    spec = ll.Spec(2, units, 3)
    blocks = partition(spec, **asked)
    times = {k: np.zeros(shape, int) for k, shape in spec.shapes.items()}
    for name, block in blocks.items():
        assert block.size > 0
        assert read_zone(spec, name) == block
        for k in times:
            times[k] += block.mask(k)
    assert all((t == 1).all() for t in times.values())
    assert blocks.union(blocks) == ll.everything(spec)
    assert len(blocks) == len(list(blocks)) == len(set(blocks))


def test_blocks_are_as_equal_as_can_be():
    blocks = partition(ll.Spec(2, (7,), 1), blocks=3, by="unit")
    assert list(blocks) == ["0[0:2]", "0[2:5]", "0[5:7]", "head/W", "head/b"]
    whole = [f"0/{matrix}/{gate}" for matrix in ("Wx", "Wh", "b") for gate in "fiog"] + ["head/W", "head/b"]
    assert list(partition(ll.Spec(2, (7,), 1))) == whole
    assert list(partition(ll.Spec(2, (7,), 1), by="unit")) == ["0", "head/W", "head/b"]
    assert repr(blocks) == f"<Partition of {blocks.spec} into 5 blocks>"
    assert blocks.union([]) == ll.nothing(blocks.spec)
    some = blocks.union(["0[2:5]", "head/b"])
    assert some == read_zone(blocks.spec, "0[2:5] | head/b")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"blocks": 0}, r"blocks must be a whole number of at least 1, or None for no cut, got 0"),
        ({"blocks": 2.0}, r"blocks must be .* got 2.0"),
        ({"blocks": True}, r"blocks must be .* got True"),
        ({"sources": -1}, r"sources must be .* got -1"),
        ({"by": "layer"}, r"by is 'layer'; the choices are gate, unit"),
        ({"by": "unit", "sources": 2}, r"sources=2 needs by='gate'"),
    ],
)
def test_a_cut_that_makes_no_sense_is_refused(asked, message):
    with pytest.raises(ValueError, match=message):
        partition(SPEC, **asked)


def test_a_mask_cannot_be_changed_and_only_zones_combine():
    z = zone(SPEC, layer=0)
    for name in ("0/Wh", "head/W"):
        with pytest.raises(ValueError, match="read-only"):
            z.mask(name)[...] = False
    with pytest.raises(ValueError, match=r"zones combine with zones, .* got '0/Wh'"):
        _ = z | "0/Wh"
    assert partition(SPEC).union("0/Wh/f") == read_zone(SPEC, "0/Wh/f")


def test_a_name_that_is_no_block_is_refused_with_some_that_are():
    blocks = partition(SPEC, blocks=2)
    with pytest.raises(KeyError, match=r"no block '0/Wh/q'; the \d+ blocks are 0/Wx/f\[0:2\], .*, …"):
        blocks["0/Wh/q"]


# ------------------------------------------------------------------------------------------------- more of selections


# --------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"layer": 2}, r"layer is 2; the layers are 0, 1, 'head'"),
        ({"layer": True}, r"layer is True; the layers are"),
        ({"layer": "top"}, r"layer is 'top'; the layers are 0, 1, 'head'"),
        ({"matrix": "Wz"}, r"matrix is 'Wz'; the choices are Wx, Wh, b, W"),
        ({"layer": 0, "matrix": "W"}, r"matrix is 'W'; the choices are Wx, Wh, b$"),
        ({"layer": "head", "matrix": "Wh"}, r"matrix is 'Wh'; the choices are W, b$"),
        (
            {"gate": "c"},
            r"gate is 'c'; give letters of fiog, and none for the head: .* g the candidate \(c in Keras's",
        ),
        ({"gate": ""}, r"gate is ''; give letters of fiog"),
        ({"layer": "head", "gate": "f"}, r"gate is 'f'; .* none for the head"),
        ({"source": 0}, r"source=0 needs matrix='Wx', 'Wh' or 'W', got matrix=None"),
        ({"matrix": "b", "source": 0}, r"source=0 needs matrix=.* got matrix='b'"),
        ({"layer": 0, "unit": 3}, r"unit=3 does not fit 0/Wx, which has units 0..2"),
        ({"layer": 0, "unit": -1}, r"unit=-1 does not fit 0/Wx"),
        (
            {"layer": 0, "unit": slice(0, 4)},
            r"unit=slice\(0, 4, None\) does not fit 0/Wx, which has units 0..2",
        ),
        ({"layer": 0, "unit": slice(2, 2)}, r"does not fit 0/Wx"),
        ({"layer": 0, "unit": []}, r"unit=\[\] does not fit"),
        ({"layer": 0, "unit": [0.5]}, r"unit=\[0.5\] does not fit"),
        ({"layer": 0, "unit": [True, False, True]}, r"does not fit"),
        ({"layer": 0, "matrix": "Wx", "source": 2}, r"source=2 does not fit 0/Wx, which has sources 0..1"),
        ({"layer": 0, "matrix": "Wx", "source": [0, 5]}, r"source=\[0, 5\] does not fit 0/Wx"),
        (
            {"matrix": "W", "gate": "f"},
            r"matrix='W', gate='f', .* selects no arc; the parameters are 0/Wx, .* head/b",
        ),
    ],
)
def test_a_selection_that_does_not_fit_is_refused(asked, message):
    with pytest.raises(ValueError, match=message):
        zone(SPEC, **asked)


OTHER = ll.Spec(1, (1,), 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: zone(SPEC, layer=0).mask("2/b"), r"no parameter '2/b'; the names are 0/Wx, 0/Wh"),
        (lambda: zone(SPEC, layer=0) | zone(OTHER, layer=0), r"zones of two networks do not combine"),
        (lambda: zone(SPEC, layer=0) & zone(OTHER, layer=0), r"zones of two networks do not combine"),
    ],
)
def test_what_does_not_belong_together_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_an_iterator_of_units_selects_like_a_list():
    spec = ll.Spec(2, (4,), 1)
    assert ll.zone(spec, layer=0, unit=iter([0, 2])) == ll.zone(spec, layer=0, unit=[0, 2])
    with pytest.raises(ValueError, match=r"unit=\[9\] does not fit 0/Wx"):
        ll.zone(spec, layer=0, unit=(n for n in [9]))


# ------------------------------------------------------------------------------------------------- other cells

CELL_TEXTS = [
    ("gru", "0/Wh/z", {"layer": 0, "matrix": "Wh", "gate": "z"}, 9),
    ("gru", "0/*/r", {"layer": 0, "gate": "r"}, 6 + 9 + 3 + 3),
    ("gru", "0/bh", {"matrix": "bh"}, 9),
    ("gru_v3", "0/Wx/rg[:;1]", {"matrix": "Wx", "gate": "rg", "source": 1}, 6),
    ("rnn", "0/Wh[0;2]", {"matrix": "Wh", "unit": 0, "source": 2}, 1),
    ("rnn", "0[1]", {"layer": 0, "unit": 1}, 6),
    ("peephole", "0/p", {"matrix": "p"}, 9),  # all its gates, though not all of the cell's
    ("peephole", "0/p/o[0:2]", {"matrix": "p", "gate": "o", "unit": [0, 1]}, 2),
    ("peephole", "0/*/f", {"gate": "f"}, 6 + 9 + 3 + 3),
    ("peephole", "0/*/g", {"gate": "g"}, 6 + 9 + 3),  # g has no peephole
    ("peephole", "0[2]", {"layer": 0, "unit": 2}, 4 * (2 + 3 + 1) + 3),
]


@pytest.mark.parametrize(("cell", "text", "asked", "size"), CELL_TEXTS)
def test_zones_of_other_cells_have_their_own_matrices_and_gates(cell, text, asked, size):
    spec = ll.Spec(2, (3,), 1, cell)
    found = zone(spec, **asked)
    assert (str(found), found.size) == (text, size)
    assert read_zone(spec, text) == found


def test_a_matrix_or_gate_of_another_cell_is_refused_with_the_cell_s_own():
    spec = ll.Spec(2, (3,), 1, "gru")
    with pytest.raises(
        ValueError, match=r"gate is 'f'; give letters of zrg, .* z the update gate, r the reset gate"
    ):
        zone(spec, gate="f")
    with pytest.raises(ValueError, match=r"matrix is 'p'; the choices are Wx, Wh, b, bh$"):
        zone(spec, layer=0, matrix="p")
    with pytest.raises(ValueError, match=r"source=1 needs matrix='Wx', 'Wh' or 'W', got matrix='bh'"):
        zone(spec, matrix="bh", source=1)
