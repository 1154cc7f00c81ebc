"""Convolution and pooling: against the plain loop, TensorFlow's autograd, differences and complex steps.

Shapes at which known mistakes show: height is not width, strides don't divide, kernels are larger than their strides
and not square, channels are not filters, biases are not zero, and everything is called twice.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lstm_lib.convolution import (
    Geometry,
    convolve,
    convolve_backward,
    convolve_by_loop,
    fold,
    pool,
    pool_backward,
    unfold,
)

GEOMETRIES = {
    "plain": ((9,), Geometry(3)),
    "stride that doesn't divide": ((11,), Geometry(4, stride=3)),
    "stride beyond the kernel": ((11,), Geometry(2, stride=3)),
    "dilation": ((17,), Geometry(3, dilation=4)),
    "same": ((10,), Geometry(4, stride=3, padding="same")),
    "causal": ((12,), Geometry(3, dilation=2, padding="causal")),
    "causal, a stride": ((12,), Geometry(3, stride=2, padding="causal")),
    "one number": ((5,), Geometry(1)),
    "same, nothing to add": ((7,), Geometry(1, padding="same")),
    "same, a stride above the kernel": ((8,), Geometry(2, stride=4, padding="same")),
    "pairs": ((7,), Geometry(3, stride=2, padding=((4, 1),))),
    "picture, pairs": ((8, 5), Geometry((3, 2), stride=(2, 1), padding=((0, 2), (1, 3)))),
    "picture": ((7, 5), Geometry((3, 2))),
    "picture, strides": ((9, 6), Geometry((3, 2), stride=(2, 3))),
    "picture, same": ((8, 5), Geometry((2, 4), stride=(3, 2), padding="same")),
    "picture, dilations": ((9, 8), Geometry((2, 3), dilation=(3, 2), padding="same")),
}
EACH = pytest.mark.parametrize("name", GEOMETRIES)


def case(name: str, dtype: Any = "float64") -> tuple[Any, ...]:
    """x, W, b of 3 samples, 2 channels and 4 filters, and the geometry."""
    sizes, g = GEOMETRIES[name]
    rng = np.random.default_rng(sum(map(ord, name)))
    return (*(rng.normal(size=s).astype(dtype) for s in ((3, 2, *sizes), (4, 2, *g.shape), (4,))), g)


@EACH
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_convolution_is_what_its_definition_says(name: str, dtype: str) -> None:
    x, W, b, g = case(name, dtype)
    y, _ = convolve(x, W, b, g)
    assert y.dtype == dtype and y.shape == (3, 4, *g.output(x.shape[2:]))
    np.testing.assert_allclose(
        y, convolve_by_loop(x, W, b, g), rtol=1e-4 if dtype == "float32" else 1e-12, atol=1e-5
    )
    np.testing.assert_array_equal(y, convolve(x, W, b, g)[0])


def test_the_loop_keeps_the_fraction_of_a_bias_of_whole_numbers() -> None:
    x, W = np.ones((1, 1, 3), int), np.ones((1, 1, 2), int)
    assert convolve_by_loop(x, W, np.array([0.5]), Geometry(2)).ravel().tolist() == [2.5, 2.5]


@EACH
def test_the_gradients_are_those_of_complex_steps(name: str) -> None:
    x, W, b, g = case(name)
    y, patches = convolve(x, W, b, g)
    dy = np.random.default_rng(1).normal(size=y.shape)
    for _ in range(2):
        found = convolve_backward(dy, patches, W, x.shape, g)
    for which, (given, ours) in enumerate(zip((W, b, x), found, strict=True)):
        for at in np.random.default_rng(2).choice(given.size, min(given.size, 12), replace=False):
            moved = [a.astype(complex) for a in (W, b, x)]
            moved[which].flat[at] += 1e-30j
            slope = (convolve(moved[2], moved[0], moved[1], g)[0].imag / 1e-30 * dy).sum()
            assert ours is not None and ours.flat[at] == pytest.approx(slope, rel=1e-10, abs=1e-12)


def tensorflows(name: str, x: Any, W: Any, b: Any, dy: Any) -> tuple[Any, list[Any]]:
    """The output and its gradients, by TensorFlow, channels first as here."""
    from lstm_lib.keras import tf

    g = GEOMETRIES[name][1]
    axes = len(g.axes)
    strides, dilations = ([one[at] for one in g.axes] for at in (1, 2))
    with tf.GradientTape() as tape:
        given = [tf.Variable(a) for a in (W, b, x)]
        inputs = tf.transpose(given[2], [0, *range(2, 2 + axes), 1])
        kernel = tf.transpose(given[0], [*range(2, 2 + axes), 1, 0])
        pairs = [(g.reach[0] - 1, 0)] if g.padding == "causal" else g.padding
        if not isinstance(pairs, str):
            inputs = tf.pad(inputs, [[0, 0], *map(list, pairs), [0, 0]])
        y = tf.nn.convolution(
            inputs, kernel, strides, "SAME" if g.padding == "same" else "VALID", dilations=dilations
        )
        y = tf.transpose(y + given[1], [0, axes + 1, *range(1, axes + 1)])
        loss = tf.reduce_sum(y * dy)
    return y.numpy(), [a.numpy() for a in tape.gradient(loss, given)]


@EACH
def test_output_and_gradients_are_those_of_tensorflow(name: str) -> None:
    x, W, b, g = case(name)
    y, patches = convolve(x, W, b, g)
    dy = np.random.default_rng(3).normal(size=y.shape)
    theirs, gradients = tensorflows(name, x, W, b, dy)
    np.testing.assert_allclose(y, theirs, rtol=1e-10, atol=1e-12)
    for ours, other in zip(convolve_backward(dy, patches, W, x.shape, g), gradients, strict=True):
        np.testing.assert_allclose(ours, other, rtol=1e-10, atol=1e-12)


@EACH
def test_fold_is_unfold_turned_round(name: str) -> None:
    x, _, _, g = case(name)
    patches = unfold(x, g)
    other = np.random.default_rng(4).normal(size=patches.shape)
    assert np.vdot(patches, other) == pytest.approx(np.vdot(x, fold(other, x.shape, g)), rel=1e-12)


def test_the_work_of_isolated_filters_is_left_out_and_the_others_keep_their_gradient() -> None:
    x, W, b, g = case("picture, strides")
    y, patches = convolve(x, W, b, g)
    whole = convolve_backward(np.ones_like(y), patches, W, x.shape, g)
    for rows in (slice(1, 3), np.array([0, 3])):
        dW, db, dx = convolve_backward(np.ones_like(y), patches, W, x.shape, g, rows)
        assert dW.shape == (2, *W.shape[1:])
        np.testing.assert_allclose(dW, whole[0][rows], rtol=1e-12)
        np.testing.assert_allclose(db, whole[1][rows], rtol=1e-12)
        np.testing.assert_array_equal(dx, whole[2])
    assert convolve_backward(np.ones_like(y), patches, W, x.shape, g, down=False)[2] is None


POOLS = {
    "plain": ((8,), Geometry(2, stride=2)),
    "overlapping": ((9,), Geometry(3, stride=2)),
    "same": ((9,), Geometry(4, stride=3, padding="same")),
    "picture": ((7, 5), Geometry((3, 2), stride=(2, 1))),
    "picture, same": ((7, 6), Geometry((2, 3), stride=2, padding="same")),
}


@pytest.mark.parametrize("how", ["max", "mean"])
@pytest.mark.parametrize("name", POOLS)
def test_pooling_is_that_of_tensorflow(name: str, how: str) -> None:
    from lstm_lib.keras import tf

    sizes, g = POOLS[name]
    x = np.random.default_rng(0).normal(size=(3, 2, *sizes)) - 4  # a zero around it would be the largest
    y, first = pool(x, g, how)  # type: ignore[arg-type]
    dy = np.random.default_rng(1).normal(size=y.shape)
    axes = len(sizes)
    with tf.GradientTape() as tape:
        given = tf.Variable(x)
        theirs = tf.nn.pool(
            tf.transpose(given, [0, *range(2, 2 + axes), 1]), g.shape, {"max": "MAX", "mean": "AVG"}[how],
            strides=[s for _, s, _ in g.axes], padding=g.padding.upper(),
        )  # fmt: skip
        theirs = tf.transpose(theirs, [0, axes + 1, *range(1, axes + 1)])
        loss = tf.reduce_sum(theirs * dy)
    np.testing.assert_allclose(y, theirs.numpy(), rtol=1e-12)
    expected = tape.gradient(loss, given).numpy()
    for _ in range(2):
        np.testing.assert_allclose(pool_backward(dy, first, x, g), expected, rtol=1e-10)


def test_of_equal_numbers_the_first_is_the_largest() -> None:
    x, g = np.ones((1, 1, 4)), Geometry(2, stride=2)
    _, first = pool(x, g)
    assert pool_backward(np.ones((1, 1, 2)), first, x, g).ravel().tolist() == [1, 0, 1, 0]


def test_causal_sees_nothing_that_comes_after() -> None:
    x, W, b, g = case("causal")
    y = convolve(x, W, b, g)[0]
    later = x.copy()
    later[..., 7:] += 1
    np.testing.assert_array_equal(convolve(later, W, b, g)[0][..., :7], y[..., :7])
    assert (convolve(later, W, b, g)[0][..., 7] != y[..., 7]).all()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (
            lambda: Geometry(0),
            r"kernel takes a whole number of at least 1, or one for each of 1 or 2 axes; got \(0,\)",
        ),
        (lambda: Geometry((2, 2, 2)), "kernel takes"),
        (lambda: Geometry((2, 2), stride=(1, 2, 3)), r"stride takes .* got \(1, 2, 3\)"),
        (lambda: Geometry(2, dilation=1.5), "dilation takes"),  # type: ignore[arg-type]
        (lambda: Geometry(2, padding="full"), "padding is 'full'; the choices are valid, same, causal"),  # type: ignore[arg-type]
        (
            lambda: Geometry((2, 2), padding=((1, 0),)),
            r"a pair for each of the 2 axes, such as \(\(1, 0\), \(1, 0\)\)",
        ),
        (lambda: Geometry(2, padding=((1, -1),)), "zeros before and behind"),
        (lambda: Geometry(2, padding=[(1, 1)]), "zeros before and behind"),  # type: ignore[arg-type]
        (lambda: Geometry(5, padding=((1, 1),)).output((2,)), r"an input of \(2,\) is smaller than a patch"),
        (lambda: Geometry((2, 2), padding="causal"), "padding 'causal' is for one axis"),
        (
            lambda: Geometry(4).output((3,)),
            r"an input of \(3,\) is smaller than a patch, \(4,\)",
        ),
        (lambda: Geometry(4).output((3, 3)), r"the input has the axes \(3, 3\), the kernel \(4,\)"),
        (
            lambda: convolve(np.ones((1, 2, 9)), np.ones((4, 3, 2)), np.ones(4), Geometry(2)),
            r"expected .*\('F', 2, 2\)",
        ),
        (lambda: convolve(np.ones((1, 2, 9)), np.ones((4, 2, 2)), np.ones(3), Geometry(2)), "don't fit"),
        (lambda: pool(np.ones((1, 1, 4)), Geometry(2), "min"), "how is 'min'; the choices are max, mean"),  # type: ignore[arg-type]
        (lambda: pool(np.ones((1, 1, 4), int), Geometry(2)), "x is int64; pooling takes floating numbers"),
        (
            lambda: pool(np.ones((1, 1, 2)), Geometry(2, dilation=3, padding="same")),
            "holds no number of the input",
        ),
        (lambda: convolve(np.ones((1, 2, 9)), np.ones((4, 2, 2)), np.ones((4, 1)), Geometry(2)), "don't fit"),
    ],
)
def test_what_does_not_fit_is_refused(wrong: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        wrong()
