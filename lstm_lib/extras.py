"""A package that is missing is answered with the extra that brings it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def needed(extra: str, what: str) -> Iterator[None]:
    """Within it an ImportError of another package names the extra to install; of one in the other, the outer one.

    >>> with needed("lab", "this example"), needed("study", "a part of it"):
    ...     import no_such_package
    Traceback (most recent call last):
    ModuleNotFoundError: this example needs no_such_package: pip install "lstm_lib[lab]"
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] == "lstm_lib":
            raise
        message = f'{what} needs {error.name}: pip install "lstm_lib[{extra}]"'
        raise ModuleNotFoundError(message, name=error.name) from error
