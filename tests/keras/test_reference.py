"""The reference gradients themselves: of every cell and step, beside a plain backward pass; and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

import lstm_lib as ll
from lstm_lib.keras import tf_gradients
from lstm_lib.keras.reference import STEPS
from lstm_lib.network.cells import CELLS
from tests.cases import KINDS, build, plain_backward, plain_forward, same


def test_every_cell_is_written_here_too():
    assert STEPS.keys() == CELLS.keys()


@pytest.mark.parametrize("cell", CELLS)
def test_parameters_inputs_states_and_every_step_have_the_plain_gradient(cell):
    case = build(KINDS[f"{cell}-2-linear-every"], T=6, B=5)
    yhat, traces = plain_forward(case)
    loss, dy = ll.mse(yhat, case.y)
    found, by_tape = tf_gradients(*case[:4], case.initial, also=("x", "state", "steps"))
    grads, steps = plain_backward(case._replace(dy=dy), traces)
    assert found == pytest.approx(loss, rel=1e-12)
    same(by_tape, grads | steps, 1e-12)


def test_without_a_state_it_starts_from_zero_and_tells_only_what_is_asked():
    case = build(KINDS["gru-1-softmax-last"], dtype="float32")
    zeros = [tuple(map(np.zeros_like, states)) for states in case.initial]
    loss, grads = tf_gradients(*case[:4])
    assert grads.keys() == case.params.keys()
    assert {g.dtype.name for g in grads.values()} == {"float32"}
    again, same_grads = tf_gradients(*case[:4], zeros)
    assert loss == again != tf_gradients(*case[:4], case.initial)[0]
    same(grads, same_grads)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": np.zeros((3, 2))}, r"y has shape \(3, 2\); expected \(3, 3\)"),
        ({"params": {}}, r"parameters do not fit the spec: missing \['0/Wh'"),
        ({"initial": [(np.zeros((3, 3)),)]}, r"initial\[0\] holds 1 states; cell 'standard' has h, c"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    case = build(KINDS["standard-1-linear-last"])._replace(**change)
    with pytest.raises(ValueError, match=message):
        tf_gradients(*case[:4], case.initial)


def test_a_cell_that_is_not_written_here_is_refused_by_name(monkeypatch):
    monkeypatch.delitem(STEPS, "rnn")
    case = build(KINDS["rnn-1-linear-last"])
    with pytest.raises(ValueError, match="has no cell 'rnn'; those it has are standard, brief, gru"):
        tf_gradients(*case[:4])
