"""A small convolutional network: its layers, its passes, and what isolation leaves out of them.

Nouns: a `Net` is a row of `Conv` and `Pool` layers and a dense head; `Isolated` says which filters rest, and below
which layer everything does. Isolated filters have no weight gradient and no update; errors flow through them at depth
`skip`, and not at `cut`, as in a recurrent network. What comes out below the border is computed once and remembered, as
at `cache`.

Parameters: "0/W" (F, C, K…) and "0/b" (F,) for each layer with weights, "head/W" (O, what comes out), "head/b" (O,).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from lstm_lib.network.cells import Array
from lstm_lib.network.forward import softmax
from lstm_lib.network.spec import Params, is_whole

from .layers import Geometry, Sizes, convolve, convolve_backward, pool, pool_backward

HEADS = ("linear", "softmax")

ACTIVATIONS: dict[
    str, tuple[Callable[[Any], Any], Callable[[Any], Any]]
] = {  # of the pre-activation z; and the slope, written with the value a
    "relu": (lambda z: np.maximum(z, 0), lambda a: (a > 0).astype(a.dtype)),
    "tanh": (np.tanh, lambda a: 1 - a * a),
    "linear": (lambda z: z, np.ones_like),
}


@dataclass(frozen=True)
class Conv:
    """A convolution: how many filters, how their patches lie, and what becomes of their output."""

    filters: int
    geometry: Geometry
    activation: Literal["relu", "tanh", "linear"] = "relu"

    def __post_init__(self) -> None:
        if not is_whole(self.filters, 1):
            raise ValueError(f"filters takes a whole number of at least 1, got {self.filters!r}")


@dataclass(frozen=True)
class Pool:
    """The largest or the mean of each patch, channel by channel."""

    geometry: Geometry
    how: Literal["max", "mean"] = "max"


@dataclass(frozen=True)
class Isolated:
    """What rests.

    below : every layer below this one, its output remembered. filters : of other layers, by number, which filters.
    depth : "skip", errors pass through isolated filters and the others keep their gradient; or "cut", they don't, and
        the layers below get an approximation.

    >>> Isolated(below=2, filters={3: (0, 5)}).filters[3]
    (0, 5)
    """

    below: int = 0
    filters: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    depth: Literal["skip", "cut"] = "skip"

    def __post_init__(self) -> None:
        if self.depth not in ("skip", "cut"):
            raise ValueError(f"depth is {self.depth!r}; the choices for filters are skip, cut")

    def resting(self, k: int) -> tuple[int, ...]:
        """The isolated filters of a layer that is not below the border."""
        return tuple(self.filters.get(k, ()))


@dataclass(frozen=True)
class Net:
    """A convolutional network.

    Parameters
    ----------
    inputs : (C, N…), the shape of a sample.
    layers : from the input upwards.
    outputs : O of the dense head, which reads all that comes out of the last layer.
    head : "linear", for the mean squared error, or "softmax", for the cross-entropy.

    Raises ValueError for a head or an activation that isn't there, and for layers that don't fit.

    >>> net = Net((1, 8, 8), (Conv(4, Geometry((3, 3))), Pool(Geometry((2, 2), stride=2))), outputs=10, head="softmax")
    >>> net.sizes
    [(1, 8, 8), (4, 6, 6), (4, 3, 3)]
    >>> net.shapes
    {'0/W': (4, 1, 3, 3), '0/b': (4,), 'head/W': (10, 36), 'head/b': (10,)}
    """

    inputs: Sizes
    layers: tuple[Conv | Pool, ...]
    outputs: int
    head: Literal["linear", "softmax"] = "linear"

    def __post_init__(self) -> None:
        named = [
            (layer.activation, "activation", ACTIVATIONS) for layer in self.layers if isinstance(layer, Conv)
        ]
        checked: list[tuple[str, str, Collection[str]]] = [(self.head, "head", HEADS), *named]
        for given, what, choices in checked:
            if given not in choices:
                raise ValueError(f"{what} is {given!r}; the choices are {', '.join(choices)}")
        if not is_whole(self.outputs, 1):
            raise ValueError(f"outputs takes a whole number of at least 1, got {self.outputs!r}")
        assert self.sizes  # refuses inputs that are too small

    @property
    def sizes(self) -> list[Sizes]:
        """The shape of a sample before each layer, and what the head reads."""
        found = [tuple(self.inputs)]
        for layer in self.layers:
            channels = layer.filters if isinstance(layer, Conv) else found[-1][0]
            found.append((channels, *layer.geometry.output(found[-1][1:])))
        return found

    @property
    def shapes(self) -> dict[str, Sizes]:
        """The parameters by name."""
        found: dict[str, Sizes] = {}
        for k, (layer, size) in enumerate(zip(self.layers, self.sizes, strict=False)):
            if isinstance(layer, Conv):
                found |= {
                    f"{k}/W": (layer.filters, size[0], *layer.geometry.shape),
                    f"{k}/b": (layer.filters,),
                }
        return found | {"head/W": (self.outputs, math.prod(self.sizes[-1])), "head/b": (self.outputs,)}

    def active(self, isolated: Isolated) -> dict[str, Any]:
        """Parameter -> the rows of it that learn.

        Raises ValueError for layers and filters that aren't there, and for a layer that rests altogether at depth
        "cut" above one that learns, which no error would reach.
        """
        if not 0 <= isolated.below <= len(self.layers):
            raise ValueError(f"below is {isolated.below}; the network has {len(self.layers)} layers")
        shapes = self.shapes
        for k, resting in isolated.filters.items():
            known = range(shapes.get(f"{k}/b", (0,))[0])
            if absent := sorted(set(resting).difference(known)):
                raise ValueError(f"layer {k} has no filters {absent}, it has {len(known)}")
            if isolated.depth == "cut" and len(set(resting)) == len(known) and self.lowest(isolated) < k:
                raise ValueError(
                    f"layer {k} rests altogether, and at depth 'cut' no error passes it, while layers below it are to "
                    f"learn; give below={k + 1}, or depth='skip'"
                )
        found: dict[str, Any] = {}
        for name, (rows, *_) in shapes.items():
            layer = name.split("/")[0]
            if layer == "head" or int(layer) >= isolated.below:
                resting = () if layer == "head" else isolated.resting(int(layer))
                found[name] = np.setdiff1d(np.arange(rows), resting) if resting else slice(None)
        return found

    def lowest(self, isolated: Isolated) -> int:
        """The lowest layer with something to learn, to which errors have to travel; len(layers) if there is none."""
        for k, layer in enumerate(self.layers):
            if (
                k >= isolated.below
                and isinstance(layer, Conv)
                and len(set(isolated.resting(k))) < layer.filters
            ):
                return k
        return len(self.layers)

    def flops(self, isolated: Isolated | None = None) -> dict[str, int]:
        """FLOPs of the products of a training step for one sample; a multiplication and an addition are two.

        >>> Net((1, 8), (Conv(2, Geometry(3)),), outputs=1).flops()
        {'forward': 96, 'error': 24, 'weights': 96}
        """
        isolated = isolated or Isolated()
        head, lowest = 2 * self.outputs * math.prod(self.sizes[-1]), self.lowest(isolated)
        counts = {"forward": head, "error": head * (lowest < len(self.layers)), "weights": head}
        for k, layer in enumerate(self.layers):
            if k < isolated.below or not isinstance(layer, Conv):
                continue
            one = 2 * math.prod(self.shapes[f"{k}/W"][1:]) * math.prod(self.sizes[k + 1][1:])  # of a filter
            counts["forward"] += layer.filters * one
            learn = layer.filters - len(set(isolated.resting(k)))
            counts["error"] += (learn if isolated.depth == "cut" else layer.filters) * one * (k > lowest)
            counts["weights"] += learn * one
        return counts

    def remembered(self, isolated: Isolated, samples: int, dtype: str = "float32") -> int:
        """Bytes that `fit` remembers: what comes out below the border, of all samples. Without a border nothing is.

        >>> net = Net((1, 8, 8), (Conv(4, Geometry((3, 3))), Pool(Geometry((2, 2), stride=2))), outputs=10)
        >>> net.remembered(Isolated(below=1), samples=1000)  # 4 channels of 6 x 6
        576000
        """
        self.active(isolated)  # refuses a border that isn't there
        numbers = math.prod(self.sizes[isolated.below]) if isolated.below else 0
        return samples * numbers * np.dtype(dtype).itemsize


def init_params(net: Net, seed: int = 0, dtype: str = "float32") -> Params:
    """Uniform in ± √(6 / (fan in + fan out)) (Glorot and Bengio, 2010, equation 16), biases 0, drawn in float64."""
    rng, params = np.random.default_rng(seed), {}
    for name, shape in net.shapes.items():
        limit = 0 if name.endswith("b") else math.sqrt(6 / (math.prod(shape[2:]) * (shape[0] + shape[1])))
        params[name] = rng.uniform(-limit, limit, shape).astype(dtype)
    return params


# ----------------------------------------------------------------------------------------------------------- passes


def forward(net: Net, params: Params, x: Array, first: int = 0) -> tuple[Array, list[Any]]:
    """The outputs (B, O), probabilities of a softmax head, and the trace, which the backward pass reads.

    first : begin at this layer; x is what comes out of those below. Raises ValueError for an x of another shape.

    >>> net = Net((1, 8), (Conv(2, Geometry(3)),), outputs=1)
    >>> forward(net, init_params(net), np.ones((5, 1, 8), "float32"))[0].shape
    (5, 1)
    """
    if x.shape[1:] != net.sizes[first]:
        raise ValueError(f"x is {x.shape}; expected {('B', *net.sizes[first])}")
    trace: list[Any] = []
    for k, layer in enumerate(net.layers[first:], first):
        if isinstance(layer, Conv):
            z, kept = convolve(x, params[f"{k}/W"], params[f"{k}/b"], layer.geometry)
            y = ACTIVATIONS[layer.activation][0](z)
        else:
            y, kept = pool(x, layer.geometry, layer.how)  # type: ignore[assignment]
        trace.append((x, kept, y))
        x = y
    trace.append(x)
    scores = x.reshape(len(x), -1) @ params["head/W"].T + params["head/b"]
    return softmax(scores) if net.head == "softmax" else scores, trace


def backward(
    net: Net,
    params: Params,
    trace: list[Any],
    dy: Array,
    isolated: Isolated | None = None,
    down: bool = False,
) -> Params:
    """The gradients of the rows that learn (`Net.active`), and with `down` that of the input, "x".

    trace : of a forward pass that began at layer `isolated.below`, or lower. dy : (B, O), as the losses return it:
        ∂L/∂yhat, of a softmax head ∂L/∂scores.

    >>> net, x = Net((1, 8), (Conv(2, Geometry(3)),), outputs=1), np.ones((5, 1, 8), "float32")
    >>> params = init_params(net)
    >>> y, trace = forward(net, params, x)
    >>> grads = backward(net, params, trace, np.ones_like(y), Isolated(filters={0: (1,)}))
    >>> {name: g.shape for name, g in grads.items()}
    {'head/W': (1, 12), 'head/b': (1,), '0/W': (1, 1, 3), '0/b': (1,)}
    """
    isolated = isolated or Isolated()
    active, below, top = net.active(isolated), isolated.below, trace[-1]
    last = below if down else net.lowest(isolated)  # the layer that errors travel to
    grads = {"head/W": dy.T @ top.reshape(len(top), -1), "head/b": dy.sum(axis=0)}
    if last == len(net.layers) and not down:
        return grads
    error: Any = (dy @ params["head/W"]).reshape(top.shape)
    for k in reversed(range(last, len(net.layers))):
        layer, (x, kept, y) = net.layers[k], trace[k - len(net.layers) - 1]
        if isinstance(layer, Pool):
            error = pool_backward(error, kept, x, layer.geometry)
            continue
        error = error * ACTIVATIONS[layer.activation][1](y)
        rows, W = active[f"{k}/W"], params[f"{k}/W"]
        how = {"down": down or k > last, "cut": isolated.depth == "cut"}
        made = convolve_backward(error, kept, W, x.shape, layer.geometry, rows, **how)
        grads[f"{k}/W"], grads[f"{k}/b"], error = made
    return grads | ({"x": error} if down else {})
