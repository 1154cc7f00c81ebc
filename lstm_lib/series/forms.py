"""The forms that a stamp may have, such as "%d/%m/%Y %H:%M": those that its parts allow, and what is wrong with one."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lstm_lib.series.refusal import SeriesError

# The begin of a stamp as programs write it: its date, what separates that, its time of day, what stands after it.
_LIKE = re.compile(
    r"(\d{8}|(?:\d{1,4}|[A-Z]{3,9})([-/ ]|\. ?)(?:\d\d?|[A-Z]{3,9})(?:\2|, )\d{1,4}\.?)"
    r"((?:, |[ T_:-]+)(?:\d{4}(?:\d\d)?(?!\d)|\d\d?(?:[:.h]\d\d){0,2})(?:[.,]\d+)?(?: ?[AP]M)?)?"
    r"( ?(?:Z|UTC|GMT|[CWE]ET|UHR|\+\d\d:?\d\d)\b)?",
    re.IGNORECASE,
)
_DIRECTIVES = "aAbBdfGHIjmMpSuUVwWyYzZ%"
SUCH = "such as '%d/%m/%Y %H:%M', or 'unix' or 'excel' for numbers"


def check_form(form: str, where: str) -> None:
    """Refuse a form that can't be one of a whole stamp, and say which directive is wrong."""
    said, given = f"{where}stamp_format={form!r}", re.findall("%(.?)", str(form), re.DOTALL)
    if not given:
        raise SeriesError(f"{said} has no directive, which begins with %; give a form {SUCH}.")
    if wrong := [letter for letter in given if not letter or letter not in _DIRECTIVES]:
        hint = "; for seconds since 1970 give stamp_format='unix'" if wrong[0] in ("s", "Q") else ""
        raise SeriesError(f"{said}: there is no directive '%{wrong[0]}'{hint}; give a form {SUCH}.")
    if twice := [letter for letter in given if letter != "%" and given.count(letter) > 1]:
        raise SeriesError(
            f"{said} has '%{twice[0]}' more than once; for a period such as 00:00 - 01:00 give the form of its begin."
        )
    if not set(given) & set("yYG"):
        raise SeriesError(
            f"{said} has no year (%Y or %y); if the date stands in another column give both, time=['date', 'time']."
        )
    if "I" in given and "p" not in given:
        raise SeriesError(f"{said}: hours up to 12, %I, need %p for AM or PM; hours up to 24 are %H.")


def written(word: str) -> Iterator[str]:
    """The forms that a stamp may have, from its parts.

    >>> [*written("31/12/2020 1:00 PM")], [*written("31-Dec-20T23:59:00.5")][0], [*written("20201231:2359 UTC")]
    (['%d/%m/%Y %I:%M %p', '%m/%d/%Y %I:%M %p'], '%d-%b-%yT%H:%M:%S.%f', ['%Y%m%d:%H%M %Z'])
    """
    if not (its := _LIKE.match(word)):
        return
    parts = iter(("%H", "%M", "%S", "%f"))
    time = re.sub(r"(?<=[.,])\d{3,}|\d\d?", lambda _: next(parts), its[3] or "")
    time = time[:-2].replace("%H", "%I") + "%p" if time[-1:] in ("m", "M") and time[-2:] != "%M" else time
    zone = re.sub("(UTC|GMT|[CWE]ET)$", "%#", its[4] or "", flags=re.IGNORECASE)
    zone = re.sub(r"(Z|\+.*)$", "%z", zone, flags=re.IGNORECASE).replace("%#", "%Z")
    first, *others = fields = re.findall(r"[^\W_]+", its[1])
    year = "%Y" if len(fields[-1]) == 4 else "%y"
    if not others:
        orders: list[tuple[str, ...]] = [("%Y%m%d",)]
    elif not (first + others[0]).isdigit():
        orders = [("%d", b, year) if first.isdigit() else (b, "%d", year) for b in ("%b", "%B")]
    elif ", " in its[1] or time[:1] == ":":
        orders = []
    elif len(first) == 4:
        orders = [("%Y", "%m", "%d")]
    else:
        orders = [("%d", "%m", year), *[("%m", "%d", year)] * (its[2] in "-/ ")]
        orders += [("%y", "%m", "%d")] * (year == "%y")
    for order in orders:
        names = iter(order)
        yield re.sub(r"[^\W_]+", lambda _, names=names: next(names), its[1]) + time + zone
