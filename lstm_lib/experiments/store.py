"""A folder of finished runs that survives being killed, and that several processes may use at once.

    runs.jsonl         one line a finished run, only ever appended to
    runs.jsonl.torn    what was left of lines that a killed process did not finish
    records/KEY.npz    what a run left, written before its line
    claims/KEY.lock    held by the process that is making this run; the system lets go of it when the process dies

A line counts when it ends. What follows the last line end was being written when its process was killed: it is
set aside, and the run is made again. Anything else that can't be read is an error that names the line.
"""

from __future__ import annotations

import json
import math
import os
import threading
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import FileLock, Timeout

from lstm_lib.experiments.configuration import plain
from lstm_lib.training.loop import Record


class StoreError(ValueError):
    """A store holds what it should not."""


class Store:
    """The finished runs in a folder, which is made if it is not there.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = Store(folder)
    ...     store.append({"key": "dense-0", "seed": 0, "test_rmse": 0.5})
    ...     store.done(), store.table()["test_rmse"].tolist()
    ({'dense-0'}, [0.5])
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.path = self.folder / "runs.jsonl"
        self._rows: list[dict[str, Any]] = []
        self._read = 0  # bytes of the file that are in _rows
        self._one_reader = threading.Lock()  # joblib asks for the next run in a thread of its own

    def __repr__(self) -> str:
        return f"Store({str(self.folder)!r})"

    # ------------------------------------------------------------------------------------------------- reading

    def rows(self) -> list[dict[str, Any]]:
        """All lines, in the order they were written; StoreError names one that can't be read."""
        with self._one_reader:
            return self._all_rows()

    def _all_rows(self) -> list[dict[str, Any]]:
        if not self.path.exists():
            self._rows, self._read = [], 0
            return []
        whole = self._new_lines()
        if not whole.endswith(b"\n") and whole:
            with self._lock():  # a process that is just writing has finished then
                self._set_aside_torn_line()
                whole = self._new_lines()
        found = [self._parsed(line, k) for k, line in enumerate(whole.split(b"\n")[:-1], len(self._rows) + 1)]
        self._rows += found
        self._read += len(whole)
        return list(self._rows)

    def done(self, alone: bool = False) -> set[str]:
        """The keys of finished runs; with `alone` only of those that ran with nothing of ours beside them."""
        return {row["key"] for row in self.rows() if row.get("alone") or not alone}

    def row(self, key: str) -> dict[str, Any] | None:
        """The line of a run, None if there is none; of several the first that was made alone, else the first."""
        return self._best().get(key)

    def table(self, keys: Collection[str] | None = None) -> pd.DataFrame:
        """A row a run, as `row` finds it, in the order they were written, or in that of `keys`."""
        best = self._best()
        return pd.DataFrame([best[key] for key in (best if keys is None else keys) if key in best])

    def record(self, key: str) -> Record:
        """What the run left; KeyError if there is no such run."""
        if key not in self.done():
            raise KeyError(f"{self} has no run {key!r}; its keys are in table()['key']")
        return Record.load(self._record_path(key))

    def _best(self) -> dict[str, dict[str, Any]]:
        best: dict[str, dict[str, Any]] = {}
        for row in self.rows():
            known = best.setdefault(row["key"], row)
            if row.get("alone") and not known.get("alone"):
                best[row["key"]] = row
        return best

    def _new_lines(self) -> bytes:
        with self.path.open("rb") as file:
            if os.fstat(file.fileno()).st_size < self._read:  # another file: start anew
                self._rows, self._read = [], 0
            file.seek(self._read)
            return file.read()

    def _parsed(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            row = json.loads(line)
            if not isinstance(row, dict) or "key" not in row:
                raise ValueError("it is not a run with a key")
        except ValueError as error:
            raise StoreError(
                f"{self.path}, line {number} can't be read ({error}): {line[:60]!r}. Every line has to be a run in "
                "JSON; repair the line or take it out, and its run is made again"
            ) from error
        return row

    # ------------------------------------------------------------------------------------------------- writing

    def append(self, row: Mapping[str, Any], record: Record | None = None) -> None:
        """Keep a finished run: first its record, then its line, both on disk when this returns."""
        line = json.dumps(_without_nan(dict(row)), allow_nan=False, default=plain).encode() + b"\n"
        if record is not None:
            self._save(record, self._record_path(row["key"]))
        with self._lock():
            self._set_aside_torn_line()
            _write(self.path, line)

    def claim(self, key: str) -> FileLock | None:
        """A lock on making this run, to be released when it is stored; None if another process has it."""
        path = self.folder / "claims" / f"{key}.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path, thread_local=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return None
        return lock

    def _record_path(self, key: str) -> Path:
        return self.folder / "records" / f"{key}.npz"

    def _save(self, record: Record, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = record.save(path.with_name(f".{path.stem}.{os.getpid()}.npz"))
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        unfinished.replace(path)

    def _lock(self) -> FileLock:
        self.folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self.folder / "runs.lock")

    def _set_aside_torn_line(self) -> None:
        """Move what follows the last line end into the file of torn lines; only while holding the lock."""
        if not self.path.exists():
            return
        content = self.path.read_bytes()
        kept = content.rfind(b"\n") + 1
        if kept < len(content):
            _write(self.path.with_name(f"{self.path.name}.torn"), content[kept:] + b"\n")
            with self.path.open("r+b") as file:
                file.truncate(kept)
                os.fsync(file.fileno())


def _write(path: Path, line: bytes) -> None:
    """Append and wait until it is on disk."""
    with path.open("ab") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def _without_nan(value: Any) -> Any:
    """What is not a finite number as None, which JSON has.

    >>> _without_nan({"a": [1.5, math.nan]})
    {'a': [1.5, None]}
    """
    if isinstance(value, Mapping):
        return {k: _without_nan(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
