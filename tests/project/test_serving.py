"""The app and JupyterLab are where they say they are, and let in whom they should."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools import app, lab, new_venv
from tools.browser import free_port

ROOT = Path(__file__).resolve().parents[2]
FREE = "{free}"
KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}


def started(*arguments: str, folder: Path, **environment: str) -> subprocess.Popen[str]:
    """The app of one small cell; that of notebook 08 opens in tests/lab/test_lab_browser.py."""
    cell = nbformat.v4.new_code_cell("1 + 1", metadata={"tags": ["app"]})
    nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata=KERNEL), folder / "small.ipynb")
    return subprocess.Popen(
        [sys.executable, str(ROOT / "tools" / "app.py"), "small.ipynb", "--no-browser", *arguments],
        cwd=folder, env=os.environ | environment, text=True, encoding="utf-8",
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


@contextmanager
def running(*arguments: str, folder: Path, **environment: str) -> Iterator[str]:
    """The address that a server prints."""
    server = started(*arguments, folder=folder, **environment)
    try:
        assert server.stdout is not None
        lines = iter(server.stdout.readline, "")
        yield next(found[0] for line in lines if (found := re.search(r"http://\S+", line)))
    finally:
        server.terminate()
        server.communicate(timeout=30)


def answer(address: str, **headers: str) -> tuple[int, str]:
    """The status of an answer, and its text."""
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers)) as found:
            return found.status, found.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--port={free}", "--Voila.base_url=/user/anna/proxy/8979/"], "http://localhost:{free}/user/anna/proxy/8979/"),
        (["--port=8866", "--Voila.port={free}"], "http://localhost:{free}/"),
        (["--port=8866", "--port", "{free}", "--base_url=x"], "http://localhost:{free}/x/"),
        (["--port={free}", "--Voila.server_url=/s", "--Voila.base_url=/b"], "http://localhost:{free}/s/"),
        (["--Voila.ip=127.0.0.1", "--port=0"], r"http://127.0.0.1:\d+/"),
    ],
)  # fmt: skip
def test_the_address_is_the_one_that_answers(arguments: list[str], expected: str, tmp_path: Path) -> None:
    free = str(free_port())
    with running(*(text.replace(FREE, free) for text in arguments), folder=tmp_path) as address:
        assert re.fullmatch(expected.replace(FREE, free), address)
        status, page = answer(address)
    assert status == 200 and "jupyter-config-data" in page


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--port={taken}"], r"Port {taken} is in use. Take another one: make app APP_PORT=\d+\n"),
        (
            ["--port=8866", "--Voila.port={taken}"],
            r"Port {taken} is in use. Take another one: make app APP_PORT=\d+\n",
        ),
        (["--port=99999"], "The port is 99999; expected a number from 1 to 65535: make app APP_PORT=8866\n"),
        (["--port=-1"], "The port is -1; expected .*\n"),
        (["--port=http"], "The port is 'http'; expected a number from 1 to 65535: make app APP_PORT=8866\n"),
        (["--port=8866", "--Voila.port="], "The port is ''; expected .*\n"),
        (["--kernels=0"], "--kernels is 0; expected how many .*\n"),
        (["--ip=203.0.113.7"], "There is no address ip='203.0.113.7' .*\n"),
        (["--prot=8867"], "There is no argument --prot; .*--port.*\n"),
    ],
)
def test_what_cannot_start_says_so_in_a_line_and_prints_no_address(
    arguments: list[str], says: str, tmp_path: Path
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = str(other.getsockname()[1])
        server = started(*(text.replace("{taken}", taken) for text in arguments), folder=tmp_path)
        said, _ = server.communicate(timeout=60)
    assert server.returncode not in (0, None)
    assert re.fullmatch(says.replace("{taken}", taken), said)


def test_beyond_loopback_it_asks_for_a_token_and_by_a_strange_name_it_does_not_answer(tmp_path: Path) -> None:
    with running(f"--port={free_port()}", folder=tmp_path) as address:
        for host in ("evil.example", "localhost.evil.example", "10.0.0.1", "127.0.0.1.nip.io"):
            status, text = answer(f"{address}voila/static/voila.js", Host=host)
            assert status == 403 and f"--hosts={host}" in text
        assert answer(f"{address}voila/static/voila.js", Host="[::1]:1")[0] == 200
    for more in ("--ip=0.0.0.0", "--hosts=hub.example"):
        with running(f"--port={free_port()}", more, folder=tmp_path) as address:
            bare, _, token = address.partition("?token=")
            assert len(token) >= 32
            for wrong in (bare, f"{bare}?token=", f"{bare}?token={token[:-1]}"):
                assert "jupyter-config-data" not in answer(wrong)[1]  # the page that asks for it
            host = "hub.example" if "hub" in more else "localhost"
            assert "jupyter-config-data" in answer(address, Host=host)[1]


def test_kernels_are_told_where_files_may_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The data folder alone, where others reach the app; else what was asked for."""
    monkeypatch.setenv("LSTM_LIB_DATA", str(tmp_path))
    monkeypatch.delenv(app.FOLDERS, raising=False)
    (tmp_path / "page.ipynb").write_text("{}")
    for argument, folders in (
        ("--ip=0.0.0.0", tmp_path),
        ("--hosts=a.b", tmp_path),
        (f"--folders={ROOT}", ROOT),
    ):
        monkeypatch.setenv(app.FOLDERS, "")
        found = app.App()
        found.initialize([str(tmp_path / "page.ipynb"), argument])
        assert os.environ[app.FOLDERS] == str(folders)


@given(
    st.lists(
        st.sampled_from(["--port=1", "--Voila.port=2", "--ServerApp.port=3", "--ip=x", "--debug"]), max_size=6
    )
)
def test_of_several_ports_the_last_is_left(arguments: list[str]) -> None:
    ports = [text for text in arguments if "port" in text]
    kept = lab.one_port(arguments)
    assert [text for text in kept if "port" in text] == ports[-1:]
    assert [text for text in kept if "port" not in text] == [text for text in arguments if "port" not in text]


# ------------------------------------------------------------------------------------------- homes and environments


def test_without_a_home_jupyter_keeps_its_files_elsewhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = tmp_path / "file"
    gone.write_text("no folder")
    found = lab.environment({"HOME": str(gone / "anna"), "IPYTHONDIR": "/named"})
    assert "can't be written" in capsys.readouterr().out
    assert found["IPYTHONDIR"] == "/named"
    for name in set(lab.KEPT) - {"IPYTHONDIR"}:
        assert lab.can_write(Path(found[name])) and not Path(found[name]).is_relative_to(gone)
    there = lab.environment({"HOME": str(tmp_path)})
    assert set(there) == {"HOME", "JUPYTER_CONFIG_PATH"} and capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["venv", "new/a/venv", "work", "empty", "file", "work/inside"])
def test_a_failed_environment_takes_nothing_with_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "thesis.txt").write_text("years")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    before = sorted(tmp_path.rglob("*"))

    def failing(command: list[str], check: bool) -> subprocess.CompletedProcess[str]:
        (Path(command[-1]) / "lib").mkdir(parents=True)
        return subprocess.CompletedProcess(command, 1)

    monkeypatch.setattr(new_venv.subprocess, "run", failing)
    assert new_venv.main(str(tmp_path / name)) == 1
    assert "VENV=" in (said := capsys.readouterr().out) or "python3-venv" in said
    assert [path for path in sorted(tmp_path.rglob("*")) if path.name != "lib"] == before


@pytest.mark.parametrize(
    "name", ["my venv/x", "", " ", "a;b", "a$$b", "a'b", 'a"b', "a|b", "*", "a b c", "`id`", "$(x)"]
)
def test_a_folder_that_make_would_take_apart_is_refused(name: str, tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    done = subprocess.run(
        ["make", "-n", "setup", f"VENV={name}"], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "VENV")},
    )  # fmt: skip
    assert done.returncode != 0 and "expected the name of one folder" in done.stderr
