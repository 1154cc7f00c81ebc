"""The table of who has which check right is made by running what was handed in."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pandas as pd
import pytest

from tools import collect

V4 = nbformat.v4
RIGHT = 'course.check("02.df", lambda dfc, c_prev: dfc * c_prev)'
WRONG = 'course.check("02.dfc", lambda dc: -dc)'


def hand_in(folder: Path, student: str, *cells: str) -> None:
    """A notebook of a student, and a file that claims that all is done."""
    (folder / student / ".progress").mkdir(parents=True)
    claimed = {"02.dig": {"done": True, "wrong": 0}}
    (folder / student / ".progress" / "02.json").write_text(json.dumps(claimed))
    sources = ["from lstm_lib import course", *cells]
    notebook = V4.new_notebook(cells=[V4.new_code_cell(source) for source in sources])
    nbformat.write(notebook, folder / student / "02a_gradients.ipynb")
    nbformat.write(V4.new_notebook(), folder / student / "02a_gradients.mine.ipynb")


def test_the_checks_are_run_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hand_in(tmp_path / "in", "ann", "1 / 0", WRONG, RIGHT, "undefined")
    hand_in(tmp_path / "in", "bob")
    collect.main([str(tmp_path / "in"), "--csv", str(tmp_path / "out.csv")])
    found = pd.read_csv(tmp_path / "out.csv", index_col="student")
    assert found.loc["ann", ["02.df", "02.dfc", "02.dig"]].tolist() == ["right", "wrong", "-"]
    assert set(found.loc["bob"]) == {"-"}
    assert all(name.startswith("02.") for name in found.columns)
    told = capsys.readouterr().out
    assert f"ann  1 of {len(found.columns)}\nbob  0 of" in told
    assert "mine" not in told


def test_a_folder_without_notebooks_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ann").mkdir()
    with pytest.raises(SystemExit, match="expected a folder a student"):
        collect.main([str(tmp_path)])
    with pytest.raises(SystemExit, match="There is no folder"):
        collect.main([str(tmp_path / "other")])
