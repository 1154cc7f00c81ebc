"""What this machine has of what the course needs: `environment` makes the table, `verdict` the sentence.

Nothing heavy is imported to find out: versions are read from the packages' metadata.
"""

from __future__ import annotations

import os
import re
import sys
from importlib.metadata import PackageNotFoundError, version

import pandas as pd

from lstm_lib.series import SeriesError, load_series

# The oldest version of each package that the course runs on; a test holds these to pyproject.toml.
NEEDED = {
    "numpy": "2.0",
    "pandas": "2.2",
    "scipy": "1.15",
    "matplotlib": "3.9",
    "scikit-learn": "1.5",
    "numba": "0.61",
    "threadpoolctl": "3.5",
    "tqdm": "4.66",
    "tensorflow": "2.18",
}
OPTIONAL = {  # what can't be done without it
    "numba": "compiled engine",
    "threadpoolctl": "word on threads",
    "tqdm": "progress bar",
    "tensorflow": "comparisons with its gradients",
    "Python": "TensorFlow",
}
PYTHON, LAST_PYTHON = "3.11", "3.13"  # the oldest for the course; the last with a release of TensorFlow
SERIES = ("sceaux", "fontana")


def environment() -> pd.DataFrame:
    """Check Python, the packages, the threads of the matrix products, and the embedded series.

    Returns
    -------
    DataFrame, one row a part; columns part, found, needed, verdict. The verdict is "ok", or "missing", "too
    old", "unreadable", "too many" and what to do; it ends in "(optional)" where most of the course runs without.

    >>> table = environment()
    >>> table.columns.tolist(), table["verdict"][0]
    (['part', 'found', 'needed', 'verdict'], 'ok')
    """
    found = ".".join(map(str, sys.version_info[:3]))
    rows = [("Python", found, f"{PYTHON} to {LAST_PYTHON}", _python(found))]
    rows += [_package(name, oldest) for name, oldest in NEEDED.items()]
    rows += [_threads(), *(_series(name) for name in SERIES)]
    return pd.DataFrame(rows, columns=["part", "found", "needed", "verdict"])


def verdict(table: pd.DataFrame) -> str:
    """One line: ready; ready but for something optional; or not ready, and what to do first.

    >>> verdict(pd.DataFrame({"part": ["numpy"], "verdict": ["missing: pip install numpy"]}))
    'Not ready. numpy is missing: pip install numpy'
    """
    bad = table[table["verdict"] != "ok"]
    optional = bad["verdict"].str.endswith("(optional)")
    if not bad[~optional].empty:
        first = bad[~optional].iloc[0]
        return f"Not ready. {first['part']} is {first['verdict']}"
    if not bad.empty:
        lost = "; ".join(f"without {part}: no {OPTIONAL.get(part, part)}" for part in bad["part"])
        return f"Ready, {lost}."
    return "Ready: everything that the course needs is here."


def _age(found: str, oldest: str, remedy: str) -> str:
    """Whether a version is new enough; what follows the numbers, such as rc1 or +cpu, is passed over.

    >>> _age("2.10.0", "2.9", "update"), _age("2.9rc1", "2.10", "update")
    ('ok', 'too old: update')
    """
    have, need = ([int(n) for n in re.findall(r"\d+", text)[:2]] for text in (found, oldest))
    return "ok" if have >= need else f"too old: {remedy}"


def _python(found: str) -> str:
    """Whether Python is new enough, and not too new for a TensorFlow that isn't there.

    >>> _python("3.9.2")
    'too old: install Python 3.11 to 3.13'
    """
    age = _age(found, PYTHON, f"install Python {PYTHON} to {LAST_PYTHON}")
    if (
        age != "ok"
        or _age(LAST_PYTHON, found, "") == "ok"
        or _package("tensorflow", NEEDED["tensorflow"])[3] == "ok"
    ):
        return age
    return f"too new: TensorFlow has no release for it yet, install Python {LAST_PYTHON} (optional)"


def _package(name: str, oldest: str) -> tuple[str, str, str, str]:
    remedy = f"pip install '{name}>={oldest}'"
    try:
        found = version(name)
        state = _age(found, oldest, remedy)
    except PackageNotFoundError:
        found, state = "-", f"missing: {remedy}"
    optional = " (optional)" if name in OPTIONAL else ""
    return name, found, f"{oldest} or newer{optional}", state if state == "ok" else state + optional


def _threads() -> tuple[str, str, str, str]:
    """The library of the matrix products and its threads; more threads than cores wait for each other."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    part, needed = "threads of products", f"at most {cores}, as cores"
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return part, "-", needed, "unknown without threadpoolctl (optional)"
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    most = max((int(pool["num_threads"]) for pool in pools), default=1)
    library = pools[0]["internal_api"] if pools else "of unknown library"
    state = "ok" if most <= cores else f"too many: start with OPENBLAS_NUM_THREADS={cores}"
    return part, f"{most}, {library}", needed, state


def _series(name: str) -> tuple[str, str, str, str]:
    try:
        rows = len(load_series(name).frame)
    except (FileNotFoundError, SeriesError) as error:
        return f"series {name}", "-", "readable", f"unreadable: {error}"
    return f"series {name}", f"{rows:,} rows", "readable", "ok"
