"""Law 8: a sequence gives each step the loss and the gradient of the window that ends there.

The window begins where the sequence begins: so a sequence whose warm-up is all but one step is a window, and streams
are a sequence whose errors are stopped at the borders.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lstm_lib as ll
from lstm_lib.network.cells import CELLS
from lstm_lib.network.losses import LOSSES
from tests.cases import Case, build, same

NETWORKS = [(cell, units, head) for cell in CELLS for units in ((3,), (4, 2)) for head in LOSSES]


@pytest.fixture(params=["plain", "compiled"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def loss_and_gradient(case: Case, engine: str, **options: Any) -> tuple[float, dict[str, Any]]:
    """Of the loss that fits the head, from a zero state."""
    weights, plan = options.pop("weights", None), options.pop("plan", None)
    yhat, trace = ll.forward(case.spec, case.params, case.x, engine=engine, **options)
    loss, dy = LOSSES[case.spec.head](yhat, case.y, weights)
    return float(loss), ll.backward(case.spec, case.params, trace, dy, plan)


@pytest.mark.parametrize(("cell", "units", "head"), NETWORKS)
def test_each_step_that_counts_is_the_window_that_ends_there(
    cell: str, units: tuple[int, ...], head: str, engine: str
) -> None:
    last, every = (ll.Spec(2, units, 3, cell, head, output) for output in ("last", "every"))
    case, warmup = build(every, T=7, B=4)._replace(spec=last), 3
    weights = np.zeros((4, 7))
    weights[:, warmup:] = 1
    loss, grads = loss_and_gradient(case, engine, weights=weights, output="every")
    windows = [
        loss_and_gradient(case._replace(x=case.x[:, : t + 1], y=case.y[:, t]), engine)
        for t in range(warmup, 7)
    ]
    assert loss == pytest.approx(np.mean([one for one, _ in windows]), rel=1e-12)
    same(grads, {name: np.mean([g[name] for _, g in windows], axis=0) for name in grads})


@pytest.mark.parametrize("stateful", [False, True])
def test_a_warm_up_of_all_but_one_step_makes_a_sequence_a_window(stateful: bool, engine: str) -> None:
    series = ll.load_series("fontana")
    sequences = ll.sequences(series, 24, 23, horizon=2, stateful=stateful, dtype="float64").train
    windows = ll.windows(series, 24, horizon=2, dtype="float64").train
    rows = np.array([0, 7, 3, 11]) if not stateful else np.flatnonzero(sequences.fresh)[:4]
    same_rows = np.searchsorted(windows.starts, sequences.starts[rows])
    spec = ll.Spec(windows.values.shape[1], (5,), 1)
    params, none = ll.init_params(spec, dtype="float64"), np.zeros(0)
    found = []
    for part, at in ((sequences, rows), (windows, same_rows)):
        x, y = part.take(at)
        options = {"weights": part.weights(at), "output": "every"} if part is sequences else {}
        found.append(loss_and_gradient(Case(spec, params, x, y, none, []), engine, **options))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-13)
    same(found[0][1], found[1][1])


@pytest.mark.parametrize(("cell", "units", "head"), NETWORKS)
def test_streams_are_a_sequence_whose_errors_stop_at_the_borders(
    cell: str, units: tuple[int, ...], head: str, engine: str
) -> None:
    """Truncated BPTT with k1 = k2 = length: a span of the length, and the state goes on."""
    spec, length = ll.Spec(2, units, 3, cell, head, "every"), 4
    case = build(spec, T=3 * length, B=5)
    yhat, trace = case.forward(engine=engine)
    whole = case.backward(trace, ll.isolate(spec, ll.nothing(spec), span=length), also=())
    states, total = case.initial, {name: np.zeros_like(p) for name, p in case.params.items()}
    for first in range(0, 3 * length, length):
        part = slice(first, first + length)
        some, trace = ll.forward(spec, case.params, case.x[:, part], initial=states, engine=engine)
        same(some, yhat[:, part])
        states = trace.states()
        for name, g in ll.backward(spec, case.params, trace, np.ascontiguousarray(case.dy[:, part])).items():
            total[name] += g
    same(total, whole)
