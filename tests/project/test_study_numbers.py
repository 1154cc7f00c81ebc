"""What the benchmarks' page says of whole trainings is what the study's table says, number by number."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lstm_lib.experiments import judged, verdicts
from lstm_lib.experiments import study as st

ROOT = Path(__file__).resolve().parents[2]
CALLED = {
    "half of the units kept": "half kept",
    "control: smaller network": "smaller network",
    "control: a quarter of the units": "quarter of the units",
    "control: fewer epochs": "fewer epochs",
}


KINDS = {  # what the second table calls them, and which rows of study_others.csv they are
    "GRU, 64 units": "cell == 'gru'",
    "vanilla RNN, 64 units": "cell == 'rnn'",
    "two layers of 64": "units.str.contains('-')",
    "a day ahead, 64 units": "horizon == 24",
    "128 units": "units in ['128', '88']",
}


def rows(first: str) -> tuple[list[str], dict[str, list[str]]]:
    """The heads of the page's table whose second column is called so, and its cells by the name of a row."""
    text = (ROOT / "benchmarks/README.md").read_text(encoding="utf-8")
    found = re.search(rf"\| \| {first}.*?(?=\n\n)", text, re.DOTALL)
    head, _, *lines = found[0].split("\n")  # type: ignore[index]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in (head, *lines)]
    return cells[0][1:], {CALLED.get(name, name): rest for name, *rest in cells[1:]}


def in_signs(row: pd.Series[Any]) -> str:
    """The difference of the errors with its interval, as the page has it."""
    error = [f"{row[f'error_{what}']:+.2f}".replace("-", "−") for what in ("percent", "low", "high")]
    return f"{error[0]} ({error[1]} to {error[2]})"


@pytest.mark.parametrize("at", range(3))
def test_the_page_says_what_the_table_of_runs_says(at: int) -> None:
    heads, said = rows("`sceaux`")
    series = re.findall("`(.*?)`", heads[at])[0]
    table = st.read_table(ROOT / "benchmarks/study.csv")
    own = table[(table["series"] == series) & ~table["group"].isin(["tuning", "statistic"])]
    own = own[(own["units"] == "256") | own["name"].isin(["smaller network", "quarter of the units"])]
    found = judged(own[own["name"].isin(["dense", *said])])
    for name, cells in said.items():
        time = found.loc[name, "time_ratio"]
        ratio = "–" if pd.isna(time) else f"{time:.{1 if time >= 10 else 2}f}"
        assert cells[at] == f"{ratio}; {in_signs(found.loc[name])}", name


@pytest.mark.parametrize("kind", KINDS)
def test_so_it_does_of_other_cells_layers_and_horizons(kind: str) -> None:
    heads, said = rows("GRU")
    table = st.read_table(ROOT / "benchmarks/study_others.csv").query(f"group != 'tuning' and {KINDS[kind]}")
    found = verdicts(table)
    cells = {name: rest[heads.index(kind)] for name, rest in said.items()}
    assert {name for name, cell in cells.items() if cell != "–"} == set(found.index)
    for name in found.index:
        assert cells[name] == in_signs(found.loc[name]), name
