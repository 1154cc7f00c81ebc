"""Controls: what else could be had for the cost of a plan, with every arc updated.

Isolation has to beat the plain ways to train for less: a smaller network, fewer epochs, a shorter look back. Each
function finds the one whose predicted cost comes closest. `cost` is the `Cost` of one training step under a plan, or
its seconds, as `predicted_step` gives them for a schedule of plans.

>>> from lstm_lib import Spec, isolate, zone
>>> spec = Spec(7, (64,), 1)
>>> plan = isolate(spec, zone(spec, layer=0, unit=slice(0, 48)), depth="cut")
>>> cost = plan.cost(steps=72, batch=64)
>>> units_of_equal_cost(spec, cost, steps=72, batch=64)
(41,)
>>> lookback_of_equal_cost(spec, cost, steps=72, batch=64)
35
>>> epochs_of_equal_time(spec, cost, epochs=8, steps=72, batch=64)
4
"""

from __future__ import annotations

from dataclasses import replace
from math import log

from lstm_lib.isolation.cost import Cost
from lstm_lib.isolation.plan import dense
from lstm_lib.network.spec import Spec, is_whole


def units_of_equal_cost(spec: Spec, cost: Cost | float, steps: int, batch: int) -> tuple[int, ...]:
    """The units of a smaller network, all layers in proportion, of which a dense step costs about as much.

    Parameters
    ----------
    cost : of a step of the network `spec`, at most that of its dense step.
    steps, batch : T and B.

    Raises ValueError for a cost that is not above 0 or is above that of the dense step.
    """
    wanted, widest = _wanted(spec, cost, steps, batch), max(spec.units)
    sizes = [tuple(max(1, round(H * n / widest)) for H in spec.units) for n in range(1, widest + 1)]
    return min(sizes, key=lambda units: _distance(replace(spec, units=units), wanted, steps, batch))


def lookback_of_equal_cost(spec: Spec, cost: Cost | float, steps: int, batch: int) -> int:
    """The shorter look back with which a dense step costs about as much; arguments as for `units_of_equal_cost`."""
    wanted = _wanted(spec, cost, steps, batch)
    return min(range(1, steps + 1), key=lambda T: _distance(spec, wanted, T, batch))


def epochs_of_equal_time(spec: Spec, cost: Cost | float, epochs: int, steps: int, batch: int) -> int:
    """How many dense epochs, at least one, take about as long as `epochs` of steps that cost `cost`."""
    if not is_whole(epochs, 1):
        raise ValueError(f"epochs must be a whole number of at least 1, got {epochs!r}")
    wanted = _wanted(spec, cost, steps, batch)
    return max(1, round(epochs * wanted / _dense(spec, steps, batch)))


def _dense(spec: Spec, steps: int, batch: int) -> float:
    return dense(spec).cost(steps, batch).seconds.total


def _distance(spec: Spec, wanted: float, steps: int, batch: int) -> float:
    return abs(log(_dense(spec, steps, batch) / wanted))


def _wanted(spec: Spec, cost: Cost | float, steps: int, batch: int) -> float:
    """The cost in seconds, refused where no smaller control can have it."""
    seconds, dense = cost.seconds.total if isinstance(cost, Cost) else cost, _dense(spec, steps, batch)
    if not 0 < seconds <= dense * (1 + 1e-9):
        raise ValueError(
            f"cost is {seconds:.3g} s a step; it must be above 0 and at most that of the dense step, {dense:.3g} s"
        )
    return seconds
