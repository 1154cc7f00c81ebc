"""The exercises of chapters 02 and 03 around the step: slopes of activations, losses and heads, classes.

The answers are those of `ACTIVATIONS` and of `losses`, where the library has them.
"""

from __future__ import annotations

import numpy as np

from lstm_lib.network.cells import ACTIVATIONS, Array
from lstm_lib.network.losses import cross_entropy, mse

from .exercise import Case, Exercise, Mistake, Problem
from .gradients import NOTEBOOK

# --------------------------------------------------------------------------------------------------- slopes


def _activation(name: str) -> Exercise:
    other = {"sigmoid": "tanh", "tanh": "sigmoid"}[name]

    def problem(case: Case) -> Problem:
        z = np.linspace(-3, 3, 25) if case == NOTEBOOK else np.random.default_rng(case.seed).normal(size=25)
        a = ACTIVATIONS[name].value(z)
        wrong = (
            Mistake("other slope", ACTIVATIONS[other].slope(a)),
            Mistake("other slope", ACTIVATIONS[other].slope(ACTIVATIONS[other].value(z))),
            Mistake("slope at the wrong place", ACTIVATIONS[name].slope(z)),
            Mistake("missing factor", 1 - a),
            Mistake("missing factor", a),
            Mistake("wrong sign of a term", 1 + a * a),
            Mistake("wrong sign of a term", a * (1 + a)),
            Mistake("squared factor", a * a),
        )
        return Problem({"z": z}, ACTIVATIONS[name].slope(a), mistakes=wrong)

    return Exercise(
        f"02.slope_{name}",
        f"the slope of {name} at z",
        {"sigmoid": "(2.1): σ' = σ (1 - σ)", "tanh": "(2.1): tanh' = 1 - tanh²"}[name],
        "Differentiate, and write what you get with the function's own value.",
        problem,
        ("z",),
        NOTEBOOK,
    )


# ----------------------------------------------------------------------------------------------------- heads


def _head(case: Case) -> Problem:
    rng = np.random.default_rng(case.seed)
    h, ds, W = rng.normal(size=(case.H, case.B)), rng.normal(size=(3, case.B)), rng.normal(size=(3, case.H))
    # one more layer of (2.11), (2.12), (2.13): the library has it for a whole network only
    right = (ds @ h.T, ds.sum(axis=1), W.T @ ds)

    def mistake(kind: str, k: int, value: Array) -> Mistake:
        return Mistake(kind, tuple(value if j == k else a for j, a in enumerate(right)))

    wrong = (
        mistake("transposed", 0, h @ ds.T),
        mistake("averaged", 0, right[0] / case.B),
        mistake("not summed", 1, ds),
        mistake("averaged", 1, ds.mean(axis=1)),
        mistake("summed over gates", 1, ds.sum(axis=0)),
        mistake("averaged", 2, right[2] / case.B),
    )
    return Problem({"W": W, "h": h, "ds": ds}, right, mistakes=wrong)


def _mse(case: Case) -> Problem:
    rng = np.random.default_rng(case.seed)
    yhat, y = rng.normal(size=(2, case.B, 3))
    right = mse(yhat, y)[1]
    wrong = (
        Mistake("missing factor", yhat - y),
        Mistake("missing factor", (yhat - y) / y.size),
        Mistake("summed", 2 * (yhat - y)),
        Mistake("divided", 2 * (yhat - y) / len(y)),
        Mistake("squared factor", 2 * (yhat - y) ** 2 / y.size),
        Mistake("squared factor", (yhat - y) ** 2 / y.size),
        Mistake("missing term", 2 * yhat / y.size),
        Mistake("missing factor", np.sign(yhat - y) / y.size),
    )
    return Problem({"yhat": yhat, "y": y}, right, mistakes=wrong)


def _softmax(case: Case) -> Problem:
    rng = np.random.default_rng(case.seed)
    s, y = rng.normal(size=(case.B, 3)), rng.dirichlet(np.ones(3), size=case.B)
    p = np.exp(s) / np.exp(s).sum(axis=1, keepdims=True)
    wrong = (
        Mistake("summed", p - y, "The loss is a mean over what?"),
        Mistake("missing term", p / len(y)),
        Mistake("missing term", -y / len(y)),
        Mistake("missing slope", -y / p / len(y), "This is dp, not ds."),
        Mistake("divided", (p - y) / y.size),
        Mistake("missing slope", (s - y) / len(y)),
        Mistake(
            "squared factor",
            (p - y) * p * (1 - p) / len(y),
            "The slope of the softmax has cancelled already.",
        ),
    )
    return Problem({"p": p, "y": y}, cross_entropy(p, y)[1], mistakes=wrong)


def _jacobian(case: Case) -> Problem:
    s = np.random.default_rng(case.seed).normal(size=case.H)
    p = np.exp(s) / np.exp(s).sum()
    # column k is what (2.19) gives with all of the target on class k, times -p_k
    columns = [-p[k] * cross_entropy(p[None], np.eye(case.H)[[k]])[1][0] for k in range(case.H)]
    wrong = (
        Mistake("missing term", np.diag(p), "A score also enters the denominator."),
        Mistake("missing term", -np.outer(p, p)),
        Mistake("wrong sign of a term", np.diag(p) + np.outer(p, p)),
        Mistake("missing factor", np.eye(case.H) - np.outer(p, p)),
        Mistake("missing term", np.diag(p * (1 - p)), "A score also enters the denominator."),
        Mistake("missing factor", np.diag(p) - p[:, None]),
        Mistake("missing factor", np.diag(p) - p[None]),
    )
    return Problem({"p": p}, np.stack(columns, axis=1), mistakes=wrong)


# ------------------------------------------------------------------------------------------- chapter 03


def _loss(case: Case) -> Problem:
    yhat, y = np.random.default_rng(case.seed).normal(size=(2, case.B, 3))
    loss, dy = mse(yhat, y)
    wrong = (
        Mistake("summed", (loss * y.size, dy * y.size)),
        Mistake("summed", (loss, dy * y.size)),
        Mistake("missing factor", (loss, dy / 2)),
        Mistake("sign", (loss, -dy)),
        Mistake("half", (loss / 2, dy / 2)),
        Mistake("divided", (loss, 2 * (yhat - y) / len(y))),
        Mistake("formula", (np.sqrt(loss), dy), "There is no root here."),
    )
    return Problem({"yhat": yhat, "y": y}, (float(loss), dy), mistakes=wrong)


def _score_error(case: Case) -> Problem:
    rng = np.random.default_rng(case.seed)
    s, y = rng.normal(size=(case.B, 3)), np.eye(3)[rng.integers(0, 3, case.B)]
    p = np.exp(s) / np.exp(s).sum(axis=1, keepdims=True)
    wrong = (
        Mistake("summed", p - y),
        Mistake("missing term", p / len(y)),
        Mistake("divided", (p - y) / y.size),
    )
    return Problem({"p": p, "y": y}, cross_entropy(p, y)[1], mistakes=wrong)


def _classes(case: Case) -> Problem:
    y, edges = np.random.default_rng(case.seed).normal(size=(40 * case.B, 1)), np.array([-0.4, 0.5])
    y[:2, 0] = edges  # targets on an edge
    number = (y >= edges).sum(axis=1)
    right = np.eye(3)[number]
    wrong = (
        Mistake("reversed", right[:, ::-1], "Which class is the lowest?"),
        Mistake("off by one", np.eye(3)[(number + 1) % 3], "Which class is the lowest?"),
        Mistake("shape", number, "One column a class: a 1 where the target is, else 0."),
        Mistake("missing term", np.eye(3)[2 * (number == 2)], "The middle class is missing."),
        Mistake("missing term", np.eye(3)[(number > 0).astype(int)], "The highest class is missing."),
        Mistake("transposed", right.T),
        Mistake("formula", np.eye(3)[(y > edges).sum(axis=1)], "In which class is a target that lies on an edge?"),
        Mistake("missing term", np.hstack([y < edges[0], y >= edges[0], y >= edges[1]]) * 1.0,
                "A target can be in one class alone."),
    )  # fmt: skip
    return Problem({"y": y, "edges": edges}, right, mistakes=wrong)


EXERCISES = (
    _activation("sigmoid"),
    _activation("tanh"),
    Exercise(
        "02.dyhat",
        "dyhat, the error of the forecast for the mean squared error",
        "(2.17): dyhat = 2 (yhat - y) / n, n entries in all",
        "The mean runs over all entries, samples and outputs; its square has the slope 2.",
        _mse,
        ("yhat", "y"),
    ),
    Exercise(
        "02.ds",
        "ds, the error of the scores for softmax with cross-entropy",
        "(2.19): ds = (p - y) / B",
        "Put dp in front of (2.18): the probability in the denominator meets itself.",
        _softmax,
        ("p", "y"),
    ),
    Exercise(
        "02.jacobian",
        "the Jacobian of the softmax",
        "(2.18): row j, column k is p_j (δ_jk - p_k)",
        "Own numerator if j = k, and the denominator always.",
        _jacobian,
        ("p",),
    ),
    Exercise(
        "02.head",
        "dW, db and dh of the head",
        "(2.11), (2.12) and (2.13) with ds in the place of dz: dW = ds hᵀ, db the sum of its columns, dh = Wᵀ ds",
        "From ds on the head is a matrix as any other.",
        _head,
        ("W", "h", "ds"),
        names=("dW", "db", "dh"),
    ),
    Exercise(
        "03.mse",
        "the mean squared error and its derivative",
        "(2.17): dyhat = 2 (yhat - y) / n, n entries in all",
        "The mean runs over all entries; its square has the slope 2.",
        _loss,
        ("yhat", "y"),
        names=("loss", "dy"),
    ),
    Exercise(
        "03.ds",
        "the error of the scores for softmax with cross-entropy",
        "(2.19): ds = (p - y) / B",
        "The loss is a mean over the samples.",
        _score_error,
        ("p", "y"),
    ),
    Exercise(
        "03.classes",
        "the class of each target, a 1 in its column",
        "section 6: a 1 in the column of the class",
        "How many edges has a target reached? That is the number of its class. Then a row of the identity matrix.",
        _classes,
        ("y", "edges"),
    ),
)
