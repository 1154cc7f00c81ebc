"""Samples: what `fit` and `predict` read, in batches.

Nouns: samples are anything with a length and `take(rows) -> (x, y)`, such as a part of a split; `Arrays` makes samples
of a pair of arrays; a batch is some rows, taken together.

Letters: N samples, T steps, D inputs, O outputs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import pandas as pd

from lstm_lib.network.cells import Array
from lstm_lib.network.forward import forward
from lstm_lib.network.spec import Params, Spec
from lstm_lib.network.trace import Workspace


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


def digest(samples: Samples, some: tuple[Array, Array]) -> str:
    """How many samples there are, and a digest of some: tells other data apart when a run is resumed."""
    found = hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in some)).hexdigest()[:16]
    return f"{len(samples)} samples, {found}"


def predict(
    spec: Spec,
    params: Params,
    samples: Samples | tuple[Array, Array] | Array,
    batch: int = 256,
    work: Workspace | None = None,
    engine: str | None = None,
) -> Array:
    """Forecasts for many samples, `batch` at a time so that memory stays bounded.

    Parameters
    ----------
    samples : a part of a split, a pair of arrays, or x (N, T, D) alone.
    work, engine : as for `forward`.

    Returns
    -------
    (N, O) or (N, T, O), in the scale of the samples' y.

    >>> from lstm_lib import init_params
    >>> spec = Spec(inputs=2, units=(3,), outputs=1)
    >>> predict(spec, init_params(spec), np.ones((5, 4, 2), np.float32)).shape
    (5, 1)
    """
    if isinstance(samples, np.ndarray):
        samples = Arrays(samples, np.zeros(len(samples)))
    samples, work = as_samples(samples), work or Workspace()
    parts = (samples.take(rows)[0] for rows in batches(np.arange(len(samples)), batch))
    return np.concatenate([forward(spec, params, x, work, engine=engine)[0] for x in parts])
