"""Recurrent networks whose gradients are written by hand, and the study of what back-propagation may leave out.

The house, its ground floor first; a folder imports those above it in this list alone:

    network      cells, forward, back-propagation through time: the equations once, a plain and a compiled engine
    isolation    zones of arcs, and plans: what is left to do when a zone is isolated
    series       an energy series: read, checked, cut into windows and folds; forecasts to beat, scores
    training     Adam, `fit` and the record it leaves, schedules of plans, statistics that choose zones, timing
    forecasting  what a forecaster reads of a series, and its file
    forecaster   all of it in one object, with the habits of scikit-learn
    keras        weights to and from Keras, reference gradients by TensorFlow, the LSTM layer of Keras with zones
    checks       gradient checks against differences, with a tolerance by dtype
    environment  what this machine has of what the course needs
    convolution  convolutions by hand, and a small network whose filters can be isolated
    lora         what must be sent over a LoRa link: airtime, changes of active arcs, dual prediction, codes
    experiments  runs that are stored as they finish, swept over seeds, and compared in pairs
    plots        figures
    lab          the demonstrator
    course       the checks of the exercises
    command      the command `lstm-lib`: check, compare, train, forecast, report

Six files to read first: `network/cells.py`, `network/forward.py`, `network/backward.py`, `isolation/zones.py`,
`isolation/plan.py`, `training/loop.py`.

`import lstm_lib` needs NumPy and pandas; `keras`, `experiments`, `checks`, `convolution`, `lora`, `plots`, `lab` and
`course` are imported by name.
"""

from lstm_lib.forecaster import Forecaster
from lstm_lib.isolation.partition import Partition, partition
from lstm_lib.isolation.plan import Plan, isolate
from lstm_lib.isolation.zones import Zone, everything, nothing, read_zone, zone
from lstm_lib.network.backward import backward
from lstm_lib.network.forward import forward
from lstm_lib.network.losses import cross_entropy, mse
from lstm_lib.network.spec import Spec, init_params
from lstm_lib.network.trace import Trace, Workspace
from lstm_lib.series import (
    Sequences,
    SequenceSplit,
    Series,
    Split,
    Windows,
    boosted_forecast,
    compare,
    folds,
    load_series,
    metrics,
    naive_forecasts,
    ridge_forecast,
    sequences,
    windows,
)
from lstm_lib.training import callbacks, schedules
from lstm_lib.training.adam import Adam
from lstm_lib.training.loop import fit
from lstm_lib.training.record import Diverged, Record
from lstm_lib.training.samples import predict
from lstm_lib.training.selection import Price, by_statistic, choose
from lstm_lib.training.statistics import score

__all__ = [
    "Adam",
    "Diverged",
    "Forecaster",
    "Partition",
    "Plan",
    "Price",
    "Record",
    "SequenceSplit",
    "Sequences",
    "Series",
    "Spec",
    "Split",
    "Trace",
    "Windows",
    "Workspace",
    "Zone",
    "backward",
    "boosted_forecast",
    "by_statistic",
    "callbacks",
    "choose",
    "compare",
    "cross_entropy",
    "everything",
    "fit",
    "folds",
    "forward",
    "init_params",
    "isolate",
    "load_series",
    "metrics",
    "mse",
    "naive_forecasts",
    "nothing",
    "partition",
    "predict",
    "read_zone",
    "ridge_forecast",
    "schedules",
    "score",
    "sequences",
    "windows",
    "zone",
]
__version__ = "0.1.0"
