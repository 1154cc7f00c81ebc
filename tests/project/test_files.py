"""Committed files are small, name no machine and no package index, and their links lead somewhere."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tools import file_rules

ROOT = Path(__file__).resolve().parents[2]


def committed() -> list[Path]:
    """All files that git tracks (and that are there: a file may be deleted and not committed yet)."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_committed_files_are_small_and_name_no_machine() -> None:
    files = committed()
    assert ROOT / "Makefile" in files
    assert [fault for path in files for fault in file_rules.faults(path)] == []


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("a.py", 'open("/' + 'root/x.csv")', "a path of one machine"),
        ("a.ipynb", "File /" + "home/ann/x.py", "a path of one machine"),
        ("a.ipynb", "/tmp/ipykernel" + "_123/4.py:1: UserWarning", "a path of one machine"),
        ("requirements.txt", "--index" + "-url https://example.org/simple", "a package index"),
        ("lock.json", '"resolved' + '": "https://packages.example.org/x"', "a package index"),
        ("lock.txt", "numpy @ https://packages.example.org/simple" + "/numpy/", "a package index"),
        ("big.csv", "0" * 2_000_001, "2.0 MB"),
        ("big.ipynb", "0" * 1_500_001, "1.5 MB"),
        ("fine.md", "https://example.org/home/page and ../page/ and https://doi.org/10.24432/C58K54", None),
    ],
)
def test_the_check_of_files_finds_planted_faults(
    tmp_path: Path, name: str, content: str, fault: str | None
) -> None:
    path = tmp_path / name
    path.write_text(content)
    found = file_rules.faults(path)
    assert found == [] if fault is None else len(found) == 1 and fault in found[0]


@pytest.mark.parametrize(
    "name", ["README.md", "CONTRIBUTING.md", "data/README.md", "notebooks/words_and_references.md"]
)
def test_links_lead_to_files(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text) if not re.match(r"[a-z]+:", link)]
    assert [link for link in links if not ((ROOT / name).parent / link).exists()] == []
