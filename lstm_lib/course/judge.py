"""Whether an answer is right, and if not, what kind of wrong.

`judge` turns an exercise and an answer into a `Finding`: "" or a kind (a key of `KINDS`) with what is said of it. An
answer is compared as it stands, or, if it is a function, called at every case of the exercise.
"""

from __future__ import annotations

import copy
import inspect
import itertools
import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from lstm_lib.network.cells import Array

from .exercise import Case, Exercise, Problem
from .mistakes import KINDS, candidates

# The largest difference that is rounding, relative to the largest entry of the right answer.
TOLERANCE = {"float64": 1e-9, "float32": 1e-4}


class Finding(NamedTuple):
    """kind : "" when right. text : sentences for the student."""

    kind: str
    text: str = ""


RIGHT = Finding("")


def judge(exercise: Exercise, mine: Any) -> Finding:
    """Compare an answer, an array, a number, a text or a function, with the right one."""
    if callable(mine) and not isinstance(mine, type):
        return _function(exercise, mine)
    if mine is None or mine is Ellipsis:
        return found("empty")
    if exercise.notebook is None:
        return found("type", f"A function of {', '.join(exercise.takes)} is asked for; this is {_a(mine)}.")
    return compare(exercise, exercise.problem(exercise.notebook), mine)


def found(kind: str, more: str = "") -> Finding:
    """A kind with its sentence.

    >>> found("zero").text
    'It is zero everywhere.'
    """
    return Finding(kind, f"{KINDS[kind]} {more}".strip())


# ------------------------------------------------------------------------------------------------- functions


def _function(exercise: Exercise, mine: Callable[..., Any]) -> Finding:
    """Called at every case; what is said is of the worst case, and of which cases are right."""
    verdicts: dict[Case, Finding] = {}
    for case in exercise.cases:
        problem = exercise.problem(case)
        verdicts[case] = _called(exercise, problem, mine)
        if verdicts[case].kind in ("arguments", "empty", "mutates"):
            return verdicts[case]
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
    verdict = compare(exercise, problem, value)
    changed = [name for name in order if not _same(given[name], problem.given[name])]
    if changed and verdict.kind != "empty":
        return found("mutates", f"Changed: {', '.join(changed)}.")
    return verdict


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


# ---------------------------------------------------------------------------------------------------- values


def compare(exercise: Exercise, problem: Problem, mine: Any) -> Finding:
    """One value, or a tuple or mapping of values, with the right one."""
    if mine is None or mine is Ellipsis:
        return found("empty")
    if isinstance(problem.answer, str):
        return _text(problem, mine)
    if isinstance(problem.answer, Mapping):
        return _mapping(problem, mine)
    if isinstance(problem.answer, tuple) and exercise.names:
        return _tuple(exercise, problem, mine)
    return _value(problem, mine)


def _text(problem: Problem, mine: Any) -> Finding:
    """A word or a letter, written in capitals or not."""
    if not isinstance(mine, str):
        return found("type", f"A text is asked for; this is {_a(mine)}.")
    mine = mine.strip().lower()
    if mine == problem.answer:
        return RIGHT
    known = [mistake for mistake in problem.mistakes if mistake.value == mine]
    if known:
        return found(known[0].kind, known[0].where)
    choices = sorted({str(mistake.value) for mistake in problem.mistakes} | {str(problem.answer)})
    return found("unlike", f"The choices are {', '.join(choices)}." if problem.mistakes else "")


def _mapping(problem: Problem, mine: Any) -> Finding:
    wanted = list(problem.answer)
    if not isinstance(mine, Mapping):
        return found("type", f"A dict with {', '.join(map(repr, wanted))} is asked for; this is {_a(mine)}.")
    if set(mine) != set(wanted):
        return found(
            "names", f"Asked for: {', '.join(map(repr, wanted))}; given: {', '.join(map(repr, mine))}."
        )
    return _entries(problem, {name: (mine[name], f"`{name}`") for name in wanted})


def _tuple(exercise: Exercise, problem: Problem, mine: Any) -> Finding:
    wanted = ", ".join(exercise.names)
    if not isinstance(mine, list | tuple):
        return found("type", f"A tuple of {wanted} is asked for; this is {_a(mine)}.")
    if len(mine) != len(exercise.names):
        return found("count", f"Asked for: {wanted}; given: {len(mine)}.")
    for k, j in itertools.combinations(range(len(mine)), 2):
        turned = list(mine)
        turned[k], turned[j] = turned[j], turned[k]
        if not _as_they_stand(problem, mine) and _as_they_stand(problem, turned):
            return found("swapped", f"They are {exercise.names[k]} and {exercise.names[j]}.")
    return _entries(problem, {k: (value, f"`{exercise.names[k]}`") for k, value in enumerate(mine)})


def _as_they_stand(problem: Problem, values: Any) -> bool:
    return all(not _value(Problem({}, a), v).kind for a, v in zip(problem.answer, values, strict=True))


def _entries(problem: Problem, entries: Mapping[Any, tuple[Any, str]]) -> Finding:
    """The first entry that is wrong; a mistake of the exercise that explains all entries at once comes first."""
    findings = {}
    for key, (value, label) in entries.items():
        own = tuple(m._replace(value=m.value[key]) for m in problem.mistakes)
        terms = problem.terms[key] if isinstance(problem.terms, Mapping) else ()
        axes = problem.axes[key] if isinstance(problem.axes, Mapping) else ()
        verdict = _value(Problem({}, problem.answer[key], terms, own, axes), value)
        if verdict.kind:
            findings[key] = (verdict, label)
    if not findings:
        return RIGHT
    verdict, label = next(iter(findings.values()))
    for mistake in problem.mistakes:  # one that all wrong entries share
        if all(_close(_array(entries[key][0]), _array(mistake.value[key])) for key in entries):
            return found(mistake.kind, mistake.where)
    right = len(entries) - len(findings)
    others = f" {right} of {len(entries)} are right." if right else ""
    return Finding(verdict.kind, f"Look at {label}. {verdict.text}{others}")


def _value(problem: Problem, mine: Any) -> Finding:
    """An array or a number with the right one."""
    right = np.asarray(problem.answer)
    if mine is None or mine is Ellipsis:
        return found("empty")
    array = _array(mine)
    if array is None or array.dtype.kind in "OUSVMm":
        return found("type", f"An array or a number is asked for; this is {_a(mine)}.")
    if array.dtype.kind == "b" or array.dtype.kind == "c" or array.dtype == np.float16:
        return found("dtype", f"It is {array.dtype}; float64 is asked for.")
    if right.dtype.kind in "iu" and array.ndim == 0 and float(array) != int(right):
        kinds = {1: "off by one", -1: "off by one"}
        return _known(problem, array) or found(kinds.get(float(array) - int(right), "unlike"))  # type: ignore[call-overload]
    if array.shape != right.shape:
        return _known(problem, array) or found("shape", f"It is {array.shape}; asked for: {right.shape}.")
    if not np.isfinite(array).all():
        known = _known(problem, array)
        if known:
            return known
        bad = array.size - int(np.isfinite(array).sum())
        return found("nan", f"{bad} of {array.size} are NaN or infinite.")
    if _close(array, right):
        return RIGHT
    if array.dtype.kind in "iu" and right.dtype.kind == "f":
        rounded = (np.rint(right), np.trunc(right))
        if any(np.array_equal(array, r) for r in rounded):
            return found("dtype", "It is of whole numbers, and what stands behind the point is lost.")
    return _known(problem, array) or _located(problem, array, right)


def _known(problem: Problem, array: Array) -> Finding | None:
    """The first known mistake that makes these numbers."""
    right = np.asarray(problem.answer)
    for kind, value, where in candidates(problem):
        wrong = np.asarray(value)
        if wrong.shape == right.shape and _close(wrong, right):
            continue  # a mistake that makes no difference here
        if _close(array, wrong):
            return found(kind, where)
    return None


def _located(problem: Problem, array: Array, right: Array) -> Finding:
    """What can be said of an array of the right shape that no known mistake explains."""
    scale = np.abs(right).max(initial=0)
    off = np.abs(array - right)
    wrong = off > _allowed(array) * scale
    if off.max(initial=0) < 1e-3 * scale:
        return found("precision", f"The largest relative difference is {off.max() / scale:.0e}.")
    if array.ndim and right.size > 1:
        with np.errstate(all="ignore"):
            ratio, apart = array / right, array - right
            if np.ptp(ratio) < 1e-6 * abs(ratio.flat[0]):
                return found("constant factor", f"It is {ratio.flat[0]:.4g} times as large.")
            if np.ptp(apart) < 1e-6 * abs(apart.flat[0]):
                return found("constant")
            if _close(array, 1 / right):
                return found("inverse")
    for axis, letter in enumerate(problem.axes):
        others = tuple(k for k in range(right.ndim) if k != axis)
        lines = wrong.any(axis=others)
        if letter == "gates":
            gates = [g for g, rows in zip("fiog", np.split(lines, 4), strict=True) if rows.any()]
            if len(gates) < 4:
                return found("rows", f"Wrong: {', '.join(gates)}.")
        if letter == "B" and 0 < lines.sum() < len(lines):
            return found("samples")
    return found(
        "unlike", f"{int((~wrong).sum())} of {wrong.size} entries are right." if wrong.size > 1 else ""
    )


def _array(value: Any) -> Array | None:
    """As an array, float where it may be; None if it is none."""
    try:
        return np.asarray(value)
    except (ValueError, TypeError):  # lists of several lengths
        return None


def _allowed(array: Array) -> float:
    return TOLERANCE.get(array.dtype.name, TOLERANCE["float64"])


def _close(array: Array | None, right: Array | None) -> bool:
    if array is None or right is None or array.shape != right.shape:
        return False
    with np.errstate(all="ignore"):
        finite = np.isfinite(right)
        scale = np.abs(right[finite]).max(initial=0)
        near = np.abs(array - right) <= _allowed(array) * scale + 1e-300
        return bool(np.where(finite, near, (array == right) | (np.isnan(array) & np.isnan(right))).all())


def _a(value: Any) -> str:
    """What was given, in words."""
    if isinstance(value, np.ndarray):
        return f"an array of dtype {value.dtype}, shape {value.shape}"
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) < 40 else text[:37] + '...'}"
