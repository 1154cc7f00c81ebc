"""Run notebooks from top to bottom and store their outputs in place: `make notebooks`.

    python tools/run_notebooks.py [NOTEBOOK...]        default: all in notebooks/

A notebook is written only after all of its cells have run; the rules it then breaks are printed. What would
differ in every run (time stamps, widget ids, the version of Python) is not stored.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

# Python, NumPy and TensorFlow are told before a kernel inherits this environment.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tools.notebook_rules import faults

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT = 600  # seconds a cell
WIDGET = "application/vnd.jupyter.widget-view+json"
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def execute(path: Path) -> Any:
    """The notebook at `path` with fresh outputs; its cells see their own folder as working directory."""
    notebook = nbformat.read(path, as_version=4)
    code = [k for k, cell in enumerate(notebook.cells) if cell.cell_type == "code" and cell.source.strip()]

    def progress(cell: Any, cell_index: int) -> None:
        if sys.stderr.isatty() and cell_index in code:
            print(
                f"\r{path.name}  cell {code.index(cell_index) + 1} of {len(code)} ", end="", file=sys.stderr
            )

    NotebookClient(
        notebook,
        timeout=TIMEOUT,
        kernel_name="python3",
        extra_arguments=["--log-level=ERROR"],  # the kernel warns of TCP, which here stays on this machine
        resources={"metadata": {"path": str(path.parent)}},
        record_timing=False,
        store_widget_state=True,  # an Output widget needs it; `tidy` drops it again
        on_cell_start=progress,
    ).execute()
    return notebook


def tidy(notebook: Any) -> Any:
    """Drop what differs from run to run and from machine to machine; cell ids and tags stay."""
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL, "language_info": {"name": "python"}})
    views = 0
    for cell in notebook.cells:
        for noise in ("execution", "ExecuteTime", "collapsed", "scrolled"):
            cell.metadata.pop(noise, None)
        for output in cell.get("outputs", ()):
            if WIDGET in output.get("data", {}):
                views += 1
                output.data[WIDGET]["model_id"] = f"{views:032x}"
    return notebook


def run(path: Path) -> bool:
    """Run and store one notebook; say how long it took, or what went wrong."""
    began = time.perf_counter()
    try:
        notebook = tidy(execute(path))
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        print(f"\r{path.name}  FAILED, not stored\n{error}")
        return False
    seconds, found = time.perf_counter() - began, faults(notebook)
    nbformat.write(notebook, path)
    cells = sum(cell.cell_type == "code" for cell in notebook.cells)
    print(f"\r{path.name:32} {cells:3} code cells {seconds:7.1f} s", *found, sep="\n  ", flush=True)
    return not found


def main(arguments: list[str]) -> int:
    paths = [Path(a) for a in arguments] or sorted((ROOT / "notebooks").glob("*.ipynb"))
    if not paths:
        raise SystemExit("There is no notebook in notebooks/.")
    failed = [path for path in paths if not run(path)]  # one failure does not keep the others from running
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
