"""Imports point downwards, the engine loads NumPy alone, and `import lstm_lib` loads nothing heavy.

The floors of the house stand in pyproject.toml, under importlinter; a new folder or file of lstm_lib needs its place
there.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "lstm_lib"
# `import lstm_lib` must not load these: a user of the engine has not even to have them.
HEAVY = (
    "tensorflow",
    "keras",
    "numba",
    "matplotlib",
    "seaborn",
    "ipywidgets",
    "anywidget",
    "IPython",
    "scipy",
    "sklearn",
    "statsmodels",
    "holidays",
    "threadpoolctl",
    "tqdm",
    "joblib",
    "filelock",
    "dask",
    "distributed",
)


def python(code: str, folder: Path = ROOT, **environment: str) -> str:
    """What a fresh interpreter prints; the test fails with what it says if it ends otherwise."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# ------------------------------------------------------------------------------------------------- the floors


def lint_imports(folder: Path) -> None:
    """Hold the package in a folder to the contracts of pyproject.toml; AssertionError that lists what breaks them."""
    quietly = "no_cache=True, no_logo=True"
    code = f"import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports({quietly}))"
    python(code, folder, PYTHONPATH=str(folder), NO_COLOR="1", COLUMNS="200")


def test_imports_point_downwards_only() -> None:
    lint_imports(ROOT)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A package with the folders and files of lstm_lib, that import nothing yet, to plant faults in."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for path in PACKAGE.rglob("*.py"):
        there = tmp_path / path.relative_to(ROOT)
        there.parent.mkdir(parents=True, exist_ok=True)
        there.touch()
    return tmp_path


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("network/spec", "from lstm_lib.isolation.zones import Zone"),
        ("network/spec", "def f():\n    from ..isolation import zones"),
        ("network/spec", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import lstm_lib.training"),
        ("isolation/zones", "from lstm_lib import training"),
        ("training/adam", "from lstm_lib.keras import bridge"),
        ("series/table", "from lstm_lib.training import loop"),
        ("series/table", "from lstm_lib.isolation import zones"),
        ("keras/bridge", "import lstm_lib.experiments.store"),
        ("experiments/store", "import lstm_lib.plots"),
        ("plots/look", "import lstm_lib.lab.page"),
        ("course/judge", "from lstm_lib.keras import bridge"),
        ("something_new", "import numpy"),  # has no floor yet
    ],
)
def test_a_planted_import_is_found(copy: Path, module: str, source: str) -> None:
    (copy / "lstm_lib" / f"{module}.py").write_text(source)
    with pytest.raises(AssertionError, match=r"BROKEN|something_new"):
        lint_imports(copy)


def test_a_planted_circle_is_found(copy: Path) -> None:
    for one, other in (("spec", "cells"), ("cells", "spec")):
        (copy / "lstm_lib" / "network" / f"{one}.py").write_text(f"from lstm_lib.network import {other}")
    with pytest.raises(AssertionError, match="within a folder BROKEN"):
        lint_imports(copy)


def test_and_a_house_without_one_is_left_alone(copy: Path) -> None:
    (copy / "lstm_lib" / "lab" / "page.py").write_text(
        "from lstm_lib.network import spec\nimport lstm_lib.plots"
    )
    lint_imports(copy)


# ------------------------------------------------------------------------------------------------- NumPy alone


def more_than_numpy(path: Path, source: str) -> list[str]:
    """What a file of the engine loads beside NumPy; what a function imports at its first call is another matter.

    Numba may be imported by `network/compiled*.py` alone, and there by a function too.
    """
    tree = ast.parse(source)
    inside = {
        node for top in tree.body if isinstance(top, ast.FunctionDef | ast.ClassDef) for node in ast.walk(top)
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [str(node.module)]
        else:
            continue
        for first in (name.partition(".")[0] for name in names):
            own = path.parent.name == "network" and path.stem.startswith("compiled")
            if first not in {"numpy", "lstm_lib", *sys.stdlib_module_names} and not (
                node in inside and (first != "numba" or own)
            ):
                found.append(first)
    return found


@pytest.mark.parametrize(
    "path",
    [path for folder in ("network", "isolation") for path in sorted((PACKAGE / folder).glob("*.py"))],
    ids=lambda path: f"{path.parent.name}.{path.stem}",
)
def test_the_engine_loads_numpy_alone(path: Path) -> None:
    assert more_than_numpy(path, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("path", "source", "found"),
    [
        (
            "network/spec.py",
            "import numpy.typing, json\nfrom . import cells\nfrom lstm_lib.network import x",
            [],
        ),
        ("network/spec.py", "import pandas as pd", ["pandas"]),
        (
            "network/spec.py",
            "try:\n    from scipy.linalg import qr\nexcept ImportError:\n    pass",
            ["scipy"],
        ),
        ("network/spec.py", "def f():\n    import pandas", []),
        ("network/spec.py", "def f():\n    import numba", ["numba"]),
        ("network/compiled.py", "import numba", ["numba"]),
        ("network/compiled_lstm.py", "def f():\n    import numba", []),
        ("isolation/compiled.py", "def f():\n    import numba", ["numba"]),
    ],
)
def test_a_planted_package_is_found(path: str, source: str, found: list[str]) -> None:
    assert more_than_numpy(Path(path), source) == found


# ----------------------------------------------------------------------------------------------- nothing heavy


def test_import_loads_nothing_heavy() -> None:
    loaded = python("import sys, lstm_lib; print(*{name.partition('.')[0] for name in sys.modules})").split()
    assert "lstm_lib" in loaded
    assert not set(HEAVY) & set(loaded)
