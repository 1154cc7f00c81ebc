"""What `load_series` can be told of a file, as texts: for a control of the page, or an argument of a command."""

from __future__ import annotations

import csv
import inspect
from typing import Any

from lstm_lib.series.reading import load_series

# Each argument by its name, and what it takes.
TAKES = {
    name: str(parameter.annotation)
    for name, parameter in inspect.signature(load_series).parameters.items()
    if name != "name_or_path"
}


def read_option(name: str, text: str) -> Any:
    r"""What stands in a control, as `load_series` takes it: a text, several, pairs (none: "{}") or a whole number.

    >>> read_option("columns", "air, load"), read_option("columns", "air=outside"), read_option("separator", "tab")
    (['air', 'load'], {'air': 'outside'}, '\t')
    >>> read_option("time", "Date"), read_option("target", "a, b")
    ('Date', 'a, b')
    """
    takes, text = TAKES[name], text.strip()
    if name in ("separator", "thousands"):
        return {"tab": "\t", "\\t": "\t", "space": " ", "blank": " "}.get(text.lower(), text)
    if "int" in takes and text.isdecimal():
        return int(text)
    parts = [part.strip() for part in next(csv.reader([text], skipinitialspace=True))]
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
