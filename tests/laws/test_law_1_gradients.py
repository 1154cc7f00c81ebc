"""Law 1: gradients by hand = TensorFlow's autograd = complex steps = central differences, in float64.

Every network here has random non-zero biases and a non-zero initial state (`cases.build`).
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lstm_lib as ll
from lstm_lib.checks import gradient_check
from lstm_lib.keras import tf_gradients
from lstm_lib.network.cells import CELLS
from lstm_lib.network.losses import LOSSES
from lstm_lib.network.spec import HEADS, OUTPUTS
from tests.cases import KINDS, LENGTHS, Case, build, plain_backward, plain_forward, same

# Two orders of the same sums, relative to the largest entry of an array. A random network can be badly
# conditioned: there the law itself is the bound.
AUTOGRAD, RANDOM = 1e-12, 1e-10


@pytest.fixture(params=KINDS)
def kind(request):
    return KINDS[request.param]


def with_loss(case: Case) -> Case:
    """The case whose error is that of its loss."""
    return case._replace(dy=LOSSES[case.spec.head](case.forward()[0], case.y)[1])


def check_autograd(case: Case, work: ll.Workspace | None = None, tolerance: float = AUTOGRAD) -> None:
    """Loss, every parameter, x, start; dz of both engines; dz and the errors of the states of the plain pair."""
    case = with_loss(case)
    loss, found = tf_gradients(*case[:4], initial=case.initial, also=("x", "state", "steps"))
    steps = {k: found.pop(k) for k in [*found] if k.endswith(("/z", "/c", "/h"))}
    for engine in ("plain", "compiled"):
        yhat, trace = case.forward(work, engine)
        assert LOSSES[case.spec.head](yhat, case.y)[0] == pytest.approx(loss, rel=tolerance)
        for _ in range(2):
            same(case.backward(trace), found, tolerance)
        same(dz_of(case, trace), {k: v for k, v in steps.items() if k.endswith("z")}, tolerance)
    plain_grads, plain_steps = plain_backward(case, plain_forward(case)[1])
    same(plain_grads, found, tolerance)
    same(plain_steps, steps, tolerance)


def dz_of(case: Case, trace: ll.Trace) -> dict[str, np.ndarray]:
    return {f"{k}/z": trace.dz(k) for k in range(case.spec.layers)}


def test_autograd_agrees_on_every_kind_of_network(kind):
    check_autograd(build(kind, T=4, B=2))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("T", LENGTHS)
def test_autograd_agrees_at_every_length_on_a_reused_workspace(T, cell):
    work = ll.Workspace()
    for seed in (0, 1):
        check_autograd(build(ll.Spec(1, (3,), 1, cell), T=T, B=2, seed=seed), work)


@pytest.mark.parametrize("sizes", [(1, 1, 1, 1), (1, 3, 1, 2), (3, 1, 2, 1), (4, 9, 5, 3)])
def test_autograd_agrees_at_the_smallest_sizes(sizes):
    B, H, D, O = sizes
    check_autograd(build(ll.Spec(D, (H, H), O, output="every"), T=3, B=B))


def test_complex_steps_agree_on_every_entry(kind):
    case = build(kind, T=3, B=2)
    gradient_check(*case[:4], initial=case.initial, entries=None).require()


@pytest.mark.parametrize("method", ["central", "projection"])
def test_differences_agree(kind, method):
    case = build(kind, T=4, B=2)
    gradient_check(*case[:4], method, initial=case.initial, entries=6).require()


def test_complex_steps_agree_where_the_error_is_flushed():
    """200 steps with forget gates near 0.5: what is dropped is below the rounding of every gradient."""
    case = build(ll.Spec(1, (3, 2), 1), T=200, B=2)
    case = case._replace(params={k: 0.2 * p for k, p in case.params.items()})
    gradient_check(*case[:4], initial=case.initial, entries=3).require()
    check_autograd_of_params(case)


def check_autograd_of_params(case: Case) -> None:
    case = with_loss(case)
    _, found = tf_gradients(*case[:4], initial=case.initial)
    grads = case.backward(case.forward()[1])
    same({k: grads[k] for k in found}, found, AUTOGRAD)


# ----------------------------------------------------------------------------------------- over random shapes

SIZE = st.integers(1, 4)
CASES = st.builds(
    lambda D, units, O, cell, head, output, T, B, seed: build(
        ll.Spec(D, tuple(units), O, cell, head, output), T, B, seed
    ),
    D=SIZE,
    units=st.lists(SIZE, min_size=1, max_size=3),
    O=SIZE,
    cell=st.sampled_from([*CELLS]),
    head=st.sampled_from(HEADS),
    output=st.sampled_from(OUTPUTS),
    T=st.integers(1, 35),
    B=SIZE,
    seed=st.integers(0, 2**32 - 1),
)


@given(CASES)
def test_both_engines_equal_the_plain_pair(case):
    yhat, traces = plain_forward(case)
    grads, steps = plain_backward(case, traces)
    for engine in ("plain", "compiled"):
        ours, trace = case.forward(engine=engine)
        same(ours, yhat, RANDOM)
        same(case.backward(trace), grads, RANDOM)
        same(dz_of(case, trace), {k: v for k, v in steps.items() if k.endswith("z")}, RANDOM)


@settings(max_examples=settings.default.max_examples // 2)
@given(CASES)
def test_the_gradient_agrees_with_one_complex_step_along_a_random_direction(case):
    rng = np.random.default_rng(0)
    yhat, trace = case.forward()
    dy = LOSSES[case.spec.head](yhat, case.y)[1]
    grads = ll.backward(case.spec, case.params, trace, dy)
    direction = {k: rng.standard_normal(p.shape) for k, p in case.params.items()}
    moved = {k: p + 1e-30j * direction[k] for k, p in case.params.items()}
    out, _ = ll.forward(case.spec, moved, case.x, initial=case.initial)
    measured = LOSSES[case.spec.head](out, case.y)[0].imag / 1e-30
    parts = {k: (grads[k] * direction[k]).sum() for k in grads}
    assert sum(parts.values()) == pytest.approx(measured, abs=RANDOM * sum(map(abs, parts.values())) + 1e-300)


@settings(max_examples=settings.default.max_examples // 10)
@given(CASES)
def test_autograd_agrees_on_random_networks(case):
    check_autograd(case, tolerance=RANDOM)
