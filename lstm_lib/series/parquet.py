"""A table in a Parquet file."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from lstm_lib.series.clock import Values
from lstm_lib.series.numbers import Numbers
from lstm_lib.series.refusal import SeriesError, choose, picked

_VALUES = 20  # for each row of the limit


class Parquet:
    """A Parquet file. Its dates may also be the index of the table that was saved; checksums are verified.

    Raises SeriesError for a file that can't be read, that is larger than the limit of rows, or that has no rows.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self.path, self.notes, self.line = path, list[str](), 1
        rows, columns, values = _size(path)
        if rows > limit or values > _VALUES * limit:
            lists = f", with {values} values" if values > rows * columns else ""
            raise SeriesError(
                f"{path.name} has {rows} rows of {columns} columns{lists}; at most {limit} rows and "
                f"{_VALUES * limit} values are read. If it is what it should be, raise the limit: "
                f"limit={max(rows, values // _VALUES + 1)}."
            )
        try:
            frame = pd.read_parquet(path, engine="pyarrow", page_checksum_verification=True)
        except ImportError as error:
            raise SeriesError(
                f'{path.name}: reading Parquet needs the package pyarrow: pip install "lstm_lib[study]"'
            ) from error
        except Exception as error:  # such as nonsense in what pandas has noted in the file
            raise SeriesError(f"{path.name} can't be read as a Parquet file: {error}") from error
        if isinstance(frame.index, pd.DatetimeIndex):
            name = "time" if frame.index.name is None else str(frame.index.name)
            frame = frame.rename_axis(index=None)
            frame.insert(0, name, frame.index, allow_duplicates=True)
        self.frame = frame.set_axis([str(column).strip() for column in frame.columns], axis=1)
        self.header = list(self.frame.columns)
        if frame.empty:
            raise SeriesError(f"{path.name} has no rows.")
        first = self.frame.iloc[0]
        self.first = {name: str(value) for name, value in zip(self.header, first, strict=True)}

    def advice(self) -> str:
        """Where the table begins is never in doubt."""
        return ""

    def texts(self, names: Sequence[str], most: int) -> dict[str, Sequence[str]]:
        """The fields of these columns, of so many rows at most."""
        return {name: _texts(self.frame[name].iloc[:most]) for name in names}

    def read(
        self, times: Sequence[str], names: Sequence[str], numbers: Numbers, only: Mapping[str, str]
    ) -> tuple[pd.Series, pd.DataFrame]:
        """The stamps, indexed by row, and the numbers, of the rows asked for."""
        frame = self.frame.set_axis(pd.RangeIndex(1, len(self.frame) + 1, name="row"))
        for name, value in only.items():
            texts = np.array(_texts(self.frame[name]), object)
            choose(value, sorted(set(texts)), f"row with {name!r}", f"{self.path.name}: ")
            frame = frame[texts[frame.index - 1] == value]
        if only:
            self.notes.append(picked(only, len(frame), len(self.frame) - len(frame)))
        values = pd.DataFrame({name: _column(frame[name], name, numbers) for name in names}, frame.index)
        text = frame[times[0]]
        if len(times) > 1 or not pd.api.types.is_datetime64_any_dtype(text.dtype):
            fields = zip(*(_texts(frame[name]) for name in times), strict=True)
            text = pd.Series(
                [" ".join(each) for each in fields], frame.index, dtype=str, name=" ".join(times)
            )
        return text, values


def _texts(column: pd.Series) -> list[str]:
    """The fields as text, whatever they are; "" where there is none."""
    return [str(value).strip() for value in column.astype(object).where(column.notna(), "")]


def _size(path: Path) -> tuple[int, int, int]:
    """Rows, columns and values (a field may be a list of many), as far as the file can be read; else none."""
    try:
        about = importlib.import_module("pyarrow.parquet").read_metadata(path)
        groups = map(about.row_group, range(about.num_row_groups))
        values = sum(group.column(k).num_values for group in groups for k in range(group.num_columns))
    except Exception:  # reading it says what is wrong
        return 0, 0, 0
    return about.num_rows, about.num_columns, max(values, about.num_rows * about.num_columns)


def _column(column: pd.Series, name: str, numbers: Numbers) -> Values:
    if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return np.array([numbers.read(text, name, row) for row, text in enumerate(_texts(column))])
    values: Values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    # whole numbers from 2**53 on are rounded by a float64
    rounded = pd.api.types.is_integer_dtype(column) & (np.abs(values) >= 2**53)
    wrong = np.isinf(values) | rounded
    if wrong.any():
        row = int(wrong.argmax())
        numbers.note(str(column.iloc[row]), name, row, int(wrong.sum()))
    return values
