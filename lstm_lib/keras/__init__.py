"""For people who train in Keras: weights both ways, reference gradients, an LSTM layer with zones.

backend    TensorFlow and Keras, imported in silence
graphs     the layers of a model, and whether they are a chain
convert    networks to and from Keras, and from TensorFlow 1.5
reference  gradients by TensorFlow's autograd
compiled   a plan in the layout of Keras: what a graph is traced for, and the arrays beside it
running    the pass in TensorFlow, forward and back
marks      variables that know of which zone they are
variables  active and isolated arcs in variables of their own
rebuilding an optimiser made anew for other variables, and which ones that can be done with
moments    what an optimiser keeps, carried over when the zone changes
interface  the arguments of keras.layers.LSTM that are taken, and its first weights
zoned      a layer whose zone can change, and the model around it
storing    what a file keeps of a layer, at any zone
layer      IsolatedLSTM
swapping   isolate_layer
evidence   what Keras lets see of the arcs, for the statistics that choose
callback   Isolation
"""

from .backend import keras, tf
from .callback import Isolation
from .compiled import KERAS_ORDER
from .convert import TF15_ORDER, batches, from_keras, from_tf15, sequence_batches, to_keras
from .layer import IsolatedLSTM
from .reference import tf_gradients
from .swapping import isolate_layer

__all__ = [
    "KERAS_ORDER",
    "TF15_ORDER",
    "IsolatedLSTM",
    "Isolation",
    "batches",
    "from_keras",
    "from_tf15",
    "isolate_layer",
    "keras",
    "sequence_batches",
    "tf",
    "tf_gradients",
    "to_keras",
]
