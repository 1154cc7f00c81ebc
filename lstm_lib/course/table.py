"""`check` and `progress`: what a student calls, over the table of all exercises."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

import pandas as pd

from . import (
    adam,
    chains,
    convolutions,
    counts,
    descent,
    energy,
    fading,
    forward,
    gradients,
    gru_time,
    heads,
    isolation,
    kept,
    lora,
    passes,
    price,
    recurrent,
    sequences,
    start,
    truncated,
)
from .exercise import Exercise
from .judge import judge
from .values import digest

FILES = (
    *(
        start,
        chains,
        recurrent,
        forward,
        gradients,
        heads,
        fading,
        passes,
        sequences,
        truncated,
        counts,
        gru_time,
    ),
    *(adam, descent, energy, isolation, price, convolutions, lora),
)
EXERCISES: dict[str, Exercise] = {row.name: row for file in FILES for row in file.EXERCISES}


@dataclass(frozen=True)
class Verdict:
    """What `check` found; true when the answer is right.

    kind : "" when right, else a key of `lstm_lib.course.mistakes.KINDS`. text : what was printed.
    """

    name: str
    kind: str
    text: str

    def __bool__(self) -> bool:
        return not self.kind

    def __repr__(self) -> str:
        return f"<{self.name}: {self.kind or 'right'}>"

    def _ipython_display_(self) -> None:
        """Nothing: it was printed already."""


def check(name: str, mine: Any) -> Verdict:
    """Say whether an answer is right, and if not what kind of wrong.

    A second wrong answer gets a hint, too, and from the third on also the equation. The same answer given again is no
    new one: it is told the same once more.

    Parameters
    ----------
    name : of the exercise, "02.dz_f"; `list(course.EXERCISES)` has all of them.
    mine : your answer, float64 or float32: an array or a number made of the notebook's numbers, or a function, which is
        called at several sizes, with one sample and with several.

    Returns
    -------
    Verdict, true when right. What it says is printed. Nothing is raised for a wrong answer.

    Raises ValueError for a name that no exercise has, with those that come near.

    >>> import os, tempfile
    >>> os.environ["LSTM_COURSE_PROGRESS"] = tempfile.mkdtemp()
    >>> bool(check("02.df", lambda dfc, c_prev: dfc * c_prev))
    02.df is right.
    True
    >>> bool(check("02.df", lambda dfc, c_prev: -dfc * c_prev))
    02.df is not right yet. The sign is wrong: this is minus the right answer.
    False
    """
    exercise = _named(name)
    finding = judge(exercise, mine)
    given = finding.given or digest(
        finding.text
    )  # of a function that ends in an error there is only what was said
    wrong = 0 if finding.kind == "empty" else kept.note(name, not finding.kind, given)
    text = f"{name} is right."
    if finding.kind:
        text = f"{name} is not right yet. {finding.text}"
        if wrong >= 2:
            text += f"\nHint: {exercise.hint}"
        if wrong >= 3:
            text += f"\nEquation: {exercise.equation}."
    print(text)
    return Verdict(name, finding.kind, text)


@dataclass(frozen=True)
class Progress:
    """What is done: `table` has a row a chapter, or of one chapter a row an exercise."""

    table: pd.DataFrame
    bar: str = ""

    def __repr__(self) -> str:
        return self.bar or self.table.to_string()

    def _repr_html_(self) -> str | None:
        return None if self.bar else self.table.to_html()


def progress(sheet: str | None = None) -> Progress:
    """What you have done so far.

    Parameters
    ----------
    sheet : the number of a chapter, "02", for its bar (and its exercises in `.table`); None for a table of all.

    Raises ValueError for a chapter without exercises.

    >>> import os, tempfile
    >>> os.environ["LSTM_COURSE_PROGRESS"] = tempfile.mkdtemp()
    >>> progress("07")
    07 ░░░░░░░░░░░░░░░░░░░░ 0 of 2
    >>> list(progress().table.columns)
    ['done', 'of', 'progress']
    """
    sheets: dict[str, list[Exercise]] = {}
    for row in EXERCISES.values():
        sheets.setdefault(row.sheet, []).append(row)
    if sheet is None:
        rows = {}
        for number, exercises in sheets.items():
            done = sum(_done(number, exercises).values())
            rows[number] = {"done": done, "of": len(exercises), "progress": kept.bar(done, len(exercises))}
        return Progress(pd.DataFrame.from_dict(rows, orient="index").rename_axis("chapter"))
    if sheet not in sheets:
        raise ValueError(f"there is no chapter {sheet!r} with exercises; there are {', '.join(sheets)}")
    done_by_name = _done(sheet, sheets[sheet])
    table = pd.DataFrame(
        {"asked for": [row.title for row in sheets[sheet]], "done": list(done_by_name.values())},
        index=list(done_by_name),
    )
    return Progress(table, f"{sheet} {kept.bar(sum(done_by_name.values()), len(table))}")


def _done(sheet: str, exercises: list[Exercise]) -> dict[str, bool]:
    known = kept.read(sheet)
    return {row.name: bool(known.get(row.name, {}).get("done")) for row in exercises}


def _named(name: Any) -> Exercise:
    if isinstance(name, str) and name in EXERCISES:
        return EXERCISES[name]
    near = difflib.get_close_matches(str(name), EXERCISES, n=4)
    near += [
        known
        for known in EXERCISES
        if known.partition(".")[2] == str(name).rpartition(".")[2] and known not in near
    ]
    if not near:
        sheet = str(name).partition(".")[0]
        near = [known for known in EXERCISES if known.startswith(f"{sheet}.")] or list(EXERCISES)
    raise ValueError(f"there is no exercise {name!r}; did you mean {', '.join(map(repr, near))}?")
