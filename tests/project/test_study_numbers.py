"""What the benchmarks' page says of whole trainings is what the study's table says, number by number."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from lstm_lib.experiments import judged
from lstm_lib.experiments import study as st

ROOT = Path(__file__).resolve().parents[2]
CALLED = {
    "half of the units kept": "half kept",
    "control: smaller network": "smaller network",
    "control: a quarter of the units": "quarter of the units",
    "control: fewer epochs": "fewer epochs",
}


def rows() -> tuple[list[str], dict[str, list[str]]]:
    """The series of the page's table, and its cells by the name of a row."""
    text = (ROOT / "benchmarks/README.md").read_text(encoding="utf-8")
    head, _, *lines = re.search(r"\| \| `sceaux`, .*?(?=\n\n)", text, re.DOTALL)[0].split("\n")  # type: ignore[index]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return re.findall("`(.*?)`, ", head), {CALLED.get(name, name): rest for name, *rest in cells}


@pytest.mark.parametrize("at", range(3))
def test_the_page_says_what_the_table_of_runs_says(at: int) -> None:
    series, said = rows()
    table = st.read_table(ROOT / "benchmarks/study.csv")
    own = table[(table["series"] == series[at]) & ~table["group"].isin(["tuning", "statistic"])]
    own = own[(own["units"] == "256") | own["name"].isin(["smaller network", "quarter of the units"])]
    found = judged(own[own["name"].isin(["dense", *said])])
    for name, cells in said.items():
        row = found.loc[name]
        ratio = (
            "–"
            if pd.isna(row["time_ratio"])
            else f"{row['time_ratio']:.{1 if row['time_ratio'] >= 10 else 2}f}"
        )
        error = [f"{row[f'error_{what}']:+.2f}".replace("-", "−") for what in ("percent", "low", "high")]
        assert cells[at] == f"{ratio}; {error[0]} ({error[1]} to {error[2]})", name
