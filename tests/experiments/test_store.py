"""The store: kept whole, by several processes at once, whatever is killed."""

from __future__ import annotations

import multiprocessing
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lstm_lib.experiments import Store, StoreError, row, run
from tests.cases import identical
from tests.experiments.small import small


def filled(folder: Path, lines: int = 3) -> Store:
    store = Store(folder)
    for k in range(lines):
        store.append({"key": f"é-{k}", "seed": k, "numbers": [0.1, float("nan")]})
    return store


def test_what_is_appended_is_found_again(tmp_path: Path) -> None:
    store, other = filled(tmp_path), Store(tmp_path)
    assert store.done() == other.done() == {"é-0", "é-1", "é-2"}
    found = other.row("é-1")
    assert found is not None and found.keys() == {"key", "seed", "numbers"}
    np.testing.assert_array_equal(found["numbers"], [0.1, np.nan])
    assert other.row("é-9") is None
    store.append({"key": "later"})
    assert other.table(["later", "é-0", "unknown"])["key"].tolist() == ["later", "é-0"]
    assert len(Store(tmp_path / "nothing here").table()) == 0


def test_a_record_comes_back_whole_and_leaves_no_unfinished_file(tmp_path: Path) -> None:
    store, record = Store(tmp_path), run(small(), 0)
    store.append(row(small(), 0, record), record)
    (key,) = store.done()
    identical(store.record(key).params, record.params)
    assert [path.name for path in (tmp_path / "records").iterdir()] == [f"{key}.npz"]
    with pytest.raises(KeyError, match="no run 'other'"):
        store.record("other")


@pytest.mark.parametrize("damage", ["UPDATE runs SET row = replace(row, '1', '2') WHERE number = 2", "text"])
def test_a_damaged_store_is_named(tmp_path: Path, damage: str) -> None:
    store = filled(tmp_path)
    if damage == "text":
        store.path.write_bytes(b"runs, as text" * 100)
        said = r"runs\.sqlite: file is not a database"
    else:
        with closing(sqlite3.connect(store.path)) as database, database:
            database.execute(damage)
        said = r"runs\.sqlite: row 2 is damaged: .*DELETE FROM runs WHERE number = 2"
    with pytest.raises(StoreError, match=said):
        Store(tmp_path).table()


def test_a_store_of_the_first_edition_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "runs.jsonl").write_text('{"key": "dense-0"}\n')
    with pytest.raises(StoreError, match=r"runs\.jsonl was made by the first edition .* give another folder"):
        Store(tmp_path)


def test_a_store_that_may_not_be_written_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(tmp_path)
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda path, **_: connect(f"file:{path}?mode=ro", uri=True))
    assert len(Store(tmp_path).table()) == 3 and Store(tmp_path).row("é-1") is not None
    with pytest.raises(StoreError, match="readonly"):
        Store(tmp_path).append({"key": "later"})


def test_a_file_that_was_replaced_is_read_anew(tmp_path: Path) -> None:
    store = filled(tmp_path / "here")
    assert len(store.done()) == 3
    filled(tmp_path / "there", 1).path.replace(store.path)
    assert store.done() == {"é-0"}
    store.path.unlink()
    assert store.done() == set() and store.rows() == [] and store.row("é-0") is None


def test_a_full_disk_loses_no_run_and_keeps_no_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = filled(tmp_path)
    connect = sqlite3.connect

    def full(*given: Any, **options: Any) -> sqlite3.Connection:
        database = connect(*given, **options)
        database.execute("PRAGMA max_page_count = 2")  # as large as it is
        return database

    monkeypatch.setattr(sqlite3, "connect", full)
    with pytest.raises(StoreError, match=r"runs\.sqlite: database or disk is full"):
        store.append({"key": "large", "text": "x" * 10**6})
    monkeypatch.undo()
    assert Store(tmp_path).done() == {"é-0", "é-1", "é-2"}
    store.append({"key": "large", "text": "x" * 10**6})
    assert Store(tmp_path).row("large") is not None


def test_a_claim_is_held_by_one_and_free_afterwards(tmp_path: Path) -> None:
    claim = Store(tmp_path).claim("k")
    assert claim is not None
    assert Store(tmp_path).claim("k") is None
    assert Store(tmp_path).claim("other") is not None
    claim.release()
    assert Store(tmp_path).claim("k") is not None


def append_many(folder: Path, name: str, n: int) -> None:
    store = Store(folder)
    for k in range(n):
        store.append({"key": f"{name}-{k}", "text": "x" * 5000})
        store.done()


def test_many_writers_lose_no_line(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=append_many, args=(tmp_path, str(k), 40)) for k in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert Store(tmp_path).done() == {f"{w}-{k}" for w in range(3) for k in range(40)}


@pytest.mark.parametrize("at", range(4))
def test_a_writer_that_is_killed_leaves_whole_rows(tmp_path: Path, at: int) -> None:
    """What it was writing is there or not; SQLite's journal rolls a half back."""
    context = multiprocessing.get_context("spawn")
    writer = context.Process(target=append_many, args=(tmp_path, "k", 10_000))
    writer.start()
    while not Store(tmp_path).done():
        time.sleep(0.01)
    time.sleep(0.013 * at)
    writer.kill()
    writer.join()
    done = Store(tmp_path).done()
    assert done == {f"k-{k}" for k in range(len(done))}
    assert all(len(one["text"]) == 5000 for one in Store(tmp_path).rows())
    append_many(tmp_path, "later", 1)
    assert Store(tmp_path).done() == done | {"later-0"}


def test_threads_read_and_write_one_store(tmp_path: Path) -> None:
    """joblib asks for the next run in a thread of its own, while the first one stores a result."""
    store = filled(tmp_path)
    threads = [threading.Thread(target=append_many, args=(tmp_path, str(k), 20)) for k in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert len(store.rows()) >= 3
    assert len(store.done()) == 63
