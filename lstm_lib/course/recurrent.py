"""The exercises of notebook 01b: the simple recurrent network, its back-propagation through time, and its spectrum.

The answers are those of `step_forward` and `step_backward` with the cell "rnn". Arrays are feature-major, time first:
xs (T, D, B), hs (T, H, B), dhs (T, H, B), the error that the loss hands to every h.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from lstm_lib.network.cells import CELLS, Array
from lstm_lib.network.step import step_backward, step_forward

from .exercise import Case, Exercise, Mistake, Problem
from .quizzes import quiz

CELL = CELLS["rnn"]
MATRICES = ("Wx", "Wh", "b")


def network(case: Case) -> SimpleNamespace:
    """A network at random, biases too, its states, and errors from a loss at every step."""
    rng = np.random.default_rng(case.seed)
    H, D, B, T = case.H, case.D, case.B, case.T
    p = {"Wx": rng.normal(0, 0.7, (H, D)), "Wh": rng.normal(0, 0.6, (H, H)), "b": rng.normal(0, 0.5, H)}
    xs, dhs = rng.normal(size=(T, D, B)), rng.normal(size=(T, H, B))
    traces, h = [], np.zeros((H, B))
    for x in xs:
        traces.append(step_forward(CELL, p, x, h))
        h = traces[-1].h
    return SimpleNamespace(p=p, xs=xs, dhs=dhs, traces=traces, hs=np.array([t.h for t in traces]))


def through_time(n: SimpleNamespace, fault: str = "") -> dict[str, Array]:
    """The loop around `step_backward`, with one fault in it; "" is none."""
    found = {name: np.zeros_like(n.p[name]) for name in MATRICES}
    order = list(zip(n.traces, n.dhs, strict=True))
    order = {"ahead": order, "errors ahead": list(zip(n.traces[::-1], n.dhs, strict=True))}.get(
        fault, order[::-1]
    )
    order = order[:-1] if fault == "first lost" else order[1:] if fault == "last lost" else order
    carried = np.zeros_like(n.hs[0])
    for k, (trace, dh) in enumerate(order):
        from_loss = dh if fault != "last loss" or k == 0 else 0 * dh
        back = step_backward(CELL, n.p, trace, carried if fault == "no loss" and k else from_loss + carried)
        gradients = {name: getattr(back, name) for name in MATRICES}
        if fault == "time index":
            gradients["Wh"] = back.z @ trace.h.T
        if fault == "slope":
            dz = from_loss + carried
            gradients = {"Wx": dz @ trace.x.T, "Wh": dz @ trace.h_prev.T, "b": dz.sum(1)}
        for name in MATRICES:
            found[name] = gradients[name] if fault == "one step" else found[name] + gradients[name]
        carried = {
            "not carried": 0 * back.h_prev,
            "transposed": n.p["Wh"] @ back.z,
            "slope": n.p["Wh"].T @ (from_loss + carried),
            "carried before": n.p["Wh"].T @ (from_loss + carried),
            "not passed": back.z,
        }.get(fault, back.h_prev)
    return found


FAULTS = {
    "not carried": ("road", "dh_prev of a step has to reach the step before it."),
    "transposed": ("transposed", "Which matrix leads from dz to dh_prev?"),
    "not passed": ("missing factor", "On the way from dz to dh_prev."),
    "carried before": ("missing slope", "In the error that is carried on."),
    "slope": ("missing slope", "Of tanh."),
    "ahead": ("reversed", "The walk begins at the last step."),
    "errors ahead": ("reversed", "The errors of the loss run the other way than the steps."),
    "first lost": ("first step lost", ""),
    "last lost": ("last step lost", ""),
    "one step": ("one step", ""),
    "time index": ("time index", "In dWh: which h has the product Wh h read?"),
    "last loss": ("missing term", "The loss hands an error to every step, not to the last one alone."),
    "no loss": ("missing term", "The loss hands an error to every step, not to the last one alone."),
}


def _forward(case: Case) -> Problem:
    n = network(case)

    def states(fault: str) -> Array:
        h, hs = np.zeros_like(n.hs[0]), []
        Wx, Wh, b = n.p["Wx"], n.p["Wh"], n.p["b"][:, None]
        for x in n.xs[::-1] if fault == "reversed" else n.xs:
            old = {"no h": 0 * h, "transposed": Wh.T @ h}.get(fault, Wh @ h)
            z = Wx @ x + (0 * old if fault == "no h" else old) + (0 * b if fault == "no b" else b)
            h = z if fault == "linear" else 1 / (1 + np.exp(-z)) if fault == "σ" else np.tanh(z)
            hs.append(h)
        return np.array(hs)

    wrong = (
        Mistake("road", states("no h"), "The state is not handed on."),
        Mistake("missing term", states("no b"), "The bias."),
        Mistake("transposed", states("transposed"), "Wh."),
        Mistake("missing factor", states("linear"), "The activation is missing."),
        Mistake("formula", states("σ"), "The activation is another one."),
        Mistake("reversed", states("reversed"), "The sequence is read backward."),
        Mistake("one step", n.hs[-1], "The states of all steps are asked for."),
        Mistake("late", np.concatenate([np.zeros_like(n.hs[:1]), n.hs[:-1]])),
    )
    return Problem({"p": n.p, "xs": n.xs}, n.hs, mistakes=wrong, axes=("T", "H", "B"))


def _backward(case: Case) -> Problem:
    n = network(case)
    right = through_time(n)
    wrong = [Mistake(kind, through_time(n, fault), where) for fault, (kind, where) in FAULTS.items()]
    wrong += [
        Mistake("averaged", {name: g / case.B for name, g in right.items()}),
        Mistake("averaged over time", {name: g / case.T for name, g in right.items()}),
        Mistake("sign", {name: -g for name, g in right.items()}),
        Mistake("transposed", right | {"Wh": right["Wh"].T}, "In Wh."),
    ]
    return Problem({"p": n.p, "xs": n.xs, "hs": n.hs, "dhs": n.dhs}, right, mistakes=tuple(wrong))


def _spectral(case: Case) -> Problem:
    Wh = np.random.default_rng(case.seed + 5).normal(size=(case.H, case.H))
    values = np.linalg.eigvals(Wh)
    wrong = (
        Mistake("formula", float(np.linalg.norm(Wh, 2)), "This is the largest singular value."),
        Mistake("formula", float(np.linalg.norm(Wh)), "This is the norm of all entries."),
        Mistake("formula", float(np.abs(Wh).max()), "This is the largest entry."),
        Mistake("formula", float(values.real.max()), "Eigenvalues are complex; their size counts."),
        Mistake("formula", float(np.abs(values).min()), "The largest of them counts."),
        Mistake("formula", float(np.abs(values).sum()), "The largest of them counts."),
        Mistake("formula", float(np.abs(values.real).max()), "Eigenvalues are complex; their size counts."),
    )
    return Problem({"Wh": Wh}, float(np.abs(values).max()), mistakes=wrong)


def _clip(case: Case) -> Problem:
    g = np.random.default_rng(case.seed).normal(size=(case.H, case.D))
    norm = float(np.linalg.norm(g))
    limit = norm / 3 if case.seed == 1 else 2 * norm
    wrong = (
        Mistake("formula", g * limit / norm, "A small gradient is to stay as it is."),
        Mistake(
            "formula", np.clip(g, -limit, limit), "The entries are cut off one by one: the direction changes."
        ),
        Mistake("formula", g, "A large gradient is to shrink."),
        Mistake("missing factor", g / norm, "It is to keep the length `limit`."),
        Mistake("missing factor", g * min(1, limit / norm**2), "A norm has a root."),
        Mistake("inverse", g * max(1, norm / limit)),
    )
    return Problem({"g": g, "limit": limit}, g * min(1, limit / norm), mistakes=wrong)


EXERCISES = (
    Exercise("01.rnn_forward", "the states of a sequence", "(1.9)",
             "Begin with zeros; each step makes h of x and of the h before it.", _forward, ("p", "xs")),
    Exercise("01.rnn_backward", "the gradients of a sequence with a loss at every step", "(1.10) to (1.12)",
             "From the last step to the first: what the loss hands to h plus what the step after it has handed back.",
             _backward, ("p", "xs", "hs", "dhs")),
    Exercise("01.spectral_radius", "the spectral radius of a matrix", "(1.14)",
             "The largest absolute value of an eigenvalue; np.linalg.eigvals.", _spectral, ("Wh",)),
    Exercise("01.clip", "a gradient clipped by its norm", "(1.15)",
             "Only where the norm is above the limit: shorten, and keep the direction.", _clip, ("g", "limit"),
             cases=(Case(B=3, seed=1), Case(B=3, seed=2))),
    quiz("01.quiz_vanish", "what happens to an error if Wh has the spectral radius 0.9", "a",
         {"b": "What does a factor below 1 do, fifty times over, and the slope of tanh beside it?",
          "c": "The slope of tanh is at most 1: can it make up for a loss?"},
         "(1.13)", "At each step the error is multiplied by Wh transposed and by slopes of at most 1."),
    quiz("01.quiz_clip", "what clipping mends", "c",
         {"a": "Does it make a small gradient larger?", "b": "It never touches a gradient below the limit."},
         "(1.15)", "Look at what it does to a gradient above the limit, and to one below."),
)  # fmt: skip
