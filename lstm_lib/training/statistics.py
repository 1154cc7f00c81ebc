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
from lstm_lib.network.spec import Params

from .evidence import Evidence, Watched


@dataclass(frozen=True)
class Statistic:
    """How much isolating an arc would lose.

    says, source : in one line, and where it comes from.
    arcs : evidence -> arrays of the parameters' names and shapes; NaN for an arc of which nothing is known. None
        draws one number a block.
    needs : "weights", "steps" (Adam's moments) or "watched" (`fit(..., watch=True)`).
    """

    says: str
    source: str
    arcs: Callable[[Evidence], Params] | None
    needs: Literal["weights", "steps", "watched"]


def _magnitude(evidence: Evidence) -> Params:
    return {k: np.abs(w) for k, w in evidence.params.items()}


def _gradient(evidence: Evidence) -> Params:
    return _known(evidence, watched(evidence).gradient)


def _fisher(evidence: Evidence) -> Params:
    return _moments(evidence)[1]


def _sensitivity(evidence: Evidence) -> Params:
    return {k: np.abs(evidence.params[k] * m) for k, m in _moments(evidence)[0].items()}


def _movement(evidence: Evidence) -> Params:
    start = watched(evidence).start
    return _known(evidence, {k: np.abs(w - start[k]) for k, w in evidence.params.items()})


def _snr(evidence: Evidence) -> Params:
    m, v = _moments(evidence)
    return {k: _ratio(np.abs(m[k]), np.sqrt(v[k])) for k in m}


def _perturbation(evidence: Evidence) -> Params:
    seen = watched(evidence)
    return _known(evidence, {k: _ratio(np.abs(seen.change[k]), seen.path[k]) for k in seen.path})


STATISTICS: dict[str, Statistic] = {
    "magnitude": Statistic(
        "|w|: small weights do little", "Han et al., 2015, arXiv:1506.02626", _magnitude, "weights"
    ),
    "gradient": Statistic(
        "mean |g| of the last epoch: a flat direction gains little",
        "Liu et al., 2021, arXiv:2102.01386 (AutoFreeze, there by layer)", _gradient, "watched"
    ),
    "fisher": Statistic(
        "E[g²], read from Adam's v: the curvature of the loss", "Sung et al., 2021, arXiv:2111.09839 (FISH)",
        _fisher, "steps"
    ),
    "sensitivity": Statistic(
        "|w · m|: what the loss would change by without the weight, to first order",
        "Mozer and Smolensky, 1989; Molchanov et al., 2017, arXiv:1611.06440", _sensitivity, "steps"
    ),
    "movement": Statistic(
        "|w - w₀|: how far the weight has come", "Zhou et al., 2019, arXiv:1905.01067", _movement, "watched"
    ),
    "snr": Statistic(
        "|m| / √v: whether its gradients agree", "Kingma and Ba, 2015, arXiv:1412.6980, section 2.1", _snr, "steps"
    ),
    "perturbation": Statistic(
        "|mean Δw| / mean |Δw| over epochs: whether its steps add up",
        "Chen et al., 2021, Adaptive parameter freezing, ICDCS", _perturbation, "watched"
    ),
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
    found = statistic_of(statistic)
    if cut.spec != evidence.spec:
        raise ValueError(f"the partition is of {cut.spec}, the evidence of {evidence.spec}")
    if found.arcs is None:
        draws = np.random.default_rng([seed, evidence.epoch]).random(len(cut))
        values = dict(zip(cut, draws * list(sizes(cut).values()), strict=True))
    else:
        values = cut.sums(found.arcs(evidence))
    return Scores(statistic, cut, pd.Series(values, dtype="float64"))


def statistic_of(name: str) -> Statistic:
    """The statistic of that name; ValueError with the choices."""
    if name not in STATISTICS:
        raise ValueError(f"statistic is {name!r}; the choices are {', '.join(STATISTICS)}")
    return STATISTICS[name]


def sizes(cut: Partition) -> dict[str, float]:
    """How many arcs each block has."""
    return cut.sums({name: np.ones(shape) for name, shape in cut.spec.shapes.items()})


def watched(evidence: Evidence) -> Watched:
    """What was watched; ValueError where nothing was."""
    if evidence.watched is None:
        raise ValueError("this statistic needs a training that watches its arcs: fit(..., watch=True)")
    return evidence.watched


def _moments(evidence: Evidence) -> tuple[Params, Params]:
    """Adam's m and v, corrected for the number of steps; NaN for arcs that have made none."""
    found: list[Params] = []
    for moments, beta in (
        (evidence.state.m, evidence.optimizer.beta1),
        (evidence.state.v, evidence.optimizer.beta2),
    ):
        corrected = {}
        for name, a in moments.items():
            t = np.asarray(evidence.state.t[name])
            share = np.where(t > 0, 1 - beta**t, np.nan)
            corrected[name] = a / share.astype(a.dtype)
        found.append(corrected)
    return found[0], found[1]


def _known(evidence: Evidence, values: Params) -> Params:
    """The values, NaN for arcs that have made no step."""
    return {k: np.where(np.asarray(evidence.state.t[k]) > 0, a, np.nan) for k, a in values.items()}


def _ratio(a: Array, b: Array) -> Array:
    """a / b; 0 where b is 0, since what does not move has nothing to lose. NaN stays."""
    out: Array = np.where(np.isnan(b), np.nan, 0).astype(a.dtype)
    return np.divide(a, b, out=out, where=b > 0)
