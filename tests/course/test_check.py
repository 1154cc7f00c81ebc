"""`course.check`: right answers pass, whatever else is given is told, and progress is kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_lib import course
from lstm_lib.course import kept
from lstm_lib.course.exercise import Case, Exercise, Problem, product
from lstm_lib.course.judge import judge
from lstm_lib.course.mistakes import KINDS, candidates
from lstm_lib.course.values import compare
from tests.course.solutions import SHEETS, answer, checks, sheet_of, solved
from tests.project.test_imports import HEAVY

EXERCISES = list(course.EXERCISES.values())
NAMES = [exercise.name for exercise in EXERCISES]
FUNCTIONS = [exercise for exercise in EXERCISES if exercise.notebook is None]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty place for progress."""
    monkeypatch.setenv(kept.VARIABLE, str(tmp_path / "progress"))
    return tmp_path / "progress"


def cases(exercise: Exercise) -> list[Case]:
    """Those of its functions, and that of the notebook."""
    own = [] if exercise.notebook is None else [exercise.notebook]
    return own if exercise.notebook is not None and exercise.sheet == "06" else [*own, *exercise.cases]


def each(value: Any, change: Any) -> Any:
    """A change made in every array of an answer."""
    if isinstance(value, dict):
        return {name: each(v, change) for name, v in value.items()}
    if isinstance(value, tuple):
        return tuple(each(v, change) for v in value)
    return change(np.asarray(value))


def first(value: Any) -> Any:
    """The first array of an answer."""
    if isinstance(value, dict | tuple):
        return first(next(iter(value.values() if isinstance(value, dict) else value)))
    return np.asarray(value)


# ------------------------------------------------------------------------------------------------ right answers


@pytest.mark.parametrize("exercise", EXERCISES, ids=NAMES)
def test_the_right_answer_passes_and_rounding_with_it(exercise: Exercise, rng: np.random.Generator) -> None:
    for case in cases(exercise):
        problem = exercise.problem(case)
        assert not compare(exercise, problem, problem.answer).kind
        floats = first(problem.answer)
        if floats.dtype.kind != "f":
            continue
        near = each(problem.answer, lambda a: a * (1 + 4e-16 * rng.normal(size=a.shape)))
        single = each(problem.answer, lambda a: (a * (1 + 1e-7 * rng.normal(size=a.shape))).astype("float32"))
        assert not compare(exercise, problem, near).kind
        assert not compare(exercise, problem, single).kind
        # one part in a thousand is no rounding, in no dtype; of nothing but zeros it would be none
        off = each(problem.answer, lambda a: a * 1.001 + 0.001 * (not a.any()))
        assert compare(exercise, problem, off).kind
        assert compare(exercise, problem, each(off, lambda a: a.astype("float32"))).kind


@pytest.mark.parametrize("exercise", EXERCISES, ids=NAMES)
def test_the_terms_of_an_answer_make_it_up(exercise: Exercise) -> None:
    """They are there for the diagnosis, and the library's answer is the judge of them."""
    for case in cases(exercise):
        problem = exercise.problem(case)
        if problem.terms:
            np.testing.assert_allclose(
                sum(product(term) for term in problem.terms), problem.answer, rtol=1e-12
            )


@pytest.mark.parametrize("exercise", EXERCISES, ids=NAMES)
def test_every_known_mistake_is_wrong_and_has_words(exercise: Exercise) -> None:
    assert exercise.title and exercise.equation and exercise.hint
    for case in cases(exercise):
        problem = exercise.problem(case)
        told = 0
        for mistake in candidates(problem):
            finding = compare(exercise, problem, mistake.value)
            assert mistake.kind in KINDS
            told += bool(finding.kind)
            assert finding.kind != "unlike", mistake
        if case.B > 1:
            assert told >= 3  # at one sample, averaging and others make no difference


def test_the_notebooks_numbers_are_those_of_the_exercises() -> None:
    """Every exercise has a check in its notebook, and the stored solution passes it."""
    found = []
    for sheet in SHEETS:
        for cell, name, expression in checks(solved(sheet)):
            assert not judge(course.EXERCISES[name], answer(solved(sheet), cell, expression)).kind, name
            found.append(name)
    assert sorted(found) == sorted(NAMES)


# ------------------------------------------------------------------------------------------- what else is given


@pytest.mark.parametrize("exercise", EXERCISES, ids=NAMES)
@pytest.mark.parametrize(
    "given", ["words", [[1], [2, 3]], object(), 1j, True, None, ..., np.array(["a"]), {}, set(), int]
)
def test_what_is_no_answer_is_told(exercise: Exercise, given: Any) -> None:
    assert judge(exercise, given).kind in {
        "empty",
        "type",
        "dtype",
        "shape",
        "names",
        "unlike",
        "off by one",
        "count",
    }
    assert (judge(exercise, given).kind == "empty") == (given is None or given is ...)


@pytest.mark.parametrize("name", ["02.dz_f", "02.dWx", "02.db", "02.jacobian"])
def test_odd_numbers_are_told(name: str) -> None:
    exercise = course.EXERCISES[name]
    right = np.array(exercise.problem(exercise.notebook or exercise.cases[0]).answer)

    def told(value: Any) -> str:
        if exercise.notebook is None:
            problem = exercise.problem(exercise.cases[0])
            return compare(exercise, problem, value).kind
        return judge(exercise, value).kind

    spoiled = right.copy()
    spoiled.flat[-1] = np.nan
    assert told(spoiled) == "nan"
    spoiled.flat[-1] = np.inf
    assert told(spoiled) == "nan"
    assert told(right.astype("float16")) == "dtype"
    assert told(right + 1j) == "dtype"
    assert told(np.rint(right).astype(int)) in {"dtype", "zero"}
    assert told(right[:-1]) == "shape"
    assert told(right[None]) == "axis"
    assert told(float(right.flat[0])) == "shape"
    assert told(right.tolist()) == ""  # a list of the right numbers is right
    spoiled.flat[-1] = right.flat[-1] + 0.1
    assert told(spoiled) in {"unlike", "samples", "rows"}


@pytest.mark.parametrize("exercise", FUNCTIONS, ids=[e.name for e in FUNCTIONS])
def test_faulty_functions_are_told(exercise: Exercise) -> None:
    def raises(*_: Any) -> None:
        raise RuntimeError("no such thing")

    finding = judge(exercise, raises)
    assert finding.kind == "raises"
    assert "RuntimeError: no such thing" in finding.text
    assert judge(exercise, lambda *_: sys.exit()).kind == "raises"  # and the kernel lives on
    assert judge(exercise, lambda *_: None).kind == "empty"
    assert judge(exercise, lambda *_: ...).kind == "empty"
    many = judge(exercise, lambda a, b, c, d, e, f, g, h, i, j: None)
    assert many.kind == "arguments"
    assert all(name in many.text for name in exercise.takes)
    assert judge(exercise, lambda *, keyword: None).kind == "arguments"
    assert judge(exercise, np.zeros(3)).kind == "type"  # an array where a function is asked for


def test_a_function_that_changes_what_it_is_given_is_told_and_harms_nobody() -> None:
    def step(df: Any, f: Any) -> Any:
        right = df * f * (1 - f)
        df *= 2
        return right

    for _ in range(2):
        finding = judge(course.EXERCISES["02.dz_f"], step)
        assert finding.kind == "mutates"
        assert "df" in finding.text
    assert not judge(course.EXERCISES["02.dz_f"], lambda df, f: df * f * (1 - f)).kind


def test_parameters_may_have_any_order_or_other_names() -> None:
    functions = (
        lambda f, df: df * f * (1 - f),
        lambda error, gate: error * gate * (1 - gate),
        lambda df, f, more=1: df * f * (1 - f),
        lambda *both: both[0] * both[1] * (1 - both[1]),
    )
    for function in functions:
        assert not judge(course.EXERCISES["02.dz_f"], function).kind


def test_an_answer_is_left_as_it_is() -> None:
    mine = np.array([[1.0, 2], [3, 4], [5, 6]])
    judge(course.EXERCISES["02.dz_f"], mine)
    assert mine.tolist() == [[1, 2], [3, 4], [5, 6]]


@given(st.lists(st.floats(-1e6, 1e6), min_size=6, max_size=6))
def test_no_array_upsets_the_judge(numbers: list[float]) -> None:
    finding = judge(course.EXERCISES["02.dz_f"], np.reshape(numbers, (3, 2)))
    assert finding.kind in KINDS
    assert finding.text


@given(st.text(max_size=12))
def test_no_name_upsets_the_table(name: str) -> None:
    with pytest.raises(ValueError, match="did you mean"):
        course.check(name, 1)


# --------------------------------------------------------------------------------------- what a student sees


def test_hints_come_one_after_the_other(capsys: pytest.CaptureFixture[str]) -> None:
    row = course.EXERCISES["02.dz_f"]
    wrong = np.ones((3, 2))
    course.check("02.dz_f", ...)  # a gap is no try
    capsys.readouterr()
    first, second, third = (course.check("02.dz_f", k * wrong).text for k in (1, 2, 3))
    assert row.hint not in first and row.equation not in first
    assert row.hint in second and row.equation not in second
    assert row.hint in third and row.equation in third
    assert capsys.readouterr().out == "".join(text + "\n" for text in (first, second, third))
    assert course.check("02.dz_f", row.problem(row.notebook).answer)  # type: ignore[arg-type]
    assert course.check("02.dz_f", wrong).text == first  # begins anew


SAME = {
    "an array": ("02.dz_f", lambda k: np.full((3, 2), float(k))),
    "a function": ("02.dz_f", lambda k: lambda df, f: k * df),
    "one that ends in an error": ("02.dz_f", lambda k: lambda df, f: df @ [k, *range(k)]),
    "one of a nest": ("03.forward_sequence", lambda k: lambda p, xs: (xs[0] * k, [])),
    "a letter": ("02.quiz_abs", lambda k: "acd"[k - 1]),
}


@pytest.mark.parametrize(("name", "make"), SAME.values(), ids=list(SAME))
def test_a_cell_that_is_run_again_uses_no_hint_up(name: str, make: Any) -> None:
    row = course.EXERCISES[name]
    first = course.check(name, make(1)).text
    assert [course.check(name, make(1)).text for _ in range(3)] == [first] * 3  # made anew, and equal
    assert f"Hint: {row.hint}" in (second := course.check(name, make(2)).text)
    assert (
        course.check(name, make(1)).text == first + second[second.index("\nHint") :]
    )  # no step back, either
    assert f"Equation: {row.equation}" in course.check(name, make(3)).text


def test_no_text_gives_the_answer_away() -> None:
    """What is said at first names neither the equation nor what stands in it."""
    for exercise in EXERCISES:
        for case in cases(exercise)[:2]:
            problem = exercise.problem(case)
            for mistake in candidates(problem):
                text = compare(exercise, problem, mistake.value).text
                assert exercise.equation not in text


NEAR = {
    "dz_f": "02.dz_f", "02.dzf": "02.dz_f", "02.DZ_F": "02.dz_f", "03.dz_f": "02.dz_f", "04.adm": "04.adam",
    "06.": "06.rows", "": "02.dz_f", 2: "02.", None: "02.",
}  # fmt: skip


@pytest.mark.parametrize(("name", "meant"), NEAR.items())
def test_wrong_names_answer_with_the_right_ones(name: Any, meant: str) -> None:
    with pytest.raises(ValueError, match=meant):
        course.check(name, 1)
    with pytest.raises(ValueError, match=r"00, 01, 02, 03, 04, 05, 06, 07, 10, 11"):
        course.progress("2")


# ------------------------------------------------------------------------------------------------- progress


def solve(name: str) -> None:
    row = course.EXERCISES[name]
    if row.notebook is not None:
        assert course.check(name, row.problem(row.notebook).answer)
    else:
        notebook = solved(sheet_of(name))
        cell, expression = next((k, e) for k, n, e in checks(notebook) if n == name)
        assert course.check(name, answer(notebook, cell, expression))


def test_progress_is_kept_in_a_small_file_a_notebook(folder: Path) -> None:
    for name in ("02.dz_f", "02.dz_i", "07.snr"):
        solve(name)
    course.check("02.dz_f", 1)  # what was right once stays done
    assert sorted(path.name for path in folder.iterdir()) == ["02.json", "07.json"]
    assert json.loads((folder / "02.json").read_text())["02.dz_i"] == {"done": True, "wrong": []}
    assert course.progress().table["done"].to_dict() == {
        "00": 0,
        "01": 0,
        "02": 2,
        "03": 0,
        "04": 0,
        "05": 0,
        "06": 0,
        "07": 1,
        "10": 0,
        "11": 0,
    }
    assert repr(course.progress("07")) == "07 ██████████░░░░░░░░░░ 1 of 2"
    assert course.progress("07").table["done"].to_dict() == {"07.sensitivity": False, "07.snr": True}
    assert "02" in repr(course.progress()) and "<table" in (course.progress()._repr_html_() or "")
    assert course.progress("07")._repr_html_() is None


def test_progress_lies_beside_the_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(kept.VARIABLE)
    monkeypatch.chdir(tmp_path)
    solve("07.snr")
    assert (tmp_path / ".progress" / "07.json").exists()


BROKEN = ["", "{", "[]", "null", '{"07.snr": 3}', '{"07.snr": {"done": "yes", "wrong": "x"}}', "\udcff"]


@pytest.mark.parametrize("content", BROKEN)
def test_a_broken_file_is_an_empty_one(folder: Path, content: str) -> None:
    folder.mkdir()
    (folder / "07.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    assert repr(course.progress("07")).endswith("0 of 2")
    solve("07.snr")
    assert repr(course.progress("07")).endswith("1 of 2")


def test_a_folder_that_cannot_be_written_is_no_error(folder: Path) -> None:
    folder.write_text("a file stands in the place of the folder")
    course.check("07.snr", lambda m_hat, v_hat: m_hat)
    assert "Hint" in course.check("07.snr", lambda m_hat, v_hat: v_hat).text
    solve("07.snr")
    assert repr(course.progress("07")).endswith("1 of 2")  # as long as the kernel runs
    assert folder.read_text() == "a file stands in the place of the folder"


def test_writing_that_fails_leaves_the_file_whole(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    solve("07.snr")
    before = (folder / "07.json").read_text()

    def full(*_: Any, **__: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full)
    course.check("07.sensitivity", 1)
    assert (folder / "07.json").read_text() == before
    assert [path.name for path in folder.iterdir()] == ["07.json"]


def test_a_kernel_that_ends_keeps_its_progress_and_nothing_heavy_is_loaded(folder: Path) -> None:
    code = (
        "import sys; from lstm_lib import course; "
        "course.check('07.snr', lambda m_hat, v_hat: abs(m_hat) / v_hat**0.5)"
        f"; print(sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=dict(os.environ), cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "07.snr is right.\n[]\n"
    assert repr(course.progress("07")).endswith("1 of 2")


def test_a_problem_of_one_number_is_judged_as_one() -> None:
    row = course.EXERCISES["06.flops"]
    assert row.notebook is not None
    right = row.problem(row.notebook).answer
    assert not compare(row, Problem({}, right), np.int64(right)).kind
    assert compare(row, Problem({}, right), right + 1).kind == "off by one"
