"""The exercises of chapter 03 that count and measure: FLOPs and bounds, memory, angles, clipping."""

from __future__ import annotations

from typing import Any

import numpy as np

from .exercise import CASES, Case, Exercise, Mistake, Problem
from .sequences import MATRICES, network


def _bound(case: Case) -> Problem:
    share = np.array([0.1, 1 / 3, 0.6]) if case.B > 1 else np.array([0.5 / 2])
    wrong = (
        Mistake("inverse", 1 - share, "How many times as fast, not how long."),
        Mistake("formula", 1 / share, "The part with this share costs nothing; what is left?"),
        Mistake("formula", 1 + share),
        Mistake("formula", share / (1 - share), "The whole is compared with what is left."),
    )
    return Problem({"share": share}, 1 / (1 - share), mistakes=wrong)


def _cosine(case: Case) -> Problem:
    a, b = np.random.default_rng(case.seed).normal(size=(2, 20))
    a = a + b
    norm = np.linalg.norm
    wrong = (
        Mistake("missing factor", a @ b),
        Mistake("missing factor", a @ b / norm(a)),
        Mistake("missing factor", a @ b / norm(b)),
        Mistake("squared factor", a @ b / (a @ a) / (b @ b)),
        Mistake("formula", float(np.arccos(a @ b / norm(a) / norm(b)))),
    )
    return Problem({"a": a, "b": b}, float(a @ b / norm(a) / norm(b)), mistakes=wrong)


def _clip(case: Case) -> Problem:
    n = network(case)
    g = {name: n.p[name] for name in MATRICES}
    norm = np.sqrt(sum((a * a).sum() for a in g.values()))
    limit = norm / 10 if case.seed == 1 else 2 * norm  # a large gradient and a small one
    shrink = min(1, limit / norm)
    each = {k: a * min(1, limit / np.linalg.norm(a)) for k, a in g.items()}
    wrong = (
        Mistake("formula", each, "The norm is that of all arrays together."),
        Mistake(
            "formula", {k: a * limit / norm for k, a in g.items()}, "A small gradient is to stay as it is."
        ),
        Mistake(
            "formula",
            {k: np.clip(a, -limit, limit) for k, a in g.items()},
            "The entries are cut off one by one, which turns the gradient.",
        ),
        Mistake("formula", g, "A large gradient is to shrink."),
        Mistake("missing factor", {k: a / norm for k, a in g.items()}),
        Mistake("missing factor", {k: a * min(1, limit) for k, a in g.items()}, "Where is the norm?"),
        Mistake("formula", {k: a * max(1, limit / norm) for k, a in g.items()},
                "The smaller of two numbers, not the larger."),
        Mistake("formula", {k: a * min(1, limit / sum(np.linalg.norm(a) for a in g.values())) for k, a in g.items()},
                "A common norm is not the sum of the norms."),
        Mistake("formula", {k: a * min(1, limit / np.abs(np.concatenate([a.ravel() for a in g.values()])).max())
                            for k, a in g.items()}, "This is the largest entry, not the norm."),
        Mistake("inverse", {k: a * max(1, norm / limit) for k, a in g.items()}),
        Mistake(
            "missing factor", {k: a * min(1, limit / norm**2) for k, a in g.items()}, "A norm has a root."
        ),
    )  # fmt: skip
    return Problem({"grads": g, "limit": limit}, {k: a * shrink for k, a in g.items()}, mistakes=wrong)


def _one_product(case: Case) -> Problem:
    rng = np.random.default_rng(case.seed)
    dz, sources = (rng.normal(size=(case.T, rows, case.B)) for rows in (4 * case.H, case.D))
    right = sum((a @ b.T for a, b in zip(dz, sources, strict=True)), np.zeros((4 * case.H, case.D)))
    mixed, first = (
        dz.reshape(4 * case.H, -1),
        "Which axis comes first, before time and samples become columns?",
    )
    wrong = (
        Mistake("transposed", right.T),
        Mistake("one step", dz[-1] @ sources[-1].T),
        Mistake("reversed", sum(a @ b.T for a, b in zip(dz, sources[::-1], strict=True))),
        Mistake("averaged over time", right / case.T),
        Mistake("formula", mixed @ sources.reshape(case.D, -1).T, first),
        Mistake("formula", mixed @ sources.transpose(1, 0, 2).reshape(case.D, -1).T, first),
    )  # fmt: skip
    return Problem({"dz": dz, "sources": sources}, right, mistakes=wrong)


def _number(names: str, right: Any, wrong: Any) -> Any:
    """A count from sizes: `right` and the values of `wrong` are functions of them."""

    def problem(case: Case) -> Problem:
        sizes = {"T": case.T, "B": case.B, "D": case.D, "H": case.H, "n": 3 if case.B > 1 else 2}
        given = {name: sizes[name] for name in names.split()}
        mistakes = tuple(Mistake(kind, f(*given.values()), where) for kind, f, where in wrong)
        return Problem(given, int(right(*given.values())), mistakes=mistakes)

    return problem


def _trace(T: int, B: int, D: int, H: int) -> int:
    return (D + 6 * H) * B * T


EXERCISES = (
    Exercise(
        "03.error_products",
        "how many products Wh.T @ dz a span of n steps needs",
        "03b, section 1, below (3.3)",
        "The oldest step passes no error on.",
        _number(
            "n",
            lambda n: n - 1,
            [
                ("off by one", lambda n: n, "Does the oldest step pass an error on?"),
                ("off by one", lambda n: n + 1, ""),
                ("off by one", lambda n: n - 2, ""),
            ],
        ),
        ("n",),
    ),
    Exercise(
        "03.cosine",
        "the cosine of the angle between two gradients",
        "03b, section 2: g_n · g / (|g_n| |g|)",
        "Divide by both lengths.",
        _cosine,
        ("a", "b"),
    ),
    Exercise(
        "03.one_product",
        "the sum over all steps of dz times what the arcs read, as one product",
        "(3.8)",
        "Rows stay rows; time and samples together become columns, in the same order in both arrays.",
        _one_product,
        ("dz", "sources"),
    ),
    Exercise(
        "03.flops",
        "the FLOPs of the weight gradients of T steps",
        "03d, section 2: 2 · 4H · S · B a step",
        "A product of (m, k) by (k, n) costs 2 m k n; S = H + D + 1.",
        _number(
            "T B D H",
            lambda T, B, D, H: T * 2 * 4 * H * (H + D + 1) * B,
            [
                (
                    "missing factor",
                    lambda T, B, D, H: T * 4 * H * (H + D + 1) * B,
                    "A multiplication and an addition.",
                ),
                ("missing factor", lambda T, B, D, H: 2 * 4 * H * (H + D + 1) * B, "Of all steps."),
                ("missing factor", lambda T, B, D, H: T * 2 * H * (H + D + 1) * B, "Of all gates."),
                ("missing factor", lambda T, B, D, H: T * 2 * 4 * H * (H + D + 1), "Of all samples."),
                (
                    "missing term",
                    lambda T, B, D, H: T * 2 * 4 * H * (H + D) * B,
                    "What does S hold beside h and x?",
                ),
                ("missing term", lambda T, B, D, H: T * 2 * 4 * H * H * B, "What does S hold beside h?"),
                ("last step lost", lambda T, B, D, H: (T - 1) * 2 * 4 * H * (H + D + 1) * B, ""),
            ],
        ),
        ("T", "B", "D", "H"),
    ),
    Exercise(
        "03.bound",
        "how many times as fast a step is at most, if a part with this share of the work costs nothing",
        "(3.9): at most 1 / (1 - s) times as fast",
        "What is left takes 1 - s of the time.",
        _bound,
        ("share",),
    ),
    Exercise(
        "03.trace_size",
        "how many numbers a trace of T steps holds",
        "03d, section 3: (D + 6H) B T",
        "Count the arrays of a step that are not those of the next one.",
        _number(
            "T B D H",
            _trace,
            [
                ("missing factor", lambda T, B, D, H: (D + 6 * H) * T, ""),
                ("missing factor", lambda T, B, D, H: (D + 6 * H) * B, ""),
                ("missing term", lambda T, B, D, H: 6 * H * B * T, ""),
                ("missing term", lambda T, B, D, H: (D + 4 * H) * B * T, "States are kept, too."),
                (
                    "double",
                    lambda T, B, D, H: (D + 8 * H) * B * T,
                    "States of two steps that are one array are counted twice.",
                ),
            ],
        ),
        ("T", "B", "D", "H"),
    ),
    Exercise(
        "03.clip",
        "gradients clipped by their common norm",
        "03a, exercise 1: min(1, limit / |g|)",
        "One norm over all arrays; one factor for all of them.",
        _clip,
        ("grads", "limit"),
        cases=(CASES[0], CASES[0]._replace(seed=2)),
    ),
)
