"""Notebooks are stored as they will be compared, and the README maps them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tools import notebook_rules

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebooks_are_stored_as_they_will_be_compared(path: Path) -> None:
    assert notebook_rules.faults(nbformat.read(path, as_version=4)) == []


def test_the_readme_maps_the_notebooks() -> None:
    mapped = re.findall(r"\]\(notebooks/([^)]+\.ipynb)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert mapped == [path.name for path in NOTEBOOKS]


def words(path: Path) -> str:
    """All prose of a notebook."""
    cells = nbformat.read(path, as_version=4).cells
    return "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def test_equations_are_numbered_by_chapter_in_the_order_of_the_sittings() -> None:
    numbers: dict[str, list[int]] = {}
    for path in NOTEBOOKS:
        for chapter, number in re.findall(r"\\tag\{([1-3])\.(\d+)\}", words(path)):
            numbers.setdefault(chapter, []).append(int(number))
    assert set(numbers) == {"1", "2", "3"}
    assert numbers == {chapter: list(range(1, len(found) + 1)) for chapter, found in numbers.items()}


def test_no_two_equations_have_the_same_number() -> None:
    given = [tag for path in NOTEBOOKS for tag in re.findall(r"\\tag\{([^}]+)\}", words(path))]
    assert sorted(set(given)) == sorted(given)


def test_the_equations_that_are_named_are_there() -> None:
    prose = {path.stem: words(path) for path in NOTEBOOKS}
    written = set(re.findall(r"\\tag\{(\d\.\d+)\}", "\n".join(prose.values())))
    for name, text in prose.items():
        if name != "03c_gru":  # it leaves its equations to be found, and writes their numbers as plain text
            assert set(re.findall(r"\(([1-3]\.[1-9]\d?)\)", text)) <= written, name


def sound_notebook() -> Any:
    """A small notebook without a fault: a number, a picture, an error that is meant."""
    v4 = nbformat.v4
    picture = v4.new_output("display_data", data={"image/png": "iVBORw0KGgo="})
    picture.metadata = {"image/png": {"alt": "a line"}}
    error = v4.new_output("error", ename="ValueError", evalue="", traceback=[])
    number = v4.new_output("execute_result", data={"text/plain": "2"}, execution_count=1)
    return v4.new_notebook(
        cells=[
            v4.new_markdown_cell("words"),
            v4.new_code_cell("1 + 1", execution_count=1, outputs=[number]),
            v4.new_code_cell("draw()", execution_count=2, outputs=[picture]),
            v4.new_code_cell(
                "raise", execution_count=3, outputs=[error], metadata={"tags": ["raises-exception"]}
            ),
        ]
    )


def test_a_sound_notebook_has_no_fault() -> None:
    assert notebook_rules.faults(sound_notebook()) == []


@pytest.mark.parametrize(
    ("plant", "fault"),
    [
        ("nb.cells[1].execution_count = 7", "expected 1"),
        ("nb.cells[1].execution_count = None", "expected 1"),
        ("for cell in nb.cells[1:]: cell.outputs, cell.metadata = [], {}", "no cell has an output"),
        ("nb.cells[1].source = 'plot(x);\\n'", "ends in ';'"),
        ("nb.cells[2].outputs[0].metadata = {}", "without alt text"),
        ("nb.cells[3].metadata = {}", "is not tagged"),
        ("nb.cells[3].outputs = []", "raised nothing"),
        ("nb.cells[1].outputs[0] = nbformat.v4.new_output('stream', name='stderr', text='!')", "stderr"),
        ("nb.cells[1].id = nb.cells[2].id", "same id"),
        ("nb.cells[0].source = 5", "not a valid notebook"),
        ("nb.metadata.widgets = {}", "no 'state'"),
    ],
)
def test_the_rules_of_notebooks_find_planted_faults(plant: str, fault: str) -> None:
    notebook = sound_notebook()
    exec(plant, {"nb": notebook, "nbformat": nbformat})
    found = notebook_rules.faults(notebook)
    assert len(found) == 1, found
    assert fault in found[0]
