"""How a series, or what was asked of it, is refused: what was given, what is valid, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

import pandas as pd

from lstm_lib.network.spec import is_whole


class SeriesError(ValueError):
    """A series, or what was asked of it, can't be used; the message says what to change."""


def choose(given: object, valid: Iterable[str], what: str, where: str = "") -> str:
    """Return `given` if it is one of `valid`; else say which are, and which one was probably meant."""
    names = list(valid)
    if isinstance(given, str) and given in names:
        return given
    near = [name for name in names if name.lower() == str(given).lower()]
    near = near or difflib.get_close_matches(str(given)[:100], names, n=1)
    hint = f" Did you mean {shown(near[0])}?" if near else ""
    there = listed(map(shown, names), 40) or "none"
    asked = shown(given) if isinstance(given, str) else repr(given)
    raise SeriesError(f"{where}There is no {what} {asked}; there is {there}.{hint}")


def count(value: int, name: str, least: int = 1) -> int:
    """Return `value` if it is a whole number of 1, or of another least, or more."""
    if not is_whole(value, least):
        raise SeriesError(
            f"{name}={value!r} was given; it counts steps of the series and has to be a whole number, {least} or more."
        )
    return int(value)


def length(given: str | pd.Timedelta, name: str) -> pd.Timedelta:
    """A length of time above 0, such as "1h"."""
    try:
        width = pd.Timedelta(given)
    except ValueError as error:
        raise SeriesError(
            f"{name}={given!r} is not a length of time; give one such as '1h' or '15min'."
        ) from error
    if not width > pd.Timedelta(0):
        raise SeriesError(f"{name}={given!r} has to be longer than nothing, such as '1h'.")
    return width


def several(given: str | Iterable[str]) -> list[str]:
    """One name, or several of them, as a list."""
    return [given] if isinstance(given, str) else list(given)


def shown(text: object, most: int = 500) -> str:
    """A text of the user's, in quotes; of a very long one the beginning, and how long it is.

    >>> shown("12 kW"), shown("1" * 9, most=8)
    ("'12 kW'", "'11111111'… (9 characters)")
    """
    words = str(text)
    return repr(words) if len(words) <= most else f"{words[: min(most, 60)]!r}… ({len(words)} characters)"


def listed(names: Iterable[object], most: int = 12) -> str:
    """Names for a sentence; of many, the first ones and how many more."""
    words = [str(name) for name in names]
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more


def skipping(left_out: Iterable[int], more: Iterable[int]) -> int | list[int]:
    """What `skip` has to be, for further lines to be left out.

    >>> skipping([], [7]), skipping([2], [7, 8])
    (7, [2, 7, 8])
    """
    lines = sorted({*left_out, *more})
    return lines[0] if len(lines) == 1 else lines


def picked(only: Mapping[str, str], kept: int, others: int) -> str:
    """What is said of the rows that were asked for, of several series in one file.

    >>> picked({"home": "7"}, 24, 48)
    "only the rows in which 'home' is '7', as asked: 24; 48 others left out"
    """
    which = ", ".join(f"{name!r} is {value!r}" for name, value in only.items())
    return f"only the rows in which {which}, as asked: {kept}; {others} others left out"
