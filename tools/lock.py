"""Write requirements.txt and environment.yml: the newest versions that the ranges of pyproject.toml allow.

    make lock PYTHON=python3.11

Run it with the OLDEST Python the project supports, down to the micro version (Debian 12 has 3.11.2): some
packages ask for a later 3.11, and a lock made there could not be installed here. A fresh environment is made
and thrown away; afterwards run `make test`, and commit the new lock only when it passes.
"""

from __future__ import annotations

import platform
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Packages that only some systems need. pip freeze knows neither these markers nor the packages of the others.
MARKERS = {
    "pexpect": "sys_platform != 'win32'",
    "ptyprocess": "sys_platform != 'win32'",
}
ELSEWHERE = {  # package: (marker, platform tag under which pip finds its wheel)
    "appnope": ("sys_platform == 'darwin'", "any"),
    "colorama": ("sys_platform == 'win32'", "any"),
    "pywinpty": ("sys_platform == 'win32'", "win_amd64"),
}

# conda-forge lags behind with these or does not have them: conda's own pip brings them.
THROUGH_PIP = {
    "django-static-mathjax",
    "nbval",
    "pandas-stubs",
    "playwright",
    "scipy-stubs",
    "tensorflow",
    "types-pyyaml",
    "types-tqdm",
}

LOCK_HEADER = """\
# The versions this project is tested with, for Linux, macOS (arm64) and Windows. Written by `make
# lock` with Python {python}; do not edit. The ranges that the package accepts are in pyproject.toml.
"""
CONDA_HEADER = """\
# The direct dependencies at the versions of requirements.txt, for users of conda. Written by `make lock`.
#   conda env create -f environment.yml
#   conda activate lstm_lib
#   jupyter lab notebooks/00_start_here.ipynb
name: lstm_lib
channels:
  - conda-forge
  - nodefaults
dependencies:
  - python=3.11
  - pip
"""


def canonical(name: str) -> str:
    """The name under which package indexes compare (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def direct() -> list[str]:
    """All requirements of pyproject.toml: the package's own and those of its extras, which may name other extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [line for extra in project["optional-dependencies"].values() for line in extra]
    return sorted({*project["dependencies"], *(line for line in extras if not line.startswith("lstm_lib["))})


def resolve(folder: Path) -> dict[str, str]:
    """Install the direct requirements into a fresh environment in `folder`; return name: version of all."""
    print(f"Resolving with Python {platform.python_version()}; this takes 2 to 5 minutes ...", flush=True)
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    pip = [folder / "venv" / "bin" / "python", "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", *direct()], check=True)
    frozen = subprocess.run([*pip, "freeze"], check=True, capture_output=True, text=True).stdout
    return dict(line.split("==") for line in frozen.split())


def newest_wheel(name: str, tag: str, folder: Path) -> str:
    """The newest version of a package that another system needs."""
    options = ["--quiet", "--no-deps", "--only-binary=:all:", f"--platform={tag}", f"--dest={folder}"]
    subprocess.run([sys.executable, "-m", "pip", "download", *options, name], check=True)
    (wheel,) = folder.glob(f"{name}-*.whl")
    return wheel.name.split("-")[1]


def requirements(versions: dict[str, str], elsewhere: dict[str, str]) -> str:
    """The text of requirements.txt."""
    lines = []
    for name, version in {**versions, **elsewhere}.items():
        marker = MARKERS.get(name) or ELSEWHERE.get(name, ("",))[0]
        lines.append(f"{name}=={version}" + (f" ; {marker}" if marker else ""))
    body = "\n".join(sorted(lines, key=str.lower))
    return LOCK_HEADER.format(python=platform.python_version()) + body + "\n"


def environment(versions: dict[str, str]) -> str:
    """The text of environment.yml."""
    locked = {canonical(name): version for name, version in versions.items()}
    names = sorted({canonical(re.split(r"[<>=!~ ]", line)[0]) for line in direct()})
    conda = [f"  - {name}={locked[name]}" for name in names if name not in THROUGH_PIP]
    pip = [f"      - {name}=={locked[name]}" for name in names if name in THROUGH_PIP]
    return CONDA_HEADER + "\n".join([*conda, "  - pip:", *pip, "      - -e ."]) + "\n"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        versions = resolve(Path(folder))
        elsewhere = {
            name: newest_wheel(name, tag, Path(folder))
            for name, (_, tag) in ELSEWHERE.items()
            if name not in versions
        }
    (ROOT / "requirements.txt").write_text(requirements(versions, elsewhere))
    (ROOT / "environment.yml").write_text(environment(versions))
    print("requirements.txt and environment.yml are written; now run: make test")


if __name__ == "__main__":
    main()
