"""Files like those of the laboratory's building, made up: every public layout, with every trap found in them.

The values are invented (a building that is used on working days, a sun, an air temperature); nothing is taken from the
real series, which may not be redistributed. Each function gives what it wrote as a table with a UTC index, so that
a test can compare.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lstm_lib.series import Series, SeriesError, load_series

FLUX = ["Global_Solar_Flux", "Direct_Solar_Flux", "Diffuse_Solar_Flux"]
BOARDS = ["T1", "T2", "T3", "T4", "T5", "T6", "T7"]
POWER = ["TGBT", *BOARDS]
ZONE = ["Usage [kW]", "Plugs [kW]", "Heating / Cooling Total [kW]", "Ventilation [kW]", "Lights  [kW]",
        "Water heater [kW]"]  # fmt: skip


def building(first: str, last: str, step: str, seed: int = 0) -> pd.DataFrame:
    """Weather and power of a building near Paris, UTC index, two decimals."""
    rng = np.random.default_rng(seed)
    index = pd.date_range(first, last, freq=step, tz="UTC", name="time")
    local, n = index.tz_convert("Europe/Paris"), len(index)
    year = 2 * np.pi * (index.day_of_year.to_numpy() - 20) / 365.25
    hour = index.hour.to_numpy() + index.minute.to_numpy() / 60
    slow = 24 * pd.Timedelta("1h") / pd.Timedelta(step)
    weather = pd.Series(rng.normal(0, 1, n)).ewm(halflife=slow).mean().to_numpy()
    air = (
        12 - 8 * np.cos(year) + 4 * np.sin(2 * np.pi * (hour - 9) / 24) + 8 * weather + rng.normal(0, 0.2, n)
    )
    sun = np.maximum(0, (600 - 350 * np.cos(year)) * np.sin(np.pi * (hour - 5) / 15)) * rng.uniform(0.3, 1, n)
    sun = np.where((hour > 5) & (hour < 20), sun, 0)
    busy = (local.day_of_week < 5) & (local.hour >= 8) & (local.hour < 19)
    total = 25 + 22 * busy + 0.5 * np.maximum(0, 15 - air) + rng.normal(0, 1.5, n)
    table = {"Global_Solar_Flux": sun, "Direct_Solar_Flux": 0.6 * sun, "Diffuse_Solar_Flux": 0.4 * sun,
             "AirTemp": air, "TGBT": total}  # fmt: skip
    for k, board in enumerate(BOARDS):
        table[board] = (2 + k + busy * (1 + k / 2)) * rng.uniform(0.8, 1.2, n)
    return pd.DataFrame(table, index).round(2)


def last_sundays(first: int, last: int) -> list[pd.Timestamp]:
    """Midnight UTC of the last Sunday of each October."""
    ends = [pd.Timestamp(f"{year}-10-31", tz="UTC") for year in range(first, last + 1)]
    return [end - pd.Timedelta(days=(end.day_of_week + 1) % 7) for end in ends]


def with_traps(table: pd.DataFrame) -> pd.DataFrame:
    """Layout A's traps, as they were found in the public file."""
    table = table.copy()
    table.loc["2020-04-01":, POWER] = (table.loc["2020-04-01":, POWER] * 0.7).round(2)  # a change of regime
    for sunday in last_sundays(2016, 2020):  # a local export converted to UTC
        table.loc[sunday : sunday + pd.Timedelta(hours=1), POWER] = np.nan
    table.loc["2020-10-26 04:00", "AirTemp"] = -27.02
    freeze(table, "AirTemp", "2019-02-04 00:00", 18)
    freeze(table, "AirTemp", "2020-10-26 06:00", 15)
    freeze(table, "Global_Solar_Flux", "2016-07-29 08:00", 14)
    freeze(table, "T1", "2020-08-01 00:00", 57)
    table.loc["2018-12-26 02:00":"2018-12-27 07:00", "TGBT"] = np.linspace(2.1, 2.8, 30).round(2)
    for day in pd.date_range("2017-03-01 10:00", periods=17, freq="7D", tz="UTC"):  # up and down: 34 jumps
        table.loc[day : day + pd.Timedelta(hours=1), "TGBT"] += 60
    return table.round(2)


def freeze(table: pd.DataFrame, column: str, first: str, rows: int) -> None:
    at = table.index.get_loc(pd.Timestamp(first, tz="UTC"))
    table.iloc[at : at + rows, table.columns.get_loc(column)] = table[column].iloc[at] or 100.0


def write_layout_a(path: Path, traps: bool = True) -> pd.DataFrame:
    """Hourly, all zones: UTC with offset, start of the hour, two decimals, an empty field is missing."""
    table = building("2016-07-15 00:00", "2021-05-20 00:00", "1h")
    table = with_traps(table) if traps else table
    table.index.name = "Date and time (UTC)"
    table.to_csv(path, float_format="%.2f", date_format="%Y-%m-%d %H:%M:%S+00:00")
    return table


def write_layout_b(path: Path, rows: int = 800) -> pd.DataFrame:
    """Official, 15 minutes: UTC without offset, start of the period. The columns' names are made up."""
    last = pd.Timestamp("2018-03-24 00:00") + (rows - 1) * pd.Timedelta("15min")
    table = building("2018-03-24 00:00", str(last), "15min")
    rng = np.random.default_rng(1)
    modules = {f"module_{k:02}_DC_power": rng.uniform(0, 1, rows).round(3) for k in range(1, 54)}
    rooms = {
        f"zone{z}_{what}": rng.uniform(1, 5, rows).round(3) for z in (1, 2) for what in ("lights", "plugs")
    }
    table = pd.concat([table, pd.DataFrame(modules | rooms, table.index)], axis=1).rename_axis("datetime")
    table.to_csv(path, date_format="%Y-%m-%d %H:%M:%S")
    return table


def write_zone_2(path: Path, rows: int = 3000) -> pd.DataFrame:
    """Zone 2 by minute; two blanks before one of the brackets."""
    rng = np.random.default_rng(2)
    index = pd.date_range("2019-01-01", periods=rows, freq="min", tz="UTC", name="Date")
    table = pd.DataFrame({name: rng.uniform(0, 2, rows).round(3) for name in ZONE}, index)
    table.to_csv(path, date_format="%Y-%m-%d %H:%M:%S")
    return table


def write_local(
    path: Path, table: pd.DataFrame, zone: str, stamped: str = "start", form: str = "%Y-%m-%d %H:%M"
) -> None:
    """A table with a UTC index, as a logger with a clock on the wall would write it: local time, no offset."""
    step = table.index[1] - table.index[0]
    instants = table.index + (step if stamped == "end" else pd.Timedelta(0))
    stamps = instants.tz_convert(zone).strftime(form)
    table.set_axis(stamps, axis=0).rename_axis("time").to_csv(path)


def attempt(path: Path, **options: Any) -> tuple[Series | None, str]:
    """The series and no refusal, or no series and what the refusal says."""
    try:
        return load_series(path, **options), ""
    except SeriesError as refusal:
        return None, str(refusal)
