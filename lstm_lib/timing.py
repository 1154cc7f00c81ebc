"""How long a training step takes under each of several plans, measured so that a busy machine does not decide.

Runs made one after the other meet the machine in different moods. Steps that take turns meet it in the same
ones, and among many rounds each plan finds a quiet moment.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np
import pandas as pd

from .adam import Adam
from .network import LOSSES, Workspace, backward, forward
from .spec import Spec, init_params
from .training import Samples, _thread_limit, _threads
from .zones import Plan


def steps_in_turn(
    spec: Spec, plans: Mapping[str, Plan | None], samples: Samples, batch: int = 32, rounds: int = 100
) -> pd.DataFrame:
    """Seconds of one training step under each plan: one row a round, one column a plan.

    Parameters
    ----------
    plans : name -> plan, None for the dense step. Each has its own parameters, workspace and state of Adam.
    samples : the first `batch` of them are used in every step.
    rounds : how often every plan has its turn; one more round before these is not counted.
    """
    x, y = samples.take(np.arange(min(batch, len(samples))))
    optimizer, taken = Adam(), {name: np.empty(rounds) for name in plans}
    owned = {name: (init_params(spec, dtype=x.dtype), Workspace()) for name in plans}
    states = {name: optimizer.init(params) for name, (params, _) in owned.items()}
    with _threads(_thread_limit(spec, batch)):  # as `fit` does
        for k in range(-1, rounds):
            for name, plan in plans.items():
                params, work = owned[name]
                began = time.perf_counter()
                yhat, trace = forward(spec, params, x, work)
                _, dy = LOSSES[spec.head](yhat, y)
                grads = backward(spec, params, trace, dy, plan)
                optimizer.step(params, grads, states[name], plan)
                taken[name][max(k, 0)] = time.perf_counter() - began  # round 0 writes over the warm-up
    return pd.DataFrame(taken)


def speed_up(seconds: pd.DataFrame, dense: str = "dense") -> pd.DataFrame:
    """How many times quicker than the dense step each is, by the fastest round of each.

    Whatever else the machine does can only add to a step, so the fastest round is the one least disturbed
    (the advice of Python's `timeit`); a median far above it says that the machine was busy.

    Returns
    -------
    DataFrame, a row a plan; columns fastest and median in ms, and speed-up.

    >>> rounds = {"dense": [0.002, 0.040, 0.002], "head alone": [0.001, 0.020, 0.030]}
    >>> speed_up(pd.DataFrame(rounds))
                fastest  median  speed-up
    dense           2.0     2.0       1.0
    head alone      1.0    20.0       2.0
    """
    fastest = seconds.min()
    return pd.DataFrame(
        {"fastest": 1e3 * fastest, "median": 1e3 * seconds.median(), "speed-up": fastest[dense] / fastest}
    )
