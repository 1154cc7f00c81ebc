"""Files that are written over: old or new and whole, whatever ends the writing; nothing else is left beside them."""

from __future__ import annotations

import os
import resource
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import hypothesis
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import lstm_lib as ll
from lstm_lib.experiments.study import COLUMNS, LISTS, write_table
from lstm_lib.files import replacing
from tests.cases import identical

SPEC = ll.Spec(2, (16,), 1)


def a_record(seed: int) -> ll.Record:
    x = np.random.default_rng(seed).normal(size=(8, 5, 2)).astype("float32")
    return ll.fit(SPEC, (x, x[:, -1, :1]), seed=seed, epochs=1, progress=False)


def save_record(path: Path, seed: int) -> None:
    a_record(seed).save(path)


def save_table(path: Path, seed: int) -> None:
    row = dict.fromkeys(COLUMNS, seed) | {name: [0.5] * 5000 for name in LISTS}
    write_table(pd.DataFrame([row] * 3), path)


def save_text(path: Path, seed: int) -> None:
    with replacing(path) as file:
        for _ in range(100):
            file.write(str(seed).encode() * 10_000)


def save_picture(path: Path, seed: int) -> None:
    fig, ax = plt.subplots()
    ax.plot(np.arange(9) ** seed)
    with replacing(path) as file:
        fig.savefig(file, format="png")
    plt.close(fig)


WRITERS: dict[str, Callable[[Path, int], None]] = {
    "run.npz": save_record, "table.csv": save_table, "text.txt": save_text, "picture.png": save_picture,
}  # fmt: skip


@contextmanager
def files_at_most(size: int) -> Iterator[None]:
    """What the system says of a full disk, for files longer than this."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_leaves_the_old_file(tmp_path: Path, name: str, share: float) -> None:
    path = tmp_path / name
    WRITERS[name](path, 1)
    old = path.read_bytes()
    with files_at_most(int(share * len(old))), pytest.raises(OSError, match="File too large"):
        WRITERS[name](path, 2)
    assert path.read_bytes() == old
    assert os.listdir(tmp_path) == [name]
    WRITERS[name](path, 2)
    assert path.read_bytes() != old and os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, ValueError])
def test_what_ends_the_writing_leaves_the_old_file(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with pytest.raises(error), replacing(path) as file:  # noqa: PT012
        file.write(b"new")
        raise error
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["a"]


def test_links_permissions_and_long_names_stay(tmp_path: Path) -> None:
    path, link = tmp_path / ("n" * 250), tmp_path / "link"
    path.write_bytes(b"old")
    path.chmod(0o640)
    link.symlink_to(path)
    with replacing(link) as file:
        file.write(b"new")
    assert link.is_symlink() and path.read_bytes() == b"new" and stat.S_IMODE(path.stat().st_mode) == 0o640
    with replacing(tmp_path / "fresh") as file:
        file.write(b"new")
    (tmp_path / "plain").touch()
    assert (tmp_path / "fresh").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_what_is_no_regular_file_is_written_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = subprocess.Popen(["cat", str(tmp_path / "pipe")], stdout=subprocess.PIPE)
    with replacing(tmp_path / "pipe") as file:
        file.write(b"shown")
    assert reader.communicate()[0] == b"shown" and (tmp_path / "pipe").is_fifo()


def test_a_folder_that_is_not_there_or_in_the_way_is_an_error(tmp_path: Path) -> None:
    for path in (tmp_path / "none" / "a", tmp_path):
        with pytest.raises(OSError, match=r"none|directory"), replacing(path) as file:
            file.write(b"x")
    assert list(tmp_path.parent.glob("*.unfinished")) == []


KILLED = """
import sys
from lstm_lib.files import replacing
for k in range(10**6):
    with replacing(sys.argv[1]) as file:
        for _ in range(50):
            file.write(b"%d " % (k % 7) * 20_000)
            file.flush()
"""


def test_a_killed_writer_leaves_whole_files_and_its_piece_goes_with_the_next(tmp_path: Path) -> None:
    path, left = tmp_path / "a", 0
    with replacing(path) as file:
        file.write(b"0 " * 10**6)
    for k in range(max(3, hypothesis.settings().max_examples // 20)):  # 5 in CI, 100 by `make soak`
        writer = subprocess.Popen([sys.executable, "-c", KILLED, str(path)])
        for _ in range(4000):  # 20 s, for Python to start
            if list(tmp_path.glob("*.unfinished")):
                break
            time.sleep(0.005)
        time.sleep(0.007 * (k % 9))
        writer.kill()
        writer.wait()
        left += len(list(tmp_path.glob("*.unfinished")))
        whole = path.read_bytes()
        assert len(whole) == 2 * 10**6 and len(set(whole)) == 2
    assert left
    (tmp_path / "mine.unfinished").touch()
    save_text(tmp_path / "b", 1)
    assert sorted(os.listdir(tmp_path)) == ["a", "b", "mine.unfinished"]


def test_two_writers_leave_one_of_both_and_no_piece(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with replacing(path) as first:
        first.write(b"1" * 1000)
        with replacing(path) as second:  # which does not take the other's piece for abandoned
            second.write(b"2" * 1000)
        assert path.read_bytes() == b"2" * 1000
    assert path.read_bytes() == b"1" * 1000 and os.listdir(tmp_path) == ["a"]


def test_a_record_stays_loadable_when_its_save_fails(tmp_path: Path) -> None:
    first, second = a_record(0), a_record(1)
    path = first.save(tmp_path / "run")
    with files_at_most(path.stat().st_size // 2), pytest.raises(OSError, match="File too large"):
        second.save(path)
    identical(ll.Record.load(path).params, first.params)
