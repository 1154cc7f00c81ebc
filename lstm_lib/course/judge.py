"""Whether an answer is right, and if not, what kind of wrong.

`judge` turns an exercise and an answer into a `Finding`: "" or a kind (a key of `KINDS`) with what is said of it. An
answer is compared as it stands (`values.py`), or, if it is a function, called at every case of the exercise.
"""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .exercise import Case, Exercise, Problem
from .values import RIGHT, Finding, compare, digest, found, in_words


def judge(exercise: Exercise, mine: Any) -> Finding:
    """Compare an answer, an array, a number, a text or a function, with the right one."""
    if callable(mine) and not isinstance(mine, type):
        return _function(exercise, mine)
    if mine is None or mine is Ellipsis:
        return found("empty")
    if exercise.notebook is None:
        return found(
            "type", f"A function of {', '.join(exercise.takes)} is asked for; this is {in_words(mine)}."
        )
    return compare(exercise, exercise.problem(exercise.notebook), mine)._replace(given=digest(mine))


def _function(exercise: Exercise, mine: Callable[..., Any]) -> Finding:
    """Called at every case; what is said is of the worst case, and of which cases are right."""
    verdicts: dict[Case, Finding] = {}
    for case in exercise.cases:
        problem = exercise.problem(case)
        verdicts[case] = _called(exercise, problem, mine)
        if verdicts[case].kind in ("arguments", "empty", "mutates"):
            return verdicts[case]
    return _over_cases(verdicts)._replace(given="".join(verdict.given for verdict in verdicts.values()))


def _over_cases(verdicts: Mapping[Case, Finding]) -> Finding:
    """What is said of all cases together."""
    wrong = {case: verdict for case, verdict in verdicts.items() if verdict.kind}
    if not wrong:
        return RIGHT
    worst = max(wrong, key=lambda case: case.B)
    right = [case for case in verdicts if case not in wrong]
    if not right:
        return wrong[worst]
    more = f"There: {wrong[worst].text}"
    if {case.B for case in right} == {1} and 1 not in {case.B for case in wrong}:
        return found("one batch", more)
    if {case.B for case in wrong} == {1} and 1 not in {case.B for case in right}:
        return found("many only", more)
    return found("some cases", more)


def _called(exercise: Exercise, problem: Problem, mine: Callable[..., Any]) -> Finding:
    """At one case: with copies of what is given, so that a function that changes them is found out."""
    try:
        order = _order(exercise, problem, mine)
    except TypeError as error:
        return found("arguments", str(error))
    given = {name: copy.deepcopy(problem.given[name]) for name in order}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a warning of NumPy shows itself in the values
            value = mine(*given.values())
    except (Exception, SystemExit) as error:  # whatever a student's function raises is told, not raised
        shapes = ", ".join(f"{k} {np.shape(v)}" for k, v in given.items() if isinstance(v, np.ndarray))
        where = f" Called with the shapes {shapes}." if shapes else ""
        return found("raises", f"{type(error).__name__}: {error}.{where}")
    verdict = _read(exercise, problem, value)
    changed = [name for name in order if not _same(given[name], problem.given[name])]
    if changed and verdict.kind != "empty":
        return found("mutates", f"Changed: {', '.join(changed)}.")
    return verdict._replace(given=digest(value))


def _read(exercise: Exercise, problem: Problem, value: Any) -> Finding:
    """Compare what a function has returned, or of a nest of things the part that is asked for."""
    if exercise.reads is None or value is None or value is Ellipsis:
        return compare(exercise, problem, value)
    try:
        part = exercise.reads(value)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return found("type", f"Asked for: {exercise.title}; this is {in_words(value)}.")
    return compare(exercise, problem, part)


def _order(exercise: Exercise, problem: Problem, mine: Callable[..., Any]) -> list[str]:
    """What to call it with: by the names of its parameters if we know them all, else in the exercise's order."""
    asked = f"It is called with ({', '.join(exercise.takes)})."
    try:
        parameters = list(inspect.signature(mine).parameters.values())
    except ValueError:  # some functions written in C don't tell
        return list(exercise.takes)
    plain = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if any(p.kind == p.VAR_POSITIONAL for p in parameters):
        return list(exercise.takes)
    needed = [p for p in plain if p.default is p.empty]
    if plain and all(p.name in problem.given for p in plain):
        return [p.name for p in plain]
    if len(needed) <= len(exercise.takes) <= len(plain) and not [
        p for p in parameters if p.kind == p.KEYWORD_ONLY and p.default is p.empty
    ]:
        return list(exercise.takes)
    raise TypeError(f"{asked} It takes ({', '.join(p.name for p in parameters)}).")


def _same(a: Any, b: Any) -> bool:
    """Whether two nests of arrays are equal."""
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return bool(np.array_equal(a, b))
    if isinstance(a, Mapping):
        return list(a) == list(b) and all(_same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b, strict=True))
    return callable(a) or bool(a == b)  # a function's copy is itself
