"""The exercises of notebook 03c: the GRU of `gru.py`, through time, over all steps and over the last few."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from lstm_lib.network.cells import CELLS, Array
from lstm_lib.network.spec import Spec
from lstm_lib.network.step import step_backward

from .exercise import Case, Exercise, Mistake, Problem
from .gru import NAMES, errors, forward, kept, network, weights
from .quizzes import quiz


def through_time(n: SimpleNamespace, span: int, fault: str = "") -> dict[str, Array]:
    """The gradients over the last `span` steps, of a loss that reads the last h; with one fault, "" is none."""
    found, dh, T = {name: np.zeros_like(a) for name, a in n.p.items()}, n.dh, len(n.steps)
    many = {"one more": span + 1, "one less": span - 1, "whole": T, "direct": T}.get(fault, span)
    chosen = {"first": n.steps[:many][::-1], "ahead": n.steps[-many:]}.get(fault, n.steps[::-1][:many])
    for k, s in enumerate(chosen, start=1):
        back = step_backward(CELLS[n.cell], n.p, s, dh)
        for name in found:
            gradient = getattr(back, name)
            found[name] = gradient if fault == "one step" else found[name] + gradient
        carried = {
            "not carried": 0 * dh,
            "no direct": back.h_prev - dh * s.z,
            "again": n.dh,
            "other": back.z[: len(dh)],
            "direct": dh * s.z if k >= span else back.h_prev,
        }
        dh = carried.get(fault, back.h_prev)
    return found


LOOP = {
    "not carried": ("road", "dh is not carried on from step to step."),
    "no direct": ("road", "dh is not carried along the direct road, h = z ∘ h_prev + …."),
    "again": ("road", "Every step gets the same dh."),
    "one step": ("one step", ""),
    "ahead": ("reversed", "The walk begins at the last step."),
    "other": ("other quantity", "What is carried on is no error of h."),
}
SPAN = {
    "whole": ("formula", "The errors travel further back than `span` steps."),
    "one more": ("off by one", "Over how many steps do errors travel?"),
    "one less": ("off by one", "Over how many steps do errors travel?"),
    "first": ("reversed", "The last steps are meant, next to the loss."),
    "direct": ("road", "At the border one road is still open: that of h = z ∘ h_prev + …."),
}


def _sequence(truncated: bool) -> Any:
    def problem(case: Case) -> Problem:
        n = network("gru", case)
        span = 2 if truncated and case.seed < 3 else case.T
        faults = LOOP | (SPAN if span < case.T else {})
        wrong = [
            Mistake(kind, through_time(n, span, fault), where) for fault, (kind, where) in faults.items()
        ]
        right = through_time(n, span)
        wrong.append(Mistake("averaged over time", {k: g / span for k, g in right.items()}))
        given = {"p": n.p, "trace": [kept("gru", s) for s in n.steps], "dh": n.dh, "span": span}
        return Problem(given, right, mistakes=tuple(wrong))

    return problem


def _arcs(case: Case) -> Problem:
    D, H = case.D, case.H
    right = Spec(inputs=D, units=(H,), outputs=1, cell="gru").size - (H + 1)
    wrong = (
        Mistake("missing term", 3 * H * (D + H + 1), "This is `gru_v3`; `gru` has a second bias."),
        Mistake("formula", 4 * H * (D + H + 1), "This is the LSTM."),
        Mistake("missing term", 3 * H * (D + H), "The biases."),
        Mistake("missing factor", H * (D + H + 2), "Of all gates."),
        Mistake("formula", 3 * H * (D + H + 1) + H, "bh has rows for all three gates."),
    )
    return Problem({"D": D, "H": H}, int(right), mistakes=wrong)


def row(
    name: str, title: str, equation: str, hint: str, problem: Any, takes: str, **options: Any
) -> Exercise:
    """A row whose parameters stand in one text."""
    return Exercise(f"03.{name}", title, equation, hint, problem, tuple(takes.split()), **options)


SPANS = (Case(B=3, H=4, D=2, T=5, seed=1), Case(B=2, H=4, D=2, T=5, seed=3), Case(B=1, H=4, D=2, T=5, seed=2))
EXERCISES = (
    row("gru_step", "h of one step, reset after the product", "(3.10) to (3.13)",
        "z and r as in an LSTM; u reads h_prev; g sees r ∘ u; h mixes h_prev and g.", forward("gru"), "p x h_prev"),
    row("gru_errors", "dz_z, dz_r, dz_g and dh_prev of that step",
        "(3.14) to (3.17): dz_z = dh (h_prev - g) z (1 - z), dz_g = dh (1 - z) (1 - g²), du = dz_g r, "
        "dz_r = dz_g u r (1 - r), dh_prev = dh z + U_zᵀ dz_z + U_rᵀ dz_r + U_gᵀ du",
        "First h = z ∘ h_prev + (1 - z) ∘ g: three errors; then g; then the gates' slopes; h_prev is read four times.",
        errors("gru"), "p kept dh", names=NAMES),
    row("gru_weights", "the gradients of its matrices",
        "(3.18): dWx = dz xᵀ and dWh = dz h_prevᵀ, in dWh the rows of g with du",
        "Whose error, times what was read?",
        weights("gru"), "kept dz_z dz_r dz_g"),
    row("gru_backward", "the gradients of a sequence", "(3.19)", "As for the LSTM, with one state.",
        _sequence(False), "p trace dh"),
    row("gru_truncated", "the same over the last `span` steps", "(3.19), over the last steps",
        "After `span` steps no error goes on, on whatever road.", _sequence(True), "p trace dh span", cases=SPANS),
    row("gru_v3_step", "h of one step, reset before the product", "(3.20)", "g reads r ∘ h_prev through Wh.",
        forward("gru_v3"), "p x h_prev"),
    row("gru_v3_errors", "dz_z, dz_r, dz_g and dh_prev of that step",
        "(3.21): dq = U_gᵀ dz_g, dz_r = dq h_prev r (1 - r), dh_prev = dh z + U_zᵀ dz_z + U_rᵀ dz_r + dq r",
        "Name what Wh_g reads, q = r ∘ h_prev: dq comes back through Wh_g, and q is a product.",
        errors("gru_v3"), "p kept dh", names=NAMES),
    row("gru_v3_weights", "the gradients of its matrices",
        "(3.22): dWh = dz h_prevᵀ, the rows of g with (r h_prev)ᵀ", "What has Wh_g read?",
        weights("gru_v3"), "kept dz_z dz_r dz_g"),
    row("gru_arcs", "how many arcs a layer of `gru` has", "(3.23): 3 H (D + H + 2)",
        "Three gates, each with two biases a unit.",
        _arcs, "D H"),
    quiz("03.quiz_gru", "which value of z keeps an error alive over many steps", "a",
         {"b": "With z = 0 the old h has no part in the new one.", "c": "r acts inside the candidate alone."},
         "(3.17): dh_prev = dh z + ...", "What is the error multiplied with on the direct road?"),
)  # fmt: skip
