"""A convolution and a pooling layer, forward and backward, in one or two dimensions of space.

Nouns: a filter is a kernel with its bias, and makes one channel of the output; a patch is the part of the input that a
filter reads for one place of the output. All patches side by side make of a convolution one product of matrices, as the
time steps of a recurrent network do for its weight gradient: `unfold` lays them out, `fold` adds errors of patches up
where they overlap. `Geometry` says which patches there are.

Letters: B batch, C channels, F filters; N sizes of the input, K of the kernel, M of the output, on one or two axes.
Arrays are batch-first and channels come before space: x (B, C, N…), W (F, C, K…), y (B, F, M…). As in all libraries of
this field the kernel is not turned round: it is a cross-correlation (Goodfellow, Bengio and Courville, 2016, ch. 9).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Literal

import numpy as np

from lstm_lib.network.cells import Array
from lstm_lib.network.spec import is_whole

PADDINGS = ("valid", "same", "causal")
Sizes = tuple[int, ...]


@dataclass(frozen=True)
class Geometry:
    """How patches lie in an input.

    Parameters
    ----------
    kernel : K, of one or two axes; a number makes one axis.
    stride : how far apart two patches begin; dilation : how far apart two numbers of a patch lie. A number counts for
        all axes.
    padding : zeros around the input. "valid": none. "same": so many that the output has ceil(N / stride) places, one
        more behind than before where they are odd, as in TensorFlow. "causal", of one axis: all before, so that no
        place sees what comes after it (van den Oord et al., 2016, arXiv:1609.03499). Or a pair for each axis, how many
        before and how many behind, such as ((1, 0), (2, 2)).

    Raises ValueError that names the argument, what was given and what is allowed.

    >>> Geometry((3, 2), stride=2, padding="same").output((7, 4))
    (4, 2)
    >>> Geometry(3, dilation=4, padding="causal").output((24,))
    (24,)
    """

    kernel: Sizes | int
    stride: Sizes | int = 1
    dilation: Sizes | int = 1
    padding: Literal["valid", "same", "causal"] | tuple[tuple[int, int], ...] = "valid"
    axes: tuple[tuple[int, int, int], ...] = field(init=False, repr=False)  # kernel, stride, dilation of each

    def __post_init__(self) -> None:
        kernel = self.kernel if isinstance(self.kernel, tuple) else (self.kernel,)
        given = {"kernel": kernel, "stride": self.stride, "dilation": self.dilation}
        sizes = {name: one if isinstance(one, tuple) else (one,) * len(kernel) for name, one in given.items()}
        for name, some in sizes.items():
            if (
                len(some) != len(kernel)
                or len(some) not in (1, 2)
                or not all(is_whole(size, 1) for size in some)
            ):
                raise ValueError(
                    f"{name} takes a whole number of at least 1, or one for each of 1 or 2 axes; got {given[name]!r}"
                )
        object.__setattr__(self, "axes", tuple(zip(*sizes.values(), strict=True)))
        if self.padding not in PADDINGS and not _pairs(self.padding, len(kernel)):
            raise ValueError(
                f"padding is {self.padding!r}; the choices are {', '.join(PADDINGS)}, and zeros before and behind, a "
                f"pair for each of the {len(kernel)} axes, such as {((1, 0),) * len(kernel)}"
            )
        if self.padding == "causal" and len(self.axes) == 2:
            raise ValueError("padding 'causal' is for one axis, time; a picture has no before")

    @property
    def shape(self) -> Sizes:
        """K, of one or two axes."""
        return tuple(k for k, _, _ in self.axes)

    @property
    def reach(self) -> Sizes:
        """How much of the input a patch spans."""
        return tuple(d * (k - 1) + 1 for k, _, d in self.axes)

    def around(self, sizes: Sizes) -> list[tuple[int, int]]:
        """The zeros before and behind an input of these sizes, by axis; ValueError for too few or too small ones."""
        if len(sizes) != len(self.axes):
            raise ValueError(f"the input has the axes {sizes}, the kernel {self.shape}; they need as many")
        if self.padding == "causal":
            return [(self.reach[0] - 1, 0)]
        found = []
        for n, reach, (_, stride, _) in zip(sizes, self.reach, self.axes, strict=True):
            short = max(0, (-(-n // stride) - 1) * stride + reach - n) if self.padding == "same" else 0
            found.append((short // 2, short - short // 2))
        if not isinstance(self.padding, str):
            found = list(self.padding)
        if any(n + sum(zeros) < reach for n, zeros, reach in zip(sizes, found, self.reach, strict=True)):
            raise ValueError(
                f"an input of {sizes} is smaller than a patch, {self.reach}; take padding='same'"
            )
        return found

    def output(self, sizes: Sizes) -> Sizes:
        """M, the places of the output."""
        around = self.around(sizes)
        spans = (n + sum(zeros) - reach for n, zeros, reach in zip(sizes, around, self.reach, strict=True))
        return tuple(span // stride + 1 for span, (_, stride, _) in zip(spans, self.axes, strict=True))


def _pairs(padding: Any, axes: int) -> bool:
    """Whether it is a pair of numbers of zeros for each axis."""
    pairs = isinstance(padding, tuple) and all(isinstance(p, tuple) and len(p) == 2 for p in padding)
    return pairs and len(padding) == axes and all(is_whole(n, 0) for pair in padding for n in pair)


# ---------------------------------------------------------------------------------------------------------- patches


def unfold(x: Array, g: Geometry, fill: float = 0) -> Array:
    """All patches of x (B, C, N…), side by side: (C·K, B·M).

    fill : what stands around the input.

    >>> unfold(np.arange(5.0).reshape(1, 1, 5), Geometry(2, stride=2))
    array([[0., 2.],
           [1., 3.]])
    """
    B, C = x.shape[:2]
    places = g.output(x.shape[2:])
    padded = np.pad(x, [(0, 0), (0, 0), *g.around(x.shape[2:])], constant_values=fill)
    patches = np.empty((C, math.prod(g.shape), B, *places), x.dtype)
    for k, at in enumerate(_offsets(g, places)):
        patches[:, k] = padded[(slice(None), slice(None), *at)].swapaxes(0, 1)
    return patches.reshape(-1, B * math.prod(places))


def fold(patches: Array, shape: Sequence[int], g: Geometry) -> Array:
    """Add patches (C·K, B·M) up where they lie in an array of this shape, (B, C, N…): what `unfold` is turned round.

    >>> fold(np.ones((2, 4)), (1, 1, 5), Geometry(2)).ravel()
    array([1., 2., 2., 2., 1.])
    """
    B, C, *sizes = shape
    places, around = g.output(tuple(sizes)), g.around(tuple(sizes))
    padded = np.zeros(
        (B, C, *(n + sum(zeros) for n, zeros in zip(sizes, around, strict=True))), patches.dtype
    )
    each = patches.reshape(C, -1, B, *places)
    for k, at in enumerate(_offsets(g, places)):
        padded[(slice(None), slice(None), *at)] += each[:, k].swapaxes(0, 1)
    inside = (slice(before, before + n) for n, (before, _) in zip(sizes, around, strict=True))
    return padded[(slice(None), slice(None), *inside)]


def _offsets(g: Geometry, places: Sizes) -> Iterator[tuple[slice, ...]]:
    """For each number of the kernel, in order, where it lies in all patches."""
    for at in product(*map(range, g.shape)):
        yield tuple(
            slice(k * d, k * d + (m - 1) * s + 1, s)
            for k, m, (_, s, d) in zip(at, places, g.axes, strict=True)
        )


# ----------------------------------------------------------------------------------------------------------- layers


def convolve(x: Array, W: Array, b: Array, g: Geometry) -> tuple[Array, Array]:
    """The output (B, F, M…) of a convolution, before any activation, and the patches, which the backward pass reads.

    Raises ValueError for arrays that don't fit.

    >>> y, _ = convolve(np.arange(5.0).reshape(1, 1, 5), np.array([[[1.0, -1.0]]]), np.array([0.5]), Geometry(2))
    >>> y.ravel()
    array([-0.5, -0.5, -0.5, -0.5])
    """
    if x.ndim != 2 + len(g.axes) or b.ndim != 1 or W.shape != (len(b), x.shape[1], *g.shape):
        wanted = "F", x.shape[1], *g.shape
        raise ValueError(
            f"x {x.shape}, W {W.shape}, b {b.shape} don't fit; expected (B, C, N…), {wanted}, (F,)"
        )
    patches = unfold(x, g)
    y = W.reshape(len(b), -1) @ patches + b[:, None]
    return y.reshape(len(b), len(x), *g.output(x.shape[2:])).swapaxes(0, 1), patches


def convolve_backward(
    dy: Array,
    patches: Array,
    W: Array,
    shape: Sequence[int],
    g: Geometry,
    rows: Any = slice(None),
    down: bool = True,
    cut: bool = False,
) -> tuple[Array, Array, Array | None]:
    """dW and db of the filters `rows`, and dx (B, C, N…), from the error dy (B, F, M…) of the output.

    Parameters
    ----------
    patches : from `convolve`. shape : of its x.
    rows : the filters that are not isolated, a slice or positions; the others' work is left out.
    down : whether the error of x is wanted; else None. cut : no error passes through the isolated filters.

    >>> x, W = np.arange(5.0).reshape(1, 1, 5), np.array([[[1.0, -1.0]]])
    >>> y, patches = convolve(x, W, np.zeros(1), Geometry(2))
    >>> dW, db, dx = convolve_backward(np.ones_like(y), patches, W, x.shape, Geometry(2))
    >>> dW.ravel(), db, dx.ravel()
    (array([ 6., 10.]), array([4.]), array([ 1.,  0.,  0.,  0., -1.]))
    """
    errors = dy.swapaxes(0, 1).reshape(len(W), -1)  # (F, B·M)
    some = errors[rows]
    # y = W @ patches + b
    dW = (some @ patches.T).reshape(-1, *W.shape[1:])
    db = some.sum(axis=1)
    through = (W[rows], some) if cut else (W, errors)
    dx = fold(through[0].reshape(len(through[1]), -1).T @ through[1], shape, g) if down else None
    return dW, db, dx


def pool(x: Array, g: Geometry, how: Literal["max", "mean"] = "max") -> tuple[Array, Array | None]:
    """The largest or the mean of each patch, channel by channel: (B, C, M…), and which number of it was the largest.

    Places outside the input count for nothing; of equal ones the first counts. Raises ValueError for another `how`, for
    numbers that are whole, and for patches that miss the input.

    >>> pool(np.array([[[1.0, 3.0, 2.0, 5.0, 4.0]]]), Geometry(2, stride=2))[0].ravel()
    array([3., 5.])
    """
    if how not in ("max", "mean"):
        raise ValueError(f"how is {how!r}; the choices are max, mean")
    if x.dtype.kind != "f":
        raise ValueError(f"x is {x.dtype}; pooling takes floating numbers, as of x.astype('float32')")
    if not _inside(x, g).all():
        raise ValueError(f"a patch of {g} holds no number of the input {x.shape[2:]}: it is all padding")
    B, C = x.shape[:2]
    shape = (C, -1, B, *g.output(x.shape[2:]))
    if how == "max":
        patches = unfold(x, g, fill=-np.inf).reshape(shape)
        first = patches.argmax(axis=1)
        return np.take_along_axis(patches, first[:, None], axis=1)[:, 0].swapaxes(0, 1), first
    return (unfold(x, g).reshape(shape).sum(axis=1) / _inside(x, g)).swapaxes(0, 1), None


def pool_backward(dy: Array, first: Array | None, x: Array, g: Geometry) -> Array:
    """dx (B, C, N…): the error of each place goes to the number that was the largest, or in equal parts to all.

    >>> x = np.array([[[1.0, 3.0, 2.0, 5.0, 4.0]]])
    >>> y, first = pool(x, Geometry(2, stride=2))
    >>> pool_backward(np.array([[[7.0, 9.0]]]), first, x, Geometry(2, stride=2)).ravel()
    array([0., 7., 0., 9., 0.])
    """
    errors = dy.swapaxes(0, 1)[:, None]  # (C, 1, B, M…)
    numbers = math.prod(g.shape)
    if first is None:
        spread = np.repeat(errors / _inside(x, g), numbers, axis=1)
    else:
        spread = np.zeros((x.shape[1], numbers, *errors.shape[2:]), dy.dtype)
        np.put_along_axis(spread, first[:, None], errors, axis=1)
    return fold(spread.reshape(x.shape[1] * numbers, -1), x.shape, g)


def _inside(x: Array, g: Geometry) -> Array:
    """How many numbers of each patch lie in the input, (M…)."""
    ones = np.ones((1, 1, *x.shape[2:]), x.dtype)
    return np.asarray(unfold(ones, g).sum(axis=0).reshape(g.output(x.shape[2:])))


# --------------------------------------------------------------------------------------------------- the plain loop


def convolve_by_loop(x: Array, W: Array, b: Array, g: Geometry) -> Array:
    """`convolve` as its definition says, number by number: what tests hold it to.

    >>> x, W, b = np.ones((2, 1, 4, 3)), np.ones((1, 1, 2, 2)), np.zeros(1)
    >>> bool((convolve_by_loop(x, W, b, Geometry((2, 2))) == convolve(x, W, b, Geometry((2, 2)))[0]).all())
    True
    """
    padded = np.pad(x, [(0, 0), (0, 0), *g.around(x.shape[2:])])
    y = np.empty((len(x), len(b), *g.output(x.shape[2:])), np.result_type(x, W, b))
    for n, f, *m in np.ndindex(*y.shape):
        total = b[f]
        for c, *k in np.ndindex(*W.shape[1:]):
            at = tuple(place * s + one * d for place, one, (_, s, d) in zip(m, k, g.axes, strict=True))
            total = total + W[(f, c, *k)] * padded[(n, c, *at)]
        y[(n, f, *m)] = total
    return y
