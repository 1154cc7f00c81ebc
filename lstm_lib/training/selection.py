"""Which arcs to isolate: a choice under a budget, by what they would lose and what they cost.

Nouns: a `Price` tells what a training step costs when a zone is isolated. `choose` isolates the blocks that lose least
per FLOP they save, up to a budget, where the loss is a statistic's score (`statistics.py`); `by_statistic` does so anew
every so many epochs, within `fit`, where its time counts as training.

    zone = choose(score("fisher", record.evidence(), cut), 0.5, Price(spec, steps=72, batch=64), of="arcs")
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Literal

import numpy as np
import pandas as pd

from lstm_lib.isolation.cost import Cost
from lstm_lib.isolation.partition import Partition, partition
from lstm_lib.isolation.plan import Plan, dense, isolate
from lstm_lib.isolation.zones import Zone, nothing, read_zone
from lstm_lib.network.spec import Spec

from .evidence import Evidence
from .schedules import Moment, Schedule
from .settings import called, check_choice, check_share, whole
from .statistics import STATISTICS, Scores, score, sizes, watched

BUDGETS = ("arcs", "work")


@dataclass(frozen=True)
class Price:
    """What a training step costs when a zone is isolated; called with the zone.

    Parameters
    ----------
    steps, batch : T and B of a step.
    depth, span : as for `isolate`; "cache" needs whole layers and is not for blocks.

    >>> price = Price(Spec(1, (4,), 1), steps=5, batch=3)
    >>> price(nothing(price.spec)).total > price.dense.total * 0.99
    True
    """

    spec: Spec
    steps: int
    batch: int
    depth: str = "skip"
    span: int | None = None

    def __post_init__(self) -> None:
        check_choice("depth", self.depth, ("hold", "skip", "cut"))

    def __call__(self, zone: Zone) -> Cost:
        """The cost of a step with this zone isolated."""
        return isolate(self.spec, zone, self.depth, self.span).cost(self.steps, self.batch)

    @property
    def dense(self) -> Cost:
        """The cost of a step with nothing isolated, over the same span."""
        return self(nothing(self.spec))

    def saved(self, cut: Partition) -> pd.Series[float]:
        """The FLOPs that each block saves when it alone is isolated."""
        return _saved(self, tuple(cut)).copy()


def choose(
    scores: Scores, budget: float, cost: Price, of: Literal["arcs", "work"] = "arcs", most: bool = False
) -> Zone:
    """Isolate the blocks that lose least per FLOP they save, up to a budget. The head stays active.

    Blocks are taken in the order of score / FLOPs saved, and the number of them is the one that comes nearest to the
    budget. FLOPs saved are those of the block alone; together, blocks save more at depth "cut".

    Parameters
    ----------
    budget : share to isolate, 0 to 1.
    cost : what a step costs (`Price`).
    of : share of the network's "arcs" that are isolated, or of the "work" of a step, in FLOPs, that is saved.
    most : isolate those that lose most instead: what a statistic says is worth something if this is worse than a draw.

    Raises ValueError for a budget out of range or out of reach, and for blocks without a score.

    >>> spec = Spec(1, (4,), 1)
    >>> cut = partition(spec, blocks=4, by="unit")
    >>> scores = Scores("by hand", cut, pd.Series(dict(zip(cut, [3.0, 1.0, 2.0, 4.0, 0.0, 0.0]))))
    >>> choose(scores, 0.5, Price(spec, steps=5, batch=3))
    <Zone 0[1:3]: 48 of 101 arcs, 47.5 %>
    """
    check_choice("of", of, BUDGETS)
    check_share("budget", budget)
    cut, values = scores.cut, scores.values
    if cost.spec != cut.spec:
        raise ValueError(f"the cost is for {cost.spec}, the scores for {cut.spec}")
    blocks = [name for name in cut if not name.startswith("head")]
    if unknown := [name for name in blocks if np.isnan(values[name])]:
        raise ValueError(
            f"{scores.statistic!r} knows nothing of {len(unknown)} of {len(blocks)} blocks, such as {unknown[0]}: "
            "their arcs have not been updated yet; train them for an epoch first, or take 'magnitude' or 'random'"
        )
    order = list(
        (values[blocks] / cost.saved(cut)[blocks]).sort_values(kind="stable", ascending=not most).index
    )
    arcs, dense = sizes(cut), cost.dense.total

    def share(first: int) -> float:
        """What the first blocks make of the arcs or save of the work."""
        if of == "arcs":
            return sum(arcs[name] for name in order[:first]) / cut.spec.size
        return 1 - cost(cut.union(order[:first])).total / dense

    if budget > share(len(order)) + 1e-9:
        raise ValueError(
            f"budget={budget} of the {of} is out of reach: all {len(order)} blocks make {share(len(order)):.3f}"
        )
    low, high = 0, len(order)  # share(low) <= budget <= share(high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if share(middle) <= budget else (low, middle)
    nearest = low if budget - share(low) <= share(high) - budget else high
    return cut.union(order[:nearest])


def by_statistic(
    spec: Spec,
    statistic: str,
    budget: float,
    of: Literal["arcs", "work"] = "arcs",
    *,
    every: int | None = 1,
    warmup: int = 1,
    blocks: int | None = 8,
    by: str = "unit",
    depth: str = "skip",
    span: int | None = None,
    seed: int = 0,
    most: bool = False,
) -> Schedule:
    """A schedule for `fit` that chooses anew, at the beginning of an epoch, what is isolated.

    Parameters
    ----------
    statistic, budget, of, most : as for `score` and `choose`.
    every : choose anew after so many epochs; None chooses once.
    warmup : epochs in which nothing is isolated, before the first choice; at least 1 for a statistic that needs
        to have seen a step. Put the schedule into `from_epoch` to do something else in these.
    blocks, by : as for `partition`.
    depth, span : as for `isolate`.
    seed : of "random".

    For an epoch that is over, and the evidence of the whole training, its plans are those that held.

    Raises ValueError that names the argument, what was given and the valid choices.

    >>> from lstm_lib import fit
    >>> x = np.linspace(-1, 1, 40, dtype=np.float32).reshape(8, 5, 1)
    >>> spec = Spec(1, (4,), 1)
    >>> schedule = by_statistic(spec, "snr", 0.5, blocks=4)
    >>> record = fit(spec, (x, x[:, -1]), epochs=3, isolation=schedule, progress=False)
    >>> len(record.checkpoint.watched.chosen), record.checkpoint.watched.chosen[0]
    (3, 'nothing')
    """
    check_choice("statistic", statistic, STATISTICS)
    check_choice("of", of, BUDGETS)
    check_share("budget", budget)
    least = int(STATISTICS[statistic].needs != "weights")
    whole("every", 1 if every is None else every)
    whole("warmup", warmup, least, f", since {statistic!r} needs to have seen a step" if least else "")
    whole("seed", seed, 0)
    Price(spec, 1, 1, depth, span)(nothing(spec))  # refuses a depth or span that isn't one
    partition(spec, blocks, by)  # and blocks
    settings: dict[str, Any] = {
        "statistic": statistic, "budget": float(budget), "of": of, "every": every, "warmup": warmup,
        "blocks": blocks, "by": by, "depth": depth, "span": span, "seed": seed,
    } | ({"most": True} if most else {})  # fmt: skip
    call, rule = called(by_statistic, spec=spec, **settings), partial(_by_evidence, spec, **settings)
    return Schedule(spec, call, {"by statistic": settings}, rule, frozenset({"evidence"}))


# --------------------------------------------------------------------------------------------------------- details


def _by_evidence(spec: Spec, moment: Moment, warmup: int, **how: Any) -> Plan:
    if moment.epoch <= warmup:
        return dense(spec)
    if moment.evidence is None:
        raise ValueError("a plan chosen by a statistic needs the evidence of a training; `fit` gives it")
    return _chosen(spec, moment.evidence, moment.epoch, moment.epoch - 1 - warmup, **how)


@lru_cache(maxsize=4)  # a choice holds for all steps of an epoch; how many are kept changes no number
def _chosen(
    spec: Spec, evidence: Evidence, epoch: int, age: int, statistic: str, budget: float, of: Literal["arcs", "work"],
    every: int | None, blocks: int | None, by: str, depth: str, span: int | None, seed: int, most: bool = False,
) -> Plan:  # fmt: skip
    before = watched(evidence).chosen
    if epoch <= len(before):  # an epoch that is over, as when a finished training is looked at
        zone = read_zone(spec, before[epoch - 1])
    elif age % every if every else age:  # not yet time for another
        zone = read_zone(spec, before[-1])
    else:
        scores = score(statistic, evidence, partition(spec, blocks, by), seed)
        zone = choose(scores, budget, Price(spec, evidence.steps, evidence.batch, depth, span), of, most)
    return isolate(spec, zone, depth, span)


@lru_cache(maxsize=16)
def _saved(price: Price, names: tuple[str, ...]) -> pd.Series[float]:
    dense = price.dense.total
    return pd.Series({name: dense - price(read_zone(price.spec, name)).total for name in names})
