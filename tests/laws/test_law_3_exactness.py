"""Law 3: isolating nothing is the plain run bit for bit; hold and skip leave active arcs their gradient.

"cut" is the reference in which no isolated arc carries an error, and what autograd finds where isolated arcs read a
stopped copy.
"""

from __future__ import annotations

import tracemalloc
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import lstm_lib as ll
from lstm_lib.isolation import products
from lstm_lib.isolation.plan import isolate
from lstm_lib.network.backward import Carrier
from lstm_lib.network.cells import CELLS
from lstm_lib.network.spec import copy_params
from lstm_lib.network.trace import Memory
from tests.cases import Case, build, identical, plain_backward, plain_forward, same
from tests.laws.cases_of_isolation import ENGINES, MANY, WAYS, Isolated, choose, isolated

ZONES = {
    "nothing": lambda s: ll.nothing(s),
    "everything": lambda s: ll.everything(s),
    "head": lambda s: ll.zone(s, layer="head"),
    "head weights": lambda s: ll.zone(s, layer="head", matrix="W"),
    "head bias": lambda s: ll.zone(s, layer="head", matrix="b"),
    "head, one output": lambda s: ll.zone(s, layer="head", unit=0),
    "all but the head": lambda s: ~ll.zone(s, layer="head"),
    "lowest layer": lambda s: ll.zone(s, layer=0),
    "top layer": lambda s: ll.zone(s, layer=s.layers - 1),
    "a gate": lambda s: ll.zone(s, gate=s.row.gates[-1]),
    "two units": lambda s: ll.zone(s, unit=slice(0, 2)) & ~ll.zone(s, layer="head"),
    "biases": lambda s: ll.zone(s, matrix="b"),
    "all but one arc": lambda s: ~ll.zone(s, layer=0, matrix="Wh", gate="g", unit=1, source=0),
    "an input": lambda s: ll.zone(s, layer=0, matrix="Wx", source=1),
    "scattered": lambda s: (
        ll.zone(s, matrix="Wh", gate="g", unit=1) | ll.zone(s, matrix="Wx", unit=0, source=0)
    ),
}


@pytest.mark.parametrize("engine", ["plain", "compiled"])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("zone", ZONES)
def test_a_plan_leaves_active_arcs_their_gradient_and_isolated_ones_zero(
    zone: str, cell: str, engine: str
) -> None:
    """The reference masks the plain gradients, stopped `span` steps before the end."""
    spec = ll.Spec(2, (3, 2), 2, cell, head="softmax", output="every")
    case, isolated = build(spec, T=11), ZONES[zone](spec)
    _, trace = case.forward(engine=engine)
    _, traces = plain_forward(case)
    for span in (None, 1, 9, 20):
        plain, _ = plain_backward(case, traces, span)
        grads = case.backward(trace, ll.isolate(spec, isolated, span=span), also=())
        same(grads, {k: plain[k] * ~isolated.mask(k) for k in spec.shapes})
        assert not any(grads[k][isolated.mask(k)].any() for k in spec.shapes)
        same(case.backward(trace, ll.isolate(spec, isolated, depth="hold", span=span)), plain)


@MANY
@given(isolated(), WAYS, ENGINES)
def test_hold_and_skip_leave_active_arcs_the_gradient_of_no_isolation(
    it: Isolated, way: str, engine: str
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        choose(way, patch)
        case, spec = it.case, it.case.spec
        _, trace = case.forward(engine=engine)
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
@given(isolated(), WAYS, ENGINES)
def test_cut_is_the_reference_in_which_isolated_arcs_carry_no_error(
    it: Isolated, way: str, engine: str
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        choose(way, patch)
        case, spec = it.case, it.case.spec
        _, trace = case.forward(engine=engine)
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
    return reference["x"] if plan.work.lowest == 0 else np.zeros_like(case.x)


@MANY
@given(isolated("float32"), st.sampled_from(["skip", "cut"]), ENGINES)
def test_a_workspace_and_other_plans_in_between_change_no_bit(it: Isolated, depth: str, engine: str) -> None:
    case, spec, store = it.case, it.case.spec, ll.Workspace()
    plan = isolate(spec, it.zone, depth, it.span)
    _, fresh = case.forward(engine=engine)
    expected = case.backward(fresh, plan, also=())
    for other in (None, isolate(spec, ~it.zone, "cut"), plan, isolate(spec, it.zone, "hold", 1), plan):
        _, trace = case.forward(store, engine)
        case.backward(trace, other, also=())
        found = {k: g.copy() for k, g in case.backward(trace, plan, also=()).items()}
        identical(found, expected)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("engine", ["plain", "compiled"])
@pytest.mark.parametrize("depth", ["hold", "skip", "cut"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_isolating_nothing_is_the_plain_pass_bit_for_bit(
    cell: str, engine: str, depth: str, dtype: str
) -> None:
    for units, output in product([(5,), (4, 3), (2, 3, 4)], ["last", "every"]):
        case = build(ll.Spec(2, units, 2, cell, output=output), T=18, dtype=dtype)
        _, trace = case.forward(engine=engine)
        plain = {k: g.copy() for k, g in case.backward(trace).items()}
        identical(case.backward(trace, isolate(case.spec, ll.nothing(case.spec), depth)), plain)
        for plan in (None, isolate(case.spec, ll.nothing(case.spec), depth)):
            opt, params = ll.Adam(), copy_params(case.params)
            state = opt.init(params)
            for _ in range(3):
                opt.step(params, {k: plain[k] for k in params}, state, plan)
            first = params if plan is None else first  # noqa: F821  # set in the first turn
            identical(params, first)


@settings(max_examples=12, suppress_health_check=[HealthCheck.filter_too_much])
@given(isolated())
def test_cut_is_what_autograd_finds_when_isolated_arcs_read_a_stopped_copy(it: Isolated) -> None:
    """TensorFlow's autograd on a step in which every isolated arc reads its source through stop_gradient."""
    from lstm_lib.keras import tf

    case, spec = it.case, it.case.spec
    assume(spec.head == "linear")
    assume(spec.cell in ("standard", "brief"))
    params = {k: tf.Variable(p) for k, p in case.params.items()}
    act, every = {"sigmoid": tf.sigmoid, "tanh": tf.tanh}, spec.output == "every"

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
                f, i, o, g = (
                    act[spec.row.activations[n]](a) for n, a in zip("fiog", tf.split(z, 4), strict=True)
                )
                c = f * c + i * g
                h = o * tf.tanh(c)
                left, told = (
                    len(below) - t - 1,
                    h,
                )  # steps that follow; what the layer above and the head read
                if it.span is not None and (left % it.span == 0 if every else left >= it.span):
                    h, c = (
                        tf.stop_gradient(h),
                        tf.stop_gradient(c),
                    )  # no error crosses the border behind this step
                above.append(told if every else h)
            below = above
        tops = below if every else below[-1:]
        scores = [through("head/W", h) + params["head/b"][:, None] for h in tops]
        yhat = tf.stack([tf.transpose(s) for s in scores], axis=1)
        yhat = yhat if every else yhat[:, 0]
        target = tf.reduce_sum(yhat * tf.constant(case.dy))
    found = dict(
        zip(params, tape.gradient(target, list(params.values()), unconnected_gradients="zero"), strict=True)
    )
    _, trace = case.forward()
    ours = case.backward(trace, isolate(spec, it.zone, "cut", it.span), also=())
    same(ours, {k: np.where(it.zone.mask(k), 0, g.numpy()) for k, g in found.items()}, 1e-11)


@pytest.mark.parametrize("engine", ["plain", "compiled"])
def test_x_and_state_are_still_found_when_all_arcs_are_isolated(engine: str) -> None:
    for cell in CELLS:
        spec = ll.Spec(2, (3, 2), 2, cell, output="every")
        case = build(spec, T=18)
        _, trace = case.forward(engine=engine)
        full = case.backward(trace)
        grads = case.backward(trace, ll.isolate(spec, ll.everything(spec)))
        wanted = full.keys() - spec.shapes.keys()
        same({k: grads[k] for k in wanted}, {k: full[k] for k in wanted})
        assert not any(grads[k].any() for k in spec.shapes)


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


def test_carriers_of_every_shape_agree_with_the_masked_product(rng: np.random.Generator) -> None:
    """Gathered rows, gathered receivers, slices and dropped arcs, one by one; what is carried is added."""
    W, dz = rng.standard_normal((8, 6)), rng.standard_normal((8, 3))
    for rows, columns in product(([0, 1, 2], [1, 4, 6], range(8)), ([0, 1], [0, 2, 5], range(6))):
        r, c, active = np.array(rows), np.array(columns), rng.random((8, 6)) < 0.7
        active[:, [k for k in range(6) if k not in columns]] = False
        used = np.isin(np.arange(8), r)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(products, "COPY", 0)
            passage = products._passage(active, np.arange(8), used, c, np.arange(6))
        out = np.full((6, 3), 7.0)
        Carrier.of(passage, W, Memory(np.dtype("float64")), 3, "a").add(dz, out)
        same(out, 7 + (W * (active & used[:, None])).T @ dz)


UNITS = np.sort(np.random.default_rng(1).permutation(64)[:48])


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
