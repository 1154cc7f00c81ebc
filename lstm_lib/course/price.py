"""The exercises of notebooks 06a and 06b beside the plan by hand: arcs of a unit, what `skip` and `cut` give, what a
plan costs, the ceilings, and the largest errors.
"""

from __future__ import annotations

import numpy as np

from lstm_lib.isolation.zones import Zone
from lstm_lib.network.spec import Spec

from .exercise import Case, Exercise, Mistake, Problem
from .quizzes import quiz


def _arcs(case: Case) -> Problem:
    n, H, D = (5, 16, 4) if case.B > 1 else (1, 8, 3)
    wrong = (
        Mistake("missing factor", n * (H + D + 1), "A unit has a row in each gate."),
        Mistake("missing term", 4 * n * (H + D), "What is there beside h and x?"),
        Mistake("missing term", 4 * n * (H + 1), "What else does a gate read?"),
        Mistake("missing term", 4 * n * (D + 1), "What else does a gate read?"),
        Mistake("formula", 4 * n * (n + D + 1), "An arc may come from any unit."),
        Mistake("formula", 4 * H * (H + D + 1), "That is the whole layer."),
        Mistake("missing factor", 4 * (H + D + 1), "Of how many units?"),
    )
    return Problem({"n": n, "H": H, "D": D}, 4 * n * (H + D + 1), mistakes=wrong)


def _carried(case: Case) -> Problem:
    rng, H, B = np.random.default_rng(case.seed), case.H, case.B
    Wh, dz = rng.normal(size=(4 * H, H)), rng.normal(size=(4 * H, B))
    isolated = np.asarray(rng.random((4 * H, H)) < 0.4)
    units = np.asarray(isolated.all(axis=1))
    wrong = (
        Mistake("inverse", (Wh * isolated).T @ dz, "This is what comes through the isolated arcs."),
        Mistake("missing factor", Wh.T @ dz, "Nothing is stopped: that is depth skip."),
        Mistake("formula", Wh.T @ (dz * ~units[:, None]), "Single arcs stop an error, not rows alone."),
        Mistake("formula", (Wh * ~isolated).T @ (dz / np.abs(dz).max())),
    )
    given = {"Wh": Wh, "dz": dz, "isolated": isolated}
    return Problem(given, (Wh * ~isolated).T @ dz, mistakes=wrong)


def _skip(case: Case) -> Problem:
    rng, spec = np.random.default_rng(case.seed), Spec(case.D, (case.H,), 1)
    some = Zone(spec, {k: rng.random(shape) < 0.4 for k, shape in spec.shapes.items()})
    grads = {k: rng.normal(size=shape) for k, shape in spec.shapes.items()}
    right = {k: np.where(some.mask(k), 0, g) for k, g in grads.items()}
    wrong = (
        Mistake("inverse", {k: g - right[k] for k, g in grads.items()}, "Which arcs does a zone name?"),
        Mistake("formula", grads, "That is depth hold: nothing is left out."),
        Mistake("zero", {k: 0 * g for k, g in grads.items()}, "Active arcs have a gradient."),
        Mistake("sign", {k: -g for k, g in right.items()}),
    )
    return Problem({"zone": some, "dense": grads}, right, mistakes=wrong)


def _largest(case: Case) -> Problem:
    size, top = np.random.default_rng(case.seed).exponential(size=(case.T, case.H, case.B)), 2
    ranked, whole = np.sort(size, axis=1), size.sum()
    once = np.argsort(size.sum(axis=(0, 2)))[-top:]
    axis = "Along which axis do the units lie?"
    wrong = (
        Mistake("inverse", ranked[:, :top].sum() / whole, "These are the smallest."),
        Mistake("missing factor", ranked[:, -top:].sum(), "A share of what?"),
        Mistake("formula", size[:, once].sum() / whole, "Chosen once, where each step and sample chooses anew."),
        Mistake("formula", size[:, -top:].sum() / whole, axis),
        Mistake("formula", np.sort(size, axis=2)[..., -top:].sum() / whole, axis),
        Mistake("formula", np.sort(size, axis=0)[-top:].sum() / whole, axis),
        Mistake("formula", ranked[-top:].sum() / whole, axis),
        Mistake("formula", (ranked[:, -top:].sum(axis=1) / size.sum(axis=1)).mean(),
                "A share of the whole is not the mean of shares."),
        Mistake("off by one", ranked[:, top:].sum() / whole, "How many are kept?"),
    )  # fmt: skip
    return Problem({"size": size, "top": top}, ranked[:, -top:].sum() / whole, mistakes=wrong)


def _error(case: Case) -> Problem:
    n, B = (64, 32) if case.B > 1 else (3, 1)
    wrong = (
        Mistake("half", 4 * n * n * B, "A multiplication and an addition."),
        Mistake("missing factor", 2 * n * n * B, "There are four gates."),
        Mistake("missing factor", 8 * n * n, "For how many samples?"),
        Mistake("formula", 8 * n * B, "Errors of active units go to active units: how many pairs?"),
        Mistake("squared factor", 32 * n * n * B),
    )
    return Problem({"n": n, "B": B}, 8 * n * n * B, mistakes=wrong)


def _ceiling(case: Case) -> Problem:
    a = np.array([0.1, 0.25, 0.75]) if case.B > 1 else np.array([0.5])
    s = 0.25 if case.B > 1 else 0.8
    wrong = (
        Mistake("inverse", (1 + s * (a * a + a)) / 3, "How many times as fast, not how long."),
        Mistake("missing factor", 3 / (1 + a * a + a), "The span shortens both."),
        Mistake("missing term", 3 / (1 + s * a), "What is left of the errors?"),
        Mistake("missing term", 3 / (1 + s * a * a), "What is left of the weight gradients?"),
        Mistake("missing term", 3 / (s * (a * a + a)), "The forward pass runs as ever."),
        Mistake("formula", 3 / (1 + 2 * s * a), "Errors fall with the square."),
        Mistake("formula", 3 / (s * (1 + a * a + a)), "The span leaves the forward pass whole."),
        Mistake("formula", 3 / (2 + a), "That is depth skip."),
    )
    return Problem({"a": a, "s": s}, 3 / (1 + s * (a * a + a)), mistakes=wrong)


EXERCISES = (
    Exercise(
        "06.arcs",
        "how many arcs lead to n units",
        "section 1",
        "A unit has a row in each gate; how many sources has a row?",
        _arcs,
        ("n", "H", "D"),
    ),
    Exercise(
        "06.skip",
        "the gradient that depth skip gives, by parameter",
        "(6.2)",
        "`zone.mask(name)` is true where an arc is isolated; `np.where` chooses.",
        _skip,
        ("zone", "dense"),
    ),
    Exercise(
        "06.carried",
        "the error one step back at depth cut",
        "(6.6)",
        "An array of booleans is turned round by ~, and multiplies as 0 and 1.",
        _carried,
        ("Wh", "dz", "isolated"),
    ),
    quiz(
        "06.quiz_exact",
        "the depth that changes the gradient of active arcs",
        "c",
        {
            "a": "It computes the whole gradient and leaves out the update.",
            "b": "It leaves out products whose result nobody reads.",
            "d": "What it remembers are the very numbers that would be computed.",
        },
        "(6.1) to (6.4)",
        "Which of the struck terms was part of the gradient of other arcs?",
    ),
    Exercise(
        "06.error_flops",
        "the FLOPs of carrying the error one step back at depth cut",
        "(6.7)",
        "A product of (m, k) by (k, n) costs 2 m k n: from the gates of n units to n units, for B samples.",
        _error,
        ("n", "B"),
    ),
    Exercise(
        "06.largest",
        "the share of |dz|² in the largest units of each step and sample",
        "06b, section 6, meProp",
        "Sort along the units; the largest stand last.",
        _largest,
        ("size", "top"),
    ),
    Exercise(
        "06.ceiling",
        "how many times as fast a step is with cut and a span",
        "(6.8)",
        "With F = E = G = 1: what is left of each of the three?",
        _ceiling,
        ("a", "s"),
    ),
    quiz(
        "06.quiz_claim",
        "five times as fast",
        "c",
        {
            "a": "Without any weight gradient a step is at most 1.5 times as fast.",
            "b": "Without any backward pass it is at most 3 times as fast.",
        },
        "(6.8)",
        "Which part of a step does neither of them touch?",
    ),
)
