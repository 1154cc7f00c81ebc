"""Rates: the learning rate as a factor on that of the optimiser, by the share of the training that is done.

A rate is a function from the share of the steps that are made, 0 to 1, to a factor. Which arcs are isolated when is
another matter, a schedule (`schedules.py`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Rate = Callable[[float], float]


def constant(done: float) -> float:
    """Factor 1 all the way.

    >>> constant(0.9)
    1.0
    """
    return 1.0


def cosine(done: float) -> float:
    """Factor from 1 down to 0 along half a cosine (Loshchilov and Hutter, 2017, without restarts).

    >>> round(cosine(0.5), 3)
    0.5
    """
    return 0.5 * (1 + float(np.cos(np.pi * done)))


def step(done: float) -> float:
    """Factor 1, from half of the steps on 0.1, from three quarters on 0.01 (He et al., 2016, section 4.2).

    >>> step(0.4), step(0.6), step(0.8)
    (1.0, 0.1, 0.01)
    """
    return 1.0 if done < 0.5 else 0.1 if done < 0.75 else 0.01


RATES: dict[str, Rate] = {"constant": constant, "cosine": cosine, "step": step}


def as_rate(rate: str | Rate) -> Rate:
    """The function of that name, or the function itself; ValueError with the choices for what is neither."""
    if callable(rate):
        return rate
    if rate not in RATES:
        raise ValueError(f"rate is {rate!r}; the choices are {', '.join(RATES)}, or a function of 0..1")
    return RATES[rate]
