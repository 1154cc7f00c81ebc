"""What an error pass leaves, and below which size an error is none."""

import numpy as np
import pytest

import lstm_lib as ll
from lstm_lib.network.cells import CELLS
from lstm_lib.network.errors import error_floor, quieted
from tests.cases import build, plain_backward, plain_forward, same


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_floor_is_the_smallest_normal_number_over_epsilon_and_follows_small_errors(dtype):
    info, one = np.finfo(dtype), np.ones((2, 1, 1), dtype)
    floor = float(info.tiny) / float(info.eps)
    for errors, expected in (
        (one, floor),
        (0.75 * one, 0.75 * floor),
        (1e6 * one, floor),
        (one * np.array([1e-3, -1e-2], dtype)[:, None, None], 1e-2 * floor),
        (one[:0], floor),
    ):
        assert error_floor(errors) == pytest.approx(expected, rel=1e-6, abs=0)


def test_errors_below_the_floor_become_zero():
    dh, dc = np.array([1e-3, -1e-3, 1.0, -1.0]), np.array([1e-3, -1e-3])
    assert not quieted(dh, dc, 1e-2)
    assert (dh.tolist(), dc.tolist()) == ([0, 0, 1, -1], [0, 0])
    assert not quieted(dc, dh, 1e-2)  # whichever is left
    assert quieted(dh, dc, 2.0)


@pytest.mark.parametrize("engine", ["plain", "compiled"])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("isolated", ["0[1]", "0[0,2]", "0/*/GATE | 0[0]"])
def test_dz_of_a_cut_pass_stands_at_the_kept_units_and_steps(cell, isolated, engine):
    spec, H, span = ll.Spec(2, (4,), 1, cell), 4, 3
    case = build(spec, T=5)
    zone = ll.read_zone(
        spec, isolated.replace("*/GATE", "Wx" if len(spec.row.gates) == 1 else f"*/{spec.row.gates[-1]}")
    )
    plan = ll.isolate(spec, zone, "cut", span)
    _, trace = case.forward(engine=engine)
    case.backward(trace, plan, also=())
    _, steps = plain_backward(case, plain_forward(case)[1], span, cut=zone)
    layer, expected = plan.work.layers[0], np.zeros((5, len(spec.row.blocks) * H, 3))
    kept = np.concatenate([block * H + layer.units.positions for block in layer.blocks])
    expected[2:, kept] = steps["0/z"][:, kept]
    assert 0 < len(kept) < expected.shape[1]
    same(trace.dz(0), expected)


@pytest.mark.parametrize("engine", ["plain", "compiled"])
def test_dz_of_a_layer_that_is_not_gone_down_to_is_zero(engine):
    case = build(ll.Spec(2, (3, 2), 1))
    _, trace = case.forward(engine=engine)
    case.backward(trace)
    assert trace.dz(0).all()
    case.backward(trace, ll.isolate(case.spec, ll.zone(case.spec, layer=0)), also=())
    assert trace.dz(0).shape == (5, 12, 3)
    assert not trace.dz(0).any()
    assert trace.dz(1).all()
