"""Each wrong turn on the command line has an answer of one sentence, with the option that helps, and an exit code."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import lstm_lib as ll
from lstm_lib import forecaster
from lstm_lib.command import main
from lstm_lib.series.options import TAKES, as_options
from tests.command.typed import FILES, READ, TINY, run

HOUSEHOLD = ["--separator", ";", "--time", "Date", "--target", "Voltage"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["check", "31_french.csv"], "give --separator ';' and the decimal sign, --decimal . or ','."),
        (["check", "31_french.csv", "--separator", ";", "--decimal", ","], "give --time ..., one of 'Horodate'"),
        (["check", "06_marks.csv"], "--missing"),
        (["check", "08_utf16.csv"], "it is in UTF-16; give --encoding utf-16."),
        (["check", "07_channel_1.dat", "--separator", "space"], "--names"),
        (["check", "19_hour_twice.csv"], "--timezone"),
        (["check", "20_midnight_24.csv"], "if stamps mark ends, give --stamped end"),
        (["check", "05_household.txt", *HOUSEHOLD], "--time 'Date, Time'"),
        (["check", "23_hourly.csv", "--clean", "spikes"], "Did you mean 'spike'?"),
        (["train", "09_us_decimals.csv", "--thousands", ","], "the train part: it has 2 rows"),
        (["train", "54_hours.csv", "--horizon", "soon"], "--horizon soon is not a length of time"),
        (["train", "54_hours.csv", "--split", "0.9, 0.1"], "has to be three shares above 0"),
        (["train", "54_hours.csv", "--lookback", "72"], "Give a larger share in --split, a smaller lookback"),
        (["train", "54_hours.csv", "-o", "no/such/model.npz"], "there is no folder no/such to write model.npz to"),
        (["forecast", "none.npz", "54_hours.csv"], "none.npz: No such file or directory"),
        (["check", "nothing.csv"], "There is no file"),
    ],
)  # fmt: skip
def test_a_wrong_turn_is_answered_in_one_sentence(
    arguments: list[str], says: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = [str(FILES / word) if (FILES / word).is_file() else word for word in arguments]
    code, out, err = run(*named, "--quiet", capsys=capsys)
    assert (code, out) == (1, "") and says in err
    assert err.startswith(f"lstm-lib {arguments[0]}: ") and err.count("\n") == 1 and "Traceback" not in err
    assert not re.search(rf"\b({'|'.join(TAKES)})=", err), "an option is spelled as one"
    code, out, _ = run(*named, "--quiet", "--json", capsys=capsys)
    assert code == 1 and says in json.loads(out)["refusal"]
    assert list(here.iterdir()) == []


def test_a_file_that_is_read_is_never_written_over(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = Path(file).read_bytes()
    for command in (["train", file], ["report", file]):
        code, _, err = run(*command, *READ, "-o", file, capsys=capsys)
        assert code == 1 and "my.csv is the file that is read" in err
    assert Path(file).read_bytes() == before


def test_a_command_line_that_is_not_understood_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (
        [],
        ["chek", "f"],
        ["check"],
        ["check", "f", "--tme", "x"],
        ["train", "f", "--units", "many"],
    ):
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert stopped.value.code == 2
    assert "usage: lstm-lib" in capsys.readouterr().err


def test_a_newer_file_without_a_column_is_refused(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    run("train", file, *READ, *TINY, capsys=capsys)
    Path("new.csv").write_text(
        "Horodate;Autre\n" + "\n".join(f"{d:02d}/03/2023 00:00;1,5" for d in range(1, 20))
    )
    code, _, err = run("forecast", "model.npz", "new.csv", capsys=capsys)
    assert code == 1 and "'Valeur <kW>'" in err


def test_ctrl_c_ends_cleanly(file: str, here: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "lstm_lib", "train", file, *READ, "--epochs", "100000", "--units", "3"],
        stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a job in the background ignores it
    ) as started:  # fmt: skip
        try:
            assert started.stderr is not None
            while "training" not in (line := started.stderr.readline()):
                assert line, "it ended before it trained"
            time.sleep(2)
            os.kill(started.pid, signal.SIGINT)
            out, err = started.communicate(timeout=60)
        finally:
            started.kill()
    assert started.returncode == 130 and out == ""
    assert err.endswith("lstm-lib train: stopped; no file was written\n") and "Traceback" not in err
    assert [path.name for path in here.iterdir()] == [file]


def test_half_a_training_is_not_written(
    file: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`fit` takes Ctrl-C and returns what was learned so far."""
    whole = forecaster.fit

    def stopped(*given: Any, **options: Any) -> ll.Record:
        record = whole(*given, **options)
        record.interrupted = True
        return record

    monkeypatch.setattr(forecaster, "fit", stopped)
    code, out, err = run("train", file, *READ, *TINY, capsys=capsys)
    assert (code, out) == (130, "") and "stopped; no file was written" in err
    assert not Path("model.npz").exists()


@pytest.mark.parametrize(
    ("said", "typed"),
    [
        ("rename its own in load_series(columns={...}).", "rename its own in --columns ...."),
        ("give names=['time', 'a, b'] with header=1", """give --names 'time, "a, b"' with --header 1"""),
        ("read with repeated='first'.", "read with --repeated first."),
        ("stamp_format='%d/%m/%Y %H:%M' has", "--stamp-format '%d/%m/%Y %H:%M' has"),
        ("only={'id': 'a'} reads one; only={}.", "--only id=a reads one; --only '{}'."),
        ("limit=20000 or skip=[2, 99]", "--limit 20000 or --skip '2, 99'"),
        ("a sentence with a target and a unit in it", "a sentence with a target and a unit in it"),
    ],
)  # fmt: skip
def test_a_refusal_is_spelled_as_options(said: str, typed: str) -> None:
    assert as_options(said) == typed
