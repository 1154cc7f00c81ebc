"""Every transition of the demonstrator's state, in plain Python: no widget, no browser, no training."""

from __future__ import annotations

import inspect
import io
import json
import subprocess
import sys
import zipfile
from dataclasses import asdict, replace

import numpy as np
import pytest
from scipy import stats

import lstm_lib as ll
from lstm_lib.lab import Run, Settings, new, transitions
from lstm_lib.lab.choice import Choice
from lstm_lib.lab.files import from_zip, to_csv, to_zip
from lstm_lib.lab.price import PARTS, plans, price
from lstm_lib.lab.runs import Trained, band, dense_of, difference, table
from lstm_lib.lab.settings import LastRows, read_units
from lstm_lib.lab.state import Live, State, attempt, isolation, lacking_dense
from lstm_lib.lab.training import jobs
from lstm_lib.lab.transitions import (
    clear,
    end,
    finish,
    follow,
    invert,
    load_runs,
    pick,
    select,
    show_forecasts,
    toggle,
    undo,
    with_blocks,
    with_depth,
    with_schedule,
    with_seeds,
    with_settings,
    with_span,
)  # fmt: skip
from lstm_lib.training.schedules import Moment, Schedule, plan_at

SMALL = Settings(units=(8, 4), epochs=3)
SHORT = replace(SMALL, task=LastRows(length=24))


@pytest.fixture
def state() -> State:
    return new(SMALL)


def a_run(
    name: str = "1 dense", rmse: float | tuple[float, ...] = 0.5, zone: str = "nothing", span: int | None = None,
    **other: object,
) -> Run:  # fmt: skip
    """A run with an error of each seed."""
    number, _, what = name.partition(" ")
    params = ll.init_params(SMALL.spec)
    config = {"seed": 0, "batch": 32, "steps": 72, "optimizer": asdict(SMALL.adam)}
    record = ll.Record.begin(SMALL.spec, config, params, SMALL.adam.init(params), watch=True)
    errors = rmse if isinstance(rmse, tuple) else (rmse,)
    given = {
        "number": int(number), "what": what, "settings": SMALL, "choice": Choice(zone, "skip", span), "arcs": 0.0,
        "predicted": 1.0, "measured": 1.0, "unit": "kW",
        "trained": tuple(Trained(k, ((1.0, 0.6), (2.0, error)), record) for k, error in enumerate(errors)),
    }  # fmt: skip
    return Run(**(given | other))


# ----------------------------------------------------------------------------------------------------- selection


def test_a_click_isolates_and_the_next_releases(state):
    once = toggle(state, "0/Wh/f[0:4]")
    assert str(once.zone) == "0/Wh/f[0:4]"
    assert toggle(once, "0/Wh/f[0:4]").zone == state.zone


def test_a_click_on_what_is_isolated_in_part_isolates_the_rest(state):
    some = toggle(state, "0/Wh/f[0:4]")
    assert str(toggle(some, "0/Wh/f").zone) == "0/Wh/f"
    assert str(toggle(toggle(some, "0/Wh/f"), "0/Wh/f[4:8]").zone) == "0/Wh/f[0:4]"


def test_selecting_everything_and_its_inverse(state):
    assert invert(state).zone == ll.everything(state.spec)
    assert invert(invert(state)).zone == state.zone
    one = toggle(state, "1")
    assert invert(one).zone == ~one.zone
    assert clear(one).zone.size == 0


def test_undo_takes_back_one_change_at_a_time(state):
    seen = [state]
    for change in (lambda s: toggle(s, "0"), invert, clear, lambda s: pick(s, "1/Wh")):
        seen.append(change(seen[-1]))
    last = seen[-1]
    for before in reversed(seen[:-1]):
        last = undo(last)
        assert last.zone == before.zone
    assert undo(last) is last


def test_what_changes_nothing_is_nothing_to_undo(state):
    assert clear(state) is state
    assert pick(state, "  ") is state
    one = toggle(state, "0")
    assert select(one, one.zone).past == one.past


def test_undo_remembers_only_so_much(state):
    for _ in range(transitions.MOST_UNDO + 5):
        state = invert(state)
    assert len(state.past) == transitions.MOST_UNDO


@pytest.mark.parametrize(
    "text", ["0/Wh/f[0:3] | 0/Wx/g", "1[0:2] | head", "everything", "nothing", "0/Wx[:;1]"]
)
def test_the_text_of_a_selection_reads_back(state, text):
    chosen = pick(state, text)
    assert pick(clear(chosen), str(chosen.zone)).zone == chosen.zone


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0/Wq", "Wq"),
        ("5", "the layers are"),
        ("0/Wh/f[0:99]", "0..7"),
        ("hello", "can't read the term 'hello'"),
    ],
)
def test_a_bad_text_is_a_message_and_changes_nothing(state, text, says):
    before = finish(toggle(state, "0"), a_run())
    after = attempt(before, pick, text)
    assert says in after.message and after.wrong
    assert replace(after, message="", wrong=False) == before


def test_the_next_success_takes_the_message_away(state):
    wrong = attempt(state, pick, "hello")
    assert attempt(wrong, toggle, "0").message == ""


# -------------------------------------------------------------------------------------------------- how to isolate


def test_the_plan_follows_depth_and_span(state):
    chosen = with_span(with_depth(pick(state, "0"), "skip"), 10)
    plan = isolation(chosen)
    assert (plan.depth, plan.span, plan.zone) == ("skip", 10, chosen.zone)
    assert with_span(chosen, SMALL.task.unrolled).choice.span is None


@pytest.mark.parametrize(
    ("transition", "given", "says"),
    [
        (with_depth, ("freeze",), "hold, skip, cut, cache"),
        (with_span, (0,), "from 1 to 48"),
        (with_span, (49,), "from 1 to 48"),
        (with_schedule, (4, False), "from 1 to 3"),
        (with_schedule, (0, False), "from 1 to 3"),
        (with_blocks, (0,), "at least 1"),
        (show_forecasts, ("a", "b", 0), "none yet"),
        (load_runs, (b"nonsense",), "not a file of runs"),
    ],
)
def test_what_cant_be_done_says_what_can(state, transition, given, says):
    after = attempt(state, transition, *given)
    assert says in after.message and after.wrong
    assert replace(after, message="", wrong=False) == state


def test_a_depth_that_does_not_fit_the_selection_says_why(state):
    with pytest.raises(ValueError, match="layer 0"):
        price(with_depth(pick(state, "0/Wh"), "cache"))
    assert isolation(with_depth(pick(state, "0"), "cache")).cached == 1


def test_isolation_starts_at_its_epoch(state):
    schedule = isolation(with_schedule(pick(state, "0"), 2, False))
    found = [str(plan_at(schedule, state.spec, Moment(epoch, 3, 0)).zone) for epoch in (1, 2, 3)]
    assert found == ["nothing", "0", "0"]


def test_redrawn_blocks_are_as_many_as_are_hatched(state):
    half = with_schedule(with_blocks(pick(state, "0[0:4] | 1[0:2]"), 4), 1, True)
    schedule = isolation(half)
    assert isinstance(schedule, Schedule)
    zones = [schedule.plan_at(Moment(epoch, 3, 0)).zone for epoch in (1, 2, 3)]
    assert {zone.size for zone in zones} == {half.zone.size}
    assert half.choice.drawn_share(half.spec) == 0.5
    assert pick(half, "0[0:6] | 1[0:3]").choice.drawn_share(half.spec) == 0.75
    assert pick(half, "head").choice.drawn_share(half.spec) == 0
    assert zones[0] != zones[1] or zones[1] != zones[2]


# ------------------------------------------------------------------------------------------------------------ price


def test_nothing_isolated_costs_what_dense_costs(state):
    found = price(state)
    assert all(dense == isolated for dense, isolated in found.parts.values())
    assert sum(dense for dense, _ in found.parts.values()) == pytest.approx(100)
    assert (found.step, found.whole, found.arcs, found.adam) == (1, 1, 0, found.adam_dense)


@pytest.mark.parametrize("text", ["0", "0/Wh/f[0:4]", "head", "everything", "0[0:4] | 1[0:2]"])
@pytest.mark.parametrize("depth", ["hold", "skip", "cut"])
def test_the_price_is_that_of_the_plan(state, text, depth):
    chosen = with_span(with_depth(pick(state, text), depth), 24)
    found, isolated = price(chosen), ll.isolate(chosen.spec, chosen.zone, depth, 24)
    dense = ll.isolate(chosen.spec, ll.nothing(chosen.spec)).cost(48, 16, output="every")
    assert found.step == isolated.cost(48, 16, output="every").speed_up(dense)
    assert tuple(found.parts) == PARTS
    for part, (_, value) in found.parts.items():
        assert value == pytest.approx(
            100 * getattr(isolated.cost(48, 16, output="every").seconds, part) / dense.seconds.total
        )
    assert found.arcs == chosen.zone.share
    assert found.adam == 8 * (chosen.spec.size - chosen.zone.size)


def test_a_later_start_saves_less(state):
    chosen = pick(state, "0 | 1")
    whole = [price(with_schedule(chosen, epoch, False)).whole for epoch in (1, 2, 3)]
    step = price(chosen).step
    assert whole == pytest.approx([step, 3 / (1 + 2 / step), 3 / (2 + 1 / step)])


def test_the_price_says_what_does_not_learn(state):
    assert "nothing is learned" in price(pick(state, "everything")).notes[0]
    assert "no error reaches" in price(with_depth(pick(state, "head/W"), "cut")).notes[-1]


def test_both_plans_of_a_redrawn_schedule(state):
    half = with_schedule(with_blocks(pick(state, "0[0:4] | 1[0:2]"), 2), 3, True)
    dense, drawn = plans(half.spec, half.choice, 3)
    assert dense.zone.size == 0 and drawn.zone.size > 0


# --------------------------------------------------------------------------------------------------------- settings


def test_the_selection_stays_where_the_new_network_has_its_arcs(state):
    chosen = pick(state, "0/Wh/f[0:4]")
    larger = with_settings(chosen, replace(SMALL, units=(16, 4)))
    assert (str(larger.zone), larger.message) == ("0/Wh/f[0:4]", "")
    smaller = with_settings(chosen, replace(SMALL, units=(2,)))
    assert smaller.zone.size == 0 and "cleared" in smaller.message


def test_other_epochs_keep_selection_and_undo(state):
    chosen = with_schedule(pick(state, "0"), 3, False)
    shorter = with_settings(chosen, replace(SMALL, epochs=2))
    assert (shorter.zone, shorter.past, shorter.choice.from_epoch) == (chosen.zone, chosen.past, 2)


def test_a_span_beyond_a_shorter_lookback_is_no_limit(state):
    chosen = with_span(state, 36)
    assert with_settings(chosen, SHORT).choice.span is None
    assert with_settings(chosen, replace(SMALL, seed=2)).choice.span == 36


@pytest.mark.parametrize(
    ("given", "says"),
    [({"units": ()}, "units"), ({"units": (0,)}, "units"), ({"epochs": 0}, "epochs"), ({"seed": -1}, "seed"),
     ({"cell": "lstm"}, "cell"), ({"batch": 0}, "batch"), ({"lr": -1.0}, "lr")],
)  # fmt: skip
def test_settings_that_cant_be_are_refused(given, says):
    with pytest.raises(ValueError, match=says):
        replace(SMALL, **given)


@pytest.mark.parametrize(
    ("given", "says"), [({"share": 0.0}, "share"), ({"share": 1.5}, "share"), ({"series": ""}, "file")]
)
def test_rows_that_cant_be_are_refused(given, says):
    with pytest.raises(ValueError, match=says):
        LastRows(**given)


@pytest.mark.parametrize("text", ["", "a", "64,x", "-3", "6.5"])
def test_units_that_cant_be_read_are_refused(text):
    with pytest.raises(ValueError, match="one whole number for each layer"):
        read_units(text)


# ------------------------------------------------------------------------------------------- training and its results


def test_a_training_is_followed_and_leaves_a_row(state):
    live = Live(SMALL, "epoch 1 of 3", 0.1, 9.0, (("1 dense", ((0.5, 0.8),)),))
    followed = follow(state, live)
    assert followed.live == live and followed.runs == ()
    done = end(finish(followed, a_run()))
    assert done.live is None and [run.name for run in done.runs] == ["1 dense"]
    assert done.shown == ("1 dense", "1 dense")
    assert end(finish(done, a_run("2 head"))).shown == ("1 dense", "2 head")


def test_a_failure_loses_no_run(state):
    before = finish(follow(state, Live(SMALL)), a_run())
    after = end(before, "The training ended: no memory", wrong=True)
    assert after.runs == before.runs and after.live is None and after.wrong


def test_a_dense_run_is_needed_once_for_each_seed_and_settings(state):
    chosen = with_seeds(pick(state, "0"), 3)
    assert lacking_dense(chosen) == [0, 1, 2]
    assert lacking_dense(finish(chosen, a_run())) == [1, 2]
    assert lacking_dense(finish(chosen, a_run(rmse=(0.5, 0.6, 0.7)))) == []
    assert lacking_dense(finish(chosen, a_run(stopped="stopped in epoch 1 of 3"))) == [0, 1, 2]
    assert lacking_dense(with_settings(finish(chosen, a_run()), replace(SMALL, seed=1))) == [1, 2, 3]
    assert lacking_dense(finish(with_seeds(with_span(state, 5), 1), a_run("1 span", span=5))) == [0]


def test_more_seeds_of_the_dense_run_go_to_the_run_that_there_is(state):
    dense, chosen = jobs(finish(with_seeds(pick(state, "0"), 3), a_run()))
    assert (dense.name, dense.seeds, [one.seed for one in dense.before]) == ("1 dense", [1, 2], [0])
    assert (chosen.name, chosen.seeds, chosen.before) == ("2 0 cut", [0, 1, 2], ())


def names(state: State) -> list[str]:
    return [job.name for job in jobs(state)]


def test_names_of_runs_count_on(state):
    assert names(state) == ["1 dense"]
    assert names(pick(state, "0")) == ["1 dense", "2 0 cut"]
    assert names(finish(with_span(state, 5), a_run("7 dense"))) == ["8 span 5"]
    long = pick(state, "0/Wh/f[0:3] | 1/Wx/g | head/W")
    assert "% of arcs" in long.choice.short(long.spec)
    drawn = with_schedule(with_span(pick(state, "0"), 5), 1, True)
    assert drawn.choice.short(drawn.spec) == "75 % redrawn cut span 5"


def test_the_table_compares_with_the_dense_run_of_the_same_settings():
    other = replace(SMALL, seed=5)
    runs = (a_run(), a_run("2 cut", zone="0", rmse=0.55), a_run("3 cut", zone="0", settings=other))
    found = table(runs)
    assert found["to dense %"].round(6).tolist()[:2] == [0.0, 10.0] and np.isnan(found["to dense %"][2])
    assert dense_of(runs, other) is None
    assert to_csv(runs).decode().splitlines()[2].startswith("2 cut,0,skip,")


def test_a_difference_is_paired_by_seed_and_has_students_interval():
    dense, run = a_run(rmse=(0.5, 0.6, 0.8)), a_run("2 cut", zone="0", rmse=(0.51, 0.606, 0.832))
    percent = np.array([2.0, 1.0, 4.0])
    found = difference(run, dense)
    reach = stats.t.ppf(0.975, 2) * percent.std(ddof=1) / np.sqrt(3)
    assert found == pytest.approx((percent.mean(), percent.mean() - reach, percent.mean() + reach), rel=1e-3)
    assert not found.sure and difference(a_run("2 cut", rmse=(0.6, 0.72, 0.96)), dense).sure
    some = replace(run, trained=run.trained[:2])
    assert difference(some, dense).percent == pytest.approx(1.5)
    alone = difference(run, a_run(rmse=0.5))
    assert alone.percent == pytest.approx(2.0) and np.isnan(alone.low) and not alone.sure
    assert np.isnan(difference(run, None).percent)


def test_a_band_reaches_from_the_least_to_the_largest_error():
    found = band([((1.0, 0.5), (2.0, 0.4)), ((3.0, 0.7), (4.0, 0.6)), ((2.0, 0.9),)])
    assert found.tolist() == [[2.0, pytest.approx(0.7), 0.5, 0.9]]


def test_runs_saved_and_loaded_are_the_same(state):
    runs = (
        a_run(),
        a_run("2 cut", zone="0[0:4]", span=24, measured=float("nan"), stopped="stopped in epoch 2 of 3",
              rmse=(0.5, 0.4),
              settings=replace(SMALL, task=LastRows("b.csv", target="load", reading={"columns": ["air"]}))),
    )  # fmt: skip
    back = from_zip(to_zip(runs))
    for a, b in zip(runs, back, strict=True):
        assert repr(a) == repr(b) and a.settings == b.settings
        assert [one[:2] for one in a.trained] == [one[:2] for one in b.trained]
        assert (a.record.spec, a.record.config) == (b.record.spec, b.record.config)
        for params in (b.record.params, b.record.best_params):
            assert a.record.params.keys() == params.keys()
            assert all(np.array_equal(a.record.params[k], p) for k, p in params.items())
    loaded = load_runs(finish(state, a_run()), to_zip(runs))
    assert [run.name for run in loaded.runs] == ["1 dense", "2 dense", "3 cut"]
    assert "2 runs" in loaded.message


def zipped(about: str, record: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as folder:
        folder.writestr("runs.json", about)
        folder.writestr("0-0.npz", record)
    return file.getvalue()


@pytest.fixture(scope="module")
def parts() -> tuple[dict[str, object], bytes]:
    """What stands in the file of a run: what is said of it, and its record."""
    with zipfile.ZipFile(io.BytesIO(to_zip([a_run()]))) as folder:
        return json.loads(folder.read("runs.json"))[0], folder.read("0-0.npz")


@pytest.mark.parametrize(
    "change",
    [{"number": "dense"}, {"settings": None}, {"settings": {}}, {"settings": {"task": {"serie": "sceaux"}}},
     {"trained": {"0": []}}, {"trained": {"0": [[1]]}}, {"trained": {}}, {"trained": {"1": [[1, 2]]}},
     {"trained": {"../0": [[1, 2]]}}, {"hello": 1}, {"what": None}, {"what": "a\nb"}, {"choice": {"zone": "9/Wx"}},
     {"choice": {"zone": 1}}, {"choice": {"depth": "deep"}}, {"choice": {"span": "3"}}, {"choice": {"span": 0}},
     {"choice": {"redraw": 1}}, {"choice": {"from_epoch": 0}}, {"choice": {"hello": 1}}, {"choice": {"zone": "0\n"}},
     {"arcs": "many"}, {"arcs": 7}, {"predicted": None}, {"trained": {"0": [[1, float("nan")]]}}, {"unit": ["kW"]},
     {"stopped": 1}, {"number": -1}, {"choice": None}],
)  # fmt: skip
def test_a_run_that_is_none_of_ours_is_refused(parts, change):
    about, record = parts
    assert from_zip(zipped(json.dumps([about]), record))[0].name == "1 dense"
    with pytest.raises(ValueError, match="not a file of runs"):
        from_zip(zipped(json.dumps([about | change]), record))


def test_a_run_of_another_network_than_its_settings_say_is_refused(parts):
    about, record = parts
    settings = about["settings"] | {"units": [7]}
    with pytest.raises(ValueError, match=r"its record is of .*, its settings say"):
        from_zip(zipped(json.dumps([about | {"settings": settings}]), record))


def test_a_damaged_file_of_runs_is_refused(rng):
    whole = to_zip([a_run()])
    for _ in range(200):
        damaged = bytearray(whole)
        at = int(rng.integers(len(whole)))
        damaged[at : at + 8] = rng.bytes(len(damaged[at : at + 8]))
        try:
            (run,) = from_zip(bytes(damaged))
        except ValueError as error:
            assert "not a file of runs" in str(error)  # noqa: PT017
            continue
        assert run.name == "1 dense"


@pytest.mark.parametrize("about", ['{"a": 1}', "[]x", "[1]", '[{"number": 1}]'])
def test_a_file_that_is_none_of_ours_is_refused(parts, about):
    with pytest.raises(ValueError, match="not a file of runs"):
        from_zip(zipped(about, parts[1]))


def test_a_record_that_is_none_is_refused(parts):
    empty = io.BytesIO()
    np.savez(empty)
    with pytest.raises(ValueError, match="not a file of runs"):
        from_zip(zipped(json.dumps([parts[0]]), empty.getvalue()))


def test_a_file_of_runs_is_about_as_large_as_their_parameters():
    """Jupyter takes no upload above 10 MB."""
    big = Settings()
    params = ll.init_params(big.spec)
    record = ll.Record.begin(big.spec, {}, params, big.adam.init(params), watch=True)
    assert (
        len(to_zip([a_run(settings=big, trained=(Trained(0, ((1.0, 0.5),), record),))]))
        < 1.2 * 4 * big.spec.size
    )


def test_forecasts_of_runs_that_are_there(state):
    both = finish(finish(state, a_run()), a_run("2 cut"))
    assert show_forecasts(both, "2 cut", "1 dense", 3).shown == ("2 cut", "1 dense")
    assert "the runs are 1 dense, 2 cut" in attempt(both, show_forecasts, "9", "1 dense", 0).message


def test_every_transition_leaves_the_state_it_was_given(state):
    """A state is frozen, and so is what it holds: a transition can only make another."""
    busy = finish(follow(pick(state, "0/Wh"), Live(SMALL)), a_run())
    before = (repr(busy.zone), busy.past, busy.runs, busy.live)
    given = {
        "toggle": ("1",), "pick": ("1",), "select": (state.zone,), "with_depth": ("skip",), "with_span": (3,),
        "with_schedule": (2, True), "with_settings": (replace(SMALL, units=(5,)),), "with_blocks": (2,),
        "follow": (Live(SHORT),), "finish": (a_run("2"),), "end": (), "clear": (), "undo": (),
        "invert": (), "in_language": ("fr",), "hide": ("depth",), "with_seeds": (3,), "load_runs": (to_zip([a_run()]),),
        "with_statistic": ("random",), "by_budget": (0.3, "arcs", "unit"),
        "show_forecasts": ("1 dense", "1 dense", 1), "look_back": (0,), "refuse_settings": ("why",),
    }  # fmt: skip
    named = {
        name for name, f in inspect.getmembers(transitions, inspect.isfunction)
        if f.__module__ == transitions.__name__ and not name.startswith("_")
        and inspect.signature(f).return_annotation == "State"
    } - {"new", "attempt"}  # fmt: skip
    assert named == set(given)
    for name, arguments in given.items():
        assert isinstance(attempt(busy, getattr(transitions, name), *arguments), State)
        assert (repr(busy.zone), busy.past, busy.runs, busy.live) == before, name


def test_the_pure_part_loads_no_widgets():
    code = "import sys, lstm_lib.lab.price, lstm_lib.lab.grid, lstm_lib.lab.training; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"ipywidgets", "anywidget", "matplotlib", "IPython"} & set(done.stdout.split())
