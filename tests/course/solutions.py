"""The notebooks' own solutions, run by plain `exec`: no kernel, and only the statements that an answer needs."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import Any

import nbformat

from tools import student

ROOT = Path(__file__).resolve().parents[2]
PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CHECK = re.compile(r"^course\.check\(\"(.+?)\", (.+)\)$", re.M)


@cache
def solved(sheet: str) -> Any:
    """A notebook by its number and letter, "01a"."""
    (path,) = (path for path in PATHS if path.stem.partition("_")[0] == sheet)
    return nbformat.read(path, as_version=4)


def checks(notebook: Any) -> list[tuple[int, str, str]]:
    """Cell, exercise and answer of every check."""
    return [
        (k, *found)
        for k, cell in enumerate(notebook.cells)
        if cell.cell_type == "code"
        for found in CHECK.findall(cell.source)
    ]


SHEETS = tuple(
    sheet for path in PATHS if checks(solved(sheet := path.stem.partition("_")[0]))
)  # notebooks with exercises


@cache
def sheet_of(name: str) -> str:
    """The notebook in which an exercise is checked."""
    (found,) = (sheet for sheet in SHEETS if any(n == name for _, n, _ in checks(solved(sheet))))
    return found


def makes(statement: ast.AST) -> set[str]:
    """The names a statement gives a value."""
    if isinstance(statement, ast.FunctionDef):
        return {statement.name}
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).partition(".")[0] for alias in statement.names}
    names = [node for node in ast.walk(statement) if isinstance(node, ast.Name)]
    # a draw changes the generator
    return {node.id for node in names if isinstance(node.ctx, ast.Store) or node.id == "rng"}


def reads(node: ast.AST) -> set[str]:
    """The names a statement takes from outside."""
    inside: set[str] = set()
    for n in ast.walk(node):
        if isinstance(n, ast.arg):
            inside.add(n.arg)
        elif isinstance(n, ast.comprehension):
            inside |= makes(n.target)
        elif isinstance(n, ast.FunctionDef):
            inside |= set().union(*(makes(part) for part in n.body))
    loads = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    changed = {
        n.target.id for n in ast.walk(node) if isinstance(n, ast.AugAssign) and isinstance(n.target, ast.Name)
    }
    return (loads | changed) - inside if not isinstance(node, ast.AugAssign) else loads | changed


def answer(notebook: Any, cell: int, expression: str, replaced: tuple[str, str] | None = None) -> Any:
    """What a check is given: its expression, run on the statements before it that it needs.

    replaced : a text and another in its place, in the cell of the answer; the last that has the text, once.
    """
    before = [c.source for c in notebook.cells[: cell + 1] if c.cell_type == "code"]
    if replaced is not None:
        at = [
            k for k, source in enumerate(before) if source.count(replaced[0]) == 1 and "# solution" in source
        ][-1]
        before[at] = before[at].replace(*replaced)
    statements = [
        s for source in before for s in ast.parse(source).body if not isinstance(s, ast.Expr | ast.Assert)
    ]
    needed: set[int] = set()
    todo = [(len(statements), name) for name in reads(ast.parse(expression))]
    while todo:
        at, name = todo.pop()
        # names inside a function are looked up when it is called: after all that stands before the check
        found = [k for k in range(at) if name in makes(statements[k])]
        if found and found[-1] not in needed:
            needed.add(found[-1])
            here = found[-1] if not isinstance(statements[found[-1]], ast.FunctionDef) else len(statements)
            todo += [(here, other) for other in reads(statements[found[-1]])]
    names: dict[str, Any] = {}
    code = ast.Module([statements[k] for k in sorted(needed)], type_ignores=[])
    exec(compile(code, "notebook", "exec"), names)
    return eval(expression, names)


def gaps(notebook: Any) -> Any:
    """The students' edition of it."""
    return student.student_edition(notebook, "00")
