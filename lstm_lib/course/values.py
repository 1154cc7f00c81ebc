"""Whether a value is the right one, and if not, what kind of wrong: arrays, numbers, texts, and nests of them."""

from __future__ import annotations

import hashlib
import itertools
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from lstm_lib.network.cells import Array

from .exercise import Exercise, Problem
from .mistakes import KINDS, candidates

# The largest difference that is rounding, relative to the largest entry of the right answer.
TOLERANCE = {"float64": 1e-9, "float32": 1e-4}


class Finding(NamedTuple):
    """kind : "" when right. text : sentences for the student. given : tells one answer from another."""

    kind: str
    text: str = ""
    given: str = ""


RIGHT = Finding("")


def found(kind: str, more: str = "") -> Finding:
    """A kind with its sentence.

    >>> found("zero").text
    'It is zero everywhere.'
    """
    return Finding(kind, f"{KINDS[kind]} {more}".strip())


def in_words(value: Any) -> str:
    """What was given.

    >>> in_words(3)
    'int 3'
    """
    if isinstance(value, np.ndarray):
        return f"an array of dtype {value.dtype}, shape {value.shape}"
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) < 40 else text[:37] + '...'}"


def digest(value: Any) -> str:
    """Of a value, the same for equal ones: tells whether an answer is given again.

    >>> digest(np.ones(2)) == digest(np.ones(2)), digest(np.ones(2)) == digest(np.ones(3))
    (True, False)
    """
    with np.printoptions(threshold=sys.maxsize):
        return hashlib.sha256(repr(value).encode("utf-8", "replace")).hexdigest()[:12]


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
        return found("type", f"A text is asked for; this is {in_words(mine)}.")
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
        return found(
            "type", f"A dict with {', '.join(map(repr, wanted))} is asked for; this is {in_words(mine)}."
        )
    if set(mine) != set(wanted):
        return found(
            "names", f"Asked for: {', '.join(map(repr, wanted))}; given: {', '.join(map(repr, mine))}."
        )
    return _entries(problem, {name: (mine[name], f"`{name}`") for name in wanted})


def _tuple(exercise: Exercise, problem: Problem, mine: Any) -> Finding:
    wanted = ", ".join(exercise.names)
    if not isinstance(mine, list | tuple):
        return found("type", f"A tuple of {wanted} is asked for; this is {in_words(mine)}.")
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
        return found("type", f"An array or a number is asked for; this is {in_words(mine)}.")
    if array.dtype.kind == "b" or array.dtype.kind == "c" or array.dtype == np.float16:
        return found("dtype", f"It is {array.dtype}; float64 is asked for.")
    if right.dtype.kind in "iu" and array.ndim == 0 and float(array) != int(right):
        kinds = {1: "off by one", -1: "off by one"}
        return _known(problem, array) or found(kinds.get(float(array) - int(right), "unlike"))  # type: ignore[call-overload]
    if array.shape != right.shape:
        if array.size == right.size and np.squeeze(array).shape == np.squeeze(right).shape:
            flat = array.reshape(right.shape)
            if _close(flat, right):
                return found("axis", f"It is {array.shape}; asked for: {right.shape}.")
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
