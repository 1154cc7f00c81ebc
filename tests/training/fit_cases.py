"""What the tests of `fit` share: a small network, samples for it, runs to be compared bit for bit."""

import itertools

import numpy as np
import pandas as pd

import lstm_lib as ll
from lstm_lib.training.samples import Arrays
from tests.cases import identical

SPEC = ll.Spec(1, (3,), 1)
N, T, BATCH = 22, 6, 5  # the last of five batches holds two samples


def arrays(n=N, seed=0, spec=SPEC, dtype="float32"):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, T, spec.inputs)).astype(dtype)
    if spec.head == "softmax":
        return x, rng.integers(0, spec.outputs, n if spec.output == "last" else (n, T))
    return x, np.tanh(x.sum(axis=1)) if spec.output == "last" else np.tanh(np.cumsum(x, axis=1))


TRAIN, VALID = arrays(), arrays(9, seed=1)


def fit(spec=SPEC, train=TRAIN, valid=VALID, **settings):
    return ll.fit(spec, train, valid, **({"epochs": 3, "batch": BATCH, "progress": False} | settings))


def equal_but_for_time(a: ll.Record, b: ll.Record) -> None:
    """Params, moments, counts and history bit for bit; seconds differ."""
    for part in ("params", "best_params"):
        identical(getattr(a, part), getattr(b, part))
    identical(a.checkpoint.params, b.checkpoint.params)
    for part in ("m", "v"):
        identical(getattr(a.checkpoint.state, part), getattr(b.checkpoint.state, part))
    assert a.checkpoint.state.t.keys() == b.checkpoint.state.t.keys()
    assert all(np.array_equal(t, b.checkpoint.state.t[k]) for k, t in a.checkpoint.state.t.items())
    pd.testing.assert_frame_equal(
        a.history.drop(columns="seconds"), b.history.drop(columns="seconds"), check_exact=True
    )
    assert (a.spec, a.interrupted) == (b.spec, b.interrupted)


class Interrupting(Arrays):
    """Samples that press Ctrl-C when they are asked for the n-th time."""

    calls = itertools.count()  # set anew by `interrupting`

    def take(self, rows):
        if next(self.calls) == 0:
            raise KeyboardInterrupt
        return super().take(rows)


def interrupting(data, at: int) -> Interrupting:
    samples = Interrupting(*data)
    object.__setattr__(samples, "calls", itertools.count(-at))
    return samples
