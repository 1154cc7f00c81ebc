"""The demo runs from its command line on a tiny setting, fits a terminal, and ends in one line when it can't."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lstm_lib as ll
from tools import demo

ROOT = Path(__file__).resolve().parents[2]
TINY = ["--epochs", "1", "--units", "4", "--rows", "2000"]


def start(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "tools" / "demo.py"), *arguments],
        cwd=cwd, env={**os.environ, **environment}, capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip


def test_the_demo_prints_the_table_and_writes_the_picture(tmp_path: Path) -> None:
    done = start(*TINY, cwd=tmp_path, PYTHONIOENCODING="utf-8")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # no bar where nobody watches
    assert max(map(len, done.stdout.splitlines())) <= demo.WIDTH
    assert "\x1b" not in done.stdout  # no colours, hence nothing to switch off
    for name in (demo.DENSE, demo.QUARTER, demo.HEAD, "ridge", "last value"):
        assert f"\n{name} " in done.stdout
    assert "Picture: demo.png" in done.stdout
    assert (tmp_path / "demo.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_a_terminal_without_blocks_gets_plain_signs(tmp_path: Path) -> None:
    done = start(*TINY, cwd=tmp_path, PYTHONIOENCODING="ascii:strict")
    assert done.returncode == 0, done.stderr
    assert "###" in done.stdout
    assert "1.0x" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--series", "sceux"], "Did you mean 'sceaux'?"),
        (["--rows", "100"], "a window needs"),
        (["--units", "0"], "Spec.units"),
        (["--series", "no/such.csv"], "There is no file"),
        ([*TINY, "--out", "no/such/folder.png"], "no/such/folder.png"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert demo.main(arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("demo: ")
    assert says in line


def test_a_missing_package_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "sklearn.py").write_text("raise ModuleNotFoundError('no', name='sklearn')")
    done = start(*TINY, cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr == "The demo needs the package sklearn; `make setup` installs what is needed.\n"


def test_control_c_ends_it_also_when_fit_has_kept_what_it_had(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = itertools.count()

    def interrupted(*arguments: Any, **more: Any) -> Any:
        if next(calls) == 3:
            raise KeyboardInterrupt  # within fit, which catches it
        return ll.forward(*arguments, **more)

    monkeypatch.setattr("lstm_lib.training.step.forward", interrupted)
    assert demo.main(TINY) == 130
    assert capsys.readouterr().err.strip().endswith("Stopped.")


def test_the_three_plans_differ_in_what_they_leave_out_alone() -> None:
    spec = ll.Spec(2, (5,), 1)
    dense, quarter, head = demo.plans(spec).values()
    assert (dense.zone.size, dense.span) == (0, None)
    assert (quarter.zone, quarter.depth) == (ll.zone(spec, layer=0, unit=slice(2, 5)), "cut")
    assert (head.zone, head.depth) == (~ll.zone(spec, layer="head"), "skip")


def test_bars_start_at_zero() -> None:
    half, whole = demo.bars({"half": 1.0, "whole": 2.0}, "s", width=65).splitlines()
    assert (half.count("█"), whole.count("█")) == (20, 40)


def test_a_skyline_keeps_to_its_range() -> None:
    assert demo.skyline([-1.0, 0.0, 1.0, 9.0, np.nan], 0.0, 1.0) == "▁▁██ "


@pytest.mark.parametrize(
    ("seconds", "expected"), [([10.0, 5.0], False), ([10.0, 8.0], True), ([10.0, 3.0], True)]
)
def test_seconds_that_contradict_the_steps_are_called_blurred(seconds: list[float], expected: bool) -> None:
    table = pd.DataFrame({"seconds": seconds, "speed": [1.0, 2.0]}, index=[demo.DENSE, demo.QUARTER])
    assert demo.busy(table) is expected
