"""The store: kept whole, by several processes at once, whatever is killed."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest

from lstm_lib.experiments import Store, StoreError, row, run
from tests.cases import identical
from tests.experiments.small import make, small


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


def test_a_damaged_database_is_refused_or_reads_right(tmp_path: Path) -> None:
    """Bits, bytes and ends, anywhere: a row is never another one, and none is missing without a word."""
    store, rng = Store(tmp_path), np.random.default_rng(0)
    for k in range(30):
        text = "x" * int(rng.integers(1, 3000))
        store.append(
            {"key": f"k-{k}", "seed": k, "alone": bool(k % 2), "test_rmse": rng.normal(), "text": text}
        )
    good, alone, raw = store.rows(), store.done(alone=True), store.path.read_bytes()
    refused = 0
    for k in range(3 * hypothesis.settings().max_examples):  # 300 in CI
        damaged, at = bytearray(raw), int(rng.integers(len(raw)))
        if k % 3 == 0:
            damaged[at] ^= 1 << int(rng.integers(8))
        elif k % 3 == 1:
            damaged[at : at + 20] = rng.bytes(len(damaged[at : at + 20]))
        else:
            del damaged[at:]
        for old in tmp_path.glob("runs.sqlite*"):
            old.unlink()
        store.path.write_bytes(damaged)
        try:
            assert (
                Store(tmp_path).rows() == good and Store(tmp_path).done(alone=True) == alone
            ) or not damaged
        except StoreError as error:
            assert "runs.sqlite" in str(error)  # noqa: PT017
            refused += 1
    assert refused > hypothesis.settings().max_examples


def test_a_row_whose_key_or_kind_was_changed_is_damaged(tmp_path: Path) -> None:
    for change in ("key = 'other'", "alone = 1", "row = replace(row, '1', '2')", "checksum = NULL"):
        store = filled(tmp_path / change.partition(" ")[0])
        with closing(sqlite3.connect(store.path)) as database, database:
            database.execute(f"UPDATE runs SET {change} WHERE number = 2")
        for ask in (store.rows, store.done, store.table, lambda store=store: store.row("é-0")):
            with pytest.raises(StoreError, match=r"row 2 is damaged"):
                ask()


def test_records_that_have_changed_places_are_noticed(tmp_path: Path) -> None:
    here = Store(tmp_path / "here")
    table = make([small()], [0, 1], here)
    one, two = (here._record(key) for key in table["key"])
    one.rename(tmp_path / "aside")
    two.rename(one)
    for ask in (lambda: here.record(table["key"][0]), lambda: Store(tmp_path / "there").merge(here)):
        with pytest.raises(StoreError, match=rf"{one.name} is of another run: its validation errors are \["):
            ask()
    (tmp_path / "aside").rename(two)
    with pytest.raises(StoreError, match="of another run"):
        here.record(table["key"][1])


def test_another_database_is_no_store(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "runs.sqlite")) as database, database:
        database.execute("CREATE TABLE others (a)")
    for ask in (Store(tmp_path).rows, lambda: Store(tmp_path).append({"key": "k"})):
        with pytest.raises(StoreError, match="no store of this edition"):
            ask()


def test_two_machines_stores_are_merged(tmp_path: Path) -> None:
    record, numbers = run(small(), 0), {"test_rmse": 0.5, "train_loss": [0.1, float("nan")]}
    here, there = Store(tmp_path / "here"), Store(tmp_path / "there")
    here.append({"key": "a", **numbers})
    there.append({"key": "a", "alone": True, **numbers}, record)
    there.append({"key": "b", **numbers})
    assert (here.merge(there), here.merge(tmp_path / "there"), there.merge(here)) == (2, 0, 1)
    assert here.done() == there.done() == {"a", "b"} and here.done(alone=True) == {"a"}
    identical(here.record("a").params, record.params)
    with pytest.raises(StoreError, match="there is no store in"):
        here.merge(tmp_path / "their")
    assert not (tmp_path / "their").exists()


def test_other_numbers_for_the_same_run_are_refused(tmp_path: Path) -> None:
    here, there = Store(tmp_path / "here"), Store(tmp_path / "there")
    here.append({"key": "a", "name": "dense", "seed": 0, "test_rmse": 0.5})
    there.append({"key": "a", "name": "dense", "seed": 0, "test_rmse": 0.6})
    for ask in (lambda: here.merge(there), lambda: here.append({"key": "a", "test_rmse": 0.6})):
        with pytest.raises(StoreError, match=r"gives other numbers .* test_rmse 0.5 then, 0.6 now"):
            ask()
    assert len(here.rows()) == 1


def test_a_store_is_one_file_once_nobody_has_it_open(tmp_path: Path) -> None:
    filled(tmp_path)
    assert [path.name for path in tmp_path.glob("runs*")] == ["runs.sqlite"]


def read_as_nobody(folder: Path) -> None:
    tempfile.tempdir = "/tmp"
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    store = Store(folder)
    assert len(store.rows()) == 3
    with pytest.raises((StoreError, OSError), match=r"readonly|denied"):
        store.append({"key": "later"})


def leave_a_log(folder: Path) -> None:
    database = sqlite3.connect(folder / "runs.sqlite")
    with database:
        database.execute("UPDATE runs SET number = number + 10")
    os._exit(0)  # as a kill: the log stays


@pytest.mark.skipif(
    not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can become another account"
)
@pytest.mark.parametrize("killed", [False, True])
def test_another_account_reads_a_store_that_it_may_not_write(killed: bool) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as above:  # where every account may go
        folder = Path(above)
        folder.chmod(0o755)
        filled(folder)
        context = multiprocessing.get_context("fork")
        if killed:
            writer = context.Process(target=leave_a_log, args=(folder,))
            writer.start()
            writer.join()
            assert (folder / "runs.sqlite-wal").stat().st_size
        reader = context.Process(target=read_as_nobody, args=(folder,))
        reader.start()
        reader.join()
        assert reader.exitcode == 0
