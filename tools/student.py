"""Make the students' edition of the course: `make student` writes it to `student/`.

    python tools/student.py [FOLDER] [--reset 03]

The notebooks hold the solved course. What a student is to write becomes a gap, with one line that says what:

- code between the lines `# solution: WHAT TO WRITE` and `# end`; names used elsewhere stay as `name = ...`;
- prose between `<!-- solution: WHAT TO FIND -->` and `<!-- end -->`;
- a cell tagged `solution`, as a whole.

Pages of words are copied; no output is kept. A check is followed by the bar of what is done. A notebook in which
somebody has written is left as it is; `--reset` makes those of a chapter (03) or of a sitting (03a) anew, and keeps
what was written as a copy.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import nbformat

ROOT = Path(__file__).resolve().parent.parent
CODE = re.compile(r"^( *)# solution: (.+)\n((?:.*\n)*?)\1# end$", re.M)
PROSE = re.compile(r"^<!-- solution: (.+) -->\n((?:.*\n)*?)<!-- end -->$", re.M)
MARK = re.compile(r"(?:#|<!--) *(?:solution:|end\b)")
TAG = "solution"


def names(source: str, kind: type[ast.expr_context]) -> list[str]:
    """The names that code stores (`ast.Store`) or reads (`ast.Load`), in order, each once; not those of loops."""
    tree = list(ast.walk(ast.parse(source)))
    loops = [node.target for node in tree if isinstance(node, ast.For | ast.comprehension)]
    passing = {id(part) for target in loops for part in ast.walk(target)}
    found = [node for node in tree if isinstance(node, ast.Name) and isinstance(node.ctx, kind)]
    found = sorted((n for n in found if id(n) not in passing), key=lambda n: (n.lineno, n.col_offset))
    return list(dict.fromkeys(node.id for node in found))


def gap(indent: str, what: str, solution: str, elsewhere: set[str]) -> str:
    """What stands in the place of a marked part."""
    body = "\n".join(line.removeprefix(indent) for line in solution.splitlines())
    function = f"def part():\n{re.sub('^', '    ', body, flags=re.M)}\n"  # so that `return` is no error
    lines = [f"# Write: {what}"]
    left = [name for name in names(function, ast.Store) if name in elsewhere]
    if re.search(r"^return\b", body, re.M):
        lines.append("return ...")
    elif left:
        lines.append(f"{' = '.join(left)} = ...")
    return "\n".join(indent + line for line in (lines if len(lines) > 1 else [*lines, "..."]))


def student_cell(cell: Any, elsewhere: set[str], sheet: str) -> Any:
    """A cell of the students' edition."""
    made = nbformat.from_dict({**cell, "metadata": {**cell.metadata}})
    if cell.cell_type != "code":
        made.source = PROSE.sub(lambda m: f"*Find: {m[1]}*", cell.source)
        if TAG in cell.metadata.get("tags", ()):
            made.source = "*Your answer:*"
        return made
    made.outputs, made.execution_count = [], None
    if TAG in cell.metadata.get("tags", ()):
        functions = [node for node in ast.parse(cell.source).body if isinstance(node, ast.FunctionDef)]
        asked = [
            f"def {f.name}({ast.unparse(f.args)}):\n    return ..." for f in functions if f.name in elsewhere
        ]
        made.source = "\n\n\n".join(["# Your answer: write it here.", *asked])
        return made
    here = set(
        names(CODE.sub(r"\1pass", cell.source), ast.Load)
    )  # of names in a function only these can be used
    made.source = CODE.sub(lambda m: gap(m[1], m[2], m[3], here if m[1] else here | elsewhere), cell.source)
    if "course.check(" in cell.source:
        made.source += f'\ncourse.progress("{sheet}")'
    return made


def _asks(cell: Any) -> bool:
    """Whether it is code that stays, and whose names have to be there."""
    return cell.cell_type == "code" and TAG not in cell.metadata.get("tags", ())


def student_edition(notebook: Any, sheet: str) -> Any:
    """The notebook with gaps, without outputs; ValueError where a mark has no partner or a solution leaks."""
    made = nbformat.from_dict({**notebook, "cells": []})
    made.metadata.pop("widgets", None)
    read = [
        set(names(CODE.sub(r"\1pass", cell.source), ast.Load)) if _asks(cell) else set()
        for cell in notebook.cells
    ]
    for k, cell in enumerate(notebook.cells):
        elsewhere = set().union(*(used for j, used in enumerate(read) if j != k))
        made.cells.append(student_cell(cell, elsewhere, sheet))
        if MARK.search(made.cells[-1].source):
            raise ValueError(f"cell {cell.id!r} of {sheet}: a mark without its partner\n{cell.source}")
    found = leaks(notebook, made)
    if found:
        raise ValueError(f"solutions of {sheet} that stand elsewhere in it: {found}")
    return made


def bare(line: str) -> str:
    """Without its comment and white space; "" for a line that computes nothing."""
    line = re.sub(r"\s", "", re.sub(r"(^|\s)#.*", "", line))
    return line if re.search(r"[*/@+-]|\w\(", line) and not re.match("def|for|assert|print", line) else ""


def leaks(notebook: Any, made: Any) -> list[str]:
    """Lines of marked parts, and tagged cells, that still stand in the students' edition; and outputs."""
    code = [cell.source for cell in made.cells if cell.cell_type == "code"]
    kept = {bare(line) for source in code for line in source.splitlines()} - {""}
    found = [f"outputs of cell {cell.id!r}" for cell in made.cells if cell.get("outputs")]
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        if TAG in cell.metadata.get("tags", ()):
            lines = {bare(line) for line in cell.source.splitlines()} - {""}
            found += [f"cell {cell.id!r}"] if lines and lines <= kept else []
        else:
            marked = [line for match in CODE.finditer(cell.source) for line in match[3].splitlines()]
            found += [line.strip() for line in marked if bare(line) in kept]
    return found


def mark_of(notebook: Any) -> str:
    """Tells whether the cells are still those that were made."""
    return hashlib.sha256("\0".join(cell.source for cell in notebook.cells).encode()).hexdigest()[:16]


def touched(path: Path) -> bool:
    """Whether there is a notebook in which somebody has written since it was made."""
    if not path.exists():
        return False
    try:
        there = nbformat.read(path, as_version=4)
    except (
        OSError,
        ValueError,
        nbformat.ValidationError,
    ):  # half written, or no notebook: not ours to replace
        return True
    return bool(there.metadata.get("made") != mark_of(there))


def put(path: Path, to: Path) -> None:
    """Write the student's edition of a notebook."""
    made = student_edition(nbformat.read(path, as_version=4), path.stem[:2])
    made.metadata["made"] = mark_of(made)
    nbformat.validate(made)
    nbformat.write(made, to)


def write(to: Path) -> tuple[list[Path], list[Path]]:
    """Write the edition into a folder; which notebooks were written, and which were left as they are."""
    to.mkdir(parents=True, exist_ok=True)
    written, left = [], []
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        if touched(to / path.name):
            left.append(to / path.name)
            continue
        put(path, to / path.name)
        written.append(to / path.name)
    for page in (ROOT / "notebooks").glob("*.md"):
        shutil.copyfile(page, to / page.name)
    return written, left


def of_number(number: str) -> list[Path]:
    """The notebooks of a chapter, "03", or a sitting, "03a"; SystemExit for a number that none has."""
    paths = sorted((ROOT / "notebooks").glob("*.ipynb"))
    found = [
        path for path in paths if number and path.stem.partition("_")[0] in (number, number + path.stem[2:3])
    ]
    if not found:
        known = ", ".join(path.stem.partition("_")[0] for path in paths)
        raise SystemExit(f"There is no notebook {number!r} to reset; give a chapter (03) or one of {known}.")
    return found


def copy_of(path: Path) -> Path:
    """A name beside it that is free."""
    names = (path.with_name(f"{path.stem}.mine{k}.ipynb") for k in ["", *map(str, range(2, 1000))])
    return next(name for name in names if not name.exists())


def reset(number: str, to: Path) -> list[tuple[Path, Path | None]]:
    """Make the notebooks of a number anew; each with the copy of what somebody had written in it."""
    to.mkdir(parents=True, exist_ok=True)
    done = []
    for path in of_number(number):
        mine = to / path.name
        kept = copy_of(mine) if touched(mine) else None
        if kept:
            mine.rename(kept)
        put(path, mine)
        done.append((mine, kept))
    return done


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description="Make the students' edition of the course.")
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "student", help="(default: student/)")
    parser.add_argument("--reset", metavar="NUMBER", help="make a chapter (03) or a sitting (03a) anew")
    given = parser.parse_args(arguments)
    if given.reset is not None:
        for path, kept in reset(given.reset, given.folder):
            print(f"{path.name} is new." + (f" What was written in it is in {kept.name}." if kept else ""))
        return
    written, left = write(given.folder)
    print(f"{len(written)} notebooks with gaps are in {given.folder}; `make lab` opens them.")
    for path in left:
        number = path.stem.partition("_")[0]
        print(
            f"{path.name} was left as it is: somebody has written in it. To have it anew: make reset N={number}"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
