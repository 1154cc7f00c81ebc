"""Questions of one answer: the student names a letter."""

from __future__ import annotations

from collections.abc import Mapping

from .exercise import Case, Exercise, Mistake, Problem


def quiz(name: str, title: str, right: str, why_not: Mapping[str, str], equation: str, hint: str) -> Exercise:
    """A row whose answer is a letter.

    Parameters
    ----------
    name : "01.quiz_…". title : the question in short. right : the right letter.
    why_not : every other letter -> what is said of it. equation, hint : as in every row.

    >>> row = quiz("01.quiz_x", "which?", "b", {"a": "Look again.", "c": "It is more."}, "(1)", "Count.")
    >>> row.problem(Case()).answer, [m.value for m in row.problem(Case()).mistakes]
    ('b', ['a', 'c'])
    """
    mistakes = tuple(Mistake("choice", letter, text) for letter, text in why_not.items())
    return Exercise(
        name,
        title,
        equation,
        hint,
        lambda case: Problem({}, right, mistakes=mistakes),
        notebook=Case(B=1),
        cases=(),
    )
