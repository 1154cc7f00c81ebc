"""A table in a text file: its header, its rows, and what stands around it.

What is left out is said in `notes`; a row is numbered by the line where it begins.
"""

from __future__ import annotations

import csv
import re
from array import array
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from lstm_lib.series.layouts import plain
from lstm_lib.series.lines import Around, lines_of, refuse_other_kinds
from lstm_lib.series.numbers import Numbers
from lstm_lib.series.refusal import SeriesError, choose, listed, picked, several, shown, skipping

_TIMED = re.compile(r"time|date|datum|zeit|hora|heure|horodat|stamp|jour|fecha", re.IGNORECASE)
_HEAD = 1000  # lines that are looked at to tell where a table begins
# What a line of values is made of: digits and what stands between them in numbers and stamps.
_VALUE = re.compile(r"[-+.\u2212]?\d[\d .,:/+'\u2019TZeE\u00a0\u202f-]*")


class Csv:
    """A table in a text file, from its header on. Blank lines are passed over, but counted.

    Parameters
    ----------
    path, around : the file, and what is said of it.
    time : the columns of stamps, if they are given: the header is the first line that has them.

    `header` are the names of the columns, `first` its first row by them, `notes` what was left out around the table.
    Raises SeriesError for what is no table.
    """

    def __init__(self, path: Path, around: Around, time: str | Sequence[str] | None = None) -> None:
        self.path, self.around, self.header, self.notes = path, around, list[str](), list[str]()
        refuse_other_kinds(path, around.encoding)
        self._from = 1  # the line of the header, or of the first row where there is none
        self._head = list(self._look())
        self.line = self._from = self._begin(time)
        names = [str(name).strip() for name in several(around.names or ())]
        self.header = names if self._headless else []
        rows = self._rows()
        if not self._headless:
            self.line, header = next(rows, (0, list[str]()))
            # separators at the end of all lines leave several columns without a name or a value
            filled = {k for at, its in self._head if at > self.line for k, field in enumerate(its) if field}
            blank = {k: f"Unnamed: {k}" for k in range(len(header)) if k not in filled and "" in header[:k]}
            header = [name or blank.get(k, "") for k, name in enumerate(header)]
            self.header = names or header
            if len(header) != len(self.header):
                raise SeriesError(
                    f"{path.name}: names={names} are {len(names)} names for {len(header)} columns."
                )
        if not self.header or (self._headless and not self._head):
            raise SeriesError(f"{path.name} is empty; expected a header line and rows.")
        self._refuse_header()
        if (row := next(rows, None)) is None:
            raise SeriesError(f"{path.name} has a header but no rows.")
        self.first = dict(zip(self.header, row[1], strict=True))
        rows.close()
        if around.left_out:
            self.notes.append(f"left out, as asked: line {listed(sorted(around.left_out))}")

    @property
    def _headless(self) -> bool:
        return self.around.names is not None and self.around.header is None

    def _look(self) -> Iterator[tuple[int, list[str]]]:
        """Line number and fields of the first lines that aren't blank, each split by itself."""
        for line, text in enumerate(islice(self._kept(), _HEAD), start=1):
            with suppress(csv.Error):
                fields = next(csv.reader([text], delimiter=self.around.separator), [])
                if any(stripped := [field.strip() for field in fields]):
                    yield line, stripped

    def _begin(self, time: str | Sequence[str] | None) -> int:
        """The line at which the table begins: as told, or the first that has the columns of stamps."""
        first = self._head[0][0] if self._head else 1
        if self.around.header is not None:
            begin = self.around.header
        elif self._headless or not self._head:
            return 1
        elif self.around.names is None and re.fullmatch(r"sep=.?", first_text := "".join(self._head[0][1])):
            begin = self._head[1][0] if len(self._head) > 1 else first + 1
            self.notes.append(f"line {first} left out: {first_text!r} is for a spreadsheet")
            return begin
        else:
            wanted = {plain(name) for name in several(time or ())}
            has = (line for line, fields in self._head if wanted <= {plain(field) for field in fields})
            begin = next(has, first) if wanted else first
        if any(line < begin for line, _ in self._head):
            self.notes.append(f"{begin - 1} lines before the header left out; the header is line {begin}")
        return begin

    def _kept(self) -> Iterator[str]:
        """All lines; blank those before the table and those to be left out, so that the numbers stay."""
        lines, out = lines_of(self.path, self.around), self.around.left_out
        if self._from == 1 and not out:
            return lines
        return ("\n" if k < self._from or k in out else text for k, text in enumerate(lines, start=1))

    def _fields(self) -> Iterator[tuple[int, list[str]]]:
        """Line number and stripped fields of every row that isn't blank; a row's line is that where it begins."""
        done = 0
        separator = self.around.separator
        reader = csv.reader(self._kept(), strict=True, delimiter=separator, skipinitialspace=separator == " ")
        try:
            for row in reader:
                line, done = done + 1, reader.line_num
                fields = [field.strip() for field in row]
                if any(fields):
                    yield line, fields
        except csv.Error as error:
            why = f"{self.path.name} can't be read as a CSV in {self.around.encoding or 'UTF-8'}, after line {done}"
            quote = (
                "a quote that opens in line {} is never closed"
                if "end of data" in str(error)
                else "see line {}"
            )
            advice = f" {self.advice()}".rstrip()
            raise SeriesError(f"{why}: {error}; {quote.format(done + 1)}.{advice}") from error

    def _rows(self) -> Generator[tuple[int, list[str]]]:
        """The rows of the table, the header first if there is one; all have as many fields as the header."""
        width, below, first, rows = len(self.header), list[tuple[int, list[str]]](), "", 0
        digits = same = True  # whether the first fields begin with digits, and whether they are all the same
        for line, fields in self._fields():
            if not fields[-1] or len(fields) == 1:
                alone = len(fields) in (1, width) and not any(fields[1:])
                alike = rows > 2 and (digits or same) and len(below) < 20
                if alone and alike and _is_prose(fields[0], first):
                    below.append((line, fields))
                    continue
            if below:
                line, fields = below[0]
            width = width or len(fields)
            if len(fields) != width:
                raise SeriesError(self._uneven(line, fields, width))
            if below:  # as wide as the table, and not at its end
                raise SeriesError(
                    f"{self.path.name}: line {line} is a text, {shown(fields[0])}, among rows; {self._leave(line)}."
                )
            rows += 1
            if rows > 1 or self._headless:
                digits = digits and fields[0][:1].isdigit()
                same = same and first in ("", fields[0])
                first = fields[0]
            yield line, fields
        self.below = [
            f"line {line} left out, a text below the table: {shown(text[0], 80)}" for line, text in below
        ]

    def _other_separator(self) -> str:
        """A sign that stands as often in each of the first lines from the header on, and isn't what was given."""
        lines = [self.around.separator.join(fields) for line, fields in self._head if line >= self._from][:50]
        signs = (sign for sign in ";\t|," if sign != self.around.separator and sign in lines[0])
        return next((sign for sign in signs if len({line.count(sign) for line in lines}) == 1), "")

    def _uneven(self, line: int, fields: list[str], width: int) -> str:
        count, sign = len(fields), "comma" if self.around.separator == "," else "separator"
        if self._headless and line == self._head[0][0]:
            return f"{self.path.name}: line {line} has {count} fields, names={self.header} are {width} names."
        remedy = self.advice() if width != self._usual() else ""
        if not remedy and (other := self._other_separator()):
            remedy = f"Perhaps another sign separates columns: separator={other!r}."
        elif not remedy and count == width + 1 == self._usual() and not self._headless:
            which, names = f"end in a {sign}, and the header doesn't", [*self.header, ""]
            if fields[-1]:
                which = "begin with a field that the header doesn't name"
                names = ["" if any(map(_TIMED.search, self.header)) else "time", *self.header]
            remedy = f"If all rows {which}: {names=}, skip={skipping(self.around.left_out, [self.line])}."
        remedy = remedy or f"If it is no row of the table, {self._leave(line)}."
        return (
            f"{self.path.name}: line {line} has {count} fields, the header has {width}; was the file cut off, "
            f"or is a {sign} missing or too many? {remedy}"
        )

    def _leave(self, line: int) -> str:
        return f"skip={skipping(self.around.left_out, [line])} leaves it out"

    def _usual(self) -> int:
        """How many fields most lines have, of those that have several."""
        widths = Counter(len(fields) for _, fields in self._head)
        return max(widths, key=lambda width: (width > 1, widths[width]), default=1)

    def advice(self) -> str:
        """Where the table seems to begin, if that isn't where it was read from."""
        usual = self._usual()
        rows = [(line, fields) for line, fields in self._head if len(fields) == usual]
        found = list[tuple[bool, bool, int]]()
        for k, (line, fields) in enumerate(rows):
            after = [any(map(_VALUE.fullmatch, its)) for _, its in rows[k + 1 : k + 4]]
            named = len(set(fields)) == usual > 1 and all(fields[1:])
            named = named and not any(map(_VALUE.fullmatch, fields))
            timed = any(map(_TIMED.search, fields))
            first = fields[0] or not "".join(its[0] for _, its in rows[k + 1 : k + 2]).strip("0123456789")
            if named and any(after) and (timed or after[0]) and first:
                found.append((not timed, not after[0], line))
        line = min(found, default=(True, True, self._from))[2]
        if line == self._from or self.around.names is not None:
            return ""
        return f"Line {line} looks like the header: give header={line} to leave out what stands above."

    def _refuse_header(self) -> None:
        """Refuse a header in which the columns aren't separated, or that is none."""
        name, header = self.path.name, self.header
        single = len(header) == 1 and not self._headless and not self.advice()
        signs = [sign for sign in ";\t|," if single and sign in header[0] and sign != self.around.separator]
        if single and (other := self._other_separator() or "".join(signs[:1])):
            raise SeriesError(
                f"{name}: the header is one single column, {shown(header[0])}; save it with commas between "
                f"columns and points in numbers, or give separator={other!r} and the decimal sign, "
                "decimal='.' or ','."
            )
        if single and self.around.separator in header[0]:
            raise SeriesError(
                f"{name}: every line is one field, as {shown(header[0])}: quotes are around it as a whole; save the "
                "file without them."
            )
        blanks = [len("".join(fields).split()) for _, fields in self._head[:2]]
        if single and len(blanks) == 2 and blanks[0] == blanks[1] > 1:
            raise SeriesError(
                f"{name}: the first line is one single field, {shown(header[0])}; if blanks separate columns, give "
                "separator=' ', and a name for each, names=[...], if it is a row already."
            )
        counts = header in (
            [str(k) for k in range(len(header))],
            ["", *(str(k) for k in range(len(header) - 1))],
        )
        if (
            self.around.names is None
            and not counts
            and all(_VALUE.fullmatch(field) or not field for field in header)
        ):
            names = ["time", *(f"column_{k}" for k in range(1, len(header)))]
            such = f", such as names={names}" if len(names) <= 12 else ""
            raise SeriesError(
                f"{name}: the first line looks like values, not like names: {listed(map(shown, header), 4)}. "
                f"If it is a row, name the columns: names=[...]{such}; no column is called like a time."
                f"{' ' * bool(advice := self.advice())}{advice}"
            )

    def texts(self, names: Sequence[str], most: int) -> dict[str, Sequence[str]]:
        """The fields of these columns, of so many rows at most."""
        place, begin = {name: k for k, name in enumerate(self.header)}, 0 if self._headless else 1
        at = [place[name] for name in names]
        rows = ([fields[k] for k in at] for _, fields in islice(self._rows(), begin, begin + most))
        return dict(zip(names, zip(*rows, strict=True), strict=False))

    def read(
        self, times: Sequence[str], names: Sequence[str], numbers: Numbers, only: Mapping[str, str]
    ) -> tuple[pd.Series, pd.DataFrame]:
        """The stamps as text, indexed by line, and the numbers, of the rows asked for."""
        place = {name: k for k, name in enumerate(self.header)}
        at, at_numbers = ([place[name] for name in each] for each in (times, names))
        wanted = [(place[name], value, set[str]()) for name, value in only.items()]
        both = self.around.separator == numbers.decimal  # then decimals are in quotes
        split, others = False, 0
        lines, stamps, flat = list[int](), list[str](), array("d")
        for line, fields in islice(self._rows(), 0 if self._headless else 1, None):
            if wanted and not all(fields[k] == value for k, value, _ in wanted):
                others += 1
                for k, _, seen in wanted:
                    if len(seen) < 1000:
                        seen.add(fields[k])
                continue
            row = [fields[k] for k in at_numbers]
            split = split or (both and any(numbers.decimal in field for field in row))
            flat.extend(numbers.read_line(row, names, len(lines)))
            lines.append(line)
            stamps.append(" ".join([fields[k] for k in at]))
        if both and not split and numbers.thousands is None:
            raise SeriesError(f"{numbers.decimal!r} can't both separate columns and mark decimals.")
        self.notes += self.below
        for name, (_, value, seen) in zip(only, wanted, strict=True):
            if not lines:
                choose(value, sorted(seen), f"row with {name!r}", f"{self.path.name}: ")
        if only:
            self.notes.append(picked(only, len(lines), others))
        values = np.frombuffer(flat, dtype=np.float64).reshape(len(lines), len(names))
        text = pd.Series(stamps, pd.Index(lines, name="line"), dtype=str, name=" ".join(times))
        return text, pd.DataFrame(values, text.index, pd.Index(names))


def _is_prose(text: str, first: str) -> bool:
    """Whether a line is words that can't be the beginning of a row whose first field is like `first`."""
    return len(text.split()) > 2 and not re.match(r"[-+.\d]", text) and not first.startswith(text)
