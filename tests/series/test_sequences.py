"""Sequences: which rows they read and are compared with, how a round lays them, streams, and what is refused."""

import dataclasses
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lstm_lib as ll
from tests.cases import identical

PARTS = ("train", "valid", "test")


def series(values, target=None, name="load"):
    """A series of two columns: the target, with gaps where `values` has them, and a known one."""
    index = pd.date_range("2021-03-01", periods=len(values), freq="h", tz="UTC", name="time")
    frame = pd.DataFrame({"load": values, "other": np.arange(len(values)) % 7.0}, index)
    return ll.Series("demo", frame, "load", "kW")


def holed(n, holes):
    values = np.sin(np.arange(float(n))) + 3
    values[list(holes)] = np.nan
    return values


@st.composite
def splits(draw):
    """Any length, warm-up and horizon; gaps in the target, which may be an input or not."""
    n = draw(st.integers(90, 160))
    given = series(holed(n, draw(st.sets(st.integers(0, n - 1), max_size=6))))
    length = draw(st.integers(1, 9))
    options = {
        "horizon": draw(st.integers(1, 4)), "steps": draw(st.sampled_from(["last", "all"])),
        "inputs": draw(st.sampled_from([None, ["other"]])), "lookback": draw(st.integers(1, 8)),
        "stateful": draw(st.booleans()), "split": (0.5, 0.25, 0.25),
    }  # fmt: skip
    return ll.sequences(given, length, draw(st.integers(0, length - 1)), **options)


def counted(part):
    """The target rows that count, (M, S)."""
    return part.target_rows[part.weights(slice(None)) > 0]


@given(splits(), st.integers(0, 99), st.integers(1, 5))
def test_a_round_serves_rows_that_are_there_each_once(split, seed, batch):
    first = 0
    for name in PARTS:
        given_part, size = getattr(split, name), split.counts.loc[name, "rows"]
        assert split.counts.loc[name, "first"] == first
        part, order = given_part.round(np.random.default_rng(seed), batch)
        for round in (given_part, part):
            assert np.isin(round.starts, round.places).all()
            x, y = round.take(slice(None))
            assert np.isfinite(x).all() and np.isfinite(y).all()
            rows = counted(round)
            assert rows.min() >= first and rows.max() < first + size
            assert len(np.unique(rows[:, 0])) == len(rows)
            windows = round.windows
            identical(y[round.weights(slice(None)) > 0], windows.along(windows.targets, rows))
            identical(x, windows.values[round.starts[:, None] + np.arange(round.length)])
        assert sorted(np.concatenate(order)) == list(range(len(part)))
        assert max(map(len, order)) <= batch
        first += size


@given(splits(), st.integers(0, 99), st.integers(1, 5))
def test_a_sequence_that_is_not_fresh_goes_on_from_the_one_before_it_in_its_stream(split, seed, batch):
    part, order = split.train.round(np.random.default_rng(seed), batch)
    assert part.stateful or part.fresh.all()
    assert part.fresh[order[0]].all()
    for before, now in pairwise(order):
        assert len(now) <= len(before)
        if part.stateful:
            goes_on = ~part.fresh[now]
            assert (part.starts[now][goes_on] == part.starts[before[: len(now)]][goes_on] + part.length).all()
    warm = part.weights(slice(None))[:, : part.warmup]
    assert (warm == ~part.fresh[:, None]).all()


@given(splits())
def test_offsets_serve_every_target_in_the_end(split):
    """Every step that could count in a sequence at any place does so in some round."""
    rng, part, seen = np.random.default_rng(0), split.train, set()
    possible = {place + step for place in part.places for step in range(part.warmup, part.length)}
    for _ in range(200):
        seen |= set((counted(part.round(rng, 3)[0])[:, -1] - part.windows.ahead[-1]).tolist())
    assert seen >= possible
    assert part.stateful or seen == possible


def test_sequences_are_shuffled_and_streams_are_not():
    given = ll.load_series("fontana")
    for stateful in (False, True):
        part = ll.sequences(given, stateful=stateful).train
        orders = [np.concatenate(part.round(np.random.default_rng(seed), 8)[1]) for seed in (1, 1, 2)]
        identical(orders[0], orders[1])
        steps = np.diff(part.starts[orders[0][: len(part) // 8 * 8 : 8]])
        assert (steps > 0).all() == stateful


def test_the_parts_the_scaling_and_the_hours_are_those_of_windows():
    given = ll.load_series("fontana")
    for options in ({}, {"horizon": 3, "steps": "all"}, {"inputs": ["power"], "split": (0.5, 0.2, 0.3)}):
        ours, others = ll.sequences(given, lookback=24, **options), ll.windows(given, lookback=24, **options)
        pd.testing.assert_frame_equal(ours.scaling, others.scaling)
        assert ours.inputs == others.inputs
        pd.testing.assert_frame_equal(ours.counts[["first", "rows"]], others.counts[["first", "rows"]])
        for name in PARTS:
            one, other = getattr(ours, name).windows, getattr(others, name)
            identical(one.starts, other.starts)
            assert one.times.equals(other.times)
            identical(one.values, other.values)
        y = others.test.y
        identical(ours.unscale(y), others.unscale(y))


def test_a_sequence_of_a_window_and_no_more_is_that_window():
    given = ll.load_series("fontana")
    ours = ll.sequences(given, length=24, warmup=23, horizon=2).test
    window = ll.windows(given, lookback=24, horizon=2).test
    identical(ours.places, window.starts)
    identical(ours.x, window.x.copy())
    identical(ours.y[:, -1], window.y)
    assert (ours.times[:, -1] == window.times.to_numpy()).all()


def test_what_is_missing_where_nothing_counts_is_no_gap():
    values = holed(60, [20])
    ours = ll.sequences(series(values), 8, 4, inputs=["other"], lookback=4, split=(0.6, 0.2, 0.2)).train
    assert {16, 17, 18, 19} <= set(ours.places)  # row 20 is the target of one of their warm-up's steps
    assert not {12, 13, 14, 15} & set(ours.places)
    at = dataclasses.replace(ours, starts=np.array([17]), fresh=np.array([True]))
    assert at.y[0, 2] == 0
    assert at.weights([0])[0].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]


def test_parts_and_splits_say_what_they_are():
    split = ll.sequences(ll.load_series("fontana"), stateful=True)
    assert "streams of 48 steps, warm-up 12" in repr(split.train)
    assert repr(split).startswith("Split of 'fontana', inputs ")
    assert repr(split).count("\n") == 3
    assert ll.sequences(ll.load_series("fontana")).train.describe() == "sequences of 48 steps, warm-up 12"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"length": 0}, "length=0 was given; .* 1 or more"),
        ({"warmup": -1}, "warmup=-1 was given; .* 0 or more"),
        ({"length": 12}, r"warmup=12 has to be less than length=12: no step would have a target"),
        (
            {"length": 4000},
            "no sequence is left in the valid part: .* a sequence needs 4001; .* smaller length",
        ),
        ({"length": 10**6}, r"one sequence needs length \+ horizon = 1000000 \+ 1"),
        ({"horizon": 0}, "horizon=0 was given"),
        ({"lookback": 0}, "lookback=0 was given"),
        ({"steps": "some"}, "There is no steps 'some'"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, said):
    with pytest.raises(ll.series.SeriesError, match=said):
        ll.sequences(ll.load_series("fontana"), **arguments)


def test_only_a_series_is_cut():
    with pytest.raises(
        ll.series.SeriesError, match=r"sequences\(\) takes a Series, from load_series\(...\); got ndarray"
    ):
        ll.sequences(np.zeros(100))
