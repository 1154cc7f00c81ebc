"""The training step, and what is made ready before its clock starts: compiled loops, a number of threads.

Noun: a `Step` is forward, loss, backward and Adam for one network; `fit` makes its steps with it and `timing` times it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from lstm_lib.isolation.plan import Plan
from lstm_lib.network import compiled
from lstm_lib.network.backward import backward
from lstm_lib.network.cells import Array
from lstm_lib.network.compiled_loops import announced
from lstm_lib.network.forward import forward
from lstm_lib.network.losses import loss_of
from lstm_lib.network.spec import Params, Spec
from lstm_lib.network.trace import Trace, Workspace, shares_of

from .adam import Adam, AdamState
from .parts import NotFinite

# FLOPs of a time step's product below which a second thread gains little (see `threads_for`)
SMALL_PRODUCT = 5e6


class Stepped(NamedTuple):
    """What a step leaves: the loss before it, the gradients, and the trace of its forward pass."""

    loss: float
    grads: Params
    trace: Trace


@dataclass(frozen=True)
class Step:
    """The whole training step of a network; call it with parameters, Adam's state and a batch.

    >>> from lstm_lib import init_params
    >>> spec = Spec(inputs=2, units=(3,), outputs=1)
    >>> step, params = Step.ready(spec, Adam(), "float32"), init_params(spec)
    >>> x, y = np.ones((4, 5, 2), np.float32), np.ones((4, 1), np.float32)
    >>> state = step.optimizer.init(params)
    >>> first, second = (step(params, state, x, y).loss for _ in range(2))
    >>> second < first
    True
    """

    spec: Spec
    optimizer: Adam
    work: Workspace = field(repr=False)

    @classmethod
    def ready(
        cls,
        spec: Spec,
        optimizer: Adam,
        dtype: str | np.dtype[np.generic],
        engine: str | None = None,
        announce: bool = False,
    ) -> Step:
        """A step that has nothing left to compile, so that this is never counted as training time.

        engine : None takes what `forward` would. Raises ValueError for an engine that isn't there.
        announce : say on stderr when something has to be compiled.
        """
        engine = compiled.choose(engine, np.dtype(dtype))
        step = cls(spec, optimizer, Workspace(engine))
        if engine == "compiled":
            params = {name: np.zeros(shape, dtype) for name, shape in spec.shapes.items()}
            with announced() if announce else nullcontext():
                yhat, trace = forward(spec, params, np.zeros((1, 2, spec.inputs), dtype), engine=engine)
                backward(spec, params, trace, np.ones_like(yhat))
        return step

    @contextmanager
    def threads(self, batch: int, limit: int | None = None) -> Iterator[int | None]:
        """Within a `with`, run on as many threads as serve batches of this size, and say how many these are.

        A large batch is divided among threads by the compiled engine, and its products take one each; else threads
        share the products, where these are large (`threads_for`).

        limit : at most so many; None takes those that the library of the products has. Without threadpoolctl nothing is
        limited, and the number is None: not known.
        """
        if importlib.util.find_spec("threadpoolctl") is None:
            yield None
            return
        from threadpoolctl import threadpool_info, threadpool_limits

        def most() -> int:
            return max((pool["num_threads"] for pool in threadpool_info()), default=1)

        shares = shares_of(batch, limit or most()) if self.work.engine == "compiled" else 1
        with threadpool_limits(1 if shares > 1 else limit or threads_for(self.spec, batch)):
            self.work.threads = shares
            try:
                yield max(shares, most())
            finally:
                self.work.threads = 1

    def __call__(
        self,
        params: Params,
        state: AdamState,
        x: Array,
        y: Array,
        weights: Array | None = None,
        initial: list[tuple[Array, ...]] | None = None,
        plan: Plan | None = None,
        scale: float = 1.0,
    ) -> Stepped:
        """Move `params` and `state` in place.

        Parameters
        ----------
        x, y : a batch; under a plan at depth "cache" x is the output of the layers that are remembered.
        weights : (B, T), how much each step counts, where y has a target at every step; None where the spec says which.
        initial : the states before, as for `forward`.
        scale : factor on the learning rate.

        Raises `NotFinite` when the loss or a gradient holds NaN or infinity; nothing has been moved then.
        """
        known = 0 if plan is None else plan.cached
        output = None if weights is None else "every"
        yhat, trace = forward(self.spec, params, x, self.work, initial, known=known, output=output)
        loss, dy = loss_of(self.spec)(yhat, y, weights)
        if not np.isfinite(loss):
            raise NotFinite(f"loss is {loss}")
        grads = backward(self.spec, params, trace, dy, plan)
        self.optimizer.step(params, grads, state, plan, scale)
        return Stepped(float(loss), grads, trace)


def threads_for(spec: Spec, batch: int) -> int | None:
    """One thread when every step's product is small, else None: no limit.

    Threads that share a small product wait for each other in a busy loop. On a machine that does something else
    besides, a step of 64 units was seen to take 350 ms instead of 10 that way, to gain 2 where nothing else ran.
    """
    blocks = len(spec.row.blocks)
    largest = max(2 * blocks * H * (H + spec.fan_in(k) + 1) * batch for k, H in enumerate(spec.units))
    return 1 if largest < SMALL_PRODUCT else None
