"""A folder of finished runs that survives being killed, and that several processes may use at once.

    runs.sqlite        a row a finished run, added and never changed, in a database of SQLite
    records/KEY.npz    what a run left, written before its row
    claims/KEY.lock    held by the process that is making this run; the system lets go of it when the process dies

A run counts when its row is in: all of it or nothing, also when the process is killed, or the disk full, meanwhile.
Rows are first written to SQLite's log (WAL), runs.sqlite-wal, and from there to the database when the last process that
has it open is done; after a kill the log lies there until the next one. The log can't be shared over a network: there,
each machine has a store of its own, and `merge` makes one of them.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from operator import methodcaller
from pathlib import Path
from typing import Any
from zlib import crc32

import pandas as pd
from filelock import FileLock, Timeout

from lstm_lib.experiments.runs import NUMBERS
from lstm_lib.training.record import Record

TABLE = "CREATE TABLE runs (number INTEGER PRIMARY KEY, key, alone, row, checksum)"
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
        return [json.loads(text) for _, _, text in self._rows()]

    def done(self, alone: bool = False) -> set[str]:
        """The keys of finished runs; with `alone` only of those that ran with nothing of ours beside them."""
        return {key for key, was_alone, _ in self._rows() if was_alone >= alone}

    def row(self, key: str) -> dict[str, Any] | None:
        """The row of a run, None if there is none; of several the first that was made alone, else the first."""
        return self.best([key]).get(key)

    def table(self, keys: Iterable[str] | None = None) -> pd.DataFrame:
        """A row a run, as `row` finds it, in the order they were first written, or in that of `keys`."""
        return pd.DataFrame(list(self.best(keys).values()))

    def best(self, keys: Iterable[str] | None = None) -> dict[str, dict[str, Any]]:
        """The rows of `table`, by key."""
        best: dict[str, tuple[bool, str]] = {}
        for key, alone, text in self._rows():
            if key not in best or alone > best[key][0]:
                best[key] = alone, text
        return {key: json.loads(best[key][1]) for key in (best if keys is None else keys) if key in best}

    def record(self, key: str) -> Record:
        """What the run left.

        Raises KeyError if there is no such run, FileNotFoundError if its row alone was kept, and StoreError for a
        damaged file and for another run's.
        """
        if (row := self.row(key)) is None:
            raise KeyError(f"{self} has no run {key!r}; its keys are in table()['key']")
        return self._read(row)

    def append(self, row: Mapping[str, Any], record: Record | None = None) -> None:
        """Keep a finished run: first its record, then its row, both on disk when this returns.

        Raises StoreError, and keeps nothing, when the run gives other numbers than it did before.
        """
        self._add(json.dumps(dict(row), default=methodcaller("tolist")), record)

    def merge(self, other: Store | str | Path) -> int:
        """Add the runs of another store, such as another machine's, that this one lacks; how many rows these are.

        Raises StoreError for a run that both have with other numbers; those before it have been added then, and the
        other store stays as it is.
        """
        other, added = other if isinstance(other, Store) else Store(other), 0
        if not other.path.exists():
            raise StoreError(f"there is no store in {str(other.folder)!r}: it has no {other.path.name}")
        known = {text for _, _, text in self._rows()}
        for key, _, text in other._rows():
            if text not in known:
                self._add(text, other._read(json.loads(text)) if other._record(key).exists() else None)
                added += 1
        return added

    def claim(self, key: str) -> FileLock | None:
        """A lock on making this run, to be released when it is stored; None if another process has it."""
        lock = FileLock(self.folder / "claims" / f"{key}.lock", thread_local=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return None
        return lock

    # ------------------------------------------------------------------------------------------------- details

    def _record(self, key: str) -> Path:
        return self.folder / "records" / f"{key}.npz"

    def _read(self, row: Mapping[str, Any]) -> Record:
        """The record of a row, whose validation errors it must have."""
        record = Record.load(path := self._record(row["key"]))
        errors = record.history["valid_rmse"].tolist()
        if "valid_rmse" in row and json.dumps(errors) != json.dumps(row["valid_rmse"]):  # NaN is NaN
            raise StoreError(
                f"{path} is of another run: its validation errors are {errors}, not {row['valid_rmse']}"
            )
        return record

    def _add(self, text: str, record: Record | None) -> None:
        row = json.loads(text)
        key, alone = row["key"], int(bool(row.get("alone")))
        _check_repeated(self.row(key), row)
        self._record(key).parent.mkdir(parents=True, exist_ok=True)
        if record is not None:
            record.save(self._record(key))
        values = key, alone, text, _checksum(key, alone, text)
        self._ask("INSERT INTO runs (key, alone, row, checksum) VALUES (?, ?, ?, ?)", *values)

    def _rows(self) -> list[tuple[str, bool, str]]:
        """Key, whether it was made alone, and the text of every row, in the order they were written; each checked."""
        found = self._ask("SELECT number, key, alone, row, checksum FROM runs ORDER BY number")
        for number, *values, checksum in found:
            if _checksum(*values) != checksum:
                raise StoreError(
                    f"{self.path}: row {number} is damaged: {str(values[-1])[:60]!r}. Take it out (DELETE FROM runs "
                    f"WHERE number = {number}), and its run is made again"
                )
        return [(key, bool(alone), text) for _, key, alone, text, _ in found]

    def _ask(self, question: str, *values: Any) -> list[tuple[Any, ...]]:
        """The answer, in a transaction and a connection of its own: threads and new processes share none."""
        reads = question.startswith("SELECT")
        if reads and not self.path.exists():
            return []
        try:
            with (
                self._readable() if reads else nullcontext(self.path) as path,
                closing(sqlite3.connect(path, timeout=PATIENCE)) as database,
                database,
            ):
                if not reads:
                    database.execute("PRAGMA journal_mode = WAL")
                database.execute("BEGIN" if reads else "BEGIN IMMEDIATE")
                if self._is_empty(database):
                    if reads:
                        return []
                    database.execute(TABLE)
                return database.execute(question, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{self.path}: {error}") from error

    @contextmanager
    def _readable(self) -> Iterator[Path]:
        """The database, or a copy with its log where nothing may be written: SQLite writes beside it to read it."""
        if os.access(self.folder, os.W_OK):
            yield self.path
            return
        with tempfile.TemporaryDirectory() as folder:
            for name in (f"{self.path}-wal", self.path):
                if os.path.exists(name):
                    shutil.copy(name, folder)
            yield Path(folder) / self.path.name

    def _is_empty(self, database: sqlite3.Connection) -> bool:
        """Whether nothing is in it yet; StoreError for what isn't ours, and for pages that don't fit together."""
        tables = [sql for (sql,) in database.execute("SELECT sql FROM sqlite_master")]
        if not tables and database.execute("PRAGMA page_count").fetchone()[0] < 2:
            return True
        if tables != [TABLE]:
            raise StoreError(f"{self.path} is no store of this edition: it has the tables {tables}")
        said = database.execute("PRAGMA integrity_check").fetchone()[0]
        if said != "ok":
            raise StoreError(
                f"{self.path} is damaged: {said}. `sqlite3 {self.path} .recover` shows what is left"
            )
        return False


def _checksum(*values: Any) -> int:
    return crc32(repr(values).encode())


def _check_repeated(before: Mapping[str, Any] | None, now: Mapping[str, Any]) -> None:
    """Refuse a run that gives other numbers than the same run did before."""
    if before is None:
        return
    pairs = [
        (name, json.dumps(before.get(name)), json.dumps(now.get(name))) for name in NUMBERS
    ]  # NaN is NaN
    if differs := [f"{name} {then} then, {here} now" for name, then, here in pairs if then != here]:
        raise StoreError(
            f"{now.get('name')!r} with seed {now.get('seed')} gives other numbers than it did before: "
            f"{'; '.join(differs)}. "
            f"Then: {before.get('versions')} on {before.get('machine')}; now: {now.get('versions')} on "
            f"{now.get('machine')}. Runs of different versions or machines belong into different stores"
        )
