"""Adam: one rule, and the differences between its forms in one table.

Nouns: an `Adam` holds the settings and the form; its `State` holds the moments m and v and the step counts;
`step` moves the parameters in place.

With g the gradient and t the number of steps an arc has made, every form computes

    m += (1 - beta1) (g - m)            v += (1 - beta2) (g² - v)
    w -= rate · m̂ / (root(v) + eps)

and they differ only in where the bias correction of v meets eps:

- "paper": Algorithm 1 of Kingma and Ba (2015), eps added to √v̂ = √(v / (1 - beta2ᵗ));
- "tf15": tf.train.AdamOptimizer of TensorFlow 1.5, the form before section 2.1 of the paper: eps (their ε̂)
  added to √v, the corrections gathered in the rate lr √(1 - beta2ᵗ) / (1 - beta1ᵗ); default eps 1e-8;
- "keras": the same with default eps 1e-7 (keras.optimizers.Adam).

eps in "tf15" therefore acts like eps / √(1 - beta2ᵗ) in "paper": 31.6 times as strongly at t = 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from .cell import Array
from .spec import Params


class Form(NamedTuple):
    """What tells one form of Adam from another."""

    default_eps: float
    eps_joins_corrected_root: bool  # True: √v̂ + eps; False: √v + eps


FORMS = {
    "paper": Form(1e-8, True),
    "tf15": Form(1e-8, False),
    "keras": Form(1e-7, False),
}


class UpdatesLike(Protocol):
    """What `step` reads of a plan: see `lstm_lib.zones.Plan.updates`."""

    @property
    def updates(self) -> dict[str, Array | None]:  # noqa: D102
        ...


@dataclass
class State:
    """Moments and step counts, by parameter name.

    A count is a number as long as all arcs of the parameter have made the same number of steps, and an
    array of the parameter's shape from the first step on that moved only some of them: an arc that was
    isolated and is updated again is corrected for its own number of steps.
    """

    m: Params
    v: Params
    t: dict[str, int | Array]

    def copy(self) -> State:
        """An independent copy."""
        return State(
            {k: a.copy() for k, a in self.m.items()},
            {k: a.copy() for k, a in self.v.items()},
            {k: t if isinstance(t, int) else t.copy() for k, t in self.t.items()},
        )


@dataclass(frozen=True)
class Adam:
    """Settings of Adam (Kingma and Ba, 2015, arXiv:1412.6980).

    Parameters
    ----------
    lr : learning rate, > 0.
    beta1, beta2 : decay of the moments, in [0, 1).
    eps : > 0; None takes the form's default.
    form : "paper", "tf15" or "keras".

    Raises ValueError that names the setting and what is allowed.

    >>> opt = Adam(lr=0.1, form="paper")
    >>> params = {"w": np.zeros(1)}
    >>> state = opt.init(params)
    >>> opt.step(params, {"w": np.array([5.0])}, state)
    >>> params["w"].round(6).tolist()
    [-0.1]
    """

    lr: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float | None = None
    form: str = "tf15"

    def __post_init__(self) -> None:
        if self.form not in FORMS:
            raise ValueError(f"form is {self.form!r}; the choices are {', '.join(FORMS)}")
        if self.eps is None:
            object.__setattr__(self, "eps", FORMS[self.form].default_eps)
        for name in ("lr", "eps"):
            if not 0 < getattr(self, name) < np.inf:
                raise ValueError(f"{name} must be a positive number, got {getattr(self, name)!r}")
        for name in ("beta1", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must lie in [0, 1), got {getattr(self, name)!r}")

    def init(self, params: Params) -> State:
        """A state of zeros for these parameters."""
        zeros = {k: np.zeros_like(p) for k, p in params.items()}
        return State(zeros, {k: np.zeros_like(p) for k, p in params.items()}, dict.fromkeys(params, 0))

    def step(
        self, params: Params, grads: Params, state: State, plan: UpdatesLike | None = None, scale: float = 1.0
    ) -> None:
        """Move `params` and `state` in place by one step.

        Parameters
        ----------
        grads : names and shapes of `params`.
        plan : isolated arcs keep their value, moments and step count, bit for bit; None updates all.
        scale : factor on the learning rate, for schedules.

        Raises ValueError when a gradient's shape or dtype differs from its parameter's.
        """
        for name in params if plan is None else plan.updates:
            w, g = params[name], grads[name]
            if g.shape != w.shape or g.dtype != w.dtype:
                raise ValueError(f"grads[{name!r}] is {g.dtype} {g.shape}; expected {w.dtype} {w.shape}")
            arcs = None if plan is None else plan.updates[name]
            if arcs is None:
                state.t[name] = state.t[name] + 1
                self._move(w, g, state.m[name], state.v[name], state.t[name], scale)
            else:
                self._move_some(name, w, g, state, arcs, scale)

    def _move_some(self, name: str, w: Array, g: Array, state: State, arcs: Array, scale: float) -> None:
        """Gather the active arcs, move them, scatter them back."""
        count = state.t[name]
        if isinstance(count, int):
            count = state.t[name] = np.full(w.shape, count)
        np.put(count, arcs, np.take(count, arcs) + 1)
        whole = (w, state.m[name], state.v[name])
        part = [np.take(a, arcs) for a in whole]
        self._move(part[0], np.take(g, arcs), part[1], part[2], np.take(count, arcs), scale)
        for a, moved in zip(whole, part, strict=True):
            np.put(a, arcs, moved)

    def _move(self, w: Array, g: Array, m: Array, v: Array, t: int | Array, scale: float) -> None:
        m += (g - m) * (1 - self.beta1)
        v += (g * g - v) * (1 - self.beta2)
        # the correction and the rate in float64, then in the parameter's dtype
        root1 = np.sqrt(1 - self.beta2 ** np.float64(t))
        rate = scale * self.lr / (1 - self.beta1 ** np.float64(t))
        if FORMS[self.form].eps_joins_corrected_root:
            eps = self.eps * root1  # √v̂ + eps = (√v + eps √(1 - beta2ᵗ)) / √(1 - beta2ᵗ)
        else:
            eps = np.float64(self.eps or 0)
        w -= (rate * root1).astype(w.dtype) * m / (np.sqrt(v) + eps.astype(w.dtype))
