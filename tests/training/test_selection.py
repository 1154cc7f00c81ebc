"""Statistics, choices under a budget, and the schedule that chooses while a network trains."""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lstm_lib as ll
from lstm_lib.network.cells import Array
from lstm_lib.network.spec import copy_params
from lstm_lib.training import schedules
from lstm_lib.training.evidence import GRADIENTS_EVERY, KEEP, Evidence, Tally, Watched
from lstm_lib.training.schedules import Moment
from lstm_lib.training.selection import Price, by_statistic, choose
from lstm_lib.training.statistics import STATISTICS, Scores, score

SPEC = ll.Spec(2, (6, 4), 1)
CUT = ll.partition(SPEC, blocks=2)
BATCH, STEPS = 8, 5


def samples(count: int = 64) -> tuple[Array, Array]:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(count, STEPS, 2)).astype("float32")
    return x, x.sum(axis=1)[:, :1]


def trained(**changes: Any) -> ll.Record:
    settings = {"epochs": 2, "batch": BATCH, "watch": True, "progress": False} | changes
    return ll.fit(SPEC, samples(), **settings)


@pytest.fixture(scope="module")
def record() -> ll.Record:
    return trained()


def by_hand(statistic: str, record: ll.Record) -> dict[str, Array]:
    """Every statistic written out from the record, not through the code under test."""
    params, state, seen = record.checkpoint.params, record.checkpoint.state, record.checkpoint.watched
    assert seen is not None
    t = 2 * 8
    m = {k: a / (1 - 0.9**t) for k, a in state.m.items()}
    v = {k: a / (1 - 0.999**t) for k, a in state.v.items()}
    one = {
        "magnitude": lambda k: abs(params[k]),
        "gradient": lambda k: seen.gradient[k],
        "error": lambda k: seen.error[k],
        "fisher": lambda k: v[k],
        "sensitivity": lambda k: abs(params[k] * m[k]),
        "movement": lambda k: abs(params[k] - ll.init_params(SPEC, 0, "float32")[k]),
        "snr": lambda k: abs(m[k]) / np.sqrt(v[k]),
        "perturbation": lambda k: abs(seen.change[k]) / seen.path[k],
    }[statistic]
    return {k: one(k) for k in params}


@pytest.mark.parametrize("statistic", [name for name in STATISTICS if name != "random"])
def test_a_statistic_is_what_its_formula_says_summed_over_the_arcs_of_a_block(
    statistic: str, record: ll.Record
) -> None:
    scores, arcs = score(statistic, record.evidence(), CUT), by_hand(statistic, record)
    assert list(scores.values.index) == list(CUT)
    for name, value in scores.values.items():
        zone = CUT[str(name)]
        expected = sum(arcs[k][zone.mask(k)].sum(dtype="float64") for k in arcs)
        assert value == pytest.approx(expected, rel=1e-5), name
        assert value > 0 or "/b" in str(name) or (statistic == "error" and str(name).startswith("head"))


def test_every_statistic_says_what_it_is_and_where_it_comes_from() -> None:
    assert len({s.says for s in STATISTICS.values()}) == len(STATISTICS) == 9
    assert all(s.source and s.says for s in STATISTICS.values())


def test_the_draws_depend_on_seed_and_epoch_alone_and_are_the_same_per_arc(record: ll.Record) -> None:
    evidence = record.evidence()
    first, again, other = (score("random", evidence, CUT, seed).values for seed in (0, 0, 1))
    later = score("random", dataclasses.replace(evidence, epoch=3), CUT).values
    pd.testing.assert_series_equal(first, again)
    assert not first.equals(other) and not first.equals(later)
    assert all(0 < value < CUT[str(name)].size for name, value in first.items())


# ----------------------------------------------------------------------------------------------------- evidence


def a_trace(
    params: dict[str, Array], spec: ll.Spec = SPEC
) -> tuple[dict[str, Array], ll.network.trace.Trace]:
    """Gradients, and the trace of both passes that made them."""
    x = np.random.default_rng(1).normal(size=(6, 5, spec.inputs)).astype("float32")
    yhat, trace = ll.forward(spec, params, x)
    return ll.backward(spec, params, trace, np.ones_like(yhat)), trace


@pytest.mark.parametrize("cell", ["standard", "gru", "gru_v3", "peephole"])
def test_the_mean_error_is_that_of_the_pre_activation_an_arc_adds_to(cell: str) -> None:
    spec = ll.Spec(2, (3, 4), 1, cell)
    params = ll.init_params(spec, 0, "float32")
    grads, trace = a_trace(params, spec)
    tally = Tally(Watched.begin(params), params)
    tally.note(grads, ll.isolate(spec, ll.nothing(spec)), trace)
    found = tally.close(params).error
    assert not any(found[name].any() for name in ("head/W", "head/b"))
    for k, H in enumerate(spec.units):
        blocks = dict(zip(spec.row.blocks, np.split(trace.dz(k), len(spec.row.blocks), axis=1), strict=True))
        for matrix, gates in spec.row.matrices.items():
            name = f"{k}/{matrix}"
            for at, gate in enumerate(gates):
                block = spec.row.blocks[spec.row.readers(matrix)[at]]
                expected = np.square(blocks[block]).mean(axis=(0, 2))  # (H,)
                rows = found[name].reshape(len(gates), H, -1)[at]
                np.testing.assert_allclose(rows, np.broadcast_to(expected[:, None], rows.shape), rtol=1e-5)
                assert block == gate or (cell == "gru" and matrix in ("Wh", "bh") and block == "u")


def test_of_an_isolated_arc_the_last_error_is_remembered() -> None:
    params = ll.init_params(SPEC, 0, "float32")
    grads, trace = a_trace(params)
    tally = Tally(Watched.begin(params), params)
    tally.note(grads, ll.isolate(SPEC, ll.nothing(SPEC)), trace)
    first = tally.close(params)
    cut = ll.isolate(SPEC, ll.zone(SPEC, layer=0, unit=[0]), "cut")
    other = Tally(first, params)
    other.note({k: 2 * g for k, g in grads.items()}, cut, trace)
    later, mask = other.close(params), cut.zone.mask("0/Wh")
    np.testing.assert_array_equal(later.error["0/Wh"][mask], first.error["0/Wh"][mask])


def test_the_mean_gradient_is_that_of_every_eighth_step(record: ll.Record) -> None:
    seen: list[dict[str, Array]] = []
    before = trained(epochs=1)
    assert before.checkpoint.watched is not None
    tally = Tally(before.checkpoint.watched, before.params)
    rng, plan = np.random.default_rng(0), ll.isolate(SPEC, ll.nothing(SPEC))
    for _ in range(2 * GRADIENTS_EVERY + 1):
        seen.append({k: rng.normal(size=p.shape).astype("float32") for k, p in before.params.items()})
        tally.note(seen[-1], plan, a_trace(before.params)[1])
    closed = tally.close(before.params)
    for k, mean in closed.gradient.items():
        expected = np.mean(
            [np.abs(seen[step][k]) for step in (0, GRADIENTS_EVERY, 2 * GRADIENTS_EVERY)], axis=0
        )
        np.testing.assert_allclose(mean, expected, rtol=1e-6)


def test_change_and_path_are_running_means_of_what_the_weights_did() -> None:
    snapshots: list[dict[str, Array]] = []
    record = trained(epochs=3, callbacks=[lambda now: snapshots.append(copy_params(now.params))])
    seen = record.checkpoint.watched
    assert seen is not None
    at = [ll.init_params(SPEC, 0, "float32"), *snapshots]
    for k in at[0]:
        change, path = np.zeros_like(at[0][k]), np.zeros_like(at[0][k])
        for a, b in pairwise(at):
            change = KEEP * change + (1 - KEEP) * (b[k] - a[k])
            path = KEEP * path + (1 - KEEP) * np.abs(b[k] - a[k])
        np.testing.assert_allclose(seen.change[k], change, atol=1e-7)
        np.testing.assert_allclose(seen.path[k], path, atol=1e-7)
        np.testing.assert_array_equal(seen.start[k], at[0][k])


@pytest.mark.parametrize("depth", ["hold", "skip", "cut"])
def test_an_isolated_arc_keeps_the_gradient_it_showed_last(depth: str) -> None:
    gate = ll.zone(SPEC, layer=1, gate="f")
    schedule = schedules.from_epoch(2, ll.isolate(SPEC, gate, depth))
    one, two = (trained(epochs=e, isolation=schedule).checkpoint.watched for e in (1, 2))
    assert one is not None and two is not None
    for k in one.gradient:
        inside = gate.mask(k)
        np.testing.assert_array_equal(one.gradient[k][inside], two.gradient[k][inside])
        assert not inside.any() or (one.gradient[k][inside] > 0).all()
        assert inside.all() or not np.array_equal(one.gradient[k][~inside], two.gradient[k][~inside])
    assert two.chosen == ["nothing", str(gate)]


def test_watching_changes_no_number(record: ll.Record) -> None:
    plain = trained(watch=False)
    assert plain.checkpoint.watched is None
    for k, p in record.params.items():
        np.testing.assert_array_equal(p, plain.params[k])


def test_a_record_keeps_what_was_watched(record: ll.Record, tmp_path: Path) -> None:
    read = ll.Record.load(record.save(tmp_path / "run")).checkpoint.watched
    kept = record.checkpoint.watched
    assert read is not None and kept is not None and read.chosen == kept.chosen == ["nothing"] * 2
    for name in ("start", "gradient", "change", "path"):
        for k, a in getattr(kept, name).items():
            np.testing.assert_array_equal(getattr(read, name)[k], a)
    assert ll.Record.load(trained(watch=False).save(tmp_path / "plain")).checkpoint.watched is None


def test_evidence_that_is_missing_is_named(record: ll.Record) -> None:
    unwatched = trained(watch=False)
    for statistic in ("gradient", "movement", "perturbation"):
        with pytest.raises(ValueError, match=r"fit\(..., watch=True\)"):
            score(statistic, unwatched.evidence(), CUT)
    with pytest.raises(ValueError, match="without watch=True"):
        trained(epochs=3, resume=unwatched)
    with pytest.raises(ValueError, match=r"'size'; the choices are magnitude, gradient, .*random"):
        score("size", record.evidence(), CUT)
    with pytest.raises(ValueError, match="the partition is of"):
        score("magnitude", record.evidence(), ll.partition(ll.Spec(1, (2,), 1)))


def test_an_arc_that_made_no_step_has_no_score_and_is_not_chosen() -> None:
    alone = trained(isolation=ll.isolate(SPEC, ll.zone(SPEC, layer=0, matrix="Wh", gate="f")))
    scores = score("fisher", alone.evidence(), CUT)
    unknown = [name for name in CUT if name.startswith("0/Wh/f")]
    assert sorted(scores.values.index[scores.values.isna()]) == sorted(unknown)
    with pytest.raises(ValueError, match="knows nothing of 2 of 48 blocks, such as 0/Wh/f"):
        choose(scores, 0.5, Price(SPEC, STEPS, BATCH))
    assert score("magnitude", alone.evidence(), CUT).values.notna().all()
    assert score("gradient", alone.evidence(), CUT).values.isna().sum() == 2


# ------------------------------------------------------------------------------------------------------ choosing

UNITS = ll.partition(SPEC, by="unit", blocks=6)


def scores_of(cut: ll.Partition, seed: int = 0) -> Scores:
    draws = np.random.default_rng(seed).random(len(cut))
    return Scores("by hand", cut, pd.Series(draws, index=list(cut)))


@pytest.mark.parametrize("depth", ["skip", "cut"])
@pytest.mark.parametrize("cut", [CUT, UNITS], ids=["gate", "unit"])
def test_blocks_go_in_the_order_of_loss_per_flop_saved(depth: str, cut: ll.Partition) -> None:
    price, scores = Price(SPEC, STEPS, BATCH, depth), scores_of(cut)
    dense = ll.isolate(SPEC, ll.nothing(SPEC)).cost(STEPS, BATCH).total
    worth = {
        name: scores.values[name] / (dense - ll.isolate(SPEC, cut[name], depth).cost(STEPS, BATCH).total)
        for name in cut if not name.startswith("head")
    }  # fmt: skip
    order = sorted(worth, key=lambda name: worth[name])
    sizes = np.cumsum([cut[name].size for name in order])
    for first in range(1, len(order) + 1):
        zone = choose(scores, sizes[first - 1] / SPEC.size, price)
        assert zone == cut.union(order[:first])


@pytest.mark.parametrize("budget", [0, 0.1, 0.33, 0.5, 0.8])
def test_the_share_of_arcs_is_the_nearest_that_blocks_allow(budget: float) -> None:
    scores, price = scores_of(CUT), Price(SPEC, STEPS, BATCH)
    zone, reached = choose(scores, budget, price), set()
    order = list((scores.values / price.saved(CUT)).drop(["head/W", "head/b"]).sort_values().index)
    for first in range(len(order) + 1):
        reached.add(CUT.union(order[:first]).share)
    assert abs(zone.share - budget) == min(abs(share - budget) for share in reached)


@pytest.mark.parametrize("depth", ["skip", "cut"])
def test_a_budget_of_work_is_met_as_nearly_as_blocks_allow(depth: str) -> None:
    price, scores = Price(SPEC, STEPS, BATCH, depth), scores_of(UNITS)
    dense = price.dense.total
    for budget in (0.05, 0.15, 0.3 if depth == "cut" else 0.2):
        order = list((scores.values / price.saved(UNITS)).drop(["head/W", "head/b"]).sort_values().index)
        zones = [UNITS.union(order[:first]) for first in range(len(order) + 1)]
        misses = [abs(1 - price(zone).total / dense - budget) for zone in zones]
        chosen = choose(scores, budget, price, of="work")
        assert abs(1 - price(chosen).total / dense - budget) == pytest.approx(min(misses), abs=1e-12)


def test_the_head_stays_active_and_a_budget_out_of_reach_is_refused() -> None:
    price, layers = Price(SPEC, STEPS, BATCH), ~ll.zone(SPEC, layer="head")
    assert choose(scores_of(UNITS), layers.share, price) == layers
    with pytest.raises(ValueError, match=r"budget=1 of the arcs is out of reach: all 10 blocks make 0.98"):
        choose(scores_of(UNITS), 1, price)
    with pytest.raises(ValueError, match=r"budget=0.9 of the work is out of reach"):
        choose(scores_of(UNITS), 0.9, price, of="work")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: choose(scores_of(CUT), 1.2, Price(SPEC, 5, 8)), "budget is 1.2; it must be a number from 0 to 1"),
        (lambda: choose(scores_of(CUT), True, Price(SPEC, 5, 8)), "budget is True"),
        (lambda: choose(scores_of(CUT), 0.2, Price(SPEC, 5, 8), of="time"), "of is 'time'; the choices are arcs, work"),
        (lambda: choose(scores_of(CUT), 0.2, Price(ll.Spec(1, (2,), 1), 5, 8)), "the cost is for"),
        (lambda: Price(SPEC, 5, 8, "cache"), "depth is 'cache'; the choices are hold, skip, cut"),
        (lambda: by_statistic(SPEC, "luck", 0.5), "statistic is 'luck'"),
        (lambda: by_statistic(SPEC, "snr", 0.5, warmup=0), "warmup must be .* at least 1, since 'snr' needs"),
        (lambda: by_statistic(SPEC, "magnitude", 0.5, every=0), "every must be"),
        (lambda: by_statistic(SPEC, "magnitude", 0.5, span=0), "span must be"),
        (lambda: by_statistic(SPEC, "magnitude", 0.5, seed=-1), "seed must be"),
        (lambda: by_statistic(SPEC, "magnitude", 0.5, by="matrix"), "by is 'matrix'"),
        (lambda: by_statistic(SPEC, "magnitude", 0.5).plan_at(Moment(2, 3, 0)), "`fit` gives it"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


# ------------------------------------------------------------------------------------------------- while training


def chosen(record: ll.Record) -> list[str]:
    assert record.checkpoint.watched is not None
    return record.checkpoint.watched.chosen


@pytest.mark.parametrize("statistic", STATISTICS)
def test_an_epoch_isolates_what_the_evidence_before_it_says(statistic: str) -> None:
    schedule = by_statistic(SPEC, statistic, 0.4, blocks=2, seed=3)
    evidence = trained(epochs=1).evidence()
    expected = choose(
        score(statistic, evidence, ll.partition(SPEC, 2, "unit"), 3), 0.4, Price(SPEC, STEPS, BATCH)
    )
    assert chosen(trained(isolation=schedule)) == ["nothing", str(expected)]


@pytest.mark.parametrize(
    ("every", "renewed"), [(1, [2, 3, 4, 5, 6]), (2, [2, 4, 6]), (None, [2])], ids=["1", "2", "once"]
)
def test_a_choice_is_renewed_when_it_should_be_and_kept_otherwise(
    every: int | None, renewed: list[int]
) -> None:
    schedule = by_statistic(SPEC, "random", 0.5, blocks=6, every=every, seed=1)
    zones = chosen(trained(epochs=6, isolation=schedule))
    cut, price = ll.partition(SPEC, 6, "unit"), Price(SPEC, STEPS, BATCH)
    expected = "nothing"
    for epoch in range(1, 7):
        if epoch in renewed:
            evidence = dataclasses.replace(trained(epochs=1).evidence(), epoch=epoch - 1)
            expected = str(choose(score("random", evidence, cut, 1), 0.5, price))
        assert zones[epoch - 1] == expected


@pytest.mark.parametrize("every", [1, 2, None])
def test_a_run_that_was_interrupted_chooses_as_if_it_had_not_been(every: int | None, tmp_path: Path) -> None:
    schedule = by_statistic(SPEC, "perturbation", 0.5, blocks=2, by="gate", depth="skip", every=every)
    whole = trained(epochs=5, isolation=schedule)
    for epochs in (1, 2, 3, 4):
        part = ll.Record.load(trained(epochs=epochs, isolation=schedule).save(tmp_path / "part"))
        resumed = trained(epochs=5, isolation=schedule, resume=part)
        assert chosen(resumed) == chosen(whole)
        for k, p in whole.params.items():
            np.testing.assert_array_equal(p, resumed.params[k])


def test_one_schedule_serves_several_runs() -> None:
    schedule, zones = by_statistic(SPEC, "snr", 0.3, blocks=6), []
    for seed in (0, 1, 2):  # two epochs: the last of one run and the first choice of the next have one number
        fresh = trained(seed=seed, isolation=by_statistic(SPEC, "snr", 0.3, blocks=6))
        zones.append(chosen(trained(seed=seed, isolation=schedule)))
        assert zones[-1] == chosen(fresh)
    assert zones[0] != zones[1]


def test_a_finished_training_tells_what_was_isolated_when() -> None:
    schedule = schedules.from_epoch(3, by_statistic(SPEC, "random", 0.5, blocks=6))
    record = trained(epochs=5, isolation=schedule)
    fresh = schedules.from_epoch(3, by_statistic(SPEC, "random", 0.5, blocks=6))
    for epoch in (5, 1, 3, 4, 2):
        plan = fresh.plan_at(Moment(epoch, 5, 0, record.evidence()))
        assert str(plan.zone) == chosen(record)[epoch - 1]
    assert len(set(chosen(record))) > 2


def test_isolated_arcs_stay_as_they_are() -> None:
    schedule = by_statistic(SPEC, "magnitude", 0.6, blocks=3, depth="skip")
    before, after = (trained(epochs=e, isolation=schedule) for e in (1, 2))
    zone = ll.read_zone(SPEC, chosen(after)[1])
    assert zone.share > 0.5
    for k in before.params:
        same = before.params[k] == after.params[k]
        assert same[zone.mask(k)].all() and not same[~zone.mask(k)].any()


def test_it_can_stand_inside_other_schedules() -> None:
    inner = by_statistic(SPEC, "magnitude", 0.5, warmup=0)
    short = ll.isolate(SPEC, ll.nothing(SPEC), span=2)
    outer = schedules.thaw_last(1, schedules.from_epoch(3, inner, before=short))
    assert outer.needs == {"evidence", "epochs"}
    zones = chosen(trained(epochs=5, isolation=outer, watch=False))
    assert [zone == "nothing" for zone in zones] == [True, True, False, False, True]
    assert schedules.alternate([inner, short]).needs == {"evidence"}
    assert not schedules.from_epoch(2, short).needs


def test_evidence_begins_with_nothing() -> None:
    params = ll.init_params(SPEC, dtype="float32")
    watched = Watched.begin(params)
    evidence = Evidence(SPEC, params, ll.Adam().init(params), ll.Adam(), 0, STEPS, BATCH, watched)
    with pytest.raises(ValueError, match="knows nothing of 48 of 48 blocks"):
        choose(score("movement", evidence, CUT), 0.5, Price(SPEC, STEPS, BATCH))
    assert choose(score("magnitude", evidence, CUT), 0.5, Price(SPEC, STEPS, BATCH)).share > 0.4
