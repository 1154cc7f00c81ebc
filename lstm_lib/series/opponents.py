"""What `compare` is given, as forecasts of a part, and of the validation part where intervals are measured there.

Noun: an `Opponent` is a forecast of a part by its name: its values, and the bounds from which its intervals are
measured, which are the values themselves unless it forecasts quantiles.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstm_lib.series.clock import Values
from lstm_lib.series.forecasts import naive_forecasts
from lstm_lib.series.refusal import SeriesError
from lstm_lib.series.sequences import Sequences, SequenceSplit, windows_of
from lstm_lib.series.splits import Split, Windows

Way = Literal["windows", "pass"]
Bounds = tuple[Values, Values]  # low and high, (N, O)
WAYS: dict[str, Way] = {", from windows": "windows", ", in one pass": "pass"}


@runtime_checkable
class Forecasts(Protocol):
    """What forecasts a part in both ways, in the target's unit."""

    def predict(self, part: Any, way: Way) -> npt.ArrayLike: ...  # noqa: D102


# What a forecast may be given as: values of the part; of the validation part and of it; something that predicts; or a
# function that makes values of a split's test part, such as ridge_forecast.
Given = npt.ArrayLike | tuple[npt.ArrayLike, npt.ArrayLike] | Forecasts | Callable[[Any], npt.ArrayLike]


@dataclass(frozen=True)
class Opponent:
    """values : (N, O). bounds : of the part. before : of the validation part, or None where none are asked for."""

    name: str
    values: Values
    bounds: Bounds
    before: Bounds | None = None


def opponents(
    part: Windows | Sequences,
    forecasts: Mapping[str, Given],
    split: Split | SequenceSplit | None,
    level: float | None,
) -> Iterator[Opponent]:
    """The naive forecasts, then those that are given.

    Parameters
    ----------
    split : of which `part` is the test part, if it is known. level : of the intervals that will be asked for.

    Raises SeriesError for what can't be a forecast of the part, and for a level where validation forecasts are missing.
    """
    valid = split.valid if split is not None and level is not None else None
    tables = [naive_forecasts(some) for some in (part, valid) if some is not None]
    for name in dict.fromkeys(tables[0].columns.get_level_values(0)):
        if not all(table[[name]].notna().all(axis=1).any() for table in tables):
            continue  # a short file has no last week
        yield _opponent(name, part, valid, *(table[name] for table in tables))
    for name, given in forecasts.items():
        if isinstance(given, Forecasts):
            for says, way in WAYS.items():
                yield _predicted(f"{name}{says}", given, way, part, valid, level)
        elif callable(given):
            if split is None:
                raise SeriesError(
                    f"Forecast {name!r} is a function of a split; give compare() the split: compare(split, ...)."
                )
            yield _made(name, given, windows_of(split), level is not None)
        elif isinstance(given, tuple):
            if len(given) != 2:
                raise SeriesError(
                    f"Forecast {name!r} is a tuple of {len(given)}; expected (of valid, of test)."
                )
            yield _opponent(name, part, valid, given[1], *([given[0]] if valid is not None else []))
        elif valid is not None:
            raise SeriesError(
                f"Forecast {name!r} is given for the test part alone, and level={level} measures intervals on the "
                f"validation part: give a pair (of valid, of test), a function of a split such as ridge_forecast, or a "
                "Forecaster."
            )
        else:
            yield _opponent(name, part, None, given)


def _opponent(
    name: str,
    part: Windows | Sequences,
    valid: Windows | Sequences | None,
    given: npt.ArrayLike,
    before: npt.ArrayLike | None = None,
) -> Opponent:
    values = checked(name, given, windows_of(part))
    if valid is None or before is None:
        return Opponent(name, values, (values, values))
    known = checked(name, before, windows_of(valid))
    return Opponent(name, values, (values, values), (known, known))


def _predicted(
    name: str,
    given: Any,
    way: Way,
    part: Windows | Sequences,
    valid: Windows | Sequences | None,
    level: float | None,
) -> Opponent:
    if valid is None or not hasattr(given, "bounds"):
        made = (given.predict(some, way=way) for some in (part, valid) if some is not None)
        return _opponent(name, part, valid, *made)
    values = checked(name, given.predict(part, way=way), windows_of(part))
    return Opponent(name, values, given.bounds(part, level, way=way), given.bounds(valid, level, way=way))


def _made(name: str, function: Callable[[Any], npt.ArrayLike], split: Split, both: bool) -> Opponent:
    """By a function of a split; for intervals its test part is the validation part too, so that it is fitted once."""
    if not both:
        return _opponent(name, split.test, None, function(split))
    starts = np.concatenate([split.valid.starts, split.test.starts])
    joint = dataclasses.replace(split.test, starts=starts)
    found = checked(name, function(dataclasses.replace(split, test=joint)), joint)
    n = len(split.valid)
    return _opponent(name, split.test, split.valid, found[n:], found[:n])


def checked(name: str, given: npt.ArrayLike, part: Windows) -> Values:
    """The values of a forecast, (N, O); SeriesError for another shape, or other stamps."""
    array, stamps = np.asarray(given, dtype=np.float64), getattr(given, "index", None)
    shape, where = (len(part), part.outputs), f"the {part.name} part"
    if array.size != np.prod(shape) or len(array) != len(part):
        raise SeriesError(
            f"Forecast {name!r} has shape {array.shape}; expected {shape}, a row for each window of {where}."
        )
    if isinstance(stamps, pd.DatetimeIndex) and not stamps.equals(part.times):
        raise SeriesError(
            f"Forecast {name!r} is for the stamps {stamps[0]} to {stamps[-1]}; {where} has "
            f"{part.times[0]} to {part.times[-1]}, in order of time."
        )
    return array.reshape(shape)
