"""Training serves every cell: fit, resume, isolation, Adam's report, statistics and schedules read the row."""

from __future__ import annotations

import numpy as np
import pytest

import lstm_lib as ll
from lstm_lib.network.cells import CELLS
from lstm_lib.training.statistics import STATISTICS
from tests.cases import identical, same
from tests.training.fit_cases import fit

ENGINES = ("plain", "compiled")


@pytest.fixture(params=CELLS)
def spec(request: pytest.FixtureRequest) -> ll.Spec:
    return ll.Spec(1, (4, 3), 1, cell=request.param)


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("LSTM_LIB_ENGINE", request.param)
    return str(request.param)


def test_it_learns(spec: ll.Spec, engine: str) -> None:
    record = fit(spec, epochs=8, optimizer=ll.Adam(0.02))
    assert record.config["engine"] == engine
    assert record.history["train_loss"].iloc[-1] < 0.9 * record.history["train_loss"].iloc[0]


def test_the_engines_differ_by_rounding_alone_but_they_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for name in ENGINES:
        monkeypatch.setenv("LSTM_LIB_ENGINE", name)
        found.append(fit().params)
    same(*found, 1e-4)
    assert any((found[0][k] != found[1][k]).any() for k in found[0])


def test_the_report_has_a_row_for_every_gate_of_every_matrix(spec: ll.Spec) -> None:
    record = fit(spec)
    table = ll.Adam().report(record.checkpoint.state, spec=spec)
    rows = [
        (str(k), matrix, gate)
        for k in (0, 1)
        for matrix, gates in spec.row.matrices.items()
        for gate in gates
    ]
    found = list(zip(table["layer"], table["matrix"], table["gate"], strict=True))
    assert found == [*rows, ("head", "W", ""), ("head", "b", "")]
    assert table["arcs"].sum() == spec.size
    for row in table.itertuples():
        if row.gate:
            mask = ll.zone(spec, layer=int(row.layer), matrix=row.matrix, gate=row.gate).mask(
                f"{row.layer}/{row.matrix}"
            )
            m = record.checkpoint.state.m[f"{row.layer}/{row.matrix}"][mask]
            assert (row.arcs, row.m_norm) == (m.size, pytest.approx(np.linalg.norm(m.astype("float64"))))


@pytest.mark.parametrize("cell", ["gru", "rnn", "peephole", "gru_v3"])
def test_a_report_without_the_spec_of_another_cell_is_refused(cell: str) -> None:
    record = fit(ll.Spec(1, (4,), 1, cell=cell), epochs=1)
    with pytest.raises(
        ValueError, match=r"does not belong to the cell 'standard'; give report\(..., spec=spec\)"
    ):
        ll.Adam().report(record.checkpoint.state)


@pytest.mark.parametrize("statistic", STATISTICS)
def test_every_statistic_scores_and_a_schedule_chooses_by_it(spec: ll.Spec, statistic: str) -> None:
    schedule = ll.by_statistic(spec, statistic, 0.4, blocks=3, seed=1)
    record = fit(spec, epochs=2, isolation=schedule)
    assert record.checkpoint.watched is not None
    chosen = record.checkpoint.watched.chosen
    cut = ll.partition(spec, 3, "unit")
    before = fit(spec, epochs=1, watch=True).evidence()
    price = ll.Price(spec, record.config["steps"], record.config["batch"])
    expected = ll.choose(ll.score(statistic, before, cut, 1), 0.4, price)
    assert chosen == ["nothing", str(expected)]
    assert 0.2 < expected.share < 0.6


def test_schedules_isolate_what_they_say(spec: ll.Spec) -> None:
    drawn = ll.schedules.redraw(spec, 0.5, every=2, seed=3)
    held = ll.schedules.from_epoch(2, ll.isolate(spec, ll.zone(spec, layer=0)))
    assert fit(spec, isolation=drawn).history["train_loss"].notna().all()
    first, last = fit(spec, epochs=1, isolation=held).params, fit(spec, isolation=held).params
    below = [name for name in first if name.startswith("0/")]
    identical({name: last[name] for name in below}, {name: first[name] for name in below})


def test_remembered_states_train_as_skip_does(spec: ll.Spec) -> None:
    zone = ll.zone(spec, layer=0)
    cached, skipped = (fit(spec, isolation=ll.isolate(spec, zone, depth)) for depth in ("cache", "skip"))
    same(cached.params, skipped.params, 1e-4)
