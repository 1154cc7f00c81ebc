"""Files that are written over: a file that was good stays good until its successor is complete.

Noun: a piece is a successor that is being written, beside the file, under a name of its own. Its writer holds a lock
on it, which the system lets go of when the process dies: so pieces of killed writers are told from those of living
ones, and the next writer in the folder removes them.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np

try:
    import fcntl
except ImportError:  # Windows, which doesn't remove a file that is open anyway
    fcntl = None  # type: ignore[assignment]

PIECE = re.compile(r".+\.[0-9a-f]{8}\.unfinished")
T = TypeVar("T")


class Foreign(ValueError):
    """A file of another kind or version; nothing of it is damaged."""


@contextmanager
def replacing(path: str | Path) -> Iterator[IO[bytes]]:
    """A file to write to, in binary, which takes the place of `path` in one go when the block has ended.

    Whatever ends the block otherwise (a full disk, Ctrl-C, a kill) leaves the old file as it was. It is on disk
    when this returns. A link stays one, permissions stay; what is no regular file, such as a pipe, is written to.

    Raises OSError where it can't be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(f"{folder}/a.txt") as file:
    ...         file.write(b"whole")
    ...     Path(f"{folder}/a.txt").read_text(), len(os.listdir(folder))
    5
    ('whole', 1)
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file() and not path.is_dir():
        with path.open("wb") as other:
            yield other
        return
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "there is no such folder to write to", str(path))
    piece, file = _begun(path)
    try:
        with file:
            yield file
            file.flush()
            if path.exists():
                shutil.copymode(path, piece)
            os.fsync(file.fileno())
            if fcntl is None:
                file.close()
            piece.replace(path)  # while it is locked
    finally:
        piece.unlink(missing_ok=True)
    with suppress(OSError):  # the name too is on disk then; not every system lets a folder be opened
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _begun(path: Path) -> tuple[Path, IO[bytes]]:
    """A new piece, locked; what killed writers left in the folder is removed."""
    for name in os.listdir(path.parent):
        if PIECE.fullmatch(name):
            _remove_abandoned(path.parent / name)
    while True:
        piece = path.with_name(f"{path.name[:100]}.{secrets.token_hex(4)}.unfinished")
        file = piece.open("xb")
        if fcntl is not None:
            with suppress(OSError):  # a file system without locks: then no other can lock it either
                fcntl.flock(file, fcntl.LOCK_EX)
        if piece.exists():  # nobody took it for abandoned before it was locked
            return piece, file
        file.close()


def _remove_abandoned(piece: Path) -> None:
    with suppress(OSError), piece.open("rb") as file:  # OSError: it is locked, gone, or another's
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            piece.unlink()
    if fcntl is None:
        with suppress(OSError):
            piece.unlink()


def read_arrays(path: str | Path, what: str, writer: str, read: Callable[[Mapping[str, Any]], T]) -> T:
    """What `read` makes of the arrays of an `.npz` file that holds one called "about", once all of it is there.

    Parameters
    ----------
    what, writer : what the file should hold and what writes such files, for the messages: "record", "Record.save".

    Raises FileNotFoundError; `Foreign` for a file of another kind, and where `read` does; ValueError for a damaged one.
    """
    path = Path(path)
    if not path.is_file() and path.with_name(f"{path.name}.npz").is_file():
        path = path.with_name(f"{path.name}.npz")
    with path.open("rb") as file:
        try:
            fits = zipfile.is_zipfile(file) and "about.npy" in zipfile.ZipFile(file).namelist()
        except Exception:  # a list of contents that can't be read
            fits = False
        if not fits:
            raise Foreign(f"{path} is not a {what}; expected a file written by {writer}")
        try:
            if bad := zipfile.ZipFile(file).testzip():  # NumPy reads no further than a header says
                raise ValueError(f"{bad} fails its checksum")
            file.seek(0)
            with np.load(file) as folder:
                return read(folder)
        except Foreign as error:
            raise Foreign(f"{path}: {error}") from None
        except Exception as error:  # NumPy, zipfile and json have an error for each kind of damage
            raise ValueError(
                f"{path} can't be read as a {what}, it is damaged or was edited: {error}"
            ) from error
