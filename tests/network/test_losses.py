"""The losses and their derivatives."""

import numpy as np
import pytest

import lstm_lib as ll
from lstm_lib.network.losses import LOSSES, loss_of, pinball
from lstm_lib.network.spec import HEADS
from tests.cases import build, identical, same


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


@pytest.mark.parametrize("head", LOSSES)
def test_what_does_not_count_is_left_out_whatever_stands_there(head, rng):
    yhat, y = rng.dirichlet(np.ones(2), (2, 3, 5)).astype("float32")
    weights = np.zeros((3, 5), bool)
    weights[:, 2:] = True
    loss, dy = LOSSES[head](yhat[:, 2:], y[:, 2:])
    y[:, :2] = np.nan
    found, all_dy = LOSSES[head](yhat, y, weights)
    assert found == pytest.approx(loss, rel=1e-6)
    assert (all_dy.dtype, all_dy[:, :2].any()) == (np.float32, False)
    same(all_dy[:, 2:], dy)


@pytest.mark.parametrize("head", LOSSES)
def test_a_sample_of_weight_two_counts_as_two(head, rng):
    yhat, y = rng.dirichlet(np.ones(2), (2, 3))
    loss, dy = LOSSES[head](yhat, y, np.array([2, 0, 1]))
    twice, all_dy = LOSSES[head](yhat[[0, 0, 2]], y[[0, 0, 2]])
    assert loss == pytest.approx(twice, rel=1e-14)
    same(dy, np.stack([all_dy[0] + all_dy[1], np.zeros(2), all_dy[2]]))


@pytest.mark.parametrize(
    "weights", [np.ones(2), np.ones((3, 2)), np.zeros(3), np.array([1, -1, 2]), np.full(3, np.nan)]
)
def test_weights_that_do_not_fit_are_refused(weights):
    for loss in LOSSES.values():
        with pytest.raises(
            ValueError, match=r"weights have shape .* expected \(3,\), none below 0, and a sum above 0"
        ):
            loss(np.ones((3, 2)), np.ones((3, 2)), weights)


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
    assert LOSSES["quantiles"] is pinball
    assert tuple(LOSSES) == HEADS
    spec = ll.Spec(1, (2,), 4, head="quantiles", levels=(0.1, 0.8))
    yhat, y = np.random.default_rng(3).standard_normal((2, 5, 4))
    assert loss_of(spec)(yhat, y[:, :2])[0] == pinball(yhat, y[:, :2], levels=(0.1, 0.8))[0]


@pytest.mark.parametrize("shape", [(400, 2), (40, 10, 2)])
def test_the_constant_of_least_pinball_loss_is_the_quantile(shape):
    """Of 400 numbers; where no quantile is a number itself, its derivative changes sign there alone."""
    y, levels = np.random.default_rng(2).gamma(2.0, size=shape), (0.101, 0.5, 0.901)
    found = np.quantile(y.reshape(-1, 2), levels, axis=0, method="inverted_cdf").T.ravel()
    for shift, sign in ((-1e-9, -1), (1e-9, 1)):
        _, dy = pinball(np.broadcast_to(found + shift, (*shape[:-1], 6)), y, levels=levels)
        assert np.sign(dy.reshape(-1, 6).sum(axis=0)).tolist() in ([sign] * 6, [sign, 0, sign] * 2)
    assert dy.dtype == np.float64


def test_pinball_by_hand():
    loss, dy = pinball(np.array([[1.0, 5.0]]), np.array([[3.0]]), levels=(0.2, 0.9))
    assert loss == pytest.approx((0.2 * 2 + 0.1 * 2) / 2)
    same(dy, np.array([[-0.1, 0.05]]))
    assert pinball(np.array([[3.0]]), np.array([[3.0]]), levels=(0.2,))[1].tolist() == [[-0.2]]


def test_levels_that_do_not_fit_are_refused():
    for wrong in ((0.9, 0.1), (0.5, 0.5), (0.0, 0.5), (0.5, 1.0), (0.1, 0.5, 0.9)):
        with pytest.raises(
            ValueError, match=r"Spec.levels is .* expected rising numbers above 0 and below 1"
        ):
            ll.Spec(1, (2,), 4, head="quantiles", levels=wrong)
    with pytest.raises(ValueError, match="none for other heads"):
        ll.Spec(1, (2,), 4, levels=(0.5,))
    with pytest.raises(ValueError, match=r"with 2 quantiles y must have shape \(3, 2\)"):
        pinball(np.zeros((3, 4)), np.zeros((3, 4)), levels=(0.1, 0.9))
    assert repr(ll.Spec(1, (2,), 1)).endswith("output='last')")
    assert repr(ll.Spec(1, (2,), 2, head="quantiles")).endswith("levels=(0.25, 0.75))")


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
