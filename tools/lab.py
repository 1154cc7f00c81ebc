"""Start JupyterLab on a notebook: on a desk, over ssh, or as root in a container without a display.

Usage: python tools/lab.py notebooks/00_start_here.ipynb [any argument of jupyter lab]
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

SETTINGS = Path(__file__).resolve().parent / "lab_settings"  # no extension that asks for news
FLAGS = (
    "--Application.log_level=ERROR",  # the address is still printed
    "--ServerApp.answer_yes=True",  # one Ctrl-C stops it
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",  # works, and asks nothing, offline
    "--LabApp.news_url=None",
)
# Where Jupyter, IPython, Matplotlib and Numba keep files of their own, and what of it stands in the home otherwise.
KEPT = {
    "JUPYTER_CONFIG_DIR": ".jupyter",
    "JUPYTER_DATA_DIR": ".local/share/jupyter",
    "IPYTHONDIR": ".ipython",
    "MPLCONFIGDIR": ".config/matplotlib",
    "NUMBA_CACHE_DIR": ".cache/numba",
}
_PORT = re.compile(r"--(?:\w+\.)?port(=|$)")


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


def one_port(arguments: Sequence[str]) -> list[str]:
    """The arguments with the last port alone, which is the user's: `make` gives one before it.

    >>> one_port(["--port=1", "--ip=::1", "--Voila.port", "2"])
    ['--ip=::1', '--Voila.port', '2']
    """
    ports = [(k, match[1]) for k, text in enumerate(arguments) if (match := _PORT.match(text))]
    left = {place for k, equals in ports[:-1] for place in ((k,) if equals else (k, k + 1))}
    return [text for k, text in enumerate(arguments) if k not in left]


def can_write(folder: Path) -> bool:
    """Whether the folder can be written, or made."""
    there = next((path for path in (folder, *folder.parents) if path.exists()), folder)
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """What Jupyter is told by its environment; where the home can't be written, it keeps its files elsewhere.

    A folder that can be written, or that was named, stays as it is.
    """
    home = Path(given.get("HOME") or Path.home())
    lost = {name: part for name, part in KEPT.items() if name not in given and not can_write(home / part)}
    found = dict(given)
    if lost:
        kept = Path(tempfile.mkdtemp(prefix="lstm_lib_home_"))
        found |= {name: str(kept / part) for name, part in lost.items()}
        print(f"{home} can't be written; Jupyter keeps its own files in {kept}.", flush=True)
    known = found.get("JUPYTER_CONFIG_PATH")
    found["JUPYTER_CONFIG_PATH"] = os.pathsep.join([str(SETTINGS), *([known] if known else [])])
    return found


def command(notebook: str, *more: str) -> list[str]:
    """The command line that opens `notebook`, a path below the working directory, on this machine.

    The notebook is the start page rather than an argument: so the address that is printed leads to it.
    """
    found = [sys.executable, "-m", "jupyterlab", f"--LabApp.default_url=/lab/tree/{notebook}", *FLAGS]
    if is_root():
        found.append("--allow-root")
    if not has_display():
        found.append("--no-browser")
    return [*found, *one_port(more)]


def start(found: list[str], given: Mapping[str, str]) -> None:
    """Run the command in place of this process: so signals reach Jupyter, which ends its kernels."""
    if sys.platform == "win32":  # where the terminal would take it for ended
        raise SystemExit(subprocess.call(found, env=dict(given)))
    os.execve(found[0], found, dict(given))


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
    start(found, environment(os.environ))


if __name__ == "__main__":
    main(sys.argv[1:])
