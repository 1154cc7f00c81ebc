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


def large(table: str, series: str) -> pd.DataFrame:
    """The runs of the 256 units on a series, and of the networks that are smaller than these."""
    own = st.read_table(ROOT / f"benchmarks/{table}.csv").query("group not in ['tuning', 'statistic']")
    smaller = own["name"].str.startswith("smaller network") | (own["name"] == "quarter of the units")
    return own[(own["series"] == series) & ((own["units"] == "256") | smaller)]


def with_time(row: pd.Series[Any]) -> str:
    """How many times as fast, and the difference of the errors."""
    time = row["time_ratio"]
    return f"{'–' if pd.isna(time) else f'{time:.{1 if time >= 10 else 2}f}'}; {in_signs(row)}"


@pytest.mark.parametrize("at", range(3))
def test_the_page_says_what_the_table_of_runs_says(at: int) -> None:
    heads, said = rows("`sceaux`")
    own = large("study", re.findall("`(.*?)`", heads[at])[0])
    found = judged(own[own["name"].isin(["dense", *said])])
    for name, cells in said.items():
        assert cells[at] == with_time(found.loc[name]), name


@pytest.mark.parametrize("at", range(3))
def test_so_it_does_of_what_was_made_again_on_three_stretches(at: int) -> None:
    heads, said = rows("three stretches")
    series = re.findall("`(.*?)`", heads[at])[0]
    both = pd.concat([large("study", series), large("study_again", series)])
    both = both.drop_duplicates(["name", "seed", "end"])
    whole = both["name"].map(both.groupby("name")["end"].nunique()) == 3
    found = verdicts(both[whole & both["name"].isin(["dense", *said])])
    assert {name for name, cells in said.items() if cells[at] != "–"} == set(found.index)
    for name in found.index:
        assert said[name][at] == f"{in_signs(found.loc[name])} {found.loc[name, 'verdict']}", name


@pytest.mark.parametrize("kind", KINDS)
def test_so_it_does_of_other_cells_layers_and_horizons(kind: str) -> None:
    heads, said = rows("GRU")
    table = st.read_table(ROOT / "benchmarks/study_others.csv").query(f"group != 'tuning' and {KINDS[kind]}")
    found = judged(table)
    cells = {name: rest[heads.index(kind)] for name, rest in said.items()}
    assert {"dense"} | {name for name, cell in cells.items() if cell != "–"} == set(found.index)
    for name in found.index.drop("dense"):
        assert cells[name] == with_time(found.loc[name]), name
