"""What looks wrong, told: a `Finding` is one place, `Findings` the table of all of them, `summary` ten lines of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lstm_lib.series.refusal import listed

LINES = 10  # of a summary, at most; there are no more kinds than that
# Worst first: what ruins the scale of its column; what is no measurement; what may well be right.
GRAVE = {"sentinel": 0, "meter": 0, "spike": 0, "regime": 2, "jump": 2}
_OFTEN, _MOST = (
    5,
    0.8,
)  # findings of a column, and the share that begins within the same three hours of the day


@dataclass(frozen=True)
class Finding:
    """Rows `begin` ... `end - 1` of `columns`, or some of them (`at`), look like a fault of this `kind`."""

    kind: str
    columns: tuple[str, ...]
    begin: int
    end: int
    size: str
    rule: str
    at: tuple[int, ...] = ()

    @property
    def rows(self) -> list[int]:
        """The rows that it is about."""
        return list(self.at or range(self.begin, self.end))


class Findings(pd.DataFrame):
    """The findings of `Series.check`: a DataFrame, a row for each, that can tell itself in ten lines."""

    @property
    def _constructor(self) -> Any:
        return Findings

    def summary(self) -> pd.DataFrame:
        """The findings in ten lines or fewer, worst first.

        Returns
        -------
        DataFrame, a row for each kind and column; where these are more than ten, a row for each kind, its worst columns
        named. First stand what ruins the scale of a column (sentinel, meter, spike), last what may well be right
        (regime, jump), and among equals what has more rows. Columns: kind, column, findings (how many), rows (of all),
        first and last (days in UTC), worst (the size of the longest), begins (hours of the local day, where findings
        come again at the same ones: a board that is off every night).

        >>> index = pd.date_range("2020-01-01", periods=2, freq="D", tz="UTC")
        >>> rows = [("gap", "load", at, at, 8, "8 h missing", "no value") for at in index]
        >>> names = ["kind", "column", "first", "last", "rows", "size", "rule"]
        >>> print(Findings(rows, columns=names).summary().to_string(index=False))
        kind column  findings  rows      first       last       worst begins
         gap   load         2    16 2020-01-01 2020-01-02 8 h missing
        """
        timezone = self.attrs.get("timezone", "UTC")
        by = ["kind", "column"] if len(self[["kind", "column"]].drop_duplicates()) <= LINES else ["kind"]
        lines = [
            (str(own["kind"].iloc[0]), _worst_columns(own), *_line(own, timezone))
            for _, own in self.groupby(by, sort=False)
        ]
        lines.sort(key=lambda line: (GRAVE.get(line[0], 1), -line[3]))
        columns = ["kind", "column", "findings", "rows", "first", "last", "worst", "begins"]
        return pd.DataFrame(lines, columns=columns)


def _worst_columns(own: pd.DataFrame) -> str:
    rows = own.groupby("column", sort=False)["rows"].sum().sort_values(ascending=False, kind="stable")
    return listed(rows.index, 2)


def _line(own: pd.DataFrame, timezone: str) -> tuple[int, int, str, str, str, str]:
    """What a summary says of some findings of one kind."""
    worst = own["size"].iloc[int(own["rows"].to_numpy().argmax())]
    first, last = (f"{stamp:%Y-%m-%d}" for stamp in (own["first"].min(), own["last"].max()))
    return len(own), int(own["rows"].sum()), first, last, str(worst), _begins(own["first"], timezone)


def _begins(stamps: pd.Series[pd.Timestamp], timezone: str) -> str:
    """The three hours of the day within which most of many findings begin; else ""."""
    hours = pd.DatetimeIndex(stamps).tz_convert(timezone).hour
    if len(hours) < _OFTEN:
        return ""
    counts = {hour: int(((hours - hour) % 24 < 3).sum()) for hour in range(24)}
    hour = max(counts, key=lambda at: counts[at])
    most = counts[hour] >= _MOST * len(hours)
    return f"{hour:02d} to {(hour + 3) % 24:02d} h" if most else ""


def table(findings: Iterable[Finding], index: pd.DatetimeIndex, measured: int, timezone: str) -> Findings:
    """Findings as a table: kind, column, first and last stamp, rows, size, rule."""

    def named(columns: tuple[str, ...]) -> str:
        return "all" if 1 < measured == len(columns) else listed(columns, 4)

    rows = [
        (f.kind, named(f.columns), index[f.begin], index[f.end - 1], len(f.rows), f.size, f.rule)
        for f in findings
    ]
    made = Findings(rows, columns=["kind", "column", "first", "last", "rows", "size", "rule"])
    made.attrs["timezone"] = timezone
    return made
