"""The control of equal cost: a smaller network, every arc updated, whose step costs what a plan's does.

Isolation has to beat the plain ways to train for less. `cost` is the `Cost` of one training step under a plan, or its
seconds, as `predicted_step` gives them for a schedule of plans.

>>> from lstm_lib import Spec, isolate, zone
>>> spec = Spec(7, (64,), 1)
>>> plan = isolate(spec, zone(spec, layer=0, unit=slice(0, 48)), depth="cut")
>>> cost = plan.cost(steps=72, batch=64)
>>> units_of_equal_cost(spec, cost, steps=72, batch=64)
(41,)
"""

from __future__ import annotations

from dataclasses import replace
from math import log

from lstm_lib.isolation.cost import Cost
from lstm_lib.isolation.plan import dense
from lstm_lib.network.spec import Spec


def units_of_equal_cost(
    spec: Spec, cost: Cost | float, steps: int, batch: int, output: str | None = None
) -> tuple[int, ...]:
    """The units of a smaller network, all layers in proportion, of which a dense step costs about as much.

    Parameters
    ----------
    cost : of a step of the network `spec`, at most that of its dense step.
    steps, batch : T and B. output : "every" where every step has a target, as in sequences.

    Raises ValueError for a cost that is not above 0 or is above that of the dense step.
    """
    wanted, widest = _wanted(spec, cost, steps, batch, output), max(spec.units)
    sizes = [tuple(max(1, round(H * n / widest)) for H in spec.units) for n in range(1, widest + 1)]
    return min(sizes, key=lambda units: _distance(replace(spec, units=units), wanted, steps, batch, output))


def _dense(spec: Spec, steps: int, batch: int, output: str | None = None) -> float:
    return dense(spec).cost(steps, batch, output=output).seconds.total


def _distance(spec: Spec, wanted: float, steps: int, batch: int, output: str | None = None) -> float:
    return abs(log(_dense(spec, steps, batch, output) / wanted))


def _wanted(spec: Spec, cost: Cost | float, steps: int, batch: int, output: str | None = None) -> float:
    """The cost in seconds, refused where no smaller control can have it."""
    seconds = cost.seconds.total if isinstance(cost, Cost) else cost
    dense = _dense(spec, steps, batch, output)
    if not 0 < seconds <= dense * (1 + 1e-9):
        raise ValueError(
            f"cost is {seconds:.3g} s a step; it must be above 0 and at most that of the dense step, {dense:.3g} s"
        )
    return seconds
