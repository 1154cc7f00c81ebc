"""The exercises of chapters 02 and 03 whose answer is a whole function: a step line by line, a layer, a network.

The answers are those of `step_forward` and `step_backward`, and of `forward` and `backward` of lstm_lib.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from lstm_lib.network.backward import backward
from lstm_lib.network.cells import ACTIVATIONS, CELLS, Array
from lstm_lib.network.forward import forward
from lstm_lib.network.spec import Spec
from lstm_lib.network.step import step_backward, step_forward

from .exercise import Case, Exercise, Mistake, Problem
from .gradients import NOTEBOOK, step_numbers
from .quizzes import quiz
from .sequences import MATRICES, network

# ------------------------------------------------------------------------------------- 02a: a step line by line

LINES = ("c", "tc", "h")
STEP_FAULTS = {
    "np.tanh": ("not given", "Where does tanh come from?"),
    "np.tanh alone": ("not given", "Where does tanh come from? And its zero is missing."),
    "c": ("zero of a line", "In the line of c."),
    "tc": ("zero of a line", "In the line of tc."),
    "h": ("zero of a line", "In the line of h."),
    "zeros": ("zero of a line", "In all three lines."),
    "added alone": ("missing term", "What is kept of the old state?"),
    "kept alone": ("missing term", "What is added to the state?"),
    "minus": ("wrong sign of a term", "In c."),
    "no f": ("a factor lost in a term", "In c."),
    "exchanged": ("other gate", "f and i have changed places."),
    "not squashed": ("missing factor", "The cell state is not squashed."),
    "sigmoid": ("other slope", "In tc."),
    "no o": ("missing factor", "In h."),
    "i for o": ("other gate", "In h."),
    "f for o": ("other gate", "In h."),
    "old state": ("time index", "Which state is squashed?"),
}


def _line_by_line(a: dict[str, Array], fn: dict[str, Any], fault: str = "") -> dict[str, Array]:
    """c, tc and h of the notebook's step; a holds the numbers and the zeros of the lines."""
    z = {g: a[f"Wx_{g}"] @ a["x"] + a[f"Wh_{g}"] @ a["h_prev"] + a[f"b_{g}"] + a[f"z_{g}"] for g in "fiog"}
    f, i, o = (fn["sigmoid"](z[gate]) + a[gate] for gate in "fio")
    g = fn["tanh"](z["g"]) + a["g"]
    fc, ig = f * a["c_prev"] + a["fc"], i * g + a["ig"]
    zero = {name: 0.0 if fault in (name, "zeros") else a[name] for name in LINES}
    zero["tc"] = 0.0 if fault == "np.tanh alone" else zero["tc"]
    states = {"added alone": ig, "kept alone": fc, "minus": fc - ig, "no f": a["c_prev"] + ig,
              "exchanged": i * a["c_prev"] + f * g}  # fmt: skip
    c = states.get(fault, fc + ig) + zero["c"]
    squashed = {
        "np.tanh": np.tanh(c),
        "np.tanh alone": np.tanh(c),
        "sigmoid": fn["sigmoid"](c),
        "old state": fn["tanh"](a["c_prev"]),
    }
    tc = squashed.get(fault, fn["tanh"](c)) + zero["tc"]
    shown = {"not squashed": o * c, "no o": tc, "i for o": i * tc, "f for o": f * tc}
    return {"c": c, "tc": tc, "h": shown.get(fault, o * tc) + zero["h"]}


def _step(case: Case) -> Problem:
    rng = np.random.default_rng(case.seed)
    H, D, B = case.H, case.D, case.B
    shapes = {"Wx": (H, D), "Wh": (H, H), "b": (H, 1)}
    a = {f"{kind}_{gate}": rng.normal(size=shape) for gate in "fiog" for kind, shape in shapes.items()}
    a |= {"x": rng.normal(size=(D, B)), "h_prev": rng.normal(size=(H, B)), "c_prev": rng.normal(size=(H, B))}
    # zeros that are none, and a tanh that is not NumPy's: what leaves them out comes out otherwise
    a |= {
        line: 0.2 * rng.normal(size=(H, B))
        for line in (*LINES, "fc", "ig", *"fiog", *(f"z_{g}" for g in "fiog"))
    }
    fn = {"sigmoid": ACTIVATIONS["sigmoid"].value, "tanh": lambda z: np.tanh(1.5 * z), "sum": np.sum}
    wrong = [
        Mistake(kind, _line_by_line(a, fn, fault), where) for fault, (kind, where) in STEP_FAULTS.items()
    ]
    return Problem({"numbers": a, "fn": fn}, _line_by_line(a, fn), mistakes=tuple(wrong))


def _brief(case: Case) -> Problem:
    n = step_numbers(case)
    own = {gate: n.cell.activation(gate).slope(getattr(n, gate)) for gate in "og"}
    other = {"o": ACTIVATIONS["sigmoid"].slope(n.o), "g": ACTIVATIONS["tanh"].slope(n.g)}

    def made(o: Array, g: Array) -> tuple[Array, Array]:
        return n.do * o, n.dg * g

    one = np.ones_like(n.o)
    wrong = (
        Mistake("other slope", made(other["o"], other["g"]), "These are the lines of the standard cell."),
        Mistake("other slope", made(other["o"], own["g"]), "In dz_o."),
        Mistake("other slope", made(own["o"], other["g"]), "In dz_g."),
        Mistake("missing slope", made(one, one)),
        Mistake("missing slope", made(one, own["g"]), "In dz_o."),
        Mistake("missing slope", made(own["o"], one), "In dz_g."),
        Mistake("other gate", made(1 - n.g**2, n.o * (1 - n.o))),
        Mistake("missing factor", made(1 - n.o, own["g"]), "The slope of tanh has a square."),
        Mistake("missing factor", made(own["o"], 1 - n.g), "The slope is not complete."),
        Mistake("sign", made(-own["o"], -own["g"])),
    )
    return Problem({}, (n.dz_o, n.dz_g), mistakes=wrong)


# ------------------------------------------------------------------------------------ 02b: a layer through time

WALK_FAULTS = {
    "no outside": ("missing term", "What comes from outside of the layer?"),
    "outside alone": ("road", "dh of the next step is not added."),
    "no c road": ("road", "dc does not reach the step before."),
    "ahead": ("reversed", "The error comes from the last step."),
    "first outside": ("reversed", "Which step does what comes from outside belong to?"),
    "last outside": ("one step", "Every step gets something from outside."),
    "dc of now": ("road", "dc: what lies on the way from c to c_prev?"),
    "arguments exchanged": ("swapped", "dh and dc, in what `step_backward` is given."),
    "roads exchanged": ("swapped", "dh and dc, for the step before."),
    "kept too late": ("early", "The dh of a step is kept after it has gone to the step before."),
    "not summed": ("missing term", "The dh that is kept is what came from outside alone."),
    "added up": ("double", "dh is added to what it was; a step hands on what it returns, nothing else."),
    "outside twice": ("double", "What comes from outside is added twice."),
    "difference": ("wrong sign of a term", "In dh."),
}


def _walk(n: SimpleNamespace, traces: list[Any], outside: Array, fault: str = "") -> dict[str, Any]:
    """The errors of every step by the loop of (2.15)."""
    dh = dc = np.zeros_like(n.h)
    T, found = len(traces), []
    for t in range(T) if fault == "ahead" else reversed(range(T)):
        from_out = outside[T - 1 - t] if fault in ("first outside", "ahead") else outside[t]
        from_out = from_out * {"no outside": 0, "last outside": t == T - 1, "outside twice": 2}.get(fault, 1)
        dh = from_out + dh * {"outside alone": 0, "difference": -1}.get(fault, 1)
        given = (dc, dh) if fault == "arguments exchanged" else (dh, dc * (fault != "no c road"))
        back = step_backward(CELLS["standard"], n.weights, traces[t], *given)
        kept = {"kept too late": back.h_prev, "not summed": from_out}.get(fault, dh)
        found.append((kept, back))
        dh, dc = back.h_prev + (dh if fault == "added up" else 0), back.c_prev
        dc = back.c if fault == "dc of now" else dc
        dh, dc = (dc, dh) if fault == "roads exchanged" else (dh, dc)
    return _errors(found[::-1])


def _errors(found: Any) -> dict[str, Any]:
    """What is compared of (dh, back) of every step."""
    return {"steps": len(found), "dh": np.array([dh for dh, _ in found]), "dc": np.array([b.c for _, b in found]),
            "dz": np.array([b.z for _, b in found])}  # fmt: skip


def _layer_backward(case: Case) -> Problem:
    n = network(case)
    traces = [step_forward(CELLS["standard"], n.weights, *kept[:3]) for kept in n.trace]
    outside = np.random.default_rng(case.seed + 5).normal(size=(case.T, case.H, case.B))
    right = _walk(n, traces, outside)
    wrong = [
        Mistake(kind, _walk(n, traces, outside, fault), where) for fault, (kind, where) in WALK_FAULTS.items()
    ]
    empty = {name: np.zeros(0) for name in ("dh", "dc", "dz")}
    wrong += [
        Mistake("trace", {"steps": 0} | empty, "Nothing is kept of the steps."),
        Mistake(
            "reversed",
            right | {name: right[name][::-1] for name in empty},
            "It is turned round once too often.",
        ),
    ]
    return Problem({"w": n.weights, "traces": traces, "from_outside": outside}, right, mistakes=tuple(wrong))


# ------------------------------------------------------------------------------------------ 03a: the sequence


def _of_trace(out: Any) -> dict[str, Any]:
    """What is compared of (h, trace): h, and of every step the states that it began and ended with."""
    h, trace = out
    return {"steps": len(trace), "h": h, "trace": np.array([[kept[1], kept[2], kept[-1]] for kept in trace])}


def _sequence_forward(case: Case) -> Problem:
    n = network(case)
    right = _of_trace((forward(n.spec, n.p, n.xs.transpose(2, 0, 1), engine="plain")[0].T, n.trace))

    def run(xs: Array, carry_h: float = 1, carry_c: float = 1) -> dict[str, Any]:
        h = c = np.zeros((case.H, case.B))
        trace = []
        for x in xs:
            step = step_forward(CELLS[case.cell], n.weights, x, carry_h * h, carry_c * c)
            trace.append((x, carry_h * h, carry_c * c, step.c))
            h, c = step.h, step.c
        return _of_trace((h, trace))

    def kept(trace: list[Any]) -> dict[str, Any]:
        return _of_trace((right["h"], trace))

    wrong = (
        Mistake("road", run(n.xs, carry_h=0), "h is not handed on."),
        Mistake("road", run(n.xs, carry_c=0), "c is not handed on."),
        Mistake("road", run(n.xs, carry_h=0, carry_c=0), "Neither h nor c is handed on."),
        Mistake("one step", run(n.xs[:1])),
        Mistake("one step", run(n.xs[-1:])),
        Mistake("reversed", run(n.xs[::-1])),
        Mistake("last step lost", run(n.xs[:-1])),
        Mistake("first step lost", run(n.xs[1:])),
        Mistake("trace", kept([]), "Nothing goes to it."),
        Mistake("trace", kept(n.trace[-1:]), "Only the last step is in it."),
        Mistake("trace", kept(n.trace[::-1]), "The first step has to stand first."),
        Mistake("trace", kept([step for step in n.trace for _ in range(2)]), "Every step is in it twice."),
        Mistake("trace", kept(n.trace[-1:] * case.T), "It holds the last step again and again."),
    )
    return Problem({"p": n.p, "xs": n.xs}, right, mistakes=wrong)


def _network_backward(case: Case) -> Problem:
    n, rng = network(case), np.random.default_rng(case.seed + 3)
    spec = Spec(inputs=case.D, units=(case.H,), outputs=2)
    p = {name: n.p[name] for name in MATRICES} | {
        "head/W": rng.normal(size=(2, case.H)),
        "head/b": rng.normal(size=2),
    }
    dy = rng.normal(size=(case.B, 2))
    x, W, ds = n.xs.transpose(2, 0, 1), p["head/W"], dy.T
    _, trace = forward(spec, p, x, engine="plain")
    right = {name: array.copy() for name, array in backward(spec, p, trace, dy).items()}
    _, own = forward(n.spec, n.p, x, engine="plain")

    def layer(dh: Array) -> dict[str, Array]:
        """The gradients of the layer for an error of the last h."""
        grads = backward(n.spec, n.p, own, dh.T)
        return right | {name: grads[name].copy() for name in MATRICES}

    last = backward(n.spec, n.p, own, (W.T @ ds).T)
    last = {name: array / case.B for name, array in last.items()}
    h_prev, c = n.trace[-1][1], n.trace[-1][-1]
    wrong = (
        Mistake("transposed", right | {"head/W": n.h @ dy}, "In head/W."),
        Mistake("averaged", right | {"head/W": ds @ n.h.T / case.B}, "In head/W."),
        Mistake("averaged", right | {"head/b": ds.mean(axis=1)}, "In head/b."),
        Mistake("averaged", right | {name: last[name] for name in MATRICES}, "In the layer."),
        Mistake("averaged", {name: array / case.B for name, array in right.items()}),
        Mistake("not summed", right | {"head/b": ds}, "In head/b."),
        Mistake("one sample", right | {"head/b": ds[:, 0]}, "In head/b."),
        Mistake("time index", right | {"head/W": ds @ h_prev.T}, "The head reads the last h."),
        Mistake("other quantity", right | {"head/W": ds @ c.T}, "The head reads h, not c."),
        Mistake("sign", {name: -array for name, array in right.items()}),
        Mistake("sign", layer(-W.T @ ds), "In the error of h."),
        Mistake(
            "formula", layer((W.T @ ds) * (1 - n.h**2)), "Is there an activation between h and the scores?"
        ),
        Mistake(
            "missing factor", layer(np.ones_like(W.T) @ ds), "In the error of h: what lies between h and ds?"
        ),
        Mistake("value for error", layer(n.h), "The layer gets h where it has to get the error of h."),
    )
    return Problem({"p": p, "kept": (n.h, n.trace), "dy": dy}, right, mistakes=wrong)


EXERCISES = (
    quiz("02.quiz_abs", "what the complex step says of the slope of |z| at 2", "b",
         {"a": "What is |2 + iε| for a tiny ε, and what is its imaginary part?",
          "c": "NumPy knows the absolute value of a complex number. Of what kind is it?"},
         "(2.2): Im f(z + iε) / ε", "|a + ib| is the root of a² + b²."),
    quiz("02.quiz_zeros", "what the derivative of the loss by the zero of c is", "a",
         {"b": "The zero is a number like any other: what if it were a little more than zero?",
          "c": "Follow the sum c + its zero on: which lines read it?"},
         "section 2: the derivative by the zero is the error of its line", "Which lines come after that of c?"),
    Exercise("02.step", "c, tc and h of a step, each with its zero", "(4) and (6): c = fc + ig, tc = tanh(c), h = o tc",
             "Three lines as those above them: a value, and the zero of that line; fn says what tanh is.",
             _step, ("numbers", "fn"), reads=lambda out: {name: getattr(out, name) for name in LINES}),
    Exercise("02.brief", "dz_o and dz_g of the brief's cell", "(2.14): dz_o = do (1 - o²), dz_g = dg g (1 - g)",
             "Which activation has which gate in this cell? Its slope, written with the gate's own value.",
             _brief, notebook=NOTEBOOK._replace(cell="brief"), names=("dz_o", "dz_g"),
             cases=(NOTEBOOK._replace(cell="brief"),)),
    Exercise("02.layer_backward", "(dh, back) of every step, first step first", "(2.15)",
             "What comes from outside plus what the later step handed back; then `step_backward`; then both roads.",
             _layer_backward, ("w", "traces", "from_outside"), reads=_errors),
    Exercise("03.forward_sequence", "the last h of a sequence, and the trace", "(1) to (6), step after step",
             "Hand h and c on from step to step, and let the trace grow by one at each of them.",
             _sequence_forward, ("p", "xs"), reads=_of_trace),
    Exercise("03.backward", "the gradients of a network", "(3.2), and (2.15), (2.16) of the layer with dh = head/Wᵀ ds",
             "First the head, a matrix as any other; what it hands to the last h goes through the layer.",
             _network_backward, ("p", "kept", "dy")),
    quiz("03.quiz_clip", "where clipping belongs in the training step", "b",
         {"a": "There is no gradient yet.",
          "c": "The optimiser has seen the peak by then, and keeps it in its moments."},
         "03a, section 5: forward, mse, backward, adam.step", "What does it change, and who may only see it changed?"),
)  # fmt: skip
