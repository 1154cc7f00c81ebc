"""The question and its answer in a terminal, for a machine without a browser: `make demo`.

    python tools/demo.py [--series NAME] [--units H] [--epochs N] [--batch B] [--rows N] [--out PICTURE]
                         [--target COLUMN] [--time COLUMN] ... what lstm_lib.load_series can be told of a file

Trains one LSTM three times on the same series, on sequences whose state is carried from each to the next: dense, with
three quarters of its units isolated, and with all but the head isolated; prints what each took and how well it
forecasts, and draws both into a picture. The defaults take under a minute on two cores.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
try:
    import matplotlib as mpl
    import numpy as np
    import pandas as pd
    import sklearn  # noqa: F401  # asked for here, and not after half a minute of training
    from matplotlib.backend_bases import FigureCanvasBase

    import lstm_lib as ll
    from lstm_lib.command.arguments import add_reading
    from lstm_lib.files import replacing
    from lstm_lib.series import SeriesError, compare
    from lstm_lib.series.options import TAKES, as_options, read_option
    from lstm_lib.training.record import Record
    from lstm_lib.training.timing import speed_up, steps_in_turn, targets_in_turn
except ModuleNotFoundError as error:
    raise SystemExit(
        f"The demo needs the package {error.name}; `make setup` installs what is needed."
    ) from None

WIDTH = 80  # columns of the terminal
LENGTH, LOOKBACK, WINDOWS = 48, 72, 64  # rows of a sequence, of a window; windows of a batch
PICTURE = "demo.png"
DENSE, QUARTER, HEAD = "dense", "a quarter", "head alone"


@dataclass(frozen=True)
class Study:
    """Three runs of one network, their forecasts of the test part in its unit, and the table of both."""

    split: ll.SequenceSplit
    spec: ll.Spec
    records: dict[str, Record]
    forecasts: dict[str, Any]  # (N,) each
    pace: float  # how many times as many targets a second are served by sequences as by windows
    # a row a forecast: seconds, speed, mae, rmse; the first two are NaN for what isn't trained
    table: pd.DataFrame


def plans(spec: ll.Spec) -> dict[str, ll.Plan]:
    """What each run leaves out."""
    H = spec.units[0]
    return {
        DENSE: ll.isolate(spec, ll.nothing(spec)),
        QUARTER: ll.isolate(spec, ll.zone(spec, layer=0, unit=slice(-(-H // 4), H)), depth="cut"),
        HEAD: ll.isolate(spec, ~ll.zone(spec, layer="head")),
    }


def study(series: ll.Series, units: int, epochs: int, batch: int, progress: bool) -> Study:
    """Train the three runs one after the other, from the same initial parameters and on the same batches.

    Raises KeyboardInterrupt when a run was interrupted: `fit` keeps what it has, the demo has no use for it.
    """
    split = ll.sequences(series, LENGTH, stateful=True, lookback=LOOKBACK)
    spec = ll.Spec(inputs=len(split.inputs), units=(units,), outputs=1)
    records, forecasts = {}, {}
    for name, plan in plans(spec).items():
        print(f"training: {name}", flush=True)
        records[name] = ll.fit(
            spec, split.train, split.valid, seed=0, epochs=epochs, batch=batch,
            optimizer=ll.Adam(lr=4e-3), rate="cosine", isolation=plan, progress=progress,
        )  # fmt: skip
        if records[name].interrupted:
            raise KeyboardInterrupt
        forecasts[name] = split.unscale(ll.predict(spec, records[name].params, split.test))[:, 0]
    print("fitting: ridge regression, a straight line through the last 72 rows", flush=True)
    ridge = {"ridge": ll.ridge_forecast(split)["ridge"].to_numpy()}
    scores = compare(split.test, forecasts | ridge)
    print("timing: steps of the three in turns", flush=True)
    times = pd.DataFrame({"seconds": {name: record.seconds for name, record in records.items()}})
    times["speed"] = speed_up(steps_in_turn(spec, plans(spec), split.train, batch), DENSE)["speed-up"]
    table = times.join(scores[["mae", "rmse"]], how="outer").loc[[*records, "ridge", "last value"]]
    kinds = {"windows": (split.windows.train, WINDOWS), "sequences": (split.train, batch)}
    pace = speed_up(targets_in_turn(spec, kinds), "windows").loc["sequences", "speed-up"]
    return Study(split, spec, records, forecasts, float(pace), table)


# ---------------------------------------------------------------------------------------------------- as text


def as_table(table: pd.DataFrame, unit: str) -> str:
    """The table, in under 80 columns.

    >>> nan = float("nan")
    >>> rows = {"seconds": [10.0, 6.0, nan], "speed": [1.0, 2.0, nan], "mae": [0.3, 0.4, 0.5], "rmse": [0.5, 0.6, 0.7]}
    >>> print(as_table(pd.DataFrame(rows, index=["dense", "head alone", "ridge"]), "kW"))
                     training   speed-up   test MAE   test RMSE
    dense              10.0 s       1.0×   0.300 kW    0.500 kW
    head alone          6.0 s       2.0×   0.400 kW    0.600 kW
    ridge                   -          -   0.500 kW    0.700 kW
    """
    forms = {"seconds": "{:.1f} s", "speed": "{:.1f}×", "mae": f"{{:.3f}} {unit}", "rmse": f"{{:.3f}} {unit}"}
    shown = {name: [form.format(v) if v == v else "-" for v in table[name]] for name, form in forms.items()}
    names = ["training", "speed-up", "test MAE", "test RMSE"]
    return pd.DataFrame(shown, table.index).set_axis(names, axis=1).to_string(col_space=11)


def bars(values: Mapping[str, float], unit: str, digits: int = 1, width: int = WIDTH) -> str:
    """One bar a value, all from zero, to eighths of a column.

    >>> print(bars({"dense": 4.0, "head": 1.0}, "s", width=30))
    dense          █████ 4.0 s
    head           █▎ 1.0 s
    """
    room = width - 15 - 10
    longest = max(values.values())
    lines = []
    for name, value in values.items():
        eighths = round(8 * room * value / longest)
        bar = "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()
        lines.append(f"{name:<14} {bar} {value:.{digits}f} {unit}")
    return "\n".join(lines)


def skyline(values: Sequence[float], low: float, high: float) -> str:
    """One block a value, its height between low and high; a missing value is a blank.

    >>> skyline([0.0, 1.0, 2.0, float("nan")], 0.0, 2.0)
    '▁▅█ '
    """
    steps = "▁▂▃▄▅▆▇█"
    return "".join(
        " " if np.isnan(v) else steps[round(float(np.clip((v - low) / (high - low), 0, 1)) * 7)]
        for v in values
    )


def days(study: Study, hours: int = 64) -> str:
    """The first hours of the test part, measured and forecast, one column an hour."""
    part = study.split.windows.test
    shown = slice(0, hours)
    actual, forecast = part.actual[shown, 0], study.forecasts[DENSE][shown]
    low, high = 0.0, float(np.nanmax([actual, forecast]))
    first, unit = part.times[0].tz_convert(part.series.timezone), part.series.unit
    return "\n".join(
        [
            f"{len(actual)} forecasts in a row, from {first:%Y-%m-%d %H:%M}; the tallest is {high:.1f} {unit}",
            f"{'measured':<14} {skyline(actual, low, high)}",
            f"{'LSTM, dense':<14} {skyline(forecast, low, high)}",
        ]
    )


def busy(table: pd.DataFrame) -> bool:
    """Whether the seconds of whole runs contradict the steps taken in turns by more than a quarter."""
    ratio = table["seconds"][DENSE] / table["seconds"] / table["speed"]
    return bool(((ratio > 1.25) | (ratio < 0.8)).any())


def answer(table: pd.DataFrame, pace: float) -> str:
    """What the numbers say, and what they don't."""
    dense = table.loc[DENSE]
    lines = [f"{'sequences':<14} {pace:.0f}× as many targets a second as windows of {LOOKBACK} rows"]
    for name in (QUARTER, HEAD):
        row = table.loc[name]
        error = row["rmse"] / dense["rmse"] - 1
        lines.append(f"{name:<14} {row['speed']:.1f}× the speed of dense training, test RMSE {error:+.1%}")
    lines.append("Speed-ups are those of single steps taken in turns.")
    if busy(table):
        lines.append("This machine was busy: the seconds above are blurred, the speed-ups are not.")
    lines.append("One seed and one series: a first look, not a law. The notebooks go on from here.")
    return "\n".join(lines)


def readable(text: str, encoding: str | None) -> str:
    """The text as a terminal of this encoding can show it: plain signs where it has no blocks.

    >>> readable("█▎ 2.0×", "ascii"), readable("█▎ 2.0×", "utf-8")
    ('#| 2.0x', '█▎ 2.0×')
    """
    try:
        text.encode(encoding or "ascii")
    except UnicodeEncodeError:
        plain = str.maketrans("▁▂▃▄▅▆▇█▏▎▍▌▋▊▉×", "_..--==#|||||||x")
        return text.translate(plain).encode("ascii", "replace").decode()
    return text


# ------------------------------------------------------------------------------------------------------ the run


def place_of(out: Path | None) -> Path:
    """Where the picture goes: as asked for, else here, or into a temporary folder where here can't be written.

    Raises ValueError or OSError if the file that was asked for can't be written, or is of no kind of picture.
    """
    if out is None:
        here = Path(PICTURE)
        return here if _can_write(here) else Path(tempfile.mkdtemp(prefix="lstm_lib_")) / PICTURE
    kinds = FigureCanvasBase.get_supported_filetypes()
    if out.suffix[1:].lower() not in kinds:
        raise ValueError(f"--out is {out}; expected a name that ends in one of .{', .'.join(kinds)}")
    if not _can_write(out):
        raise PermissionError(f"--out: {out} can't be written; name a file in a folder that can")
    return out


def _can_write(file: Path) -> bool:
    return os.access(file if file.exists() else file.parent, os.W_OK) and not file.is_dir()


def picture(study: Study, path: Path) -> Path:
    """Draw the overview of the three runs and write it to `path`."""
    mpl.use("Agg")  # no display is needed
    from lstm_lib import plots

    histories = {name: record.history for name, record in study.records.items()}
    naive = {"last value": compare(study.split.valid, {}).loc["last value", "rmse"]}
    zones = {name: plan.zone for name, plan in plans(study.spec).items() if name != DENSE}
    figure = plots.overview(zones, histories, study.split.series.unit, naive)
    with replacing(path) as file:
        figure.savefig(file, dpi=150, format=path.suffix[1:] or "png")
    return path


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line, read; the defaults are the settings that the course's first notebook uses."""
    parser = argparse.ArgumentParser(description="Train one LSTM dense and isolated; compare time and error.")
    parser.add_argument("--series", default="sceaux", help="sceaux, fontana, or a CSV (default: %(default)s)")
    parser.add_argument("--units", type=int, default=128, help="hidden units (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=10, help="(default: %(default)s)")
    parser.add_argument("--batch", type=int, default=8, help="(default: %(default)s)")
    parser.add_argument("--rows", type=int, help="take the first rows of the series only")
    parser.add_argument("--out", type=Path, help=f"picture (default: {PICTURE})")
    add_reading(parser)
    return parser.parse_args(arguments)


def run(given: argparse.Namespace) -> None:
    """The whole demo, from the question to the picture."""
    out = place_of(given.out)  # before half a minute of training
    about = {name: read_option(name, text) for name in TAKES if (text := getattr(given, name)) is not None}
    series = ll.load_series(given.series, **({"calendar": ("hour", "weekday")} | about))
    series = replace(series, frame=series.frame.iloc[: given.rows])

    def say(text: str) -> None:
        print(readable(text, sys.stdout.encoding), end="\n\n", flush=True)

    say(
        "Training an LSTM is slow: back-propagation carries the error back through every\n"
        "time step and adjusts every weight. Must it?"
    )
    say(
        f"Series {series.name}: {series.target} in {series.unit or 'its unit'}, {len(series.frame):,} rows.\n"
        f"Task: one step ahead. Trained on sequences of {LENGTH} rows with a target at every\n"
        "step, whose state goes on to the next. Three runs from the same start:\n"
        f"  {DENSE:<14} every arc (single weight) is adjusted\n"
        f"  {QUARTER:<14} of the units; the arcs of the others are isolated: kept as they\n"
        f"  {'':<14} are, and no error passes them\n"
        f"  {HEAD:<14} all arcs but the head's are isolated"
    )
    done = study(series, given.units, given.epochs, given.batch, progress=sys.stderr.isatty())
    print()
    say(as_table(done.table, series.unit))
    trained = done.table.dropna()
    say("training time\n" + bars(trained["seconds"].to_dict(), "s"))
    say("test RMSE\n" + bars(done.table["rmse"].to_dict(), series.unit, digits=3))
    say(days(done))
    say(answer(done.table, done.pace))
    print(f"Picture: {picture(done, out)}")
    if series.source:
        print(textwrap.fill(f"Data: {series.source}", WIDTH))


def main(arguments: Sequence[str] | None = None) -> int:
    sys.stdout.reconfigure(errors="replace")  # a terminal without × or β shows ? in their place
    try:
        run(options(arguments))
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130
    except (SeriesError, ValueError, OSError) as error:
        print(f"demo: {as_options(str(error))}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
