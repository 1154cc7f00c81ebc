"""What the tests of the command line type, and what comes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from lstm_lib.command import main

FILES = Path(__file__).resolve().parents[1] / "files"
TINY = ["--units", "3", "--epochs", "1", "--quiet"]
READ = ["--separator", ";", "--decimal", ",", "--time", "Horodate"]


def run(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = main(arguments)
    told = capsys.readouterr()
    return code, told.out, told.err
