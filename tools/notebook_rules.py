"""How a stored notebook has to look, so that running it again can be compared with it. Prints each fault.

    python tools/notebook_rules.py NOTEBOOK...

Run by tools/run_notebooks.py, by pre-commit, and by tests/project/test_notebooks.py. Each rule is a function of the
notebook that yields what is wrong; adding one is one function and one row in `RULES`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat

Notebook = Any
HOW_ALT = 'display(figure, metadata={{"{}": {{"alt": "..."}}}})'
RAISES = {"raises-exception", "nbval-raises-exception"}


def code_cells(notebook: Notebook) -> list[tuple[str, Any]]:
    """Every code cell that has a source, with its name in messages."""
    return [
        (f"cell {k} ({cell.source.splitlines()[0][:40]!r})", cell)
        for k, cell in enumerate(notebook.cells, start=1)
        if cell.cell_type == "code" and cell.source.strip()
    ]


def executed_in_order(notebook: Notebook) -> Iterator[str]:
    """Cells that were run out of order show results that a reader will not get."""
    for expected, (name, cell) in enumerate(code_cells(notebook), start=1):
        if cell.execution_count != expected:
            yield f"{name} has the execution count {cell.execution_count}, expected {expected}"


def has_outputs(notebook: Notebook) -> Iterator[str]:
    """nbval compares nothing in a notebook that is stored without outputs, and passes."""
    if not any(cell.outputs for _, cell in code_cells(notebook)):
        yield "no cell has an output"


def no_closing_semicolon(notebook: Notebook) -> Iterator[str]:
    """nbval always fails a cell that ends in ';' (it is a sign to IPython, and nbval runs it without)."""
    for name, cell in code_cells(notebook):
        if cell.source.rstrip().endswith(";"):
            yield f"{name} ends in ';'; write `_ = ...`"


def images_have_alt_text(notebook: Notebook) -> Iterator[str]:
    """A figure says in words what it shows, for those who can't see it."""
    for name, cell in code_cells(notebook):
        for output in cell.outputs:
            for mime in output.get("data", {}):
                if mime.startswith("image/") and not output.metadata.get(mime, {}).get("alt"):
                    yield f"{name} shows an {mime} without alt text; {HOW_ALT.format(mime)}"


def errors_only_where_meant(notebook: Notebook) -> Iterator[str]:
    """A cell raises if and only if it is tagged so; nbval itself passes a tagged cell that raises nothing."""
    for name, cell in code_cells(notebook):
        raised = any(output.output_type == "error" for output in cell.outputs)
        tagged = bool(RAISES & set(cell.metadata.get("tags", ())))
        if raised and not tagged:
            yield f"{name} ends in an error and is not tagged raises-exception"
        if tagged and not raised:
            yield f"{name} is tagged raises-exception and raised nothing"


def nothing_on_stderr(notebook: Notebook) -> Iterator[str]:
    """Warnings and progress bars on stderr differ from run to run and fail the comparison."""
    for name, cell in code_cells(notebook):
        if any(output.get("name") == "stderr" for output in cell.outputs):
            yield f"{name} writes to stderr"


def valid(notebook: Notebook) -> Iterator[str]:
    """The format's own rules, and the `state` without which code-hosting sites refuse to show a notebook."""
    if len({cell.get("id") for cell in notebook.cells}) < len(notebook.cells):
        yield "two cells have the same id"  # asked here, because nbformat repairs it with a mere warning
        return
    try:
        nbformat.validate(notebook)
    except nbformat.ValidationError as error:
        yield f"not a valid notebook: {error.message}"
    if "state" not in notebook.metadata.get("widgets", {"state": {}}):
        yield "metadata.widgets has no 'state'"


RULES = (
    executed_in_order,
    has_outputs,
    no_closing_semicolon,
    images_have_alt_text,
    errors_only_where_meant,
    nothing_on_stderr,
    valid,
)


def faults(notebook: Notebook) -> list[str]:
    """Everything that is wrong with the notebook, one line each."""
    return [fault for rule in RULES for fault in rule(notebook)]


def main(arguments: list[str]) -> int:
    found = [
        f"{path}: {fault}" for path in arguments for fault in faults(nbformat.read(Path(path), as_version=4))
    ]
    print("\n".join(found), end="\n" if found else "")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
