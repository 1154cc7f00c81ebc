"""The exercises of notebook 02b: layers, and where an error fades on its way through time."""

from __future__ import annotations

from typing import Any

import numpy as np

from lstm_lib.network.backward import backward
from lstm_lib.network.cells import CELLS, sigmoid
from lstm_lib.network.forward import forward
from lstm_lib.network.spec import Spec, init_params
from lstm_lib.network.step import step_backward, step_forward

from .exercise import Case, Exercise, Mistake, Problem
from .quizzes import quiz
from .sequences import network


def _below(case: Case) -> Problem:
    """Of a network with two layers; its dz are those of `backward`."""
    rng = np.random.default_rng(case.seed)
    spec = Spec(inputs=case.D, units=(case.H, 3), outputs=2)
    p = {k: rng.normal(size=a.shape) for k, a in init_params(spec, dtype="float64").items()}
    _, trace = forward(spec, p, rng.normal(size=(case.B, case.T, case.D)), engine="plain")
    backward(spec, p, trace, rng.normal(size=(case.B, 2)))
    dz_above, dz_later = trace.dz(1)[-2], trace.dz(0)[-1]
    above, road = p["1/Wx"].T @ dz_above, p["0/Wh"].T @ dz_later
    wrong = (
        Mistake("missing term", above, "h goes to the next step of its own layer, too."),
        Mistake("missing term", road, "h goes to the layer above, too."),
        Mistake("wrong sign of a term", above - road),
        Mistake("wrong sign of a term", road - above),
        Mistake("time index", p["1/Wx"].T @ trace.dz(1)[-1] + road, "The layer above is at the same step."),
        Mistake("averaged", (above + road) / case.B),
    )
    given = {"Wx_above": p["1/Wx"], "dz_above": dz_above, "Wh": p["0/Wh"], "dz_later": dz_later}
    return Problem(given, above + road, mistakes=wrong, axes=("H", "B"))


def _outside(case: Case) -> Problem:
    n = network(case)
    dh, dc = n.dh, n.dc
    backs: list[Any] = []  # what `step_backward` gives, by step
    for kept in n.trace[::-1]:
        back = step_backward(
            CELLS["standard"], n.weights, step_forward(CELLS["standard"], n.weights, *kept[:3]), dh, dc
        )
        backs.insert(0, back)
        dh, dc = back.h_prev, back.c_prev
    right = np.stack([back.x for back in backs])
    wrong = (
        Mistake("other quantity", np.stack([back.h_prev for back in backs]), "That stays in the layer."),
        Mistake("one step", backs[-1].x, "The layer below has an output at every step."),
        Mistake("one step", backs[0].x, "The layer below has an output at every step."),
        Mistake("formula", right.sum(axis=0), "Each step has an error of its own."),
        Mistake("transposed", right.transpose(2, 0, 1), "In a layer the order is (T, D, B)."),
    )
    return Problem({"backs": backs}, right, mistakes=wrong, axes=("T", "D", "B"))


def _road(case: Case) -> Problem:
    rng = np.random.default_rng(case.seed)
    f = sigmoid(rng.normal(size=(case.T, case.H, case.B)))
    dc = rng.normal(size=(case.H, case.B))
    kept = np.append(np.cumprod(f[:0:-1], axis=0)[::-1], np.ones((1, case.H, case.B)), 0)
    right = kept * dc
    wrong = (
        Mistake(
            "late", np.cumprod(f[::-1], axis=0)[::-1] * dc, "Which forget gates does the error of c_T pass?"
        ),
        Mistake("time index", np.cumprod(f, axis=0) * dc),
        Mistake("one step", f * dc),
        Mistake("missing factor", kept),
        Mistake("formula", np.cumsum(np.log(f[::-1]), axis=0)[::-1] * dc),
    )
    return Problem({"f": f, "dc_T": dc}, right, mistakes=wrong, axes=("T", "H", "B"))


def _steps(case: Case) -> Problem:
    r = np.linspace(0.5, 0.95, 5) if case.B > 1 else np.array([0.9])
    right = np.log(0.01) / np.log(r)
    wrong = (
        Mistake("inverse", 1 / right),
        Mistake("formula", np.log(0.99) / np.log(r), "Which share is still missing after n steps?"),
        Mistake("formula", np.log(0.01) / r),
        Mistake("formula", 0.01 / r),
        Mistake("formula", np.log(0.01 / r)),
        Mistake("formula", np.log(0.01) * np.log(r)),
        Mistake("missing term", 1 / (1 - r)),
    )
    return Problem({"r": r}, right, mistakes=wrong)


def _powers(case: Case) -> Problem:
    f, n = np.array([0.5, 0.9, 0.99]) if case.B > 1 else np.array([0.7]), 100
    right = -n * np.log10(f)
    wrong = (
        Mistake("formula", -n * np.log(f), "Of which base is the logarithm?"),
        Mistake("formula", -n * np.log2(f), "Of which base is the logarithm?"),
        Mistake("formula", f**n, "This is the factor itself."),
        Mistake("missing factor", -np.log10(f)),
    )
    return Problem({"f": f, "n": n}, right, mistakes=wrong)


EXERCISES = (
    Exercise(
        "02.outside",
        "what a layer hands to the one below it, at every step",
        "(2.13), its other half: dx = Wx.T @ dz",
        "Of what `step_backward` gives at a step, what is the error of the step's input?",
        _outside,
        ("backs",),
    ),
    Exercise(
        "02.dh_below",
        "dh of a layer that has another one above it",
        "(2.20): dh = Wx_aboveᵀ dz_above + Whᵀ dz_later",
        "Two uses, two terms: the gates of the layer above at the same step, its own gates at the next one.",
        _below,
        ("Wx_above", "dz_above", "Wh", "dz_later"),
    ),
    Exercise(
        "02.c_road",
        "the error of every c on the c road alone",
        "(2.21)",
        "From c_T back to c_t the error passes the forget gates of the steps t + 1 to T.",
        _road,
        ("f", "dc_T"),
    ),
    Exercise(
        "02.powers",
        "by how many powers of ten an error falls",
        "(2.21), with the logarithm of base ten",
        "Each step multiplies by f; take the logarithm of the product.",
        _powers,
        ("f", "n"),
    ),
    Exercise(
        "02.n99",
        "how many steps hold 99 % of the error",
        "(2.22): n = log 0.01 / log r",
        "The last n steps hold the share 1 - rⁿ.",
        _steps,
        ("r",),
    ),
    quiz(
        "02.quiz_forget",
        "what a forget bias of 5 does to a span of nine steps",
        "c",
        {
            "a": "How much of the error is left after nine steps, if a step keeps 0.99 of it?",
            "b": "The forward pass runs over the whole sequence, whatever the span.",
        },
        "(2.22): n = log 0.01 / log r",
        "Which share of the error lies within the last n steps?",
    ),
)
