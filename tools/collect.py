"""Who has which check right: run what students handed in, and make a table: `make collect FROM=handed_in`.

    python tools/collect.py FOLDER [--csv FILE]

FOLDER has a folder a student, with the notebooks that this student handed in; files in `.progress/` are not believed.
A notebook is run in the folder of the solved ones; what fails in it does not stop what follows. It is the code of
others that runs, with your rights: do it in a container, or under an account of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from lstm_lib.course import EXERCISES
from lstm_lib.course.kept import VARIABLE
from lstm_lib.files import replacing

ROOT = Path(__file__).resolve().parent.parent
RIGHT, WRONG, OPEN = "right", "wrong", "-"


def handed_in(folder: Path) -> dict[str, list[Path]]:
    """Student -> notebooks, in order; copies that Jupyter or a reset made are left out."""
    if not folder.is_dir():
        raise SystemExit(f"There is no folder {folder}; expected one with a folder a student.")
    found = {
        student.name: sorted(
            path for path in student.rglob("[0-9]*.ipynb")
            if ".ipynb_checkpoints" not in path.parts and ".mine" not in path.name
        )
        for student in sorted(folder.iterdir()) if student.is_dir()
    }  # fmt: skip
    found = {student: paths for student, paths in found.items() if paths}
    if not found:
        raise SystemExit(f"{folder} has no notebooks; expected a folder a student, such as {folder / 'ann'}.")
    return found


def run(path: Path, timeout: int = 600) -> dict[str, str]:
    """What the checks of a notebook say now: exercise -> right or wrong; those that were never reached are missing."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as progress:
        client = NotebookClient(
            notebook,
            timeout=timeout,
            kernel_name="python3",
            allow_errors=True,
            extra_arguments=["--log-level=ERROR"],
            resources={"metadata": {"path": str(ROOT / "notebooks")}},
        )
        try:
            client.execute(env={**os.environ, VARIABLE: progress, "PYTHONPATH": str(ROOT)})
        except (CellTimeoutError, DeadKernelError) as error:
            print(f"  {path.name} was not run to its end: {str(error).splitlines()[0]}", flush=True)
        kept = [json.loads(file.read_text("utf-8")) for file in sorted(Path(progress).glob("*.json"))]
    return {name: RIGHT if state["done"] else WRONG for sheet in kept for name, state in sheet.items()}


def table(students: dict[str, list[Path]]) -> pd.DataFrame:
    """A row a student, a column an exercise of the chapters that anybody handed in, in the order of the course."""
    rows: dict[str, dict[str, Any]] = {}
    for student, paths in students.items():
        print(student, *(path.name for path in paths), flush=True)
        rows[student] = {name: state for path in paths for name, state in run(path).items()}
    chapters = {path.name[:2] for paths in students.values() for path in paths}
    columns = [name for name, exercise in EXERCISES.items() if exercise.sheet in chapters]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).fillna(OPEN)


def summary(found: pd.DataFrame) -> pd.DataFrame:
    """How many are right, a row a student and a column a chapter.

    >>> found = pd.DataFrame({"02.do": ["right", "wrong"], "02.dc": ["right", "-"]}, index=["ann", "bob"])
    >>> print(summary(found).to_string())
             02
    ann  2 of 2
    bob  0 of 2
    """
    right = (found == RIGHT).T.groupby(lambda name: name[:2]).agg(["sum", "size"])
    chapters = dict.fromkeys(name[:2] for name in found.columns)
    return pd.DataFrame(
        {
            chapter: [
                f"{right.loc[chapter, (s, 'sum')]} of {right.loc[chapter, (s, 'size')]}" for s in found.index
            ]
            for chapter in chapters
        },
        index=found.index,
    )


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description="Who has which check right.")
    parser.add_argument("folder", type=Path, help="with a folder a student")
    parser.add_argument("--csv", type=Path, help="write the table of all exercises to this file")
    given = parser.parse_args(arguments)
    found = table(handed_in(given.folder))
    print("\n" + summary(found).to_string())
    if given.csv:
        with replacing(given.csv) as file:
            found.to_csv(file, index_label="student")
        print(f"All exercises: {given.csv}")
    else:
        wrong = {student: " ".join(row.index[row == WRONG]) for student, row in found.iterrows()}
        print(
            "\nNot right:",
            *(f"{student}: {names or 'nothing'}" for student, names in wrong.items()),
            sep="\n",
        )


if __name__ == "__main__":
    main(sys.argv[1:])
