"""How long things take, measured so that it can be believed: contestants take turns, and ratios are taken by round.

A machine is not equally fast all the time. Contestants that take turns become slower together, so the ratio within a
round holds, and the spread over the rounds says how far to trust it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from lstm_lib.isolation.plan import Plan
from lstm_lib.network.spec import Spec, init_params
from lstm_lib.network.trace import Workspace
from lstm_lib.series import Sequences

from .adam import Adam
from .samples import Samples
from .states import States
from .step import Step


def interleave(
    contestants: Mapping[str, Callable[[], object]], rounds: int = 15, warmup: int = 2
) -> pd.DataFrame:
    """Seconds of every contestant in every round: one row a round, one column a contestant.

    Parameters
    ----------
    contestants : name -> function without arguments.
    rounds : how often every contestant has its turn.
    warmup : turns before these that are not counted.

    >>> interleave({"nothing": lambda: None}, rounds=3).shape
    (3, 1)
    """
    seconds = {name: np.empty(rounds) for name in contestants}
    for k in range(-warmup, rounds):
        for name, run in contestants.items():
            began = time.perf_counter()
            run()
            seconds[name][max(k, 0)] = time.perf_counter() - began  # round 0 writes over the warm-up
    return pd.DataFrame(seconds)


def speed_up(seconds: pd.DataFrame, reference: str = "dense") -> pd.DataFrame:
    """How many times as fast as the reference each contestant is, round by round.

    Returns
    -------
    DataFrame, a row a contestant: median ms, then speed-up, the median over the rounds of
    seconds[reference] / seconds[contestant], with its quartiles 25 % and 75 %.

    >>> rounds = {"dense": [0.002, 0.040, 0.003], "head alone": [0.001, 0.020, 0.001]}
    >>> speed_up(pd.DataFrame(rounds))
                median ms  speed-up  25 %  75 %
    dense             3.0       1.0   1.0   1.0
    head alone        1.0       2.0   2.0   2.5
    """
    ratio = 1 / seconds.div(seconds[reference], axis=0)
    table = ratio.quantile([0.5, 0.25, 0.75]).T.set_axis(["speed-up", "25 %", "75 %"], axis=1)
    table.insert(0, "median ms", 1e3 * seconds.median())
    return table


def steps_in_turn(
    spec: Spec,
    plans: Mapping[str, Plan | None],
    samples: Samples | Sequences,
    batch: int = 32,
    rounds: int = 100,
) -> pd.DataFrame:
    """Seconds of one training step under each plan: one row a round, one column a plan.

    Parameters
    ----------
    plans : name -> plan, None for the dense step. Each has its own parameters, workspace and state of Adam;
        at depth "cache" a step reads states that were computed before.
    samples : the first `batch` of them are used in every step.
    rounds : how often every plan has its turn; two more rounds before these are not counted.
    """
    ready = Step.ready(spec, Adam(), samples.take(np.arange(1))[0].dtype)
    with ready.threads(batch):  # as `fit` does
        turns = {name: _stepper(ready, plan, samples, batch)[0] for name, plan in plans.items()}
        return interleave(turns, rounds)


def targets_in_turn(
    spec: Spec, samples: Mapping[str, tuple[Samples | Sequences, int]], rounds: int = 30
) -> pd.DataFrame:
    """Seconds of a dense training step for each target that it serves: one row a round, one column a kind of samples.

    Parameters
    ----------
    samples : name -> samples and the batch, such as {"windows": (split.windows.train, 64)}.

    >>> from lstm_lib import load_series, sequences
    >>> split = sequences(load_series("fontana", columns=["power"]))
    >>> kinds = {"windows": (split.windows.train, 64), "sequences": (split.train, 8)}
    >>> list(targets_in_turn(Spec(1, (4,), 1), kinds, rounds=2))
    ['windows', 'sequences']
    """
    turns, served = {}, {}
    ready = Step.ready(spec, Adam(), next(iter(samples.values()))[0].take(np.arange(1))[0].dtype)
    with ready.threads(max(batch for _, batch in samples.values())):
        for name, (some, batch) in samples.items():
            turns[name], served[name] = _stepper(ready, None, some, batch)
        return interleave(turns, rounds) / pd.Series(served)


def _stepper(
    ready: Step, plan: Plan | None, samples: Samples | Sequences, batch: int
) -> tuple[Callable[[], object], float]:
    """A training step with a network of its own, to be called again and again, and how many targets it serves."""
    rows = np.arange(min(batch, len(samples)))
    x, y = samples.take(rows)
    weights = samples.weights(rows) if isinstance(samples, Sequences) else None
    spec, step = ready.spec, replace(ready, work=Workspace(ready.work.engine, ready.work.threads))
    params = init_params(spec, dtype=x.dtype)
    state, known = step.optimizer.init(params), 0 if plan is None else plan.cached
    seen = States(spec, params, samples, known).take(rows)[0] if known else x
    served = float(len(rows) if weights is None else weights.sum())
    return lambda: step(params, state, seen, y, weights, plan=plan), served
