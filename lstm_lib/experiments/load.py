"""What else the machine did during a run: how many of its cores other processes kept busy, measured.

Times of runs are compared only where that was little: `MOST`, or what the environment variable LSTM_LIB_MOST_LOAD
says, for tests and machines that are never quiet. Linux tells (`/proc/stat`); elsewhere nothing is known, and the lock
of timed runs has to do.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

MOST = 0.15  # of a core
VARIABLE = "LSTM_LIB_MOST_LOAD"
STAT = Path("/proc/stat")


class Load:
    """Begins when it is made; asked at the end of a run.

    >>> load = Load()
    >>> busy = load.others()
    >>> busy is None or busy >= 0
    True
    """

    def __init__(self) -> None:
        self.began = time.perf_counter(), _busy(), _own()

    def others(self) -> float | None:
        """How many cores other processes kept busy since then, a mean; None where the system doesn't tell."""
        (began, busy, own), now = self.began, _busy()
        if busy is None or now is None:
            return None
        seconds = max(time.perf_counter() - began, 1e-9)
        return max(0.0, (now - busy - (_own() - own)) / seconds)


def is_quiet(others: float | None) -> bool:
    """Whether a time counts that was taken beside so much; what is not known counts."""
    return others is None or others <= most()


def most() -> float:
    """How many cores may be busy with other things."""
    return float(os.environ.get(VARIABLE, MOST))


def _busy() -> float | None:
    """Seconds that all cores together have worked since the machine started."""
    try:
        user, nice, system, _, _, *others = map(int, STAT.read_text().split("\n", 1)[0].split()[1:9])
    except (OSError, ValueError):
        return None
    return (user + nice + system + sum(others)) / os.sysconf("SC_CLK_TCK")


def _own() -> float:
    return sum(os.times()[:4])
