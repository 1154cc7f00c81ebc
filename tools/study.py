"""Run the study of isolation: all policies, controls and statistics on a series, ten seeds each.

    make study                                                the embedded series, one hour and a day ahead (hours)
    make study STUDY_ARGS="--series my.csv --target load"     on a file of yours
    make study STUDY_ARGS="--series my.csv --time 'Date, Time' --missing '?, n/e'"   told as in lstm_lib.load_series
    make study STUDY_ARGS="--quick"                           two seeds, two epochs: a look at what there is (minutes)
    make study STUDY_ARGS="--only dense 'Keras, XLA'"         some of the runs, by names that all tasks have

Leave the machine alone meanwhile: runs are timed, one after the other, each on one thread. Stop it with Ctrl-C; the
same command goes on where it stopped. It leaves a figure for each task in the folder `--out`, and results.csv, to which
other studies with the same `--out` add.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

# One thread, set before the libraries are loaded: they read it once.
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
os.environ.update(TF_NUM_INTRAOP_THREADS="1", TF_NUM_INTEROP_THREADS="1", TF_CPP_MIN_LOG_LEVEL="3")
os.environ.update(MPLBACKEND="agg")

import pandas as pd

from lstm_lib.experiments import Task, against, in_words
from lstm_lib.experiments.study import (
    FAMILIES,
    Design,
    read_table,
    run_study,
    timed_runs,
    write_table,
)
from lstm_lib.files import replacing
from lstm_lib.plots import study as plots
from lstm_lib.series.options import TAKES, read_option

# Chosen by the validation error of the dense network: epochs and rate of one row ahead, and of more.
EPOCHS = {"sceaux": 6, "fontana": 10}
LR = 2e-3
FURTHER_EPOCHS, FURTHER_LR = 4, 1e-3
QUICK = 2
ENOUGH = 10  # seeds, for intervals that mean something
ONE_AHEAD = ("policies", "controls", "statistics", "sizes", "zones")
FURTHER = ("core",)
# What load_series can be told of a file, and the name of the argument here.
READING = {name: "rows" if name == "only" else name for name in TAKES if name != "target"}
# A run that is made again replaces the row that has these.
SAME = ["series", "horizon", "lookback", "units", "epochs", "name", "seed"]


def designs(options: argparse.Namespace) -> list[Design]:
    """One design for each series and horizon asked for."""
    return [
        Design(
            Task(
                series,
                lookback=options.lookback,
                horizon=horizon,
                steps="all" if horizon > 1 else "last",
                target=options.target,
                reading={
                    name: read_option(name, text)
                    for name, argument in READING.items()
                    if (text := getattr(options, argument)) is not None
                },
            ),
            units=(options.units,),
            epochs=QUICK if options.quick else options.epochs or epochs(series, horizon),
            lr=options.lr or (LR if horizon == 1 else FURTHER_LR),
        )
        for horizon in options.horizon
        for series in options.series
    ]


def epochs(series: str, horizon: int) -> int:
    """How many epochs a task has unless asked otherwise."""
    return EPOCHS.get(series, 8) if horizon == 1 else FURTHER_EPOCHS


def families(options: argparse.Namespace, design: Design) -> Sequence[str]:
    """Those asked for, or what a task has without asking."""
    return options.families or (ONE_AHEAD if design.task.horizon == 1 else FURTHER)


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--series", nargs="+", default=["sceaux", "fontana"], help="names or files")
    parser.add_argument("--target", help="the column to forecast, where the file does not tell")
    for name, argument in READING.items():
        says = f"of files, {name} of lstm_lib.load_series" + ": COLUMN=VALUE" * (name == "only")
        parser.add_argument(f"--{argument.replace('_', '-')}", help=says)
    parser.add_argument("--horizon", nargs="+", type=int, default=[1, 24], help="rows ahead")
    parser.add_argument("--lookback", type=int, default=72)
    parser.add_argument("--units", type=int, default=64)
    parser.add_argument(
        "--epochs", type=int, help="6 for sceaux, 10 for fontana, else 8; 4 for more than a row"
    )
    parser.add_argument("--lr", type=float, help=f"{LR} for one row ahead, {FURTHER_LR} for more")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument(
        "--families", nargs="+", choices=list(FAMILIES), help="all for one row ahead, core for more"
    )
    parser.add_argument("--only", nargs="+", metavar="NAME", help="of the runs that are timed these alone")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time where times do not count")
    parser.add_argument("--out", type=Path, default=Path("study"), help="folder of runs, table and figures")
    parser.add_argument("--quick", action="store_true", help="two seeds, two epochs")
    return parser.parse_args()


def study(options: argparse.Namespace) -> None:
    """Run every design and write the table and the figures."""
    seeds = range(QUICK if options.quick else options.seeds)
    wanted = [(design, families(options, design)) for design in designs(options)]
    for design, names in wanted:
        timed_runs(design, names, options.only)  # what is unknown is said before hours have gone by
    for design, names in wanted:
        table = run_study(design, options.out / "store", seeds, names, options.jobs, only=options.only)
        add(table, options.out / "results.csv")
        table = table[~table["group"].isin(["size", "zone"])]
        if "dense" in set(table["name"]):
            summary, groups = against(table), dict(zip(table["name"], table["group"], strict=True))
            figure = options.out / f"{Path(design.task.series).stem}_{design.task.horizon}.png"
            title = f"{design.task.series}, {design.task.horizon} ahead"
            with replacing(figure) as file:
                plots.forest(summary, groups, title=title).savefig(file, dpi=150)
            print(in_words(summary).to_string(), f"\n{figure}")
    if len(seeds) < ENOUGH:
        print(f"{len(seeds)} seeds: the intervals know only these; {ENOUGH} or more make them worth reading")


def add(table: pd.DataFrame, path: Path) -> None:
    """Write the rows to a table that may be there, beside those of other runs."""
    if path.exists():
        before = read_table(path)
        table = pd.concat([before, table.reindex(columns=before.columns)]).drop_duplicates(SAME, keep="last")
    write_table(table, path)


def main() -> int:
    """Run the study; 0, or 2 after what can't be run and 130 after Ctrl-C, each with a line that says it."""
    try:
        study(parsed())
    except KeyboardInterrupt:
        return 130  # sweep has said what is left
    except (ValueError, OSError) as error:
        print(f"study: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
