"""What a series is cut into: a `Split` has three parts, each a `Windows`: inputs x (N, T, D) and targets y (N, O).

Letters: n rows of the series, N windows, T = lookback, D input columns, K target columns, S steps, O = K S target
values a window.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstm_lib.series.clock import Array, Values
from lstm_lib.series.refusal import SeriesError
from lstm_lib.series.table import Series

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False)
class Windows:
    """The windows of one part of a split: N pairs of inputs and targets, in order of time.

    Window k reads the rows `starts[k]` ... `starts[k] + lookback - 1` and is compared at the rows `target_rows[k]`. All
    parts look at the same scaled array; nothing is copied before it is asked for. With several target columns the O
    values of a window are all steps of the first, then all steps of the second, and so on.

    Parameters
    ----------
    offsets : (S,), the target rows counted from a window's start.
    starts : (N,), the first row of each window.
    values, targets : (n, D) and (n, K), scaled, read-only.
    scale : what one scaled unit of the target is in the series' unit; 1.0 with several targets.
    target_names : (K,).
    steps_apart : (K,), mean |step| between neighbouring training rows, for MASE.
    """

    name: str
    series: Series
    lookback: int
    offsets: Rows
    starts: Rows
    values: Array
    targets: Array
    scale: float
    target_names: tuple[str, ...]
    steps_apart: Values

    def __len__(self) -> int:
        return len(self.starts)

    def __repr__(self) -> str:
        return (
            f"Windows {self.name!r}: x {(len(self), self.lookback, self.values.shape[1])}, y "
            f"{(len(self), self.outputs)}, {self.values.dtype}, targets "
            f"{self.times[0]:%Y-%m-%d %H:%M} to {self.times[-1]:%Y-%m-%d %H:%M}"
        )

    def describe(self) -> str:
        """What kind of samples these are, for a record."""
        return f"windows of {self.lookback} steps"

    @property
    def outputs(self) -> int:
        """O, the number of target values a window has."""
        return len(self.target_names) * len(self.ahead)

    @property
    def x(self) -> Array:
        """Scaled inputs (N, T, D): a read-only view if the starts are evenly spaced, else a copy."""
        blocks = self.blocks()
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def blocks(self) -> list[Array]:
        """Scaled inputs as read-only views, one (N_b, T, D) for each unbroken run of windows; N_b add up to N.

        For a part with gaps, of which `x` would have to be a copy.
        """
        between = np.diff(self.starts)
        step = int(between.min(initial=len(self.values)))
        view = np.lib.stride_tricks.sliding_window_view(self.values, self.lookback, axis=0).transpose(0, 2, 1)
        runs = np.split(self.starts, np.flatnonzero(between > step) + 1)
        return [view[starts[0] : starts[-1] + 1 : step] for starts in runs]

    @property
    def y(self) -> Array:
        """Scaled targets (N, O), a copy."""
        return self.along(self.targets, self.target_rows)

    @property
    def actual(self) -> Values:
        """What really happened (N, O): the targets in the series' unit, float64, as in the file."""
        return self.along(self.measured, self.target_rows)

    @property
    def measured(self) -> Values:
        """The target columns of the whole series in their own units, (n, K)."""
        return self.series.frame[list(self.target_names)].to_numpy(dtype=np.float64)

    @property
    def target_rows(self) -> Rows:
        """The rows of the series the targets are taken from, (N, S)."""
        return np.add.outer(self.starts, self.offsets)

    @property
    def ahead(self) -> Rows:
        """How many rows ahead of the last input each step of the forecast is, (S,)."""
        return self.offsets - self.lookback + 1

    @property
    def times(self) -> pd.DatetimeIndex:
        """The stamp of each window's (first) target, (N,)."""
        return pd.DatetimeIndex(self.series.index[self.target_rows[:, 0]], name="time")

    @property
    def origin(self) -> pd.DatetimeIndex:
        """The stamp of each window's last input: the moment of the forecast, (N,)."""
        return pd.DatetimeIndex(self.series.index[self.target_rows[:, 0] - self.ahead[0]], name="origin")

    def take(self, rows: npt.ArrayLike | slice) -> tuple[Array, Array]:
        """A batch: inputs (B, T, D) and targets (B, O) of the windows `rows`, as C-contiguous copies.

        Parameters
        ----------
        rows : indices, a mask, or a slice; IndexError for a window that isn't there.
        """
        starts: Rows = self.starts[rows if isinstance(rows, slice) else np.asarray(rows)]
        x: Array = self.values[np.add.outer(starts, np.arange(self.lookback))]
        return x, self.along(self.targets, np.add.outer(starts, self.offsets))

    def along(self, columns: Array, rows: Rows) -> Array:
        """Values of columns (n, K) at rows (..., S), laid out as targets are: (..., K S)."""
        taken = columns[rows].swapaxes(-1, -2)
        return np.ascontiguousarray(taken.reshape(*rows.shape[:-1], self.outputs))


@dataclass(frozen=True, eq=False)
class Split:
    """Three parts in order of time, and what was learnt from the training rows alone.

    Parameters
    ----------
    scaling : DataFrame, a row for each input and target, columns mean and sd, in the columns' units.
    counts : DataFrame, a row for each part: its rows of the series (`first`, `rows`), its `windows`, and how many more
        there would be without the missing values (`gap`) and without the borders (`border`).
    """

    train: Windows
    valid: Windows
    test: Windows
    series: Series
    inputs: tuple[str, ...]
    scaling: pd.DataFrame
    counts: pd.DataFrame

    def __repr__(self) -> str:
        parts = "".join(f"\n  {part!r}" for part in (self.train, self.valid, self.test))
        return f"Split of {self.series.name!r}, inputs {', '.join(self.inputs)}{parts}"

    def unscale(self, y: npt.ArrayLike) -> Values:
        """Scaled target values, back to the series' unit, float64: any shape, or (..., O) with several targets."""
        scaled, test = np.asarray(y, dtype=np.float64), self.test
        many = len(test.target_names) > 1
        if many and scaled.shape[-1:] != (test.outputs,):
            raise SeriesError(
                f"y has shape {scaled.shape}; with several targets expected (..., {test.outputs})."
            )
        rows = self.scaling.loc[list(test.target_names), ["mean", "sd"]].to_numpy()
        mean, sd = np.repeat(rows, len(test.ahead) if many else 1, axis=0).T
        return np.asarray(scaled * sd + mean).reshape(scaled.shape)
