"""The fields of a table as numbers: what is one, what stands for a missing value, and what is refused.

A field that no reader could take for two numbers is read, and counted for a note where it isn't plain: blanks or
apostrophes between groups of three digits, a minus sign as a book prints it. One that could is refused with the
argument that decides. Every number is the float64 nearest to its text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import repeat

import numpy as np
import pandas as pd

from lstm_lib.series.clock import Values
from lstm_lib.series.refusal import SeriesError, choose, listed, several, shown

_MISSING = ("", "na", "nan", "n/a", "null", "none")
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
# Plain numbers and empty fields, joined by \0; longer ones may be more than a float can hold.
_PLAIN = re.compile(r"(?:[-+0-9.]{0,300}\0)*[-+0-9.]{0,300}")
_SWAPPED = str.maketrans(",.", ".,")
_BLANKS, _APOSTROPHES, _MINUS = " \u00a0\u2007\u2009\u202f", "'\u2019", "\u2212\u2010\u2011\u2012\u2013\u2014"
# One sign between groups of three digits; the first group has no needless zero.
_GROUPED = re.compile(r"([+-]?)([1-9]\d{0,2}(?:([^\w.+-]|_)\d{3})(?:\3\d{3})*)(\.\d*)?", re.ASCII)
_LAKH = re.compile(r"([+-]?)([1-9]\d?(?:([^\w.+-])\d\d)+\3\d{3})(\.\d*)?", re.ASCII)
_STAMP = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ].*)?|\d{1,2}:\d\d(:\d\d)?")


_BEGINS = re.compile(rf"[-+{_MINUS}]?(?:[.,]?\d|inf)", re.IGNORECASE)
_POINTS = re.compile(r"[-+]?(\d{1,3}|[1-9]\d{0,2}\.\d{3})")
_WITH_UNIT = re.compile(r"[-+]?\d[\d.,]*\s*([kMGT]?(?:Wh?|VA|var|J)|[kM]?V|A|°C|°F|m3|m³|l|Hz|bar|%|€)")
Texts = Callable[[str], Sequence[str]]  # a column's name -> its first fields


@dataclass
class Bad:
    """The fields of a column that are no numbers: where the first stands, how many, which, and what they look like."""

    at: int
    text: str
    count: int = 0
    words: list[str] = field(default_factory=list)
    number: bool = False  # whether one of them looks like a number
    stamps: bool = True
    remedy: str = ""


@dataclass
class _Odd:
    """The fields of a column that are read another way than they stand there."""

    text: str
    value: float
    count: int = 0
    # rows, texts, values and signs of those with a sign between groups that a slip may have put there
    doubtful: list[tuple[int, str, float, str]] = field(default_factory=list)


class Numbers:
    """Fields read as numbers, of rows that count from 0; and of each column what was odd or bad.

    Parameters
    ----------
    decimal : "." or ",".
    thousands : the sign between groups of digits, if the user says which.
    missing : the words that stand for a missing value, beside the usual ones; a number is meant by its value.
    unit : what may stand behind a number.

    Raises SeriesError for signs that contradict each other.

    >>> numbers = Numbers(",", missing=["ND"])
    >>> [numbers.read(text, "load", k) for k, text in enumerate(["1 234,5", "ND", "−2"])]
    [1234.5, nan, -2.0]
    """

    def __init__(
        self,
        decimal: str = ".",
        thousands: str | None = None,
        missing: str | Iterable[str] | None = (),
        unit: str | None = None,
    ) -> None:
        self.unit = unit or ""
        self.decimal = choose(decimal, (".", ","), "decimal sign")
        if thousands is not None and (
            not isinstance(thousands, str)
            or len(thousands) != 1
            or thousands.isalnum()
            or thousands in '"+-\r\n'
        ):
            raise SeriesError(
                f"thousands={thousands!r} was given; expected one sign between groups of digits, such as ','."
            )
        if thousands == decimal:
            raise SeriesError(
                f"{decimal!r} can't both group thousands and mark decimals; give decimal=... too."
            )
        self.thousands = thousands
        # In what follows the decimal sign is a point, whatever it is in the file.
        self._told = thousands.translate(_SWAPPED) if thousands and decimal == "," else thousands
        marks = [missing] if isinstance(missing, str | int | float) else several(missing or ())
        self._marks = {str(mark).strip(): 0 for mark in marks}
        self._values = {mark: value for mark in self._marks if (value := self._value(mark)) is not None}
        self.bad, self._odd = dict[str, Bad](), dict[str, _Odd]()

    def read_line(self, fields: list[str], columns: Sequence[str], row: int) -> Iterable[float]:
        """The numbers of a row, quickly where all are plain."""
        written = fields if self.decimal == "." else [text.translate(_SWAPPED) for text in fields]
        with suppress(ValueError):  # such as "1.2.3"
            if _PLAIN.fullmatch("\0".join(written)):
                return [float(text) if text else math.nan for text in written]
        return map(self.read, fields, columns, repeat(row))

    def read(self, text: str, column: str, row: int) -> float:
        """The number that a field holds; NaN for a missing value, and for what is neither, which is noted."""
        if text in self._marks and text not in self._values:
            self._marks[text] += 1
            return math.nan
        if text.lower() in _MISSING:
            return math.nan
        number, sign = self._number(text)
        if number is None and self.unit and text.endswith(self.unit):
            number, sign = self._number(text.removesuffix(self.unit).strip())[0], self.unit
        if number is None:
            self.note(text, column, row)
            return math.nan
        if sign:
            odd = self._odd.setdefault(column, _Odd(text, number))
            odd.count += 1
            if sign in " ,." and len(odd.doubtful) < 2:
                odd.doubtful.append((row, text, number, sign))
        return number

    def _value(self, mark: str) -> float | None:
        """The number that a mark is, as it stands in the file, or as Python writes it."""
        value = self._number(mark)[0]
        return float(mark) if value is None and _NUMBER.fullmatch(mark) else value

    def _number(self, text: str) -> tuple[float | None, str]:
        """The number, if it is one and finite; and the sign that makes it odd, or ""."""
        written = text if self.decimal == "." else text.translate(_SWAPPED)
        odd = ""
        if not _NUMBER.fullmatch(written):
            if written[:1] in _MINUS:
                written, odd = f"-{written[1:]}", written[:1]
            if found := self._grouped(written):
                sign, digits, between, rest = found
                written = sign + digits.replace(between, "") + rest
                odd = odd if between == self._told else between
            if not _NUMBER.fullmatch(written):
                return None, ""
        number = float(written)
        return (number, odd) if math.isfinite(number) else (None, "")

    def _grouped(self, written: str) -> tuple[str, str, str, str] | None:
        """Sign, digits in groups, what stands between them, decimals; None where it may be something else."""
        found = _GROUPED.fullmatch(written) or (_LAKH.fullmatch(written) if self._told else None)
        if not found:
            return None
        sign, digits, between, rest = found[1], found[2], found[3], found[4] or ""
        told = between == self._told or (self._told == " " and between in _BLANKS)
        plain = between in _BLANKS + _APOSTROPHES or (between == "," and (rest or digits.count(",") > 1))
        return (sign, digits, between, rest) if told or plain else None

    def note(self, text: str, column: str, row: int, count: int = 1) -> None:
        """So many fields of a column are no numbers, from this one on."""
        bad = self.bad.setdefault(column, Bad(row, text))
        bad.count += count
        if len(bad.words) < 12 and text not in bad.words:
            bad.words.append(text)
            bad.number = bad.number or bool(_BEGINS.match(text))
        bad.stamps = bad.stamps and bool(_STAMP.fullmatch(text[:40]))

    def settle(self, frame: pd.DataFrame, texts: Texts) -> pd.DataFrame:
        """What can be told only from the whole: marks that are numbers, and one number alone that is in groups.

        Such a one may be two numbers between which a sign got lost, unless others in the column are as large.
        """
        for mark, value in self._values.items():
            hit = frame == value
            self._marks[mark] += int(hit.to_numpy().sum())
            frame = frame.mask(hit) if hit.to_numpy().any() else frame
        for column in map(str, frame):
            values = frame[column].to_numpy()
            self._doubt_points(column, values, texts)
            odd = self._odd.get(column)
            if odd is None or len(odd.doubtful) != 1 or column in self.bad:
                continue
            row, text, number, between = odd.doubtful[0]
            others = np.abs(np.delete(values, row))
            if len(others) and not (others >= 100).any():
                sign = between.translate(_SWAPPED) if self.decimal == "," else between
                self.note(text, column, row)
                self.bad[column].remedy = (
                    f"it is the only one written so in the column, and no other number there is as large as 100; if "
                    f"it is {number:.15g}, give thousands={sign!r}, else correct it"
                )
        return frame

    def _doubt_points(self, column: str, values: Values, texts: Texts) -> None:
        """Refuse 1.234 beside 987 and 1.001: where a point never stands elsewhere, it may group digits."""
        known = np.abs(values[np.isfinite(values)])
        parts, whole = known[known % 1 > 0], known[known % 1 == 0]
        if self.decimal == "," or self.thousands or len(parts) < 2 or known.max() >= 1000 or parts.min() < 1:
            return
        if (parts.round(3) != parts).any() or not (whole >= 100).any():
            return
        words = [text for text in texts(column) if text.lower() not in _MISSING and text not in self._marks]
        if all(map(_POINTS.fullmatch, words)) and any(re.fullmatch(r"[-+]?\d{3}", text) for text in words):
            row = int(np.argmax(values % 1 > 0))
            self.note(f"{values[row]:.3f}", column, row, len(parts))
            self.bad[column].remedy = (
                "a point stands before three digits alone, and others are whole: if it is "
                f"{1000 * values[row]:.15g}, give decimal=',' and thousands='.'; if it is {values[row]:.15g}, give "
                "thousands=','"
            )

    # -------------------------------------------------------------------------------------------- what to say

    def refuse(self, columns: Iterable[str], where: str, lines: pd.Index) -> None:
        """Raise SeriesError with the place of the first bad field, if the columns can't be used."""
        columns = list(columns)
        for column in columns:
            if bad := self.bad.get(column):
                others = [name for name in columns if name not in self.bad]
                remedy = bad.remedy or self._remedy(column, bad, len(lines), others)
                such = f"{shown(bad.text)} is not a finite number ({bad.count} such in the column)"
                place = f"{where}{lines.name} {lines[bad.at]}, column {shown(column)}"
                raise SeriesError(f"{place}: {such}; {remedy}.")

    def _remedy(self, column: str, bad: Bad, rows: int, others: list[str]) -> str:
        other, group = "," if self.decimal == "." else ".", _GROUPED.fullmatch(bad.text)
        other_group = group[3] if group and group[3] != self.decimal else other
        swapped = Numbers(other, None)
        grouped = Numbers(self.decimal, other_group)._number(bad.text)[0]
        decimal = swapped._number(bad.text)[0]
        if grouped is not None and decimal is not None and self.thousands is None:
            return (
                f"it may be {grouped:.15g}, then give thousands={other!r}, or {decimal:.15g}, then give "
                f"decimal={other!r}"
            )
        if grouped is not None and self.thousands is None:
            return f"give thousands={other_group!r} if it is {grouped:.15g}"
        if decimal is not None and (other in bad.text or bad.text.count(self.decimal) > 1):
            word = "point" if self.decimal == "." else "comma"
            return f"write decimals with a {word}, or give decimal={other!r}"
        ways = ["correct it", "leave the field empty for a missing value"]
        if (bad.count < rows or len(bad.words) < 4 or bad.number) and not _BEGINS.match(bad.text):
            words = [word for word in bad.words if len(word) <= 40 and not _BEGINS.match(word)]
            words = [word for word in words if re.match(r"\D*[^\W\d]{2}|[^\W\d]|\D*$|\W*[#[]", word)]
            ways.append(f"give missing={words} if that stands for one" if words else "")
        if bad.count == rows and len(bad.words) > 1 and not bad.number and bad.text[0].isalnum():
            ways.append(
                f"give only={{{column!r}: {bad.text!r}}} if it tells several series in one file apart"
            )
        unit = _WITH_UNIT.fullmatch(bad.text)
        if unit and not others and all(word.endswith(unit[1]) for word in bad.words):
            ways.append(f"give unit={unit[1]!r} to read the numbers before it")
        if others:
            ways.append(f"leave the column out with columns={others if len(others) <= 12 else '[...]'}")
        ways = [way for way in ways if way]
        return f"{', '.join(ways[:-1])}, or {ways[-1]}"

    def notes(self, columns: Iterable[str]) -> Iterator[str]:
        """What was read in another way than it stands in the file."""
        if self._marks:
            yield "missing, as asked: " + listed(
                f"{mark!r} {count} times" for mark, count in self._marks.items()
            )
        for column in columns:
            if column in self._odd:
                odd = self._odd[column]
                such = f"such as {odd.text!r} for {odd.value:.15g}"
                yield f"column {column!r}: {odd.count} numbers are written another way, {such}"
