"""The exercises of notebook 02: the gradients of one step of an LSTM, of the head, and the road through time.

The numbers are those of the notebook, drawn in its order; the answers are those of `step_backward` and `losses`.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from lstm_lib.network.cells import ACTIVATIONS, CELLS, Array, sigmoid
from lstm_lib.network.losses import cross_entropy, mse
from lstm_lib.network.step import step_backward, step_forward

from .exercise import Case, Exercise, Mistake, Problem, Terms, product
from .mistakes import slopes

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


def _gate(gate: str, number: str) -> Exercise:
    return of_step(
        f"dz_{gate}",
        f"({number}), with the slope (7)",
        "The activation acts on each entry alone: the error times the slope (7), written with the gate's own value.",
        f"d{gate} {gate}",
        _slope(gate),
        _other_slopes(gate),
    )


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
    da = np.concatenate([n.df, n.di, n.do, n.dg])
    return (*found, Mistake("missing slope", da @ source.T))


def _input_mistakes(n: SimpleNamespace, matrix: str) -> tuple[Mistake, ...]:
    """Of an error Wᵀ dz: one gate alone, a gate left out."""
    W = np.split(getattr(n, matrix), 4)
    parts = [w.T @ dz for w, dz in zip(W, np.split(n.dz, 4), strict=True)]
    alone = [Mistake("missing term", part, "Only one gate counts.") for part in parts]
    lost = [Mistake("missing term", sum(parts) - part, "One gate is missing.") for part in parts]
    da = np.concatenate([n.df, n.di, n.do, n.dg])
    slope = Mistake("missing slope", getattr(n, matrix).T @ da)
    return (*alone, *lost, slope, Mistake("averaged", sum(parts) / n.x.shape[1]))


def _bias_mistakes(n: SimpleNamespace) -> tuple[Mistake, ...]:
    B = n.x.shape[1]
    single = [Mistake("one sample", n.dz[:, k]) for k in range(B if B > 1 else 0)]
    return (
        Mistake("not summed", n.dz),
        Mistake("not summed", n.dz.sum(axis=1, keepdims=True), "Its shape is to be (4H,)."),
        Mistake("averaged", n.dz.mean(axis=1)),
        Mistake("summed over gates", n.dz.sum(axis=0)),
        *single,
        Mistake("missing slope", np.concatenate([n.df, n.di, n.do, n.dg]).sum(axis=1)),
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


STEP = (
    of_step(
        "c",
        "(4)",
        "What is kept of the old state, and what is added.",
        "f c_prev i g",
        lambda n: ({"f": n.f, "c_prev": n.c_prev}, {"i": n.i, "g": n.g}),
        title="c, the cell state",
    ),
    of_step(
        "h",
        "(6)",
        "The output gate opens on the squashed cell state.",
        "o tc",
        lambda n: ({"o": n.o, "tc": n.tc},),
        lambda n: (Mistake("missing factor", n.o * n.c, "The cell state is not squashed."),),
        title="h, the output",
    ),
    of_step(
        "do",
        "(6′a)",
        "h is a product; each factor gets the error times the other factor.",
        "dh tc",
        lambda n: ({"dh": n.dh, "tc": n.tc},),
        lambda n: (Mistake("missing factor", n.dh * n.c, "h holds tanh(c), not c."), *_of_gate("o")(n)),
    ),
    of_step(
        "dtc",
        "(6′a)",
        "h is a product; each factor gets the error times the other factor.",
        "dh o",
        lambda n: ({"dh": n.dh, "o": n.o},),
    ),
    of_step(
        "dc",
        "(6′b)",
        "c is used twice: by the next step, and by tanh in this one.",
        "dc_later dtc tc",
        lambda n: ({"dc_later": n.dc_later}, {"dtc": n.dtc, "slope": 1 - n.tc**2}),
        _dc_mistakes,
    ),
    of_step(
        "dfc",
        "(4′a)",
        "A sum has the slope 1 in each of its terms.",
        "dc",
        more=lambda n: (Mistake("squared factor", n.dc * n.f), Mistake("squared factor", n.dc * n.fc)),
    ),
    of_step(
        "dig",
        "(4′a)",
        "A sum has the slope 1 in each of its terms.",
        "dc",
        more=lambda n: (Mistake("squared factor", n.dc * n.i), Mistake("squared factor", n.dc * n.ig)),
    ),
    of_step(
        "df",
        "(4′b)",
        "fc is a product; the factor gets the error times the other factor.",
        "dfc c_prev",
        lambda n: ({"dfc": n.dfc, "c_prev": n.c_prev},),
        lambda n: (Mistake("time index", n.dfc * n.c), *_of_gate("f")(n)),
    ),
    of_step(
        "dc_prev",
        "(4′b)",
        "fc is a product; the factor gets the error times the other factor.",
        "dfc f",
        lambda n: ({"dfc": n.dfc, "f": n.f},),
        lambda n: (Mistake("other gate", n.dfc * n.i), Mistake("road", n.dc_later * n.f)),
    ),
    of_step(
        "di",
        "(4′b)",
        "ig is a product; the factor gets the error times the other factor.",
        "dig g",
        lambda n: ({"dig": n.dig, "g": n.g},),
        _of_gate("i"),
    ),
    of_step(
        "dg",
        "(4′b)",
        "ig is a product; the factor gets the error times the other factor.",
        "dig i",
        lambda n: ({"dig": n.dig, "i": n.i},),
        _of_gate("g"),
    ),
    *(_gate(gate, number) for gate, number in (("f", "1′"), ("i", "2′"), ("o", "3′"), ("g", "5′"))),
    of_step(
        "dz",
        "(6′) and (1′) to (5′)",
        "Insert the lines into each other; f, i and g get their error from dc, o from dh.",
        "dh dc_later f i o g c_prev tc",
        more=lambda n: (
            Mistake("missing slope", np.concatenate([n.df, n.di, n.do, n.dg])),
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
        ),
        axes=("gates", "B"),
        title="dz, the four errors below each other",
    ),
    of_step(
        "dWx",
        "(11)",
        "A weight is used by every sample: the sum over them is a product of matrices.",
        "dz x",
        more=lambda n: _matrix_mistakes(n, "x"),
        axes=("gates", "D"),
    ),
    of_step(
        "dWh",
        "(11)",
        "A weight is used by every sample: the sum over them is a product of matrices.",
        "dz h_prev",
        more=lambda n: _matrix_mistakes(n, "h_prev"),
        axes=("gates", "H"),
    ),
    of_step(
        "db",
        "(12)",
        "A bias is a weight whose input is 1 in every sample.",
        "dz",
        more=_bias_mistakes,
        axes=("gates",),
    ),
    of_step(
        "dx",
        "(13)",
        "An input enters every row: the sum over the rows of all gates.",
        "Wx dz",
        more=lambda n: _input_mistakes(n, "Wx"),
        axes=("D", "B"),
    ),
    of_step(
        "dh_prev",
        "(13)",
        "An input enters every row: the sum over the rows of all gates.",
        "Wh dz",
        more=lambda n: (
            *_input_mistakes(n, "Wh"),
            Mistake("transposed", n.Wh[: len(n.h)] @ n.dz[: len(n.h)]),
        ),
    ),
)


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
        "(7)",
        "Differentiate, and write what you get with the function's own value.",
        problem,
        ("z",),
        NOTEBOOK,
    )


# ----------------------------------------------------------------------------------------------------- heads


def _head(case: Case) -> Problem:
    rng = np.random.default_rng(case.seed)
    h, ds, W = rng.normal(size=(case.H, case.B)), rng.normal(size=(3, case.B)), rng.normal(size=(3, case.H))
    # one more layer of (11), (12), (13): the library has it for a whole network only
    right = (ds @ h.T, ds.sum(axis=1), W.T @ ds)

    def mistake(kind: str, k: int, value: Array) -> Mistake:
        return Mistake(kind, tuple(value if j == k else a for j, a in enumerate(right)))

    wrong = (
        mistake("transposed", 0, h @ ds.T),
        mistake("averaged", 0, right[0] / case.B),
        mistake("not summed", 1, ds),
        mistake("averaged", 1, ds.mean(axis=1)),
        mistake("not summed", 1, ds.sum(axis=1, keepdims=True)),
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
        Mistake("averaged", 2 * (yhat - y) / len(y), "By what is the sum divided?"),
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
        Mistake("averaged", (p - y) / y.size, "The loss is a mean over what?"),
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
    # column k is what (18) gives with all of the target on class k, times -p_k
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


# ------------------------------------------------------------------------------------------------------ time


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


def suspect_lines(v: Any, dh: Array, dc_later: Array, c_prev: Array) -> dict[str, Array]:
    """The errors of a step of the standard cell, by name, with the two faults that exercise 4 of notebook 02 looks for.

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


def through_time(cell: Any, weights: Any, x: Array, from_loss: Array, fault: str = "") -> dict[str, Array]:
    """The loop of (14) and (15) around `step_backward`.

    fault : "" none; "h" or "c", this road is closed; "ahead", time runs forward.
    """
    h = c = np.zeros((weights["Wh"].shape[1], x.shape[2]))
    traces = []
    for x_t in x:
        traces.append(step_forward(cell, weights, x_t, h, c))
        h, c = traces[-1].h, traces[-1].c
    found = {name: np.zeros_like(weights[name]) for name in ("Wx", "Wh", "b")}
    dh = dc = np.zeros_like(h)
    for trace, head in zip(traces if fault == "ahead" else traces[::-1], from_loss[::-1], strict=True):
        back = step_backward(cell, weights, trace, head + dh, dc)
        dh, dc = back.h_prev, back.c_prev
        dh, dc = (0 * dh if fault == "h" else dh), (0 * dc if fault == "c" else dc)
        for name in found:
            found[name] = found[name] + getattr(back, name)
    return found


HEADS = (
    _activation("sigmoid"),
    _activation("tanh"),
    Exercise(
        "02.dyhat",
        "dyhat, the error of the forecast for the mean squared error",
        "(16)",
        "The mean runs over all entries, samples and outputs; its square has the slope 2.",
        _mse,
        ("yhat", "y"),
    ),
    Exercise(
        "02.ds",
        "ds, the error of the scores for softmax with cross-entropy",
        "(18)",
        "Put dp in front of (17): the probability in the denominator meets itself.",
        _softmax,
        ("p", "y"),
    ),
    Exercise(
        "02.jacobian",
        "the Jacobian of the softmax",
        "(17)",
        "Own numerator if j = k, and the denominator always.",
        _jacobian,
        ("p",),
    ),
    Exercise(
        "02.head",
        "dW, db and dh of the head",
        "(11), (12) and (13) with ds in the place of dz",
        "From ds on the head is a matrix as any other.",
        _head,
        ("W", "h", "ds"),
        names=("dW", "db", "dh"),
    ),
    Exercise(
        "02.c_road",
        "the error of every c on the c road alone",
        "(19)",
        "From c_T back to c_t the error passes the forget gates of the steps t + 1 to T.",
        _road,
        ("f", "dc_T"),
    ),
    Exercise(
        "02.powers",
        "by how many powers of ten an error falls",
        "(19), with the logarithm of base ten",
        "Each step multiplies by f; take the logarithm of the product.",
        _powers,
        ("f", "n"),
    ),
    Exercise(
        "02.n99",
        "how many steps hold 99 % of the error",
        "(20)",
        "The last n steps hold the share 1 - rⁿ.",
        _steps,
        ("r",),
    ),
)

EXERCISES = (*HEADS[:2], *STEP, *HEADS[2:])
__all__ = ["EXERCISES", "STEP", "product", "step_numbers", "through_time"]
