"""The mistakes that published GRUs have, each planted in a right answer, and told from all the others by its words.

The leak at the border is right for a span that covers the whole sequence: how such a gradient is mostly checked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lstm_lib.course import EXERCISES
from lstm_lib.course.judge import judge
from tests.course.solutions import answer, checks, sheet_of, solved

Function = Callable[..., Any]


def right(name: str) -> Function:
    """The notebook's own solution."""
    notebook = solved(sheet_of(name))
    ((cell, expression),) = ((k, e) for k, n, e in checks(notebook) if n == name)
    found: Function = answer(notebook, cell, expression)
    return found


def candidate_in_reset_rows() -> Function:
    weights = right("03.gru_weights")
    return lambda kept, dz_z, dz_r, dz_g: weights(kept, dz_z, dz_g, dz_g)


def slope_forgotten(of: int) -> Function:
    """Errors of a step in which the derivative of gate z (0) or r (1) is missing; dh_prev is made of them."""
    errors = right("03.gru_errors")

    def mine(p: Any, kept: Any, dh: Any) -> Any:
        *dz, dh_prev = errors(p, kept, dh)
        gate = kept[2 + of]
        wrong = dz[of] / (gate * (1 - gate))
        rows = np.split(p["Wh"], 3)[of]
        dh_prev = dh_prev + rows.T @ (wrong - dz[of])
        dz[of] = wrong
        return *dz, dh_prev

    return mine


def not_carried() -> Function:
    backward = right("03.gru_backward")

    def mine(p: Any, trace: Any, dh: Any) -> Any:
        parts = [backward(p, [kept], dh if k == len(trace) - 1 else 0 * dh) for k, kept in enumerate(trace)]
        return {name: sum(part[name] for part in parts) for name in p}

    return mine


def leaks_at_the_border() -> Function:
    """Beyond the span an error still goes along h = z * h_prev + …."""
    errors, weights = right("03.gru_errors"), right("03.gru_weights")

    def mine(p: Any, trace: Any, dh: Any, span: int) -> Any:
        grads = {name: np.zeros_like(a) for name, a in p.items()}
        for k, kept in enumerate(trace[::-1], start=1):
            *dz, dh_prev = errors(p, kept, dh)
            grads = {name: grads[name] + g for name, g in weights(kept, *dz).items()}
            dh = dh_prev if k < span else dh * kept[2]
        return grads

    return mine


def reset_of_the_wrong_unit() -> Function:
    errors = right("03.gru_v3_errors")

    def mine(p: Any, kept: Any, dh: Any) -> Any:
        *dz, dh_prev = errors(p, kept, dh)
        r, U = kept[3], np.split(p["Wh"], 3)[2]
        return *dz, dh_prev - r * (U.T @ dz[2]) + U.T @ (r * dz[2])

    return mine


PLANTED = [
    ("03.gru_weights", candidate_in_reset_rows, "updated with the candidate's error"),
    ("03.gru_errors", lambda: slope_forgotten(0), "the derivative of the gate z is missing"),
    ("03.gru_errors", lambda: slope_forgotten(1), "the derivative of the gate r is missing"),
    ("03.gru_backward", not_carried, "dh is not carried on from step to step"),
    ("03.gru_truncated", leaks_at_the_border, "At the border one road is still open"),
    ("03.gru_v3_errors", reset_of_the_wrong_unit, "of the wrong unit"),
]


@pytest.mark.parametrize(("name", "plant", "words"), PLANTED, ids=[words for _, _, words in PLANTED])
def test_a_documented_mistake_gets_its_own_words(name: str, plant: Function, words: str) -> None:
    finding = judge(EXERCISES[name], plant())
    assert words in finding.text, finding
    assert not any(other in finding.text for _, _, other in PLANTED if other != words)
    assert not judge(EXERCISES[name], right(name)).kind


def test_the_leak_is_seen_because_a_span_is_shorter_than_the_sequence() -> None:
    row = EXERCISES["03.gru_truncated"]
    given = [row.problem(case).given for case in row.cases]
    assert {len(g["trace"]) - g["span"] > 0 for g in given} == {True, False}
    mine = leaks_at_the_border()
    for case, g in zip(row.cases, given, strict=True):
        wanted = row.problem(case).answer
        found = mine(g["p"], g["trace"], g["dh"], g["span"])
        equal = all(np.allclose(found[name], wanted[name]) for name in wanted)
        assert equal == (g["span"] == len(g["trace"]))
