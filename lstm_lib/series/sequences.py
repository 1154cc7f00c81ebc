"""Sequences: stretches of a series with a target at every step, so that one forward step serves one target.

Nouns: a sequence is `length` rows, of which the first `warmup` only fill the state; a round is the sequences of one
epoch, laid end to end from an offset that is drawn anew; a stream is a row of sequences each of which goes on from the
state that the one before it left. A sequence of windows: windows that overlap compute every step `lookback` times.

Letters: n rows of the series, N sequences, T = length, D input columns, O target values a step (`cutting.py`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, overload

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstm_lib.series.clock import Array, Values
from lstm_lib.series.cutting import borders_of, cut, knowing, offsets_of
from lstm_lib.series.refusal import SeriesError, count
from lstm_lib.series.splits import Rows, Split, Windows
from lstm_lib.series.table import Series

T = TypeVar("T")
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False, repr=False)
class Sequences:
    """The sequences of one part of a split: N stretches of T rows, with a target at every step.

    Sequence k reads the rows `starts[k]` ... `starts[k] + length - 1`; the target of a step is as far ahead as that of
    a window which ends there. What a part holds when it is made is the round without an offset.

    Parameters
    ----------
    windows : of the same part: the hours at which forecasts are compared (`lstm_lib.predict`, `lstm_lib.compare`).
    places : (M,), every row at which a sequence may begin.
    starts : (N,), the first row of each. fresh : (N,), whether its state begins at zero, so that its warm-up counts
        nothing; else it goes on from the sequence before it.
    """

    windows: Windows
    length: int
    warmup: int
    stateful: bool
    places: Rows
    starts: Rows
    fresh: Flags

    def __len__(self) -> int:
        return len(self.starts)

    def __repr__(self) -> str:
        part = self.windows
        return (
            f"Sequences {part.name!r}: x {(len(self), self.length, part.values.shape[1])}, y "
            f"{(len(self), self.length, part.outputs)}, {part.values.dtype}, {self.describe()}"
        )

    def describe(self) -> str:
        """What kind of samples these are, for a record."""
        kind = "streams" if self.stateful else "sequences"
        return f"{kind} of {self.length} steps, warm-up {self.warmup}"

    @property
    def x(self) -> Array:
        """Scaled inputs (N, T, D), a copy."""
        return self.take(slice(None))[0]

    @property
    def y(self) -> Array:
        """Scaled targets (N, T, O), a copy; 0 where a step counts nothing and its target is missing."""
        return self.take(slice(None))[1]

    @property
    def target_rows(self) -> Rows:
        """The rows of the series that the targets are taken from, (N, T, S)."""
        return self._rows(self.starts)[..., None] + self.windows.ahead

    @property
    def times(self) -> npt.NDArray[np.datetime64]:
        """The stamp of each step's (first) target in UTC, (N, T)."""
        return self.windows.series.index.to_numpy()[self.target_rows[..., 0]]

    def take(self, rows: npt.ArrayLike | slice) -> tuple[Array, Array]:
        """A batch: inputs (B, T, D) and targets (B, T, O) of the sequences `rows`, as copies.

        Parameters
        ----------
        rows : indices, a mask, or a slice; IndexError for a sequence that isn't there.
        """
        part = self.windows
        read = self._rows(self.starts[rows if isinstance(rows, slice) else np.asarray(rows)])
        y = part.along(part.targets, read[..., None] + part.ahead)
        return part.values[read], np.nan_to_num(y, copy=False)

    def weights(self, rows: npt.ArrayLike | slice) -> Array:
        """(B, T): 1 for the steps that count, 0 for a warm-up."""
        fresh = self.fresh[rows if isinstance(rows, slice) else np.asarray(rows)]
        counts = (np.arange(self.length) >= self.warmup) | ~fresh[:, None]
        return counts.astype(self.windows.values.dtype)

    def round(self, rng: np.random.Generator, batch: int) -> tuple[Sequences, list[Rows]]:
        """The sequences of an epoch, and its batches: some of them at a time, in a drawn order.

        Streams are not shuffled: `batch` of them run side by side, each a share of the sequences in order of time, and
        those of a batch go on where those of the batch before it ended, unless they are `fresh`.

        Parameters
        ----------
        rng : draws the offset of every unbroken run of rows, and the order.
        """
        part = self._laid(rng)
        N = len(part)
        if not self.stateful:
            order = rng.permutation(N)
            return part, [order[k : k + batch] for k in range(0, N, batch)]
        deep = -(-N // batch)  # sequences of a stream; the last stream may have fewer
        part.fresh[::deep] = True
        return part, [np.arange(k, N, deep) for k in range(deep)]

    def fewest(self) -> int:
        """How many sequences every round has; one with lucky offsets has up to one more in each unbroken run."""
        return sum((len(run) - min(self._apart, len(run))) // self._apart + 1 for run in self._runs())

    @property
    def _apart(self) -> int:
        """Rows from the first of a sequence to the first of the next: targets touch, or all rows of streams."""
        return self.length if self.stateful else self.length - self.warmup

    def _runs(self) -> list[Rows]:
        """The places, one array for each unbroken run."""
        return np.split(self.places, np.flatnonzero(np.diff(self.places) > 1) + 1)

    def _laid(self, rng: np.random.Generator | None = None) -> Sequences:
        """Sequences end to end in every unbroken run."""
        runs = []
        for run in self._runs():
            offset = 0 if rng is None else int(rng.integers(min(self._apart, len(run))))
            runs.append(run[offset :: self._apart])
        starts, fresh = np.concatenate(runs), [np.arange(len(run)) == 0 for run in runs]
        every = np.ones(len(starts), bool)
        return dataclasses.replace(
            self, starts=starts, fresh=np.concatenate(fresh) if self.stateful else every
        )

    def _rows(self, starts: Rows) -> Rows:
        return np.add.outer(starts, np.arange(self.length))


@dataclass(frozen=True, eq=False)
class SequenceSplit:
    """Three parts of sequences in order of time, and the split of windows at whose hours forecasts are compared.

    Parameters
    ----------
    windows : the same parts as windows; `unscale`, `series`, `inputs` and `scaling` are its.
    counts : DataFrame, a row for each part: its rows of the series (`first`, `rows`), the `places` at which a sequence
        may begin, its `sequences` when they are laid end to end, and how many places there would be more without the
        missing values (`gap`) and without the borders (`border`).
    """

    train: Sequences
    valid: Sequences
    test: Sequences
    windows: Split
    counts: pd.DataFrame

    def __repr__(self) -> str:
        parts = "".join(f"\n  {part!r}" for part in (self.train, self.valid, self.test))
        return f"Split of {self.series.name!r}, inputs {', '.join(self.inputs)}{parts}"

    @property
    def series(self) -> Series:
        """What was cut."""
        return self.windows.series

    @property
    def inputs(self) -> tuple[str, ...]:
        """The D columns that are read."""
        return self.windows.inputs

    @property
    def scaling(self) -> pd.DataFrame:
        """As in `Split`."""
        return self.windows.scaling

    def unscale(self, y: npt.ArrayLike) -> Values:
        """As in `Split`."""
        return self.windows.unscale(y)


@overload
def windows_of(part: Windows | Sequences) -> Windows: ...
@overload
def windows_of(part: Split | SequenceSplit) -> Split: ...
@overload
def windows_of(part: T) -> T: ...
def windows_of(part: Any) -> Any:
    """The windows at whose hours forecasts are compared: those of a part or a split of sequences, or what was given."""
    return part.windows if isinstance(part, Sequences | SequenceSplit) else part


def sequences(
    series: Series,
    length: int = 48,
    warmup: int = 12,
    horizon: int = 1,
    *,
    stateful: bool = False,
    lookback: int = 72,
    split: Sequence[float] = (0.70, 0.15, 0.15),
    inputs: Sequence[str] | None = None,
    target: str | Sequence[str] | None = None,
    steps: Literal["last", "all"] = "last",
    dtype: npt.DTypeLike = "float32",
    known: str | Sequence[str] = (),
) -> SequenceSplit:
    """Cut a series into sequences, in the parts and with the scaling of `windows`.

    A window has one target, at its end. A sequence has one at every step after its warm-up, so that training computes
    length / (length - warmup) steps for a target instead of `lookback`. Every epoch lays the sequences anew, from an
    offset that the seed draws. `lstm_lib.fit` trains on both kinds; the network is the same.

    Parameters
    ----------
    length : T, rows of a sequence. An error travels back no farther than to its first row.
    warmup : how many of its first steps have no target, since the state begins at zero.
    stateful : carry the state from each sequence to the one that follows it in time, as Keras names it (truncated BPTT
        with k1 = k2 = length, Williams and Peng 1990): `fit` runs as many streams side by side as a batch has samples,
        and the warm-up counts nothing only where a stream begins or the series has a gap.
    lookback : of the windows that forecasts are compared on, `split.windows`.
    horizon, split, inputs, target, steps, dtype, known : as for `windows`.

    A sequence reads no missing row, and no step that counts has a missing target; none crosses from one part into
    another. Raises SeriesError as `windows` does, and for a warm-up that is not shorter than the sequence.

    24 hours, of which hour 7 is missing; three parts: rows 0-13, 14-18, 19-23. Sequences of 4 rows, one to warm up:

    >>> index = pd.date_range("2020-01-01", periods=24, freq="h", tz="UTC")
    >>> load = np.arange(24.0)
    >>> load[7] = np.nan
    >>> demo = Series("demo", pd.DataFrame({"load": load}, index), "load", "kW")
    >>> parts = sequences(demo, length=4, warmup=1, lookback=3, split=(0.6, 0.2, 0.2))
    >>> for start, row in zip(parts.train.starts, parts.train.target_rows[..., 0]):
    ...     print("reads rows", [*range(start, start + 4)], "and forecasts rows", row[1:])
    reads rows [0, 1, 2, 3] and forecasts rows [2 3 4]
    reads rows [8, 9, 10, 11] and forecasts rows [10 11 12]
    >>> later, batches = parts.train.round(np.random.default_rng(1), batch=2)
    >>> later.starts, batches
    (array([1, 9]), [array([1, 0])])
    >>> parts.counts
           first  rows  places  sequences  gap  border
    train      0    14       5          2    5       4
    valid     14     5       1          1    0       4
    test      19     5       1          1    0       0
    >>> parts.train.x.shape, parts.train.y.shape, parts.train.weights([0])
    ((2, 4, 1), (2, 4, 1), array([[0., 1., 1., 1.]], dtype=float32))

    As streams, sequences touch, and the second one goes on from the first; hour 7 and a new stream begin at zero.

    >>> streams = sequences(demo, length=3, warmup=1, stateful=True, lookback=3, split=(0.6, 0.2, 0.2))
    >>> streams.train.starts, streams.train.fresh
    (array([0, 3, 8]), array([ True, False,  True]))
    """
    length, warmup = count(length, "length"), count(warmup, "warmup", 0)
    if warmup >= length:
        raise SeriesError(
            f"warmup={warmup} has to be less than length={length}: no step would have a target."
        )
    borders, ahead = borders_of(series, split, "sequences"), offsets_of(1, horizon, steps)
    series, inputs = knowing(series, known, inputs, ahead)
    compared = cut(series, borders, lookback, offsets_of(lookback, horizon, steps), 1, inputs, target, dtype)
    counted = np.arange(
        warmup + ahead[0], length + ahead[-1]
    )  # target rows, from the first row of a sequence
    stretches = cut(series, borders, length, counted, 1, inputs, target, dtype, "sequence")
    parts = {}
    for name in ("train", "valid", "test"):
        places = getattr(stretches, name).starts
        part = Sequences(getattr(compared, name), length, warmup, stateful, places, places, places >= 0)
        parts[name] = part._laid()
    counts = stretches.counts.rename(columns={"windows": "places"})
    counts.insert(3, "sequences", [len(part) for part in parts.values()])
    return SequenceSplit(**parts, windows=compared, counts=counts)
