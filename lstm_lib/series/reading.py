"""From a file to a `Series`, with each check on the way.

A refusal names the file, line or column, what was given, what was expected, and what to do. Nothing is
repaired in silence. A CSV is read row by row, and only the columns asked for are kept, as numbers: a large file
needs no more memory than its table. Every number is the float64 nearest to its text.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import compress
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from lstm_lib.series import shapes
from lstm_lib.series.clock import grid, zone_of
from lstm_lib.series.columns import (
    chosen,
    counters,
    finder,
    no_inputs,
    refuse_words,
    the_target,
    time_columns,
    two_columns,
    unit_in,
)
from lstm_lib.series.files import KIND, file_of
from lstm_lib.series.findings import Finding
from lstm_lib.series.layouts import EMBEDDED, Known, describe, recognise
from lstm_lib.series.lines import LIMIT, Around
from lstm_lib.series.numbers import Numbers
from lstm_lib.series.parquet import Parquet
from lstm_lib.series.refusal import SeriesError, choose, listed, several, shown
from lstm_lib.series.rows import Csv
from lstm_lib.series.stamps import ClockChange, Repeated, Stamps, read_stamps
from lstm_lib.series.table import Series

# Rows that are looked at to tell whether there are several series in a file, and by what.
_FIRST, _SOME = 10_000, 100_000


def load_series(
    name_or_path: str | os.PathLike[str],
    *,
    target: str | None = None,
    time: str | Sequence[str] | None = None,
    columns: Sequence[str] | Mapping[str, str] | None = None,
    timezone: str | None = None,
    unit: str | None = None,
    step: str | pd.Timedelta | None = None,
    calendar: Sequence[str] = (),
    stamps_in: str | None = None,
    stamped: Literal["start", "end"] = "start",
    stamp_format: str | None = None,
    rounded: str | pd.Timedelta | None = None,
    clock_change: ClockChange = "refuse",
    repeated: Repeated = "refuse",
    separator: str = ",",
    decimal: Literal[".", ","] = ".",
    thousands: str | None = None,
    missing: str | Sequence[str] = (),
    encoding: str | None = None,
    header: int | None = None,
    names: Sequence[str] | None = None,
    skip: int | Sequence[int] = (),
    only: Mapping[str, str] | None = None,
    limit: int = LIMIT,
) -> Series:
    """Load "sceaux" or "fontana", "drahix" from your data folder, or a CSV (plain or .gz) or Parquet file of yours.

    Parameters
    ----------
    name_or_path : an embedded series; a path; the name of a file in your data folder; or a folder with one such file.
        Your data folder is the one that the environment variable LSTM_LIB_DATA names; without it `data/` of the
        checkout, or of the current folder where lstm_lib was installed without a checkout.
    target : the column to forecast; needed for a file with several number columns of no known layout.
    time : the column of stamps; found by its name if it is called time, date, datetime, timestamp ... Two columns,
        such as ["Date", "Time"], where the time of day stands in one of its own.
    columns : the columns to load, and always the target; None loads all. {"name in file": "new name"} renames them.
    timezone : the local time zone, for the calendar and for stamps without an offset; None takes what is known of the
        file, else "UTC".
    unit : the target's; None takes what is known, or what stands in brackets in the target's name. Behind a number, as
        in "1.5 kW", it is left out.
    step : the grid, such as "15min"; None takes the most frequent difference between stamps.
    calendar : any of "hour", "weekday": adds hour_sin, hour_cos, ... computed in local time; and public holidays of a
        country, such as "holiday:FR" or "holiday:GB-SCT": 1 on these days, else 0.
    stamps_in : the zone of stamps without an offset, if it is not `timezone`: such as "UTC".
    stamped : whether a stamp marks the "start" or the "end" of its period; a Series has starts. At the "end" 24:00
        is 00:00 of the next day. Of periods such as "00:00 - 01:00" the begin is taken.
    stamp_format : the form of the stamps, such as "%d/%m/%Y %H:%M"; "unix" for seconds since 1970 (or
        milliseconds ..., by their size), "excel" for day numbers of a spreadsheet. None takes ISO 8601, and what can be
        meant in one way only. A name of Europe's clocks behind it, CET or CEST, counts as its offset.
    rounded : "1s", "1min" ...: round stamps to whole ones. None rounds by 5 ms at most, to the second.
    clock_change : what to do with a local stamp that occurs twice or not at all where clocks change. An hour that the
        file shows twice, as a whole and in order, is understood. Else "refuse", or leave the rows out ("missing").
    repeated : what to do with a stamp that is repeated: "refuse", take the "first" or the "last" of its rows, or make
        its values "missing".
    separator, decimal : ";" and "," for many a European file.
    thousands : the sign between groups of digits, where it isn't plain: "1,234" may be 1234 or 1.234. Blanks and
        apostrophes between groups of three need not be given.
    missing : the words that stand for a missing value in this file, such as ["ND", "-"]; a number by its value.
    encoding : of a text that isn't in UTF-8, such as "cp1252" or "utf-16".
    header : the line of the header, counted from 1; what stands above is left out. None takes the first line, or the
        first that has the column `time`, if that is given.
    names : the names of all columns, in a file without a header; with `header`, instead of those there.
    skip : lines to be left out, by their numbers: a line of units, of totals.
    only : of a long file with several series, the rows in which a column says this: {"entity_id": "sensor.energy"};
        {} if it is one series, though it looks like several.
    limit : the most lines that are read; the longest may have as many characters, all together a hundred times as many.

    Stamps missing from the grid become rows of NaN and are counted in `Series.inserted`. An empty field (or NA, NaN,
    null, none) is a missing value. A row a day with a column for each time of day is read as one column. If `columns`
    doesn't say which, those that can't be an input are left out: row numbers, other stamps, time that has passed, one
    text or number in all rows, no value; so is a sentence below the table. Nothing else is repaired: text or infinity
    in a number column, a stamp that is unreadable, repeated, out of order, off the grid, or on a clock change raises
    SeriesError with its line number. A file or folder that isn't there raises FileNotFoundError. What was recognised
    and done stands in `Series.notes`.

    >>> sceaux = load_series("sceaux", columns=["power", "voltage"], calendar=["hour"])
    >>> sceaux
    Series 'sceaux': 34589 rows every 1 h, 2006-12-16 16:00 to 2010-11-26 20:00 UTC
      target 'power' [kW], 438 missing; 0 rows inserted; local time Etc/GMT-1
      columns: power, voltage, hour_sin, hour_cos
    """
    choose(stamped, ("start", "end"), "way to stamp a period, stamped =")
    path, known = file_of(name_or_path), EMBEDDED.get(os.fspath(name_or_path))
    numbers, where = Numbers(decimal, thousands, missing, unit), f"{path.name}: "
    around = Around(separator, encoding, header, names, skip, limit)
    table = _open(path, around, time)
    times = time_columns(table.first, time, where, table.advice())
    others = [column for column in table.header if column not in times]
    known = known or recognise(path.name, table.header) or Known()
    clocks = shapes.clocks_of(others) if columns is None else {}
    shapes.refuse_one_value_a_day(target, others, clocks, where)
    renamed, goal = chosen(columns, None if clocks else target, known, others, where)
    if not isinstance(only, Mapping | None):
        raise SeriesError(f"only={only!r} was given; expected a column and what it says: {{'id': 'a'}}.")
    find = finder(table.header, where)
    which = {find(name): str(value) for name, value in (only or {}).items()}
    text, frame = table.read(times, list(renamed), numbers, which)
    frame = numbers.settle(frame, lambda name: table.texts([name], _FIRST)[name])
    zone = zone_of(timezone or known.timezone)
    told = stamps_in or known.stamps_in or timezone
    clock = zone_of(told or "UTC")
    beside = two_columns(table.first, times[0], others) if len(times) == 1 else ""
    left, said = dict[str, str](), list[str]()
    try:
        refuse_words(text, frame, numbers, where, around.left_out)
        if clocks:
            left = {name: "it has one value a day" for name in others if name not in clocks}
            numbers.refuse(clocks, where, text.index)
            text, frame, stamp_format, said = shapes.unfold(
                text, frame[[*clocks]], clocks, stamp_format, clock, where, stamped
            )
            first = next(iter(clocks))
            goal = target or shapes.quantity(first) or "value"
            renamed = {first: goal}
        stamps = read_stamps(
            text, clock, where, stamp_format, clock_change, repeated,
            stamped=stamped, step=step, rounded=rounded, local=zone, beside=beside,
        )  # fmt: skip
        if columns is None and not clocks:
            left = no_inputs(frame, goal, numbers, which)
            rest = frame.loc[stamps.keep].drop(columns=[*{*left, *numbers.bad} & {*frame}])
            left |= counters(rest, goal, stamps.index, zone)
            rest = rest.drop(columns=[*left.keys() & {*rest}])
            shapes.refuse_hours(map(str, rest), table.header, table.line, stamps.index, where)
        kept = {old: new for old, new in renamed.items() if old not in left}
        if not clocks:
            numbers.refuse(kept, where, text.index)
        goal = goal or the_target(list(kept.values()), left, where)
    except SeriesError as error:
        hint = "" if beside else shapes.told_apart(table.texts(table.header, _SOME), times)
        raise SeriesError(f"{error}{hint}") from None
    if only is None and not clocks:
        keep, beside_it = stamps.keep[:_FIRST], [name for name in others if renamed.get(name) != goal]
        texts = {name: list(compress(its, keep)) for name, its in table.texts(beside_it, _FIRST).items()}
        shapes.refuse_mixed(texts, stamps.index[: keep.sum()], where)
    notes = [describe(known, others)] if known.title else []
    notes += [*table.notes, *(f"column {name!r} left out: {why}" for name, why in left.items())]
    notes += [*numbers.notes(clocks or kept), *said, *_said(stamps, told, stamped, repeated)]
    index = grid(text[stamps.keep], stamps.index, step, where, zone)
    frame = frame.loc[stamps.keep, list(kept)].set_axis(stamps.index).rename(columns=kept)
    if repeated == "missing":
        frame[stamps.several] = np.nan
    frame = frame.reindex(index)

    units = {new: known.units.get(old) or unit_in(old) for old, new in kept.items()}
    units[goal] = units[goal] if unit is None else unit
    rule = f"the stamp is repeated in the file; read with repeated={repeated!r}"
    series = Series(
        KIND.sub("", path.name),
        frame,
        goal,
        units[goal],
        known.source,
        zone,
        len(index) - len(stamps.index),
        {column: its for column, its in units.items() if its},
        stamped=stamped,
        notes=tuple(notes),
        found=tuple(
            Finding("duplicate", tuple(kept.values()), row, row + 1, "several rows, one stamp", rule)
            for row in index.get_indexer(stamps.index[stamps.several]).tolist()
        ),
    )
    return series.with_calendar(*several(calendar))


def _open(path: Path, around: Around, time: str | Sequence[str] | None) -> Csv | Parquet:
    parquet = path.suffix.lower() in (".parquet", ".pq")
    if parquet and (given := around.of_a_text()):
        raise SeriesError(f"{path.name}: {given[0]} is for text files; a Parquet file says that itself.")
    try:
        table = Parquet(path, around.limit) if parquet else Csv(path, around, time)
    except OSError as error:
        raise SeriesError(f"{path.name} can't be read: {error.strerror or error}.") from error
    if len(set(table.header)) < len(table.header):
        twice = next(name for name in table.header if table.header.count(name) > 1)
        names = [name + f".{k}" * (name in table.header[:k]) for k, name in enumerate(table.header)]
        advice = (
            table.advice() or f"Or give all columns names of your own: {names=} with header={table.line}."
        )
        raise SeriesError(
            f"{path.name}: the header names column {shown(twice)} more than once; rename one of them. {advice}"
        )
    return table


def _said(stamps: Stamps, told: str | None, stamped: str, repeated: str) -> Iterator[str]:
    """What was understood of the stamps, as far as it isn't plain from the file."""
    if not stamps.offset:
        guess = told or "UTC, since neither timezone nor stamps_in was given"
        yield f"stamps carry no offset and were read as {guess}"
    if stamped == "end":
        yield "stamps mark the end of their period and were put to its start"
    yield from stamps.notes
    if left := stamps.doubtful:
        yield f"{len(left)} rows left out at changes of the clocks: {listed(left, 4)}"
    if stamps.several.any():
        yield f"{stamps.several.sum()} stamps were repeated; taken as asked: repeated={repeated!r}"
