"""The exercises of notebook 10: a convolution along a line, its backward pass, its work, four planted faults.

The right answers come from loops over the definition; the mistakes are those that are found in published code.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from lstm_lib.network.cells import Array

from .exercise import Case, Exercise, Mistake, Problem
from .quizzes import quiz

# Input, kernel, stride: the stride doesn't divide, is smaller than the kernel, is larger than it, is one.
LINES = {1: (9, 4, 2), 2: (11, 3, 1), 3: (10, 2, 3), 4: (7, 4, 3)}
CASES = tuple(Case(seed=seed) for seed in LINES)
FAULTS = {  # what a wrong backward pass of a picture forgets
    "stride": "the errors are laid side by side, as if the stride were 1",
    "overlap": "where patches overlap the last one wins, in place of the sum",
    "axes": "height and width change places",
    "bias": "the bias gets the error of one place alone",
}


def _line(case: Case) -> tuple[Array, Array, Array, int]:
    """x, W, dy and the stride of a case."""
    n, k, stride = LINES.get(case.seed, LINES[1])
    rng = np.random.default_rng(case.seed)
    x, W = rng.normal(size=n), rng.normal(size=k)
    return x, W, rng.normal(size=(n - k) // stride + 1), stride


def _forward(case: Case) -> Problem:
    x, W, dy, stride = _line(case)
    b, places = 0.5, len(dy)

    def made(kernel: Array, at: Callable[[int], int], bias: float = b) -> Array:
        return np.array([kernel @ x[at(m) : at(m) + len(W)] + bias for m in range(places)])

    wrong = (
        Mistake("missing term", made(W, lambda m: m * stride, 0.0), "Where is b?"),
        Mistake(
            "reversed",
            made(W[::-1], lambda m: m * stride),
            "The kernel is turned round; we leave it as it is.",
        ),
        Mistake("other unit", made(W, lambda m: m), "Two places lie as far apart as the stride says."),
    )
    given = {"x": x, "W": W, "b": b, "stride": stride}
    return Problem(given, made(W, lambda m: m * stride), mistakes=wrong)


def _back(
    x: Array, W: Array, dy: Array, stride: int, step: int, overwrite: bool = False
) -> tuple[Array, float, Array]:
    """dW, db and dx by loops; `step` is where the next patch of dx is taken to begin."""
    dW, dx = np.zeros_like(W), np.zeros_like(x)
    for m, error in enumerate(dy):
        for k in range(len(W)):
            dW[k] += error * x[m * stride + k]
            dx[m * step + k] = W[k] * error + (0 if overwrite else dx[m * step + k])
    return dW, float(dy.sum()), dx


def _backward(case: Case) -> Problem:
    x, W, dy, stride = _line(case)
    dW, db, dx = right = _back(x, W, dy, stride, stride)
    turned = _back(x, W[::-1], dy, stride, stride)[2]
    wrong = [
        Mistake(
            "missing term",
            _back(x, W, dy, stride, stride, overwrite=True),
            "Patches overlap: is an error overwritten?",
        ),
        Mistake(
            "averaged",
            (dW, float(dy.mean()), dx),
            "The bias is used at every place, and each use gives a term.",
        ),
        Mistake("averaged", (dW / len(dy), float(dy.mean()), dx), "Each place gives a term."),
        Mistake(
            "reversed",
            (dW, db, turned),
            "The kernel is turned round: what W[k] multiplied gets W[k] times the error.",
        ),
        Mistake("one step", (dW, float(dy[-1]), dx), "The bias is used at every place."),
        Mistake(
            "one step",
            (dy[-1] * x[(len(dy) - 1) * stride :][: len(W)], db, dx),
            "Each place gives a term of dW.",
        ),
        Mistake(
            "other unit", (_beside(x, W, dy), db, dx), "Two patches of x lie as far apart as the stride says."
        ),
        Mistake(
            "other unit", _back(x, W, dy, stride, 1), "Two patches of dx lie as far apart as the stride says."
        ),
        Mistake("sign", tuple(-np.asarray(a) for a in right)),
    ]
    return Problem({"dy": dy, "x": x, "W": W, "stride": stride}, right, mistakes=tuple(wrong))


def _beside(x: Array, W: Array, dy: Array) -> Array:
    """dW if the patches were taken side by side."""
    return np.array([sum(error * x[m + k] for m, error in enumerate(dy)) for k in range(len(W))])


def _work(case: Case) -> Problem:
    channels, filters, kernel, places = 16, 32, 9, 64
    right = 2 * channels * kernel * filters * places
    wrong = (
        Mistake("half", right // 2, "A multiplication and an addition are two."),
        Mistake("missing factor", right // places, "Every filter works at every place."),
        Mistake("missing factor", right // channels, "A filter reads all channels."),
        Mistake("missing factor", right // kernel, "A patch has nine numbers of each channel."),
        Mistake("missing factor", right // filters, "There is more than one filter."),
    )
    return Problem({}, right, mistakes=wrong)


def faulty(letter: str) -> Callable[..., tuple[Array, Array, Array]]:
    """One of the four wrong backward passes of a picture, "A" to "D": (dy, x, W, stride) -> dW, db, dx.

    dy (F, M, M′), x (C, N, N′), W (F, C, K, K′), stride of both axes. Raises KeyError for another letter.

    >>> dy, x, W = np.ones((1, 2, 2)), np.ones((1, 3, 3)), np.ones((1, 1, 2, 2))
    >>> faulty("A")(dy, x, W, 1)[2].shape
    (1, 3, 3)
    """
    fault = dict(zip("ABCD", _ORDER, strict=True))[letter]
    return lambda dy, x, W, stride: _picture(dy, x, W, stride, fault)


_ORDER = ("overlap", "bias", "stride", "axes")


def _picture(dy: Array, x: Array, W: Array, stride: int, fault: str) -> tuple[Array, Array, Array]:
    _, _, rows, columns = W.shape
    step = 1 if fault == "stride" else stride
    dW, dx = np.zeros_like(W), np.zeros_like(x)
    for i in range(dy.shape[1]):
        for j in range(dy.shape[2]):
            top, left = (j, i) if fault == "axes" else (i, j)
            top, left = min(top * step, x.shape[1] - rows), min(left * step, x.shape[2] - columns)
            at = slice(top, top + rows), slice(left, left + columns)
            error = dy[:, i, j]
            dW += error[:, None, None, None] * x[:, *at]
            new = np.tensordot(error, W, 1)
            dx[:, *at] = new if fault == "overlap" else dx[:, *at] + new
    return dW, dy[:, -1, -1] if fault == "bias" else dy.sum(axis=(1, 2)), dx


def _faults(case: Case) -> Problem:
    """The words of `FAULTS` in the order of the letters."""
    pairs = itertools.combinations(range(len(_ORDER)), 2)
    swapped = (tuple(_ORDER[{a: b, b: a}.get(k, k)] for k in range(len(_ORDER))) for a, b in pairs)
    return Problem(
        {}, " ".join(_ORDER), mistakes=tuple(Mistake("swapped", " ".join(words)) for words in swapped)
    )


EXERCISES = (
    Exercise(
        "10.line",
        "y, a convolution along a line",
        "(10.1)",
        "Cut the patch of each place, and multiply it by the kernel.",
        _forward,
        ("x", "W", "b", "stride"),
        cases=CASES,
    ),
    Exercise(
        "10.backward",
        "dW, db and dx of a convolution along a line",
        "(10.2) to (10.4)",
        "Walk over all places m and all k: y[m] used W[k], x[m·stride + k] and b. Each use gives a term.",
        _backward,
        ("dy", "x", "W", "stride"),
        cases=CASES,
        names=("dW", "db", "dx"),
    ),
    Exercise(
        "10.flops",
        "the FLOPs of a convolution, forward",
        "(10.6)",
        "How long is a patch? How many filters read it, at how many places?",
        _work,
        notebook=Case(),
        cases=(),
    ),
    Exercise(
        "10.faults",
        "which fault is in which function",
        "(10.2) to (10.4)",
        "Try strides of 1 and 2, pictures as wide as high and others; look at dW, db and dx apart.",
        _faults,
        notebook=Case(),
        cases=(),
    ),
    quiz(
        "10.quiz_half",
        "what is left of a step when half of all filters rest",
        "c",
        {
            "a": "Their output is still needed, and errors still pass through them.",
            "b": "One product of three gets smaller, and only by half.",
        },
        "(10.5)",
        "Which of the three products of (10.5) gets smaller, and by how much?",
    ),
    quiz(
        "10.quiz_shared",
        "what a convolution and a recurrent network share",
        "b",
        {
            "a": "States are carried from step to step; a place knows nothing of its neighbour's output.",
            "c": "Both use the same weights at every place or step.",
        },
        "(10.2)",
        "What is summed over in dW?",
    ),
)
