"""The lines of a text file, as the user or the file itself says that they are written.

They are decoded, counted and measured while they are read, so that a file of another kind, or one that never ends, is
refused before it fills the memory. Lines are numbered as in an editor.
"""

from __future__ import annotations

import codecs
import gzip
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from lstm_lib.network.spec import is_whole
from lstm_lib.series.refusal import SeriesError, listed

LIMIT = 5_000_000  # lines that are read; the longest may have as many characters, all together a hundred times as many
_ESCAPED = re.compile("[\udc80-\udcff]")  # a byte that is none of the encoding
# How files of other kinds begin, and what to do with them.
_KINDS = (
    (b"PK\x03\x04", "a zip archive; unpack it and give the CSV inside"),
    (b"PK\x05\x06", "a zip archive, and empty"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook; save its sheet as CSV"),
    (b"\x1f\x8b", "compressed with gzip; unpack it, or let its name end in .gz"),
    (b"BZh91AY&SY", "compressed with bzip2; unpack it"),
    (b"\xfd7zXZ", "compressed with xz; unpack it"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd; unpack it"),
    (b"7z\xbc\xaf", "a 7-Zip archive; unpack it and give the CSV inside"),
    (b"Rar!", "a RAR archive; unpack it and give the CSV inside"),
    (b"%PDF-", "a PDF; export the table as CSV"),
    (b"PAR1\x15", "a Parquet file; let its name end in .parquet"),
    (b"SQLite format 3", "a database of SQLite; export the table as CSV"),
    (b"\x89HDF", "an HDF5 file; save the table as CSV"),
    (b"CDF\x01", "a netCDF file; save the table as CSV"),
    (b"MATLAB 5.0", "a file of MATLAB; save the table as CSV"),
    (b"ARROW1\0", "an Arrow file; save the table as CSV"),
    (b"\x93NUMPY", "an array of NumPy; save it as CSV with its stamps"),
    (b"\x80\x04\x95", "a pickle of Python; save the table as CSV"),
    (b"\x80\x05\x95", "a pickle of Python; save the table as CSV"),
    (b"\x89PNG\r", "a picture; export the numbers as CSV"),
    (b"\xff\xd8\xff", "a picture; export the numbers as CSV"),
)
_PAGE = re.compile(rb"\s*<(!doctype|html|head|body|table|\?xml|!--|[\w:]+\s+xmlns)", re.IGNORECASE)
_JSON = re.compile(rb'\s*(\{\s*("|\})|\[\s*[\[{"])')
_MARKS = (  # byte-order marks, the longer ones first
    (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip


@dataclass(frozen=True)
class Around:
    """What the user says of a text file, beside its numbers; as in `load_series`."""

    separator: str = ","
    encoding: str | None = None
    header: int | None = None
    names: Sequence[str] | None = None
    skip: int | Sequence[int] = ()
    limit: int = LIMIT
    left_out: frozenset[int] = field(init=False)

    def __post_init__(self) -> None:
        if not isinstance(self.separator, str) or len(self.separator) != 1 or self.separator in '"\r\n\0':
            raise SeriesError(
                f"separator={self.separator!r} was given; expected one character, such as ',' or ';'."
            )
        skip = [self.skip] if isinstance(self.skip, int | str) else list(self.skip)
        skip = [int(line) if isinstance(line, str) and line.isdecimal() else line for line in skip]
        given: list[tuple[str, object]] = [*(("skip", line) for line in skip), ("limit", self.limit)]
        given += [("header", self.header)] * (self.header is not None)
        for name, line in given:
            if not is_whole(line, 1):
                raise SeriesError(
                    f"{name}={line!r} was given; expected a number of lines, a whole one from 1 on."
                )
        object.__setattr__(self, "left_out", frozenset(skip))
        try:
            "".encode(self.encoding or "utf-8")
        except (LookupError, ValueError, TypeError) as error:
            raise SeriesError(
                f"There is no encoding {self.encoding!r}; give one such as 'utf-8', 'cp1252' or 'utf-16'."
            ) from error

    def of_a_text(self) -> list[str]:
        """The arguments that were given and make sense for a text only."""
        given = {
            "encoding": self.encoding,
            "header": self.header,
            "names": self.names,
            "skip": self.left_out or None,
        }
        return [name for name, value in given.items() if value is not None]


# ------------------------------------------------------------------------------------------------------ the lines


def lines_of(path: Path, around: Around) -> Iterator[str]:
    """The lines of a text file, each with its end; SeriesError for what is no text, or too large."""
    name, limit = path.name, around.limit
    opened = gzip.open if _zipped(path) else open
    count = size = 0
    more = f"; if it is what it should be, raise the limit: limit={10 * limit}."
    text = {"encoding": around.encoding or "utf-8-sig", "errors": "surrogateescape", "newline": ""}
    try:
        with opened(path, "rt", **text) as file:  # type: ignore[call-overload]
            while line := file.readline(limit + 1):
                count, size = count + 1, size + len(line)
                if len(line) > limit:
                    raise SeriesError(
                        f"{name}: line {count} has more than {limit} characters, the most that is read{more}"
                    )
                if count > limit:
                    raise SeriesError(f"{name} has more than {limit} lines, the most that are read{more}")
                if size > 100 * limit:
                    many = f"more than {100 * limit} characters"
                    raise SeriesError(f"{name} has {many}, the most that are read{more}")
                if not line.isascii() and (bad := _ESCAPED.search(line)):
                    raise SeriesError(_bad_byte(name, count, line, bad.start(), around.encoding))
                yield line.lstrip("\ufeff") if count == 1 else line
    except (UnicodeError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        told = around.encoding or "UTF-8"
        raise SeriesError(f"{name} can't be read as a CSV in {told}, after line {count}: {error}") from error


def _zipped(path: Path) -> bool:
    return path.suffix.lower() == ".gz"


def _bad_byte(name: str, line: int, text: str, at: int, encoding: str | None) -> str:
    byte = text[at].encode("utf-8", "surrogateescape")
    why = (
        f"{name} can't be read as a CSV in {encoding or 'UTF-8'}: line {line} holds the byte 0x{byte.hex()}, "
    )
    with suppress(UnicodeDecodeError):
        if encoding is None and text.encode("utf-8", "surrogateescape").decode("cp1252"):
            letter = byte.decode("cp1252")
            return f"{why}which is none of it, but {letter!r} in that of Western Windows; give encoding='cp1252'."
    return f"{why}which is none of it; give another encoding=..., such as 'latin-1', in which every byte is a letter."


def refuse_other_kinds(path: Path, encoding: str | None) -> None:
    """Refuse a file that begins as one of another kind than text, or as a page of the web."""
    with path.open("rb") as file:
        head = file.read(4096)
    packed = _zipped(path) and head.startswith(b"\x1f\x8b")
    if not packed:
        _refuse_kinds(path, head)
    if _zipped(path) and not packed:
        why = "Not a gzipped file, whatever its name says; if it is a text, call it"
        raise SeriesError(f"{path.name} can't be read as a CSV in UTF-8: {why} {path.stem!r}.")
    if packed:
        head = b""
        with suppress(OSError, EOFError, zlib.error), gzip.open(path) as file:
            head = file.read(4096)
        _refuse_kinds(path, head)
    if encoding is None:
        mark = next((name for begin, name in _MARKS if head.startswith(begin)), "")
        even, odd = head[::2].count(0), head[1::2].count(0)
        if not mark and max(even, odd) > len(head) // 8 > 4 * min(even, odd):
            mark = "utf-16-le" if odd > even else "utf-16-be"
        if mark:
            raise SeriesError(
                f"{path.name} can't be read as a CSV in UTF-8: it is in {mark.upper()}; give encoding={mark!r}."
            )
    text = head.removeprefix(codecs.BOM_UTF8).replace(b"\0", b"")
    if _PAGE.match(text):
        raise SeriesError(
            f"{path.name} is a web page or XML, no CSV; look at it in a browser: it may say why the download failed."
        )
    if _JSON.match(text):
        raise SeriesError(f"{path.name} is JSON, no CSV; save its records as a table, such as with pandas.")


def _refuse_kinds(path: Path, head: bytes) -> None:
    for begin, what in _KINDS:
        if head.startswith(begin):
            raise SeriesError(f"{path.name} is no text, but {_archive(path) or what}.")


def _archive(path: Path) -> str:
    """What a zip archive is, if it is one that spreadsheets write, or which files it holds."""
    try:
        with zipfile.ZipFile(path) as archive:
            inside = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return ""
    if any(name.startswith("xl/") for name in inside):
        return "an Excel workbook; save its sheet as CSV"
    if "mimetype" in inside and "content.xml" in inside:
        return "a workbook of LibreOffice; save its sheet as CSV"
    return f"a zip archive; unpack it and give the CSV inside ({listed(inside, 4)})"
