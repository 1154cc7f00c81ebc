"""What a student has done: one small file a notebook, read and written at every check.

The files lie in the folder `.progress` beside the notebook, or in the folder that the environment variable
LSTM_COURSE_PROGRESS names. Where they can't be written, progress is kept until the kernel ends.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from lstm_lib.files import replacing

VARIABLE = "LSTM_COURSE_PROGRESS"
WIDTH = 20  # of a bar, in characters
_kept: dict[Path, dict[str, Any]] = {}  # what could not be written


def folder() -> Path:
    """Where progress is kept."""
    return Path(os.environ.get(VARIABLE) or ".progress").resolve()


def read(sheet: str) -> dict[str, Any]:
    """Exercise -> {"done": whether it was ever right, "wrong": the wrong answers since}, of one notebook.

    An answer is kept as a few letters that tell it from others.

    A file that is missing or broken is an empty one.
    """
    path = folder() / f"{sheet}.json"
    if path in _kept:
        return _kept[path]
    try:
        stored = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(stored, dict):
        return {}
    return {str(k): {"done": v.get("done") is True, "wrong": v["wrong"] if isinstance(v.get("wrong"), list) else []}
            for k, v in stored.items() if isinstance(v, dict)}  # fmt: skip


def note(name: str, right: bool, given: str) -> int:
    """Keep that an exercise was answered; how many different wrong answers that makes since the last right one.

    given : tells this answer from others. An answer that is given again counts once.
    """
    sheet = name.partition(".")[0]
    known = read(sheet)
    before = known.get(name, {"done": False, "wrong": []})
    wrong = [] if right else [*(old for old in before["wrong"] if old != given), given]
    write(sheet, known | {name: {"done": before["done"] or right, "wrong": wrong}})
    return len(wrong)


def write(sheet: str, known: dict[str, Any]) -> None:
    """Replace the file of one notebook as a whole, so that it is never found half written."""
    path = folder() / f"{sheet}.json"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            file.write(json.dumps(known, indent=1).encode())
        _kept.pop(path, None)
    except OSError:
        _kept[path] = known


def bar(done: int, of: int) -> str:
    """A bar of fixed width.

    >>> bar(1, 4)
    '█████░░░░░░░░░░░░░░░ 1 of 4'
    """
    full = WIDTH * done // of if of else WIDTH
    return f"{'█' * full}{'░' * (WIDTH - full)} {done} of {of}"
