"""Presets, seeds, language, tour, addresses and kept runs by the widgets of the page, without a browser."""

from __future__ import annotations

import asyncio
import re
from typing import Any
from unittest.mock import Mock
from urllib.parse import quote

import pytest

from lstm_lib.lab import Settings, keeping, texts, transitions
from lstm_lib.lab import training as trainings
from lstm_lib.lab.controls import YOURS, Controls
from lstm_lib.lab.page import Page
from lstm_lib.lab.settings import LastRows
from lstm_lib.lab.sharing import to_text
from lstm_lib.lab.state import HIDABLE

SMALL = Settings(task=LastRows(share=0.25), units=(8,), epochs=1)


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Page:
    monkeypatch.setattr(trainings, "ROUNDS", 4)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return Page(SMALL)


def test_a_preset_is_chosen_and_its_field_is_ready_for_the_next(lab):
    lab.units.value = "64"
    lab.preset.value = "half of the units, kept"
    assert lab.text.value == "0[0:32]" and lab.preset.value == ""
    lab.preset.value = "a smaller network of equal cost"
    assert lab.units.value != "64" and int(lab.units.value) == lab.state.spec.units[0] and not lab.state.wrong
    lab.preset.value = "a smaller network of equal cost"
    assert "saves nothing" in lab.message.value


def test_the_readout_follows_a_click_and_a_dense_run(lab):
    before = lab.price.value
    lab.text.value = "0[0:4]"
    after = lab.price.value
    assert "cosine <b>1.00</b>" in before and after != before
    lab.go.click()
    assert lab.price.value.partition("lab-gradient")[2] != after.partition("lab-gradient")[2]


def test_three_seeds_make_a_band_and_an_interval_and_more_go_to_the_same_dense_run(lab):
    lab.text.value = "0[0:4]"
    lab.go.click()
    assert not re.search(r"± \d+\.\d %</td>", lab.table.value) and "lab-unsure" in lab.table.value
    lab.seeds.value = 3
    lab.go.click()
    assert [(run.name, run.seeds) for run in lab.state.runs] == [
        ("1 dense", [0, 1, 2]), ("2 0[0:4] cut", [0]), ("3 0[0:4] cut", [0, 1, 2]),
    ]  # fmt: skip
    assert len(re.findall(r"± \d+\.\d %</td>", lab.table.value)) == 1 and "0[0:4]" in lab.challenges.value
    a, b = (run.trained[0].record.params for run in lab.state.runs[1:])
    assert all((a[name] == b[name]).all() for name in a)


def test_every_label_is_said_in_french_and_back(lab):
    labels = {(one, trait): text for one, trait, text in lab.english if trait != "options"}
    alike = {text for text in labels.values() if texts.say("fr", text) == text}
    assert alike == {"Zone", "CSV", "PNG"}
    lab.language.value = "fr"
    assert all(getattr(*at) == texts.say("fr", text) for at, text in labels.items())
    assert lab.tabs.titles[0] == "Essais" and dict(lab.by.options)["lignes"] == "unit"
    assert lab.series.options[-1] == ("votre fichier …", YOURS) and lab.more.titles == (
        "Plus sur le fichier",
    )
    lab.text.value = "0[0:4]"
    lab.language.value = "en"
    assert all(getattr(*at) == text for at, text in labels.items())
    assert (lab.share.value, lab.by.value, lab.text.value) == ("last quarter", "unit", "0[0:4]")


def test_what_the_page_refuses_is_told_in_its_language(lab):
    lab.language.value = "fr"
    lab.preset.value = "a smaller network of equal cost"
    assert "ne fait rien gagner" in lab.message.value
    lab.do(transitions.with_statistic, "snr")
    assert (
        "La statistique &#x27;snr&#x27;" in lab.message.value or "La statistique 'snr'" in lab.message.value
    )
    lab.units.value = "x"
    assert "donner un nombre entier par couche" in lab.message.value
    lab.go.click()
    assert "Corrigez d'abord les réglages. unités : 'x'" in lab.message.value
    lab.units.value, lab.cell.value = "64", "rnn"
    lab.preset.value = "f and i rest"
    assert "la cellule 'rnn' n'a pas de portes" in lab.message.value
    lab.text.value, lab.depth.value = "0[0:4]", "cache"
    assert "la profondeur 'cache' retient les couches" in lab.price.value
    assert texts.say("fr", "1,100 kB") == "1\u202f100 ko"  # not little more than 1


def test_a_redraw_of_nothing_tells_of_no_hatched_blocks(lab):
    lab.redraw.value = True
    assert "hatched" not in lab.price.value
    lab.text.value = "0[0:4]"
    assert "the hatched blocks only say how many" in lab.price.value


def test_rarer_options_of_a_file_are_folded_away_unless_they_are_given():
    assert Controls(SMALL).more.selected_index is None
    given = Settings(task=LastRows("x.csv", reading={"encoding": "cp1252"}), units=(8,))
    assert Controls(given).more.selected_index == 0


def test_the_state_is_a_text_that_another_page_takes(lab):
    lab.preset.value, lab.seeds.value, lab.cell.value = "half of the units, kept", 3, "gru"
    other = Page(SMALL)
    other.link.value = lab.link.value
    assert to_text(other.state) == lab.link.value == to_text(lab.state)
    assert (other.cell.value, other.seeds.value, other.text.value) == ("gru", 3, "0[0:4]")
    assert "cell='gru'" in other.code.value
    other.link.value = '{"zone": "<script>"}'
    assert "alert" in other.message.value and "<script>" not in other.message.value
    assert to_text(other.state) == to_text(lab.state)


def test_an_address_opens_its_state_and_hides_what_it_names(lab):
    shown = to_text(lab.state).replace('"nothing"', '"0[0:4]"')
    lab.heard(
        {"kind": "opened", "search": f"?token=x&state={quote(shown)}&hide=depth,tour&lang=fr", "mark": None}
    )
    assert lab.text.value == "0[0:4]" and lab.go.description == "Entraîner"
    hidden = {
        name for name, parts in lab.parts.items() if all(part.layout.display == "none" for part in parts)
    }
    assert hidden == {"depth", "tour"} and "hide=depth,tour" in lab.map.address
    lab.heard({"kind": "opened", "search": "?state=%7B%22zone%22%3A%22nowhere%22%7D"})
    assert "alert" in lab.message.value and lab.text.value == "0[0:4]"
    for content in ({}, {"kind": "toggle"}, {"kind": "opened", "search": 3, "mark": 3}, {"kind": "x"}):
        lab.heard(content)
    assert lab.text.value == "0[0:4]"


def test_what_can_be_hidden_is_there():
    controls = Controls(SMALL)
    assert set(controls.parts) == set(HIDABLE) and all(controls.parts.values())


def test_a_page_that_is_loaded_anew_has_its_runs(lab):
    lab.heard({"kind": "opened", "search": "", "mark": "a" * 32})
    lab.go.click()
    assert keeping.kept("a" * 32)
    again, other = Page(SMALL), Page(SMALL)
    again.heard({"kind": "opened", "search": "", "mark": "a" * 32})
    other.heard({"kind": "opened", "search": "", "mark": "b" * 32})
    assert again.table.value == lab.table.value and other.state.runs == ()
    (keeping.folder() / f"{'b' * 32}.zip").write_bytes(b"not a file of runs")
    other.heard({"kind": "opened", "search": "", "mark": "b" * 32})
    assert "not a file of runs" in other.message.value


def test_the_tour_leads_around_and_ends(lab):
    assert lab.guided.layout.display == "none"
    lab.start.click()
    lab.onward.click()
    assert "<b>2/5</b>" in lab.guide.value and lab.text.value == "0[0:4]" and lab.guided.layout.display == ""
    lab.back.click()
    lab.back.click()
    assert "<b>1/5</b>" in lab.guide.value
    lab.leave.click()
    assert lab.guided.layout.display == "none"


def test_the_errors_travel_back_step_by_step(lab):
    assert lab.strip.value.count("<rect") == 2 * 4 * 48
    lab.step.click()
    assert lab.back_in_time.value == 1 and lab.strip.value.count("<rect") == 2 * (4 + 1)
    lab.step.click()
    assert lab.back_in_time.value == 2
    lab.samples.value = "windows"
    assert lab.back_in_time.max == lab.play.max == 72 == lab.back_in_time.value


def test_the_report_is_saved(lab, monkeypatch):
    sent = Mock()
    monkeypatch.setattr(lab.map, "send", sent)
    lab.html.click()
    content, buffers = sent.call_args.args[0], sent.call_args.kwargs["buffers"]
    assert content["name"] == "isolation_lab.html" and buffers[0].startswith(b"<!doctype html>")


def test_where_there_are_no_threads_the_page_trains_all_the_same(lab, monkeypatch):
    async def none(*_: Any) -> None:
        raise RuntimeError("can't start new thread")

    async def session() -> None:
        monkeypatch.setattr(asyncio, "to_thread", none)
        lab.go.click()
        while lab.state.live is not None:
            await asyncio.sleep(0)

    asyncio.run(session())
    assert [run.name for run in lab.state.runs] == ["1 dense"] and not lab.go.disabled
