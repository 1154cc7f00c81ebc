"""The exercises of notebook 01c: a step of the LSTM by hand and with matrices, and what can be counted beforehand.

The answers are those of `step_forward` with the cell "standard", and of the sizes that `Spec` reports.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lstm_lib.network.cells import CELLS, sigmoid
from lstm_lib.network.spec import Spec
from lstm_lib.network.step import step_forward

from .exercise import Case, Exercise, Mistake, Problem
from .quizzes import quiz

Z = {"f": 1.5, "i": -0.2, "o": 0.6, "g": -0.7}  # the pre-activations of the notebook's unit, whose c was 2
LOGS = {
    "f": 0.0,
    "i": np.log(3),
    "o": np.log(3),
    "g": -np.log(3) / 2,
}  # of the exercise in fractions, whose c was 1


def _unit(z: dict[str, float], c_prev: float) -> Any:
    """A problem of one unit: c and h from its four pre-activations."""
    f, i, o = (float(sigmoid(z[gate])) for gate in "fio")
    g = float(np.tanh(z["g"]))
    c = f * c_prev + i * g

    def problem(case: Case) -> Problem:
        lost = {
            ("missing term", "What the candidate adds."): f * c_prev,
            ("missing term", "What is kept of the old state."): i * g,
            ("a factor lost in a term", "In what is added."): f * c_prev + g,
            ("a factor lost in a term", "In what is kept."): c_prev + i * g,
            ("formula", "g takes tanh."): f * c_prev + i * float(sigmoid(z["g"])),
            ("other gate", "f and i have changed places."): i * c_prev + f * g,
            ("wrong sign of a term", ""): f * c_prev - i * g,
        }
        wrong = [Mistake(kind, (value, o * np.tanh(value)), where) for (kind, where), value in lost.items()]
        wrong += [
            Mistake("missing factor", (c, o * c), "In h: the state is squashed before it is shown."),
            Mistake("missing factor", (c, np.tanh(c)), "In h."),
            Mistake("formula", (c, np.tanh(z["o"]) * np.tanh(c)), "o takes σ."),
        ]
        return Problem({}, (c, o * np.tanh(c)), mistakes=tuple(wrong))

    return problem


def _step(case: Case) -> Problem:
    rng = np.random.default_rng(case.seed)
    H, D, B = case.H, case.D, case.B
    p = {"Wx": rng.normal(size=(4 * H, D)), "Wh": rng.normal(size=(4 * H, H)), "b": rng.normal(size=4 * H)}
    x, h_prev, c_prev = rng.normal(size=(D, B)), rng.normal(size=(H, B)), rng.normal(size=(H, B))
    s = step_forward(CELLS["standard"], p, x, h_prev, c_prev)
    brief = step_forward(CELLS["brief"], p, x, h_prev, c_prev)
    keras = [np.concatenate([np.split(p[k], 4)[j] for j in (1, 0, 3, 2)]) for k in ("Wx", "Wh", "b")]
    other = step_forward(CELLS["standard"], dict(zip(p, keras, strict=True)), x, h_prev, c_prev)
    bare = step_forward(CELLS["standard"], p | {"b": 0 * p["b"]}, x, h_prev, c_prev)
    alone = step_forward(CELLS["standard"], p, x, 0 * h_prev, c_prev)

    def made(c: Any) -> Any:
        return s.o * np.tanh(c), c

    wrong = (
        Mistake("other slope", (brief.h, brief.c), "In the gates: this is the cell of the brief."),
        Mistake("order of gates", (other.h, other.c), "It is f, i, o, g."),
        Mistake("missing term", (bare.h, bare.c), "The bias."),
        Mistake("missing term", (alone.h, alone.c), "What the gates read from h."),
        Mistake("missing factor", (s.o * s.c, s.c), "In h: the state is squashed before it is shown."),
        Mistake("missing factor", (np.tanh(s.c), s.c), "In h."),
        Mistake("missing term", made(s.f * c_prev), "In c."),
        Mistake("missing term", made(s.i * s.g), "In c."),
        Mistake("a factor lost in a term", made(c_prev + s.i * s.g), "In c."),
        Mistake("a factor lost in a term", made(s.f * c_prev + s.g), "In c."),
        Mistake("wrong sign of a term", made(s.f * c_prev - s.i * s.g), "In c."),
        Mistake("other gate", made(s.i * c_prev + s.f * s.g), "f and i have changed places."),
    )
    given = {**p, "x": x, "h_prev": h_prev, "c_prev": c_prev}
    return Problem(given, (s.h, s.c), mistakes=wrong)


def _run(case: Case) -> Problem:
    rng = np.random.default_rng(case.seed)
    H, D, B = case.H, case.D, case.B
    p = {"Wx": rng.normal(size=(4 * H, D)), "Wh": rng.normal(size=(4 * H, H)), "b": rng.normal(size=4 * H)}
    xs = rng.normal(size=(case.T, D, B))

    def states(fault: str = "") -> tuple[Any, Any]:
        h, c, found = np.zeros((H, B)), np.zeros((H, B)), []
        for x in xs[::-1] if fault == "reversed" else xs:
            s = step_forward(CELLS["standard"], p, x, h, c)
            h, c = (h if fault == "h" else s.h), (c if fault == "c" else s.c)
            found.append((s.h, s.c))
        return np.array([h for h, _ in found]), np.array([c for _, c in found])

    hs, cs = states()
    wrong = (
        Mistake("road", states("h"), "h is not handed on."),
        Mistake("road", states("c"), "c is not handed on."),
        Mistake("reversed", states("reversed"), "The sequence is read backward."),
        Mistake("reversed", (hs[::-1], cs[::-1])),
        Mistake("one step", (hs[-1], cs[-1]), "The states of all steps are asked for."),
        Mistake("late", (np.roll(hs, 1, 0), np.roll(cs, 1, 0))),
        Mistake("last step lost", (hs[:-1], cs[:-1])),
        Mistake("first step lost", (hs[1:], cs[1:])),
    )
    return Problem({**p, "xs": xs}, (hs, cs), mistakes=wrong)


def _half_life(case: Case) -> Problem:
    f = np.array([0.3, 0.7, 0.95]) if case.B > 1 else np.array([0.8])
    wrong = (
        Mistake("inverse", np.log(f) / np.log(0.5)),
        Mistake("sign", -np.log(0.5) / np.log(f)),
        Mistake("formula", np.log(0.5) / (1 - f), "What multiplies the state n times?"),
        Mistake("formula", 0.5 / f, "What multiplies the state n times?"),
        Mistake("formula", np.log(0.5) * np.log(f)),
        Mistake("formula", 1 / (1 - f), "This is the time to 1/e, and only near f = 1."),
        Mistake("formula", np.log(2) / f),
    )
    return Problem({"f": f}, np.log(0.5) / np.log(f), mistakes=wrong)


def _arcs(case: Case) -> Problem:
    D, H = case.D, case.H
    spec = Spec(inputs=D, units=(H,), outputs=1)
    right = spec.size - (H + 1)  # without the head
    wrong = (
        Mistake("missing factor", H * (D + H + 1), "Of all gates."),
        Mistake("missing term", 4 * H * (D + H), "The biases."),
        Mistake("missing term", 4 * H * (D + 1), "The arcs from units."),
        Mistake("missing term", 4 * H * (H + 1), "The arcs from inputs."),
        Mistake("formula", 4 * (D + H + 1), "Every unit has its own."),
        Mistake("formula", 4 * H * (D + H) + 1, "Every unit has a bias in every gate."),
        Mistake("formula", 4 * H * (D + H + 1) + H + 1, "The head is no part of the layer."),
        Mistake("formula", 4 * H * (D + H) + H, "Every unit has a bias in every gate."),
    )
    return Problem({"D": D, "H": H}, int(right), mistakes=wrong)


def _trace_size(case: Case) -> Problem:
    T, B, D, H = case.T, case.B, case.D, case.H
    wrong = (
        Mistake("missing factor", T * (7 * H + D), "Of all samples."),
        Mistake("missing factor", B * (7 * H + D), "Of all steps."),
        Mistake("missing term", T * B * 7 * H, "The inputs."),
        Mistake("missing term", T * B * (4 * H + D), "c, tanh c and h are kept as well."),
        Mistake("missing term", T * B * (6 * H + D), "f, i, o, g, c, tanh c, h: how many?"),
        Mistake("formula", T * B * (9 * H + D), "h and c of the step before are not kept twice."),
        Mistake("formula", T * B * 7 * (H + D)),
    )
    return Problem({"T": T, "B": B, "D": D, "H": H}, T * B * (7 * H + D), mistakes=wrong)


def _kernel(case: Case) -> Problem:
    H, D = case.H, case.D
    Wx = np.random.default_rng(case.seed).normal(size=(4 * H, D))
    f, i, o, g = np.split(Wx, 4)
    right = np.concatenate([i, f, g, o]).T
    wrong = (
        Mistake(
            "order of gates", Wx.T, "It is transposed; now the order: i, f, c, o, where their c is our g."
        ),
        Mistake("order of gates", np.concatenate([i, f, o, g]).T, "Their c is our g."),
        Mistake("order of gates", np.concatenate([f, i, g, o]).T, "Keras has i, f, c, o."),
        Mistake("transposed", right.T),
        Mistake(
            "shape", Wx.reshape(D, 4 * H), "`reshape` only counts numbers out anew; it does not transpose."
        ),
    )
    return Problem({"Wx": Wx}, right, mistakes=wrong)


EXERCISES = (
    Exercise("01.unit", "c and h of one unit from its pre-activations", "(4) and (6)",
             "f, i and o take σ, g takes tanh; what is kept plus what is added; then o opens on tanh(c).",
             _unit(Z, 2.0), notebook=Case(B=2), cases=(), names=("c", "h")),
    Exercise("01.step", "h and c of one step with matrices", "(1) to (6)",
             "Four row blocks, in the order f, i, o, g; the biases as columns.",
             _step, ("Wx", "Wh", "b", "x", "h_prev", "c_prev"), names=("h", "c")),
    Exercise("01.run", "h and c of all steps", "(1) to (6), step after step",
             "Keep what each step makes, and give it to the next.", _run, ("Wx", "Wh", "b", "xs"), names=("h", "c")),
    quiz("01.quiz_brief", "which gate of the brief's cell can empty a state at once", "c",
         {"a": "What is the smallest value that σ has?", "b": "With i = 0 nothing enters; what leaves?"},
         "(4)", "c is f times the old c, plus something that is never negative."),
    quiz("01.quiz_gates", "which gates let a unit keep its state and ignore the news", "b",
         {"a": "With f = 0, what is left of the old state?", "c": "o decides what is shown; what does it do to c?"},
         "(4)", "What has to be 1, and what 0, so that c stays as it is?"),
    Exercise("01.kernel", "Keras's kernel made of our Wx", "the table of section 4",
             "Cut Wx into its four blocks, put them into the order i, f, g, o, transpose.", _kernel, ("Wx",)),
    Exercise("01.arcs", "how many arcs a layer has", "(1.19)", "Each of four gates: H units, each with D + H + 1.",
             _arcs, ("D", "H")),
    Exercise("01.trace_size", "how many numbers the trace of a layer holds", "(1.20)",
             "Seven arrays of H rows a step, and the inputs.", _trace_size, ("T", "B", "D", "H")),
    Exercise("01.half_life", "after how many steps half of the state is left", "(1.21)",
             "f is multiplied n times; set the product to one half and take logarithms.", _half_life, ("f",)),
    Exercise("01.fractions", "c and h of a unit, in fractions", "(4) and (6)",
             "σ(ln a) = a / (a + 1), and tanh(½ ln a) = (a - 1) / (a + 1).",
             _unit(LOGS, 1.0), notebook=Case(B=2), cases=(), names=("c", "h")),
)  # fmt: skip
