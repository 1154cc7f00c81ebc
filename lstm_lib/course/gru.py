"""A step of the GRU, both ways, for the exercises of notebook 03c; their rows are in `gru_time.py`.

`gru` resets after the product with Wh, as Keras and PyTorch do, `gru_v3` before it, as its paper does. Arguments are
those of the notebook: `p` holds Wx (3H, D), Wh (3H, H), b and, for `gru`, bh (3H,), rows in the order z, r, g; `kept`
is (x, h_prev, z, r, g, u) of a step, u = Wh_g h_prev + bh_g, without u for `gru_v3`. The answers are those of
`step_forward` and `step_backward`.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from lstm_lib.network.cells import CELLS, Array, sigmoid, sigmoid_slope, tanh_slope
from lstm_lib.network.step import step_backward, step_forward

from .exercise import Case, Mistake, Problem

NAMES = ("dz_z", "dz_r", "dz_g", "dh_prev")


def network(cell: str, case: Case) -> SimpleNamespace:
    """A GRU at random, biases too: one step with an error at its output, and the steps of a sequence."""
    rng = np.random.default_rng(case.seed)
    H, D, B, T = case.H, case.D, case.B, case.T
    p = {
        "Wx": rng.normal(0, 0.8, (3 * H, D)),
        "Wh": rng.normal(0, 0.8, (3 * H, H)),
        "b": rng.normal(0, 0.5, 3 * H),
    }
    if cell == "gru":
        p["bh"] = rng.normal(0, 0.5, 3 * H)
    xs, h_prev, dh = rng.normal(size=(T, D, B)), rng.normal(size=(H, B)), rng.normal(size=(H, B))
    steps, h = [], np.zeros((H, B))
    for x in xs:
        steps.append(step_forward(CELLS[cell], p, x, h))
        h = steps[-1].h
    step = step_forward(CELLS[cell], p, xs[0], h_prev)
    return SimpleNamespace(cell=cell, p=p, x=xs[0], h_prev=h_prev, dh=dh, step=step, steps=steps)


def kept(cell: str, s: Any) -> tuple[Array, ...]:
    """What the notebook keeps of a step."""
    return (s.x, s.h_prev, s.z, s.r, s.g, *((s.u,) if cell == "gru" else ()))


def forward(cell: str) -> Any:
    """The problem of a step's h."""

    def problem(case: Case) -> Problem:
        n = network(cell, case)
        s, h_prev, U_g = n.step, n.h_prev, np.split(n.p["Wh"], 3)[2]
        part = np.split(n.p["Wx"] @ n.x + n.p["b"][:, None], 3)
        b_g = np.split(n.p["bh"], 3)[2][:, None] if cell == "gru" else 0.0

        def h(z: Array, g: Array) -> Array:
            return np.asarray(z * h_prev + (1 - z) * g)

        other = U_g @ (s.r * h_prev) if cell == "gru" else s.r * (U_g @ h_prev)
        seen = s.z * s.u if cell == "gru" else U_g @ (s.z * h_prev)
        exchanged = np.tanh(part[2] + seen)  # the candidate, if z stands where r is meant
        wrong = [
            Mistake("swapped", (1 - s.z) * h_prev + s.z * s.g, "z and 1 - z: z says how much of the old h stays."),
            Mistake("swapped", h(s.r, exchanged), "They are r and z."),
            Mistake("other gate", h(s.r, s.g), "r stands where z is meant."),
            Mistake("missing term", s.z * h_prev, "The candidate."),
            Mistake("missing term", (1 - s.z) * s.g, "The old h."),
            Mistake("missing factor", s.z * h_prev + s.g, "Of the candidate."),
            Mistake("formula", h(s.z, np.tanh(part[2] + U_g @ h_prev + b_g)), "The candidate does not see r."),
            Mistake("formula", h(s.z, np.tanh(part[2] + other + b_g)), "This resets on the other side of the product."),
            Mistake("other gate", h(s.z, exchanged), "In the candidate: z stands where r is meant."),
            Mistake("formula", h(s.z, sigmoid(np.arctanh(s.g))), "The candidate takes tanh."),
        ]  # fmt: skip
        if cell == "gru":
            g = np.tanh(part[2] + s.r * (U_g @ h_prev) + b_g)
            wrong.append(Mistake("formula", h(s.z, g), "r multiplies the bias bh of the candidate as well."))
            wrong.append(
                Mistake(
                    "missing term", h(s.z, np.tanh(part[2] + s.r * (U_g @ h_prev))), "bh of the candidate."
                )
            )
        return Problem({"p": n.p, "x": n.x, "h_prev": h_prev}, s.h, mistakes=tuple(wrong), axes=("H", "B"))

    return problem


def errors(cell: str) -> Any:
    """The problem of a step's errors."""

    def problem(case: Case) -> Problem:
        n = network(cell, case)
        s, dh, h_prev = n.step, n.dh, n.h_prev
        U = np.split(n.p["Wh"], 3)

        def made(fault: str = "") -> tuple[Array, ...]:
            """The four errors, with one fault; "" is none."""
            slope_z = (
                1.0 if fault == "slope z" else tanh_slope(s.z) if fault == "tanh z" else sigmoid_slope(s.z)
            )
            slope_r = (
                1.0 if fault == "slope r" else tanh_slope(s.r) if fault == "tanh r" else sigmoid_slope(s.r)
            )
            slope_g = 1.0 if fault == "slope g" else sigmoid_slope(s.g) if fault == "σ g" else tanh_slope(s.g)
            mixed = {"z sign": s.g - h_prev, "z old": h_prev, "z new": -s.g}.get(fault, h_prev - s.g)
            dz_z = dh * mixed * slope_z
            dz_g = dh * {"g z": s.z, "g all": 1.0}.get(fault, 1 - s.z) * slope_g
            dz_r, back_g = _through_reset(cell, s, U[2], dz_g, slope_r, fault)
            roads = {"direct": dh * s.z, "z": U[0].T @ dz_z, "r": U[1].T @ dz_r, "g": back_g}
            if fault == "direct whole":
                roads["direct"] = dh
            roads.pop(fault.removeprefix("no "), None) if fault.startswith("no ") else None
            return dz_z, dz_r, dz_g, np.sum(list(roads.values()), axis=0)

        faults = {
            "slope z": ("missing slope", "In dz_z: the derivative of the gate z is missing."),
            "slope r": ("missing slope", "In dz_r: the derivative of the gate r is missing."),
            "slope g": ("missing slope", "In dz_g: the derivative of the candidate is missing."),
            "tanh z": ("other slope", "In dz_z."),
            "tanh r": ("other slope", "In dz_r."),
            "σ g": ("other slope", "In dz_g."),
            "z sign": ("sign", "In dz_z: z stands in two terms of h, once with a minus."),
            "z old": ("missing term", "In dz_z: z stands in two terms of h."),
            "z new": ("missing term", "In dz_z: z stands in two terms of h."),
            "g z": ("other quantity", "In dz_g: which factor has g in h?"),
            "g all": ("missing factor", "In dz_g: which factor has g in h?"),
            "r factor": ("other quantity", "In dz_r: what is r multiplied with?"),
            "r lost": ("missing factor", "In dz_r: what is r multiplied with?"),
            "unit": ("other unit", "On the way back to r: which side of Wh is it on?"),
            "unit h": ("other unit", "On the way back to h_prev through the candidate: which side of Wh is r on?"),
            "no reset": ("missing factor", "On the way back to h_prev through the candidate: r is missing."),
            "direct whole": ("missing factor", "On the direct road from h to h_prev."),
            "no direct": ("road", "dh is not carried on: h_prev stands in h itself, times z."),
            "no z": ("missing term", "In dh_prev: z reads h_prev."),
            "no r": ("missing term", "In dh_prev: r reads h_prev."),
            "no g": ("missing term", "In dh_prev: the candidate reads h_prev."),
        }  # fmt: skip
        back = step_backward(CELLS[cell], n.p, s, dh)
        blocks = dict(zip(CELLS[cell].blocks, np.split(back.z, len(CELLS[cell].blocks)), strict=True))
        right = (blocks["z"], blocks["r"], blocks["g"], back.h_prev)
        wrong = tuple(Mistake(kind, made(fault), where) for fault, (kind, where) in faults.items())
        return Problem({"p": n.p, "kept": kept(cell, s), "dh": dh}, right, mistakes=wrong)

    return problem


def _through_reset(cell: str, s: Any, U: Array, dz_g: Array, slope_r: Any, fault: str) -> tuple[Array, Array]:
    """dz_r and what h_prev gets through the candidate."""
    r = 1.0 if fault == "no reset" else s.r
    if cell == "gru":
        times = {"r factor": s.h_prev, "r lost": 1.0}.get(fault, s.u)
        return dz_g * times * slope_r, r * (U.T @ dz_g) if fault == "unit h" else U.T @ (r * dz_g)
    back = U.T @ dz_g
    read = dz_g if fault == "unit" else back
    times = {"r factor": U @ s.h_prev, "r lost": 1.0}.get(fault, s.h_prev)
    return read * times * slope_r, U.T @ (r * dz_g) if fault == "unit h" else r * back


def weight_gradients(cell: str, s: Any, dz: tuple[Array, ...], fault: str = "") -> dict[str, Array]:
    """The gradients of a step's matrices from dz_z, dz_r, dz_g, with one fault; "" is none."""
    dz_z, dz_r, dz_g = dz
    if fault == "candidate":
        dz_r = dz_g
    if fault == "update":
        dz_r = dz_z
    rows = np.concatenate([dz_z, dz_r, dz_g])
    back_g = {"no r": dz_g, "before": dz_g}.get(fault, dz_g * s.r) if cell == "gru" else dz_g
    read = s.h if fault == "time index" else s.h_prev
    inside = s.r * read if (cell == "gru_v3" and fault != "no r") or fault == "before" else read
    if cell == "gru_v3" and fault == "unit":
        back_g, inside = dz_g * s.r, read
    Wh = np.concatenate([dz_z @ read.T, dz_r @ read.T, back_g @ inside.T])
    found = {"Wx": rows @ s.x.T, "Wh": Wh, "b": rows.sum(1)}
    if cell == "gru":
        found["bh"] = np.concatenate([dz_z, dz_r, dz_g if fault == "bh" else back_g]).sum(1)
    return found


def weights(cell: str) -> Any:
    """The problem of the gradients of a step's matrices."""
    where = {
        "gru": "In the rows of g: u is multiplied by r.",
        "gru_v3": "In the rows of g: Wh multiplies r ∘ h_prev.",
    }
    only = {
        "gru": {"before": ("other unit", "In Wh, in the rows of g."), "bh": ("missing factor", "In bh.")},
        "gru_v3": {"unit": ("other unit", "In Wh, in the rows of g.")},
    }
    faults = {
        "candidate": ("other quantity", "The rows of r are updated with the candidate's error."),
        "update": ("other quantity", "The rows of r are updated with the error of z."),
        "no r": ("missing factor", where[cell]),
        "time index": ("time index", "In Wh: which h has been read?"),
    } | only[cell]

    def problem(case: Case) -> Problem:
        n = network(cell, case)
        back = step_backward(CELLS[cell], n.p, n.step, n.dh)
        blocks = dict(zip(CELLS[cell].blocks, np.split(back.z, len(CELLS[cell].blocks)), strict=True))
        dz = blocks["z"], blocks["r"], blocks["g"]
        right = {name: getattr(back, name) for name in n.p}
        wrong = [
            Mistake(kind, weight_gradients(cell, n.step, dz, f), text) for f, (kind, text) in faults.items()
        ]
        wrong += [
            Mistake("averaged", {k: g / case.B for k, g in right.items()}),
            Mistake("transposed", right | {"Wx": right["Wx"].T}),
            Mistake("not summed", right | {"b": np.concatenate(dz)}),
        ]
        given = {"kept": kept(cell, n.step), "dz_z": dz[0], "dz_r": dz[1], "dz_g": dz[2]}
        return Problem(given, right, mistakes=tuple(wrong))

    return problem
