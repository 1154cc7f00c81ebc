"""The command `lstm-lib`: from a file to the next day in three lines of a terminal.

    lstm-lib check my.csv --time Date
    lstm-lib train my.csv --time Date -o model.npz
    lstm-lib forecast model.npz my.csv -o next.csv

Nouns: a command has a name, options and a function that returns an `Outcome`: an exit code, a text for people, and data
for programs. Exit codes: 0 fine, 1 findings or a refusal, 2 a command line that can't be understood, 130 after Ctrl-C.
What is on the way goes to stderr, the outcome to stdout, or with `--json` its data.

The modules, lowest first:

    arguments  what can be typed, from the tables of options
    preparing  from a file to a series, a split and a trained forecaster
    page       a report as one HTML page
    studying   the study of isolation, on any series
    running    the commands
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence

from lstm_lib.command.arguments import ALSO, parser
from lstm_lib.command.running import COMMANDS
from lstm_lib.series.options import as_options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code; what can't be done is one sentence on stderr, without a traceback.

    Parameters
    ----------
    arguments : those after the name of the program; None takes the process's own.

    >>> main(["check", "fontana"])  # doctest: +ELLIPSIS
    Series 'fontana': 8760 rows every 1 h, 2016-08-01 08:00 to 2017-08-01 07:00 UTC
    ...
    1
    """
    given = parser().parse_args(arguments)
    try:
        outcome = COMMANDS[given.command](given)
    except KeyboardInterrupt:
        left = "the same command goes on from there" if given.command == "study" else "no file was written"
        print(f"\nlstm-lib {given.command}: stopped; {left}", file=sys.stderr)
        return 130
    except (ValueError, OSError, ImportError) as error:
        named = isinstance(error, OSError) and error.filename is not None
        said = f"{error.filename}: {error.strerror}" if named else str(error)  # type: ignore[union-attr]
        refusal = as_options(said.replace("inputs=[", "columns=["), ALSO)
        print(f"lstm-lib {given.command}: {refusal}", file=sys.stderr)
        if given.json:
            print(json.dumps({"refusal": refusal}, ensure_ascii=False))
        return 1
    try:
        print(json.dumps(outcome.data, ensure_ascii=False, indent=1) if given.json else outcome.text)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read it has seen enough, such as `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return outcome.code
