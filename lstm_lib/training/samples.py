"""Samples: what `fit` and `predict` read, in batches.

Nouns: samples are anything with a length and `take(rows) -> (x, y)`, such as a part of a split; `Arrays` makes samples
of a pair of arrays; a batch is some rows, taken together.

Letters: N samples, T steps, D inputs, O outputs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import pandas as pd

from lstm_lib.network.cells import Array
from lstm_lib.network.forward import forward
from lstm_lib.network.spec import Params, Spec, refuse_masked
from lstm_lib.network.trace import Workspace
from lstm_lib.series import Sequences, Windows

Way = Literal["windows", "pass"]
WAYS: tuple[Way, ...] = ("windows", "pass")
CHUNK = 1024  # rows of a pass whose states are in memory at a time


@runtime_checkable
class Samples(Protocol):
    """Anything with a length and `take(rows)`, which gives x (B, T, D) and y (B, O) or (B, T, O) of some rows."""

    def __len__(self) -> int: ...
    def take(self, rows: Array) -> tuple[Array, Array]: ...  # noqa: D102


@dataclass(frozen=True)
class Arrays:
    """A pair of arrays x (N, T, D) and y (N, …) as samples.

    Raises ValueError for lengths that differ and for values that are missing or infinite.

    >>> len(Arrays(np.zeros((3, 2, 1)), np.zeros((3, 1))))
    3
    """

    x: Array
    y: Array

    def __post_init__(self) -> None:
        refuse_masked(x=self.x, y=self.y)
        if len(self.x) != len(self.y):
            raise ValueError(f"x holds {len(self.x)} samples but y {len(self.y)}")
        for name, a in (("x", self.x), ("y", self.y)):
            if bad := np.count_nonzero(~np.isfinite(a)):
                raise ValueError(f"{name} holds {bad} missing or infinite values; drop them first")

    def __len__(self) -> int:
        return len(self.x)

    def take(self, rows: Array) -> tuple[Array, Array]:
        """The samples at these positions."""
        return self.x[rows], self.y[rows]


def as_samples(data: Samples | tuple[Array, Array], name: str = "samples") -> Samples:
    """The data as samples; ValueError, with the name of the argument, for what can't be."""
    if isinstance(data, tuple):
        return Arrays(*data)
    if not isinstance(data, Samples) or isinstance(data, pd.DataFrame | np.ndarray):
        raise ValueError(
            f"{name} is a {type(data).__name__}; expected a part of a split, such as split.train, or a pair (x, y)"
        )
    return data


def batches(rows: Array, batch: int) -> Iterator[Array]:
    """The rows, `batch` at a time; the last may be fewer.

    >>> [some.tolist() for some in batches(np.arange(5), 2)]
    [[0, 1], [2, 3], [4]]
    """
    for first in range(0, len(rows), batch):
        yield rows[first : first + batch]


def digest(samples: Samples | Sequences, some: tuple[Array, Array] | None = None) -> str:
    """How many samples there are, and a digest of all of them: tells other data apart when a run is resumed.

    some : of these alone, as older records have it.

    >>> digest(Arrays(np.zeros((3, 2, 1)), np.zeros((3, 1)))).split(",")[0]
    '3 samples'
    """
    found = hashlib.sha256()
    for a in some or _contents(samples):
        found.update(np.ascontiguousarray(a).tobytes())
    return f"{len(samples)} samples, {found.hexdigest()[:16]}"


def _contents(samples: Samples | Sequences) -> Iterator[Array]:
    """All that samples hold: of a part of a split its rows of the series, each once, and where its windows begin."""
    if isinstance(samples, Sequences):
        yield from (samples.places, samples.starts, samples.fresh)
        samples = samples.windows
    if isinstance(samples, Windows):
        last = samples.starts.max(initial=0) + max(samples.lookback, int(samples.offsets.max()) + 1)
        used = slice(samples.starts.min(initial=last), last)
        yield from (samples.starts, samples.offsets, samples.values[used], samples.targets[used])
    elif isinstance(samples, Arrays):
        yield from (samples.x, samples.y)
    else:
        for rows in batches(np.arange(len(samples)), CHUNK):
            yield from samples.take(rows)


def predict(
    spec: Spec,
    params: Params,
    samples: Samples | Sequences | tuple[Array, Array] | Array,
    batch: int = 256,
    work: Workspace | None = None,
    engine: str | None = None,
    way: Way | None = None,
) -> Array:
    """Forecasts for many samples, `batch` at a time so that memory stays bounded.

    Parameters
    ----------
    samples : a part of a split, a pair of arrays, or x (N, T, D) alone. Of sequences, the windows that they are
        compared on are forecast.
    work, engine : as for `forward`.
    way : how the windows of a part are forecast. "windows": each by itself, from a zero state. "pass": all that lie in
        an unbroken run of rows by one pass over it, whose state goes on: one step of the network a row instead of
        `lookback`; the state then knows more than a window. None takes "pass" for sequences, else "windows".

    Returns
    -------
    (N, O), in the scale of the samples' y; (N, T, O) where the spec puts out every step and no way is given.

    Raises ValueError for another way, and for one pass over what is no part of a split.

    >>> from lstm_lib import init_params
    >>> spec = Spec(inputs=2, units=(3,), outputs=1)
    >>> predict(spec, init_params(spec), np.ones((5, 4, 2), np.float32)).shape
    (5, 1)
    """
    if isinstance(samples, np.ndarray):
        samples = Arrays(samples, np.zeros(len(samples)))
    if way not in (None, *WAYS):
        raise ValueError(f"way is {way!r}; the choices are {', '.join(map(repr, WAYS))}")
    if isinstance(samples, Sequences):
        samples, way = samples.windows, way or "pass"
    if way == "pass":
        return _in_one_pass(spec, params, samples, engine)
    samples, work, output = as_samples(samples), work or Workspace(), way and "last"
    parts = (samples.take(rows)[0] for rows in batches(np.arange(len(samples)), batch))
    return np.concatenate([forward(spec, params, x, work, engine=engine, output=output)[0] for x in parts])


def _in_one_pass(spec: Spec, params: Params, part: object, engine: str | None) -> Array:
    """The forecasts at the last row of every window, where the network reads each row once."""
    if not isinstance(part, Windows):
        raise ValueError(f"one pass needs a part of a split, such as split.test; got a {type(part).__name__}")
    ends = part.starts + part.lookback
    holes = np.append(0, np.isnan(part.values).any(axis=1).cumsum())
    breaks = np.flatnonzero(holes[ends[1:]] > holes[part.starts[:-1]]) + 1
    found = []
    for starts, stops in zip(np.split(part.starts, breaks), np.split(ends, breaks), strict=True):
        states, made = None, []
        for first in range(starts[0], stops[-1], CHUNK):
            x = part.values[None, first : min(first + CHUNK, stops[-1])]
            yhat, trace = forward(spec, params, x, initial=states, engine=engine, output="every")
            states = trace.states()
            made.append(yhat[0])
        found.append(np.concatenate(made)[stops - 1 - starts[0]])
    return np.concatenate(found)
