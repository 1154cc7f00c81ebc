"""The exercises of notebooks 06a and 07: a plan by hand, and a statistic. The answers are those of `isolate` and
of `STATISTICS`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lstm_lib.isolation.plan import Plan, isolate
from lstm_lib.isolation.zones import zone
from lstm_lib.network.spec import Spec
from lstm_lib.training.adam import Adam, AdamState
from lstm_lib.training.evidence import Evidence
from lstm_lib.training.statistics import STATISTICS

from .exercise import Case, Exercise, Mistake, Problem

PLAN = Case(B=32, H=16, D=4, T=24)


def plan(case: Case) -> Plan:
    """Of the notebook: all units but the first four isolated at depth `cut`."""
    spec = Spec(inputs=case.D, units=(case.H,), outputs=1)
    return isolate(spec, zone(spec, layer=0, unit=slice(4, case.H)), depth="cut", span=case.T)


def _rows(case: Case) -> Problem:
    right = np.arange(4 * case.H)[plan(case).work.layers[0].weights[0].rows.at]
    H = case.H
    wrong = (
        Mistake("missing term", np.arange(4), "Rows of one gate only."),
        Mistake("inverse", np.setdiff1d(np.arange(4 * H), right), "These are the isolated ones."),
        Mistake("formula", np.arange(16), "The rows of a unit are not neighbours."),
        Mistake("off by one", right + 1, "Rows are counted from 0."),
        Mistake("order of gates", right.reshape(4, 4).T.ravel()),
    )
    return Problem({"H": H}, right, mistakes=wrong)


def _through(case: Case) -> Problem:
    work = plan(case).work.layers[0].through[0]
    rows, H = 16, case.H
    assert work is not None  # some units are active
    right = np.array([work.rows.size, work.columns.size])
    wrong = (
        Mistake("inverse", np.array([4 * (H - 4), H - 4]), "These are the isolated ones."),
        Mistake("transposed", right[::-1]),
        Mistake("missing factor", np.array([4, 4]), "A unit has a row in each gate."),
        Mistake("formula", np.array([rows, H]), "Whose error does an active unit still need at depth cut?"),
        Mistake("formula", np.array([4 * H, 4]), "Whose error is not computed at depth cut?"),
        Mistake("formula", np.array([4 * H, H]), "That is the dense product."),
    )
    return Problem({}, right, mistakes=wrong)


def _weights(case: Case) -> Problem:
    work = plan(case).work.layers[0].weights[0]
    H, D = case.H, case.D
    right = np.array([work.rows.size, work.sources.size])
    wrong = (
        Mistake("missing term", np.array([16, H + D]), "What is there beside h and x?"),
        Mistake("transposed", right[::-1]),
        Mistake("missing term", np.array([16, H]), "What is there beside h?"),
        Mistake("missing factor", np.array([4, H + D + 1]), "A unit has a row in each gate."),
        Mistake("inverse", np.array([4 * (H - 4), H + D + 1]), "These are the isolated ones."),
        Mistake("formula", np.array([16, 4 + D + 1]), "An active arc may come from an isolated unit."),
        Mistake("formula", np.array([4 * H, H + D + 1]), "That is the dense product."),
    )
    return Problem({}, right, mistakes=wrong)


def _flops(case: Case) -> Problem:
    found = plan(case)
    T, B, S = case.T, case.B, case.H + case.D + 1
    # of the layer alone: the head's products are left out
    work = found.work.layers[0].weights[0]
    rows, sources = work.rows.size, work.sources.size
    wrong = (
        Mistake("half", rows * sources * T * B, "A multiplication and an addition."),
        Mistake("missing factor", 2 * rows * sources * B),
        Mistake("missing factor", 2 * rows * sources * T),
        Mistake("formula", 2 * 4 * case.H * S * T * B, "That is the dense one."),
        Mistake("one step", 2 * rows * sources * (T - 1) * B, "The oldest step has a weight gradient, too."),
    )
    return Problem({}, 2 * rows * sources * T * B, mistakes=wrong)


def _statistic(name: str) -> Any:
    def problem(case: Case) -> Problem:
        rng = np.random.default_rng(case.seed)
        spec, shape = Spec(inputs=case.D, units=(case.H,), outputs=1), (4 * case.H, case.D)
        w, m, v = rng.normal(size=shape), rng.normal(size=shape), rng.uniform(0.5, 2, shape)
        optimizer, t = Adam(), 3
        state = AdamState({"0/Wx": m}, {"0/Wx": v}, {"0/Wx": t})
        evidence = Evidence(spec, {"0/Wx": w}, state, optimizer, epoch=1, steps=case.T, batch=case.B)
        right = STATISTICS[name].arcs(evidence, "0/Wx")  # type: ignore[misc]
        m_hat, v_hat = m / (1 - 0.9**t), v / (1 - 0.999**t)
        if name == "sensitivity":
            wrong = [
                Mistake("missing factor", np.abs(m_hat)),
                Mistake("missing factor", np.abs(w)),
                Mistake("sign", w * m_hat, "Which way a loss would change is not asked."),
                Mistake("squared factor", (w * m_hat) ** 2),
                Mistake("squared factor", np.abs(w) * m_hat**2),
                Mistake("formula", np.abs(w * v_hat), "Of the two moments this is the other one."),
                Mistake("formula", np.abs(w) + np.abs(m_hat)),
                Mistake("formula", np.abs(m_hat / w)),
            ]
        else:
            wrong = [
                Mistake("formula", np.abs(m_hat) / v_hat, "v has the unit of a squared gradient."),
                Mistake("sign", m_hat / np.sqrt(v_hat), "Which way it points is not asked."),
                Mistake("missing factor", np.abs(m_hat)),
                Mistake("inverse", np.sqrt(v_hat) / np.abs(m_hat)),
                Mistake("squared factor", m_hat**2 / v_hat),
                Mistake("formula", np.abs(w) / np.sqrt(v_hat)),
            ]
        return Problem({"w": w, "m_hat": m_hat, "v_hat": v_hat}, right, mistakes=tuple(wrong))

    return problem


EXERCISES = (
    Exercise(
        "06.rows",
        "the rows of dW that are computed",
        "section 2 and (6.2)",
        "Rows stand gate after gate, H of them each, and a unit has one in each gate.",
        _rows,
        ("H",),
        PLAN,
    ),
    Exercise(
        "06.through",
        "the shape of the part of Wh that carries the error back",
        "(6.3)",
        "At depth cut only the errors of active units are computed, and only to active units.",
        _through,
        (),
        PLAN,
    ),
    Exercise(
        "06.weights",
        "the shape of the part of dW that is computed",
        "(6.2) and (6.5)",
        "An active row reads all its sources: [h; x; 1].",
        _weights,
        (),
        PLAN,
    ),
    Exercise(
        "06.flops",
        "the FLOPs of the weight gradients of the layer over the span",
        "(6.5)",
        "A product of (m, k) by (k, n) costs 2 m k n; here k is T B.",
        _flops,
        (),
        PLAN,
    ),
    Exercise(
        "07.sensitivity",
        "what the loss would change by without the weight",
        "|w · m̂|, the row `sensitivity`",
        "To first order the loss changes by the weight times the gradient's mean.",
        _statistic("sensitivity"),
        ("w", "m_hat", "v_hat"),
    ),
    Exercise(
        "07.snr",
        "whether an arc's gradients agree",
        "|m̂| / √v̂, the row `snr`",
        "The mean gradient in units of its typical size.",
        _statistic("snr"),
        ("m_hat", "v_hat"),
    ),
)
