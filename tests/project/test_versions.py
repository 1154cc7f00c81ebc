"""The ranges of pyproject.toml, the locked versions and conda's agree, and the version stands in one place."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import lstm_lib
from tools import lock

ROOT = Path(__file__).resolve().parents[2]

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
RANGES = [Requirement(line) for line in lock.direct()]


def locked() -> dict[str, str]:
    """Package: version, of every line of requirements.txt."""
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    pins = [Requirement(line) for line in lines if line]
    for pin in pins:
        assert re.fullmatch(r"==[^*,]+", str(pin.specifier)), f"{pin} is not locked to one version"
        assert pin.url is None, f"{pin} names an address"
    return {canonicalize_name(pin.name): str(pin.specifier)[2:] for pin in pins}


def conda_pins() -> dict[str, str]:
    """Package: version, of every line of environment.yml, conda's own and pip's."""
    lines = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    (pip,) = [line["pip"] for line in lines if isinstance(line, dict)]
    pairs = [re.split("=+", line) for line in [*lines, *pip] if isinstance(line, str) and "=" in line]
    return {canonicalize_name(name): version for name, version in pairs if name != "python"}


@pytest.mark.parametrize("wanted", RANGES, ids=str)
def test_the_lock_satisfies_every_range(wanted: Requirement) -> None:
    version = locked().get(canonicalize_name(wanted.name))
    assert version is not None, f"{wanted.name} is not in requirements.txt; run make lock"
    assert wanted.specifier.contains(Version(version)), f"{wanted} excludes the locked {version}"


def test_conda_gets_the_locked_version_of_every_direct_dependency() -> None:
    pins, direct = locked(), {canonicalize_name(r.name) for r in RANGES}
    assert conda_pins() == {name: pins[name] for name in direct}


def test_the_lock_leaves_out_the_package_itself_and_what_nobody_uses() -> None:
    assert not {"lstm-lib", "torch", "pip", "setuptools"} & set(locked())


def test_the_lock_knows_every_requirement_once_and_not_the_package_itself() -> None:
    names = [r.name for r in RANGES]
    assert {"numpy", "numba", "tensorflow", "jupyterlab"} < set(names)
    assert len(names) == len(set(names)), "an extra asks for another range than another extra"
    assert "lstm_lib" not in names


def test_the_version_stands_in_one_place() -> None:
    assert PROJECT["dynamic"] == ["version"]  # read from lstm_lib/__init__.py
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == lstm_lib.__version__
