"""`Isolation`: a Keras callback that gives a layer the zone that holds, by a schedule, a statistic or a function."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from lstm_lib.isolation.plan import Plan
from lstm_lib.isolation.zones import Zone
from lstm_lib.network.spec import is_whole
from lstm_lib.training.schedules import Moment, PlanOrSchedule, Schedule, plan_at
from lstm_lib.training.statistics import STATISTICS

from .backend import keras
from .evidence import Collector, is_adam
from .layer import IsolatedLSTM
from .zoned import ZoneLike

Choice = Callable[[IsolatedLSTM, Moment], ZoneLike]
UNSEEN = {
    "gradient": "gradients",
    "error": "errors of pre-activations",
}  # statistics, and what they would read


class Isolation(keras.callbacks.Callback):  # type: ignore[misc]
    """A Keras callback that gives an `IsolatedLSTM` the zone that holds at each moment of a `fit`.

    Parameters
    ----------
    layer : the layer, or its name in the model.
    follow : a `Plan`, or a schedule of `lstm_lib.schedules` or `lstm_lib.by_statistic`, for a network of one layer with
        the inputs and units of the layer (what it says of a head is left out); or a function (layer, moment) -> zone,
        its text, or None for no change, called at the beginning of every epoch, with depth and span as they are.
    batch, steps : B and T of a training step, on which it depends what a statistic's choice saves; steps=None takes
        T from the shape that the layer was built for.

    `zones` keeps (moment, text of the zone) of every change, `traced` how many of them needed tracing anew.

    Zones change at the first step of an epoch or at a later one, when all callbacks have begun it, so that what others
    swap (SwapEMAWeights) is back by then. What others take from the model with `get_weights` to put it back at the end
    (EarlyStopping) has a zone; at the end of the fit the layer gets that zone, so that every weight goes to its arc.

    Steps are counted from the beginning of the fit, or as if it had begun with epoch 1 where initial_epoch is given.
    Statistics read weights and Adam's moments; "gradient" needs what Keras does not show. Moments are corrected for
    the steps of the optimiser, since Keras counts none by arc.

    Raises ValueError, before the first step, for a layer that isn't an IsolatedLSTM, for what can't be followed, for an
    optimiser or a strategy with which a zone can't change, and for a statistic of moments under an optimiser that isn't
    Adam or AdamW.

    >>> import numpy as np
    >>> from lstm_lib import Spec, by_statistic
    >>> model = keras.Sequential([keras.Input((6, 3)), IsolatedLSTM(4, name="lstm"), keras.layers.Dense(1)])
    >>> model.compile("adam", "mse")
    >>> callback = Isolation("lstm", by_statistic(Spec(3, (4,), 1), "movement", 0.5, blocks=4, every=None))
    >>> x = np.linspace(-1, 1, 72, dtype="float32").reshape(4, 6, 3)
    >>> history = model.fit(x, x[:, 0, :1], epochs=3, verbose=0, callbacks=[callback])
    >>> [moment.epoch for moment, _ in callback.zones], model.get_layer("lstm").zone.size
    ([1, 2], 64)
    """

    def __init__(
        self,
        layer: IsolatedLSTM | str,
        follow: PlanOrSchedule | Choice,
        batch: int = 32,
        steps: int | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(follow, Plan | Schedule) and not callable(follow):
            raise ValueError(
                f"Isolation follows a Plan, a schedule or a function (layer, moment); got a {type(follow).__name__}"
            )
        for name, number in (("batch", batch), ("steps", 1 if steps is None else steps)):
            if not is_whole(number, 1):
                raise ValueError(f"{name} must be a whole number of at least 1, got {number!r}")
        self.layer, self.follow, self.batch, self.steps = layer, follow, batch, steps
        self.zones: list[tuple[Moment, str]] = []
        self.traced = 0

    def set_model(self, model: Any) -> None:
        """Tell the layer which model is trained with it, before any callback loads weights."""
        super().set_model(model)
        found = self._look()
        if found is not None:
            found.belong_to(model)

    def _layers(self) -> list[IsolatedLSTM]:
        return [one for one in self.model._flatten_layers() if isinstance(one, IsolatedLSTM)]

    def _look(self) -> IsolatedLSTM | None:
        return next((one for one in self._layers() if one is self.layer or one.name == self.layer), None)

    def on_train_begin(self, logs: Any = None) -> None:
        """Find the layer, and refuse with what it can't change its zone."""
        found = self._look()
        if found is None:
            names = ", ".join(one.name for one in self._layers()) or "none"
            raise ValueError(f"no IsolatedLSTM {self.layer!r} in the model; there are {names}")
        found.check_change(self.model)
        found.arcs.taken = None
        self._found = found
        self._step = -1  # before the first epoch
        self._holds: tuple[Any, ...] = ()  # the plan that does: its zone, depth and span
        self._collector: Collector | None = None
        self._first: Plan | None = None  # the plan with which the last epoch began
        if isinstance(self.follow, Plan | Schedule):
            spec, own = self.follow.spec, found.plan.spec
            if (spec.inputs, spec.units) != (own.inputs, own.units):
                raise ValueError(
                    f"the schedule is for {spec}; layer {found.name!r} has inputs={own.inputs}, units={own.units}"
                )
        if isinstance(self.follow, Schedule) and "evidence" in self.follow.needs:
            self._check_statistics(self.follow)

    def _check_statistics(self, schedule: Schedule) -> None:
        """Refuse what would read moments or gradients that aren't there."""
        if self.steps is None and self._found.steps is None:
            raise ValueError(
                f"layer {self._found.name!r} takes any number of steps; say for how many a statistic shall reckon: "
                "Isolation(..., steps=72)"
            )
        for name in _statistics(schedule.describe()):
            if name in UNSEEN:
                others = ", ".join(k for k in STATISTICS if k not in UNSEEN)
                raise ValueError(
                    f"Keras shows no {UNSEEN[name]} to a callback; other statistics are {others}"
                )
            if STATISTICS[name].needs == "steps" and not is_adam(self.model.optimizer):
                raise ValueError(
                    f"the statistic {name!r} reads Adam's moments, but the optimiser is "
                    f"{type(self.model.optimizer).__name__}; compile with Adam or AdamW, or choose by 'magnitude', "
                    "'movement' or 'perturbation'"
                )

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Note that an epoch begins."""
        if self._step < 0:
            self._step = epoch * (self.params["steps"] or 0)
        self._begun, self._epoch, self._begins = self._step, epoch, True

    def _begin(self) -> None:
        """The moment, its evidence, and what a function chooses."""
        evidence = None
        if isinstance(self.follow, Schedule) and "evidence" in self.follow.needs:
            if self._collector is None:
                self._collector = Collector(self._found, self.follow.spec)
            elif self._first is not None:
                self._collector.close_epoch(self._first)  # how far the arcs have come
            steps = self.steps or self._found.steps or 0
            evidence = self._collector.evidence(self.model.optimizer, self._epoch, int(steps), self.batch)
        self._moment = Moment(self._epoch + 1, self.params["epochs"], self._step, evidence)
        if not isinstance(self.follow, Plan | Schedule):
            chosen = self.follow(self._found, self._moment)
            if chosen is not None:
                self._set(chosen)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """The plan of the step, where a plan or schedule has one."""
        begins, self._begins = self._begins, False
        if begins:
            self._begin()
        if isinstance(self.follow, Plan | Schedule):
            self._moment = self._moment._replace(step=self._step)
            plan = plan_at(self.follow, self.follow.spec, self._moment)
            holds = plan.zone, plan.depth, plan.span
            if holds != self._holds:
                self._holds = holds
                self._set(plan.zone, depth=plan.depth if plan.zone.size else "same", span=plan.span)
            if begins:
                self._first = plan

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Count the steps, of which one call may have made several (`steps_per_execution`)."""
        self._step = self._begun + batch + 1

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """At the last epoch, see to what comes back."""
        if self.model.stop_training or epoch + 1 == self.params["epochs"]:
            self._as_taken()

    def on_train_end(self, logs: Any = None) -> None:
        """Once more, if the callback that takes weights comes after this one."""
        self._as_taken()

    def _as_taken(self) -> None:
        """The zone at which the model's weights were last taken: whoever took them may put them back now."""
        taken = self._found.arcs.taken
        if taken is not None and taken.zone != self._found.zone:
            self._set(taken.zone)

    def _set(self, zone: Zone | str, **how: Any) -> None:
        self.traced += self._found.set_zone(zone, **how, model=self.model)
        self.zones.append((self._moment._replace(evidence=None), str(self._found.zone)))


def _statistics(described: Any) -> Iterator[str]:
    """The names of the statistics in what a schedule says of itself."""
    for key, value in described.items() if isinstance(described, dict) else enumerate(described):
        if key == "statistic":
            yield value
        elif isinstance(value, dict | list):
            yield from _statistics(value)
