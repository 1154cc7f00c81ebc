"""Runs that outlive a page which is loaded anew: its program ends then, and a new one takes them up.

The browser keeps a mark for as long as its tab is open, and tells it to the program behind the page. What was trained
lies in a file of that name in the user's cache, for a day.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from lstm_lib.files import replacing
from lstm_lib.lab.files import to_zip
from lstm_lib.lab.runs import Run

DAY = 86_400.0  # seconds


def folder() -> Path:
    """Where the runs lie; other users can't look into it."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "lstm_lib" / "lab"


def checked(mark: object) -> str:
    """The mark, or "" for anything else: it becomes the name of a file.

    >>> checked("0" * 32) == "0" * 32, checked("../x"), checked(None)
    (True, '', '')
    """
    return mark if isinstance(mark, str) and re.fullmatch("[0-9a-f]{32}", mark) else ""


def keep(mark: str, runs: Sequence[Run]) -> None:
    """Write the runs for this mark, where anything can be written, and clear away what is older than a day."""
    with suppress(OSError):
        folder().mkdir(mode=0o700, parents=True, exist_ok=True)
        for old in folder().glob("*.zip"):
            if time.time() - old.stat().st_mtime > DAY:
                old.unlink()
        with replacing(folder() / f"{mark}.zip") as file:
            file.write(to_zip(runs, small=False))


def kept(mark: str) -> bytes:
    """The file of runs that was kept for this mark, or nothing."""
    with suppress(OSError):
        path = folder() / f"{mark}.zip"
        if mark and time.time() - path.stat().st_mtime <= DAY:
            return path.read_bytes()
    return b""
