"""A folder of finished runs that survives being killed, and that several processes may use at once.

    runs.sqlite        a row a finished run, added and never changed, in a database of SQLite
    records/KEY.npz    what a run left, written before its row
    claims/KEY.lock    held by the process that is making this run; the system lets go of it when the process dies

A run counts when its row is in: all of it or nothing, also when the process is killed, or the disk full, meanwhile.
SQLite's usual journal, not its WAL, keeps the store one file, which can be read where nothing may be written.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from operator import methodcaller
from pathlib import Path
from typing import Any
from zlib import crc32

import pandas as pd
from filelock import FileLock, Timeout

from lstm_lib.training.record import Record

TABLE = "CREATE TABLE IF NOT EXISTS runs (number INTEGER PRIMARY KEY, key, alone, checksum, row)"
PATIENCE = 60  # seconds that a process waits for another one that is writing


class StoreError(ValueError):
    """A store holds what it should not."""


class Store:
    """The finished runs in a folder, which is made when the first is kept.

    Raises StoreError for a store of the first edition, a file that is no database, and a damaged row.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = Store(folder)
    ...     store.append({"key": "dense-0", "seed": 0, "test_rmse": 0.5})
    ...     store.done(), store.table()["test_rmse"].tolist()
    ({'dense-0'}, [0.5])
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.path = self.folder / "runs.sqlite"
        if (old := self.folder / "runs.jsonl").exists():
            raise StoreError(
                f"{old} was made by the first edition of lstm_lib, whose runs give other numbers in their last digits; "
                "give another folder. Its table can still be read: pandas.read_json(path, lines=True)"
            )

    def __repr__(self) -> str:
        return f"Store({str(self.folder)!r})"

    def rows(self) -> list[dict[str, Any]]:
        """All rows, in the order they were written; a run that was made twice has two."""
        return self._rows("ORDER BY number")

    def done(self, alone: bool = False) -> set[str]:
        """The keys of finished runs; with `alone` only of those that ran with nothing of ours beside them."""
        return {key for (key,) in self._ask("SELECT key FROM runs WHERE alone >= ?", alone)}

    def row(self, key: str) -> dict[str, Any] | None:
        """The row of a run, None if there is none; of several the first that was made alone, else the first."""
        return next(iter(self._rows("WHERE key = ? ORDER BY alone DESC, number LIMIT 1", key)), None)

    def table(self, keys: Iterable[str] | None = None) -> pd.DataFrame:
        """A row a run, as `row` finds it, in the order they were first written, or in that of `keys`."""
        if keys is None:
            keys = dict.fromkeys(key for (key,) in self._ask("SELECT key FROM runs ORDER BY number"))
        return pd.DataFrame([row for key in keys if (row := self.row(key)) is not None])

    def record(self, key: str) -> Record:
        """What the run left; KeyError if there is no such run."""
        if key not in self.done():
            raise KeyError(f"{self} has no run {key!r}; its keys are in table()['key']")
        return Record.load(self.folder / "records" / f"{key}.npz")

    def append(self, row: Mapping[str, Any], record: Record | None = None) -> None:
        """Keep a finished run: first its record, then its row, both on disk when this returns."""
        text = json.dumps(dict(row), default=methodcaller("tolist"))
        folder = self.folder / "records"
        folder.mkdir(parents=True, exist_ok=True)
        if record is not None:
            with record.save(folder / f"{row['key']}.npz").open("rb") as file:
                os.fsync(file.fileno())
        values = row["key"], bool(row.get("alone")), crc32(text.encode()), text
        self._ask("INSERT INTO runs (key, alone, checksum, row) VALUES (?, ?, ?, ?)", *values)

    def claim(self, key: str) -> FileLock | None:
        """A lock on making this run, to be released when it is stored; None if another process has it."""
        lock = FileLock(self.folder / "claims" / f"{key}.lock", thread_local=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return None
        return lock

    # ------------------------------------------------------------------------------------------------- details

    def _rows(self, which: str, *values: Any) -> list[dict[str, Any]]:
        found = self._ask(f"SELECT number, checksum, row FROM runs {which}", *values)
        for number, checksum, text in found:
            if crc32(text.encode()) != checksum:
                raise StoreError(
                    f"{self.path}: row {number} is damaged: {text[:60]!r}. Take it out (DELETE FROM runs WHERE "
                    f"number = {number}), and its run is made again"
                )
        return [json.loads(text) for _, _, text in found]

    def _ask(self, question: str, *values: Any) -> list[tuple[Any, ...]]:
        """The answer, in a transaction and a connection of its own: threads and new processes share none."""
        if question.startswith("SELECT") and not self.path.exists():
            return []
        try:
            with closing(sqlite3.connect(self.path, timeout=PATIENCE)) as database, database:
                database.execute(TABLE)
                return database.execute(question, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{self.path}: {error}") from error
