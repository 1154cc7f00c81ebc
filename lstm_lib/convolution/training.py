"""The training of a small convolutional network by Adam, with what rests left out.

Nouns: those of `network.py`. The optimiser is the one of the recurrent networks, `lstm_lib.Adam`.
"""

from __future__ import annotations

import time

import numpy as np
import pandas as pd

from lstm_lib.network.cells import Array
from lstm_lib.network.losses import LOSSES
from lstm_lib.network.spec import Params
from lstm_lib.training.adam import Adam
from lstm_lib.training.rates import RATES
from lstm_lib.training.samples import batches
from lstm_lib.training.settings import check_choice, whole

from .network import Isolated, Net, backward, forward, init_params


def fit(
    net: Net,
    x: Array,
    y: Array,
    *,
    epochs: int = 5,
    batch: int = 32,
    seed: int = 0,
    optimizer: Adam | None = None,
    rate: str = "cosine",
    isolated: Isolated | None = None,
    params: Params | None = None,
) -> tuple[Params, pd.DataFrame]:
    """Train, and return the parameters and a row for each epoch: epoch, seconds, loss.

    Parameters
    ----------
    x : (N, C, …), in the dtype of the training. y : (N, O), or the number of the class, (N,), for a softmax head.
    epochs, batch, rate : as for `lstm_lib.fit`. optimizer : None takes Adam(lr=2e-3).
    seed : of the weights and of the order of the samples.
    isolated : what rests, and stays bit for bit what it was. The layers below its border run once, in the first epoch.
    params : to begin with; they are copied.

    Raises ValueError for arrays that don't fit the network, numbers that aren't finite, and settings out of range.

    >>> from lstm_lib.convolution import Conv, Geometry
    >>> x = np.random.default_rng(0).normal(size=(64, 1, 8)).astype("float32")
    >>> net = Net((1, 8), (Conv(2, Geometry(3)),), outputs=1)
    >>> _, history = fit(net, x, x[:, 0, :1], epochs=3)
    >>> bool(history["loss"].iloc[-1] < history["loss"].iloc[0])
    True
    """
    isolated, adam = isolated or Isolated(), optimizer or Adam(lr=2e-3)
    for name, number in (("epochs", epochs), ("batch", batch)):
        whole(name, number)
    check_choice("rate", rate, RATES)
    _check(net, x)
    _check_targets(net, y, len(x))
    params = {k: p.copy() for k, p in (params or init_params(net, seed, str(x.dtype))).items()}
    active, history = net.active(isolated), []
    state = adam.init({name: params[name][rows] for name, rows in active.items()})
    began, steps = time.perf_counter(), -(-len(x) // batch)
    x = _below(net, params, x, isolated.below)
    for epoch in range(1, epochs + 1):
        losses = []
        order = np.random.default_rng([seed, epoch]).permutation(len(x))
        for k, some in enumerate(batches(order, batch)):
            yhat, trace = forward(net, params, x[some], isolated.below)
            loss, dy = LOSSES[net.head](yhat, y[some])
            grads = backward(net, params, trace, dy, isolated)
            moved = {name: params[name][active[name]] for name in grads}
            adam.step(moved, grads, state, scale=RATES[rate](((epoch - 1) * steps + k) / (epochs * steps)))
            for name, p in moved.items():
                params[name][active[name]] = p
            losses.append(float(loss))
        history.append((epoch, time.perf_counter() - began, float(np.mean(losses))))
        began = time.perf_counter()
    return params, pd.DataFrame(history, columns=["epoch", "seconds", "loss"])


def predict(net: Net, params: Params, x: Array, batch: int = 256) -> Array:
    """The outputs (N, O) of many samples, some at a time; ValueError for samples that don't fit, and for none."""
    whole("batch", batch)
    _check(net, x)
    return np.concatenate([forward(net, params, some)[0] for some in batches(x, batch)])


def _check(net: Net, x: Array) -> None:
    x = np.asarray(x)
    if x.shape[1:] != tuple(net.inputs) or not len(x) or x.dtype.kind != "f":
        raise ValueError(
            f"x is {x.shape} of {x.dtype}; expected at least one sample of {tuple(net.inputs)}, floating numbers"
        )
    if not np.isfinite(x).all():
        raise ValueError(f"{np.count_nonzero(~np.isfinite(x))} of {x.size} numbers of x are not finite")


def _check_targets(net: Net, y: Array, samples: int) -> None:
    y = np.asarray(y)
    classes = net.head == "softmax" and y.shape == (samples,)
    if not classes and y.shape != (samples, net.outputs):
        kinds = f"({samples}, {net.outputs})" + f" or classes ({samples},)" * (net.head == "softmax")
        raise ValueError(f"y is {y.shape}; the {net.head} head takes {kinds}")
    if not np.isfinite(y).all():
        raise ValueError(f"{np.count_nonzero(~np.isfinite(y))} of {y.size} numbers of y are not finite")
    if classes and not (np.isin(y, range(net.outputs))).all():
        raise ValueError(
            f"y has the classes {np.setdiff1d(y, range(net.outputs)).tolist()}; the head has 0 to {net.outputs - 1}"
        )


def _below(net: Net, params: Params, x: Array, border: int, batch: int = 256) -> Array:
    """What comes out of the layers below the border."""
    if not border:
        return x
    lower = Net(net.inputs, net.layers[:border], 1)
    head = {name: np.zeros(lower.shapes[name], x.dtype) for name in ("head/W", "head/b")}
    return np.concatenate([forward(lower, params | head, some)[1][-1] for some in batches(x, batch)])
