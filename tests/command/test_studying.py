"""A study from the command line: tuned, run and timed in one go, told of a file, and gone on with."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lstm_lib.command import main, studying
from lstm_lib.command.arguments import parser
from lstm_lib.experiments import Store
from lstm_lib.experiments import study as st
from lstm_lib.series.options import TAKES
from tests.command.typed import READ, run

LITTLE = ["--quick", "--families", "core", "--runs", "dense", "half kept", "smaller network", "--jobs", "1"]


def test_a_study_of_a_file_leaves_a_table_and_a_figure_and_goes_on(
    file: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run("study", file, *READ, *LITTLE, "--out", "out", capsys=capsys)
    assert code == 0 and "my.csv, 1 ahead, 16 units: 3 configurations, 36 trials, 12 runs; 0 minutes" in err
    table = st.read_table("out/results.csv")
    runs = table[table["group"] != "tuning"]
    assert len(runs) == 2 * 3 and runs["alone"].all() and len(table) == 2 * 3 + 2 * 3 * 6
    assert (here / "out/my_1_16.png").stat().st_size > 10_000
    assert "half kept" in out and "verdict" in out and "2 seeds: the intervals know only these" in out
    code, again, _ = run("study", file, *READ, *LITTLE, "--out", "out", "--json", capsys=capsys)
    (study,) = json.loads(again)["studies"]
    assert code == 0 and [row["name"] for row in study["summary"]] == [
        "dense",
        "half kept",
        "smaller network",
    ]
    pd.testing.assert_frame_equal(st.read_table("out/results.csv"), table)  # nothing is made twice
    made = len(Store("out/store").rows())
    merged = ["--out", "there", "--merge", "out/store"]
    code, told, err = run("study", file, *READ, *LITTLE, *merged, capsys=capsys)
    assert (code, told) == (0, out.replace("out/", "there/"))
    assert f"{made} runs taken in from out/store" in err
    pd.testing.assert_frame_equal(st.read_table("there/results.csv"), table)


def test_a_machine_that_is_never_quiet_leaves_the_errors_and_one_line(
    file: str, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    network = [
        "--cell",
        "gru",
        "--layers",
        "2",
        "--units",
        "3",
        "--epochs",
        "1",
        "--seeds",
        "2",
        "--jobs",
        "1",
    ]
    little = [*network, "--families", "core", "--runs", "dense"]
    monkeypatch.setenv("LSTM_LIB_MOST_LOAD", "-1")
    code, out, err = run("study", file, *READ, *little, "--timed", "1", capsys=capsys)
    assert (code, out) == (1, "") and "my.csv, 1 ahead, 3 and 3 units, gru: 1 configurations" in err
    *_, last = err.splitlines()
    assert (
        "study/results.csv has the errors, and no times that count: configuration 'dense', seed 0: " in last
    )
    table = st.read_table("study/results.csv")
    runs = table[table["group"] != "tuning"]
    assert len(runs) == 2 and set(table["cell"]) == {"gru"} and set(table["units"]) == {"3-3"}
    code, out, _ = run("study", file, *READ, *little, "--timed", "0", capsys=capsys)  # dense alone: no figure
    assert code == 0 and out.startswith("study/results.csv is written")
    pd.testing.assert_frame_equal(st.read_table("study/results.csv"), table)
    code, out, _ = run("study", file, *READ, *little, "half kept", "--timed", "0", capsys=capsys)
    assert code == 0 and "study/my_1_3_3_gru.png is written" in out


def designs(*arguments: str) -> list[tuple[st.Design, tuple[str, ...]]]:
    return studying.designs(parser().parse_args(["study", *arguments]))


def test_a_study_can_be_told_of_a_file_all_that_load_series_can() -> None:
    for name in set(TAKES) - {"target", "only"}:
        (found, _), *_ = designs("a.csv", f"--{name.replace('_', '-')}", "2")
        assert name in found.task.reading
    given = ["--time", "Date, Time", "--missing", "?", "--skip", "2, 9", "--header", "3", "--only", "id=7"]
    given += ["--columns", "load=power, air", "--separator", "tab", "--target", "power"]
    (found, families), *others = designs("a.csv", *given)
    assert found.task.target == "power" and found.task.reading == {
        "calendar": ("hour", "weekday"), "time": ["Date", "Time"], "missing": "?", "skip": [2, 9], "header": 3,
        "only": {"id": "7"}, "columns": ["load=power", "air"], "separator": "\t",
    }  # fmt: skip
    assert found.units == (256,) and families == ("policies", "controls", "statistics")
    assert [(d.units, names) for d, names in others] == [((128,), ("core",)), ((64,), ("core",))]


def test_the_hours_of_windows_are_foretold_by_what_windows_cost() -> None:
    """An epoch of windows takes ten times as long as one of sequences, and more."""

    def minutes(family: str, name: str) -> int:
        given = parser().parse_args(
            ["study", "sceaux", "--units", "256", "--runs", name, "--families", family]
        )
        ((design, families),) = studying.designs(given)
        return int(re.search(r"(\d+) minutes", studying._about(given, design, families))[1])  # type: ignore[index]

    assert minutes("windows", "windows") > 4 * minutes("core", "dense") > 0


def test_both_series_of_the_course_are_studied_where_none_is_named() -> None:
    assert [(d.task.series, d.units) for d, _ in designs("--units", "8")] == [
        ("sceaux", (8,)),
        ("fontana", (8,)),
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--families", "luck"], "no family 'luck'; the choices are policies"),
        (["absent.csv"], "There is no file"),
        (["sceaux", "--target", "heat"], "heat"),
        (["--runs", "dense", "span 13"], "no run named 'span 13'; the choices are 'dense', "),
        (["--merge", "nowhere"], "there is no store in 'nowhere'"),
    ],
)
def test_a_study_that_cannot_be_is_refused_in_a_line(
    arguments: list[str], said: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run("study", *arguments, "--quick", "--jobs", "1", "--quiet", capsys=capsys)
    assert (code, out) == (1, "") and re.search(said, err)
    assert err.startswith("lstm-lib study: ") and err.count("\n") == 1


def test_ctrl_c_in_a_study_says_that_it_goes_on(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(studying, "tuned", stopped)
    assert main(["study", "fontana", "--quick", "--quiet"]) == 130
    assert "stopped; the same command goes on from there" in capsys.readouterr().err
