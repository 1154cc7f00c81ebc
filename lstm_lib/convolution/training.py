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

    >>> from lstm_lib.convolution import Conv, Geometry
    >>> x = np.random.default_rng(0).normal(size=(64, 1, 8)).astype("float32")
    >>> net = Net((1, 8), (Conv(2, Geometry(3)),), outputs=1)
    >>> _, history = fit(net, x, x[:, 0, :1], epochs=3)
    >>> bool(history["loss"].iloc[-1] < history["loss"].iloc[0])
    True
    """
    isolated, adam = isolated or Isolated(), optimizer or Adam(lr=2e-3)
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
    """The outputs (N, O) of many samples, some at a time."""
    return np.concatenate([forward(net, params, some)[0] for some in batches(x, batch)])


def _below(net: Net, params: Params, x: Array, border: int, batch: int = 256) -> Array:
    """What comes out of the layers below the border."""
    if not border:
        return x
    lower = Net(net.inputs, net.layers[:border], 1)
    head = {name: np.zeros(lower.shapes[name], x.dtype) for name in ("head/W", "head/b")}
    return np.concatenate([forward(lower, params | head, some)[1][-1] for some in batches(x, batch)])
