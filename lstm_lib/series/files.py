"""Finding the file that a user means: an embedded series, a path, a file or the folder of the user's own."""

from __future__ import annotations

import os
import re
from pathlib import Path

from lstm_lib.series.layouts import EMBEDDED
from lstm_lib.series.refusal import SeriesError, choose, listed, shown

KIND = re.compile(r"\.(csv|csv\.gz|parquet|pq)$", re.IGNORECASE)
# The embedded series stand inside the package, so that a wheel has them.
PACKAGED = Path(__file__).resolve().parents[1] / "data"


def data_folder() -> Path:
    """Where the user's own files are looked for; the folder need not be there unless it was named."""
    if given := os.environ.get("LSTM_LIB_DATA"):
        folder = Path(given).expanduser()
        if not folder.is_dir():
            raise FileNotFoundError(
                f"There is no data folder {folder}. LSTM_LIB_DATA points there; correct or unset it."
            )
        return folder
    checkout = Path(__file__).resolve().parents[2] / "data"
    return checkout if (checkout / "make_sceaux.py").is_file() else Path.cwd() / "data"


def file_of(name_or_path: str | os.PathLike[str]) -> Path:
    """The file that `load_series` reads for this name or path; FileNotFoundError where there is none."""
    name = os.fspath(name_or_path)
    try:
        return _find(name)
    except (FileNotFoundError, SeriesError):
        raise
    except (OSError, ValueError, RuntimeError) as error:  # such as a name too long, or ~ of somebody unknown
        raise FileNotFoundError(f"There is no file {shown(name)}: {error}") from error


def _find(name: str) -> Path:
    if name in EMBEDDED:
        path = PACKAGED / f"{name}.csv.gz"
        if not path.is_file():
            raise FileNotFoundError(
                f"{path} is missing. Install lstm_lib again, or in a checkout make it with: python data/make_{name}.py"
            )
        return path
    if name.lower() == "drahix":
        return _only(data_folder(), "drahix")
    path = Path(name).expanduser()
    if path.is_file():
        return path
    if path.is_dir():
        return _only(path)
    if not path.suffix and len(path.parts) <= 1:
        choose(name, EMBEDDED, "series", "For a file of your own give its path, such as 'data/mine.csv'. ")
    if path.is_absolute():
        raise FileNotFoundError(f"There is no file {path}.")
    inside = data_folder() / path
    if not inside.is_file():
        there = listed(p.name for p in _tables(inside.parent)) or "no CSV or Parquet file"
        raise FileNotFoundError(
            f"There is no file {path} in {Path.cwd()}, nor in the data folder {data_folder()}, where there is {there}. "
            "Give the whole path, or set LSTM_LIB_DATA to the folder of your files."
        )
    return inside


def _tables(folder: Path) -> list[Path]:
    """The CSV and Parquet files in a folder; none where there is no folder."""
    return sorted(p for p in folder.glob("*") if KIND.search(p.name) and p.is_file())


def _only(folder: Path, part: str = "") -> Path:
    """The one file of the user's in a folder, with `part` in its name."""
    own = [p for p in _tables(folder) if KIND.sub("", p.name) not in EMBEDDED and part in p.name.lower()]
    if len(own) == 1:
        return own[0]
    if part and not own:
        raise FileNotFoundError(
            f"There is no file with {part!r} in its name in the data folder {folder}. The laboratory's series may not "
            "be redistributed; whom to ask for it: e4c_datahub@ip-paris.fr. Put the file into that folder, or set "
            "LSTM_LIB_DATA to the folder where it is."
        )
    holds = f"holds {listed(p.name for p in own)}; give the path of one" if own else "holds none"
    raise SeriesError(f"{folder} is a folder; of CSV and Parquet files of yours it {holds}.")
