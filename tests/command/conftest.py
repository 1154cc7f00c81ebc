"""A folder to work in, and a file in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def file(here: Path) -> str:
    """Forty days of a load with a rhythm, as a French program exports it."""
    stamps = pd.date_range("2023-01-01", periods=960, freq="h")
    load = 20 + 8 * np.sin(np.arange(960) * 2 * np.pi / 24) + np.random.default_rng(0).normal(0, 1, 960)
    rows = (
        f"{at:%d/%m/%Y %H:%M};{value:.2f}".replace(".", ",") for at, value in zip(stamps, load, strict=True)
    )
    (here / "my.csv").write_text("Horodate;Valeur <kW>\n" + "\n".join(rows) + "\n")
    return "my.csv"
