"""The students' edition: it opens, no solution is in it, and the stored solutions fill its gaps."""

from __future__ import annotations

import ast
import contextlib
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

from lstm_lib.course import EXERCISES
from lstm_lib.course.judge import judge
from tests.course.solutions import PATHS, SHEETS, answer, checks, solved
from tools import lab, student


@pytest.fixture(scope="module")
def edition(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The notebooks as `make student` writes them, read again."""
    folder = tmp_path_factory.mktemp("student")
    written, left = student.write(folder)
    assert not left
    assert [path.name for path in written] == [path.name for path in PATHS]
    assert (folder / "words_and_references.md").is_file()
    return {path.stem.partition("_")[0]: nbformat.read(path, as_version=4) for path in written}


def test_it_opens(edition: dict[str, Any]) -> None:
    for notebook in edition.values():
        nbformat.validate(notebook)
        assert "widgets" not in notebook.metadata
        for cell in notebook.cells:
            if cell.cell_type == "code":
                ast.parse(cell.source)
                assert cell.outputs == []
                assert cell.execution_count is None


def test_no_solution_is_in_it(edition: dict[str, Any]) -> None:
    for sheet, notebook in edition.items():
        source = "\n".join(cell.source for cell in notebook.cells)
        assert "# solution" not in source and "<!-- solution" not in source
        assert student.leaks(solved(sheet), notebook) == []
        for cell in solved(sheet).cells:
            if "solution" in cell.metadata.get("tags", ()):
                assert cell.source not in source
            for part in student.PROSE.finditer(cell.source):
                assert part[2] not in source


def test_only_gaps_checks_and_outputs_differ(edition: dict[str, Any]) -> None:
    """What is no gap is as in the solved course; so the stored solutions, put into the gaps, are that course."""
    gaps = 0
    for sheet, notebook in edition.items():
        assert len(notebook.cells) == len(solved(sheet).cells)
        for made, cell in zip(notebook.cells, solved(sheet).cells, strict=True):
            assert made.id == cell.id
            if "solution" in cell.metadata.get("tags", ()):
                continue
            parts = (
                student.CODE.split(cell.source)
                if cell.cell_type == "code"
                else student.PROSE.split(cell.source)
            )
            step = 4 if cell.cell_type == "code" else 3  # text, and the groups of a mark
            gaps += len(parts) // step
            at = 0
            for text in parts[::step]:
                found = made.source.find(text, at)
                assert found >= 0
                at = found + len(text)
            after = made.source[at:]
            assert (
                after == (f'\ncourse.progress("{sheet[:2]}")' if "course.check(" in cell.source else "")
                or len(parts) > 1
            )
    assert gaps >= 40


@pytest.mark.parametrize("sheet", SHEETS)
def test_every_gap_is_filled_by_the_stored_solution_and_by_nothing_else(
    edition: dict[str, Any], sheet: str
) -> None:
    for cell, name, expression in checks(solved(sheet)):
        assert not judge(EXERCISES[name], answer(solved(sheet), cell, expression)).kind
        with contextlib.suppress(TypeError, AttributeError, ValueError):  # what `...` upsets is a gap, too
            finding = judge(EXERCISES[name], answer(edition[sheet], cell, expression))
            assert finding.kind in {"empty", "raises", "type", "names", "zero", "trace"}, name


COURSE = [sheet for path in PATHS if "01" <= (sheet := path.stem.partition("_")[0])[:2] <= "06"]


@pytest.mark.parametrize("sheet", COURSE)
def test_there_is_a_task_every_ten_cells(sheet: str) -> None:
    cells = solved(sheet).cells
    tasks = [
        k for k, cell in enumerate(cells)
        if cell.cell_type == "code" and ("# solution: " in cell.source or "solution" in cell.metadata.get("tags", ()))
    ]  # fmt: skip
    assert max(b - a for a, b in zip([0, *tasks], [*tasks, len(cells) - 1], strict=True)) <= 10


REFUSES = re.compile(r"^\s*assert |\.require\(|side_by_side\(", re.M)


@pytest.mark.parametrize("sheet", [sheet for sheet in COURSE if sheet in SHEETS])
def test_a_check_comes_before_whatever_else_refuses_an_answer(sheet: str) -> None:
    """Between a gap and its check nothing raises: a student reads the diagnosis, not an AssertionError."""
    source = "\n".join(cell.source for cell in solved(sheet).cells if cell.cell_type == "code")
    for _, name, _ in checks(solved(sheet)):
        before = source[: source.index(f'course.check("{name}"')]
        written = before.rindex("# end\n")
        assert not REFUSES.search(before, written), name


def hidden(sheet: str) -> set[str]:
    """The numbers of the equations that the students' edition leaves to be found."""
    prose = "\n".join(cell.source for cell in solved(sheet).cells if cell.cell_type == "markdown")
    asked = [line for line in prose.splitlines() if r"= \;?" in line]
    return {*re.findall(r"\\tag\{(\d\.\d+)\}", "".join(part[2] for part in student.PROSE.finditer(prose))),
            *re.findall(r"\((\d\.\d+)\)", "".join(asked))}  # fmt: skip


def test_the_last_hint_has_the_equation_that_the_student_was_to_find() -> None:
    """In the students' edition its number would lead to a gap."""
    found = set().union(*(hidden(sheet) for sheet in COURSE))
    assert {"2.1", "2.9", "2.19", "3.14", "3.23"} <= found
    for name, exercise in EXERCISES.items():
        if found & set(re.findall(r"\d\.\d+", exercise.equation.partition(":")[0])):
            assert len(exercise.equation.partition(": ")[2]) > 5, name


def test_most_answers_of_chapter_02_are_derived() -> None:
    """What is to be derived does not stand above its gap."""
    asked = [EXERCISES[name] for sheet in ("02a", "02b") for _, name, _ in checks(solved(sheet))]
    derived = [
        row for row in asked if (hidden("02a") | hidden("02b")) & set(re.findall(r"\d\.\d+", row.equation))
    ]
    assert len(derived) > len(asked) / 2


def test_a_check_stands_below_its_gap_and_a_bar_below_the_check(edition: dict[str, Any]) -> None:
    for sheet in SHEETS:
        sources = [cell.source for cell in edition[sheet].cells]
        for cell, name, _ in checks(solved(sheet)):
            assert sources[cell].endswith(f'\ncourse.progress("{sheet[:2]}")'), name
            assert (
                any("# Write: " in source for source in sources[: cell + 1])
                or "Your answer" in sources[cell - 1]
            )


# ------------------------------------------------------------------------------------------ the generator


def notebook_of(*cells: Any) -> Any:
    return nbformat.v4.new_notebook(cells=list(cells))


def code(source: str, **metadata: Any) -> Any:
    return nbformat.v4.new_code_cell(source, execution_count=3, metadata=metadata,
        outputs=[nbformat.v4.new_output("stream", text="42")])  # fmt: skip


@pytest.mark.parametrize(
    ("source", "gap"),
    [
        ("# solution: a\na = 6 * 7\n# end", "# Write: a\na = ..."),
        ("# solution: a\na = 6 * 7\n# end\nprint(a)", "# Write: a\na = ...\nprint(a)"),
        ("# solution: two\na = 2 * 3\nhidden = 7\nb = a * hidden\n# end", "# Write: two\na = b = ..."),
        (
            "def f(x):\n    # solution: f\n    y = 2 * x\n    return y\n    # end",
            "def f(x):\n    # Write: f\n    return ...",
        ),
        (
            "for k in a:\n    # solution: add\n    b += k * k\n    # end",
            "for k in a:\n    # Write: add\n    ...",
        ),
        ("# solution: it\na.append(3 * 4)\n# end", "# Write: it\n..."),
        ("# solution: a\na = [k for k in b if k * 2]\n# end", "# Write: a\na = ..."),
    ],
)
def test_a_marked_part_becomes_a_gap(source: str, gap: str) -> None:
    made = student.student_edition(notebook_of(code("b = 3"), code(source), code("a, b")), "00")
    assert made.cells[1].source == gap
    assert made.cells[1].outputs == [] and made.cells[1].execution_count is None


def test_a_tagged_cell_becomes_a_gap_as_a_whole() -> None:
    text = nbformat.v4.new_markdown_cell("*Solution.* 42", metadata={"tags": ["solution"]})
    made = student.student_edition(notebook_of(text, code("f(6 * 7)", tags=["solution"])), "00")
    assert [cell.source for cell in made.cells] == ["*Your answer:*", "# Your answer: write it here."]

    cells = code("def f(x, y=1):\n    return 6 * x", tags=["solution"]), code("f(7)")
    made = student.student_edition(notebook_of(*cells), "00")
    assert made.cells[0].source == "# Your answer: write it here.\n\n\ndef f(x, y=1):\n    return ..."


@pytest.mark.parametrize(
    "source", ["# solution: a\na = 6 * 7", "a = 6 * 7\n# end", "# solution: a\n    a = 6 * 7\n  # end"]
)
def test_a_mark_without_its_partner_is_refused(source: str) -> None:
    with pytest.raises((ValueError, SyntaxError)):
        student.student_edition(notebook_of(code(source)), "00")


@pytest.mark.parametrize("elsewhere", ["a = 6 * 7", "    a = 6*7  # again", "if True:\n    a  =  6 * 7"])
def test_a_solution_that_stands_elsewhere_is_refused(elsewhere: str) -> None:
    gap = code("# solution: a\na = 6 * 7\n# end")
    if elsewhere.startswith(" "):
        elsewhere = f"if True:\n{elsewhere}"
    with pytest.raises(ValueError, match="stand elsewhere"):
        student.student_edition(notebook_of(gap, code(elsewhere)), "00")
    with pytest.raises(ValueError, match="stand elsewhere"):
        student.student_edition(notebook_of(code("g(2 * 3)", tags=["solution"]), code("g(2 * 3)")), "00")


def test_what_a_student_wrote_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    student.main([str(tmp_path)])
    mine, broken = tmp_path / "02a_lstm_gradients.ipynb", tmp_path / "03a_bptt_by_hand.ipynb"
    notebook = nbformat.read(mine, as_version=4)
    notebook.cells[3].source += "\n# mine"
    nbformat.write(notebook, mine)
    broken.write_text("{")
    (tmp_path / ".progress").mkdir()
    capsys.readouterr()
    student.main([str(tmp_path)])
    assert nbformat.read(mine, as_version=4).cells[3].source.endswith("# mine")
    assert broken.read_text() == "{"
    told = capsys.readouterr().out
    assert re.findall(r"^(\S+) was left as it is", told, re.M) == [mine.name, broken.name]
    assert (tmp_path / ".progress").is_dir()


def numbers(notebooks: Any) -> list[str]:
    return [path.stem.partition("_")[0] for path in notebooks]


def test_a_reset_makes_a_chapter_anew_and_keeps_what_was_written(tmp_path: Path) -> None:
    student.write(tmp_path)
    theirs = {path.name: path.read_bytes() for path in tmp_path.glob("*.ipynb")}
    mine = sorted(tmp_path.glob("03*.ipynb"))[0]
    for k in range(2):
        notebook = nbformat.read(mine, as_version=4)
        notebook.cells[3].source += f"\n# mine {k}"
        nbformat.write(notebook, mine)
        done = student.reset("03", tmp_path)
        assert numbers(path for path, _ in done) == numbers(p for p in PATHS if p.stem.startswith("03"))
        kept = {path.name: copy for path, copy in done}.pop(mine.name)
        assert kept is not None
        assert kept.name == f"{mine.stem}.mine{'2' if k else ''}.ipynb"
        assert nbformat.read(kept, as_version=4).cells[3].source.endswith(f"# mine {k}")
        assert [copy for path, copy in done if path != mine] == [None] * (len(done) - 1)
    left = {path.name: path.read_bytes() for path in tmp_path.glob("*.ipynb") if ".mine" not in path.name}
    assert left == theirs


def test_a_reset_knows_chapters_and_sittings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "notebooks").mkdir()
    for name in ("01a_chain", "01b_rnn", "02_gradients", "10_more"):
        (tmp_path / "notebooks" / f"{name}.ipynb").touch()
    monkeypatch.setattr(student, "ROOT", tmp_path)
    assert numbers(student.of_number("01")) == ["01a", "01b"]
    assert numbers(student.of_number("01b")) == ["01b"]
    assert numbers(student.of_number("02")) == ["02"]
    for wrong in ("1", "03", "01c", "", "02a", "../02"):
        with pytest.raises(SystemExit, match="one of 01a, 01b, 02, 10"):
            student.of_number(wrong)


def test_a_reset_is_one_line_in_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    student.main([str(tmp_path), "--reset", "00"])
    assert capsys.readouterr().out == f"{PATHS[0].name} is new.\n"
    assert [path.name for path in tmp_path.glob("*.ipynb")] == [PATHS[0].name]


def test_jupyterlab_offers_it_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert lab.offered("notebooks/00_start_here.ipynb") == "notebooks/00_start_here.ipynb"
    (tmp_path / "student").mkdir()
    (tmp_path / "student" / "00_start_here.ipynb").touch()
    assert lab.offered("notebooks/00_start_here.ipynb") == "student/00_start_here.ipynb"
    assert lab.offered("notebooks/09_other.ipynb") == "notebooks/09_other.ipynb"
