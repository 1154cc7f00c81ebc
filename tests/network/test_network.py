"""The fast path against the plain pair of `cell.py`, and what else `network.py` promises. NumPy alone.

That the plain pair is right is shown in test_cell.py; that both agree with TensorFlow in test_gradients.py.
"""

import numpy as np
import pytest

import lstm_lib as ll
from lstm_lib.network.network import LOSSES
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


# ----------------------------------------------------------------------------------- fast path = plain pair


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
    states = {f"{k}/{name}0" for k in range(kind.layers) for name in "hc"}
    assert full.keys() == {*kind.shapes, "x"} | states
    for also, more in (((), set()), (["x"], {"x"}), ("x", {"x"}), ({"state"}, states)):
        grads = case.backward(trace, also=also)
        assert grads.keys() == {*kind.shapes} | more
        same(grads, {k: full[k] for k in grads})


def test_no_initial_state_is_the_zero_state(kind):
    case = build(kind)
    zero = case._replace(initial=[(np.zeros_like(h), np.zeros_like(c)) for h, c in case.initial])
    identical(ll.forward(case.spec, case.params, case.x)[0], zero.forward()[0])
    assert not np.allclose(zero.forward()[0], case.forward()[0])


# ------------------------------------------------------------------------ isolation, as far as it runs here

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
    "a gate": lambda s: ll.zone(s, gate="i"),
    "two units": lambda s: ll.zone(s, unit=slice(0, 2)) & ~ll.zone(s, layer="head"),
    "biases": lambda s: ll.zone(s, matrix="b"),
    "all but one arc": lambda s: ~ll.zone(s, layer=0, matrix="Wh", gate="o", unit=1, source=0),
    "an input": lambda s: ll.zone(s, layer=0, matrix="Wx", source=1),
    "scattered": lambda s: (
        ll.zone(s, matrix="Wh", gate="fg", unit=1) | ll.zone(s, matrix="Wx", unit=0, source=0)
    ),
}
PLANNED = {
    "one layer": ll.Spec(2, (3,), 2),
    "two layers": STACK,
    "three layers": ll.Spec(2, (3, 2, 2), 2, "brief", head="softmax"),
}


@pytest.mark.parametrize("name", PLANNED)
@pytest.mark.parametrize("zone", ZONES)
def test_a_plan_leaves_active_arcs_their_gradient_and_isolated_ones_zero(zone, name):
    """The reference masks the plain gradients, stopped `span` steps before the end."""
    spec = PLANNED[name]
    case, isolated = build(spec, T=11), ZONES[zone](spec)
    _, trace = case.forward()
    _, traces = plain_forward(case)
    for span in (None, 1, 9, 20):
        plain, _ = plain_backward(case, traces, span)
        grads = case.backward(trace, ll.isolate(spec, isolated, span=span), also=())
        same(grads, {k: plain[k] * ~isolated.mask(k) for k in spec.shapes})
        assert not any(grads[k][isolated.mask(k)].any() for k in spec.shapes)
        same(case.backward(trace, ll.isolate(spec, isolated, depth="hold", span=span)), plain)


@pytest.mark.parametrize("name", PLANNED)
def test_isolating_nothing_is_the_plain_pass_bit_for_bit(name):
    case = build(PLANNED[name], T=18)
    _, trace = case.forward()
    for depth in ("hold", "skip"):
        plan = ll.isolate(case.spec, ll.nothing(case.spec), depth, span=18)
        identical(case.backward(trace, plan), case.backward(trace))


def test_x_and_state_are_still_found_when_all_arcs_are_isolated():
    case = build(STACK, T=18)
    _, trace = case.forward()
    full = case.backward(trace)
    grads = case.backward(trace, ll.isolate(STACK, ll.everything(STACK)))
    wanted = full.keys() - STACK.shapes.keys()
    same({k: grads[k] for k in wanted}, {k: full[k] for k in wanted})
    assert not any(grads[k].any() for k in STACK.shapes)


def test_layers_below_the_lowest_active_arc_are_left_alone():
    case = build(STACK)
    for zone, untouched in ((ll.zone(STACK, layer=0), [0]), (~ll.zone(STACK, layer="head"), [0, 1])):
        _, trace = case.forward()
        case.backward(trace, ll.isolate(STACK, zone), also=())
        for k in untouched:
            with pytest.raises(ValueError, match=f"layer {k} has no errors; run backward"):
                trace.dz(k)
        case.backward(trace)
        assert all(trace.dz(k).any() for k in untouched)
        case.backward(trace, ll.isolate(STACK, zone), also=())
        assert not any(trace.dz(k).any() for k in untouched)


def test_dz_is_a_copy_and_zero_before_the_span():
    case = build(STACK, T=18)
    _, trace = case.forward()
    case.backward(trace, ll.isolate(STACK, ll.nothing(STACK), span=3), also=())
    dz = trace.dz(1)
    assert not dz[:15].any()
    assert dz[15:].all()
    dz[...] = 7
    assert not (trace.dz(1) == 7).any()


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
        other.backward(trace, ll.isolate(kind, ll.zone(kind, gate="f"), span=1), also=())
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
    same(yhat, wide_yhat)
    same(grads, wide.backward(wide_trace))


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


# --------------------------------------------------------------------------------------------------- losses


def test_mse_by_hand():
    loss, dy = ll.mse(np.array([[1.0], [4.0]]), np.array([[0.0], [2.0]]))
    assert loss == 2.5
    assert dy.tolist() == [[1.0], [2.0]]


@pytest.mark.parametrize("shape", [(4, 2), (3, 5, 2)])
def test_mse_derivative_by_complex_step(shape):
    yhat, y = np.random.default_rng(1).standard_normal((2, *shape))
    _, dy = ll.mse(yhat, y)
    for at in np.ndindex(shape):
        moved = yhat.astype(complex)
        moved[at] += 1e-30j
        assert ll.mse(moved, y)[0].imag / 1e-30 == pytest.approx(dy[at], rel=1e-13)


def test_cross_entropy_by_hand():
    loss, ds = ll.cross_entropy(np.array([[0.25, 0.75], [0.5, 0.5]]), np.array([0, 1]))
    assert loss == pytest.approx((np.log(4) + np.log(2)) / 2)
    same(ds, np.array([[-0.375, 0.375], [0.25, -0.25]]))


@pytest.mark.parametrize("output", ["last", "every"])
def test_cross_entropy_derivative_of_the_scores_by_complex_step(output):
    """The head's bias is a score: moving it moves the scores, through the softmax that forward applies."""
    case = build(ll.Spec(2, (3,), 3, head="softmax", output=output))
    yhat, trace = case.forward()
    ds = ll.cross_entropy(yhat, case.y)[1]
    summed = ds.reshape(-1, 3).sum(axis=0)
    for o in range(3):
        params = {k: p.astype(complex) for k, p in case.params.items()}
        params["head/b"][o] += 1e-30j
        loss, _ = ll.cross_entropy(ll.forward(case.spec, params, case.x, initial=case.initial)[0], case.y)
        assert loss.imag / 1e-30 == pytest.approx(summed[o], rel=1e-12)


@pytest.mark.parametrize("shape", [(4,), (4, 5)])
def test_class_numbers_are_one_hot_rows(shape):
    rng = np.random.default_rng(2)
    classes = rng.integers(0, 3, shape)
    p = rng.dirichlet(np.ones(3), shape).astype("float32")
    for y in (np.eye(3, dtype="float32")[classes], np.eye(3)[classes].astype("float32")):
        assert ll.cross_entropy(p, classes)[0] == ll.cross_entropy(p, y)[0]
        identical(ll.cross_entropy(p, classes)[1], ll.cross_entropy(p, y)[1])
    assert ll.cross_entropy(p, classes)[1].dtype == np.float32
    flat, ds = ll.cross_entropy(p.reshape(-1, 3), classes.ravel())  # the mean over samples and steps alike
    assert ll.cross_entropy(p, classes)[0] == pytest.approx(flat, rel=1e-6)
    same(ll.cross_entropy(p, classes)[1].reshape(-1, 3), ds)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_cross_entropy_of_an_impossible_class_stays_finite(dtype):
    loss, ds = ll.cross_entropy(np.array([[0.0, 1.0]], dtype), np.array([0]))
    assert loss == pytest.approx(-np.log(np.finfo(dtype).tiny))
    assert ds.tolist() == [[-1.0, 1.0]]


@pytest.mark.parametrize("scores", [[0.0, 0.0, 0.0], [1000.0, 0.0, -1000.0], [-1e4, -1e4, -1e4]])
def test_softmax_is_finite_adds_up_and_knows_no_common_shift(scores):
    spec = ll.Spec(1, (1,), 3, head="softmax")
    params = {k: np.zeros(shape) for k, shape in spec.shapes.items()} | {"head/b": np.array(scores)}
    yhat, _ = ll.forward(spec, params, np.zeros((2, 2, 1)))
    expected = [1 / 3] * 3 if len(set(scores)) == 1 else [1.0, 0.0, 0.0]
    same(yhat, np.array([expected] * 2))


def test_every_head_has_its_loss():
    assert LOSSES["linear"] is ll.mse
    assert LOSSES["softmax"] is ll.cross_entropy
    assert len(LOSSES) == 2


# --------------------------------------------------------------------------------------- shapes and weights


def test_shapes_of_a_stack():
    spec = ll.Spec(5, (3, 2), 4)
    assert spec.shapes == {
        "0/Wx": (12, 5), "0/Wh": (12, 3), "0/b": (12,), "1/Wx": (8, 3), "1/Wh": (8, 2), "1/b": (8,),
        "head/W": (4, 2), "head/b": (4,),
    }  # fmt: skip
    assert [*spec.shapes] == ["0/Wx", "0/Wh", "0/b", "1/Wx", "1/Wh", "1/b", "head/W", "head/b"]
    assert spec.size == 60 + 36 + 12 + 24 + 16 + 8 + 8 + 4
    assert (spec.layers, spec.fan_in(0), spec.fan_in(1)) == (2, 5, 3)
    assert ll.Spec(5, 3, 4).units == (3,)
    assert ll.Spec(5, [3, 2], 4) == spec


def test_initial_weights_are_glorot_orthogonal_and_zero_but_for_the_forget_gate():
    spec = ll.Spec(20, (16, 12), 9)
    params = ll.init_params(spec, seed=3, dtype="float64", forget_bias=1.5)
    assert {k: p.shape for k, p in params.items()} == spec.shapes
    rng = np.random.default_rng(3)
    for k, p in params.items():
        if k.endswith("/Wh"):
            same(p.T @ p, np.eye(p.shape[1]))
            # uniform over orthogonal matrices: p is the Q of the draw whose R has a positive diagonal
            r = p.T @ rng.standard_normal(p.shape)
            same(np.tril(r, -1), np.zeros_like(r), 1e-12 / 1e-300)
            assert (np.diag(r) > 0).all()
        elif p.ndim == 2:
            limit = np.sqrt(6 / (p.shape[0] + p.shape[1]))
            identical(p, rng.uniform(-limit, limit, p.shape))
        elif k == "head/b":
            assert not p.any()
        else:
            H = len(p) // 4
            assert p.tolist() == [1.5] * H + [0.0] * 3 * H


def test_initial_weights_by_default():
    spec = ll.Spec(2, (3,), 1)
    params = ll.init_params(spec)
    assert {p.dtype.name for p in params.values()} == {"float32"}
    assert params["0/b"][:3].tolist() == [1.0] * 3
    identical(params, ll.init_params(spec, seed=0, dtype=np.float32, forget_bias=1.0))
    assert not np.array_equal(params["0/Wx"], ll.init_params(spec, seed=1)["0/Wx"])
    wide = ll.init_params(spec, dtype="float64")
    identical(params, {k: p.astype("float32") for k, p in wide.items()})


# ------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": 0}, r"Spec.inputs must be a whole number of at least 1, got 0"),
        ({"inputs": 2.0}, r"Spec.inputs must be .* got 2.0"),
        ({"inputs": True}, r"Spec.inputs must be .* got True"),
        ({"outputs": -1}, r"Spec.outputs must be .* got -1"),
        ({"units": (3, 0)}, r"Spec.units must be .* got 0"),
        ({"units": ()}, r"Spec.units is empty; give one entry a layer"),
        ({"cell": "gru"}, r"unknown cell 'gru'; the cells are brief, standard"),
        ({"head": "relu"}, r"Spec.head is 'relu'; the choices are linear, softmax"),
        ({"output": "first"}, r"Spec.output is 'first'; the choices are last, every"),
    ],
)
def test_a_spec_refuses(change, message):
    with pytest.raises(ValueError, match=message):
        ll.Spec(**({"inputs": 2, "units": (3,), "outputs": 1} | change))


@pytest.mark.parametrize("dtype", ["float16", "int64", "complex128"])
def test_init_params_refuses_other_dtypes(dtype):
    with pytest.raises(ValueError, match=f"dtype is {dtype}; the choices are float32, float64"):
        ll.init_params(STACK, dtype=dtype)


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


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ll.mse(np.zeros((3, 1)), np.zeros(3)), r"yhat has shape \(3, 1\) but y has shape \(3,\)"),
        (
            lambda: ll.cross_entropy(np.full((2, 2), 0.5), np.array([0, 2])),
            r"class numbers must lie in 0..1, got 0..2",
        ),
        (
            lambda: ll.cross_entropy(np.full((2, 2), 0.5), np.array([-1, 1])),
            r"class numbers must lie in 0..1, got -1..1",
        ),
        (
            lambda: ll.cross_entropy(np.full((2, 2), 0.5), np.array([0.0, 1.0])),
            r"y has shape \(2,\) and dtype float64",
        ),
        (
            lambda: ll.cross_entropy(np.full((2, 2), 0.5), np.zeros((3, 2))),
            r"expected \(2, 2\), or class numbers \(2,\)",
        ),
    ],
)
def test_losses_refuse(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_errors_belong_to_the_forward_pass_before_them():
    """With a workspace the arrays of an earlier pass are still there, and must not be taken for this one's."""
    case, work = build(STACK), ll.Workspace()
    for again in (False, True):
        _, trace = ll.forward(STACK, case.params, case.x, work)
        with pytest.raises(ValueError, match="layer 0 has no errors; run backward"):
            trace.dz(0)
        ll.backward(STACK, case.params, trace, case.dy)
        assert trace.dz(0).any(), again
