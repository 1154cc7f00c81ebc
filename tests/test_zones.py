"""Zones are sets of arcs, plans leave their work out, and isolated arcs keep their value bit for bit."""

import numpy as np
import pytest
from cases import build, identical, same
from hypothesis import given, settings
from hypothesis import strategies as st

import lstm_lib as ll
from lstm_lib.adam import FORMS
from lstm_lib.zones import DEPTHS, Zone, isolate, zone

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


def test_repr_counts_the_arcs():
    z = zone(SPEC, layer=0, gate="f") | zone(SPEC, layer="head")
    parts = "0/Wx 6 of 24; 0/Wh 9 of 36; 0/b 3 of 12; head/W all; head/b all"
    assert repr(z) == f"<Zone of 24 of {SPEC.size} arcs: {parts}>"
    assert repr(ll.nothing(SPEC)) == f"<Zone of 0 of {SPEC.size} arcs: nothing>"


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
        ({"gate": "c"}, r"gate is 'c'; give letters of fiog, and none for the head"),
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
        (
            lambda: isolate(SPEC, ll.nothing(OTHER)),
            r"the zone was made for Spec\(inputs=1.*, not for Spec\(inputs=2",
        ),
        (
            lambda: isolate(SPEC, ll.nothing(SPEC), depth="freeze"),
            r"depth is 'freeze'; the choices are hold, skip",
        ),
        (lambda: isolate(SPEC, ll.nothing(SPEC), span=0), r"span must be a whole number of steps .* got 0"),
        (lambda: isolate(SPEC, ll.nothing(SPEC), span=2.0), r"span must be .* got 2.0"),
        (lambda: isolate(SPEC, ll.nothing(SPEC), span=True), r"span must be .* got True"),
    ],
)
def test_what_does_not_belong_together_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ------------------------------------------------------------------------------------------------------- plans


@given(ZONES, st.sampled_from(DEPTHS), st.sampled_from([None, 1, 3]))
def test_a_plan_lists_what_is_left_to_do(z, depth, span):
    plan = isolate(SPEC, z, depth, span)
    assert (plan.spec, plan.zone, plan.depth, plan.span) == (SPEC, z, depth, span)
    active = ~z
    updated = {
        (k, *np.unravel_index(p, SPEC.shapes[k]))
        for k, at in plan.updates.items()
        if at is not None
        for p in at
    }
    updated |= {arc for arc in arcs_of(active) if plan.updates.get(arc[0], 0) is None}
    assert updated == arcs_of(active)
    computed = active if depth == "skip" else ll.everything(SPEC)
    for k, work in enumerate(plan.layers):
        mask = np.hstack(
            [computed.mask(f"{k}/Wh"), computed.mask(f"{k}/Wx"), computed.mask(f"{k}/b")[:, None]]
        )
        assert work.weights == mask.any()
        if work.weights:
            rows = np.arange(mask.shape[0]) if work.rows is None else work.rows
            sources = np.arange(mask.shape[1]) if work.sources is None else work.sources
            run = np.zeros_like(mask)
            run[np.ix_(rows, sources)] = True
            assert np.array_equal(run if work.keep is None else run & work.keep, mask)
            # nothing is run in vain: every row and source has an active arc, and None is said where it can be
            assert mask[rows].any(axis=1).all()
            assert mask[:, sources].any(axis=0).all()
            assert (work.rows is None) == (len(rows) == len(mask))
            assert (work.sources is None) == (len(sources) == mask.shape[1])
            assert (work.keep is None) == np.array_equal(run, mask)
    for name in ("W", "b"):
        mask = computed.mask(f"head/{name}")
        assert (name in plan.head) == mask.any()
        if mask.any():
            keep = plan.head[name]
            assert mask.all() if keep is None else np.array_equal(keep, mask) and not mask.all()


CASE = build(SPEC, T=6, B=3)


@given(ZONES, st.sampled_from([None, 1, 4, 6, 99]))
def test_skip_gives_active_arcs_the_gradient_of_no_isolation(z, span):
    _, trace = CASE.forward()
    full = CASE.backward(trace, isolate(SPEC, ll.nothing(SPEC), span=span), also=())
    identical(CASE.backward(trace, isolate(SPEC, z, "hold", span), also=()), full)
    skipped = CASE.backward(trace, isolate(SPEC, z, "skip", span), also=())
    for k, g in skipped.items():
        assert not g[z.mask(k)].any()
        same(g[~z.mask(k)], full[k][~z.mask(k)])


# --------------------------------------------------------------------------- isolated arcs, step after step


def steps(form: str, plans: list, seed: int, state=None, params=None):
    """Several steps of Adam, each with fresh random gradients, following a list of plans."""
    rng = np.random.default_rng(seed)
    params = {k: p.astype("float32") for k, p in CASE.params.items()} if params is None else params
    opt = ll.Adam(lr=0.1, form=form)
    state = opt.init(params) if state is None else state
    for plan in plans:
        opt.step(
            params,
            {k: rng.standard_normal(p.shape).astype("float32") for k, p in params.items()},
            state,
            plan,
        )
    return params, state


def all_of(params, state):
    counts = {k: np.broadcast_to(t, params[k].shape) for k, t in state.t.items()}
    return {"w": params, "m": state.m, "v": state.v, "t": counts}


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=settings.default.max_examples // 2)
@given(z=ZONES, depth=st.sampled_from(DEPTHS), warm=st.integers(0, 3), seed=st.integers(0, 99))
def test_isolated_arcs_keep_value_moments_and_count_bit_for_bit(form, z, depth, warm, seed):
    params, state = steps(form, [None] * warm, seed)
    before = {part: {k: a.copy() for k, a in named.items()} for part, named in all_of(params, state).items()}
    params, state = steps(form, [isolate(SPEC, z, depth)] * 5, seed + 1, state, params)
    plain, plain_state = steps(form, [None] * 5, seed + 1, *reversed(steps(form, [None] * warm, seed)))
    for part, named in all_of(params, state).items():
        for k, a in named.items():
            at = z.mask(k)
            assert a[at].tobytes() == before[part][k][at].tobytes(), (part, k)
            # and the active arcs make the very steps of a plain run
            assert np.array_equal(a[~at], all_of(plain, plain_state)[part][k][~at]), (part, k)
    moved = {k: (params[k] != before["w"][k]) for k in params}
    assert all(moved[k][~z.mask(k)].all() for k in params)


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("form", FORMS)
def test_isolating_nothing_is_the_plain_run_bit_for_bit(form, depth):
    plan = isolate(SPEC, ll.nothing(SPEC), depth)
    ours, plain = (all_of(*steps(form, [p] * 4, seed=1)) for p in (plan, None))
    for part in plain:
        identical(ours[part], plain[part])


def test_isolating_everything_moves_nothing():
    params, state = steps("tf15", [isolate(SPEC, ll.everything(SPEC))] * 3, seed=1)
    identical(params, {k: p.astype("float32") for k, p in CASE.params.items()})
    assert set(state.t.values()) == {0}


def test_an_iterator_of_units_selects_like_a_list():
    spec = ll.Spec(2, (4,), 1)
    assert ll.zone(spec, layer=0, unit=iter([0, 2])) == ll.zone(spec, layer=0, unit=[0, 2])
    with pytest.raises(ValueError, match=r"unit=\[9\] does not fit 0/Wx"):
        ll.zone(spec, layer=0, unit=(n for n in [9]))
