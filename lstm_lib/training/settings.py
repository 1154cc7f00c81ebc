"""Settings: how those that make no sense are refused, and how the call that made a thing is shown."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from lstm_lib.network.spec import is_whole


def whole(name: str, number: float, least: int = 1, why: str = "") -> int:
    """The number as an int; ValueError with the setting's name for what is no whole number of at least `least`."""
    if not is_whole(number, least):
        raise ValueError(f"{name} must be a whole number of at least {least}{why}, got {number!r}")
    return int(number)


def check_choice(name: str, choice: str, choices: Collection[str]) -> None:
    """ValueError with the setting's name and the choices for what is none of these."""
    if choice not in choices:
        raise ValueError(f"{name} is {choice!r}; the choices are {', '.join(choices)}")


def check_share(name: str, share: float) -> None:
    """ValueError with the setting's name for what is no number from 0 to 1."""
    if not isinstance(share, int | float | np.floating) or isinstance(share, bool) or not 0 <= share <= 1:
        raise ValueError(f"{name} is {share!r}; it must be a number from 0 to 1")


def called(function: Callable[..., object], **arguments: Any) -> str:
    """The call with these arguments, without those that have their default.

    >>> called(whole, name="epochs", number=3, least=1)
    "whole(name='epochs', number=3)"
    """
    known = inspect.signature(function).parameters
    given = (f"{name}={value!r}" for name, value in arguments.items() if value is not known[name].default)
    return f"{function.__name__}({', '.join(given)})"
