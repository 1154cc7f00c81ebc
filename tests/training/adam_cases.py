"""What the tests of Adam's options share: settings, a run of gradients, and the path of the weights."""

from __future__ import annotations

import numpy as np

import lstm_lib as ll

STEPS = 30
START = np.linspace(-1, 1, 8).reshape(2, 4)
OPTIONS = [
    {},
    {"amsgrad": True},
    {"weight_decay": 0.05},
    {"amsgrad": True, "weight_decay": 0.01, "eps": 1e-3},
    {"clip_norm": 0.7},
    {"clip_norm": 0.7, "weight_decay": 0.05, "amsgrad": True},
]


def gradients(
    rng: np.random.Generator, sizes: tuple[float, ...] = (1e-6, 1.0, 3.0, 1e-3)
) -> list[np.ndarray]:
    """Gradients (2, 4) that shrink in time, so that the largest v so far differs from v."""
    return [rng.standard_normal((2, 4)) * np.array(sizes) / (1 + k) ** 2 for k in range(STEPS)]


def walk(opt: ll.Adam, grads: list[np.ndarray]) -> np.ndarray:
    """Weights after every step, from the same start as the references."""
    params = {"w": START.copy()}
    state, path = opt.init(params), []
    for g in grads:
        opt.step(params, {"w": g}, state)
        path.append(params["w"].copy())
    return np.array(path)
