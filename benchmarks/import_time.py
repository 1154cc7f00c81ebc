"""How long `import lstm_lib` takes in a fresh interpreter, next to what it can't do without.

    python -m benchmarks.import_time [--rounds 7]

That nothing heavy is loaded is an exact test (tests/test_project.py); the time is only shown. It is asked of
the interpreter that imports, so that the start of Python itself is not counted.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

import pandas as pd

ASKED = ("numpy", "pandas", "lstm_lib")
CODE = "import time; began = time.perf_counter(); import {}; print(time.perf_counter() - began)"


def seconds(module: str) -> float:
    """Time of one import in an interpreter of its own."""
    command = [sys.executable, "-c", CODE.format(module)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    """Import each in turn, round by round, and print the best and the median."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    rounds = pd.DataFrame([{m: seconds(m) for m in ASKED} for _ in range(parser.parse_args().rounds)])
    print(pd.DataFrame({"best s": rounds.min(), "median s": rounds.median()}).round(3).to_string())


if __name__ == "__main__":
    main()
