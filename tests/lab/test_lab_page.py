"""The page without a browser: clicks lead to transitions, states to widgets, a training thread to rows of the table."""

from __future__ import annotations

import asyncio
import inspect
import io
import json
import os
import re
import shutil
import zipfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lstm_lib as ll
from lstm_lib.experiments.configuration import READING
from lstm_lib.lab import Settings, figures, grid, new, readout, transitions
from lstm_lib.lab import state as states
from lstm_lib.lab import training as trainings
from lstm_lib.lab.controls import OPTIONS
from lstm_lib.lab.files import from_zip, to_zip
from lstm_lib.lab.page import Page
from lstm_lib.lab.price import plans, price
from lstm_lib.lab.runs import Trained, forecast, table, tell_apart, weeks
from lstm_lib.lab.settings import FOLDERS, LastRows, last_value_error
from lstm_lib.lab.state import State
from lstm_lib.lab.training import jobs, train_all
from lstm_lib.lab.transitions import pick, with_depth, with_schedule, with_seeds, with_span
from lstm_lib.network.cells import CELLS
from lstm_lib.series.options import read_option, written
from lstm_lib.training.statistics import sizes as cut_sizes
from lstm_lib.training.step import Step

FILES = Path(__file__).resolve().parents[1] / "files"
UPLOAD = {
    "type": "text/csv",
    "size": 1,
    "last_modified": pd.Timestamp("2020-01-01", tz="UTC").to_pydatetime(),
}


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is measured is not tested, so it may be measured badly."""
    monkeypatch.setattr(trainings, "ROUNDS", 4)


@pytest.fixture
def file(tmp_path: Path, rng: np.random.Generator) -> Path:
    """A month of hours with a daily rhythm."""
    index = pd.date_range("2021-03-01", periods=720, freq="h", tz="UTC")
    load = 2 + np.sin(2 * np.pi * np.arange(720) / 24) + 0.1 * rng.standard_normal(720)
    path = tmp_path / "building.csv"
    pd.DataFrame({"time": index, "load": load, "air": load**2}).to_csv(path, index=False)
    return path


@pytest.fixture
def settings(file: Path) -> Settings:
    task = LastRows(str(file), target="load", reading={"unit": "kW"}, length=24, warmup=6, lookback=24)
    return Settings(task=task, units=(6,), epochs=2, lr=1e-2)


def trained_by(state: State, **other: Any) -> State:
    """The state after all that a press on Train asks for."""
    for news in train_all(jobs(state), **other):
        state = state if news is None else news[0](state, *news[1:])
    return state


@pytest.fixture
def page(settings: Settings) -> Page:
    return Page(settings)


def click(page: Page, name: str) -> None:
    """As the browser tells of a click on the map."""
    page.map._handle_custom_msg({"kind": "toggle", "name": name}, [])


def sent(page: Page, monkeypatch: pytest.MonkeyPatch) -> list[tuple[dict[str, Any], bytes]]:
    """What the page sends to the browser from now on."""
    found: list[tuple[dict[str, Any], bytes]] = []
    monkeypatch.setattr(page.map, "send", lambda content, buffers: found.append((content, buffers[0])))
    return found


# -------------------------------------------------------------------------------------------------------- clicking


def test_the_page_is_ready_at_first(page):
    assert page.halt.disabled and page.csv.disabled and not page.go.disabled
    assert "nothing trained yet" in page.status.value and page.message.value == ""
    assert repr(page.widget) == "The isolation lab: run this cell to use it."


def test_a_click_isolates_prices_and_writes(page):
    before = page.price.value
    click(page, "0[0]")
    assert str(page.state.zone) == page.text.value == "0[0]"
    assert page.price.value != before
    place = [item.name for item in grid.make_grid(page.state.spec, page.state.choice.blocks).items].index(
        "0[0]"
    )
    assert page.map.shares[place] == 1
    for button, text in ((page.invert, str(~page.state.zone)), (page.undo, "0[0]"), (page.clear, "")):
        button.click()
        assert page.text.value == text


def test_a_pasted_text_selects_and_a_bad_one_is_answered(page):
    page.text.value = "0/Wh/f[0:3] | head"
    assert str(page.state.zone) == "0/Wh/f[0:3] | head"
    page.text.value = "0/Wz"
    assert "Wz" in page.message.value and "role='alert'" in page.message.value
    assert page.text.value == "0/Wz"  # to be mended
    assert str(page.state.zone) == "0/Wh/f[0:3] | head"
    page.text.value = "0/Wx"
    assert page.message.value == ""


def test_the_budget_picks_rows_or_cells(page):
    page.by.value = "gate"
    page.budget.value = 50
    assert 0.4 < page.state.zone.share < 0.6
    cells = page.state.zone
    page.by.value = "unit"
    assert page.state.zone != cells
    page.of.value = "work"
    page.budget.value = 95
    assert "out of reach" in page.message.value


def test_depth_span_and_schedule_lead_to_the_price(page):
    click(page, "0/Wh")
    page.depth.value, page.span.value, page.from_epoch.value = "skip", 12, 2
    s = page.state
    assert (s.choice.depth, s.choice.span, s.choice.from_epoch) == ("skip", 12, 2)
    assert "after every 12 of 24" in page.how["span"].value and "epochs 2 to 2" in page.how["schedule"].value
    assert "of the whole training" in page.price.value
    page.from_epoch.value = 1
    assert "of the whole training" not in page.price.value  # which is that of a step
    page.redraw.value = True
    assert "drawn anew" in page.how["schedule"].value
    page.samples.value = "windows"
    page.span.value = 12
    assert "last 12 of 72" in page.how["span"].value


def test_a_depth_that_does_not_fit_stops_train_before_it_starts(page):
    click(page, "0/Wh")
    page.depth.value = "cache"
    assert "remembers layers" in page.price.value and page.go.disabled
    page.train()
    assert "remembers layers" in page.message.value and page.state.live is None
    click(page, "0")
    assert not page.go.disabled


def test_a_statistic_that_needs_a_training_says_so(page):
    assert dict(page.statistic.options)["snr (train first)"] == "snr"
    page.statistic.value = "snr"
    assert "Train" in page.message.value
    assert page.statistic.value == page.state.statistic == "magnitude"


def test_settings_follow_the_widgets(page, file):
    click(page, "0[0]")
    page.units.value = "4, 3"
    assert page.state.spec == ll.Spec(page.state.spec.inputs, (4, 3), 1)
    assert len(page.map.items) == len(grid.items(page.state.spec, page.state.choice.blocks))
    page.units.value = "many"
    assert "whole number for each layer" in page.message.value
    assert page.state.spec.units == (4, 3)
    page.units.value = "4, 3"
    page.blocks.value = 2
    assert page.state.choice.blocks == 2
    page.cell.value = "gru"
    assert page.state.spec.cell == "gru" and any(item["name"] == "0/Wh/z[0:2]" for item in page.map.items)


# ---------------------------------------------------------------------------------------------------- a user's file


def test_a_bad_file_is_answered_and_loses_nothing(page, file, tmp_path):
    page.go.click()
    runs = page.state.runs
    page.path.value = str(tmp_path / "none.csv")
    assert "none.csv" in page.message.value
    bad = tmp_path / "bad.csv"
    bad.write_text(file.read_text().replace(",2.", ",two.", 1))
    page.path.value = str(bad)
    assert "bad.csv" in page.message.value and "line" in page.message.value
    page.share.value = "last half"
    assert "line" in page.message.value and "more of its rows" not in page.message.value
    page.share.value = "all"
    assert page.state.settings.task.series == str(file)
    page.go.click()  # would train what doesn't stand there
    assert "Mend the settings first" in page.message.value
    assert page.state.runs == runs and len(runs) == 1
    page.path.value = str(file)
    assert page.message.value == "" and page.state.refused == ""


def test_too_few_rows_are_answered_with_more(page):
    page.share.value = "last quarter"
    assert "more of its rows than the last 25%" in page.message.value
    page.share.value = "all"
    assert page.message.value == ""


def test_a_file_that_was_changed_is_read_anew(settings, file):
    before = settings.task.split()
    assert settings.task.split() is before
    file.write_text(file.read_text().replace("2021-", "2022-"))
    assert settings.task.split().train.times[0].year == 2022


def test_what_a_file_held_before_it_was_changed_is_compared_with_nothing(page, file):
    page.do(transitions.pick, "0/Wh")
    before, known = readout.readout(page.state), jobs(page.state)
    held = file.stat()
    file.write_text(re.sub(r",(\d)", r",7\1", file.read_text()))
    os.utime(file, ns=(held.st_atime_ns, held.st_mtime_ns))
    after = readout.readout(page.state)
    readout.probe.cache_clear()
    readout._passed.cache_clear()
    assert after == readout.readout(page.state) != before
    fresh = jobs(page.state)
    assert [job.what for job in fresh] == [job.what for job in known]
    assert all(job.settings != other.settings for job, other in zip(fresh, known, strict=True))
    described = [asdict(job.settings)["task"] for job in (known[0], fresh[0])]
    assert described[0].pop("contents") != described[1].pop("contents") and described[0] == described[1]
    assert known[0].settings.key(0) == fresh[0].settings.key(0)  # it says what the file holds now


def test_an_uploaded_file_is_read(page, file):
    content = file.read_bytes().replace(b"load", b"heat")
    page.upload.value = ({"name": "other.csv", "content": memoryview(content)} | UPLOAD,)
    assert (
        "'load'" in page.message.value and "heat" in page.message.value
    )  # the target that was asked for isn't there
    page.options["target"].value = "heat"
    assert page.message.value == ""
    assert Path(page.state.settings.task.series).name == "other.csv"
    assert page.state.settings.task.load().target == "heat"
    page.options["columns"].value = "air , heat"
    assert page.state.settings.task.split().inputs[:2] == ("air", "heat")
    assert page.state.settings.task.reading == {"unit": "kW", "columns": ["air", "heat"]}


def test_choosing_your_file_waits_for_a_path(settings):
    page = Page()
    page.series.value = "your file …"
    assert page.message.value == "" and page.state.settings.task.series == "sceaux"
    assert page.file_row.layout.display == ""
    page.series.value = "fontana"
    assert page.state.settings.task.series == "fontana" and page.file_row.layout.display == "none"


def own_file(path: Path, **options: str) -> Page:
    """A page on a user's file, with the options as they are typed into their controls."""
    page = Page()
    page.series.value = "your file …"
    for name, text in options.items():
        page.options[name].value = text
    page.share.value = "all"
    page.path.value = str(path)
    return page


def test_every_argument_of_a_file_has_a_control():
    assert {*OPTIONS} == {"target", *READING} - {"calendar"}
    assert {*Page().options} == {*OPTIONS}


def test_a_french_export_is_read_from_the_page():
    page = own_file(FILES / "31_french.csv", target="Valeur", time="Horodate")
    if page.state.refused:  # then it names what helps
        assert "separator=';'" in page.message.value
        page.options["separator"].value, page.options["decimal"].value = ";", ","
    assert page.message.value == ""
    assert page.state.settings.task.load().frame["Valeur"].mean() == pytest.approx(12.0)
    assert "every 1 h" in page.recognised.value and "no offset" in page.recognised.value
    assert "what looks wrong: duplicate Valeur 1× (" in page.recognised.value
    page.epochs.value, page.units.value = 1, "2"
    page.go.click()
    assert len(page.state.runs) == 1


def written_as(frame: pd.DataFrame, path: Path, **how: Any) -> Path:
    frame.to_csv(path, index=False, **how)
    return path


@pytest.mark.parametrize(
    ("how", "given"),
    [
        ({"sep": ";"}, {"separator": ";"}),
        ({"sep": "\t"}, {"separator": "tab"}),
        ({"sep": "\t"}, {"separator": "\\t"}),
        ({"sep": "|"}, {"separator": "|"}),
        ({"sep": ";", "decimal": ","}, {"separator": ";", "decimal": ","}),
        ({"date_format": "%d/%m/%Y %H:%M"}, {"stamp_format": "%d/%m/%Y %H:%M"}),
        ({"date_format": "%Y-%m-%d %H:%M"}, {"timezone": "Europe/Paris", "stamps_in": "UTC"}),
        ({}, {"stamped": "end", "step": "1h"}),
        ({}, {"columns": "load, air"}),
        ({}, {"columns": "load=power, air=outside"}),
    ],
)
def test_a_file_that_is_written_another_way_is_read_by_its_controls(file, tmp_path, how, given):
    frame = pd.read_csv(file, parse_dates=["time"])
    renamed = given.get("columns", "").startswith("load=")
    page = own_file(
        written_as(frame, tmp_path / "own.csv", **how), **{"target": "power" if renamed else "load"} | given
    )
    assert page.message.value == ""
    series = page.state.settings.task.load()
    assert series.frame[series.target].to_numpy() == pytest.approx(frame["load"].to_numpy())


@given(
    parts=st.lists(
        st.text(st.characters(codec="ascii", categories=("L", "N", "S", "Zs")), min_size=1)
        .map(str.strip)
        .filter(bool),
        min_size=1,
        max_size=4,
    )
)
def test_what_is_written_into_a_control_is_read_again(parts):
    if any("=" in part for part in parts):
        return
    assert read_option("columns", written(parts)) == parts
    assert read_option("columns", written({part: f"{part} 2" for part in parts})) == {
        p: f"{p} 2" for p in parts
    }


def test_no_pairs_are_written_and_read_again():
    assert written({}) and read_option("only", written({})) == {}


# -------------------------------------------------------------------------------- what a page may not read, or be told


@pytest.mark.parametrize(
    "series",
    [
        "secret.csv",
        "../secret.csv",
        "link.csv",
        "nowhere.csv",
        "~nobody/x.csv",
        "{data}/../secret.csv",
        "{root}/secret.csv",
    ],
)
def test_where_others_reach_the_page_files_are_read_below_chosen_folders_alone(
    series, file, tmp_path, monkeypatch
):
    data = tmp_path / "data"
    data.mkdir()
    shutil.copy(file, data / "mine.csv")
    (tmp_path / "secret.csv").write_text("root,secret\n1,2\n")
    (data / "link.csv").symlink_to(tmp_path / "secret.csv")
    monkeypatch.setenv(FOLDERS, str(data))
    monkeypatch.setenv("LSTM_LIB_DATA", str(data))
    monkeypatch.chdir(tmp_path)
    page = own_file(Path("mine.csv"), target="load")
    assert page.message.value == ""
    page.path.value = series.format(data=data, root=tmp_path)
    assert "upload it" in page.message.value and "root" not in page.message.value.replace(str(tmp_path), "")
    page.upload.value = ({"name": "up.csv", "content": memoryview(file.read_bytes())} | UPLOAD,)
    assert page.message.value == ""


@pytest.mark.parametrize("name", ["shadow", "id_rsa", ".netrc", "key.pem", "notes.md", ".csv"])
def test_what_is_no_table_by_its_name_is_not_opened(name, tmp_path):
    (tmp_path / name).write_text("root:*:19000,secret\nx,y\n")
    page = own_file(tmp_path / name)
    assert "no table by its name" in page.message.value and "secret" not in page.message.value


@pytest.mark.parametrize(
    "name", ["..", ".", "", "a/../../b.csv", "x\0.csv", "é" * 300 + ".csv", "~root", "<b>.csv", "C:\\x.csv"]
)
def test_whatever_an_upload_is_called_it_is_read_or_answered(name, file, page):
    page.upload.value = ({"name": name, "content": memoryview(file.read_bytes())} | UPLOAD,)
    assert page.message.value == "" or "no table by its name" in page.message.value
    assert Path(page.path.value).is_relative_to(page.uploads.name)


@pytest.mark.parametrize(
    "text", ["0[0:1,0:30000000]", "0[0:30000000,30000000:0]", "0/Wx" + "x" * 10**6, "0[" + "9" * 5000 + "]"]
)
def test_a_zone_text_of_any_size_gets_a_short_answer(page, text):
    page.text.value = text
    assert page.state.wrong and len(page.message.value) < 2000


@pytest.mark.parametrize("units", ["100000", "2000", ", ".join("2" * 50), "9" * 30])
def test_a_network_that_a_page_cannot_hold_is_refused(page, units):
    before = page.state.spec
    page.units.value = units
    assert page.state.refused and page.state.spec == before


# ---------------------------------------------------------------------------------------------------------- training


def test_training_adds_the_dense_run_once_and_then_the_chosen(page):
    click(page, "0[0]")
    page.go.click()
    assert [run.choice.zone for run in page.state.runs] == ["nothing", "0[0]"]
    assert page.table.value.count("<tr") == 3
    assert page.state.live is None and page.halt.disabled and not page.go.disabled
    page.depth.value = "skip"
    page.go.click()
    assert [run.choice.depth for run in page.state.runs[1:]] == ["cut", "skip"]
    for picture in (page.curves, page.points, page.week_picture):
        assert "alt='" in picture.value and "data:image/svg+xml" in picture.value
    page.statistic.value = "snr"  # now there is something to tell
    assert page.state.statistic == "snr" and "snr" in page.map.legend
    page.units.value = "5"  # and of this network there is nothing again
    assert page.state.statistic == page.statistic.value == "magnitude" and "magnitude" in page.map.legend


def test_in_a_running_loop_the_page_follows_the_training(page, monkeypatch):
    """As in Jupyter: Train returns at once, and clicks are heard while it is trained in small portions."""
    monkeypatch.setattr(trainings, "TOLD", 0.0)
    monkeypatch.setattr("lstm_lib.lab.page.PORTION", 0.0)

    async def session() -> None:
        page.go.click()
        assert page.state.live is not None and page.go.disabled and not page.halt.disabled
        click(page, "0[0]")
        assert page.text.value == "0[0]"
        page.text.value = "0[0"
        said = page.message.value
        done = set()
        while page.state.live is not None:
            assert page.message.value == said  # news of the training are no answer
            done.add(page.state.live.done)
            await asyncio.sleep(0)
        assert len(done) > 3

    asyncio.run(session())
    assert len(page.state.runs) == 1 and page.state.live is None and page.table.value.count("<tr") == 2


def test_a_picture_that_fails_does_not_keep_the_page_from_going_on(page, monkeypatch):
    def failing(_: State) -> None:
        raise RuntimeError("no room on the canvas")

    monkeypatch.setattr(figures, "curves", failing)
    page.go.click()
    assert "no room on the canvas" in page.curves.value
    assert len(page.state.runs) == 1 and page.state.live is None and not page.go.disabled


def test_a_run_says_what_fit_says(settings):
    """The numbers of the table are those of the same trainings by hand, whatever took turns with them."""
    task = settings.task
    samples, split = task.samples(), task.split()
    state = trained_by(with_seeds(pick(new(settings), "0[0:3]"), 3))
    runs = state.runs
    for run, plan in zip(runs, (None, ll.isolate(state.spec, state.zone, "cut")), strict=True):
        assert run.seeds == [0, 1, 2]
        for seed, curve, record in run.trained:
            byhand = ll.fit(
                state.spec, samples.train, samples.valid, seed=seed, epochs=2, optimizer=ll.Adam(lr=1e-2), batch=16,
                rate="cosine", isolation=plan, progress=False,
            )  # fmt: skip
            assert all(np.array_equal(record.params[k], byhand.params[k]) for k in record.params)
            error = ll.predict(state.spec, record.params, samples.valid) - split.valid.y
            assert curve[-1][1] == pytest.approx(
                float(np.sqrt(np.mean(error**2)) * split.valid.scale), rel=1e-5
            )
            assert curve[-1][0] == record.seconds
    assert (runs[0].arcs, runs[0].predicted, runs[0].measured) == (0, 1, 1)
    costs = [plan.cost(24, 16, output="every") for plan in plans(state.spec, state.choice, 2)]
    assert runs[1].predicted == pytest.approx(costs[1].speed_up(costs[0]), rel=1e-6)
    assert runs[1].arcs == state.zone.share and runs[1].measured > 0
    pairs = [(a.curve[-1][1], b.curve[-1][1]) for b, a in zip(*(run.trained for run in runs), strict=True)]
    assert table(runs)["to dense %"][1] == pytest.approx(np.mean([100 * (a / b - 1) for a, b in pairs]))


def test_windows_are_trained_on_as_well(settings):
    state = trained_by(new(replace(settings, task=replace(settings.task, length=None), epochs=1)))
    record = ll.fit(
        state.spec, state.settings.task.split().train, seed=0, epochs=1, optimizer=ll.Adam(lr=1e-2), batch=16,
        rate="cosine", progress=False,
    )  # fmt: skip
    assert all(np.array_equal(state.runs[0].record.params[k], record.params[k]) for k in record.params)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda s: with_schedule(pick(s, "0[0:3]"), 2, False), "from epoch 2"),
        (lambda s: with_schedule(pick(s, "0[0:3]"), 1, True), "redrawn"),
        (lambda s: with_span(s, 12), ""),
        (lambda s: with_depth(pick(s, "0"), "cache"), ""),
        (lambda s: pick(s, "everything"), ""),
    ],
    ids=["from an epoch on", "redrawn", "a span alone", "remembered", "nothing left to learn"],
)
def test_every_way_to_isolate_trains(settings, change, says):
    state = change(new(settings))
    asked = jobs(state)
    after = trained_by(state)
    assert [job.name for job in asked] == [run.name for run in after.runs]
    run = after.runs[-1]
    assert run.choice.schedule() == says and np.isfinite(run.rmse) and not run.dense and run.stopped == ""
    assert run.measured > 0
    assert (
        trained_by(after).runs[-1].measured > 0
    )  # where the dense run is there already, another sets the pace


@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_is_priced_coloured_trained_and_kept(settings, cell):
    settings = replace(settings, cell=cell)
    page = Page(settings)
    spec = page.state.spec
    click(page, next(item["name"] for item in page.map.items if item["kind"] == "column"))
    assert page.state.zone == ll.zone(spec, layer=0, matrix="Wx", gate=spec.row.gates[0])
    page.go.click()
    assert [run.settings.cell for run in page.state.runs] == [cell, cell]
    page.statistic.value = "fisher"
    assert len(page.map.shades) == len(grid.make_grid(spec, page.state.choice.blocks).cut)
    page.budget.value = 50
    assert 0.3 < page.state.zone.share < 0.7 and page.price.value.count("→") == 4
    (_, back) = from_zip(to_zip(page.state.runs))
    assert np.isfinite(forecast(back, settings.task.split(), 0)["forecast"]).any()
    assert table([back])["settings"][0].partition(",")[2].split()[1] == (
        cell if cell != "standard" else "units,"
    )


def test_points_come_at_the_same_steps_for_every_seed_and_progress_counts_up(settings, monkeypatch):
    monkeypatch.setattr(trainings, "TOLD", 0.0)
    state = with_seeds(pick(new(settings), "0[0:3]"), 3)
    told = [news for news in train_all(jobs(state)) if news is not None]
    live = [news[1] for news in told if news[0] is transitions.follow]
    assert [name for name, _ in live[0].curves] == ["1 dense", "2 0[0:3] cut"]
    assert "seed 0" in live[0].place and "seed 2" in live[-1].place
    done = [one.done for one in live]
    assert done == sorted(done) and 0 < done[0] < 0.2 and 0.9 < done[-1] <= 1
    runs = [news[1] for news in told if news[0] is transitions.finish]
    assert [len(run.trained) for run in runs] == [1, 1, 2, 2, 3, 3]
    assert len({len(one.curve) for run in runs for one in run.trained}) == 1
    seconds = [at for at, _ in runs[-1].trained[0].curve]
    assert seconds == sorted(seconds)


def test_the_first_point_comes_early_and_long_trainings_have_more():
    assert trainings.places(50, 8) == {25} and len(trainings.places(400, 1)) == 15
    assert trainings.places(4, 1000) == frozenset() and trainings.places(3, 1) == {1, 2}


@pytest.mark.parametrize("first", ["", "a dense run"])
def test_the_time_of_a_run_is_that_of_the_steps_that_are_measured(settings, monkeypatch, first):
    """A dense step takes 3 seconds here and another one 2; forecasts, and what comes between, take no training time."""
    now, step = [0.0], Step.__call__

    def slow(self: Step, *given: Any, **named: Any) -> Any:
        plan = inspect.signature(step).bind(self, *given, **named).arguments["plan"]
        now[0] += 2 if plan.zone.size else 3
        return step(self, *given, **named)

    def slow_predict(*given: Any, **named: Any) -> Any:
        now[0] += 100
        return ll.predict(*given, **named)

    monkeypatch.setattr(Step, "__call__", slow)
    monkeypatch.setattr(trainings, "CLOCK", lambda: now[0])
    monkeypatch.setattr(trainings, "predict", slow_predict)
    monkeypatch.setattr("lstm_lib.training.record.predict", slow_predict)
    start = trained_by(with_seeds(new(settings), 3)) if first else new(settings)
    state = trained_by(with_seeds(pick(start, "0[0:3]"), 3))
    dense, isolated = state.runs[0], state.runs[-1]
    assert isolated.measured == dense.seconds / isolated.seconds == 1.5


def test_the_pace_is_set_for_one_seed_alone(settings, monkeypatch):
    made, real = [], trainings.Lane.run

    def counted(lane: trainings.Lane) -> Any:
        made.append((lane.job.name, lane.seed))
        return real(lane)

    start = trained_by(with_seeds(new(settings), 3))
    monkeypatch.setattr(trainings.Lane, "run", counted)
    trained_by(with_seeds(pick(start, "0[0:3]"), 3))
    assert sorted(seed for _, seed in made) == [0, 0, 1, 2]


def stopped_after(steps: int) -> Any:
    """Answers when a training asks whether it was stopped."""
    asked = iter(range(10**9))
    return lambda: next(asked) >= steps


def test_stop_keeps_what_was_learned(settings):
    samples, split = settings.task.samples(), settings.task.split()
    steps = len(samples.train.round(np.random.default_rng([0, 1]), 16)[1])
    state = trained_by(new(settings), stopped=stopped_after(steps))
    (run,) = state.runs
    assert run.stopped == "stopped in epoch 2 of 2" and "Stopped" in state.message and state.live is None
    params = run.record.params
    error = ll.predict(state.spec, params, samples.valid) - split.valid.y
    assert run.rmse == pytest.approx(float(np.sqrt(np.mean(error**2)) * split.valid.scale), rel=1e-6)
    assert any((params[k] != run.record.checkpoint.params[k]).any() for k in params)


def test_a_seed_that_was_stopped_leaves_those_before_it(settings):
    samples = settings.task.samples()
    steps = sum(len(samples.train.round(np.random.default_rng([0, k]), 16)[1]) for k in (1, 2))
    state = trained_by(with_seeds(new(settings), 3), stopped=stopped_after(steps + 2))
    (run,) = state.runs
    assert run.seeds == [0] and run.stopped == "" and "Stopped" in state.message


def test_a_stopped_training_starts_nothing_more(settings):
    state = trained_by(with_seeds(pick(new(settings), "0[0:3]"), 5), stopped=lambda: True)
    assert [(run.seeds, run.stopped) for run in state.runs] == [([0], "stopped in epoch 1 of 2")] * 2
    assert np.isnan(state.runs[1].measured)


def test_stop_is_for_the_training_under_way(page):
    page.halt.click()
    page.go.click()
    assert [run.stopped for run in page.state.runs] == [""] and page.message.value == ""


def test_a_failure_of_the_training_is_shown_and_loses_nothing(page, monkeypatch):
    page.go.click()
    runs = page.state.runs

    def broken(*_: Any, **__: Any) -> None:
        raise MemoryError("no room for the states")

    monkeypatch.setattr(trainings, "in_steps", broken)
    click(page, "0[0]")
    page.go.click()
    assert "no room for the states" in page.message.value and "alert" in page.message.value
    assert page.state.runs == runs and page.state.live is None and not page.go.disabled


def test_a_training_that_diverges_keeps_its_last_whole_epoch(settings, monkeypatch):
    real = trainings.in_steps

    def diverging(*given: Any, **options: Any) -> Any:
        record = yield from real(*given, **options)
        raise ll.Diverged("loss is inf", record)

    monkeypatch.setattr(trainings, "in_steps", diverging)
    (run,) = trained_by(new(settings)).runs
    assert run.stopped == "diverged in epoch 2 of 2" and np.isfinite(run.rmse)


def test_a_second_press_on_train_does_nothing(page):
    page.do(transitions.follow, states.Live(page.state.settings))
    live = page.state.live
    page.train()
    assert page.state.live is live and page.state.runs == ()


# ----------------------------------------------------------------------------------------------------------- results


@pytest.fixture
def trained(page: Page) -> Page:
    click(page, "0[0]")
    page.go.click()
    return page


def test_export_and_load_again(trained, monkeypatch, settings):
    files = sent(trained, monkeypatch)
    for button in (trained.csv, trained.png, trained.zip):
        button.click()
    kinds = [(content["kind"], content["name"]) for content, _ in files]
    assert kinds == [("save", "runs.csv"), ("save", "runs.png"), ("save", "runs.zip")]
    csv, png, zipped = (content for _, content in files)
    assert csv.decode().splitlines()[0].startswith("run,zone,depth,span,schedule,arcs isolated %")
    assert len(csv.decode().splitlines()) == 3 and png.startswith(b"\x89PNG")
    assert [run.name for run in from_zip(zipped)] == [run.name for run in trained.state.runs]

    fresh = Page(settings)
    assert fresh.csv.disabled
    fresh.load.value = ({"name": "runs.zip", "content": memoryview(zipped)} | UPLOAD,)
    assert "2 runs loaded" in fresh.message.value and not fresh.csv.disabled
    assert fresh.table.value == trained.table.value and fresh.week_picture.value != ""
    fresh.load.value = ({"name": "x.zip", "content": memoryview(b"x")} | UPLOAD,)
    assert "not a file of runs" in fresh.message.value and len(fresh.state.runs) == 2


def test_the_map_looks_back_at_the_epochs_of_the_last_training(trained):
    assert (trained.epoch.max, trained.epoch.value, trained.epoch.disabled) == (3, 3, False)
    assert "now" in trained.seen_then.value
    now = dict(trained.map.shades)
    record = trained.state.runs[-1].record
    trained.statistic.value = "movement"
    found = {}
    for epoch in (1, 2):
        trained.epoch.value = epoch
        assert f"epoch {epoch} · 2 0[0] cut" in trained.seen_then.value
        found[epoch] = dict(trained.map.shades)
    assert found[1] != found[2]
    cut = grid.make_grid(trained.state.spec, trained.state.choice.blocks).cut
    values = ll.score("movement", record.evidence(), cut).values / list(cut_sizes(cut).values())
    assert found[2] == grid.shades(values)
    isolated = [name for name in cut if name.endswith("[0]") and name.startswith("0/")]
    assert {name for name, shade in found[2].items() if shade == grid.UNKNOWN} == {*isolated}
    assert "isolated all the time" in trained.map.legend and "–" in trained.map.values[isolated[0]]
    trained.statistic.value = "magnitude"
    trained.epoch.value = 3
    assert trained.map.shades == now and trained.state.epoch == 0
    trained.epoch.value = 1
    trained.units.value = "5"  # of which nothing is known
    assert trained.epoch.disabled and trained.state.epoch == 0 and trained.seen_then.value == ""


def test_a_look_back_holds_what_fit_knew_and_no_more_than_there_is_room_for(settings, monkeypatch):
    state = trained_by(new(replace(settings, epochs=5)))
    assert [one.epoch for one in state.replay.epochs] == [1, 2, 3, 4, 5]
    samples, first = settings.task.samples(), replace(settings, epochs=5)
    byhand: list[Any] = []
    ll.fit(
        state.spec, samples.train, samples.valid, seed=0, epochs=5, optimizer=ll.Adam(lr=1e-2), batch=16,
        rate="cosine", watch=True, progress=False, callbacks=[lambda now: byhand.append(now.record.evidence())],
    )  # fmt: skip
    for seen, known in zip(state.replay.epochs, byhand, strict=True):
        assert all(np.array_equal(seen.params[k], known.params[k]) for k in seen.params)
        assert all(np.array_equal(seen.watched.path[k], known.watched.path[k]) for k in seen.params)
    monkeypatch.setattr(trainings, "MOST_REPLAYED", 3 * state.spec.size)
    assert [one.epoch for one in trained_by(new(first)).replay.epochs] == [2, 4]
    assert "from 0 to 5" in states.attempt(state, transitions.look_back, 6).message


def test_the_week_and_the_runs_of_the_forecast_are_chosen(trained):
    before = trained.week_picture.value
    trained.first.value = trained.state.runs[1].name
    assert trained.state.shown == (trained.state.runs[1].name,) * 2
    assert trained.week_picture.value != before


@pytest.mark.parametrize("week", [0, 3, -1])
def test_a_forecast_is_that_of_predict(trained, week):
    """On a series with several weeks, by a network as it is before any training."""
    settings = Settings(task=LastRows(share=0.25), units=(3,))
    split, spec = settings.task.split(), settings.spec
    params = ll.init_params(spec, seed=2)
    record = ll.Record.begin(spec, {}, params, settings.adam.init(params))
    run = replace(trained.state.runs[0], settings=settings, trained=(Trained(0, ((1.0, 1.0),), record),))
    frame, begins = forecast(run, split, week), weeks(split)[week]
    times = split.test.times.tz_convert(split.test.series.timezone)
    inside = (times >= begins) & (times < begins + pd.Timedelta("7D"))
    rows = frame.dropna()
    yhat = split.unscale(ll.predict(spec, params, split.test))[inside, 0]
    assert (list(rows.index) == list(times[inside]) and 100 < len(rows) <= 168) or week == -1
    assert np.array_equal(rows["measured"], split.test.actual[inside, 0])
    assert rows["forecast"].to_numpy() == pytest.approx(yhat, abs=1e-5)


def test_the_figures_draw_what_they_are_given(trained):
    drawn = figures.curves(trained.state)
    labels = [line.get_label() for line in drawn.figure.axes[0].lines]
    assert [run.name for run in trained.state.runs] == [name for name in labels if not name.startswith("_")]
    assert all(f"{run.rmse:.3f}" in drawn.words for run in trained.state.runs)
    points = figures.all_runs(trained.state)
    at = [(line.get_xdata()[0], line.get_ydata()[0]) for line in points.figure.axes[0].lines]
    assert at == [(run.seconds, run.rmse) for run in trained.state.runs]
    for picture in (drawn, points):
        assert picture.as_bytes().startswith(b"<?xml")


# What stands in the pictures, besides names of columns and runs, units and numbers.
DRAWN = (
    "training time", "validation RMSE", "last value", "hollow: stopped", "measured", "forecast", "interval",
    "RMSE of this week", "the day after", "redrawn", "span", "Mar",
)  # fmt: skip


@pytest.mark.parametrize(("language", "said"), [("en", True), ("fr", False)])
def test_every_text_of_a_picture_is_in_the_language_of_the_page(trained, language, said):
    trained.do(transitions.finish, replace(trained.state.runs[1], what="50 % redrawn cut span 3"))
    trained.do(transitions.in_language, language)
    found = ""
    for draw in (figures.curves, figures.all_runs, figures.week):
        figure = draw(trained.state).figure
        figure.canvas.draw()
        for ax in figure.axes:
            texts = [*ax.texts, ax.title, ax.xaxis.label, ax.yaxis.label, ax.xaxis.get_offset_text()]
            texts += [*ax.get_xticklabels(), *(ax.get_legend().get_texts() if ax.get_legend() else ())]
            found += "; ".join(text.get_text() for text in texts)
        plt.close(figure)
    assert {word: bool(re.search(rf"\b{word}\b", found)) for word in DRAWN} == dict.fromkeys(DRAWN, said)
    left, right, *below = figure.axes
    assert [len(ax.get_legend().get_texts()) for ax in (left, right, *below)] == [
        1,
        1,
        3,
        3,
    ]  # none is cut off
    assert said or (
        "intervalle à 90 %" in found and "-mars" in found and "tiré à nouveau cut portée 3" in found
    )


def test_the_reference_is_the_naive_forecast(settings):
    split = settings.task.split()
    scores = ll.compare(split.valid, {})
    assert last_value_error(split) == pytest.approx(scores.loc["last value", "rmse"], rel=1e-6)


def test_a_run_whose_series_is_gone_is_told_of(trained, tmp_path, settings):
    task = replace(settings.task, series=str(tmp_path / "gone.csv"))
    gone = replace(trained.state.runs[0], number=9, settings=replace(settings, task=task))
    trained.do(transitions.finish, gone)
    assert "can't be drawn" in trained.week_picture.value
    assert "9" in trained.table.value


def test_runs_of_other_settings_are_told_apart(trained):
    assert tell_apart(trained.state.runs) == ["", ""] and ">on<" not in trained.table.value
    trained.seed.value = 1
    trained.go.click()
    assert tell_apart(trained.state.runs) == ["seed 0", "seed 0", "seed 1", "seed 1"]
    assert ">on<" in trained.table.value and trained.table.value.count(">seed 1</div></td>") == 2
    other = replace(trained.state.runs[0], settings=replace(trained.state.runs[0].settings, lr=1.0))
    assert len({*tell_apart([*trained.state.runs, other])}) == 3
    assert any("seed 1" in label for label, _ in trained.first.options)


def test_errors_on_other_data_do_not_share_an_axis(trained):
    trained.share.value = "last half"
    trained.do(
        transitions.finish,
        replace(
            trained.state.runs[0], number=9, settings=replace(trained.state.runs[0].settings, task=LastRows())
        ),
    )
    drawn = figures.all_runs(trained.state)
    assert len(drawn.figure.axes[0].lines) == 1 and "2 runs on other data" in drawn.words
    drawn.as_bytes()


def test_statistics_are_there_after_loading(trained, settings):
    fresh = Page(settings)
    fresh.load.value = ({"name": "runs.zip", "content": memoryview(to_zip(trained.state.runs))} | UPLOAD,)
    fresh.statistic.value = trained.statistic.value = "fisher"
    assert fresh.state.statistic == "fisher" and fresh.map.values == trained.map.values


EDITS: dict[str, Any] = {
    "number": [None, "1", 1.5, True, -1, 10**9], "what": [None, 3, ["a"], "x" * 10**5],
    "choice": [None, {"zone": 7}, {"depth": None}, {"span": "24"}, {"blocks": 0}],
    "arcs": [None, "half", 2, -0.1], "predicted": [None, "fast"],
    "measured": [{}],
    "unit": [None, 4], "stopped": [None, 1], "trained": [None, {}, {"0": [[1]]}, {"0": [["a", "b"]]}, {"x": [[1, 1]]},
                {"0": "xy"}],
    "settings": [None, {}, {"units": "many"}, {"task": {"series": ""}}], "extra": [1],
}  # fmt: skip


def edited(content: bytes, change: Any) -> bytes:
    """A file of runs whose runs.json was changed by hand."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(made, "w") as new_one:
        for name in old.namelist():
            text = old.read(name)
            new_one.writestr(name, json.dumps(change(json.loads(text))) if name == "runs.json" else text)
    return made.getvalue()


def test_an_edited_file_of_runs_is_refused_and_loses_nothing(trained):
    content, before = to_zip(trained.state.runs), trained.state.runs
    for field, value in [(name, value) for name, values in EDITS.items() for value in values]:
        changed = edited(content, lambda about, what={field: value}: [about[0] | what, *about[1:]])
        trained.load.value = ({"name": "runs.zip", "content": memoryview(changed)} | UPLOAD,)
        said = trained.message.value
        assert "not a file of runs" in said and len(said) < 1000, (field, value)
        assert trained.state.runs == before, (field, value)
        trained.do(transitions.end)


def test_a_name_or_unit_of_any_signs_is_drawn(trained, settings):
    content = to_zip(trained.state.runs)
    for text in ("$\\frac{1}{$", "$x", "\\$_^", "<script>", "{}", "_hidden"):
        page = Page(settings)
        changed = edited(
            content, lambda about, text=text: [one | {"what": text, "unit": text} for one in about]
        )
        page.load.value = ({"name": "runs.zip", "content": memoryview(changed)} | UPLOAD,)
        assert "2 runs loaded" in page.message.value and "<script>" not in page.table.value, text
        for picture in (page.curves, page.points, page.week_picture):
            assert "data:image" in picture.value, text
        page.png.click()


def test_a_price_promises_no_more_than_what_surrounds_a_step_allows(settings):
    page = Page(replace(settings, units=(256,)))
    click(page, "0")
    page.depth.value = "cache"
    assert "30.00×" in page.price.value and "no more than 30×" in page.price.value
    assert price(page.state).whole < 10  # what is remembered is computed once


def test_a_budget_that_was_overruled_does_not_stay(page):
    page.budget.value = 50
    assert page.state.budget == 0.5
    click(page, "head")
    assert page.budget.value == 0


def test_weights_are_drawn_once_for_a_network(page, monkeypatch):
    calls = Mock(side_effect=states.init_params)
    monkeypatch.setattr(states, "init_params", calls)
    page.units.value = "9"
    assert calls.call_count == 1
