"""Plain delta coding, the control of dual prediction: each value as its difference from the one before.

Differences are counted in steps of 2ε from what the receiver has, not from what was measured, so that the error of a
value is at most ε and errors do not add up. A difference takes one byte, or three where it is large.
"""

from __future__ import annotations

import struct

import numpy as np

from lstm_lib.network.cells import Array

ESCAPE = -128  # in the place of a difference: the next two bytes hold it


def delta_pack(values: Array, last: float, epsilon: float) -> tuple[bytes, float]:
    """Values as bytes, and what the receiver has at the end.

    Parameters
    ----------
    values : (n,), none missing. last : what the receiver has before them. epsilon : the largest error.

    Raises ValueError for a missing value, values of another shape, an ε that is not a finite number above 0, and a
    difference beyond 32767 steps.

    >>> packed, last = delta_pack(np.array([1.0, 1.1, 9.0]), 0.0, 0.5)
    >>> list(packed), last
    ([1, 0, 8], 9.0)
    """
    packed, step, values = b"", _step(epsilon), np.asarray(values, float)
    if values.ndim != 1:
        raise ValueError(f"values have the shape {values.shape}; expected (n,)")
    for value in values:
        count = float(np.rint((value - last) / step))
        if not abs(count) < 2**15:
            raise ValueError(f"{value} can't be packed after {last} in steps of {step}")
        small = abs(count) < -ESCAPE
        packed += struct.pack("<b", int(count)) if small else struct.pack("<bh", ESCAPE, int(count))
        last += count * step
    return packed, last


def delta_unpack(packed: bytes, last: float, epsilon: float) -> Array:
    """The values of `delta_pack`, (n,); ValueError where the bytes end in the middle of one, and for a wrong ε.

    >>> delta_unpack(bytes([1, 0, 8]), 0.0, 0.5)
    array([1., 1., 9.])
    """
    step, found, at = _step(epsilon), list[float](), 0
    while at < len(packed):
        (count,) = struct.unpack_from("<b", packed, at)
        at += 1
        if count == ESCAPE:
            if len(packed) < at + 2:
                raise ValueError(f"these {len(packed)} bytes end in the middle of a difference")
            (count,) = struct.unpack_from("<h", packed, at)
            at += 2
        last += count * step
        found.append(last)
    return np.array(found)


def _step(epsilon: float) -> float:
    if not 0 < epsilon < np.inf:
        raise ValueError(f"epsilon is {epsilon!r}; expected a finite number above 0")
    return 2 * epsilon
