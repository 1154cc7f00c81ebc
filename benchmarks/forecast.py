"""What the first answer of a trained model costs: a fresh interpreter imports, loads it, and forecasts the next day.

    python -m benchmarks.forecast [--rounds 5]

The model has 64 units and 24 hours ahead, once fitted on windows and once on sequences of the embedded series sceaux,
for one epoch: its time doesn't depend on what it has learned. Reading the file of the series is shown by itself.
Seconds are those of the processor, which other jobs stretch less than those of the clock; one thread runs.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

import lstm_lib as ll

AT = "2010-11-26 19:00"  # the last row of the series is missing
CODE = """
import time
began = time.process_time()
import lstm_lib as ll
imported = time.process_time()
model = ll.Forecaster.load({path!r})
loaded = time.process_time()
series = ll.load_series("sceaux", columns=["power"])
read = time.process_time()
model.forecast(series, level=0.9, at={at!r}, adaptive={adaptive})
ahead = time.process_time() - read
print(imported - began, loaded - imported, ahead, loaded - began + ahead, read - loaded)
"""
COLUMNS = ("import", "load the model", "forecast", "first answer", "read the series")


def fitted(folder: Path) -> dict[str, Path]:
    """A model of each kind, in files."""
    series = ll.load_series("sceaux", columns=["power"], calendar=["hour"])
    splits = {
        "windows": ll.windows(series, horizon=24, steps="all", every=20),
        "sequences": ll.sequences(series, stateful=True, horizon=24, steps="all"),
    }
    return {
        kind: ll.Forecaster(units=64, epochs=1, batch=8).fit(split).save(folder / f"{kind}.npz")
        for kind, split in splits.items()
    }


def seconds(path: Path, adaptive: bool) -> list[float]:
    """Of one fresh interpreter, a number for each of COLUMNS."""
    command = [sys.executable, "-c", CODE.format(path=str(path), at=AT, adaptive=adaptive)]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [float(number) for number in found.split()]


def main() -> None:
    """Both kinds in turn, round by round; print the median of each part, and of the whole."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        paths, rows = fitted(Path(folder)), []
        for _ in range(rounds):
            for kind, path in paths.items():
                for adaptive in (False, True):
                    name = f"{kind}, adaptive" if adaptive else kind
                    rows.append((name, *seconds(path, adaptive)))
    table = pd.DataFrame(rows, columns=["fitted on", *COLUMNS])
    print(table.groupby("fitted on", sort=False).median().round(2).to_string())


if __name__ == "__main__":
    main()
