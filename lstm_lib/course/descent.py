"""The exercises of notebooks 04a and 04b beside Adam's step itself: the rules before it, its variants, and what becomes
of an arc whose gradient is zero, or that is thawed.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lstm_lib.network.cells import Array

from .exercise import Case, Exercise, Mistake, Problem
from .quizzes import quiz

Walk = Callable[[Callable[[Array], Array], Array, int, str], Array]
LR, BETA, EPS = 0.1, 0.7, 0.05  # an eps that is felt


def momentum(gradient: Callable[[Array], Array], w: Array, steps: int, fault: str) -> Array:
    """The path of the heavy ball (Polyak 1964), with one fault in it; "" is none."""
    u, path = np.zeros_like(w), [w]
    for _ in range(steps):
        g = gradient(path[-1])
        before = u
        u = {"averaged": BETA * u + (1 - BETA) * g, "no memory": g, "sum": u + g}.get(fault, BETA * u + g)
        step = {"no rate": u, "old u": LR * before, "gradient": LR * g, "ahead": LR * (BETA * u + g)}.get(
            fault, LR * u
        )
        path.append(path[-1] + step if fault == "uphill" else path[-1] - step)
    return np.array(path)


def rmsprop(gradient: Callable[[Array], Array], w: Array, steps: int, fault: str) -> Array:
    """The path of RMSProp (Hinton 2012), with one fault in it; "" is none."""
    v, path = np.zeros_like(w), [w]
    for _ in range(steps):
        g = gradient(path[-1])
        v = {
            "g for g²": BETA * v + (1 - BETA) * g,
            "sum": v + g**2,
            "adds g²": BETA * v + g**2,
            "swapped": (1 - BETA) * v + BETA * g**2,
        }.get(fault, BETA * v + (1 - BETA) * g**2)
        with np.errstate(all="ignore"):
            below = {
                "no root": v + EPS,
                "eps in the root": np.sqrt(v + EPS),
                "no eps": np.sqrt(v),
                "eps at the weight": np.sqrt(v),
                "own size": np.abs(g) + EPS,
            }.get(fault, np.sqrt(v) + EPS)
            step = (1 if fault == "no rate" else LR) * g / below + (
                -EPS if fault == "eps at the weight" else 0
            )
        path.append(path[-1] + step if fault == "uphill" else path[-1] - step)
    return np.array(path)


MOMENTUM = {
    "uphill": ("sign", "The step goes uphill."),
    "averaged": ("formula", "Here the gradients are added up, not averaged."),
    "ahead": ("formula", "The mean of the next step is not yet there (that would be Nesterov's form)."),
    "no memory": ("missing term", "What is left of the steps before?"),
    "gradient": ("formula", "The step is made of the gradient alone."),
    "sum": ("missing factor", "Nothing is ever forgotten."),
    "no rate": ("missing factor", "How long is a step?"),
    "old u": ("late", "The newest gradient belongs into this step already."),
}
RMSPROP = {
    "uphill": ("sign", "The step goes uphill."),
    "g for g²": ("missing factor", "In v: it is the mean of what?"),
    "sum": ("formula", "v only grows: it is to be a mean that forgets."),
    "adds g²": ("missing factor", "In v."),
    "swapped": ("swapped", "In v: what is kept and what is added."),
    "no root": ("formula", "v has the unit of a squared gradient."),
    "eps in the root": ("formula", "Where does ε stand: under the root or beside it?"),
    "no eps": ("missing term", "Below the fraction line."),
    "eps at the weight": ("formula", "Parentheses: ε stands below the fraction line."),
    "own size": ("formula", "Below stands the size of this gradient alone: what of those before?"),
    "no rate": ("missing factor", "How long is a step?"),
}


def _path(walk: Walk, faults: dict[str, tuple[str, str]]) -> Callable[[Case], Problem]:
    def problem(case: Case) -> Problem:
        rng = np.random.default_rng(case.seed)
        curvature, w = rng.uniform(0.5, 3, case.H), rng.normal(size=case.H)

        def gradient(at: Array) -> Array:
            return np.asarray(curvature * at)

        right = walk(gradient, w, case.T, "")
        wrong = [
            Mistake(kind, walk(gradient, w, case.T, fault), say) for fault, (kind, say) in faults.items()
        ]
        wrong += [
            Mistake("first step lost", right[1:], "The path begins with the start."),
            Mistake("one step", right[-1], "The whole path is asked for."),
        ]
        given = {"gradient": gradient, "w": w, "steps": case.T, "lr": LR, "beta": BETA, "eps": EPS}
        return Problem(given, right, mistakes=tuple(wrong))

    return problem


def _floor(case: Case) -> Problem:
    beta1 = np.array([0.5, 0.9, 0.99]) if case.B > 1 else np.array([0.8])
    spread, share = np.sqrt((1 - beta1) / (1 + beta1)), np.sqrt(2 / np.pi)
    wrong = (
        Mistake("missing factor", spread, "That is the spread of the mean; what is its mean size?"),
        Mistake(
            "missing factor", share * np.ones_like(beta1), "How much do the gradients of the past cancel?"
        ),
        Mistake("inverse", share / spread, "β₁ near 1 averages over more gradients."),
        Mistake("formula", share * spread**2, "A spread is the root of a variance."),
        Mistake("formula", share * np.sqrt(1 - beta1), "The weights of the mean fall geometrically."),
        Mistake("formula", share * (1 - beta1)),
    )
    return Problem({"beta1": beta1}, share * spread, mistakes=wrong)


def _largest(case: Case) -> Problem:
    v = np.random.default_rng(case.seed).uniform(0.1, 1, (case.T, case.H))
    right = np.maximum.accumulate(v)
    wrong = (
        Mistake("formula", np.maximum.accumulate(v, axis=1), "Time is the first axis."),
        Mistake(
            "reversed", np.maximum.accumulate(v[::-1])[::-1], "At step t only the steps up to t are known."
        ),
        Mistake(
            "formula", np.broadcast_to(v.max(axis=0), v.shape), "At step t only the steps up to t are known."
        ),
        Mistake("one step", v.max(axis=0), "After every step it is asked for."),
        Mistake("formula", np.cumsum(v, axis=0), "The largest, not the sum."),
        Mistake("formula", np.minimum.accumulate(v), "The largest."),
        Mistake(
            "formula", np.maximum(v, np.vstack([v[:1], v[:-1]])), "Not of two steps alone: of all so far."
        ),
    )
    return Problem({"v": v}, right, mistakes=wrong)


def _left(case: Case) -> Problem:
    lr, decay = 0.01, 0.2
    n = np.array([1, 10, 100]) if case.B > 1 else np.array([7])
    right = (1 - lr * decay) ** n
    wrong = (
        Mistake("missing factor", (1 - decay) ** n, "How much does a single step take off?"),
        Mistake("formula", n * (1 - lr * decay), "Each step multiplies what is left; how do n of them act?"),
        Mistake("formula", 1 - n * lr * decay, "Each step takes off a part of what is left."),
        Mistake("inverse", 1 - right, "What is left, not what is lost."),
        Mistake("formula", np.exp(-lr * decay * n), "Close, but a step is not infinitely short."),
        Mistake("wrong sign of a term", (1 + lr * decay) ** n),
    )
    return Problem({"lr": lr, "decay": decay, "n": n}, right, mistakes=wrong)


def _drift(case: Case) -> Problem:
    ratio = np.random.default_rng(case.seed).uniform(-0.8, 0.8, case.H)
    beta1, beta2 = (0.9, 0.999) if case.B > 1 else (0.8, 0.95)
    r = beta1 / np.sqrt(beta2)
    right = -ratio * r / (1 - r)
    wrong = (
        Mistake("sign", -right, "A step goes against the mean gradient."),
        Mistake("formula", -ratio / (1 - r), "The first of these steps is r, not 1."),
        Mistake("formula", -ratio * r, "That is the first of these steps alone."),
        Mistake("missing factor", r / (1 - r) * np.ones_like(ratio), "Which way, and how sure?"),
        Mistake("formula", -ratio * beta1 / (1 - beta1), "v fades as well."),
        Mistake("formula", -ratio * (beta1 / beta2) / (1 - beta1 / beta2), "There is a root over v."),
    )
    return Problem({"ratio": ratio, "beta1": beta1, "beta2": beta2}, right, mistakes=wrong)


def _thawed(case: Case) -> Problem:
    n = np.array([0, 3, 30, 3000]) if case.B > 1 else np.array([100])
    one, two = 1 - 0.9 ** (n + 1), 1 - 0.999 ** (n + 1)
    root = np.sqrt(0.001)
    right = 0.1 / one / (root / np.sqrt(two))
    with np.errstate(all="ignore"):
        before = 0.1 / (1 - 0.9**n) / (root / np.sqrt(1 - 0.999**n))
    wrong = (
        Mistake("off by one", before, "It is the step after n others."),
        Mistake("missing factor", 0.1 / root * np.ones(n.shape), "That is the limit for large n."),
        Mistake("missing factor", 0.1 / root / one, "In the correction of v."),
        Mistake("missing factor", 0.1 / root * np.sqrt(two), "In the correction of m."),
        Mistake("inverse", 1 / right),
        Mistake("formula", 0.1 / one / (0.001 / two), "There is a root below."),
        Mistake("formula", np.ones(n.shape), "That is the step with its own count."),
    )
    return Problem({"n": n}, right, mistakes=wrong)


EXERCISES = (
    Exercise(
        "04.momentum",
        "the path of SGD with momentum",
        "(4.3)",
        "u keeps β of itself and adds the gradient; the step is the rate times u.",
        _path(momentum, MOMENTUM),
        ("gradient", "w", "steps", "lr", "beta"),
    ),
    Exercise(
        "04.rmsprop",
        "the path of RMSProp",
        "(4.4)",
        "v is a running mean of the squared gradient; the step is the gradient over its typical size.",
        _path(rmsprop, RMSPROP),
        ("gradient", "w", "steps", "lr", "beta", "eps"),
    ),
    quiz(
        "04.quiz_unit",
        "the loss in W instead of kW",
        "b",
        {
            "a": "Both m and the root of v grow by this factor; what of their ratio?",
            "c": "That would be so if m were divided by v.",
        },
        "(4.9)",
        "Multiply every gradient by a million in the five lines.",
    ),
    Exercise(
        "04.floor",
        "the mean signal-to-noise ratio of pure noise",
        "(4.16)",
        "The squares of the weights (1 - β) βᵏ add up to (1 - β) / (1 + β).",
        _floor,
        ("beta1",),
    ),
    Exercise(
        "04.v_max",
        "AMSGrad's largest v so far, after every step",
        "(4.14)",
        "Time is the first axis; NumPy's ufuncs have a method that goes along an axis.",
        _largest,
        ("v",),
    ),
    Exercise(
        "04.left",
        "the share of a weight that decay alone leaves after n steps",
        "(4.15)",
        "With a gradient of zero from the start (4.15) multiplies the weight by the same factor each time.",
        _left,
        ("lr", "decay", "n"),
    ),
    quiz(
        "04.quiz_zero",
        "an arc whose gradient is set to zero",
        "c",
        {
            "a": "What is in m when the gradient becomes zero?",
            "b": "More than one step: m does not forget at once.",
            "d": "Without decay the steps fall geometrically.",
        },
        "(4.17)",
        "Put g = 0 into the lines of m and v.",
    ),
    Exercise(
        "04.drift",
        "how far an arc drifts, in learning rates",
        "(4.18)",
        "A geometric sum that begins with r.",
        _drift,
        ("ratio", "beta1", "beta2"),
    ),
    Exercise(
        "04.thawed",
        "the first step of a thawed arc under a common count, in learning rates",
        "(4.19)",
        "Its moments are those of a first step, its corrections those of step n + 1.",
        _thawed,
        ("n",),
    ),
)
