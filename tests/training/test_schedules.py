"""Schedules say which plan holds when, and `fit` follows them, interrupted or not."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import lstm_lib as ll
from lstm_lib.isolation.plan import dense, isolate
from lstm_lib.isolation.zones import zone
from lstm_lib.training import step as steps
from lstm_lib.training.schedules import Moment, alternate, from_epoch, plan_at, redraw, thaw_last
from tests.cases import identical

SPEC = ll.Spec(2, (6, 4), 1)
LAYER_0 = isolate(SPEC, zone(SPEC, layer=0))
LAYER_1 = isolate(SPEC, zone(SPEC, layer=1), "cut", span=2)
HEAD_ALONE = isolate(SPEC, ~zone(SPEC, layer="head"), "cache")
EPOCHS, STEPS = 4, 3  # of the trainings here


def zones_of(schedule: ll.schedules.Schedule) -> list[list[str]]:
    """The zone of every step of every epoch, as text."""
    return [
        [str(schedule.plan_at(Moment(e + 1, EPOCHS, e * STEPS + k)).zone) for k in range(STEPS)]
        for e in range(EPOCHS)
    ]


def test_schedules_follow_epochs_and_steps() -> None:
    idle, first, second = ["nothing"] * 3, ["0"] * 3, ["1"] * 3
    assert zones_of(from_epoch(3, LAYER_0)) == [idle, idle, first, first]
    assert zones_of(from_epoch(1, LAYER_0)) == [first] * 4
    assert zones_of(thaw_last(1, LAYER_0)) == [first, first, first, idle]
    assert zones_of(thaw_last(9, LAYER_0)) == [idle] * 4
    for share in (0.75, 0.99):  # the last quarter of four epochs, and one epoch at least
        assert zones_of(from_epoch(share, LAYER_0)) == zones_of(from_epoch(4, LAYER_0))
        assert zones_of(thaw_last(1 - share, LAYER_0)) == zones_of(thaw_last(1, LAYER_0))
    assert zones_of(from_epoch(0.25, LAYER_0)) == [idle, first, first, first]
    assert from_epoch(0.5, LAYER_0).needs == {"epochs"}
    assert zones_of(alternate([LAYER_0, LAYER_1])) == [first, second, first, second]
    steps = ["0", "0", "1", "1", "nothing", "nothing", "0", "0", "1", "1", "nothing", "nothing"]
    by_steps = alternate([LAYER_0, LAYER_1, dense(SPEC)], every=2)
    assert sum(zones_of(by_steps), []) == steps  # noqa: RUF017  # twelve of them
    nested = thaw_last(1, from_epoch(2, alternate([LAYER_0, LAYER_1], every=1)))
    assert zones_of(nested) == [idle, ["1", "0", "1"], ["0", "1", "0"], idle]


def test_a_plan_and_none_are_schedules_that_never_change() -> None:
    assert plan_at(LAYER_0, SPEC, Moment(1, 1, 0)) is LAYER_0
    assert plan_at(None, SPEC, Moment(1, 1, 0)) is dense(SPEC)


@pytest.mark.parametrize("share", [0, 0.25, 0.5, 1])
@pytest.mark.parametrize(
    "options", [{}, {"by": "unit", "blocks": 2}, {"by": "gate", "blocks": 2}, {"by": "gate"}]
)
def test_redrawing_isolates_that_share_of_the_blocks_of_every_layer(
    share: float, options: dict[str, Any]
) -> None:
    schedule = redraw(SPEC, share, every=1, **options)
    plans = [schedule.plan_at(Moment(1, 1, step)) for step in range(40)]
    for k in range(SPEC.layers):
        layer = zone(SPEC, layer=k)
        counts = [len(_blocks_of(plan.zone & layer, options)) for plan in plans]
        total = len(_blocks_of(layer, options))
        assert set(counts) == {round(share * total)}
        if 0 < round(share * total) < total:
            assert len({str(plan.zone & layer) for plan in plans}) > 1
            union = ll.nothing(SPEC)
            for plan in plans:
                union = union | (plan.zone & layer)
            assert union == layer  # every block has its turn
    assert all((plan.zone & zone(SPEC, layer="head")).size == 0 for plan in plans)
    assert {(plan.depth, plan.span) for plan in plans} == {("skip", None)}


def _blocks_of(z: ll.Zone, options: dict[str, Any]) -> list[str]:
    blocks = ll.partition(
        SPEC, options.get("blocks") or (6 if not options else None), options.get("by", "unit")
    )
    return [name for name, block in blocks.items() if not name.startswith("head") and (block & z) == block]


def test_layers_of_one_block_are_drawn_too() -> None:
    one = ll.Spec(1, (8, 1), 1)
    for options in ({}, {"blocks": 1}, {"blocks": 1, "by": "gate"}):
        assert str(redraw(one, 1.0, **options).plan_at(Moment(1, 1, 0)).zone) == "0 | 1"
    eleven = ll.Spec(1, (2,) * 11, 1)
    zone_of = redraw(eleven, 0.5).plan_at(Moment(1, 1, 0)).zone
    assert all((zone_of & zone(eleven, layer=k)).size == zone(eleven, layer=k).size // 2 for k in range(11))


def test_draws_depend_on_seed_and_turn_alone() -> None:
    one, other, third = (redraw(SPEC, 0.5, every=2, seed=seed) for seed in (1, 1, 2))
    forwards = [str(one.plan_at(Moment(1, 1, step)).zone) for step in range(10)]
    backwards = [str(other.plan_at(Moment(1, 1, step)).zone) for step in reversed(range(10))]
    assert forwards == backwards[::-1]
    assert forwards[0::2] == forwards[1::2]
    assert forwards != [str(third.plan_at(Moment(1, 1, step)).zone) for step in range(10)]
    assert one.plan_at(Moment(1, 1, 0)) is one.plan_at(Moment(1, 1, 1))


def test_a_schedule_is_shown_as_the_call_that_made_it_and_equals_one_made_alike() -> None:
    drawn = redraw(SPEC, share=0.5, seed=np.int64(3))
    nested = thaw_last(1, from_epoch(2, alternate([LAYER_0, drawn], every=4), before=LAYER_1))
    inner = f"alternate(plans=[<Plan: skip '0'>, redraw(spec={SPEC}, share=0.5, seed=3)], every=4)"
    before = "before=<Plan: cut '1', span 2>"
    assert repr(nested) == f"thaw_last(epochs=1, inner=from_epoch(epoch=2, inner={inner}, {before}))"
    chosen = ll.by_statistic(SPEC, "snr", 0.5, every=2)
    assert repr(chosen) == f"by_statistic(spec={SPEC}, statistic='snr', budget=0.5, every=2)"
    again = redraw(SPEC, 0.5, seed=3)
    assert drawn == again and hash(drawn) == hash(again) and drawn != redraw(SPEC, 0.5, seed=4)


def test_schedules_can_be_sent_to_another_process() -> None:
    for schedule in (thaw_last(1, redraw(SPEC, 0.5)), ll.by_statistic(SPEC, "magnitude", 0.5, warmup=2)):
        twin = pickle.loads(pickle.dumps(schedule))
        assert twin == schedule and zones_of(from_epoch(3, dense(SPEC), twin)) == zones_of(
            from_epoch(3, dense(SPEC), schedule)
        )


def test_what_a_schedule_says_of_itself_does_not_change_it() -> None:
    schedule = redraw(SPEC, 0.5)
    schedule.describe()["redraw"]["share"] = 1
    assert schedule == redraw(SPEC, 0.5) and schedule.describe()["redraw"]["share"] == 0.5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: from_epoch(0, LAYER_0), r"epoch must be a whole number of at least 1, or a share of the .*, got 0"),
        (lambda: thaw_last(1.5, LAYER_0), r"epochs must be a whole number of at least 1, or a share .*, got 1.5"),
        (lambda: from_epoch(2, zone(SPEC, layer=0)), r"expected a plan, .* or a schedule; got a Zone"),
        (lambda: alternate([]), r"at least one; got \[\]"),
        (lambda: alternate(LAYER_0), r"alternate\(\) takes a list of plans"),
        (lambda: alternate([LAYER_0], every="step"), r"every is 'step'; give 'epoch' or a number of steps"),
        (lambda: alternate([LAYER_0], every=0), r"every must be a whole number of at least 1, got 0"),
        (lambda: alternate([LAYER_0, dense(ll.Spec(1, (1,), 1))]), r"are for one network, not for Spec.* and Spec"),
        (lambda: redraw(SPEC, 1.5), r"share is 1.5; it must be a number from 0 to 1"),
        (lambda: redraw(SPEC, 0.5, seed=-1), r"seed must be a whole number of at least 0, got -1"),
        (lambda: redraw(SPEC, 0.5, by="layer"), r"by is 'layer'; the choices are gate, unit"),
        (lambda: redraw(SPEC, 0.5, depth="deep"), r"depth is 'deep'; the choices are"),
        (lambda: redraw(SPEC, 0.5, depth="cache"), r"depth 'cache' needs layers that stay isolated"),
        (lambda: redraw(SPEC, 0.5, span=0), r"span must be a whole number"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


# ------------------------------------------------------------------------------------------------------- training

SCHEDULES = {
    "plan": LAYER_1,
    "from epoch": from_epoch(3, LAYER_0),
    "thaw last": thaw_last(1, LAYER_0),
    "alternate": alternate([LAYER_0, dense(SPEC), LAYER_1], every=2),
    "redraw": redraw(SPEC, 0.5, every=2, seed=3),
    "cache": HEAD_ALONE,
    "cache in turn": alternate([HEAD_ALONE, dense(SPEC)], every=2),
    "then cache": from_epoch(2, HEAD_ALONE),
}


@pytest.fixture
def data(rng: np.random.Generator) -> tuple[Any, Any]:
    x = rng.standard_normal((17, 5, 2)).astype("float32")
    return x, x[:, -1, :1] - 0.5 * x[:, 0, 1:]


def run(data: Any, isolation: Any, epochs: int = EPOCHS, **options: Any) -> ll.Record:
    return ll.fit(SPEC, data, data, epochs=epochs, batch=6, isolation=isolation, progress=False, **options)


@pytest.mark.parametrize("name", SCHEDULES)
def test_fit_follows_the_schedule_step_by_step(name: str, data: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    backward = steps.backward

    def watched(spec: Any, params: Any, trace: Any, dy: Any, *plan: Any) -> Any:
        seen.extend(plan)  # none while it makes ready
        return backward(spec, params, trace, dy, *plan)

    monkeypatch.setattr(steps, "backward", watched)
    run(data, SCHEDULES[name])
    moments = [Moment(e + 1, EPOCHS, e * STEPS + k) for e in range(EPOCHS) for k in range(STEPS)]
    expected = [plan_at(SCHEDULES[name], SPEC, moment) for moment in moments]
    assert [(str(p.zone), p.depth, p.span) for p in seen] == [
        (str(p.zone), p.depth, p.span) for p in expected
    ]


@pytest.mark.parametrize("name", SCHEDULES)
def test_resuming_under_a_schedule_changes_no_bit(name: str, data: Any) -> None:
    whole = run(data, SCHEDULES[name])
    part = run(data, SCHEDULES[name], callbacks=[lambda now: now.epoch == 2])
    assert (part.stopped != "", len(part.history)) == (True, 2)
    resumed = run(data, SCHEDULES[name], resume=part)
    identical(resumed.params, whole.params)
    assert resumed.history.drop(columns="seconds").equals(whole.history.drop(columns="seconds"))


def test_isolated_arcs_never_move_and_thawed_ones_do(data: Any) -> None:
    start = ll.init_params(SPEC, seed=0)
    for name in ("plan", "cache"):
        found = run(data, SCHEDULES[name]).params
        z = SCHEDULES[name].zone
        assert all(found[k][z.mask(k)].tobytes() == start[k][z.mask(k)].tobytes() for k in start)
        assert any((found[k] != start[k]).any() for k in start)
    thawed = run(data, thaw_last(1, LAYER_0)).params
    assert all((thawed[k] != start[k]).any() for k in start if k.startswith("0/"))


def test_a_run_that_depends_on_its_length_cannot_be_made_longer(data: Any) -> None:
    for isolation, longer in (
        (from_epoch(2, LAYER_0), True),
        (alternate([thaw_last(1, LAYER_0), LAYER_1]), False),
        (from_epoch(2, thaw_last(1, LAYER_0)), False),
    ):
        short = run(data, isolation, epochs=2)
        if longer:
            identical(run(data, isolation, resume=short).params, run(data, isolation).params)
        else:
            with pytest.raises(
                ValueError, match=r"settings \(epochs: 2 then, 4 now\); .* depends on the number"
            ):
                run(data, isolation, resume=short)


def test_another_schedule_is_another_setting(data: Any, tmp_path: Any) -> None:
    described = [schedule.describe() for schedule in SCHEDULES.values()]
    described += [redraw(SPEC, 0.5, seed=4, every=2).describe(), redraw(SPEC, 0.5, seed=3).describe()]
    assert all(a != b for k, a in enumerate(described) for b in described[:k])
    record = ll.Record.load(run(data, SCHEDULES["redraw"], epochs=1).save(tmp_path / "run"))
    with pytest.raises(ValueError, match=r"cannot resume with other settings \(isolation: "):
        run(data, redraw(SPEC, 0.5, every=2, seed=4), resume=record)
    assert len(run(data, SCHEDULES["redraw"], epochs=2, resume=record).history) == 2


def test_a_schedule_for_another_network_is_refused(data: Any) -> None:
    with pytest.raises(ValueError, match=r"the isolation plan was made for Spec"):
        run(data, redraw(ll.Spec(2, (3,), 1), 0.5))
