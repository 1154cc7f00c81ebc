"""A convolution by hand: its layers forward and backward, and a small network whose filters can be isolated.

    layers     convolution and pooling of one or two axes, as products over unfolded patches; the plain loop beside them
    network    a network of such layers with a dense head; its passes, isolated filters, what it costs
    training   its training by Adam

It needs NumPy and pandas alone.
"""

from .layers import Geometry, convolve, convolve_backward, convolve_by_loop, fold, pool, pool_backward, unfold
from .network import Conv, Isolated, Net, Pool, backward, forward, init_params
from .training import fit, predict

__all__ = [
    "Conv", "Geometry", "Isolated", "Net", "Pool", "backward", "convolve", "convolve_backward", "convolve_by_loop",
    "fit", "fold", "forward", "init_params", "pool", "pool_backward", "predict", "unfold",
]  # fmt: skip
