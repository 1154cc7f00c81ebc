"""Challenges: what to reach with a selection, and the best run of this session for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from lstm_lib.lab.runs import Difference, Run, dense_of, difference


class Challenge(NamedTuple):
    """What is asked for: its words, which runs count, and how they are ranked, the highest first."""

    says: str
    counts: Callable[[Run, Difference], bool]
    rank: Callable[[Run, Difference], float]


CHALLENGES = (
    Challenge(
        "At most 1 % above dense, in the least time.",
        lambda run, apart: apart.percent <= 1,
        lambda run, apart: run.measured,
    ),
    Challenge(
        "Half of the arcs isolated or more, and the least error.",
        lambda run, apart: run.arcs >= 0.49,
        lambda run, apart: -apart.percent,
    ),
    Challenge(
        "Three seeds or more, not surely worse than dense, in the least time.",
        lambda run, apart: len(run.trained) >= 3 and not apart.low > 0,
        lambda run, apart: run.measured,
    ),
)


def best(runs: Sequence[Run]) -> list[tuple[Challenge, Run | None, Difference | None]]:
    """For each challenge the best complete run that is beside a dense one, with its difference to it; or None."""
    beside = [
        (run, difference(run, dense_of(runs, run.settings)))
        for run in runs
        if not run.dense and not run.stopped
    ]
    found: list[tuple[Challenge, Run | None, Difference | None]] = []
    for challenge in CHALLENGES:
        # a comparison with NaN is False: without a dense run no run counts
        counted = [(run, a) for run, a in beside if a.percent == a.percent and challenge.counts(run, a)]
        winner = max(counted, key=lambda pair: challenge.rank(*pair), default=(None, None))
        found.append((challenge, *winner))
    return found
