"""TensorFlow and Keras, imported in silence: `from .backend import keras, tf`."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def _start_up_lines_held_back() -> Iterator[None]:
    """Keep what TensorFlow's C++ part writes to stderr while it starts; write it out only if starting fails.

    TF_CPP_MIN_LOG_LEVEL alone does not silence the lines written before its logger is up.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except BaseException:
            kept.seek(0)
            os.write(stderr, kept.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def _check_backend(name: str) -> None:
    """Refuse Keras on anything but TensorFlow, whose autograd and graphs this folder uses."""
    if name != "tensorflow":
        raise ImportError(
            f"lstm_lib.keras needs Keras on TensorFlow, but its backend is {name!r}; "
            "set KERAS_BACKEND=tensorflow before Keras is imported"
        )


# Before Keras reads a settings file of its own, and imports the package of another backend.
_check_backend(os.environ.setdefault("KERAS_BACKEND", "tensorflow"))
try:
    with _start_up_lines_held_back():
        import keras
        import tensorflow as tf

        tf.constant(0.0)  # the first tensor looks for devices, which writes lines of its own
except ImportError as error:
    raise ImportError('lstm_lib.keras needs TensorFlow: pip install "lstm_lib[keras]"') from error
_check_backend(keras.config.backend())  # it may have been imported before

__all__ = ["keras", "tf"]
