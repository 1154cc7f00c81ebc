"""What can be typed: the commands and their options, made from the tables that say what they are."""

from __future__ import annotations

import argparse
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from lstm_lib.series.options import SAYS

# What is done to a series after it was read, in this order.
PREPARING = {
    "clean": ("RULES", 'make missing what these rules of "check" find: "sentinel, frozen"'),
    "consumption": ("COLUMNS", "take the differences of these columns, readings of a meter"),
    "resample": ("TIME", "make a coarser grid, such as 1h: levels by their mean, energy by its sum"),
}
# How it is cut, and what is trained; the text is read by the type of the default.
TRAINING: dict[str, tuple[str, str | int | float, str]] = {
    "horizon": ("ROWS|TIME", "", "how far ahead, such as 6h or 24 rows; else a day, less in a short file"),
    "lookback": ("ROWS|TIME", "", "what a forecast reads, such as 3D; else three days, less in a short file"),
    "split": ("SHARES", "0.7, 0.15, 0.15", "of the rows, for training, validation and test"),
    "known": (
        "COLUMNS",
        "",
        "known for the hours ahead too, such as a weather forecast: rows without the target",
    ),
    "units": ("H", 64, "of the network"),
    "cell": ("CELL", "standard", "of the network: standard, gru, peephole, ..."),
    "epochs": ("N", 20, "how often the training part is seen; the validation part chooses the best"),
    "lr": ("RATE", 4e-3, "learning rate of Adam, which falls to 0 along a cosine"),
    "seed": ("N", 0, "of the first parameters and of the order of the batches"),
}
AT = ("STAMP", "", "forecast as if the row of this stamp (in UTC) were the last")
LEVEL = ("SHARE", 0.9, "of the hours that an interval should hold; 0 gives no interval")
# Names that a refusal may use and that are options, beside those of `load_series`.
ALSO = (*PREPARING, *TRAINING, "level", "at")

ABOUT = """Check an energy series, compare forecasts of it, train a network, forecast what comes next.

From a file to the next day in three lines:

  lstm-lib check my.csv
  lstm-lib train my.csv -o model.npz
  lstm-lib forecast model.npz my.csv -o next.csv

FILE is a CSV (also .csv.gz) or Parquet file, or "sceaux" or "fontana", which come with
the course. If it is refused, the refusal names the option that helps. "lstm-lib check
--help" lists the options for reading a file; the other commands have the same.
"""
ENDS = """Exit code: 0 fine; 1 findings, or a refusal (one sentence on stderr);
2 a command line that isn't understood."""
TELLS = {
    "check": "say what is in a file and what looks wrong, in ten lines, worst first; nothing is changed",
    "compare": "the errors of the naive forecasts, of a ridge regression and of an LSTM on the last part of a file",
    "train": "train an LSTM on a file and keep it, with all that its forecasts need, in one file",
    "forecast": "what comes after the last row of a file, by a model that was trained, with an interval",
    "report": "one HTML page of a file: findings, forecasts compared, the last week and what comes next",
    "study": "what isolating arcs saves and costs: dense training, policies and controls, tuned alike, with many seeds",
}
FILE: dict[str, Any] = {"metavar": "FILE", "help": 'a CSV or Parquet file, or "sceaux" or "fontana"'}
# Of a study: each option with what argparse is told of it.
STUDY: dict[str, dict[str, Any]] = {
    "quick": {"action": "store_true", "help": "16 units, two epochs, two seeds: a look in minutes"},
    "horizon": {"nargs": "+", "type": int, "default": [1], "metavar": "ROWS", "help": "ahead (1)"},
    "units": {"nargs": "+", "type": int, "default": [256, 128, 64], "metavar": "H", "help": "(256 128 64)"},
    "layers": {"type": int, "default": 1, "metavar": "N", "help": "of so many units each (1)"},
    "cell": {"default": "standard", "metavar": "CELL", "help": "standard, the LSTM; gru, rnn or another one of CELLS"},
    "epochs": {"type": int, "metavar": "N", "help": "the most that a run is tuned to; else what suits the series"},
    "seeds": {"type": int, "default": 30, "metavar": "N", "help": "draws of weights, order and zone (30)"},
    "timed": {"type": int, "default": 5, "metavar": "N", "help": "how many of the seeds are timed, alone (5)"},
    "families": {"nargs": "+", "metavar": "FAMILY", "help": "policies, controls, statistics, core, windows"},
    "runs": {"nargs": "+", "metavar": "NAME", "help": "of the runs these alone, such as dense 'half kept'"},
    "folds": {"action": "store_true", "help": "on two earlier stretches of the series too"},
    "jobs": {"type": int, "default": -1, "metavar": "N", "help": "runs at a time where times do not count (all cores)"},
    "dask": {"metavar": "ADDRESS", "help": "of a scheduler, to which these runs go"},
    "merge": {"nargs": "+", "default": [], "metavar": "STORE", "help": "take in the runs that another machine made"},
}  # fmt: skip


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    return _parsers()[""]


def helps(width: int = 88) -> dict[str, str]:
    """The help of each command, for a page of so many columns; that of the program stands at ""."""
    found = {}
    for name, own in _parsers().items():
        kind = argparse.HelpFormatter if name else argparse.RawDescriptionHelpFormatter
        own.formatter_class = partial(kind, width=width)
        found[name] = own.format_help()
    return found


def _parsers() -> dict[str, argparse.ArgumentParser]:
    """The parser of each command, and at "" the one that holds them."""
    made = argparse.ArgumentParser(
        "lstm-lib", description=ABOUT, epilog=ENDS, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--version", action="version", version=_version())
    found = {"": made}
    commands = made.add_subparsers(dest="command", metavar="COMMAND", required=True, title="commands")
    for name, tells in TELLS.items():
        files = "[FILE ...]" if name == "study" else "MODEL FILE" if name == "forecast" else "FILE"
        own = commands.add_parser(
            name, usage=f"lstm-lib {name} {files} [options]", help=tells,
            description=f"{tells[0].upper()}{tells[1:]}.", epilog=ENDS,
        )  # fmt: skip
        (_about_study if name == "study" else partial(_about_file, name=name))(own)
        general = own.add_argument_group("what is said")
        general.add_argument("--json", action="store_true", help="print the outcome as JSON")
        general.add_argument("--quiet", action="store_true", help="say nothing on the way")
        found[name] = own
    return found


def _about_study(own: argparse.ArgumentParser) -> None:
    own.add_argument("file", nargs="*", default=["sceaux", "fontana"], **FILE)
    says = "folder of the runs, their table and figures; other studies add to it (study)"
    own.add_argument("-o", "--out", metavar="OUT", default="study", help=says)
    group = own.add_argument_group("the study")
    for option, how in STUDY.items():
        group.add_argument(f"--{option}", **how)
    add_reading(own)


def _about_file(own: argparse.ArgumentParser, name: str) -> None:
    """The options of all commands but the study, each with those that it shares with others."""
    if name == "forecast":
        own.add_argument("model", metavar="MODEL", help="the file that train has written")
    own.add_argument("file", **FILE)
    if name == "check":
        own.add_argument("--all", action="store_true", help="list every finding, with the rule that found it")
    if name in ("train", "forecast", "report"):
        usual = {"train": "model.npz", "report": "report.html"}.get(name)
        says = f"file to write; else {usual}" if usual else "CSV file to write; else it is printed"
        own.add_argument("-o", "--out", metavar="OUT", default=usual, help=says)
    if name == "forecast":
        says = "draw the last week and the forecast: a .png, .svg or .pdf"
        own.add_argument("--plot", metavar="PICTURE", help=says)
    if name in ("compare", "train", "report"):
        _options(own.add_argument_group("the forecast"), TRAINING)
    if name in ("compare", "forecast", "report"):
        more = {"at": AT} if name == "forecast" else {}
        _options(own.add_argument_group("what comes next"), {"level": LEVEL, **more})
    add_reading(own, ", where it differs from that of train" if name == "forecast" else "")
    _options(own.add_argument_group("what is done to it then"), _without_defaults(PREPARING))


def add_reading(made: argparse.ArgumentParser, more: str = "") -> None:
    """Give a parser an option for each argument of `load_series`; what is typed there is read by `read_option`."""
    _options(made.add_argument_group(f"how the file is read{more}"), _without_defaults(SAYS))


def _without_defaults(table: dict[str, tuple[str, str]]) -> dict[str, tuple[str, str | int | float, str]]:
    return {name: (what, "", says) for name, (what, says) in table.items()}


def _options(group: argparse._ArgumentGroup, table: dict[str, tuple[str, str | int | float, str]]) -> None:
    """An option for each row: what stands for the text, the default (none: ""), what it says."""
    for name, (what, usual, says) in table.items():
        shown = f"{says} ({usual})" if usual != "" else says
        group.add_argument(
            f"--{name.replace('_', '-')}", metavar=what, help=shown.replace("%", "%%"),
            default=None if usual == "" else usual, type=type(usual),
        )  # fmt: skip


def _version() -> str:
    try:
        return f"lstm_lib {version('lstm_lib')}"
    except PackageNotFoundError:  # a checkout that isn't installed
        return "lstm_lib, not installed"
