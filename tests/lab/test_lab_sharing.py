"""Presets, the gradient they leave, and a state as text, address, code, report and kept runs: no widget."""

from __future__ import annotations

import ast
import json
import os
import re
import time
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd
import pytest

import lstm_lib as ll
from lstm_lib.isolation.plan import DEPTHS
from lstm_lib.lab import Settings, keeping, new, texts
from lstm_lib.lab.challenges import best
from lstm_lib.lab.choice import Choice
from lstm_lib.lab.presets import PRESETS, preset
from lstm_lib.lab.price import price
from lstm_lib.lab.readout import errors, readout
from lstm_lib.lab.report import POLICY, report
from lstm_lib.lab.runs import Run, Trained
from lstm_lib.lab.settings import LastRows
from lstm_lib.lab.sharing import MOST_CHARACTERS, TYPES, as_code, from_search, from_text, to_search, to_text
from lstm_lib.lab.state import State, attempt
from lstm_lib.lab.strip import strip
from lstm_lib.lab.tour import STEPS, tour
from lstm_lib.lab.training import jobs, train_all
from lstm_lib.lab.transitions import (
    in_language,
    load_runs,
    pick,
    with_blocks,
    with_depth,
    with_schedule,
    with_seeds,
    with_settings,
    with_span,
)
from lstm_lib.network.cells import CELLS
from lstm_lib.series.sequences import windows_of
from lstm_lib.training.statistics import STATISTICS

LITTLE = LastRows(share=0.25)
SMALL = Settings(task=LITTLE, units=(6,), epochs=1)


def changed(**other: Any) -> State:
    return new(replace(SMALL, **other))


# --------------------------------------------------------------------------------------------------------- presets


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_makes_something_that_can_be_priced(cell, name):
    start = pick(changed(cell=cell, units=(64, 32), epochs=6), "0[0:48] | 1[0:24]")
    after = attempt(start, preset, name)
    if cell == "rnn" and name == "f and i rest":
        assert after.wrong and "no gates" in after.message
        return
    assert not after.wrong, after.message
    assert price(after).whole > 0.5 and np.isfinite(readout(after).cosine)


def test_what_the_presets_select():
    start = changed(units=(16, 8), epochs=6)
    assert preset(start, "f and i rest").zone == ll.read_zone(start.spec, "0/*/fi | 1/*/fi")
    kept = preset(start, "half of the units, kept")
    assert (kept.zone, kept.choice.redraw) == (ll.read_zone(start.spec, "0[0:8] | 1[0:4]"), False)
    drawn = preset(start, "half of the units, redrawn")
    assert drawn.choice.redraw and drawn.choice.drawn_share(start.spec) == 0.5
    late = preset(start, "the head late")
    assert (late.choice.depth, late.choice.from_epoch, str(~late.zone)) == ("cache", 5, "head")
    worst = preset(start, "the worst choice")
    assert 0.3 < worst.zone.share < 0.7 and price(worst).whole < 1.1
    weights = ll.init_params(start.spec, 0)
    chosen = np.concatenate([abs(weights[k])[worst.zone.mask(k)].ravel() for k in ("0/Wx", "0/Wh")])
    others = np.concatenate([abs(weights[k])[~worst.zone.mask(k)].ravel() for k in ("0/Wx", "0/Wh")])
    assert chosen.mean() > others.mean()


def test_a_smaller_network_costs_what_the_selection_costs():
    start = pick(changed(units=(64,)), "0[0:48]")
    smaller = preset(start, "a smaller network of equal cost")
    assert 20 < smaller.spec.units[0] < 55 and smaller.zone.size == 0
    sizes = [ll.isolate(s.spec, ll.nothing(s.spec)).cost(48, 16).seconds.total for s in (start, smaller)]
    assert sizes[0] / sizes[1] == pytest.approx(price(start).step, rel=0.1)
    assert "saves nothing" in attempt(new(SMALL), preset, "a smaller network of equal cost").message
    assert "the choices are f and i rest" in attempt(new(SMALL), preset, "best").message


# --------------------------------------------------------------------------------------------------------- gradient


def test_the_readout_is_that_of_the_gradients():
    state = with_depth(pick(changed(units=(8,)), "0[0:4]"), "cut")
    found, (whole, kept) = readout(state), errors(state)
    train = LITTLE.samples().train
    rows = np.linspace(0, len(train) - 1, 8).astype(int)
    params = ll.init_params(state.spec, 0)
    yhat, trace = ll.forward(state.spec, params, train.take(rows)[0], output="every")
    dy = ll.mse(yhat, train.take(rows)[1], train.weights(rows))[1]
    dense = {k: g.copy() for k, g in ll.backward(state.spec, params, trace, dy).items()}
    sizes = [np.sqrt((trace.dz(0).reshape(48, 4, -1) ** 2).mean(axis=2)).T]
    left = ll.backward(state.spec, params, trace, dy, ll.isolate(state.spec, state.zone, "cut"))
    sizes.append(np.sqrt((trace.dz(0).reshape(48, 4, -1) ** 2).mean(axis=2)).T)
    assert np.allclose(whole[0], sizes[0], rtol=1e-4) and np.allclose(kept[0], sizes[1], rtol=1e-4)
    assert kept[0].mean() < 0.9 * whole[0].mean()  # half of the units have no error any more
    a = np.concatenate([np.where(state.zone.mask(k), 0, left[k]).ravel() for k in dense]).astype("float64")
    b = np.concatenate([dense[k].ravel() for k in dense]).astype("float64")
    assert found.cosine == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b), abs=1e-5)
    assert found.length == pytest.approx(np.linalg.norm(a) / np.linalg.norm(b), abs=1e-5)
    assert found.inside < 1


@pytest.mark.parametrize("depth", ["hold", "skip"])
def test_an_exact_depth_leaves_the_active_part_its_gradient(depth):
    found = readout(with_depth(pick(changed(), "0[0:3]"), depth))
    assert found.inside == 1 and found.cosine == pytest.approx(found.length, abs=1e-5) and found.cosine < 1


def test_nothing_left_is_no_gradient():
    assert readout(pick(changed(), "everything")) == (0, 0, 0)


# ---------------------------------------------------------------------------------------------------------- sharing

STATES = [
    lambda s: s,
    lambda s: with_seeds(with_span(with_depth(pick(s, "0[0:3] | head"), "skip"), 10), 3),
    lambda s: with_schedule(pick(with_blocks(s, 3), "0/*/fi"), 2, True),
    lambda s: in_language(with_settings(s, replace(s.settings, cell="gru", units=(4, 3), seed=7)), "fr"),
    lambda s: with_settings(s, replace(s.settings, task=LastRows("fontana", length=None), batch=64)),
]


@pytest.mark.parametrize("change", STATES)
def test_a_state_goes_through_its_text_and_an_address(change):
    state = change(changed(epochs=3))
    for back in (from_text(new(), to_text(state)), from_search(new(), f"?{to_search(state)}")):
        assert to_text(back) == to_text(state)
        assert (back.settings, back.choice, back.seeds) == (state.settings, state.choice, state.seeds)
    assert len(to_search(state)) < 1000 and set(json.loads(to_text(state))) <= set(TYPES)


def test_the_language_stands_in_an_address_alone_as_well():
    assert (
        from_search(new(SMALL), "?lang=fr").language == "fr" and from_search(new(SMALL), "").language == "en"
    )
    assert "choices are en, fr" in attempt(new(SMALL), from_search, "?lang=%3Cb%3E").message


def test_a_text_tells_nothing_of_a_users_file(tmp_path):
    path = tmp_path / "secret.csv"
    hours = [
        f"{at.isoformat()},{at.hour},{at.day}"
        for at in pd.date_range("2021-01-01", periods=960, freq="h", tz="UTC")
    ]
    path.write_text("\n".join(["time,load,air", *hours]))
    own = new(replace(SMALL, task=LastRows(str(path), target="load")))
    assert "secret" not in to_text(own) and "series" not in json.loads(to_text(own))
    assert from_text(own, to_text(own)).settings == own.settings


WRONG = [
    "", "{", "[]", "3", "x" * (MOST_CHARACTERS + 1), "[" * 3000, '{"hello": 1}', '{"version": 2}', '{"units": "64"}',
    '{"units": [true]}', '{"units": [0]}', '{"units": [2.5]}', '{"units": [100000]}', '{"units": []}',
    '{"epochs": true}', '{"epochs": 0}', '{"epochs": 1e9}', '{"seeds": 4}', '{"seeds": true}', '{"seed": -1}',
    '{"rows": "some"}', '{"samples": "days"}',
    '{"cell": "<script>"}', '{"zone": "0/Wz"}', '{"zone": 3}', '{"zone": null}', '{"depth": "deep"}', '{"span": 99}',
    '{"span": "3"}', '{"from_epoch": 9}', '{"redraw": 1}', '{"blocks": 0}',
    '{"statistic": "luck"}', '{"language": "de"}', '{"series": "/etc/passwd"}', '{"series": "../x.csv"}',
    '{"series": "<img src=x onerror=alert(1)>"}',
]  # fmt: skip


@pytest.mark.parametrize("text", WRONG, ids=lambda text: text[:30])
def test_a_text_that_is_none_of_ours_is_refused_in_a_line_and_changes_nothing(text):
    before = pick(new(SMALL), "0[0:3]")
    for after in (attempt(before, from_text, text), attempt(before, from_search, f"?state={quote(text)}")):
        if text:
            assert after.wrong and 0 < len(after.message) < 900
        assert replace(after, message="", wrong=False) == before


def test_a_state_that_is_coloured_by_what_was_learned_opens_where_nothing_was() -> None:
    found = from_text(changed(), '{"units": [32], "statistic": "snr"}')
    assert found.statistic == "magnitude" and found.settings.units == (32,)
    assert from_text(changed(), '{"statistic": "random"}').statistic == "random"


@pytest.mark.parametrize("change", STATES)
def test_the_code_makes_the_plan_and_the_numbers_of_the_page(change, monkeypatch):
    state = change(changed(epochs=2, units=(6,)))
    state = with_settings(state, replace(state.settings, epochs=2))
    real, made = ll.fit, []

    def shorter(spec: Any, train: Any, valid: Any, **options: Any) -> Any:
        made.append(options["isolation"])
        return real(spec, train, valid, **options | {"progress": False})

    code = as_code(state)
    assert all(len(line) <= 120 for line in code.splitlines())
    monkeypatch.setattr(ll, "fit", shorter)
    names: dict[str, Any] = {}
    if state.settings.task.length is None:  # which takes long; its data are looked at
        code = code[: code.index("records")]
    exec(compile(code, "code", "exec"), names)
    expected = None if state.choice.is_dense(state.spec) else state.choice(state.spec)
    assert names["spec"] == state.spec
    assert (names["plan"] and names["plan"].describe()) == (expected and expected.describe())
    samples = state.settings.task.samples()
    assert (
        windows_of(names["split"]).train.values.tobytes()
        == state.settings.task.split().train.values.tobytes()
    )
    assert len(names["split"].train) == len(samples.train)
    if "records" in names:
        for news in train_all(jobs(state)):
            state = state if news is None else news[0](state, *news[1:])
        for record, one in zip(names["records"], state.runs[-1].trained, strict=True):
            assert all(np.array_equal(record.params[k], one.record.params[k]) for k in record.params)


# ------------------------------------------------------------------------------------- tour, challenges, what is hidden


def test_the_tour_shows_five_things_and_ends():
    state = new(SMALL)
    seen = []
    for step in range(1, len(STEPS) + 1):
        state = tour(state, step)
        price(state), readout(state)
        seen.append((state.tour, state.choice))
    assert [step for step, _ in seen] == [1, 2, 3, 4, 5] and len({choice for _, choice in seen}) == 5
    assert tour(state, 6).tour == tour(state, 0).tour == 0 and tour(state, 6).choice == state.choice


def test_a_part_that_an_address_hides_stays_hidden_in_what_is_sent_on():
    state = from_search(new(SMALL), "?hide=depth,%20span,depth")
    assert state.hidden == ("depth", "span") and from_search(new(), to_search(state)) != new()
    assert from_search(new(), to_search(state)).hidden == state.hidden
    assert from_search(state, "?hide=").hidden == ("depth", "span")  # nothing is told
    assert "the choices are settings" in attempt(new(SMALL), from_search, "?hide=<b>,depth").message


def beaten(number: int, percent: tuple[float, ...], measured: float, arcs: float = 0.5, **other: Any) -> Run:
    """A run so many % above a dense run with an error of 1, by seed."""
    params = ll.init_params(SMALL.spec)
    record = ll.Record.begin(SMALL.spec, {}, params, SMALL.adam.init(params))
    trained = tuple(Trained(k, ((1.0, 1 + p / 100),), record) for k, p in enumerate(percent))
    zone = "nothing" if number == 1 else "0[0:3]"
    return Run(number, "x", SMALL, Choice(zone), arcs, 1.0, measured, "kW", trained, **other)


def test_the_best_of_the_session():
    assert [run for _, run, _ in best([])] == [None] * 3
    runs = [
        beaten(1, (0, 0, 0), 1.0, 0.0),
        beaten(2, (0.9, 1.1, 0.7), 1.5),
        beaten(3, (0.5,), 1.2),
        beaten(4, (3.0, -2.5, 1.0), 2.0, 0.2),
        beaten(5, (0.1, 0.2, 0.1), 9.0, stopped="stopped in epoch 1 of 1"),
    ]
    assert [run and run.number for _, run, _ in best(runs)] == [4, 3, 4]
    assert [run and run.number for _, run, _ in best(runs[:3])] == [2, 3, None]
    assert [run for _, run, _ in best(runs[1:])] == [None] * 3  # nothing to compare with


def test_the_strip_is_drawn_as_far_as_the_errors_have_come():
    state = pick(changed(units=(4, 3)), "0[0:2]")
    whole, some = strip(state), strip(state, 10)
    assert whole.count("<svg") == 4 and whole.count("<rect") == 4 * 4 * 48
    assert some.count("<rect") == 4 * (4 * 10 + 1)
    assert "remembers layers" in strip(with_depth(pick(state, "0/Wh"), "cache"))


# ------------------------------------------------------------------------------------------------ report, kept runs


@pytest.fixture(scope="module")
def trained() -> State:
    state = pick(new(SMALL), "0[0:3]")
    for news in train_all(jobs(state)):
        state = state if news is None else news[0](state, *news[1:])
    return state


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_the_report_shows_everything_and_runs_nothing(trained, language):
    evil = "<script>alert(1)</script>' onload='alert(1)"
    run = replace(trained.runs[1], what=evil, unit=evil)
    runs = (trained.runs[0], run)
    text = report(in_language(replace(trained, runs=runs, shown=(runs[0].name, run.name)), language))
    tags = Tags(text).seen
    names = [tag for tag, _ in tags]
    assert "script" not in names and names.count("img") == 3 and names.count("table") == 1 and "svg" in names
    assert not any(name.startswith("on") for _, attributes in tags for name in attributes)
    assert any(attributes.get("content") == POLICY for _, attributes in tags)
    assert {a["src"][:10] for tag, a in tags if tag == "img" and a["src"]} == {"data:image"}
    assert not re.findall(r"(?:src|href)='https?:", text)
    assert (", 6 unités, 1 époques, graine 0" in text) == (language == "fr")
    assert "ll.isolate" in text and text.count("url(#hatch)") > 5


def test_the_report_of_a_state_without_runs_says_so():
    assert "Runs appear here" in report(new(SMALL)) and "png" not in report(new(SMALL))


def test_runs_are_kept_for_a_mark_and_no_longer_than_a_day(trained, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    mark, other = "0" * 32, "1" * 32
    keeping.keep(mark, trained.runs)
    loaded = load_runs(new(SMALL), keeping.kept(mark))
    assert [run.name for run in loaded.runs] == [run.name for run in trained.runs]
    assert keeping.kept(other) == keeping.kept("") == b""
    assert keeping.folder().stat().st_mode & 0o077 == 0
    path = keeping.folder() / f"{mark}.zip"
    os.utime(path, (time.time() - 2 * keeping.DAY,) * 2)
    assert keeping.kept(mark) == b""
    keeping.keep(other, trained.runs)
    assert not path.exists()


@pytest.mark.parametrize("mark", ["../" + "0" * 29, "0" * 31, "g" * 32, "0" * 32 + "\n", 3, None, {}])
def test_what_is_no_mark_names_no_file(mark):
    assert keeping.checked(mark) == ""


# ----------------------------------------------------------------------------------------------------------- texts


def said_in_the_lab() -> set[str]:
    """Every text that the modules hand to `say` as it stands there, numbers taken out."""
    found = set()
    for path in Path(texts.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("say", "t"):
                for text in node.args[-1:]:
                    if isinstance(text, ast.Constant):
                        found.add(texts.NUMBER.sub("{}", str(text.value)))
    return found


def test_every_text_has_its_french():
    assert len(said_in_the_lab()) > 20
    assert sorted(said_in_the_lab() - texts.FRENCH.keys()) == []
    assert [one.says for one in STATISTICS.values() if texts.say("fr", one.says) == one.says] == []
    for english, french in texts.FRENCH.items():
        assert english.count("{}") == french.count("{}"), english


def test_a_long_text_has_a_key_in_both_languages():
    keys = [f"tour {k + 1}" for k in range(len(STEPS))] + [f"depth {depth}" for depth in DEPTHS]
    assert all(len({key, texts.say("en", key), texts.say("fr", key)}) == 3 for key in keys)
    assert {len(row) for row in texts.TEXTS} == {2, 3} and len(texts.FRENCH) == len(texts.TEXTS)
