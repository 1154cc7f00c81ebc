"""`Isolation`: a Keras callback that gives a layer the zone that holds, by a schedule or by a choice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lstm_lib._keras import keras
from lstm_lib.keras_layer.layer import IsolatedLSTM
from lstm_lib.plan import Plan
from lstm_lib.schedules import Moment, PlanOrSchedule, Schedule, plan_at
from lstm_lib.zones import Zone, nothing, zone

Choice = Callable[[IsolatedLSTM, Moment], Zone | str | None]


class Isolation(keras.callbacks.Callback):  # type: ignore[misc]
    """A Keras callback that gives an `IsolatedLSTM` the zone that holds at each moment.

    Parameters
    ----------
    layer : the layer, or its name in the model.
    follow : a `Plan` or a schedule of `lstm_lib.schedules` for a network of one layer with the inputs and units of the
        layer; or a function (layer, moment) -> zone, its text, or None for no change, called at the start of every
        epoch, with depth and span as they are.

    `zones` keeps (moment, text of the zone) of every change, `traced` how many of them needed tracing anew.

    Raises ValueError for a layer that isn't an IsolatedLSTM, and for what can't be followed.

    >>> from lstm_lib import Spec, schedules
    >>> model = keras.Sequential([keras.Input((6, 3)), IsolatedLSTM(4, name="lstm"), keras.layers.Dense(1)])
    >>> model.compile("adam", "mse")
    >>> callback = Isolation("lstm", schedules.redraw(Spec(3, (4,), 1), share=0.5))
    >>> x = np.ones((4, 6, 3), "float32")
    >>> history = model.fit(x, x[:, 0, :1], epochs=2, verbose=0, callbacks=[callback])
    >>> [(moment.epoch, text) for moment, text in callback.zones]
    [(1, '0[2:4]'), (2, '0[1,3]')]
    """

    def __init__(self, layer: IsolatedLSTM | str, follow: PlanOrSchedule | Choice) -> None:
        super().__init__()
        if not isinstance(follow, Plan | Schedule) and not callable(follow):
            raise ValueError(
                f"Isolation follows a Plan, a schedule or a function (layer, moment); got a {type(follow).__name__}"
            )
        self.layer, self.follow = layer, follow
        self.zones: list[tuple[Moment, str]] = []
        self.traced = 0

    def on_train_begin(self, logs: Any = None) -> None:
        """Find the layer."""
        names = {one.name: one for one in self.model._flatten_layers() if isinstance(one, IsolatedLSTM)}
        found = names.get(self.layer) if isinstance(self.layer, str) else self.layer
        if not isinstance(found, IsolatedLSTM) or all(one is not found for one in names.values()):
            raise ValueError(
                f"no IsolatedLSTM {self.layer!r} in the model; there are {', '.join(names) or 'none'}"
            )
        self._found = found
        self._step: int | None = None
        self._plan: Plan | None = None
        if isinstance(self.follow, Plan | Schedule):
            spec, own = self.follow.spec, found.plan.spec
            if (spec.inputs, spec.units) != (own.inputs, own.units):
                raise ValueError(
                    f"the schedule is for {spec}; layer {found.name!r} has inputs={own.inputs}, units={own.units}"
                )

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """The plan of the epoch."""
        self._epoch = epoch + 1
        if self._step is None:
            self._step = epoch * (self.params["steps"] or 0)  # more than 0 with fit(initial_epoch=...)
        moment = self._moment()
        if not isinstance(self.follow, Plan | Schedule):
            chosen = self.follow(self._found, moment)
            if chosen is not None:
                self._set(chosen, {}, moment)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """The plan of the step, where a schedule has one."""
        if isinstance(self.follow, Plan | Schedule):
            moment = self._moment()
            plan = plan_at(self.follow, self.follow.spec, moment)
            if plan is not self._plan:
                self._plan = plan
                depth = plan.depth if plan.zone.size else "same"
                self._set(plan.zone, {"depth": depth, "span": plan.span}, moment)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Count the step."""
        self._step += 1

    def _moment(self) -> Moment:
        return Moment(self._epoch, self.params["epochs"], self._step)

    def _set(self, zone: Zone | str, how: dict[str, Any], moment: Moment) -> None:
        self.traced += self._found.set_zone(zone, **how, model=self.model)
        self.zones.append((moment, str(self._found.zone)))


def least_moved(share: float, dense: int = 1) -> Choice:
    """A choice for `Isolation`: after `dense` epochs isolate the units whose arcs moved least in them.

    Parameters
    ----------
    share : share of the units that are isolated from then on, at least 0 and below 1.
    dense : epochs without isolation, which the choice is made from.

    Raises ValueError for a share or a number of epochs out of range.

    >>> callback = Isolation("lstm", least_moved(share=0.75))
    """
    if not 0 <= share < 1:
        raise ValueError(f"share is {share!r}; it must be at least 0 and below 1")
    if dense < 1:
        raise ValueError(f"dense must be a whole number of epochs of at least 1, got {dense!r}")
    before: list[Any] = []

    def choose(layer: IsolatedLSTM, moment: Moment) -> Zone | None:
        spec = layer.plan.spec
        if moment.epoch == 1:
            before[:] = layer.get_weights()
            return nothing(spec)
        if moment.epoch != dense + 1:
            return None
        pairs = zip(layer.get_weights(), before, strict=True)
        moved = sum(np.square(now - then).reshape(-1, 4, layer.units).sum(axis=(0, 1)) for now, then in pairs)
        order = np.argsort(moved, kind="stable")
        isolated = np.sort(order[: round(share * layer.units)])
        return zone(spec, layer=0, unit=isolated) if isolated.size else nothing(spec)

    return choose
