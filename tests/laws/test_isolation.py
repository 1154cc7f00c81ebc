"""The laws of isolation over random networks, zones, depths, spans and optimisers.

Laws 2 to 5: isolated arcs keep every bit; "skip" leaves active arcs their gradient; "cut" is the slow reference in
which no isolated arc carries an error; a plan costs the products that are really run. `make soak` tries many more.
"""

from __future__ import annotations

import tracemalloc
from collections import Counter
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import lstm_lib as ll
from lstm_lib import layer, layer_backward, network, work
from lstm_lib.isolation.plan import isolate
from lstm_lib.isolation.zones import Zone, partition, zone
from lstm_lib.training.adam import FORMS
from tests.cases import Case, build, identical, plain_backward, plain_forward, same

MANY = settings(max_examples=5 * settings.default.max_examples)  # 500, or 10,000 under `make soak`
OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"weight_decay": 0.1},
    {"clip_norm": 0.05},
    {"amsgrad": True, "weight_decay": 0.01, "clip_norm": 10.0},
)


class Isolated(NamedTuple):
    """A network with data, and what of it is isolated."""

    case: Case
    zone: Zone
    span: int | None


@st.composite
def zones(draw: st.DrawFn, spec: ll.Spec) -> Zone:
    """Any set of arcs: random bits, unions of blocks, of selections, and complements of these."""
    rng = np.random.default_rng(draw(st.integers(0, 9999)))
    kind = draw(st.sampled_from(["bits", "blocks", "units", "matrices"]))
    if kind == "bits":
        shares = draw(st.lists(st.sampled_from([0, 0.1, 0.5, 0.9, 1]), min_size=11, max_size=11))
        shapes = zip(spec.shapes.items(), shares, strict=False)
        return Zone(spec, {k: rng.random(shape) < share for (k, shape), share in shapes})
    if kind == "blocks":
        blocks = partition(
            spec, draw(st.sampled_from([None, 2, 3])), sources=draw(st.sampled_from([None, 2]))
        )
    elif kind == "units":
        blocks = partition(spec, 9, by="unit")
    else:
        names = [f"{k}/{m}" for k, m in product(range(spec.layers), ("Wx", "Wh", "b"))] + ["head/W", "head/b"]
        chosen = [ll.read_zone(spec, name) for name in names if rng.random() < 0.5]
        found = ll.nothing(spec)
        for z in chosen:
            found = found | z
        return found
    share = draw(st.sampled_from([0.1, 0.5, 0.9]))
    found = blocks.union(name for name in blocks if rng.random() < share)
    return found - zone(spec, layer="head") if draw(st.booleans()) else found


@st.composite
def isolated(draw: st.DrawFn, dtype: str = "float64") -> Isolated:
    units = tuple(draw(st.lists(st.integers(1, 6), min_size=1, max_size=3)))
    spec = ll.Spec(
        draw(st.integers(1, 3)),
        units,
        draw(st.integers(1, 3)),
        draw(st.sampled_from(["standard", "brief"])),
        draw(st.sampled_from(["linear", "softmax"])),
        draw(st.sampled_from(["last", "every"])),
    )
    T, B = draw(st.sampled_from([1, 2, 3, 5, 9, 18])), draw(st.integers(1, 4))
    case = build(spec, T, B, draw(st.integers(0, 999)), dtype)
    span = draw(st.none() | st.integers(1, T + 2))
    return Isolated(case, draw(zones(spec)), span)


@pytest.fixture(params=["cheapest", "sliced", "whole"])
def slices(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Networks of tests are too small for slices to pay; here each way to compute has its turn."""
    choose(request.param, monkeypatch)
    return str(request.param)


def choose(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if way != "cheapest":
        # gathering rows always pays or never; so does telling rectangles apart
        monkeypatch.setattr(work, "COPY", 0 if way == "sliced" else 1e9)
        monkeypatch.setattr(work, "_gathering_units_pays", lambda *sizes: way == "sliced")


WAYS = st.sampled_from(["cheapest", "sliced", "whole"])


# ------------------------------------------------------------------------------------------------ law 3: exactness


@MANY
@given(isolated(), WAYS)
def test_hold_and_skip_leave_active_arcs_the_gradient_of_no_isolation(it: Isolated, way: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        choose(way, patch)
        case, spec = it.case, it.case.spec
        _, trace = case.forward()
        plain, _ = plain_backward(case, plain_forward(case)[1], it.span)
        state_and_x = {k: plain[k] for k in plain if k not in spec.shapes}
        same(case.backward(trace, isolate(spec, it.zone, "hold", it.span)), plain)
        plan = isolate(spec, it.zone, "skip", it.span)
        for also in ((), ("x", "state")):
            found = case.backward(trace, plan, also)
            expected = {k: np.where(it.zone.mask(k), 0, plain[k]) for k in spec.shapes}
            same(found, expected | (state_and_x if also else {}))
            for k in spec.shapes:
                assert not found[k][it.zone.mask(k)].any(), k


@MANY
@given(isolated(), WAYS)
def test_cut_is_the_reference_in_which_isolated_arcs_carry_no_error(it: Isolated, way: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        choose(way, patch)
        case, spec = it.case, it.case.spec
        _, trace = case.forward()
        plan = isolate(spec, it.zone, "cut", it.span)
        reference, _ = plain_backward(case, plain_forward(case)[1], it.span, cut=it.zone)
        for k in spec.shapes:
            reference[k] = np.where(it.zone.mask(k), 0, reference[k])
            assert not reference[k][plan.unreached.mask(k)].any()
        found = case.backward(trace, plan, also=())
        same(found, {k: reference[k] for k in spec.shapes})
        for k in spec.shapes:
            assert not found[k][it.zone.mask(k)].any(), k
        identical(case.backward(trace, plan, also=()), found)
        # what is needed for x or the state is kept only where some arc is active as well
        x = case.backward(trace, plan, also=("x",))["x"]
        same(x, _x_through_kept_units(case, it, plan, reference))


def _x_through_kept_units(case: Case, it: Isolated, plan: ll.Plan, reference: dict[str, Any]) -> Any:
    """The error of x comes through the active arcs of layer 0, all of which lead to units that are kept."""
    return reference["x"] if plan.lowest == 0 else np.zeros_like(case.x)


@MANY
@given(isolated("float32"), st.sampled_from(["skip", "cut"]))
def test_a_workspace_and_other_plans_in_between_change_no_bit(it: Isolated, depth: str) -> None:
    case, spec, store = it.case, it.case.spec, ll.Workspace()
    plan = isolate(spec, it.zone, depth, it.span)
    _, fresh = case.forward()
    expected = case.backward(fresh, plan, also=())
    for other in (None, isolate(spec, ~it.zone, "cut"), plan, isolate(spec, it.zone, "hold", 1), plan):
        _, trace = case.forward(store)
        case.backward(trace, other, also=())
        found = {k: g.copy() for k, g in case.backward(trace, plan, also=()).items()}
        identical(found, expected)


@pytest.mark.parametrize("depth", ["hold", "skip", "cut"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_isolating_nothing_is_the_plain_pass_bit_for_bit(depth: str, dtype: str) -> None:
    for units, output in product([(5,), (4, 3), (2, 3, 4)], ["last", "every"]):
        case = build(ll.Spec(2, units, 2, output=output), T=18, dtype=dtype)
        _, trace = case.forward()
        plain = {k: g.copy() for k, g in case.backward(trace).items()}
        identical(case.backward(trace, isolate(case.spec, ll.nothing(case.spec), depth)), plain)
        for plan in (None, isolate(case.spec, ll.nothing(case.spec), depth)):
            opt, params = ll.Adam(), {k: p.copy() for k, p in case.params.items()}
            state = opt.init(params)
            for _ in range(3):
                opt.step(params, {k: plain[k] for k in params}, state, plan)
            first = params if plan is None else first  # noqa: F821  # set in the first turn
            identical(params, first)


# ------------------------------------------------------------------------- law 2: isolated arcs keep every bit


def parts_of(params: Any, state: Any) -> dict[str, Any]:
    counts = {k: np.broadcast_to(t, params[k].shape) for k, t in state.t.items()}
    return {"w": params, "m": state.m, "v": state.v, "t": counts} | (
        {"v_max": state.v_max} if state.v_max else {}
    )


@MANY
@given(
    isolated("float32"),
    st.sampled_from(["hold", "skip", "cut"]),
    st.sampled_from(sorted(FORMS)),
    st.sampled_from(OPTIONS),
    st.integers(0, 3),
)
def test_isolated_arcs_are_bit_identical_after_any_steps(
    it: Isolated, depth: str, form: str, options: dict[str, Any], warm: int
) -> None:
    spec, case, opt = it.case.spec, it.case, ll.Adam(lr=0.05, form=form, **options)
    params = {k: p.copy() for k, p in case.params.items()}
    state, plan = opt.init(params), isolate(spec, it.zone, depth, it.span)
    loss = network.LOSSES[spec.head]

    def step(plan: ll.Plan | None) -> None:
        yhat, trace = ll.forward(spec, params, case.x)
        opt.step(params, ll.backward(spec, params, trace, loss(yhat, case.y)[1], plan), state, plan)

    for _ in range(warm):
        step(None)
    before = {
        part: {k: a.copy() for k, a in named.items()} for part, named in parts_of(params, state).items()
    }
    for _ in range(3):
        step(plan)
    after = parts_of(params, state)
    for part, k in product(before, spec.shapes):
        at = it.zone.mask(k)
        assert after[part][k][at].tobytes() == before[part][k][at].tobytes(), (part, k)
    assert all((after["t"][k][~it.zone.mask(k)] == warm + 3).all() for k in spec.shapes)
    # after thawing, an arc that never moved starts at one learning rate (clipped gradients can be small: eps counts)
    cold = {k: (after["t"][k] == 0) for k in spec.shapes}
    held = {k: p.copy() for k, p in params.items()}
    step(None)
    for k in spec.shapes:
        decay = np.abs(held[k]) * 0.05 * options.get("weight_decay", 0)
        assert (np.abs(params[k] - held[k])[cold[k]] <= (0.05 * 1.001 + decay)[cold[k]]).all(), k


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=settings.default.max_examples // 2)
@given(it=isolated(), warm=st.integers(0, 3), seed=st.integers(0, 99))
def test_active_arcs_make_the_very_steps_of_a_plain_run(
    form: str, it: Isolated, warm: int, seed: int
) -> None:
    spec, opt = it.case.spec, ll.Adam(lr=0.1, form=form)
    runs = []
    for plan in (isolate(spec, it.zone), None):
        rng = np.random.default_rng(seed)
        params = {k: p.astype("float32") for k, p in it.case.params.items()}
        state = opt.init(params)
        for k in range(warm + 4):
            grads = {n: rng.standard_normal(p.shape).astype("float32") for n, p in params.items()}
            opt.step(params, grads, state, None if k < warm else plan)
        runs.append(parts_of(params, state))
    for part, k in product(runs[0], spec.shapes):
        at = ~it.zone.mask(k)
        assert np.array_equal(runs[0][part][k][at], runs[1][part][k][at]), (part, k)


@pytest.mark.parametrize("text", ["0/Wh/f[0:2]", "0/Wh/f[0:2;1]", "0[1]"])
def test_arrays_in_any_order_in_memory_are_moved(text: str) -> None:
    """Arrays that come transposed, as from Keras, are no exception."""
    case = build(ll.Spec(2, (4,), 1))
    plan, opt = isolate(case.spec, ll.read_zone(case.spec, text)), ll.Adam(lr=0.1)
    grads = {k: np.ones_like(p) for k, p in case.params.items()}
    found = []
    for order in "CF":
        params = {k: np.array(p, order=order) for k, p in case.params.items()}
        state = opt.init(params)
        for _ in range(2):
            opt.step(params, grads, state, plan)
        found.append(params)
    identical(*found)
    for k, p in found[1].items():
        assert np.array_equal(p == case.params[k], plan.zone.mask(k)), k


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("form", FORMS)
def test_tracked_moments_run_on_and_weights_stay(form: str, options: dict[str, Any]) -> None:
    """With clipping off, tracked moments are those of a plain run on the same gradients."""
    case = build(ll.Spec(2, (3,), 1), dtype="float32")
    spec, z = case.spec, zone(case.spec, gate="f") | zone(case.spec, layer=0, matrix="Wx", source=0)
    opt, rng = ll.Adam(lr=0.1, form=form, **options), np.random.default_rng(3)
    plan = isolate(spec, z, "hold", moments="tracked")
    runs = [
        ({k: p.copy() for k, p in case.params.items()}, plan),
        ({k: p.copy() for k, p in case.params.items()}, None),
    ]
    states = [opt.init(params) for params, _ in runs]
    for _ in range(4):
        grads = {k: rng.standard_normal(p.shape).astype("float32") for k, p in case.params.items()}
        for (params, how), state in zip(runs, states, strict=True):
            opt.step(params, grads, state, how)
    (ours, plain), (params, _) = (parts_of(runs[k][0], states[k]) for k in range(2)), runs[0]
    for k in spec.shapes:
        at = z.mask(k)
        assert params[k][at].tobytes() == case.params[k][at].tobytes()
        assert not (params[k][~at] == case.params[k][~at]).any()
        for part in set(ours) - {"w"}:
            if not options.get("clip_norm"):
                assert np.array_equal(ours[part][k], plain[part][k]), (part, k)
            assert (ours["t"][k] == 4).all()
            assert (ours["m"][k] != 0).all()


# ------------------------------------------------------------------------------------ law 5: cost is what is run


class Products:
    """Stands in for NumPy in the engine; counts the FLOPs of products and the bytes of other calls, by part."""

    MOVERS = ("multiply", "add", "subtract", "tanh", "take", "copyto", "abs")

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.flops, self.bytes, self.part = Counter[str](), Counter[str](), "error"
        for name in self.MOVERS:
            setattr(self, name, self._moving(getattr(np, name), name))
        for module in (layer, layer_backward, network):
            patch.setattr(module, "np", self)
        for name in ("_head_gradients", "_layer_gradients"):
            patch.setattr(network, name, self._within("weights", getattr(network, name)))
        patch.setattr(network, "_run_layers", self._within("forward", network._run_layers))

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    def matmul(self, a: Any, b: Any, **options: Any) -> Any:
        batch = int(np.prod(np.broadcast_shapes(a.shape[:-2], b.shape[:-2])))
        self.flops[self.part] += 2 * batch * a.shape[-2] * a.shape[-1] * b.shape[-1]
        return np.matmul(a, b, **options)

    def _moving(self, call: Any, name: str) -> Any:
        def counted(*args: Any, **options: Any) -> Any:
            result = call(*args, **options)
            out = options.get("out", args[0] if name == "copyto" else result)
            read = [
                a for a in args[1 if name == "copyto" else 0 :] if isinstance(a, np.ndarray) and a.ndim > 1
            ]
            if name == "take":
                read = [out]
            self.bytes[self.part] += sum(a.nbytes for a in (*read, out))
            return result

        return counted

    def _within(self, part: str, call: Any) -> Any:
        def counted(*args: Any) -> Any:
            before, self.part = self.part, part
            try:
                return call(*args)
            finally:
                self.part = before

        return counted


def counted_products(case: Case, plan: ll.Plan) -> Products:
    with pytest.MonkeyPatch.context() as patch:
        counter = Products(patch)
        counter.part = "forward"
        _, trace = case.forward()
        counter.part = "error"
        case.backward(trace, plan, also=())
    return counter


@MANY
@given(isolated(), st.sampled_from(["hold", "skip", "cut"]), WAYS)
def test_a_plan_costs_the_products_that_are_run(it: Isolated, depth: str, way: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        choose(way, patch)
        plan = isolate(it.case.spec, it.zone, depth, it.span)
        run = counted_products(it.case, plan).flops
        B, T = it.case.x.shape[:2]
        cost = plan.cost(steps=T, batch=B)
        assert (cost.forward, cost.error, cost.weights) == (run["forward"], run["error"], run["weights"])
        assert cost.update == 12 * (~it.zone).size
        assert cost.total == cost.forward + cost.backward + cost.update
        assert cost.backward == cost.error + cost.weights


UNITS = np.sort(np.random.default_rng(1).permutation(64)[:48])


@pytest.mark.parametrize(
    "asked", ["nothing", "0[16:64]", f"0[{','.join(map(str, UNITS))}]", "0/*/fi", "0/Wh", "0"]
)
@pytest.mark.parametrize("depth", ["skip", "cut"])
@pytest.mark.parametrize(("cell", "units"), [("standard", (64,)), ("brief", (64, 48))])
def test_bytes_are_those_that_the_calls_move(
    asked: str, depth: str, cell: str, units: tuple[int, ...]
) -> None:
    """Within 4 %: plain assignments and the head's copies are not seen here."""
    case = build(ll.Spec(4, units, 1, cell=cell), T=64, B=48, dtype="float32")
    plan = isolate(case.spec, ll.read_zone(case.spec, asked), depth)
    run, cost = counted_products(case, plan).bytes, plan.cost(64, 48)
    for part in ("forward", "error", "weights"):
        predicted, moved = getattr(cost.bytes, part), run[part]
        assert abs(predicted - moved) <= 0.04 * moved + 25_000, (part, predicted, moved)


def test_a_cost_in_the_dtype_of_the_parameters_and_its_speed_up() -> None:
    spec = ll.Spec(8, (256,), 1)
    dense = isolate(spec, ll.nothing(spec)).cost(96, 32)
    assert isolate(spec, ll.nothing(spec)).cost(96, 32, "float64").bytes.error == 2 * dense.bytes.error
    quarter = isolate(spec, zone(spec, layer=0, unit=slice(64, 256)), "cut").cost(96, 32)
    assert quarter.weights == pytest.approx(dense.weights / 4, rel=1e-3)
    assert quarter.error == pytest.approx(dense.error / 16, rel=1e-2)
    assert quarter.forward == dense.forward
    assert dense.speed_up(dense) == 1
    assert 1.5 < quarter.speed_up(dense) < dense.total / quarter.total
    everything = isolate(spec, ll.everything(spec)).cost(96, 32)
    assert (everything.backward, everything.update, everything.bytes.backward) == (0, 0, 0)


# -------------------------------------------------------------------------------------- an independent view of "cut"


@settings(max_examples=12)
@given(isolated())
def test_cut_is_what_autograd_finds_when_isolated_arcs_read_a_stopped_copy(it: Isolated) -> None:
    """TensorFlow's autograd on a step in which every isolated arc reads its source through stop_gradient."""
    from lstm_lib.keras.bridge import tf

    case, spec = it.case, it.case.spec
    assume(spec.head == "linear")
    params = {k: tf.Variable(p) for k, p in case.params.items()}
    act = {"sigmoid": tf.sigmoid, "tanh": tf.tanh}
    cell = ll.cell.get_cell(spec.cell)

    def through(name: str, source: Any) -> Any:
        active = tf.constant((~it.zone.mask(name)).astype("float64"))
        return (params[name] * active) @ source + (params[name] * (1 - active)) @ tf.stop_gradient(source)

    with tf.GradientTape() as tape:
        below = [tf.constant(x) for x in case.x.transpose(1, 2, 0)]
        for k in range(spec.layers):
            h, c = (tf.constant(a.T) for a in case.initial[k])
            above = []
            for t, x in enumerate(below):
                z = through(f"{k}/Wx", x) + through(f"{k}/Wh", h) + params[f"{k}/b"][:, None]
                f, i, o, g = (act[getattr(cell, n)](a) for n, a in zip("fiog", tf.split(z, 4), strict=True))
                c = f * c + i * g
                h = o * tf.tanh(c)
                if it.span is not None and t < len(below) - it.span:  # nothing travels into these steps
                    h, c = tf.stop_gradient(h), tf.stop_gradient(c)
                above.append(h)
            below = above
        tops = below if spec.output == "every" else below[-1:]
        scores = [through("head/W", h) + params["head/b"][:, None] for h in tops]
        yhat = tf.stack([tf.transpose(s) for s in scores], axis=1)
        yhat = yhat if spec.output == "every" else yhat[:, 0]
        target = tf.reduce_sum(yhat * tf.constant(case.dy))
    found = dict(
        zip(params, tape.gradient(target, list(params.values()), unconnected_gradients="zero"), strict=True)
    )
    _, trace = case.forward()
    ours = case.backward(trace, isolate(spec, it.zone, "cut", it.span), also=())
    same(ours, {k: np.where(it.zone.mask(k), 0, g.numpy()) for k, g in found.items()}, 1e-11)


def test_carriers_of_every_shape_agree_with_the_masked_product(rng: np.random.Generator) -> None:
    """Gathered rows, gathered receivers, slices and dropped arcs, one by one."""
    W, dz = rng.standard_normal((8, 6)), rng.standard_normal((8, 3))
    store = layer_backward.Store(np.dtype("float64"))
    for rows, columns in product(([0, 1, 2], [1, 4, 6], range(8)), ([0, 1], [0, 2, 5], range(6))):
        r, c, active = np.array(rows), np.array(columns), rng.random((8, 6)) < 0.7
        active[:, [k for k in range(6) if k not in columns]] = False
        used = np.isin(np.arange(8), r)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(work, "COPY", 0)
            passage = work._passage(active, np.arange(8), used, c, np.arange(6))
        out = np.full((6, 3), 7.0)
        layer_backward.carrier(store, passage, W, 3)(dz, out)
        same(out, (W * (active & used[:, None])).T @ dz)


# ---------------------------------------------------------------------------------------------- nothing is allocated


@pytest.mark.parametrize(
    "text", ["nothing", "0[16:64]", f"0[{','.join(map(str, UNITS))}]", "0/Wh", "0/Wx/f | 1/Wh/o"]
)
@pytest.mark.parametrize("depth", ["skip", "cut"])
def test_a_workspace_leaves_nothing_large_to_allocate(text: str, depth: str) -> None:
    """Beside views and lists of rows: gradients and steps use the arrays of the first call again."""
    case = build(ll.Spec(4, (64, 48), 1), T=64, B=48, dtype="float32")
    plan, store = isolate(case.spec, ll.read_zone(case.spec, text), depth), ll.Workspace()
    peaks = []
    for _ in range(2):
        _, trace = case.forward(store)
        tracemalloc.start()
        case.backward(trace, plan, also=())
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    errors = 4 * 64 * 64 * 48 * 4  # bytes of dz of the lower layer
    assert peaks[0] > errors / 5
    assert peaks[1] < errors / 20, f"{peaks[1]:,} bytes at the second call, {peaks[0]:,} at the first"


def test_a_count_may_be_a_number_of_numpy() -> None:
    spec, opt = ll.Spec(1, (2,), 1), ll.Adam()
    runs = []
    for number in (int, np.int64):
        params = ll.init_params(spec)
        state = opt.init(params)
        state.t = {k: number(3) for k in state.t}
        for plan in (None, isolate(spec, zone(spec, gate="f")), None):
            opt.step(params, {k: np.ones_like(p) for k, p in params.items()}, state, plan)
        runs.append(params)
    identical(*runs)


def test_where_no_error_comes_the_gradients_of_x_and_state_are_zero() -> None:
    case = build(ll.Spec(2, (3, 2), 1), T=5)
    _, trace = case.forward()
    for text, reached in (("1/Wx", (1,)), ("head/W", ())):
        found = case.backward(trace, isolate(case.spec, ll.read_zone(case.spec, text), "cut"))
        assert found["x"].shape == case.x.shape
        assert not found["x"].any()
        for k, H in enumerate(case.spec.units):
            for name in ("h0", "c0"):
                assert found[f"{k}/{name}"].shape == (3, H)
                assert found[f"{k}/{name}"].any() == (k in reached)


@pytest.mark.parametrize("bad", ["0/Wx", "0/b", "head/b"])
def test_a_tracked_gradient_that_is_not_finite_leaves_everything_as_it_was(bad: str) -> None:
    """Isolated arcs come last in some parameters and first in others: nothing moves before all are checked."""
    case = build(ll.Spec(2, (3,), 1), dtype="float32")
    plan = isolate(
        case.spec, zone(case.spec, gate="f") | zone(case.spec, layer="head"), "hold", moments="tracked"
    )
    opt, params = ll.Adam(), {k: p.copy() for k, p in case.params.items()}
    state = opt.init(params)
    grads = {k: np.ones_like(p) for k, p in params.items()}
    opt.step(params, grads, state, plan)
    before = {
        part: {k: np.array(a) for k, a in named.items()} for part, named in parts_of(params, state).items()
    }
    grads[bad].flat[0] = np.nan  # the first row is the forget gate's: isolated
    with pytest.raises(ll.adam.NotFinite, match=rf"grads\['{bad}'\] holds 1 of"):
        opt.step(params, grads, state, plan)
    for part, named in parts_of(params, state).items():
        identical({k: np.array(a) for k, a in named.items()}, before[part])
