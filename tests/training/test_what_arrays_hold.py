"""What arrays may hold is said before anything is trained, with the name of the argument."""

import numpy as np
import pytest

from lstm_lib import Forecaster, Spec, cross_entropy, fit, forward, init_params, metrics, mse, predict

X = np.linspace(-1, 1, 120, dtype=np.float32).reshape(12, 5, 2)
Y = X[:, -1, :1].copy()
SPEC = Spec(2, (3,), 1)


def trained(train=(X, Y), valid=None):
    def never(progress):
        raise AssertionError("an epoch was trained first")

    return fit(SPEC, train, valid, epochs=1, progress=False, callbacks=[never])


@pytest.mark.parametrize(
    ("train", "valid", "message"),
    [
        ((X, Y), (X[:0], Y[:0]), "valid holds no sample"),
        ((X, Y), (X[..., :1], Y), r"valid: x is float32 with shape \('N', 5, 1\)"),
        ((X, Y), (X.astype("float64"), Y), "valid: x is float64"),
        ((X, Y), (X, np.hstack([Y, Y])), r"valid: y has shape \('N', 2\); expected \('N', 1\)"),
        ((X, Y), (X, Y[:, 0]), r"valid: y has shape \('N',\)"),
        ((X, Y.astype("float64")), None, "y is float64 but x is float32"),
        ((X, (Y > 0).astype(int)), None, "y is int64 but x is float32"),
        ((np.ma.masked_less(X, 0), Y), None, "x is a masked array with 60 of 120 values masked"),
        ((X, np.ma.masked_less(Y, 0)), None, "y is a masked array"),
    ],
)
def test_before_anything_is_trained(train, valid, message):
    with pytest.raises(ValueError, match=message):
        trained(train, valid)


def test_masked_arrays_wherever_arrays_are_taken():
    x, y = np.ma.masked_less(X, 0), np.ma.masked_less(Y, 0)
    params = init_params(SPEC)
    calls = [
        lambda: forward(SPEC, params, x),
        lambda: predict(SPEC, params, x),
        lambda: mse(Y, y),
        lambda: mse(y, Y),
        lambda: cross_entropy(np.full((12, 2), 0.5), np.ma.masked_equal(np.zeros(12, int), 0)),
        lambda: metrics(Y, y),
        lambda: Forecaster().fit(x, Y),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="is a masked array with"):
            call()
    assert forward(SPEC, params, np.ma.array(X))[0].shape == (12, 1), "none masked"


@pytest.mark.parametrize("y", [[[-0.5, 1.5]], [[0.5, 0.6]], [[0.0, 0.0]], [[np.nan, 1.0]]])
def test_targets_that_are_no_probabilities(y):
    with pytest.raises(ValueError, match=r"y has to hold probabilities.*add up to 1"):
        cross_entropy(np.array([[0.5, 0.5]]), np.array(y))
    both = np.array([[0.25, 0.75], *y])
    loss, _ = cross_entropy(np.full((2, 2), 0.5), both, np.array([1.0, 0.0]))
    assert loss == pytest.approx(np.log(2)), "what counts nothing may hold anything"


def test_numbers_of_numpy_are_numbers():
    assert Spec(np.int64(3), np.int64(4), np.int32(1)) == Spec(3, (4,), 1)
    assert type(Spec(3, np.int64(4), 1).units[0]) is int
    with pytest.raises(ValueError, match=r"Spec.units must be a whole number of at least 1, got 4.0"):
        Spec(3, 4.0, 1)
