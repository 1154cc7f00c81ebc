"""The check of the environment says what is wrong and what to do, and is quiet where nothing is."""

from __future__ import annotations

import sys
import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
import threadpoolctl
from packaging.requirements import Requirement

from lstm_lib import environment as env

ROOT = Path(__file__).resolve().parents[2]


def row(part: str) -> dict[str, str]:
    table = env.environment().set_index("part")
    return table.loc[part].to_dict()


def test_here_all_is_well() -> None:
    table = env.environment()
    assert table["verdict"].tolist() == ["ok"] * len(table)
    assert env.verdict(table) == "Ready: everything that the course needs is here."
    assert set(env.NEEDED) | {"Python", "series sceaux", "series fontana"} < set(table["part"])


def test_what_is_needed_is_what_the_project_says() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"], *(r for e in project["optional-dependencies"].values() for r in e)]
    ranges = {r.name: str(r.specifier) for r in map(Requirement, lines)}
    assert {name: f">={oldest}" for name, oldest in env.NEEDED.items()} == {k: ranges[k] for k in env.NEEDED}
    assert project["requires-python"] == f">={env.PYTHON}"


def test_a_missing_package_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(name: str) -> str:
        if name == "scikit-learn":
            raise PackageNotFoundError(name)
        return "99.0"

    monkeypatch.setattr(env, "version", lost)
    assert row("scikit-learn")["verdict"] == "missing: pip install 'scikit-learn>=1.5'"
    assert env.verdict(env.environment()) == (
        "Not ready. scikit-learn is missing: pip install 'scikit-learn>=1.5'"
    )


def test_an_old_package_is_refused_by_number_not_by_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        env, "version", lambda name: {"matplotlib": "3.10.1", "pandas": "1.9"}.get(name, "99.0")
    )
    assert row("matplotlib")["verdict"] == "ok"
    assert row("pandas")["verdict"] == "too old: pip install 'pandas>=2.2'"


def test_without_tensorflow_the_course_is_ready_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(name: str) -> str:
        if name == "tensorflow":
            raise PackageNotFoundError(name)
        return "99.0"

    monkeypatch.setattr(env, "version", lost)
    assert row("tensorflow")["verdict"].endswith("(optional)")
    assert env.verdict(env.environment()) == ("Ready, without tensorflow: no comparisons with its gradients.")


def test_without_threadpoolctl_it_is_only_not_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    assert row("threads of products")["verdict"] == "unknown without threadpoolctl (optional)"
    assert env.verdict(env.environment()).startswith("Ready, without")


def test_more_threads_than_cores_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = {"user_api": "blas", "internal_api": "openblas", "num_threads": 4096}
    monkeypatch.setattr(threadpoolctl, "threadpool_info", lambda: [pool])
    assert row("threads of products")["verdict"].startswith("too many: start with OPENBLAS_NUM_THREADS=")


def test_a_series_that_is_not_there_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("lstm_lib.series.files.PACKAGED", tmp_path)
    assert "make_sceaux.py" in row("series sceaux")["verdict"]
    assert env.verdict(env.environment()).startswith("Not ready. series sceaux is unreadable")
