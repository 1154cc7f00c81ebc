"""Statistics: what isolating an arc would lose, as far as a training can tell.

Nouns: a `Statistic` says it of every arc, read from the `Evidence` of a training; `Scores` are its sums over the blocks
of a partition. `selection.py` chooses by them.

    cut = partition(spec, blocks=8, by="unit")
    scores = score("fisher", record.evidence(), cut)

No statistic here is more than a guess: what it measures is not what the forecast loses. The control is "random".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from lstm_lib.isolation.partition import Partition
from lstm_lib.network.cells import Array

from .evidence import Evidence, Watched
from .settings import check_choice


@dataclass(frozen=True)
class Statistic:
    """How much isolating an arc would lose.

    says, source : in one line, and where it comes from.
    arcs : evidence and the name of a parameter -> an array of its shape. None draws one number a block. Unless it
        needs "weights" alone, `score` takes nothing for known of an arc that has made no step.
    needs : "weights", "steps" (Adam's moments) or "watched" (`fit(..., watch=True)`).
    """

    says: str
    source: str
    arcs: Callable[[Evidence, str], Array] | None
    needs: Literal["weights", "steps", "watched"]


def _moment(evidence: Evidence, which: Literal["m", "v"], name: str) -> Array:
    """One of Adam's moments, corrected for the number of steps."""
    beta = evidence.optimizer.beta1 if which == "m" else evidence.optimizer.beta2
    moment: Array = getattr(evidence.state, which)[name]
    share = 1 - np.power(beta, np.maximum(evidence.state.t[name], 1))
    return np.asarray(moment / np.asarray(share, moment.dtype))


def _ratio(a: Array, b: Array) -> Array:
    """a / b; 0 where b is 0, since what does not move has nothing to lose."""
    return np.divide(a, b, out=np.zeros_like(a), where=b > 0)


STATISTICS: dict[str, Statistic] = {
    "magnitude": Statistic("|w|: small weights do little", "Han et al., 2015, arXiv:1506.02626",
        lambda e, k: np.abs(e.params[k]), "weights"),
    "gradient": Statistic("mean |g| of the last epoch: a flat direction gains little",
        "Liu et al., 2021, arXiv:2102.01386 (AutoFreeze, there by layer)",
        lambda e, k: watched(e).gradient[k], "watched"),
    "error": Statistic("mean |dz|² of the last epoch: little error arrives at the pre-activation that it adds to",
        "Sun et al., 2017, arXiv:1706.06197 (meProp, there by step)",
        lambda e, k: watched(e).error[k], "watched"),
    "fisher": Statistic("E[g²], read from Adam's v: the curvature of the loss",
        "Sung et al., 2021, arXiv:2111.09839 (FISH)",
        lambda e, k: _moment(e, "v", k), "steps"),
    "sensitivity": Statistic("|w · m|: what the loss would change by without the weight, to first order",
        "Mozer and Smolensky, 1989; Molchanov et al., 2017, arXiv:1611.06440",
        lambda e, k: np.abs(e.params[k] * _moment(e, "m", k)), "steps"),
    "movement": Statistic("|w - w₀|: how far the weight has come", "Zhou et al., 2019, arXiv:1905.01067",
        lambda e, k: np.abs(e.params[k] - watched(e).start[k]), "watched"),
    "snr": Statistic("|m| / √v: whether its gradients agree", "Kingma and Ba, 2015, arXiv:1412.6980, section 2.1",
        lambda e, k: _ratio(np.abs(_moment(e, "m", k)), np.sqrt(_moment(e, "v", k))), "steps"),
    "perturbation": Statistic("|mean Δw| / mean |Δw| over epochs: whether its steps add up",
        "Chen et al., 2021, Adaptive parameter freezing, ICDCS",
        lambda e, k: _ratio(np.abs(watched(e).change[k]), watched(e).path[k]), "watched"),
    "random": Statistic("a draw: the control that every statistic must beat", "no source", None, "weights"),
}  # fmt: skip


@dataclass(frozen=True)
class Scores:
    """What isolating each block of a partition would lose by one statistic.

    values : a Series by name of block, in the order of the partition; the sum over the arcs of the block, NaN where
        of some of them nothing is known.
    """

    statistic: str
    cut: Partition
    values: pd.Series[float]


def score(statistic: str, evidence: Evidence, cut: Partition, seed: int = 0) -> Scores:
    """Score the blocks of a partition.

    Parameters
    ----------
    statistic : a key of `STATISTICS`.
    evidence : of a training, `record.evidence()`.
    seed : of the draws of "random", which also depend on the epoch.

    Raises ValueError for an unknown statistic, a partition of another network, and evidence that lacks what the
    statistic needs.

    >>> from lstm_lib import Spec, fit, partition
    >>> x = np.linspace(-1, 1, 40, dtype=np.float32).reshape(8, 5, 1)
    >>> record = fit(Spec(1, (4,), 1), (x, x[:, -1]), epochs=1, progress=False)
    >>> cut = partition(record.spec, blocks=2, by="unit")
    >>> score("magnitude", record.evidence(), cut).values.round(1).to_dict()
    {'0[0:2]': 10.9, '0[2:4]': 12.3, 'head/W': 1.4, 'head/b': 0.0}
    """
    check_choice("statistic", statistic, STATISTICS)
    found = STATISTICS[statistic]
    if cut.spec != evidence.spec:
        raise ValueError(f"the partition is of {cut.spec}, the evidence of {evidence.spec}")
    if found.arcs is None:
        draws = np.random.default_rng([seed, evidence.epoch]).random(len(cut))
        values = dict(zip(cut, draws * list(sizes(cut).values()), strict=True))
    else:
        arcs = {name: found.arcs(evidence, name) for name in evidence.params}
        if found.needs != "weights":  # nothing is known of an arc that has made no step
            arcs = {
                name: np.where(np.asarray(evidence.state.t[name]) > 0, a, np.nan) for name, a in arcs.items()
            }
        values = cut.sums(arcs)
    return Scores(statistic, cut, pd.Series(values, dtype="float64"))


def sizes(cut: Partition) -> dict[str, float]:
    """How many arcs each block has."""
    return cut.sums({name: np.ones(shape) for name, shape in cut.spec.shapes.items()})


def watched(evidence: Evidence) -> Watched:
    """What was watched; ValueError where nothing was."""
    if evidence.watched is None:
        raise ValueError("this statistic needs a training that watches its arcs: fit(..., watch=True)")
    return evidence.watched
