"""The project around the code: versions agree, imports point downwards, files are fit to be committed."""

from __future__ import annotations

import ast
import json
import os
import re
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tools import app, file_rules, lab, notebook_rules

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MAKEFILE = (ROOT / "Makefile").read_text()


def python(code: str, **environment: str) -> str:
    """What a fresh interpreter prints; the test fails with its stderr if it raises."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


# --------------------------------------------------------------------------------------------------- versions

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
RANGES = [
    Requirement(line)
    for line in [*PROJECT["dependencies"], *(r for e in PROJECT["optional-dependencies"].values() for r in e)]
]


def locked() -> dict[str, str]:
    """Package: version, of every line of requirements.txt."""
    text = (ROOT / "requirements.txt").read_text()
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    pins = [Requirement(line) for line in lines if line]
    for pin in pins:
        assert re.fullmatch(r"==[^*,]+", str(pin.specifier)), f"{pin} is not locked to one version"
        assert pin.url is None, f"{pin} names an address"
    return {canonicalize_name(pin.name): str(pin.specifier)[2:] for pin in pins}


def conda_pins() -> dict[str, str]:
    """Package: version, of every line of environment.yml, conda's own and pip's."""
    lines = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    (pip,) = [line["pip"] for line in lines if isinstance(line, dict)]
    pairs = [re.split("=+", line) for line in [*lines, *pip] if isinstance(line, str) and "=" in line]
    return {canonicalize_name(name): version for name, version in pairs if name != "python"}


@pytest.mark.parametrize("wanted", RANGES, ids=str)
def test_the_lock_satisfies_every_range(wanted: Requirement) -> None:
    version = locked().get(canonicalize_name(wanted.name))
    assert version is not None, f"{wanted.name} is not in requirements.txt; run make lock"
    assert wanted.specifier.contains(Version(version)), f"{wanted} excludes the locked {version}"


def test_conda_gets_the_locked_version_of_every_direct_dependency() -> None:
    lock, direct = locked(), {canonicalize_name(r.name) for r in RANGES}
    assert conda_pins() == {name: lock[name] for name in direct}


def test_the_lock_leaves_out_the_package_itself_and_what_nobody_uses() -> None:
    assert not {"lstm-lib", "torch", "pip", "setuptools"} & set(locked())


def test_the_version_stands_in_one_place() -> None:
    assert PROJECT["dynamic"] == ["version"]  # read from lstm_lib/__init__.py
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == python("import lstm_lib; print(lstm_lib.__version__)").strip()


# ---------------------------------------------------------------------------------------------------- imports

# Lowest first: a module may import only modules that stand before it. A new module needs its place here.
ORDER = (
    "cell", "spec", "zones", "work", "cost", "plan", "layer", "layer_backward", "network", "adam",
    "evidence", "schedules", "states", "series", "environment", "training",
    "timing", "selection", "_keras", "keras_layer", "keras_bridge", "experiments", "checks", "plots", "lab",
)  # fmt: skip
NUMPY_ONLY = ORDER[: ORDER.index("series")]
# `import lstm_lib` must not load these: a user of the engine has not even to have them.
HEAVY = (
    "tensorflow",
    "keras",
    "matplotlib",
    "seaborn",
    "ipywidgets",
    "anywidget",
    "IPython",
    "scipy",
    "sklearn",
    "joblib",
    "filelock",
    "dask",
    "distributed",
)


def imported(source: str | ast.Module) -> Iterator[tuple[str, bool]]:
    """Every module a source imports, anywhere in it, and whether it is one of lstm_lib's own.

    >>> list(imported("import numpy.typing; from . import cell; from .zones import Plan; import lstm_lib"))
    [('numpy', False), ('cell', True), ('zones', True), ('', True)]
    """
    for node in ast.walk(ast.parse(source) if isinstance(source, str) else source):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = "lstm_lib" + (f".{node.module}" if node.module else "") if node.level else str(node.module)
            names = [f"{base}.{a.name}" for a in node.names] if base == "lstm_lib" else [base]
        else:
            continue
        for name in names:
            first, _, rest = name.partition(".")
            yield (rest.partition(".")[0], True) if first == "lstm_lib" else (first, False)


def upward_imports(module: str, source: str) -> list[str]:
    """The imports of a module that break the order, or NumPy alone."""
    assert module in ORDER, f"lstm_lib/{module}.py has no place in ORDER yet"
    below = ORDER[: ORDER.index(module)]
    found = [name for name, own in imported(source) if own and name not in (*below, module)]
    if module in NUMPY_ONLY:  # to be loaded; what a function imports at its first call is another matter
        tree = ast.parse(source)
        tree.body = [n for n in tree.body if not isinstance(n, ast.FunctionDef | ast.ClassDef)]
        allowed = {"numpy", *sys.stdlib_module_names}
        found += [name for name, own in imported(tree) if not own and name not in allowed]
    return found


@pytest.mark.parametrize("path", sorted((ROOT / "lstm_lib").glob("[!_]*.py")), ids=lambda p: p.stem)
def test_modules_import_downwards_only(path: Path) -> None:
    assert upward_imports(path.stem, path.read_text()) == []


@pytest.mark.parametrize(
    "path", sorted((ROOT / "lstm_lib").glob("*/*.py")), ids=lambda p: f"{p.parent.stem}.{p.stem}"
)
def test_a_module_that_is_a_folder_does_so_too(path: Path) -> None:
    assert upward_imports(path.parent.name, path.read_text()) == []


def test_private_modules_have_their_place_too() -> None:
    for path in sorted((ROOT / "lstm_lib").glob("_[!_]*.py")):
        assert upward_imports(path.stem, path.read_text()) == []


@pytest.mark.parametrize(
    ("module", "source", "found"),
    [
        ("cell", "def f():\n    from .network import Spec", ["network"]),
        ("network", "from . import adam", ["adam"]),
        ("adam", "import pandas", ["pandas"]),
        ("adam", "def f():\n    import pandas", []),
        ("adam", "def f():\n    from .training import fit", ["training"]),
        ("zones", "import lstm_lib.lab", ["lab"]),
        ("training", "import pandas\nfrom .adam import Adam\nfrom . import cell", []),
    ],
)
def test_the_check_of_imports_finds_planted_ones(module: str, source: str, found: list[str]) -> None:
    assert upward_imports(module, source) == found


def test_import_loads_nothing_heavy() -> None:
    loaded = python("import sys, lstm_lib; print(*{name.partition('.')[0] for name in sys.modules})").split()
    assert "lstm_lib" in loaded
    assert not set(HEAVY) & set(loaded)


def test_training_works_where_nothing_heavy_is_installed() -> None:
    code = f"""
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {HEAVY}:
            raise ImportError(f"{{name}} is blocked")

sys.meta_path.insert(0, Blocked())
import numpy as np
import lstm_lib as ll
x = np.linspace(-1, 1, 40, dtype="float32").reshape(8, 5, 1)
record = ll.fit(ll.Spec(1, (3,), 1), (x, x[:, -1]), epochs=2, batch=4, progress=False)
print(len(record.history))
"""
    assert python(code) == "2\n"


# -------------------------------------------------------------------------------------------- committed files


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


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "data/README.md"])
def test_links_lead_to_files(name: str) -> None:
    text = (ROOT / name).read_text()
    links = [link for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text) if not re.match(r"[a-z]+:", link)]
    assert [link for link in links if not ((ROOT / name).parent / link).exists()] == []


# -------------------------------------------------------------------------------------------------- notebooks


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebooks_are_stored_as_they_will_be_compared(path: Path) -> None:
    assert notebook_rules.faults(nbformat.read(path, as_version=4)) == []


def test_the_readme_maps_the_notebooks() -> None:
    mapped = re.findall(r"\]\(notebooks/([^)]+\.ipynb)\)", (ROOT / "README.md").read_text())
    assert mapped == [path.name for path in NOTEBOOKS]


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


# ------------------------------------------------------------------------------------------- make and Jupyter


def make(*arguments: str) -> str:
    """What make prints, as in a shell that was not itself started by make."""
    environment = {
        k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "VENV")
    }
    return subprocess.run(
        ["make", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    ).stdout


def test_help_lists_every_target() -> None:
    targets = set(" ".join(re.findall(r"^\.PHONY:(.*)$", MAKEFILE, flags=re.M)).split())
    listed = set(re.findall(r"^  ([a-z-]+) +\S", make("help"), flags=re.M))
    assert targets == listed
    assert targets >= {"lab", "test", "notebooks", "bench", "mutants", "lock"}


def test_make_lab_opens_the_first_notebook() -> None:
    assert "tools/lab.py notebooks/00_start_here.ipynb --port=8888" in make("-n", "lab")


def test_make_app_serves_the_page_of_its_notebook() -> None:
    assert "tools/app.py notebooks/08_isolation_lab.ipynb --port=8866" in make("-n", "app")
    notebook = nbformat.read(ROOT / "notebooks" / "08_isolation_lab.ipynb", as_version=4)
    served = app.app_of(notebook, ROOT)
    assert [cell.source.splitlines()[-1] for cell in served.cells] == [f"os.chdir({str(ROOT)!r})", "page()"]
    with pytest.raises(SystemExit, match="tagged `app`"):
        app.app_of(sound_notebook(), ROOT)


def test_the_app_asks_nothing_of_the_internet() -> None:
    for path in (*(ROOT / "tools/app_template").rglob("*.j2"), *(ROOT / "lstm_lib/lab").glob("*.[jc]s*")):
        assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)", path.read_text()) == [], path


def test_make_test_runs_every_check_and_so_does_ci() -> None:
    assert re.search(r"^STAGES := lint types unit check-notebooks$", MAKEFILE, flags=re.M)
    assert re.search(r"^make .* test ", (ROOT / ".ci" / "run").read_text(), flags=re.M)
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_an_old_python_is_refused_in_words(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    pretend = f'exec {sys.executable} -c "import sys; sys.version_info = (3, 9, 2); $2"'
    old.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2" && exit 0\n{pretend}\n')
    old.chmod(0o755)
    done = subprocess.run(
        ["make", "setup", f"PYTHON={old}", f"VENV={tmp_path / 'venv'}"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "needs Python 3.11 or newer" in done.stdout
    assert "Python 3.9.2" in done.stdout


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_jupyterlab_starts_without_a_display(tmp_path: Path) -> None:
    """As in a container: no display, a home of its own, and root where the tests run as root."""
    notebook, log, port = tmp_path / "empty.ipynb", tmp_path / "log", free_port()
    nbformat.write(nbformat.v4.new_notebook(), notebook)
    shown = ("DISPLAY", "WAYLAND_DISPLAY", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
    environment = {k: v for k, v in os.environ.items() if k not in shown} | {"HOME": str(tmp_path)}
    code = f"from tools import lab; print(*lab.command({notebook.name!r}), sep='\\n')"
    command = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert "--LabApp.default_url=/lab/tree/empty.ipynb" in command  # the address that is printed
    assert "--no-browser" in command
    assert ("--allow-root" in command) == lab.is_root()

    with log.open("w") as output:
        server = subprocess.Popen(
            [*command, f"--port={port}", "--ServerApp.port_retries=0", "--IdentityProvider.token=t"],
            cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        )  # fmt: skip
        try:
            status = wait_for(f"http://127.0.0.1:{port}/api/status?token=t", server)
        finally:
            server.terminate()
            server.wait(timeout=30)
    assert status is not None, log.read_text()
    assert status["kernels"] == 0


def wait_for(url: str, server: subprocess.Popen[bytes], seconds: float = 60) -> dict[str, Any] | None:
    """What the server answers as soon as it answers; None when it has ended or the time is up."""
    until = time.monotonic() + seconds
    while server.poll() is None and time.monotonic() < until:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    return None
