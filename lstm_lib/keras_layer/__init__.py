"""For people who train in Keras: an LSTM layer with zones.

`IsolatedLSTM` is keras.layers.LSTM with a zone of arcs that are not updated; `isolate_layer` puts it in the place of
an LSTM layer of a model; `Isolation` is a callback that changes its zone while the model trains.

The modules, lowest first; each imports only those above it:

    compiled   a plan in the layout of Keras: what a graph is traced for, and the arrays beside it
    running    the pass in TensorFlow, forward and back
    moments    what an optimiser keeps, carried over when the zone changes
    layer      IsolatedLSTM
    swapping   isolate_layer
    watching   what Keras lets see of the arcs, for the statistics that choose
    callback   Isolation
"""

from lstm_lib.keras_layer.callback import Isolation
from lstm_lib.keras_layer.layer import IsolatedLSTM
from lstm_lib.keras_layer.swapping import isolate_layer

__all__ = ["IsolatedLSTM", "Isolation", "isolate_layer"]
