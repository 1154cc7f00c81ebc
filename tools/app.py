"""Serve the page of a notebook as an app of its own, with Voilà: the cells tagged `app`, and nothing else.

Usage: python tools/app.py notebooks/08_isolation_lab.ipynb [any argument of voila]
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tools.lab import has_display

TEMPLATE = Path(__file__).resolve().parent / "app_template"
FLAGS = (
    "--Voila.log_level=ERROR",
    "--template=offline",
    "--theme=light",
    "--show_tracebacks=True",
    "--Voila.port_retries=0",
)


def app_of(notebook: Any, folder: Path) -> Any:
    """The cells of a notebook that make the app; they run in `folder`, where a user's files are looked for."""
    cells = [cell for cell in notebook.cells if "app" in cell.metadata.get("tags", ())]
    if not cells:
        raise SystemExit("No cell of the notebook is tagged `app`.")
    there = nbformat.v4.new_code_cell(f"import os\nos.chdir({str(folder)!r})")
    return nbformat.v4.new_notebook(cells=[there, *cells], metadata=notebook.metadata)


def command(app: Path, *more: str) -> list[str]:
    """The command line that serves the app on this machine."""
    found = [sys.executable, "-m", "voila", str(app), *FLAGS]
    if not has_display():
        found.append("--no-browser")
    return [*found, *more]


def environment() -> dict[str, str]:
    """Where Voilà finds the template."""
    known = os.environ.get("JUPYTER_PATH")
    return {**os.environ, "JUPYTER_PATH": os.pathsep.join([str(TEMPLATE), *([known] if known else [])])}


def main(arguments: list[str]) -> None:
    path, *more = arguments
    app = Path(tempfile.mkdtemp(prefix="lstm_lib_")) / "isolation_lab.ipynb"
    nbformat.write(app_of(nbformat.read(path, as_version=4), Path.cwd()), app)
    port = next((flag.partition("=")[2] for flag in more if flag.startswith("--port=")), "8866")
    print(f"The app runs at http://localhost:{port}; open it in a browser. Ctrl-C stops it.", flush=True)
    found = command(app, *more)
    os.execve(
        found[0], found, environment()
    )  # in place of this process: signals reach Voilà, which ends its kernels


if __name__ == "__main__":
    main(sys.argv[1:])
