"""The exercises of notebook 02a: the gradients of one step of an LSTM.

The numbers are those of the notebook, drawn in its order; the answers are those of `step_backward`.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from lstm_lib.network.cells import ACTIVATIONS, CELLS, Array
from lstm_lib.network.step import step_backward, step_forward

from .exercise import Case, Exercise, Mistake, Problem, Terms
from .mistakes import slopes
from .quizzes import quiz

NOTEBOOK = Case(B=2, H=3, D=2, seed=0)


def step_numbers(case: Case) -> SimpleNamespace:
    """One time step at random, biases too, with every value and every error of it by name."""
    rng = np.random.default_rng(case.seed)
    H, D, B = case.H, case.D, case.B
    drawn = {gate: [rng.normal(size=shape) for shape in ((H, D), (H, H), (H, 1))] for gate in "fiog"}
    stacked = [np.concatenate(kind) for kind in zip(*drawn.values(), strict=True)]
    weights = {"Wx": stacked[0], "Wh": stacked[1], "b": stacked[2][:, 0]}
    x, h_prev, c_prev = rng.normal(size=(D, B)), rng.normal(size=(H, B)), rng.normal(size=(H, B))
    dh, dc_later = rng.normal(size=(2, H, B))
    trace = step_forward(CELLS[case.cell], weights, x, h_prev, c_prev)
    back = step_backward(CELLS[case.cell], weights, trace, dh, dc_later)
    f, i, o, g, c, tc = trace.f, trace.i, trace.o, trace.g, trace.c, np.tanh(trace.c)
    dz_f, dz_i, dz_o, dz_g = np.split(back.z, 4)
    return SimpleNamespace(
        **weights,
        x=x,
        h_prev=h_prev,
        c_prev=c_prev,
        f=f,
        i=i,
        o=o,
        g=g,
        c=c,
        tc=tc,
        h=trace.h,
        fc=f * c_prev,
        ig=i * g,
        dh=dh,
        dc_later=dc_later,
        do=dh * tc,
        dtc=dh * o,
        dc=back.c,
        dfc=back.c,
        dig=back.c,
        df=back.c * c_prev,
        dc_prev=back.c_prev,
        di=back.c * g,
        dg=back.c * i,
        dz_f=dz_f,
        dz_i=dz_i,
        dz_o=dz_o,
        dz_g=dz_g,
        dz=back.z,
        dWx=back.Wx,
        dWh=back.Wh,
        db=back.b,
        dx=back.x,
        dh_prev=back.h_prev,
        cell=CELLS[case.cell],
    )


ERRORS = ("dh", "dtc", "dc", "do", "df", "dc_prev", "di", "dg", "dz_f", "dz_i", "dz_o", "dz_g")
More = Callable[[SimpleNamespace], tuple[Mistake, ...]]


def of_step(
    name: str,
    equation: str,
    hint: str,
    takes: str,
    terms: Callable[[Any], Terms] = lambda n: (),
    more: More = lambda n: (),
    axes: tuple[str, ...] = ("H", "B"),
    title: str = "",
) -> Exercise:
    """A row whose answer is a number of the step by this name."""
    names = tuple(takes.split())

    def problem(case: Case) -> Problem:
        n = step_numbers(case)
        given = vars(n)
        quantities = {key: given[key] for key in ERRORS if key != name}
        ordered = {key: given[key] for key in (*names, *given) if key not in (name, "cell")}
        return Problem(ordered, given[name], terms(n), more(n), axes, quantities)

    title = title or f"{name}, the error of {name[1:]}"
    return Exercise(f"02.{name}", title, equation, hint, problem, names, NOTEBOOK)


def of_factor(name: str, equation: str, product: str, takes: str, more: More = lambda n: ()) -> Exercise:
    """A row whose answer is the error of a factor: the product's error times the other factor, which it takes."""
    error, other = takes.split()
    factor = "each" if product == "h" else "the"
    hint = f"{product} is a product; {factor} factor gets the error times the other factor."

    def terms(n: SimpleNamespace) -> Terms:
        return ({error: getattr(n, error), other: getattr(n, other)},)

    return of_step(name, equation, hint, takes, terms, more)


def _slope(gate: str) -> Callable[[Any], Terms]:
    def terms(n: SimpleNamespace) -> Terms:
        slope = n.cell.activation(gate).slope(getattr(n, gate))
        return ({f"d{gate}": getattr(n, f"d{gate}"), "slope": slope},)

    return terms


TIMES = {"f": "c_prev", "i": "g", "o": "tc", "g": "i"}  # what a gate is multiplied with


def _arriving(n: SimpleNamespace, gate: str) -> list[tuple[str, Array, str]]:
    """What else might be taken for the error that reaches a gate."""
    if gate == "o":
        return [("other quantity", n.dc, "Which error reaches o?")]
    return [
        ("other quantity", n.dh, f"Which error reaches {gate}?"),
        ("road", n.dc_later, "Only what comes from later steps is there."),
        ("road", n.dc - n.dc_later, "Only what comes up from h is there."),
    ]


def _of_gate(gate: str) -> More:
    def more(n: SimpleNamespace) -> tuple[Mistake, ...]:
        return tuple(
            Mistake(kind, error * getattr(n, TIMES[gate]), where) for kind, error, where in _arriving(n, gate)
        )

    return more


def _other_slopes(gate: str) -> More:
    """A gate's slope mistaken, and what it was multiplied with."""

    def more(n: SimpleNamespace) -> tuple[Mistake, ...]:
        others = {other: getattr(n, other) for other in "fiog" if other != gate}
        kind = n.cell.activations[gate]
        slope = n.cell.activation(gate).slope(getattr(n, gate))
        wrong_error = [
            Mistake(
                "other quantity", getattr(n, f"d{other}") * slope, f"The slope is multiplied with d{other}."
            )
            for other in others
        ]
        wrong_error += [
            Mistake(kind, wrong * getattr(n, TIMES[gate]) * slope, where)
            for kind, wrong, where in _arriving(n, gate)
        ]
        wrong_error.append(Mistake("time index", n.dc * n.c * slope)) if gate == "f" else None
        return (
            *slopes(others, getattr(n, gate), kind, {"error": getattr(n, f"d{gate}")}),
            *wrong_error,
        )

    return more


def _gate(gate: str) -> Exercise:
    return of_step(
        f"dz_{gate}",
        f"(2.8): dz_{gate} = d{gate} " + ("(1 - g²)" if gate == "g" else f"{gate} (1 - {gate})"),
        "The activation acts on each entry alone: the error times the slope (2.1), written with the gate's own value.",
        f"d{gate} {gate}",
        _slope(gate),
        _other_slopes(gate),
    )


def _without_slopes(n: SimpleNamespace) -> Array:
    """The errors of the gates below each other, as if the activations had the slope 1."""
    return np.concatenate([n.df, n.di, n.do, n.dg])


def _exchanged(n: SimpleNamespace) -> Array:
    """dz with the values of f and i exchanged."""
    slope = ACTIVATIONS["sigmoid"].slope
    return np.concatenate([n.df * slope(n.i), n.di * slope(n.f), n.dz_o, n.dz_g / n.i * n.f])


def _matrix_mistakes(n: SimpleNamespace, of: str) -> tuple[Mistake, ...]:
    """Of a gradient dz sourceᵀ: the wrong source, one sample alone, the batch averaged, a gate's slope ignored."""
    source = getattr(n, of)
    B = source.shape[1]
    other = {"x": "h_prev", "h_prev": "h"}[of]
    found = [
        Mistake("transposed", source @ n.dz.T),
        Mistake("averaged", n.dz @ source.T / B),
        Mistake("value for error", np.concatenate([n.f, n.i, n.o, n.g]) @ source.T),
        Mistake("time index" if of == "h_prev" else "other quantity", n.dz @ getattr(n, other).T),
    ]
    found += [Mistake("one sample", n.dz[:, [k]] @ source[:, [k]].T) for k in range(B if B > 1 else 0)]
    return (*found, Mistake("missing slope", _without_slopes(n) @ source.T))


def _input_mistakes(n: SimpleNamespace, matrix: str) -> tuple[Mistake, ...]:
    """Of an error Wᵀ dz: one gate alone, a gate left out."""
    W = np.split(getattr(n, matrix), 4)
    parts = [w.T @ dz for w, dz in zip(W, np.split(n.dz, 4), strict=True)]
    alone = [Mistake("missing term", part, "Only one gate counts.") for part in parts]
    lost = [Mistake("missing term", sum(parts) - part, "One gate is missing.") for part in parts]
    slope = Mistake("missing slope", getattr(n, matrix).T @ _without_slopes(n))
    return (*alone, *lost, slope, Mistake("averaged", sum(parts) / n.x.shape[1]))


def _bias_mistakes(n: SimpleNamespace) -> tuple[Mistake, ...]:
    B = n.x.shape[1]
    single = [Mistake("one sample", n.dz[:, k]) for k in range(B if B > 1 else 0)]
    return (
        Mistake("not summed", n.dz),
        Mistake("averaged", n.dz.mean(axis=1)),
        Mistake("summed over gates", n.dz.sum(axis=0)),
        *single,
        Mistake("missing slope", _without_slopes(n).sum(axis=1)),
    )


def _dc_mistakes(n: SimpleNamespace) -> tuple[Mistake, ...]:
    later, direct = n.dc_later, n.dtc
    return (
        Mistake("slope at the wrong place", later + direct * (1 - n.c**2)),
        Mistake("other slope", later + direct * n.tc * (1 - n.tc)),
        Mistake("missing factor", later + n.dh * (1 - n.tc**2)),
        Mistake(
            "missing factor",
            (later + direct) * (1 - n.tc**2),
            "The parentheses: the slope belongs to one of the terms.",
        ),
        Mistake("value for error", later + n.h * (1 - n.tc**2)),
        Mistake("slope at the wrong place", later + direct * (1 - np.tanh(n.tc) ** 2)),
        Mistake("other quantity", later + n.do * (1 - n.tc**2), "One of the terms takes another error."),
        Mistake(
            "road",
            later * n.f + direct * (1 - n.tc**2),
            "Its way through the forget gate is behind dc_later already.",
        ),
    )


def suspect_lines(v: Any, dh: Array, dc_later: Array, c_prev: Array) -> dict[str, Array]:
    """The errors of a step of the standard cell, by name, with the two faults that exercise 3 of 02a looks for.

    v : the values f, i, o, g, c and tc of the step, (H, B) each. The others are (H, B), too.
    """
    do, dtc = dh * v.tc, dh * v.o
    dc = dc_later + dtc * (1 - v.c**2)
    df, di, dg = dc * c_prev, dc * v.g, dc * v.i
    slope = ACTIVATIONS["sigmoid"].slope
    return {
        "o": do, "tc": dtc, "c": dc, "f": df, "i": di, "g": dg, "z_f": df * slope(v.f), "z_i": di * v.i * (1 - v.f),
        "z_o": do * slope(v.o), "z_g": dg * ACTIVATIONS["tanh"].slope(v.g),
    }  # fmt: skip


EXERCISES = (
    quiz(
        "02.quiz_last_step",
        "which gates get an error at the last step",
        "b",
        {
            "a": "The cell state has two uses; one of them is in this very step.",
            "c": "Does the forget gate's line ask whether there is a later step?",
        },
        "(2.9): dc = dc_later + dh o (1 - tanh(c)²)",
        "Put zero in the place of dc_later and read the lines once more.",
    ),
    of_factor(
        "do",
        "(2.4): do = dh tc",
        "h",
        "dh tc",
        lambda n: (Mistake("missing factor", n.dh * n.c, "h holds tanh(c), not c."), *_of_gate("o")(n)),
    ),
    of_factor("dtc", "(2.4): dtc = dh o", "h", "dh o"),
    of_step(
        "dc",
        "(2.5): dc = dc_later + dtc (1 - tc²)",
        "c is used twice: by the next step, and by tanh in this one.",
        "dc_later dtc tc",
        lambda n: ({"dc_later": n.dc_later}, {"dtc": n.dtc, "slope": 1 - n.tc**2}),
        _dc_mistakes,
    ),
    of_step(
        "dfc",
        "(2.6): dfc = dc",
        "A sum has the slope 1 in each of its terms.",
        "dc",
        more=lambda n: (Mistake("squared factor", n.dc * n.f), Mistake("squared factor", n.dc * n.fc)),
    ),
    of_step(
        "dig",
        "(2.6): dig = dc",
        "A sum has the slope 1 in each of its terms.",
        "dc",
        more=lambda n: (Mistake("squared factor", n.dc * n.i), Mistake("squared factor", n.dc * n.ig)),
    ),
    of_factor(
        "df",
        "(2.7): df = dfc c_prev",
        "fc",
        "dfc c_prev",
        lambda n: (Mistake("time index", n.dfc * n.c), *_of_gate("f")(n)),
    ),
    of_factor(
        "dc_prev",
        "(2.7): dc_prev = dfc f",
        "fc",
        "dfc f",
        lambda n: (Mistake("other gate", n.dfc * n.i), Mistake("road", n.dc_later * n.f)),
    ),
    of_factor("di", "(2.7): di = dig g", "ig", "dig g", _of_gate("i")),
    of_factor("dg", "(2.7): dg = dig i", "ig", "dig i", _of_gate("g")),
    *(_gate(gate) for gate in "fiog"),
    of_step(
        "dz",
        "(2.9): dc = dc_later + dh o (1 - tc²); dz_f = dc c_prev f (1 - f), dz_i = dc g i (1 - i), "
        "dz_o = dh tc o (1 - o), dz_g = dc i (1 - g²)",
        "Insert the lines into each other; f, i and g get their error from dc, o from dh.",
        "dh dc_later f i o g c_prev tc",
        more=lambda n: (
            Mistake("missing slope", _without_slopes(n)),
            Mistake(
                "road",
                np.concatenate(
                    [
                        n.dc_later * n.dz_f / n.dc,
                        n.dc_later * n.dz_i / n.dc,
                        n.dz_o,
                        n.dc_later * n.dz_g / n.dc,
                    ]
                ),
                "What comes up from h is missing in dc.",
            ),
            Mistake("time index", np.concatenate([n.dz_f / n.c_prev * n.c, n.dz_i, n.dz_o, n.dz_g])),
            Mistake("other gate", _exchanged(n), "f and i have changed places."),
        ),
        axes=("gates", "B"),
        title="dz, the four errors below each other",
    ),
    of_step(
        "dWx",
        "(2.11): dWx = dz xᵀ",
        "A weight is used by every sample: the sum over them is a product of matrices.",
        "dz x",
        more=lambda n: _matrix_mistakes(n, "x"),
        axes=("gates", "D"),
    ),
    of_step(
        "dWh",
        "(2.11): dWh = dz h_prevᵀ",
        "A weight is used by every sample: the sum over them is a product of matrices.",
        "dz h_prev",
        more=lambda n: _matrix_mistakes(n, "h_prev"),
        axes=("gates", "H"),
    ),
    of_step(
        "db",
        "(2.12): db is the sum of the columns of dz",
        "A bias is a weight whose input is 1 in every sample.",
        "dz",
        more=_bias_mistakes,
        axes=("gates",),
    ),
    of_step(
        "dx",
        "(2.13): dx = Wxᵀ dz",
        "An input enters every row: the sum over the rows of all gates.",
        "Wx dz",
        more=lambda n: _input_mistakes(n, "Wx"),
        axes=("D", "B"),
    ),
    of_step(
        "dh_prev",
        "(2.13): dh_prev = Whᵀ dz",
        "An input enters every row: the sum over the rows of all gates.",
        "Wh dz",
        more=lambda n: (
            *_input_mistakes(n, "Wh"),
            Mistake("transposed", n.Wh[: len(n.h)] @ n.dz[: len(n.h)]),
        ),
    ),
)
