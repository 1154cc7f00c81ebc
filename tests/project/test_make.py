"""`make` lists, runs and refuses what it should; JupyterLab and the app start."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tools import app, lab, which_python

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
OUTSIDE = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "VENV")}
Here = tuple[tuple[int, int, int], str, str, str]


def make(*arguments: str) -> str:
    """What make prints, as in a shell that was not itself started by make."""
    return subprocess.run(
        ["make", *arguments], cwd=ROOT, env=OUTSIDE, capture_output=True, text=True, check=True
    ).stdout


def test_help_lists_every_target() -> None:
    targets = set(" ".join(re.findall(r"^\.PHONY:(.*)$", MAKEFILE, flags=re.M)).split())
    listed = set(re.findall(r"^  ([a-z-]+) +\S", make("help"), flags=re.M))
    assert targets == listed
    assert targets >= {"lab", "test", "notebooks", "bench", "mutants", "lock"}


def test_every_file_that_make_names_is_there() -> None:
    named = re.findall(r"(?<![\w./-])(?:tests|tools|notebooks|data|benchmarks)/[\w./]+", MAKEFILE)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_make_lab_opens_the_first_notebook() -> None:
    assert "tools/lab.py notebooks/00_start_here.ipynb --port=8888" in make("-n", "lab")


def test_make_app_serves_the_page_of_its_notebook() -> None:
    assert "tools/app.py notebooks/08_isolation_lab.ipynb --port=8866" in make("-n", "app")
    notebook = nbformat.read(ROOT / "notebooks" / "08_isolation_lab.ipynb", as_version=4)
    served = app.app_of(notebook, ROOT)
    assert [cell.source.splitlines()[-1] for cell in served.cells] == [f"os.chdir({str(ROOT)!r})", "page()"]
    with pytest.raises(SystemExit, match="tagged `app`"):
        app.app_of(nbformat.v4.new_notebook(), ROOT)


def test_the_app_asks_nothing_of_the_internet() -> None:
    for path in (*(ROOT / "tools/app_template").rglob("*.j2"), *(ROOT / "lstm_lib/lab").glob("*.[jc]s*")):
        assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)", path.read_text(encoding="utf-8")) == [], path


def test_make_test_runs_every_check_and_so_does_ci() -> None:
    assert re.search(r"^STAGES := lint types\+book unit check-notebooks$", MAKEFILE, flags=re.M)
    assert re.search(r"^make .* test ", (ROOT / ".ci" / "run").read_text(encoding="utf-8"), flags=re.M)
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def setup_with(version: tuple[int, int, int], folder: Path, *more: str) -> str:
    """What `make setup` says to a Python that takes itself for another version."""
    other = folder / "python3"
    run = "del sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')"
    pretend = f"import runpy, sys; sys.version_info = {version}; {run}"
    other.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{pretend}" "$@"\n')
    other.chmod(0o755)
    done = subprocess.run(
        ["make", "setup", f"PYTHON={other}", f"VENV={folder / 'venv'}", *more],
        cwd=ROOT, env=OUTSIDE, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert not (folder / "venv").exists()
    return done.stdout


def test_an_old_python_is_refused_in_words(tmp_path: Path) -> None:
    said = setup_with((3, 9, 2), tmp_path)
    assert "needs Python 3.11 or newer; this is Python 3.9.2" in said
    assert "make setup PYTHON=python3.13" in said


def test_a_python_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refusal:
        make("setup", "PYTHON=python9", f"VENV={tmp_path / 'venv'}")
    assert "There is no python9" in refusal.value.stdout


def test_a_python_too_new_for_the_locked_tensorflow_is_told_what_to_do(tmp_path: Path) -> None:
    said = setup_with((3, 14, 0), tmp_path)
    assert "no wheel for Python 3.14" in said
    assert "wheels for Python 3.11 to 3.13" in said
    for way in ("PYTHON=python3.13", "LOCK=newest", "LOCK=without-tensorflow"):
        assert f"make setup {way} " in said


@pytest.mark.parametrize(
    ("here", "found"),
    [
        (((3, 13, 0), "Linux", "x86_64", "glibc"), ""),
        (((3, 11, 2), "Darwin", "arm64", ""), ""),
        (((3, 12, 0), "Windows", "AMD64", ""), ""),
        (((3, 12, 0), "Darwin", "x86_64", ""), "for macOS on x86_64"),
        (((3, 12, 0), "Linux", "x86_64", ""), "for a Linux without glibc"),
        (((3, 15, 0), "Linux", "x86_64", "glibc"), "for Python 3.15"),
    ],
)
def test_a_machine_without_a_wheel_is_named(here: Here, found: str) -> None:
    said = which_python.advice("tested", "make", *here)
    assert (f"no wheel {found}" in said) if found else said == ""
    assert which_python.advice("newest", "make", *here) == ""  # pip knows better than we do


def test_another_python_is_no_advice_where_the_machine_is_the_reason() -> None:
    assert "PYTHON=" not in which_python.advice("tested", "make", (3, 12, 0), "Darwin", "x86_64", "")


def test_the_newest_python_is_that_of_the_locked_tensorflow() -> None:
    said = distribution("tensorflow").metadata.get_all("Classifier") or []
    minors = [
        int(n) for line in said for n in re.findall(r"^Programming Language :: Python :: 3\.(\d+)$", line)
    ]
    locked = re.findall(
        r"^tensorflow==(.+)$", (ROOT / "requirements.txt").read_text(encoding="utf-8"), flags=re.M
    )
    assert (3, max(minors)) == which_python.NEWEST or [distribution("tensorflow").version] != locked


def test_on_windows_the_terminal_waits_for_jupyterlab(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab.sys, "platform", "win32")
    monkeypatch.setattr(lab.os, "execve", lambda *_: pytest.fail("the terminal is free again"))
    with pytest.raises(SystemExit) as end:
        lab.start([sys.executable, "-c", "raise SystemExit(7)"], os.environ)
    assert end.value.code == 7


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_jupyterlab_starts_without_a_display(tmp_path: Path) -> None:
    """As in a container: no display, a home of its own, and root where the tests run as root."""
    notebook, log, port = tmp_path / "empty.ipynb", tmp_path / "log", free_port()
    nbformat.write(nbformat.v4.new_notebook(), notebook)
    shown = ("DISPLAY", "WAYLAND_DISPLAY", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
    environment = {k: v for k, v in os.environ.items() if k not in shown} | {"HOME": str(tmp_path)}
    code = f"from tools import lab; print(*lab.command({notebook.name!r}), sep='\\n')"
    command = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert "--LabApp.default_url=/lab/tree/empty.ipynb" in command  # the address that is printed
    assert "--no-browser" in command
    assert ("--allow-root" in command) == lab.is_root()

    with log.open("w") as output:
        server = subprocess.Popen(
            [*command, f"--port={port}", "--ServerApp.port_retries=0", "--IdentityProvider.token=t"],
            cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        )  # fmt: skip
        try:
            status = wait_for(f"http://127.0.0.1:{port}/api/status?token=t", server)
        finally:
            server.terminate()
            server.wait(timeout=30)
    assert status is not None, log.read_text(encoding="utf-8")
    assert status["kernels"] == 0


def wait_for(url: str, server: subprocess.Popen[bytes], seconds: float = 60) -> dict[str, Any] | None:
    """What the server answers as soon as it answers; None when it has ended or the time is up."""
    until = time.monotonic() + seconds
    while server.poll() is None and time.monotonic() < until:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    return None
