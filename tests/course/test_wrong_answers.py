"""Wrong answers that students give, each a change to the notebook's own solution, and the diagnosis that each gets.

The table, wrong_answers.txt, was written from the mistakes that people make, not from the table of diagnoses: it is run
through the notebooks' cells as a student's answer is.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from lstm_lib.course import EXERCISES
from lstm_lib.course.judge import judge
from lstm_lib.course.mistakes import KINDS
from tests.course.solutions import answer, checks, sheet_of, solved

TABLE = (Path(__file__).parent / "wrong_answers.txt").read_text("utf-8").splitlines()[1:]
ROWS = [tuple(part.strip() for part in line.split(" | ")) for line in TABLE]


@pytest.mark.parametrize(("name", "stands", "written", "kind"), ROWS, ids=[f"{r[0]}: {r[2]}" for r in ROWS])
def test_a_wrong_answer_gets_its_diagnosis(name: str, stands: str, written: str, kind: str) -> None:
    notebook = solved(sheet_of(name))
    ((cell, expression),) = ((k, e) for k, n, e in checks(notebook) if n == name)
    assert judge(EXERCISES[name], answer(notebook, cell, expression, (stands, written))).kind == kind


def test_the_table_is_wide() -> None:
    """At least 100 wrong answers, of many kinds and of every exercise that has more than a number to say."""
    assert len(set(ROWS)) == len(ROWS) >= 100
    kinds = Counter(row[3] for row in ROWS)
    assert set(kinds) <= set(KINDS)
    assert len(kinds) > 30
    assert kinds["unlike"] < 8  # no common mistake explains it: to be kept rare
    assert set(EXERCISES) == {row[0] for row in ROWS}
