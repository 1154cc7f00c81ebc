"""The package as others get it: a wheel, installed away from the checkout, beside few packages.

An environment holds the packages of some extras alone, as links to those that are installed here: nothing is
downloaded.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from collections.abc import Callable, Iterable
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "lstm_lib"
Run = Callable[[str], "subprocess.CompletedProcess[str]"]


def with_extras(*extras: str) -> list[Distribution]:
    """What lstm_lib with these extras needs, and what that needs in turn."""
    todo, found = [Requirement(f"lstm_lib[{','.join(extras)}]")], dict[str, Distribution]()
    asked = set[str]()
    while todo:
        wanted = todo.pop()
        if str(wanted) in asked:
            continue
        asked.add(str(wanted))
        try:
            one = distribution(wanted.name)
        except PackageNotFoundError:
            assert wanted.name in ("setuptools", "wheel"), f"{wanted} is not installed here; run make setup"
            continue  # asked for by TensorFlow, and used to build alone
        found[canonicalize_name(wanted.name)] = one
        todo += [
            needed
            for needed in map(Requirement, requirements(one))
            if not needed.marker or any(needed.marker.evaluate({"extra": e}) for e in ("", *wanted.extras))
        ]
    del found["lstm-lib"]
    return list(found.values())


def requirements(one: Distribution) -> Iterable[str]:
    """Of this package those of pyproject.toml: an editable installation may be older."""
    if canonicalize_name(str(one.metadata["Name"])) != "lstm-lib":
        return one.requires or ()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = project["optional-dependencies"].items()
    return [*project["dependencies"], *(f"{line}; extra == '{e}'" for e, lines in optional for line in lines)]


# --------------------------------------------------------------------------------------------------- the wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    command = [*pip, "wheel", str(ROOT), "--no-deps", "--no-build-isolation", f"--wheel-dir={folder}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Run]:
    """Make an environment with the wheel and the packages of some extras; get what runs code in it.

    A wheel of pure Python is installed by unpacking it.
    """

    @cache
    def make(*extras: str) -> Run:
        folder = tmp_path_factory.mktemp("-".join(("with", *extras)))
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        site, scripts = (
            Path(sysconfig.get_path(p, "venv", {"base": folder})) for p in ("purelib", "scripts")
        )
        for one in with_extras(*extras):
            for name in {file.parts[0] for file in one.files or ()} - {"..", "__pycache__"}:
                if not (site / name).exists():
                    (site / name).symlink_to(Path(str(one.locate_file(name))))
        zipfile.ZipFile(wheel).extractall(site)

        def run(code: str) -> subprocess.CompletedProcess[str]:
            command = [scripts / "python", "-I", "-W", "error", "-c", code]
            return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)

        return run

    return make


def test_the_wheel_holds_all_that_the_package_reads_and_nothing_else(wheel: Path) -> None:
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if "dist-info" not in name}
    here = {str(path.relative_to(ROOT)) for path in PACKAGE.rglob("*") if path.is_file()}
    kept = {name for name in here if "__pycache__" not in name}
    assert inside == kept | {"lstm_lib/data/README.md"}  # the notices of the series' licences
    assert {Path(name).suffix for name in inside} >= {".py", ".gz", ".js", ".css"}


FIT = """
import sys
import numpy as np
import lstm_lib as ll
series = ll.load_series("sceaux")
split = ll.windows(series, lookback=5)
few = split.train.take(np.arange(8))
record = ll.fit(ll.Spec(few[0].shape[2], (3,), 1), few, epochs=2, batch=4, progress=PROGRESS)
print(len(series.frame), len(record.history))
print(*{name.partition(".")[0] for name in sys.modules})
"""


@pytest.mark.parametrize("progress", [False, True])
def test_bare_it_loads_a_series_and_trains(installed: Callable[..., Run], progress: bool) -> None:
    done = installed()(FIT.replace("PROGRESS", str(progress)))
    assert done.returncode == 0, done.stderr
    first, loaded = done.stdout.splitlines()
    assert first == "34589 2"
    assert not {"tqdm", "threadpoolctl", "scipy", "numba", "matplotlib", "tensorflow"} & set(loaded.split())


def test_fast_it_trains_too(installed: Callable[..., Run]) -> None:
    done = installed("fast")(FIT.replace("PROGRESS", "False"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("34589 2\n")


def test_beside_keras_it_needs_nothing_of_the_course(installed: Callable[..., Run]) -> None:
    done = installed("keras")(
        """
import sys
import numpy as np
from lstm_lib.keras import IsolatedLSTM, isolate_layer, keras
x = np.ones((4, 3, 2), "float32")
model = keras.Sequential([keras.Input((3, 2)), IsolatedLSTM(4, zone="0/Wh", name="lstm"), keras.layers.Dense(1)])
model.compile("adam", "mse")
model.fit(x, x[:, 0, :1], verbose=0)
print(isolate_layer(model, "lstm", None).predict(x, verbose=0).shape)
print(*{name.partition(".")[0] for name in sys.modules})
"""
    )
    assert done.returncode == 0, done.stderr
    shape, loaded = done.stdout.splitlines()
    assert shape == "(4, 1)"
    assert not {"matplotlib", "seaborn", "ipywidgets", "IPython", "jupyter_core"} & set(loaded.split())


def test_with_the_lab_the_page_opens(installed: Callable[..., Run]) -> None:
    done = installed("lab")("from lstm_lib.lab import page; print(type(page()).__name__)")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("code", "extra"),
    [
        ("import lstm_lib.keras", "keras"),
        ("import lstm_lib.plots", "study"),
        ("import lstm_lib.experiments", "study"),
        ("from lstm_lib.lab import page; page()", "lab"),
        ("import lstm_lib as ll; ll.ridge_forecast(ll.windows(ll.load_series('fontana')))", "study"),
        ("import lstm_lib as ll; ll.boosted_forecast(ll.windows(ll.load_series('fontana')))", "study"),
        ("open('a.pq', 'w').close(); import lstm_lib as ll; ll.load_series('a.pq')", "study"),
    ],
)
def test_what_is_missing_is_answered_with_its_extra(
    installed: Callable[..., Run], code: str, extra: str
) -> None:
    done = installed()(code)
    assert done.returncode != 0
    assert f'pip install "lstm_lib[{extra}]"' in done.stderr.splitlines()[-1]


# -------------------------------------------------------------------------------------------------- the extras

# What a folder, or a file, may import: the packages of these extras.
EXTRAS = {
    "network": ("fast",),
    "training": ("fast",),
    "environment": ("fast",),
    "forecasting": ("study",),  # the words that scikit-learn asks for, if it is there
    "series": ("study",),
    "keras": ("keras",),
    "experiments": ("study", "keras"),
    "plots": ("study", "lab"),  # IPython, to show a figure
    "lab": ("lab",),
    "command": ("study",),
}


@pytest.mark.parametrize(
    "part", sorted({path.stem for path in PACKAGE.glob("[!_]*") if path.suffix in ("", ".py")})
)
def test_what_a_part_imports_is_in_its_extras(part: str) -> None:
    known = {canonicalize_name(str(one.metadata["Name"])) for one in with_extras(*EXTRAS.get(part, ()))}
    sources = (
        [PACKAGE / f"{part}.py"] if (PACKAGE / f"{part}.py").is_file() else (PACKAGE / part).rglob("*.py")
    )
    names = set()
    for node in (node for path in sources for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(str(node.module).partition(".")[0])
    providers = packages_distributions()
    others = names - {"lstm_lib", "__future__", *sys.stdlib_module_names}
    assert [n for n in others if not known & {canonicalize_name(p) for p in providers.get(n, ())}] == []
