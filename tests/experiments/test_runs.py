"""One run and its row."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lstm_lib as ll
from lstm_lib.experiments import Store, row, run
from lstm_lib.network.spec import copy_params
from lstm_lib.training.step import Step
from tests.cases import identical
from tests.experiments.small import ROOT, TASK, cut_forget, make, pair, small


def test_compared_runs_start_from_the_same_weights_and_see_the_same_batches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: dict[str, list[Any]] = {}
    step = Step.__call__

    def spy(self: Step, params: Any, state: Any, x: Any, y: Any, *rest: Any) -> Any:
        seen[name].append((x.copy(), copy_params(params)))
        return step(self, params, state, x, y, *rest)

    monkeypatch.setattr(Step, "__call__", spy)
    for configuration in pair():
        name = configuration.name
        seen[name] = []
        run(configuration, seed=5)
    dense, cut = seen["dense"], seen["cut f"]
    assert len(dense) == len(cut) == 2 * 8
    identical(dense[0][1], cut[0][1])
    identical(dense[0][1], ll.init_params(small().spec, 5))
    for (a, after_dense), (b, after_cut) in zip(dense[1:], cut[1:], strict=True):
        identical(a, b)
        assert not np.array_equal(after_dense["0/Wh"], after_cut["0/Wh"])


def test_a_row_says_what_the_record_says() -> None:
    (_, cut), seed = pair(epochs=4, lr=0.3), 1
    record = run(cut, seed)
    found = row(cut, seed, record)
    again = ll.fit(
        cut.spec, TASK.split().train, TASK.split().valid, seed=1, epochs=4, batch=32, optimizer=ll.Adam(lr=0.3),
        isolation=cut_forget(cut.spec), rate="cosine", threads=1, progress=False,
    )  # fmt: skip
    identical(record.params, again.params)
    assert found["valid_rmse"] == again.history["valid_rmse"].tolist()
    assert found["seconds"] == pytest.approx(sum(found["epoch_seconds"])) == record.seconds
    best = int(np.argmin(found["valid_rmse"]))
    assert best < 3  # or the test could not tell the best from the last
    assert (found["best_epoch"], found["best_valid"]) == (best + 1, found["valid_rmse"][best])
    test = TASK.split().test
    wrong = TASK.split().unscale(ll.predict(cut.spec, again.params, test)) - test.actual
    assert found["test_rmse"] == pytest.approx(np.sqrt((wrong**2).mean()), rel=1e-12)
    assert found["test_mae"] == pytest.approx(np.abs(wrong).mean(), rel=1e-12)
    untested = replace(cut, tested=False)
    changed = {"key": untested.key(seed), "test_rmse": None, "test_mae": None, "test_days": None}
    found["date"] = ""
    assert (
        untested.key(seed) != cut.key(seed) and row(untested, seed, record) | {"date": ""} == found | changed
    )
    zone = ll.zone(cut.spec, gate="f")
    assert found["updated"] == pytest.approx(1 - zone.share)
    costs = [ll.isolate(cut.spec, z, "cut").cost(4, 32).seconds.total for z in (ll.nothing(cut.spec), zone)]
    assert found["predicted"] == pytest.approx(costs[0] / costs[1])
    assert (found["threads"], found["alone"], found["diverged"]) == (1, False, "")
    assert json.loads(json.dumps(found)) == found


def test_where_a_run_was_made_is_told_alike_whatever_else_is_loaded() -> None:
    """Another library of products beside NumPy's, as SciPy brings, or TensorFlow, is not what the run was made with."""
    import scipy.linalg

    import lstm_lib.keras

    assert scipy.linalg and lstm_lib.keras
    record = run(small(), 0)
    found, loops = row(small(), 0, record), record.config["engine"]
    code = f"import lstm_lib.experiments.runs as r; print(r.versions(loops={loops!r})); print(r.machine())"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [found["versions"], found["machine"]]


def test_a_schedule_of_plans_is_predicted_by_its_mean() -> None:
    """Half of the epochs isolated: the mean of both costs, and half of the arcs' share."""
    half = small(epochs=4, isolation=lambda spec: ll.schedules.from_epoch(3, cut_forget(spec)))
    whole = small(epochs=4, isolation=cut_forget)
    found, full = row(half, 0, run(half, 0)), row(whole, 0, run(whole, 0))
    assert 1 - found["updated"] == pytest.approx((1 - full["updated"]) / 2)
    assert 1 / found["predicted"] == pytest.approx((1 + 1 / full["predicted"]) / 2)


def test_a_run_that_diverges_is_a_row_with_its_reason(tmp_path: Path) -> None:
    wild = small("wild", lr=1e38, rate="constant")
    with np.errstate(all="ignore"):
        table = make([small(), wild], [0], tmp_path)
    assert table["diverged"].str.contains("not finite|loss is").tolist() == [False, True]
    assert table["test_rmse"].isna().tolist() == [False, True]
    assert len(Store(tmp_path).done()) == 2
