"""Start JupyterLab on a notebook: on a desk, over ssh, or as root in a container without a display.

Usage: python tools/lab.py notebooks/00_start_here.ipynb [any argument of jupyter lab]
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

FLAGS = (
    "--Application.log_level=ERROR",  # the address is still printed
    "--ServerApp.answer_yes=True",  # one Ctrl-C stops it
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",  # works, and asks nothing, offline
    "--LabApp.news_url=None",
)


def has_display() -> bool:
    """Whether a browser window can open here."""
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def is_root() -> bool:
    """Whether Jupyter would refuse to start without --allow-root."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def offered(notebook: str) -> str:
    """The notebook of this name in the students' edition where that was made (`make student`), else this one."""
    theirs = Path(notebook).parent.parent / "student" / Path(notebook).name
    return theirs.as_posix() if theirs.is_file() else notebook


def command(notebook: str, *more: str) -> list[str]:
    """The command line that opens `notebook`, a path below the working directory, on this machine.

    The notebook is the start page rather than an argument: so the address that is printed leads to it.
    """
    found = [sys.executable, "-m", "jupyterlab", f"--LabApp.default_url=/lab/tree/{notebook}", *FLAGS]
    if is_root():
        found.append("--allow-root")
    if not has_display():
        found.append("--no-browser")
    return [*found, *more]


def main(arguments: list[str]) -> None:
    notebook, *more = arguments
    if not Path(notebook).is_file():
        raise SystemExit(
            f"There is no {notebook} in {Path.cwd()}; start this with `make lab` in the checkout."
        )
    notebook = offered(notebook)
    where = "in your browser" if has_display() else "at the last of these addresses; open it in a browser"
    print(f"JupyterLab opens {notebook} {where}. Ctrl-C stops it.", flush=True)
    found = command(notebook, *more)
    os.execv(found[0], found)  # in place of this process: signals reach Jupyter, which ends its kernels


if __name__ == "__main__":
    main(sys.argv[1:])
