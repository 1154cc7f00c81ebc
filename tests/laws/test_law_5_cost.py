"""Law 5: the FLOPs that a plan predicts are those of the products that are run."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lstm_lib as ll
from lstm_lib.isolation.plan import isolate
from lstm_lib.isolation.zones import zone
from lstm_lib.network import backward, errors, forward
from tests.cases import Case, build
from tests.laws.cases_of_isolation import MANY, WAYS, Isolated, choose, isolated


class Products:
    """Stands in for NumPy in the plain engine; counts the FLOPs of products, by part of the step."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.flops, self.part = Counter[str](), "error"
        for module in (forward, backward, errors):
            patch.setattr(module, "np", self)
        for name in ("_head_gradients", "weight_gradients"):
            patch.setattr(backward, name, self._within("weights", getattr(backward, name)))

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    def matmul(self, a: Any, b: Any, *out: Any, **options: Any) -> Any:
        batch = int(np.prod(np.broadcast_shapes(a.shape[:-2], b.shape[:-2])))
        self.flops[self.part] += 2 * batch * a.shape[-2] * a.shape[-1] * b.shape[-1]
        return np.matmul(a, b, *out, **options)

    def _within(self, part: str, call: Any) -> Any:
        def counted(*args: Any) -> Any:
            before, self.part = self.part, part
            try:
                return call(*args)
            finally:
                self.part = before

        return counted


def counted_products(case: Case, plan: ll.Plan, quiet: int) -> Counter[str]:
    """What is run where errors are looked at every `quiet` steps, and a pass without any ends there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backward, "QUIET", quiet)
        counter = Products(patch)
        counter.part = "forward"
        _, trace = case.forward(engine="plain")
        counter.part = "error"
        case.backward(trace, plan, also=())
    return counter.flops


@MANY
@given(isolated(), st.sampled_from(["hold", "skip", "cut"]), WAYS)
def test_a_plan_costs_the_products_that_are_run_and_never_more_than_the_dense_step(
    it: Isolated, depth: str, way: str
) -> None:
    no_more_than_the_dense_step(it, depth)
    with pytest.MonkeyPatch.context() as patch:
        choose(way, patch)
        plan = isolate(it.case.spec, it.zone, depth, it.span)
        B, T = it.case.x.shape[:2]
        run, at_once = (counted_products(it.case, plan, quiet) for quiet in (T + 1, 1))
        cost = plan.cost(steps=T, batch=B)
        assert (cost.forward, cost.error, cost.weights) == (run["forward"], run["error"], run["weights"])
        assert cost.update == 12 * (~it.zone).size
        assert cost.total == cost.forward + cost.backward + cost.update
        assert cost.backward == cost.error + cost.weights
        assert all(at_once[part] <= run[part] for part in run)


def test_a_pass_ends_where_no_error_is_left_and_costs_less() -> None:
    spec = ll.Spec(inputs=1, units=(4,), outputs=1, cell="rnn")
    plan = isolate(
        spec, ll.read_zone(spec, "0/Wh[0:3] | 0/Wh[3;0,2:4]"), "cut"
    )  # 3 -> 1 is the only way back
    case = build(spec, 9, 1, 0, "float64")
    all_steps, ended = counted_products(case, plan, 10), counted_products(case, plan, 8)
    assert all_steps["weights"] == plan.cost(9, 1).weights
    assert ended["weights"] < all_steps["weights"]


def no_more_than_the_dense_step(it: Isolated, depth: str) -> None:
    dense, cost = (
        isolate(it.case.spec, zone, depth, it.span).cost(9, 4) for zone in (it.zone - it.zone, it.zone)
    )
    assert cost.forward == dense.forward
    assert cost.error <= dense.error
    assert cost.weights <= dense.weights
    assert cost.update <= dense.update


def test_a_target_at_every_step_costs_what_a_network_that_puts_out_every_step_does() -> None:
    last, every = (ll.Spec(2, (3, 2), 2, "gru", output=output) for output in ("last", "every"))
    for span in (None, 4):
        plans = [isolate(spec, ll.read_zone(spec, "0[1]"), "cut", span) for spec in (last, every)]
        assert plans[0].cost(9, 4, output="every") == plans[1].cost(9, 4)
        assert plans[1].cost(9, 4, output="last") == plans[0].cost(9, 4) != plans[1].cost(9, 4)


@pytest.mark.parametrize("text", ["0/bh", "0/b", "0/Wh/g[0:2]", "0/Wx/z"])
def test_a_few_arcs_of_a_gru_do_not_cost_more_than_none(text: str) -> None:
    spec = ll.Spec(8, (64,), 1, "gru")
    dense, some = (isolate(spec, z).cost(48, 32) for z in (ll.nothing(spec), ll.read_zone(spec, text)))
    assert some.total <= dense.total
    assert some.bytes.weights <= dense.bytes.weights


def test_a_cost_in_the_dtype_of_the_parameters_and_its_speed_up() -> None:
    spec = ll.Spec(8, (256,), 1)
    dense = isolate(spec, ll.nothing(spec)).cost(96, 32)
    assert isolate(spec, ll.nothing(spec)).cost(96, 32, "float64").bytes.error == 2 * dense.bytes.error
    quarter = isolate(spec, zone(spec, layer=0, unit=slice(64, 256)), "cut").cost(96, 32)
    assert quarter.weights == pytest.approx(dense.weights / 4, rel=1e-3)
    assert quarter.error == pytest.approx(dense.error / 16, rel=1e-2)
    assert quarter.forward == dense.forward
    assert dense.speed_up(dense) == 1
    assert 1.5 < quarter.speed_up(dense) < dense.total / quarter.total
    everything = isolate(spec, ll.everything(spec)).cost(96, 32)
    assert (everything.backward, everything.update, everything.bytes.backward) == (0, 0, 0)
