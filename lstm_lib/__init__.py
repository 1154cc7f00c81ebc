"""An LSTM whose gradients are written by hand, and the study of what back-propagation may leave out.

The parts, lowest first; each imports only those above it in this list:

    cell       one time step, forward and backward: the equations
    spec       the shape of a network and its parameters
    zones      named sets of arcs, their algebra and their text
    work       what isolation leaves to do, as lists of smaller dense products
    cost       FLOPs and bytes of a training step, counted before it is run
    plan       a zone, a depth and a span compiled into what is left to do
    layer, layer_backward   one layer over a whole sequence, forward and back: the fast path
    network    stacked layers and a head: forward, backward, losses, workspace
    adam       the forms of Adam as one rule with named differences
    evidence   what a training has at hand to judge its arcs by
    schedules  which plan holds from which epoch or step
    states     the output of isolated layers, remembered
    series     an energy series: read, checked, cut into windows and folds; forecasts to beat, metrics
    environment   what this machine has of what the course needs
    training   fit() and the Record it leaves
    timing     steps that take turns, and how much faster each is
    selection  statistics that score blocks of arcs, and the choice of what to isolate
    keras_layer    the LSTM layer of Keras with a zone, and its use in models
    keras_bridge   weights to and from Keras, reference gradients by TensorFlow, and that layer
    experiments   runs that are stored as they finish, swept over seeds, and compared in pairs
    checks     gradient checks against differences, with a tolerance by dtype
    plots      figures
    lab        the demonstrator: a state, its transitions and views, and the widgets that show them

`import lstm_lib` needs NumPy and pandas; `keras_bridge`, `experiments`, `checks`, `plots` and `lab` are imported by
name.
"""

from lstm_lib.isolation.partition import Partition, partition
from lstm_lib.isolation.plan import Plan, isolate
from lstm_lib.isolation.zones import Zone, everything, nothing, read_zone, zone
from lstm_lib.network.backward import backward
from lstm_lib.network.forward import forward
from lstm_lib.network.losses import cross_entropy, mse
from lstm_lib.network.spec import Spec, init_params
from lstm_lib.network.trace import Trace, Workspace
from lstm_lib.series import (
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
    windows,
)
from lstm_lib.training.adam import Adam
from lstm_lib.training.loop import Diverged, Record, fit, predict
from lstm_lib.training.selection import Price, by_statistic, choose, score

from .training import schedules

__all__ = [
    "Adam",
    "Diverged",
    "Partition",
    "Plan",
    "Price",
    "Record",
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
    "windows",
    "zone",
]
__version__ = "0.1.0"
