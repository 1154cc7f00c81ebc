"""Adam: one rule, and the differences between its forms in one table.

Nouns: an `Adam` holds the settings and the form; its `AdamState` holds the moments m and v and the step counts;
`step` moves the parameters in place; `report` tells what the moments say of every gate and matrix.

With g the gradient and t the number of steps an arc has made, every form computes

    m += (1 - beta1) (g - m)            v += (1 - beta2) (g² - v)
    w -= rate · m̂ / (root(v) + eps)

and they differ only in where the bias correction of v meets eps:

- "paper": Algorithm 1 of Kingma and Ba (2015), eps added to √v̂ = √(v / (1 - beta2ᵗ));
- "tf15": tf.train.AdamOptimizer of TensorFlow 1.5, the form before section 2.1 of the paper: eps (their ε̂)
  added to √v, the corrections gathered in the rate lr √(1 - beta2ᵗ) / (1 - beta1ᵗ); default eps 1e-8;
- "keras": the same with default eps 1e-7 (keras.optimizers.Adam).

eps in "tf15" therefore acts like eps / √(1 - beta2ᵗ) in "paper": 31.6 times as strongly at t = 1.

Options, the same in every form: `amsgrad` puts the largest v so far in the place of v (Reddi, Kale and Kumar,
2018; as in Keras and PyTorch the correction for t stays); `weight_decay` takes lr · weight_decay · w off every
weight beside the step, not through the gradient (Loshchilov and Hutter, 2019); `clip_norm` scales all gradients
so that their common norm is at most this (Pascanu, Mikolov and Bengio, 2013).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from lstm_lib.isolation.plan import Plan
from lstm_lib.network.cells import Array, Cell, get_cell
from lstm_lib.network.spec import Params, Spec
from lstm_lib.network.work import Arcs

from .edges import Todo, clipped, is_plain, made_wide, norm
from .parts import advanced, chosen_parts, isolated_arcs, moving, part_of
from .settings import check_choice


class Form(NamedTuple):
    """What tells one form of Adam from another."""

    default_eps: float
    eps_joins_corrected_root: bool  # True: √v̂ + eps; False: √v + eps


FORMS = {
    "paper": Form(1e-8, True),
    "tf15": Form(1e-8, False),
    "keras": Form(1e-7, False),
}


@dataclass
class AdamState:
    """Moments and step counts, by parameter name.

    A count is a number as long as all arcs of the parameter have made the same number of steps, and an
    array of the parameter's shape from the first step on that moved only some of them: an arc that was
    isolated and is updated again is corrected for its own number of steps. `v_max` is the largest v so far,
    kept for AMSGrad alone.
    """

    m: Params
    v: Params
    t: dict[str, int | Array]
    v_max: Params | None = None

    def copy(self) -> AdamState:
        """An independent copy."""
        return copy.deepcopy(self)

    def _moments(self, name: str) -> list[Array]:
        """m, v and, for AMSGrad, v_max of one parameter."""
        return [self.m[name], self.v[name]] + ([] if self.v_max is None else [self.v_max[name]])


@dataclass(frozen=True)
class Adam:
    """Settings of Adam (Kingma and Ba, 2015, arXiv:1412.6980).

    Parameters
    ----------
    lr : learning rate, > 0.
    beta1, beta2 : decay of the moments, in [0, 1).
    eps : > 0; None takes the form's default.
    form : "paper", "tf15" or "keras".
    amsgrad : divide by the root of the largest v so far.
    weight_decay : decoupled, >= 0; 0 decays nothing.
    clip_norm : largest norm of all gradients together, > 0; None clips nothing.

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
    amsgrad: bool = False
    weight_decay: float = 0.0
    clip_norm: float | None = None

    def __post_init__(self) -> None:
        check_choice("form", self.form, FORMS)
        if self.eps is None:
            object.__setattr__(self, "eps", FORMS[self.form].default_eps)
        for name in ("lr", "eps", *(["clip_norm"] if self.clip_norm is not None else [])):
            if not 0 < getattr(self, name) < np.inf:
                raise ValueError(f"{name} must be a positive number, got {getattr(self, name)!r}")
        for name in ("beta1", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must lie in [0, 1), got {getattr(self, name)!r}")
        if not 0 <= self.weight_decay < np.inf:
            raise ValueError(f"weight_decay must be 0 or a positive number, got {self.weight_decay!r}")

    def init(self, params: Params) -> AdamState:
        """A state of zeros for these parameters."""
        m, v, v_max = ({k: np.zeros_like(p) for k, p in params.items()} for _ in range(3))
        return AdamState(m, v, dict.fromkeys(params, 0), v_max if self.amsgrad else None)

    def step(
        self, params: Params, grads: Params, state: AdamState, plan: Plan | None = None, scale: float = 1.0
    ) -> None:
        """Move `params` and `state` in place by one step.

        Parameters
        ----------
        grads : names and shapes of `params`.
        plan : isolated arcs keep their value, moments and step count, bit for bit, and their gradients stay
            out of the norm that `clip_norm` bounds; None updates all. Where the plan's moments are "tracked",
            moments and counts of isolated arcs run on.
        scale : factor on the learning rate, from a rate (`rates.py`).

        Where a square or a setting leaves the parameters' dtype, the step is made in float64 and rounded.

        Raises ValueError for a scale that is not finite and when a gradient's shape or dtype differs from its
        parameter's, `NotFinite` (a ValueError) when it holds NaN or infinity, and when the step can't be had in this
        dtype, with the cause; nothing has been moved then.
        """
        if not np.isfinite(scale):
            raise ValueError(
                f"scale, the factor on the learning rate, must be a finite number, got {scale!r}"
            )
        active: dict[str, Arcs] = dict.fromkeys(params) if plan is None else plan.work.updates
        tracked = isolated_arcs(plan) if plan is not None and plan.moments == "tracked" else {}
        chosen = [
            {name: chosen_parts(name, params[name], grads[name], arcs) for name, arcs in some.items()}
            for some in (active, tracked)
        ]
        squares = sum(both[1] for some in chosen for both in some.values())
        moved, averaged = ({name: parts for name, (parts, _) in some.items()} for some in chosen)
        if self.clip_norm is not None:
            length = norm([g for parts in moved.values() for _, g in parts])
            if np.isinf(length):  # no number is as long as they are together: all are made shorter before
                for some in (moved, averaged):
                    some |= {k: [(at, np.ldexp(g, -64)) for at, g in parts] for k, parts in some.items()}
                length = norm([g for parts in moved.values() for _, g in parts])
            for some in (moved, averaged):
                for name, parts in some.items():
                    some[name] = [(at, clipped(g, self.clip_norm, length)) for at, g in parts]
        todo = [(tracked, averaged, False), (active, moved, True)]
        keep, joins = 1 - self.beta2, FORMS[self.form].eps_joins_corrected_root
        rate, eps = scale * self.lr, (self.eps or 0) * (keep**0.5 if joins else 1)
        dtype = next(iter(params.values())).dtype
        if is_plain(dtype, squares, rate, eps, keep, rate * self.weight_decay):
            self._make(todo, params, state, scale)
        else:
            made_wide(self, todo, params, state, scale)

    def _make(self, todo: Todo, params: Params, state: AdamState, scale: float) -> None:
        for some, chosen, moves in todo:
            for name, parts in chosen.items():
                arcs, whole = some[name], [params[name], *state._moments(name)]
                count = state.t[name] = advanced(state.t[name], arcs, params[name].shape)
                for at, g in parts:
                    with moving(whole, arcs, at) as (w, m, *vs):
                        v = self._average(g, m, *vs)
                        if moves:
                            t = count if np.ndim(count) == 0 else part_of(np.asarray(count), arcs, at)
                            self._move(w, m, v, t, scale)

    def _move(self, w: Array, m: Array, v: Array, t: int | Array, scale: float) -> None:
        if self.weight_decay:
            w -= w * (scale * self.lr * self.weight_decay)
        rate, eps = self._rate_and_eps(t, scale)
        w -= rate.astype(w.dtype) * m / (np.sqrt(v) + eps.astype(w.dtype))

    def _average(self, g: Array, m: Array, v: Array, v_max: Array | None = None) -> Array:
        """Move the moments in place and return the one that divides the step."""
        for moment, new, beta in ((m, g, self.beta1), (v, g * g, self.beta2)):
            if beta >= 0.5:
                moment += (new - moment) * (1 - beta)
            else:  # where little is kept, the difference to a large moment would lose what is new
                moment *= beta
                moment += new * (1 - beta)
        return v if v_max is None else np.maximum(v_max, v, out=v_max)

    def _rate_and_eps(self, t: int | Array, scale: float = 1.0) -> tuple[Any, Any]:
        """The factors of w -= rate · m / (√v + eps) after t steps, in float64."""
        if np.ndim(t) == 0:
            rate, eps = _factors(self, scale, int(t), int(t))
            return rate[0], eps[0]
        t = np.asarray(t)
        least, most = int(t.min()), int(t.max())
        rate, eps = _factors(self, scale, least, most)
        at = 0 if least == most else t - least  # one number for all: not one an arc
        return rate[at], eps[at]

    def report(self, state: AdamState, scale: float = 1.0, spec: Spec | None = None) -> Any:
        """What the moments say of every gate and matrix: a DataFrame with one row a zone.

        Parameters
        ----------
        state : after at least one step; arcs that have made none are left out.
        scale : factor on the learning rate in force.
        spec : the network, whose cell names the gates; None takes the matrices and gates of an LSTM.

        Returns
        -------
        DataFrame with the columns layer, matrix, gate ("" for the head), arcs, m_norm, v_norm (norms of m and
        v), step (mean |Δw| of the last step, without weight decay, in the weights' unit), snr (mean
        |m̂| / √v̂, the signal-to-noise ratio of section 2.1 of the paper; an arc with v = 0 counts as 0), and
        eps_limited (share of arcs with √v <= eps, where eps sets the size of the step).

        Raises ValueError when no arc has made a step, and for the matrices of another cell.

        >>> opt, params = Adam(), {"head/W": np.zeros((1, 2)), "head/b": np.zeros(1)}
        >>> state = opt.init(params)
        >>> opt.step(params, {k: np.ones_like(p) for k, p in params.items()}, state)
        >>> opt.report(state)[["matrix", "arcs", "step", "snr"]].round(4).to_dict("records")[0]
        {'matrix': 'W', 'arcs': 2, 'step': 0.001, 'snr': 1.0}
        """
        import pandas as pd  # here, so that the optimiser itself needs NumPy alone

        rows = [
            {"layer": layer, "matrix": matrix, "gate": gate}
            | self._row(state, f"{layer}/{matrix}", at, scale)
            for layer, matrix, gate, at in _zones(state, get_cell("standard") if spec is None else spec.row)
        ]
        if not (rows := [row for row in rows if row["arcs"]]):
            raise ValueError("the state has made no step; call report() after step()")
        return pd.DataFrame(rows)

    def _row(self, state: AdamState, name: str, at: Array, scale: float) -> dict[str, Any]:
        t = np.broadcast_to(state.t[name], state.m[name].shape)[at]
        m, v, *v_max = (a[at][t > 0].astype("float64") for a in state._moments(name))
        row: dict[str, Any] = {"arcs": m.size, "m_norm": np.linalg.norm(m), "v_norm": np.linalg.norm(v)}
        if not m.size:
            return row
        root, (rate, eps) = np.sqrt(v_max[0] if v_max else v), self._rate_and_eps(t[t > 0], scale)
        snr = np.divide(np.abs(m), root, out=np.zeros_like(m), where=root > 0) * rate / (scale * self.lr)
        step = rate * np.abs(m) / (root + eps)
        return row | {"step": step.mean(), "snr": snr.mean(), "eps_limited": np.mean(root <= eps)}


@lru_cache(maxsize=16)
def _factors(adam: Adam, scale: float, least: int, most: int) -> tuple[Array, Array]:
    """Rate and eps for every count from the least to the most: once for all parameters of a step, not once an arc."""
    counts = np.arange(least, most + 1, dtype=np.float64)
    root = np.sqrt(1 - adam.beta2**counts)
    rate = scale * adam.lr * root / (1 - adam.beta1**counts)
    # √v̂ + eps = (√v + eps √(1 - beta2ᵗ)) / √(1 - beta2ᵗ)
    joins = FORMS[adam.form].eps_joins_corrected_root
    return rate, (adam.eps or 0) * root if joins else np.full_like(root, adam.eps or 0)


def _zones(state: AdamState, cell: Cell) -> Iterator[tuple[str, str, str, Array]]:
    """Layer, matrix, gate and rows of every gate × matrix × layer of a network's state."""
    for name, m in state.m.items():
        layer, _, matrix = name.rpartition("/")
        gates = cell.matrices.get(matrix, "") if layer.isdigit() else [""]
        if not gates or (matrix == "Wh" and len(m) != len(gates) * m.shape[1]):
            raise ValueError(
                f"{name!r} {m.shape} does not belong to the cell {cell.name!r}; give report(..., spec=spec)"
            )
        for gate, rows in zip(gates, np.array_split(np.arange(len(m)), len(gates)), strict=True):
            yield layer, matrix, gate, rows
