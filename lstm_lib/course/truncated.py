"""The exercises of notebook 03b: a span, and truncated back-propagation through time with a loss at every step.

The answers are sums over the losses, each sent back alone by `step_backward`; the notebook's are sums over walks.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from lstm_lib.network.cells import CELLS, Array
from lstm_lib.network.step import step_backward, step_forward

from .exercise import CASES, Case, Exercise, Mistake, Problem
from .quizzes import quiz
from .sequences import network

K1, K2 = 2, 3  # of the truncated pass; neither divides the seven steps of `LONGER`
LONGER = tuple(case._replace(T=7) for case in CASES)


def _with_head(case: Case) -> SimpleNamespace:
    """`network`, its steps as the library keeps them, and what a head hands to every h, (T, H, B)."""
    n, rng = network(case), np.random.default_rng(case.seed + 7)
    n.traces = [step_forward(CELLS["standard"], n.weights, *kept[:3]) for kept in n.trace]
    n.from_head = rng.normal(size=(case.T, case.H, case.B))
    return n


def _sent_back(n: SimpleNamespace, loss: int, first: int) -> dict[str, Array]:
    """What the loss of one step gives to the arcs of the layer on its way back to the step `first`."""
    found = {name: np.zeros_like(array) for name, array in n.weights.items()}
    dh, dc = n.from_head[loss], np.zeros_like(n.h)
    for t in range(loss, first - 1, -1):
        back = step_backward(CELLS["standard"], n.weights, n.traces[t], dh, dc)
        dh, dc = back.h_prev, back.c_prev
        for name in found:
            found[name] += getattr(back, name)
    return found


def _summed(n: SimpleNamespace, ways: list[tuple[int, int]]) -> dict[str, Array]:
    """The sum over losses and their first steps."""
    parts = [_sent_back(n, loss, max(first, 0)) for loss, first in ways]
    return {name: sum((part[name] for part in parts), np.zeros_like(a)) for name, a in n.weights.items()}


def _span(case: Case) -> Problem:
    n, T, span = _with_head(case), case.T, 2 if case.B > 1 else 5

    def back_to(first: int) -> list[tuple[int, int]]:
        return [(s, first) for s in range(first, T)]

    shifted = SimpleNamespace(**vars(n) | {"from_head": np.roll(n.from_head, T - span, axis=0)})
    wrong = (
        Mistake("reversed", _summed(n, [(s, 0) for s in range(span)]), "A span keeps the latest steps."),
        Mistake("formula", _summed(n, back_to(0)), "That is the whole sequence."),
        Mistake("formula", _summed(n, back_to(span)), "So many steps are left out, where so many are to be kept."),
        Mistake("time index", _summed(shifted, back_to(T - span)),
                "Traces and what the head hands over are of different steps."),
        Mistake("off by one", _summed(n, back_to(T - span - 1))),
        Mistake("off by one", _summed(n, back_to(T - span + 1))),
    )  # fmt: skip
    given = {"w": n.weights, "traces": n.traces, "from_head": n.from_head, "span": span}
    return Problem(given, _summed(n, back_to(T - span)), mistakes=wrong)


def _one_loss(case: Case) -> Problem:
    n, T = _with_head(case), case.T
    tau, head = 1 if case.B > 1 else T - 2, n.from_head
    at = np.arange(T)[:, None, None]
    wrong = (
        Mistake("formula", head, "That is what all losses hand over."),
        Mistake("formula", np.where(at <= tau, head, 0), "One loss alone is asked for."),
        Mistake("formula", np.where(at >= tau, head, 0), "One loss alone is asked for."),
        Mistake("time index", np.where(at == tau, head[-1], 0), "This is what the last loss hands over."),
        Mistake("time index", np.where(at == T - 1, head[tau], 0), "At which step does it arrive?"),
    )
    return Problem(
        {"from_head": head, "tau": tau}, np.where(at == tau, head, 0), mistakes=wrong, axes=("T", "H", "B")
    )


def _blocks(T: int) -> list[tuple[int, int]]:
    """Each loss and the end of its block."""
    return [(s, end) for end in range(K1, T + 1, K1) for s in range(end - K1, end)]


def _tbptt(case: Case) -> Problem:
    n = _with_head(case)
    T = case.T
    right = _summed(n, [(s, end - K2) for s, end in _blocks(T)])
    wrong = (
        Mistake("formula", _summed(n, [(s, end - K1) for s, end in _blocks(T)]), "How far back does a walk go?"),
        Mistake("formula", _summed(n, [(s, 0) for s, _ in _blocks(T)]), "How far back does a walk go?"),
        Mistake("one step", _summed(n, [(end - 1, end - K2) for end in range(K1, T + 1, K1)]),
                "Only the last loss of a block counts."),
        Mistake("double", _summed(n, [(s, end - K2) for end in range(K1, T + 1, K1)
                                      for s in range(max(end - K2, 0), end)]),
                "Losses before the block have been sent back already."),
        Mistake("off by one", _summed(n, [(s, end - K2 - 1) for s, end in _blocks(T)])),
        Mistake("off by one", _summed(n, [(s, end - K2 + 1) for s, end in _blocks(T)])),
        Mistake("one step", _summed(n, [(s, end - K2) for s, end in _blocks(T)[-K1:]]),
                "Only the last walk counts: it is overwritten where it has to be added up."),
        Mistake("averaged over time", {k: g / T for k, g in right.items()}),
    )  # fmt: skip
    given = {"w": n.weights, "traces": n.traces, "from_head": n.from_head, "k1": K1, "k2": K2}
    return Problem(given, right, mistakes=wrong)


EXERCISES = (
    Exercise(
        "03.span",
        "the gradients of the layer over the last steps",
        "(3.3)",
        "`walk_back` goes over all steps that it is given: which ones, and what does the head hand to these?",
        _span,
        ("w", "traces", "from_head", "span"),
        cases=LONGER,
    ),
    Exercise(
        "03.one_loss",
        "what the loss of one step alone hands to every h",
        "(3.6), the left side",
        "Without the other losses, what does the head hand to the other steps?",
        _one_loss,
        ("from_head", "tau"),
    ),
    Exercise(
        "03.tbptt",
        "the gradients of the layer by TBPTT(k1, k2)",
        "(3.7)",
        "A walk at every k1-th step, k2 steps long; only the losses of the last k1 steps enter it.",
        _tbptt,
        ("w", "traces", "from_head", "k1", "k2"),
        cases=LONGER,
    ),
    quiz(
        "03.quiz_bias",
        "whether more windows help against truncation",
        "b",
        {
            "a": "Which error does an average make smaller: that of chance, or one that all windows share?",
            "c": "The terms that are left out are not the same as more noise.",
        },
        "(3.4): bias = E[dW of the span] - E[dW], minus the terms left out",
        "The mean over windows tends to an expectation. To which one?",
    ),
)
