"""What Keras lets see of a layer's arcs while it trains, as the evidence that statistics read."""

from __future__ import annotations

from typing import Any

import numpy as np

from lstm_lib.isolation.plan import Plan
from lstm_lib.network.spec import Params, Spec
from lstm_lib.training.adam import Adam, AdamState
from lstm_lib.training.evidence import Evidence, Watched

from .backend import keras
from .compiled import in_rows
from .layer import IsolatedLSTM


class Collector:
    """Collects the evidence of one layer through one training; `spec` is the network that a schedule is made for.

    Nothing is known of its head: what is said of it is 0. Gradients and errors are never seen: their means are NaN.
    """

    def __init__(self, layer: IsolatedLSTM, spec: Spec) -> None:
        self.layer, self.spec = layer, spec
        self.first = self._weights()
        self.watched = Watched.begin(self.first)
        unseen = {k: np.full_like(p, np.nan) for k, p in self.first.items()}
        self.watched.gradient = self.watched.error = unseen
        self.moved = {k: np.zeros(p.shape, int) for k, p in self.first.items()}  # epochs an arc was active in

    def close_epoch(self, plan: Plan) -> None:
        """An epoch has ended, which began with this plan."""
        now = self._weights()
        for name, w in now.items():
            self.moved[name] += w != self.first[name]
        self.watched = self.watched.after(
            self.first, now, self.watched.gradient, self.watched.error, str(plan.zone)
        )
        self.first = now

    def evidence(self, optimizer: Any, epochs: int, steps: int, batch: int) -> Evidence:
        """What is known after so many epochs; `steps` and `batch` are T and B of a training step."""
        m, v = ({k: np.zeros_like(p) for k, p in self.first.items()} for _ in range(2))
        adam = Adam()
        if is_adam(optimizer) and optimizer.built:
            m |= in_rows(self.layer.slots(optimizer, "momentum"))
            v |= in_rows(self.layer.slots(optimizer, "velocity"))
            adam = Adam(beta1=optimizer.beta_1, beta2=optimizer.beta_2, form="keras")
        made = 0 if optimizer is None else int(optimizer.iterations)
        state = AdamState(m, v, {k: np.where(n > 0, max(made, 1), 0) for k, n in self.moved.items()})
        return Evidence(self.spec, self.first, state, adam, epochs, steps, batch, self.watched)

    def _weights(self) -> Params:
        found = {k: np.zeros(shape, self.layer.variable_dtype) for k, shape in self.spec.shapes.items()}
        return found | in_rows(self.layer.arcs.read())


def is_adam(optimizer: Any) -> bool:
    """Whether it keeps Adam's two moments."""
    return isinstance(optimizer, keras.optimizers.Adam)
