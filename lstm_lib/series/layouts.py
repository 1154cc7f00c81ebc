"""The files that are known beforehand: the embedded series, and the public layouts of the laboratory's building.

A layout is a row of `LAYOUTS`: by which columns, or by which name of the file, it is recognised, and what is known
of it then. A user's own arguments always go before what is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from lstm_lib.series.refusal import listed


@dataclass(frozen=True)
class Known:
    """What is known of a file beforehand.

    Parameters
    ----------
    target, units, source : as in a Series; target "" if it has to be given.
    timezone : the local time of what was measured.
    stamps_in : the zone of stamps without an offset.
    title : what to call the layout.
    marks : the columns by which a user's file is recognised.
    file : a pattern for the name of such a file.
    expects : the columns that such a file has, as far as that is known.
    """

    target: str = ""
    units: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    timezone: str = "UTC"
    stamps_in: str = ""
    title: str = ""
    marks: frozenset[str] = frozenset()
    file: str = ".*"
    expects: tuple[str, ...] = ()


EMBEDDED = {
    "sceaux": Known(
        "power",
        {"reactive": "kvar", "voltage": "V", "current": "A"}
        | dict.fromkeys(("power", "kitchen", "laundry", "heater"), "kW"),
        "Hebrail, G. & Berard, A. (2006), Individual Household Electric Power Consumption, UCI Machine Learning "
        "Repository, doi:10.24432/C58K54, CC BY 4.0; hourly means, copied minutes made missing (data/README.md).",
        "Etc/GMT-1",
    ),
    "fontana": Known(
        "power",
        {"power": "kW", "solar": "W/kW", "temperature": "°C", "humidity": "%"}
        | dict.fromkeys(("diffuse", "direct"), "W/m²"),
        "CityLearn 2.1.2, challenge 2022, MIT, Copyright (c) 2020 Jose Ramon Vazquez-Canteli, Intelligent "
        "Environments Laboratory; sum of 17 homes (data/README.md).",
        "Etc/GMT+8",
    ),
}

_BOARDS = ("TGBT", "T1", "T2", "T3", "T4", "T5", "T6", "T7")
_SUN = ("Global_Solar_Flux", "Direct_Solar_Flux", "Diffuse_Solar_Flux")
_DRAHIX = Known(
    source="DrahiX, Palaiseau; not to be redistributed, and training on it needs the owner's permission "
    "(data/README.md).",
    timezone="Europe/Paris",
)
LAYOUTS = (
    replace(
        _DRAHIX,
        target="TGBT",
        units=dict.fromkeys(_BOARDS, "kW") | dict.fromkeys(_SUN, "W/m²") | {"AirTemp": "°C"},
        stamps_in="UTC",
        title="DrahiX, hourly, all zones",
        marks=frozenset({"Date and time (UTC)", "TGBT"}),
        expects=(*_SUN, "AirTemp", *_BOARDS),
    ),
    replace(
        _DRAHIX,
        stamps_in="UTC",
        title="DrahiX, official, 15 minutes",
        marks=frozenset({"datetime"}),
        file=r"PV_DrahiX_modules_Meteo_SIRTA_conso_temp.*",
    ),
    replace(
        _DRAHIX,
        target="Usage [kW]",  # the units stand in the columns' names
        title="DrahiX, zone 2, by minute",
        marks=frozenset({"Usage [kW]", "Heating / Cooling Total [kW]"}),
        expects=("Usage [kW]", "Plugs [kW]", "Heating / Cooling Total [kW]", "Ventilation [kW]", "Lights [kW]",
                 "Water heater [kW]"),
    ),
)  # fmt: skip


def plain(name: str) -> str:
    """A column's name with single blanks: one of the public files has two before a bracket.

    >>> plain("Lights  [kW]")
    'Lights [kW]'
    """
    return " ".join(name.split())


def recognise(file: str, columns: Iterable[str]) -> Known | None:
    """The layout of a user's file, or None."""
    names = {plain(column) for column in columns}
    known = (layout for layout in LAYOUTS if layout.marks <= names and re.fullmatch(layout.file, file))
    return next(known, None)


def describe(layout: Known, columns: Iterable[str]) -> str:
    """What was recognised: the layout, and which of its columns there are."""
    names, said = [plain(column) for column in columns], f"recognised as {layout.title}:"
    if not layout.expects:
        return f"{said} {len(names)} columns beside the stamps, taken by the names you give"
    words = {
        "found": [name for name in layout.expects if name in names],
        "not found": [name for name in layout.expects if name not in names],
        "not known": [name for name in names if name not in layout.expects],
    }
    return f"{said} " + "; ".join(f"{word} {listed(which)}" for word, which in words.items() if which)
