"""What `load_series` can be told of a file, as texts: for a control of the page, or an option of a command."""

from __future__ import annotations

import ast
import csv
import inspect
import re
import shlex
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from lstm_lib.series.reading import load_series

# Each argument by its name, and what it takes.
TAKES = {
    name: str(parameter.annotation)
    for name, parameter in inspect.signature(load_series).parameters.items()
    if name != "name_or_path"
}
# What stands for the text in a help, and what an option says there.
SAYS = {
    "target": ("COLUMN", "the column to forecast, where the file does not tell"),
    "time": ("COLUMN", 'the column of stamps; "Date, Time" where the time of day stands in one of its own'),
    "columns": ("NAMES", 'the columns to load, "load, air"; "OLD=NEW" renames'),
    "timezone": (
        "ZONE",
        "local time, such as Europe/Paris; stamps without an offset are read in it, else as UTC",
    ),
    "unit": ("UNIT", "of the target, such as kW"),
    "step": ("TIME", "from one row to the next, such as 15min; else the most frequent one"),
    "calendar": ("NAMES", '"hour, weekday, holiday:FR": what the calendar knows, as further inputs'),
    "stamps_in": ("ZONE", "the zone of stamps without an offset, if it is not --timezone, such as UTC"),
    "stamped": ("start|end", "what a stamp marks of its period; else its start"),
    "stamp_format": (
        "FORM",
        'such as "%d/%m/%Y %H:%M"; unix: seconds since 1970; excel: day numbers of a spreadsheet',
    ),
    "rounded": ("TIME", "round stamps to whole ones, such as 1min"),
    "clock_change": ("refuse|missing", "stamps that the clock shows twice or never, where that is in doubt"),
    "repeated": ("refuse|first|last|missing", "which of the rows with one stamp is taken"),
    "separator": ("SIGN", "between columns, such as ';' or tab; else a comma"),
    "decimal": ("SIGN", ". or ,"),
    "thousands": ("SIGN", "between groups of digits, where it isn't plain"),
    "missing": ("WORDS", 'that stand for a missing value, "ND, -"'),
    "encoding": ("NAME", "of a text that isn't in UTF-8, such as cp1252"),
    "header": ("LINE", "the line of the column names, counted from 1"),
    "names": ("NAMES", 'of all columns, in a file without a header: "time, load"'),
    "skip": ("LINES", 'to leave out: "2, 99"'),
    "only": ("COLUMN=VALUE", "of several series in a file this one; {} if it is one series"),
    "limit": ("LINES", "that are read at most; else 5 million"),
}


def read_option(name: str, text: str) -> Any:
    r"""What stands in a control, as `load_series` takes it: a text, several, pairs (none: "{}") or a whole number.

    >>> read_option("columns", "air, load"), read_option("columns", "air=outside"), read_option("separator", "tab")
    (['air', 'load'], {'air': 'outside'}, '\t')
    >>> read_option("time", "Date"), read_option("target", "a, b"), read_option("skip", "2, 99")
    ('Date', 'a, b', [2, 99])
    """
    takes, text = TAKES[name], text.strip()
    if name in ("separator", "thousands"):
        return {"tab": "\t", "\\t": "\t", "space": " ", "blank": " "}.get(text.lower(), text)
    parts = [part.strip() for part in next(csv.reader([text], skipinitialspace=True), [])]
    if "int" in takes and parts and all(part.replace("_", "").isdecimal() for part in parts):
        numbers = [int(part) for part in parts]
        return numbers[0] if len(numbers) == 1 else numbers
    if "Mapping" in takes and text == "{}":
        return {}
    if "Mapping" in takes and all("=" in part for part in parts):
        return {old.strip(): new.strip() for old, _, new in (part.partition("=") for part in parts)}
    if "Sequence" in takes and (len(parts) > 1 or not takes.startswith("str |")):
        return parts
    return text


def written(value: Any) -> str:
    r"""The text for a control, which `read_option` reads again.

    >>> written(["air", "load"]), written({"air": "outside"}), written("\t")
    ('air, load', 'air=outside', 'tab')
    """
    if value == {}:
        return "{}"
    if isinstance(value, dict):
        value = [f"{old}={new}" for old, new in value.items()]
    if isinstance(value, list | tuple):
        return ", ".join(f'"{part}"' if "," in str(part) else str(part) for part in value)
    return {"\t": "tab", " ": "space"}.get(value, str(value))


# What a value may look like in a message: a text in quotes, a list or pairs, a number, or dots for what to fill in.
_VALUE = r"""'[^']*'|"[^"]*"|\[[^\]]*\]|\{[^}]*\}|\.\.\.|\w[\w.]*\b"""
_AS_CALLED = r"(?:load_series|consumption|resample|clean)"


def as_options(message: str, also: Iterable[str] = ()) -> str:
    """A message of `load_series` for one who types options: its arguments as they are typed in a shell.

    Parameters
    ----------
    also : further names that are options.

    >>> as_options("give separator=';' and decimal=',', or time=['Date', 'Time'].")
    "give --separator ';' and --decimal ,, or --time 'Date, Time'."
    >>> as_options("give target=..., one of 'a', 'b'; for another form stamp_format='unix'")
    "give --target ..., one of 'a', 'b'; for another form --stamp-format unix"
    """
    names = [*TAKES, *also]
    known = "|".join(sorted(names, key=len, reverse=True))

    def typed(match: re.Match[str]) -> str:
        name, text = match[1], match[2]
        with suppress(ValueError, SyntaxError):
            if (value := ast.literal_eval(text)) not in (..., [...], {...}):
                text = shlex.quote(written(value))
        return f"--{name.replace('_', '-')} {'...' if '...' in text else text}"

    message = re.sub(rf"\b{_AS_CALLED}\(((?:{known})=[^()]*)\)", r"\1", message)
    message = re.sub(rf"\b({known})=({_VALUE})", typed, message)
    message = re.sub(rf"\b({known})=(?=[\s.,;])", lambda match: f"--{match[1].replace('_', '-')}", message)
    long = "|".join(name for name in names if "_" in name)
    return re.sub(rf"(?<![-\w])({long})\b", lambda match: f"--{match[1].replace('_', '-')}", message)
