"""Where a training gets its batches from.

Noun: a source has the number of `steps` of an epoch, the `order` of an epoch, which is what each of its steps is to
`take`, and `take` itself, which gives x and y. `fit` asks no more of it, so that another source is another class with
these three. `Shuffled` is that of windows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from lstm_lib.isolation.plan import Plan
from lstm_lib.network.cells import Array
from lstm_lib.network.spec import Params

from .samples import Samples, batches
from .states import States


@dataclass
class Shuffled:
    """All samples in every epoch, `batch` at a time, in an order that depends on the seed and the epoch alone.

    remember : makes the `States` of the network's parameters and a number of known layers.
    """

    samples: Samples
    batch: int
    seed: int
    remember: Callable[[Params, int], States]
    states: States | None = None

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return -(-len(self.samples) // self.batch)

    def order(self, epoch: int) -> Iterator[Array]:
        """The rows that each step takes."""
        rows = np.random.default_rng([self.seed, epoch]).permutation(len(self.samples))
        return batches(rows, self.batch)

    def take(self, rows: Array, plan: Plan, params: Params) -> tuple[Array, Array]:
        """A batch; x is what the lowest layers make of it where the plan has that remembered."""
        if not plan.cached:
            self.states = None  # the step to come may move any layer
            return self.samples.take(rows)
        if self.states is None or self.states.known != plan.cached:
            self.states = self.remember(params, plan.cached)
        return self.states.take(rows)
