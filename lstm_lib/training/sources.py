"""Where a training gets its batches from: windows in a drawn order, sequences laid anew, streams that go on.

Nouns: a `Source` has the number of `steps` of an epoch and its `order`, which is what each step is to `take`; a `Batch`
is what a step gets. Every epoch depends on the seed and its number alone, and begins with zero states, so that a run
that is resumed is the run that was never interrupted.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lstm_lib.isolation.plan import Plan
from lstm_lib.network.cells import Array
from lstm_lib.network.spec import Params, Spec
from lstm_lib.network.trace import Trace
from lstm_lib.series import Sequences

from .samples import Samples, batches
from .states import States


class Batch(NamedTuple):
    """x (B, T, D) and y (B, O), or y (B, T, O) with the weights (B, T) of its steps; the states before, or None."""

    x: Array
    y: Array
    weights: Array | None = None
    initial: list[tuple[Array, ...]] | None = None


@dataclass
class Source:
    """All samples in every epoch, `batch` at a time.

    memory, folder, engine : as for `States`.
    """

    spec: Spec
    samples: Samples | Sequences
    batch: int
    seed: int
    memory: int
    folder: str | Path | None
    engine: str | None

    def __post_init__(self) -> None:
        self.now: Samples | Sequences = self.samples  # in this epoch
        self.states: States | None = None
        self.carried: list[tuple[Array, ...]] | None = None

    def steps(self, epoch: int) -> int:
        """Steps of an epoch, 1 …; where sequences have gaps it may be one more or fewer than of another."""
        return (
            len(self._laid(epoch)[1])
            if isinstance(self.samples, Sequences)
            else -(-len(self.samples) // self.batch)
        )

    def order(self, epoch: int) -> list[Array]:
        """The rows that each step of an epoch takes, from now on."""
        self.carried = None
        if isinstance(self.samples, Sequences):
            self.now, order = self._laid(epoch)
            self.states = None
            return order
        return list(batches(self._rng(epoch).permutation(len(self.samples)), self.batch))

    def take(self, rows: Array, plan: Plan, params: Params) -> Batch:
        """A batch; x is what the lowest layers make of it where the plan has that remembered.

        Raises ValueError for depth "cache" on streams.
        """
        if plan.cached and isinstance(self.now, Sequences) and self.now.stateful:
            raise ValueError(
                "depth 'cache' remembers what layers make from a zero state, and streams carry theirs; "
                "give depth='cut', or sequences(..., stateful=False)"
            )
        if not plan.cached:
            self.states = None  # the step to come may move any layer
            x, y = self.now.take(rows)
        else:
            if self.states is None or self.states.known != plan.cached:
                about = self.memory, self.folder, self.engine
                self.states = States(self.spec, params, self.now, plan.cached, *about)
            x, y = self.states.take(rows)
        if not isinstance(self.now, Sequences):
            return Batch(x, y)
        return Batch(x, y, self.now.weights(rows), self._initial(self.now, rows))

    def keep(self, trace: Trace) -> None:
        """Take note of the states that a step left, for streams to go on from."""
        if isinstance(self.now, Sequences) and self.now.stateful:
            self.carried = trace.states()

    def _laid(self, epoch: int) -> tuple[Sequences, list[Array]]:
        assert isinstance(self.samples, Sequences)
        return self.samples.round(self._rng(epoch), self.batch)

    def _rng(self, epoch: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, epoch])

    def _initial(self, part: Sequences, rows: Array) -> list[tuple[Array, ...]] | None:
        if self.carried is None:
            return None
        fresh = part.fresh[rows][:, None]
        return [tuple(np.where(fresh, 0, state[: len(rows)]) for state in layer) for layer in self.carried]
