"""The old name of `lstm_lib.keras`; it goes with the next release."""

import warnings

from lstm_lib.keras import *  # noqa: F403

warnings.warn(
    "lstm_lib.keras_bridge is now lstm_lib.keras; this name goes with the next release",
    FutureWarning,
    stacklevel=2,
)
