"""Forward and backward pass against the plain pair of `step.py`, on both engines, and what else they promise.

That the plain pair is right is shown in test_cells.py; that both agree with TensorFlow in tests/laws.
"""

import numpy as np
import pytest

import lstm_lib as ll
from lstm_lib.network.cells import CELLS
from lstm_lib.network.spec import check_params
from tests.cases import KINDS, LENGTHS, Case, build, identical, plain_backward, plain_forward, same

STACK = ll.Spec(2, (3, 2), 2, output="every")
SHAPES = [*((T, 3, (3, 2)) for T in LENGTHS), (1, 1, (1,)), (9, 1, (1, 1)), (9, 64, (64,)), (14, 50, (50,))]


@pytest.fixture(params=KINDS)
def kind(request):
    return KINDS[request.param]


@pytest.fixture(params=SHAPES, ids=lambda s: f"T{s[0]}-B{s[1]}-H{s[2]}")
def shaped(request):
    """Lengths that cross the blocks of the backward pass, and the smallest and largest rows."""
    T, B, units = request.param
    return build(ll.Spec(1, units, 1, output="every"), T=T, B=B, seed=T)


@pytest.fixture(autouse=True, params=["plain", "compiled"])
def engine(request, monkeypatch):
    """Every test runs on both engines."""
    monkeypatch.setenv("LSTM_LIB_ENGINE", request.param)
    return request.param


# --------------------------------------------------------------------------- what is asked for besides the spec


@pytest.mark.parametrize("head", ["linear", "softmax"])
def test_a_pass_may_put_out_every_step_though_the_spec_says_the_last(head):
    last, every = (ll.Spec(2, (3, 2), 2, head=head, output=output) for output in ("last", "every"))
    case = build(every)
    expected, trace = case.forward()
    found, other = ll.forward(last, case.params, case.x, initial=case.initial, output="every")
    identical(found, expected)
    identical(ll.backward(last, case.params, other, case.dy), ll.backward(every, case.params, trace, case.dy))
    only, end = case.forward(output="last")
    identical(only, expected[:, -1])
    assert (other.every, end.every) == (True, False)
    with pytest.raises(ValueError, match="output is 'all'; the choices are 'last', 'every'"):
        case.forward(output="all")


@pytest.mark.parametrize("cell", CELLS)
def test_a_pass_goes_on_from_the_states_of_another(cell):
    case = build(ll.Spec(2, (3, 2), 1, cell, output="every"), T=7)
    whole, _ = case.forward()
    first, trace = ll.forward(case.spec, case.params, case.x[:, :4], initial=case.initial)
    rest, _ = ll.forward(case.spec, case.params, case.x[:, 4:], initial=trace.states())
    same(np.concatenate([first, rest], axis=1), whole)


def test_states_of_another_network_are_refused():
    case = build(STACK)
    for initial, said in (
        (case.initial[:1], "initial holds the states of 1 layers; the network has 2"),
        ([(a[:2], c) for a, c in case.initial], r"initial\[0\] h has shape \(2, 3\); expected \(3, 3\)"),
    ):
        with pytest.raises(ValueError, match=said):
            ll.forward(case.spec, case.params, case.x, initial=initial)


# ------------------------------------------------------------------------------------- both passes = plain pair


def check_forward(case: Case) -> None:
    yhat, traces = plain_forward(case)
    ours, trace = case.forward()
    same(ours, yhat)
    assert ours.flags.c_contiguous
    assert trace.yhat is ours
    for k, steps in enumerate(traces):
        layer = trace.layer(k)
        for name in layer._fields:
            same(getattr(layer, name), np.stack([getattr(step, name) for step in steps]))


def check_backward(case: Case) -> None:
    grads, steps = plain_backward(case, plain_forward(case)[1])
    _, trace = case.forward()
    same(case.backward(trace), grads)
    for k in range(case.spec.layers):
        same(trace.dz(k), steps[f"{k}/z"])


@pytest.mark.parametrize("T", [3, 18])
def test_forward_equals_the_plain_pair(kind, T):
    check_forward(build(kind, T=T))


@pytest.mark.parametrize("T", [3, 18])
def test_backward_equals_the_plain_pair(kind, T):
    check_backward(build(kind, T=T))


def test_forward_equals_the_plain_pair_at_every_length(shaped):
    check_forward(shaped)


def test_backward_equals_the_plain_pair_at_every_length(shaped):
    check_backward(shaped)


def test_also_adds_exactly_what_it_names(kind):
    case = build(kind)
    _, trace = case.forward()
    full = case.backward(trace, also=("x", "state"))
    states = {f"{k}/{name}0" for k in range(kind.layers) for name in kind.row.states}
    assert full.keys() == {*kind.shapes, "x"} | states
    for also, more in (((), set()), (["x"], {"x"}), ("x", {"x"}), ({"state"}, states)):
        grads = case.backward(trace, also=also)
        assert grads.keys() == {*kind.shapes} | more
        same(grads, {k: full[k] for k in grads})


def test_no_initial_state_is_the_zero_state(kind):
    case = build(kind)
    zero = case._replace(initial=[tuple(np.zeros_like(a) for a in states) for states in case.initial])
    identical(ll.forward(case.spec, case.params, case.x)[0], zero.forward()[0])
    assert not np.allclose(zero.forward()[0], case.forward()[0])


# ------------------------------------------------------------------------------------ calls after the first


@pytest.mark.parametrize("work", [None, ll.Workspace()], ids=["owned", "workspace"])
def test_a_second_call_gives_the_same(kind, work):
    case = build(kind, T=9)
    results = []
    for _ in range(2):
        yhat, trace = case.forward(work)
        grads = {k: g.copy() for k, g in case.backward(trace).items()}
        identical(case.backward(trace), grads)  # the same trace once more
        results.append((yhat.copy(), grads))
    identical(results[0][0], results[1][0])
    identical(results[0][1], results[1][1])


def test_a_workspace_changes_no_bit_whatever_it_was_used_for_before(kind):
    work = ll.Workspace()
    case = build(kind, T=9)
    for other in (build(kind, T=9, seed=5), build(kind, T=4, B=2), build(kind, T=9, dtype="float32")):
        _, trace = other.forward(work)
        other.backward(trace)
        other.backward(trace, ll.isolate(kind, ll.zone(kind, gate=kind.row.gates[0]), span=1), also=())
    yhat, trace = case.forward(work)
    alone, own = case.forward()
    identical(yhat, alone)
    identical(case.backward(trace), case.backward(own))
    # without an initial state nothing of the last one may be left
    identical(ll.forward(kind, case.params, case.x, work)[0], ll.forward(kind, case.params, case.x)[0])


def test_without_a_workspace_traces_and_gradients_own_their_arrays():
    case, other = build(STACK), build(STACK, seed=1)
    yhat, trace = case.forward()
    grads = case.backward(trace)
    kept = yhat.copy(), {k: g.copy() for k, g in grads.items()}, trace.layer(0).f.copy()
    again, newer = other.forward()
    other_grads = other.backward(newer)
    more = other.backward(newer)
    for k in grads:
        assert not np.shares_memory(grads[k], other_grads[k])
        assert not np.shares_memory(other_grads[k], more[k])
    assert not np.shares_memory(yhat, again)
    identical(yhat, kept[0])
    identical(grads, kept[1])
    identical(np.ascontiguousarray(trace.layer(0).f), kept[2])
    identical(case.backward(trace), kept[1])


def test_a_workspace_reuses_the_large_arrays_but_never_the_forecast():
    case, work = build(STACK), ll.Workspace()
    yhat, trace = case.forward(work)
    first = case.backward(trace)["0/Wh"]
    gates = trace.layer(0).f
    again, trace = case.forward(work)
    assert np.shares_memory(trace.layer(0).f, gates)
    assert np.shares_memory(case.backward(trace)["0/Wh"], first)
    assert not np.shares_memory(yhat, again)


def test_a_trace_that_was_overwritten_is_refused():
    case, work = build(STACK), ll.Workspace()
    _, old = case.forward(work)
    _, other_shape = build(STACK, T=3).forward(work)
    case.backward(old)  # another shape has arrays of its own
    case.forward(work)
    for use in (lambda: case.backward(old), lambda: old.layer(0), lambda: old.dz(0)):
        with pytest.raises(ValueError, match="overwritten by a later forward"):
            use()
    other_shape.check()


def test_forward_and_backward_leave_their_arguments_alone():
    case = build(STACK)
    before = build(STACK)
    _, trace = case.forward()
    case.backward(trace, ll.isolate(STACK, ll.zone(STACK, gate="f")))
    identical(case.params, before.params)
    for name in ("x", "dy"):
        identical(getattr(case, name), getattr(before, name))


@pytest.mark.parametrize("layout", ["fortran", "strided"])
def test_arrays_of_any_layout_are_taken(layout):
    case = build(STACK)

    def laid_out(a):
        return np.asfortranarray(a) if layout == "fortran" else np.repeat(a, 2, axis=-1)[..., ::2]

    odd = case._replace(
        params={k: laid_out(p) for k, p in case.params.items()}, x=laid_out(case.x), dy=laid_out(case.dy)
    )
    yhat, trace = odd.forward()
    same(yhat, case.forward()[0])
    same(odd.backward(trace), case.backward(case.forward()[1]))


# ----------------------------------------------------------------------------- numbers: dtypes, tiny errors


@pytest.mark.parametrize("T", [5, 40])
def test_float32_is_float64_rounded(kind, T):
    case = build(kind, T=T, dtype="float32")
    wide = case.astype("float64")
    (yhat, trace), (wide_yhat, wide_trace) = case.forward(), wide.forward()
    assert yhat.dtype == np.float32
    grads = case.backward(trace)
    assert {g.dtype.name for g in grads.values()} == {"float32"}
    # the compiled engine's tanh is good to a few units in the last place, which shows in the slope of a full gate
    tolerance = 1e-4 if trace.engine == "plain" else 5e-4
    same(yhat, wide_yhat)
    same(grads, wide.backward(wide_trace), tolerance)


def decaying(T: int, size: float, dtype: str, output: str = "last") -> tuple[Case, ll.Trace, dict]:
    """Forget gates near 0.5 and small weights, so that the error halves at every step back."""
    case = build(ll.Spec(1, (4, 3), 1, output=output), T=T, dtype="float32").astype(dtype)
    params = {k: p * p.dtype.type(0.2) for k, p in case.params.items()}
    dy = np.abs(case.dy) * case.dy.dtype.type(size)
    if output == "every":
        dy[:, :-1] = 0  # errors could arrive at every step, but none does before the last
    case = case._replace(params=params, dy=dy)
    _, trace = case.forward()
    return case, trace, case.backward(trace)


@pytest.mark.parametrize("output", ["last", "every"])
@pytest.mark.parametrize("T", [200, 333])
def test_subnormal_numbers_do_not_outlive_a_block(T, output):
    """Errors are looked at once in a block of at most 16 steps; else more than 40 steps are subnormal."""
    case, trace, grads = decaying(T, 1.0, "float32", output)
    for k in range(2):
        dz = np.abs(trace.dz(k))
        subnormal = (dz > 0) & (dz < np.finfo("float32").tiny)
        assert subnormal.any(axis=(1, 2)).sum() <= 16
        assert subnormal.mean() < 1e-3
    _, _, wide = decaying(T, 1.0, "float64", output)
    same({k: grads[k] for k in case.params}, {k: wide[k] for k in case.params})


def test_the_pass_ends_early_when_no_error_is_left():
    """The last steps walked are far from the first, and what they would have added is zero in float32."""
    case, trace, grads = decaying(400, 1.0, "float32")
    assert not grads["x"][:, :150].any()
    assert grads["x"][:, -50:].all()
    assert not grads["0/h0"].any()
    assert not grads["0/c0"].any()


def test_every_error_that_counts_is_kept_up_to_the_end_of_the_pass():
    """Down to where float32 would lose its digits, dz is that of the plain pair in float64."""
    case, trace, _ = decaying(400, 1.0, "float32")
    wide = case.astype("float64")
    _, steps = plain_backward(wide, plain_forward(wide)[1])
    for k in range(2):
        reference = steps[f"{k}/z"]
        counts = np.abs(reference) > 1e-30
        assert counts.any(axis=(1, 2)).sum() > 70
        np.testing.assert_allclose(trace.dz(k)[counts], reference[counts], rtol=1e-2)


def test_an_error_that_arrives_after_a_long_silence_is_not_lost():
    """By step 3 nothing is left of the last step's error; the pass must go on for what arrives there."""
    case, _, _ = decaying(400, 1.0, "float32", "every")
    case.dy[:, 3] = 1
    wide = case.astype("float64")
    reference, _ = plain_backward(wide, plain_forward(wide)[1])
    grads = case.backward(case.forward()[1])
    assert np.abs(reference["0/h0"]).max() > 1e-6
    same(grads, reference)


@pytest.mark.parametrize("output", ["last", "every"])
def test_a_tiny_error_gives_gradients_scaled_with_it(output):
    """float32 reaches down to 1e-38: an error of 1e-30 must not be taken for none."""
    case, _, plain = decaying(60, 1.0, "float32", output)
    _, _, scaled = decaying(60, 1e-30, "float32", output)
    for k in case.params:
        same(scaled[k] / np.float32(1e-30), plain[k], 1e-5)


@pytest.mark.parametrize("size", [1.0, 1e-30])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_size_of_an_error_is_that_of_its_magnitude(sign, size):
    """With errors of one sign alone: tiny negative ones are not lost, large negative ones still flushed."""
    case, _, _ = decaying(200, size, "float32")
    head = np.abs(case.params["head/W"]) * np.float32(sign)
    case = case._replace(params=case.params | {"head/W": head})
    _, trace = case.forward()
    grads, reference = case.backward(trace), plain_backward(case, plain_forward(case)[1])[0]
    unit = np.float32(size)
    same({k: grads[k] / unit for k in case.params}, {k: reference[k] / unit for k in case.params}, 1e-5)
    if size == 1.0:
        assert not trace.dz(1)[:50].any()  # the pass ended


def test_flushing_changes_no_float64_gradient_beyond_rounding():
    case, _, grads = decaying(400, 1.0, "float64")
    reference, _ = plain_backward(case, plain_forward(case)[1])
    same({k: grads[k] for k in case.params}, {k: reference[k] for k in case.params}, 1e-14)


def test_a_large_error_is_kept_at_its_size():
    case, _, plain = decaying(60, 1.0, "float32")
    _, _, scaled = decaying(60, 1e20, "float32")
    same({k: scaled[k] / np.float32(1e20) for k in case.params}, {k: plain[k] for k in case.params}, 1e-5)


def test_no_error_gives_zero_gradients():
    case = build(STACK, T=18)
    case = case._replace(dy=np.zeros_like(case.dy))
    assert not any(g.any() for g in case.backward(case.forward()[1]).values())


# ------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: {k: v for k, v in p.items() if k != "0/b"}, r"missing \['0/b'\], unknown \[\]"),
        (lambda p: p | {"2/b": p["0/b"]}, r"missing \[\], unknown \['2/b'\]"),
        (lambda p: p | {"0/b": np.zeros(3)}, r"params\['0/b'\] has shape \(3,\); the spec expects \(12,\)"),
        (lambda p: p | {"0/b": p["0/b"].astype("float32")}, r"params\['0/b'\] is float32 but .* is float64"),
        (
            lambda p: {k: v.astype("int64") for k, v in p.items()},
            r"params have dtype int64; expected float32 or float64",
        ),
    ],
)
def test_params_that_do_not_fit_are_refused(change, message):
    case = build(STACK)
    for use in (lambda p: check_params(STACK, p), lambda p: ll.forward(STACK, p, case.x)):
        with pytest.raises(ValueError, match=message):
            use(change(case.params))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((3, 5, 1)), r"x has shape \(3, 5, 1\); expected \(batch, steps, 2\)"),
        (np.zeros((5, 2)), r"x has shape \(5, 2\); expected \(batch, steps, 2\)"),
        (np.zeros((0, 5, 2)), r"x has shape \(0, 5, 2\); it holds no sample or no step"),
        (np.zeros((3, 0, 2)), r"holds no sample or no step"),
        (
            np.zeros((3, 5, 2), "float32"),
            r"x is float32 but the parameters are float64; convert one with .astype\(\)",
        ),
    ],
)
def test_an_x_that_does_not_fit_is_refused(x, message):
    with pytest.raises(ValueError, match=message):
        ll.forward(STACK, build(STACK).params, x)


@pytest.mark.parametrize(("k", "place", "name"), [(0, 0, "h"), (0, 1, "c"), (1, 0, "h"), (1, 1, "c")])
def test_an_initial_state_of_another_shape_is_refused(k, place, name):
    case = build(STACK)
    state = [list(pair) for pair in case.initial]
    state[k][place] = np.zeros((3, 7))
    with pytest.raises(
        ValueError, match=rf"initial.* {name} has shape \(3, 7\); expected \(3, {STACK.units[k]}\)"
    ):
        case._replace(initial=state).forward()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dy": np.zeros((3, 2))}, r"dy is float64 \(3, 2\); expected float64 \(3, 5, 2\), as yhat"),
        ({"dy": np.zeros((3, 5, 2), "float32")}, r"dy is float32 \(3, 5, 2\); expected float64 \(3, 5, 2\)"),
        ({"also": ("h",)}, r"also=\['h'\] is unknown; the choices are 'x' and 'state'"),
        (
            {"spec": ll.Spec(2, (3, 2), 2)},
            r"the trace was made for Spec\(.*output='every'\), not for Spec\(.*'last'\)",
        ),
        (
            {"plan": ll.isolate(ll.Spec(1, (1,), 1), ll.nothing(ll.Spec(1, (1,), 1)))},
            r"the plan was made for Spec\(inputs=1",
        ),
    ],
)
def test_backward_refuses(arguments, message):
    case = build(STACK)
    _, trace = case.forward()
    given = {"spec": STACK, "params": case.params, "trace": trace, "dy": case.dy} | arguments
    with pytest.raises(ValueError, match=message):
        ll.backward(**given)


def test_errors_belong_to_the_forward_pass_before_them():
    """With a workspace the arrays of an earlier pass are still there, and must not be taken for this one's."""
    case, work = build(STACK), ll.Workspace()
    for again in (False, True):
        _, trace = ll.forward(STACK, case.params, case.x, work)
        with pytest.raises(ValueError, match="layer 0 has no errors; run backward"):
            trace.dz(0)
        ll.backward(STACK, case.params, trace, case.dy)
        assert trace.dz(0).any(), again
