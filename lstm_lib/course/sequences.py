"""The exercises of notebook 03a: a step forward and backward, and the loop over time.

The arguments are those of the notebook's functions: `p` holds "0/Wx", "0/Wh", "0/b" (and the head's), `kept` is the
tuple (x, h_prev, c_prev, f, i, o, g, c) of a step, `trace` a list of them. The answers are those of `step_backward`,
and of `forward` and `backward` of lstm_lib on a network whose head passes h on.
"""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import numpy as np

from lstm_lib.network.backward import backward
from lstm_lib.network.cells import ACTIVATIONS, CELLS, Array
from lstm_lib.network.forward import forward
from lstm_lib.network.spec import Spec
from lstm_lib.network.step import step_backward, step_forward

from .exercise import Case, Exercise, Mistake, Problem

MATRICES = ("0/Wx", "0/Wh", "0/b")


def through_time(cell: Any, weights: Any, x: Array, from_loss: Array, fault: str = "") -> dict[str, Array]:
    """The loop of (2.15) and (2.16) around `step_backward`.

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


def network(case: Case) -> SimpleNamespace:
    """A network at random, biases too, whose head passes h on; its steps as the notebook keeps them."""
    rng = np.random.default_rng(case.seed)
    H, D, B, T = case.H, case.D, case.B, case.T
    shapes = dict(zip(MATRICES, ((4 * H, D), (4 * H, H), (4 * H,)), strict=True))
    p = {name: rng.normal(0, 0.7, shape) for name, shape in shapes.items()}
    p |= {"head/W": np.eye(H), "head/b": np.zeros(H)}
    weights = {name[2:]: p[name] for name in MATRICES}
    xs, start = rng.normal(size=(T, D, B)), rng.normal(size=(2, H, B))
    dh, dc = rng.normal(size=(2, H, B))
    h = c = np.zeros((H, B))
    trace = []
    for x in xs:
        step = step_forward(CELLS[case.cell], weights, x, h, c)
        trace.append((step.x, h, c, step.f, step.i, step.o, step.g, step.c))
        h, c = step.h, step.c
    one = step_forward(CELLS[case.cell], weights, xs[0], *start)
    return SimpleNamespace(
        cell=case.cell,
        p=p,
        weights=weights,
        xs=xs,
        x=xs[0],
        h_prev=start[0],
        c_prev=start[1],
        dh=dh,
        dc=dc,
        trace=trace,
        h=h,
        step=one,
        kept=(one.x, *start, one.f, one.i, one.o, one.g, one.c),
        spec=Spec(inputs=D, units=(H,), outputs=H, cell=case.cell),
    )


def _forward_step(case: Case) -> Problem:
    n = network(case)
    s, tc = n.step, np.tanh(n.step.c)
    lost = [
        s.f * s.c_prev,
        s.i * s.g,
        s.f * s.c_prev - s.i * s.g,
        s.c_prev + s.i * s.g,
        s.i * s.c_prev + s.f * s.g,
    ]
    wrong = [
        Mistake(kind, (s.o * np.tanh(c), c))
        for kind, c in zip(
            ("missing term", "missing term", "wrong sign of a term", "a factor lost in a term", "other gate"),
            lost,
            strict=True,
        )
    ]
    wrong += [
        Mistake("missing factor", (s.o * s.c, s.c), "The cell state is not squashed."),
        Mistake("missing factor", (tc, s.c)),
        Mistake("other gate", (s.i * tc, s.c)),
        Mistake("other gate", (s.f * tc, s.c)),
    ]
    given = {"p": n.p, "x": n.x, "h_prev": n.h_prev, "c_prev": n.c_prev}
    return Problem(given, (s.h, s.c), mistakes=tuple(wrong))


def _step_backward(case: Case) -> Problem:
    n = network(case)
    cell = CELLS[case.cell]
    s, H = n.step, case.H
    back = step_backward(cell, n.weights, s, n.dh, n.dc)
    slope = {gate: cell.activation(gate).slope(getattr(s, gate)) for gate in "fiog"}
    tc = np.tanh(s.c)

    def made(dc: Array, **other: Array) -> tuple[Array, Array, Array]:
        """What comes out if dc, or the error of a gate, is another one."""
        da = {"f": dc * s.c_prev, "i": dc * s.g, "o": n.dh * tc, "g": dc * s.i} | other
        dz = np.concatenate([da[gate] * slope[gate] for gate in "fiog"])
        return dz, n.weights["Wh"].T @ dz, dc * s.f

    def with_slopes(change: dict[str, Array]) -> tuple[Array, Array, Array]:
        dz = np.concatenate(
            [
                block * change.get(gate, slope[gate]) / slope[gate]
                for gate, block in zip("fiog", np.split(back.z, 4), strict=True)
            ]
        )
        return dz, n.weights["Wh"].T @ dz, back.c_prev

    right = (back.z, back.h_prev, back.c_prev)
    other = {
        gate: ACTIVATIONS["tanh" if cell.activations[gate] == "sigmoid" else "sigmoid"].slope(
            getattr(s, gate)
        )
        for gate in "fiog"
    }
    ones = {gate: np.ones_like(s.f) for gate in "fiog"}
    W = np.split(n.weights["Wh"], 4)
    wrong = [
        Mistake("road", made(n.dc), "What comes up from h is missing in dc."),
        Mistake("road", made(back.c - n.dc), "What comes from later steps is missing in dc."),
        Mistake("slope at the wrong place", made(n.dc + n.dh * s.o * (1 - s.c**2)), "Of tanh, in dc."),
        Mistake("missing slope", made(n.dc + n.dh * s.o), "Of tanh, in dc."),
        Mistake("missing factor", made(n.dc + n.dh * (1 - tc**2)), "In dc."),
        Mistake("wrong sign of a term", made(2 * n.dc - back.c), "In dc."),
        Mistake("time index", made(back.c, f=back.c * s.c), "In df."),
        Mistake("other gate", made(back.c, i=back.c * s.i, g=back.c * s.g), "di and dg have changed places."),
        Mistake("missing factor", made(back.c, o=n.dh * s.c), "In do: h holds tanh(c), not c."),
        Mistake("other quantity", made(back.c, o=back.c * tc), "In do: which error reaches o?"),
        Mistake("other quantity", made(back.c, o=n.dc * tc), "In do: which error reaches o?"),
        Mistake("missing slope", with_slopes(ones), "Of the gates."),
        Mistake(
            "other slope",
            with_slopes({"o": other["o"], "g": other["g"]}),
            "For o and g: this is the other cell.",
        ),
        *(Mistake("other slope", with_slopes({gate: other[gate]}), f"In dz of {gate}.") for gate in "fiog"),
        *(Mistake("missing slope", with_slopes({gate: ones[gate]}), f"In dz of {gate}.") for gate in "fiog"),
        *(
            Mistake("other gate", with_slopes({gate: slope[j]}), f"In dz of {gate}.")
            for gate in "fiog"
            for j in "fiog"
            if j != gate
        ),
        Mistake("road", (back.z, back.h_prev, back.c), "dc_prev: what lies on the way from c to c_prev?"),
        Mistake("other gate", (back.z, back.h_prev, back.c * s.i), "In dc_prev."),
        Mistake("road", (back.z, back.h_prev, n.dc * s.f), "In dc_prev, what comes up from h is missing."),
        Mistake("missing term", (back.z, W[0].T @ back.z[:H], back.c_prev), "dh_prev sums over all gates."),
        Mistake("other gate", _exchanged(n, slope), "f and i have changed places."),
        *(
            Mistake(
                "missing term",
                (back.z, back.h_prev - w.T @ dz, back.c_prev),
                "In dh_prev one gate is missing.",
            )
            for w, dz in zip(W, np.split(back.z, 4), strict=True)
        ),
    ]
    for order in itertools.permutations("fiog"):
        blocks = dict(zip("fiog", np.split(back.z, 4), strict=True))
        dz = np.concatenate([blocks[g] for g in order])
        wrong.append(Mistake("order of gates", (dz, n.weights["Wh"].T @ dz, back.c_prev)))
    given = {"p": n.p, "kept": n.kept, "dh": n.dh, "dc": n.dc}
    return Problem(given, right, mistakes=tuple(wrong))


def _exchanged(n: SimpleNamespace, slope: dict[str, Array]) -> tuple[Array, Array, Array]:
    """What comes out of a step back if the values of f and i have changed places."""
    s, tc = n.step, np.tanh(n.step.c)
    dc = n.dc + n.dh * s.o * (1 - tc**2)
    dz = np.concatenate([dc * s.c_prev * slope["i"], dc * s.g * slope["f"], n.dh * tc * slope["o"],
                         dc * s.f * slope["g"]])  # fmt: skip
    return dz, n.weights["Wh"].T @ dz, dc * s.i


def _weight_gradients(case: Case) -> Problem:
    n = network(case)
    back = step_backward(CELLS[case.cell], n.weights, n.step, n.dh, n.dc)
    right = dict(zip(MATRICES, (back.Wx, back.Wh, back.b), strict=True))
    x, h_prev, *_ = n.kept
    wrong = (
        Mistake("time index", right | {"0/Wh": back.z @ n.step.h.T}),
        Mistake("averaged", {k: g / case.B for k, g in right.items()}),
        Mistake("averaged", right | {"0/b": back.z.mean(axis=1)}),
        Mistake("not summed", right | {"0/b": back.z}),
        Mistake("transposed", right | {"0/Wx": back.Wx.T}),
        Mistake("transposed", right | {"0/Wh": h_prev @ back.z.T}),
        Mistake(
            "one sample",
            {
                "0/Wx": back.z[:, :1] @ x[:, :1].T,
                "0/Wh": back.z[:, :1] @ h_prev[:, :1].T,
                "0/b": back.z[:, 0],
            },
        ),
    )
    return Problem({"kept": n.kept, "dz": back.z}, right, mistakes=wrong)


def _sequence_backward(case: Case) -> Problem:
    n = network(case)
    _, trace = forward(n.spec, n.p, n.xs.transpose(2, 0, 1), engine="plain")
    grads = backward(n.spec, n.p, trace, n.dh.T)
    right = {name: grads[name].copy() for name in MATRICES}
    dz = trace.dz(0)
    sources = {
        "0/Wx": n.xs,
        "0/Wh": np.stack([kept[1] for kept in n.trace]),
        "0/b": np.ones((case.T, 1, case.B)),
    }

    def summed(errors: Array, sources: dict[str, Array]) -> dict[str, Array]:
        found = {k: np.einsum("trb,tsb->rs", errors, s) for k, s in sources.items()}
        return found | {"0/b": found["0/b"][:, 0]}

    def moved(steps: int) -> dict[str, Array]:
        return {name: np.roll(s, steps, axis=0) for name, s in sources.items()}

    def part(steps: slice) -> dict[str, Array]:
        return summed(dz[steps], {name: s[steps] for name, s in sources.items()})

    from_loss = np.zeros((case.T, case.H, case.B))
    from_loss[-1] = n.dh
    looped = {
        road: {
            f"0/{k}": g for k, g in through_time(CELLS[case.cell], n.weights, n.xs, from_loss, road).items()
        }
        for road in "hc"
    }
    every = through_time(CELLS[case.cell], n.weights, n.xs, np.broadcast_to(n.dh, from_loss.shape))
    again = through_time(CELLS[case.cell], n.weights, n.xs, np.broadcast_to(n.dh, from_loss.shape), "h")
    ahead = through_time(CELLS[case.cell], n.weights, n.xs, from_loss, "ahead")
    now = np.stack([*(kept[1] for kept in n.trace[1:]), n.h])
    wrong = (
        Mistake("road", looped["c"], "dc does not reach the step before."),
        Mistake("road", looped["h"], "dh does not reach the step before."),
        Mistake("first step lost", part(slice(1, None))),
        Mistake("last step lost", part(slice(None, -1))),
        Mistake("one step", part(slice(0, 1)), "It is overwritten where it has to be added up."),
        Mistake("one step", part(slice(-1, None)), "Only the last step counts."),
        Mistake("averaged over time", {k: g / case.T for k, g in right.items()}),
        Mistake("averaged", {k: g / case.B for k, g in right.items()}),
        Mistake(
            "time index",
            right | {"0/Wh": summed(dz, sources | {"0/Wh": now})["0/Wh"]},
            "Wh reads the h of the step before.",
        ),
        Mistake("late", summed(dz, moved(1))),
        Mistake("early", summed(dz, moved(-1))),
        Mistake("reversed", summed(dz[::-1], sources)),
        Mistake("road", {f"0/{k}": g for k, g in again.items()}, "Every step gets the same dh."),
        Mistake("reversed", {f"0/{k}": g for k, g in ahead.items()}, "The error comes from the last step."),
        Mistake("formula", {f"0/{k}": g for k, g in every.items()}, "dh enters at the last step alone."),
        Mistake("sign", {k: -g for k, g in right.items()}),
    )
    return Problem({"p": n.p, "trace": n.trace, "dh": n.dh}, right, mistakes=wrong)


def suspect_step(
    p: dict[str, Array], kept: tuple[Array, ...], dh: Array, dc: Array
) -> tuple[Array, Array, Array]:
    """dz, dh_prev and dc_prev of a step, with the fault that an exercise of notebook 03a looks for.

    Arguments and results are those of the notebook's `backward_step`.
    """
    weights = {name[2:]: p[name] for name in MATRICES}
    x, h_prev, c_prev, *_, c = kept
    step = step_forward(CELLS["standard"], weights, x, h_prev, c_prev)
    back = step_backward(CELLS["standard"], weights, step, dh, dc)
    dz = back.z.copy()
    dz[: len(c)] *= c / c_prev
    return dz, p["0/Wh"].T @ dz, back.c_prev


EXERCISES = (
    Exercise(
        "03.forward_step",
        "h and c of one step",
        "(4) and (6)",
        "What is kept of the old state and what is added; then the output gate opens on tanh of it.",
        _forward_step,
        ("p", "x", "h_prev", "c_prev"),
        names=("h", "c"),
    ),
    Exercise(
        "03.step_backward",
        "dz, dh_prev and dc_prev of one step",
        "(2.4) to (2.8), (2.13): as they stand above the gap, dc = dc + dh o (1 - tanh(c)²) before the gates",
        "Take the lines of 02a in their order: do and dc from dh, the gates from dc, the slopes, the matrices.",
        _step_backward,
        ("p", "kept", "dh", "dc"),
        names=("dz", "dh_prev", "dc_prev"),
    ),
    Exercise(
        "03.weight_gradients",
        "the gradients of the matrices at one step",
        "(2.11) and (2.12): dWx = dz xᵀ, dWh = dz h_prevᵀ, db the sum of the columns of dz",
        "Every sample uses the weights; the sum over the samples is a product.",
        _weight_gradients,
        ("kept", "dz"),
    ),
    Exercise(
        "03.backward_sequence",
        "the gradients of a sequence",
        "(2.15) and (2.16): they stand above the gap",
        "Walk from the last step to the first; what a step returns goes to the one before; add up.",
        _sequence_backward,
        ("p", "trace", "dh"),
    ),
)
