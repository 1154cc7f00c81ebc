"""The command line: from a file to what comes next; each wrong turn has an answer, and an exit code."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import lstm_lib as ll
from lstm_lib.command import main
from lstm_lib.command.arguments import PREPARING, TELLS, TRAINING, helps, parser
from lstm_lib.series import RULES
from lstm_lib.series.options import SAYS, TAKES
from tests.command.typed import FILES, READ, TINY, run

# ------------------------------------------------------------------------------------------------- three commands


def test_from_a_file_to_what_comes_next(file: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run("check", file, *READ, capsys=capsys)
    assert (code, err) == (0, "reading my.csv\n") and "Nothing looks wrong." in out
    code, out, _ = run("train", file, *READ, *TINY, "-o", "m.npz", capsys=capsys)
    assert code == 0 and "lstm-lib forecast m.npz my.csv" in out and "same hour yesterday" in out
    command = out.rpartition("what comes next: lstm-lib ")[2].split()  # as it was printed
    code, out, err = run(*command, "-o", "next.csv", "--plot", "next.png", capsys=capsys)
    assert code == 0, err
    assert out.splitlines()[1:] == ["next.csv is written", "next.png is written"]
    written = pd.read_csv("next.csv", index_col="time", parse_dates=True)
    assert list(written) == ["forecast", "low", "high"] and written.notna().all(axis=None)
    assert written.index[0] == pd.Timestamp("2023-02-10 00:00", tz="UTC") and len(written) == 24
    series = ll.load_series(file, separator=";", decimal=",", time="Horodate", calendar=["hour", "weekday"])
    expected = ll.Forecaster.load("m.npz").forecast(series, level=0.9)
    np.testing.assert_allclose(written.to_numpy(), expected.to_numpy(), rtol=1e-5)
    assert (here / "next.png").read_bytes()[:4] == b"\x89PNG"
    assert sorted(path.name for path in here.iterdir()) == ["m.npz", "my.csv", "next.csv", "next.png"]


def test_a_forecast_without_a_file_is_printed(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    run("train", file, *READ, *TINY, "--horizon", "3h", "--lookback", "12", capsys=capsys)
    code, out, err = run("forecast", "model.npz", file, "--level", "0", capsys=capsys)
    assert code == 0 and out.splitlines()[0] == "time,forecast" and len(out.splitlines()) == 4
    assert "Valeur <kW> from 2023-02-10 00:00 to 2023-02-10 02:00 (UTC+00:00), 3 rows; highest" in err
    code, out, _ = run("forecast", "model.npz", file, "--at", "2023-02-01 11:00", capsys=capsys)
    assert out.splitlines()[1].startswith("2023-02-01T12:00:00+00:00,")


def test_readings_of_a_meter_in_three_commands(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    meter = str(FILES / "11_meter_reading.csv")
    code, out, _ = run("check", meter, capsys=capsys)
    advised = re.search(r"(--consumption .*)\.$", out, re.M)
    assert code == 1 and advised
    code, _, err = run("train", meter, *shlex.split(advised[1]), *TINY, capsys=capsys)
    assert code == 0, err
    code, out, err = run("forecast", "model.npz", meter, "-o", "next.csv", capsys=capsys)
    assert code == 0, err
    assert pd.read_csv("next.csv")["forecast"].between(0, 1).all(), "what is consumed in a quarter of an hour"


def test_a_week_is_enough_for_three_commands(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    week = str(FILES / "54_hours.csv")
    code, out, err = run("train", week, "--timezone", "Asia/Kolkata", "--epochs", "1", capsys=capsys)
    assert code == 0 and "(the file is short)" in err
    assert "same hour last week" not in out, "there is none in a week"
    code, _, err = run("forecast", "model.npz", week, "-o", "next.csv", capsys=capsys)
    assert code == 0, err
    assert pd.read_csv("next.csv")["time"][0] == "2022-06-08T00:00:00+05:30", (
        "local time, as the model was told"
    )


def test_a_weather_forecast_is_read_below_the_last_measured_row(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng, index = np.random.default_rng(0), pd.date_range("2023-01-01", periods=603, freq="h", name="time")
    air = rng.normal(10, 3, 603).round(2)
    frame = pd.DataFrame({"load": 50 + 2 * air + rng.normal(0, 0.1, 603).round(2), "air": air}, index)
    frame.loc[index[600:], "load"] = np.nan
    frame.to_csv("w.csv")
    given = [
        "--target",
        "load",
        "--horizon",
        "3",
        "--lookback",
        "6",
        "--known",
        "air",
        "--units",
        "8",
        "--quiet",
    ]
    code, _, err = run("train", "w.csv", *given, "--epochs", "300", "--lr", "0.02", capsys=capsys)
    assert code == 0, err
    code, out, err = run("forecast", "model.npz", "w.csv", "--level", "0", capsys=capsys)
    assert code == 0, err
    forecast = [float(line.split(",")[1]) for line in out.splitlines()[1:]]
    assert [line[:13] for line in out.splitlines()[1:]] == ["2023-01-26T00", "2023-01-26T01", "2023-01-26T02"]
    assert np.corrcoef(forecast, air[600:])[0, 1] > 0.9
    code, _, err = run("train", "w.csv", "--target", "load", "--known", "aire", capsys=capsys)
    assert code == 1 and "Did you mean 'air'?" in err


def test_cleaning_and_hours_of_quarters(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    index = pd.date_range("2023-01-01", periods=4 * 480, freq="15min", name="time")
    load = 5 + np.sin(np.arange(len(index)) / 15) + np.random.default_rng(0).normal(0, 0.1, len(index))
    load[[70, 71, 500]] = -9999
    pd.DataFrame({"load": load}, index).round(3).to_csv("q.csv")
    code, out, _ = run("check", "q.csv", "--unit", "kW", capsys=capsys)
    assert code == 1 and '--clean "sentinel"' in out
    reading = ["--unit", "kW", "--clean", "sentinel", "--resample", "1h"]
    code, out, err = run("train", "q.csv", *reading, *TINY, "--json", capsys=capsys)
    assert code == 0, err
    told = json.loads(out)
    assert told["series"]["step_hours"] == 1 and told["series"]["missing"] == 2
    assert [row["forecast"] for row in told["compared"]][-1] == "LSTM"


# ----------------------------------------------------------------------------------------- for people and programs


def test_findings_are_told_in_ten_lines_or_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run("check", "fontana", capsys=capsys)
    assert code == 1 and "24 findings, worst first" in out
    assert sum(line.startswith("frozen ") for line in out.splitlines()) == 2
    code, out, _ = run("check", "fontana", "--all", capsys=capsys)
    assert sum(line.startswith("frozen ") for line in out.splitlines()) == 24
    assert "the same value, other than 0" in out
    code, out, _ = run("check", "fontana", "--json", capsys=capsys)
    told = json.loads(out)
    assert code == 1 and len(told["findings"]) == 24 and told["summary"][0]["findings"] == 18
    assert told["series"]["first"] == "2016-08-01T08:00:00+00:00"


def test_compare_says_what_is_worth_it(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run("compare", file, *READ, *TINY, capsys=capsys)
    assert code == 0
    assert re.search(r"^ +mae +rmse .* coverage +width +n$", out, re.M)
    for name in ("last value", "same hour yesterday", "LSTM", "ridge"):
        assert re.search(rf"^{name} +[\d.]+ ", out, re.M)
    assert re.search(r"^Best is ridge, RMSE [\d.]+: \d+% less than 'same hour yesterday'", out, re.M)


def test_every_argument_of_load_series_is_an_option() -> None:
    assert list(SAYS) == list(TAKES), "a row in SAYS for each argument, in their order"
    reading = {f"--{name.replace('_', '-')}" for name in TAKES}
    for command in TELLS:
        more = ["m"] if command == "forecast" else []
        given = vars(parser().parse_args([command, *more, "f"]))
        prepares = () if command == "study" else PREPARING  # each process of a study reads the file itself
        assert set(given) >= {*TAKES, *prepares, "json", "quiet"}
        assert all(option in helps()[command] for option in reading)
    assert set(TRAINING) <= set(vars(parser().parse_args(["train", "f"])))


def test_the_program_is_this_command() -> None:
    project = tomllib.loads((FILES.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert EntryPoint("lstm-lib", project["scripts"]["lstm-lib"], "console_scripts").load() is main


def test_help_answers_quickly_and_loads_nothing_heavy(here: Path) -> None:
    code = "import sys; from lstm_lib.command import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    code += "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "lstm-lib train my.csv -o model.npz" in done.stdout
    assert not {"tensorflow", "keras", "matplotlib", "sklearn", "scipy", "numba"} & set(done.stderr.split())


def test_kinds_that_can_be_cleaned_are_those_of_the_rules() -> None:
    from lstm_lib.command.page import CLEANED

    assert set(CLEANED) == {kind for kind, rule in RULES.items() if not rule.kept}
