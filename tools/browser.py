"""A server and a Chromium that looks at it: for the tests of the demonstrator, and for its picture in docs/."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOK = ROOT / "notebooks" / "08_isolation_lab.ipynb"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# As root in a container, and without a word to anybody outside of it
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
SIZE = {"width": 1280, "height": 720}  # pixels of a small projector
WAIT = 180  # seconds until a server or a page is given up; a busy machine needs more than a minute to start a kernel


@contextmanager
def chromium() -> Iterator[Any]:
    """The browser that is installed; RuntimeError where there is none."""
    from playwright.sync_api import sync_playwright

    if CHROMIUM is None:
        raise RuntimeError("there is no Chromium (on Debian and Ubuntu: apt install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


@contextmanager
def served(command: list[str], environment: dict[str, str], folder: Path, address: str) -> Iterator[None]:
    """A server that runs in `folder`, which is its home too; it has answered at `address`, and is ended afterwards."""
    paths = [str(ROOT), *filter(None, [environment.get("PYTHONPATH")])]
    environment = environment | {"HOME": str(folder), "PYTHONPATH": os.pathsep.join(paths)}
    log = folder / "server.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        try:
            until = time.monotonic() + WAIT
            while not answers(address):
                if server.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"{command[1:3]} do not answer: {log.read_text(encoding='utf-8')}")
                time.sleep(0.1)
            yield
        finally:
            server.terminate()
            server.wait(timeout=30)


@contextmanager
def served_app(folder: Path, *more: str) -> Iterator[str]:
    """The address of the demonstrator, served as `make app` does."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [
        sys.executable,
        str(ROOT / "tools" / "app.py"),
        str(NOTEBOOK),
        f"--port={port}",
        "--no-browser",
        *more,
    ]
    with served(command, dict(os.environ), folder, f"{address}/voila/static/voila.js"):
        yield address


def answers(address: str) -> bool:
    """Whether a server answers there."""
    try:
        with urllib.request.urlopen(address, timeout=5):
            return True
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
