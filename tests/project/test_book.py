"""The book has every notebook and every public name, and each page is made as it should be; `make book` builds it."""

from __future__ import annotations

import pkgutil
import re
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import pytest

import lstm_lib
from tools import book

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
V4 = nbformat.v4


def listed() -> list[str]:
    """All that the tables of contents name, from the root of the checkout, without what it ends in."""
    found = []
    for page in PAGES:
        for block in re.findall(r"^```\{toctree\}\n(.*?)^```", page.read_text("utf-8"), flags=re.M | re.S):
            lines = [line for line in block.splitlines() if line and line[0] != ":"]
            names = [re.sub(r"^.*<(.*)>$", r"\1", line) for line in lines]
            found += [
                name[1:] if name[0] == "/" else (page.parent / name).relative_to(ROOT).as_posix()
                for name in names
            ]
    return found


def missing(files: list[Path]) -> list[str]:
    """Files that no table of contents, or more than one, lists."""
    names = [path.relative_to(ROOT).with_suffix("").as_posix() for path in files]
    return [name for name in names if sum(fnmatch(name, entry) for entry in listed()) != 1]


def test_every_notebook_and_page_has_its_place() -> None:
    notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))
    words = [*(ROOT / "notebooks").glob("*.md"), *ROOT.glob("*.md"), ROOT / "benchmarks" / "README.md"]
    pages = [page for page in PAGES if page != ROOT / "docs" / "index.md"]
    assert missing([*notebooks, *words, *pages]) == []
    assert missing([ROOT / "notebooks" / "other.ipynb"]) == ["notebooks/other"]


def test_the_chapters_are_in_order() -> None:
    chapters = [entry for entry in listed() if entry.startswith("notebooks/0")]
    assert chapters == sorted(chapters)


def directives() -> list[list[str]]:
    """The arguments of every `.. names::`."""
    return [
        line.split()
        for page in PAGES
        for line in re.findall(r"^\.\. names:: (.*)$", page.read_text("utf-8"), re.M)
    ]


def in_the_reference() -> list[str]:
    """Every name that a page of the reference documents."""
    return [
        name
        for arguments in directives()
        for name in re.findall(r"^\.\. auto(?:class|exception|function|data):: (\S+)$",
                               "\n".join(book.entries(*arguments)), re.M)
    ]  # fmt: skip


def shown(module: ModuleType) -> list[str]:
    """What its `__all__` shows, but for modules, and for what `lstm_lib` shows itself."""
    return [
        f"{module.__name__}.{name}"
        for name in getattr(module, "__all__", ())
        if not isinstance(value := getattr(module, name), ModuleType)
        and (module is lstm_lib or getattr(lstm_lib, name, None) is not value)
    ]


def test_every_public_name_is_in_the_reference_once() -> None:
    folders = [
        import_module(f"lstm_lib.{m.name}") for m in pkgutil.iter_modules(lstm_lib.__path__) if m.ispkg
    ]
    public = [name for module in (lstm_lib, *folders) for name in shown(module)]
    found = in_the_reference()
    assert len(found) == len(set(found))
    assert set(public) - set(found) == set()
    modules = {arguments[0] for arguments in directives()}
    assert modules >= {"lstm_lib.checks", "lstm_lib.environment"}
    assert modules >= {lstm_lib.callbacks.__name__, lstm_lib.schedules.__name__}


def test_a_page_of_the_reference_without_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match="no name of lab"):
        book.entries("lstm_lib", "lab")


def test_the_sittings_are_those_of_the_notebooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "notebooks").mkdir()
    head = (
        "# 01b The RNN\n\n*Time*: 60 minutes. *You need*: [01a](01a_chain.ipynb), an\neigenvalue.\n\nHere we"
    )
    cells = [V4.new_markdown_cell(head), V4.new_code_cell('course.check("01.h", h)')]
    nbformat.write(V4.new_notebook(cells=cells), tmp_path / "notebooks" / "01b_rnn.ipynb")
    monkeypatch.setattr(book, "ROOT", tmp_path)
    assert book.sittings()[2:] == [
        "| [01b The RNN](/notebooks/01b_rnn.ipynb) | 60 min | 1 | [01a](/notebooks/01a_chain.ipynb), an eigenvalue. |"
    ]


def picture(words: str) -> Any:
    return V4.new_output("display_data", data={"image/png": "aaaa"}, metadata={"image/png": {"alt": words}})


def test_pictures_keep_their_words() -> None:
    text = V4.new_output("stream", text="42")
    cells = [
        V4.new_code_cell("draw()", outputs=[text, picture("one"), text, picture("two")]),
        V4.new_markdown_cell("x"),
    ]
    found = book.stored(nbformat.writes(V4.new_notebook(cells=cells))).cells
    assert [cell.source for cell in found] == ["draw()", "", "x"]
    assert [len(cell.get("outputs", ())) for cell in found] == [3, 1, 0]
    assert [cell.metadata["mystnb"]["image"]["alt"] for cell in found[:2]] == ["one", "two"]
    assert found[1].metadata["tags"] == ["remove-input"]


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        ({"text/plain": "interactive(...)"}, {"text/markdown": book.LIVE}),
        ({"text/plain": "page", "image/png": "aaaa"}, {"image/png": "aaaa"}),
    ],
)
def test_controls_stand_still(data: dict[str, str], kept: dict[str, str]) -> None:
    output = V4.new_output("display_data", data={**data, book.WIDGET: {"model_id": "1"}})
    assert book.still(output).data == kept
    plain = V4.new_output("display_data", data=data)
    assert book.still(plain) is plain


@pytest.mark.parametrize(
    ("page", "fault"),
    [
        (
            '<img src="a.png" alt="a line"> <script src="../a.js"></script> <a href="https://doi.org/1">1</a>',
            None,
        ),
        ('<img src="a.png">', "without words"),
        ('<img alt="" src="a.png">', "without words"),
        ('<script async src="https://a.org/a.js"></script>', "asks the network"),
        ('<link rel="stylesheet" href="https://a.org/a.css">', "asks the network"),
    ],
)
def test_the_finished_pages_are_looked_at(tmp_path: Path, page: str, fault: str | None) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "a.html").write_text(page, encoding="utf-8")
    found = book.faults(tmp_path)
    assert found == [] if fault is None else len(found) == 1 and fault in found[0]


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("`fit` and `x @ y`", ":py:obj:`fit` and ``x @ y``"),
        ("a * b | c, h_ and `h_`", "a \\* b \\| c, h\\_ and ``h_``"),
        ("`Plan`s", ":py:obj:`Plan`\\ s"),
    ],
)
def test_prose_of_docstrings(text: str, made: str) -> None:
    assert book.docstring(text) == [made, ""]


def test_definitions_of_docstrings() -> None:
    text = "Returns\n-------\na : one\n    thing\nb, c,\nd : three\n\nAnd so on:\n\n    as it\n      stands\n\nEnd."
    assert book.docstring(text) == [
        ".. rubric:: Returns", "",
        "", "``a``", "    one", "    thing", "", "``b``, ``c``, ``d``", "    three", "",
        "And so on:", "", "::", "", "    as it", "      stands", "", "End.", "",
    ]  # fmt: skip


def test_a_number_and_a_table_are_said_in_words() -> None:
    assert book.of_table(0.5) == ["A number: 0.5."]
    assert book.of_table({"a": 1, "b": 2}) == ["A dict of 2: ``a``, ``b``."]
