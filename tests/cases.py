"""Builders shared by the tests: networks with random non-zero biases, data for them, a plain reference.

The reference runs `cell.step_forward` and `cell.step_backward` step by step; it is as slow as it is short.
Arrays inside are feature-major, (rows, B) per step, as in `lstm_lib.network`.
"""

from __future__ import annotations

from itertools import product
from typing import Any, NamedTuple

import numpy as np

import lstm_lib as ll
from lstm_lib.network.cells import CELLS
from lstm_lib.network.spec import HEADS, OUTPUTS
from lstm_lib.network.step import step_backward, step_forward

# Largest accepted difference between two orders of the same sums, relative to the largest entry of the array.
ROUNDING = {"float64": 1e-12, "float32": 1e-4}

# Every kind of network: all cells, one to three layers, all heads, the last or every output.
KINDS = {
    f"{cell}-{len(units)}-{head}-{output}": ll.Spec(2, units, 3, cell, head, output)
    for cell, units, head, output in product(CELLS, ((3,), (2, 4), (3, 2, 2)), HEADS, OUTPUTS)
}
# Lengths around the eight steps after which the backward pass looks at its errors.
LENGTHS = (1, 2, 7, 8, 9, 15, 16, 17, 40)


class Case(NamedTuple):
    """A network and what is put through it."""

    spec: ll.Spec
    params: dict[str, Any]
    x: Any  # (B, T, D)
    y: Any  # shape of yhat; probabilities for the softmax head, one for all quantiles of a target value
    dy: Any  # shape of yhat: an error of the forecast that no loss made
    initial: list[tuple[Any, ...]]  # the states of each layer: (h, c), or (h,)

    def astype(self, dtype: str) -> Case:
        """The same numbers in another dtype."""
        return self._replace(
            params={k: p.astype(dtype) for k, p in self.params.items()},
            initial=[tuple(a.astype(dtype) for a in states) for states in self.initial],
            **{name: getattr(self, name).astype(dtype) for name in ("x", "y", "dy")},
        )

    def forward(
        self, work: ll.Workspace | None = None, engine: str | None = None, output: str | None = None
    ) -> tuple[Any, ll.Trace]:
        return ll.forward(self.spec, self.params, self.x, work, self.initial, engine=engine, output=output)

    def backward(
        self, trace: ll.Trace, plan: ll.Plan | None = None, also: Any = ("x", "state")
    ) -> dict[str, Any]:
        return ll.backward(self.spec, self.params, trace, self.dy, plan, also)


def build(spec: ll.Spec, T: int = 5, B: int = 3, seed: int = 0, dtype: str = "float64") -> Case:
    """A network with random weights, non-zero biases and a non-zero initial state."""
    rng = np.random.default_rng(seed)

    def normal(*shape: int) -> Any:
        return rng.standard_normal(shape).astype(dtype)

    # through peepholes the cell state reads itself: with weights as large as the others' its errors explode
    size = {name: 0.1 if name.endswith("/p") else 0.6 for name in spec.shapes}
    params = {name: (normal(*shape) * size[name]).astype(dtype) for name, shape in spec.shapes.items()}
    out = (B, spec.outputs) if spec.output == "last" else (B, T, spec.outputs)
    y = normal(*out[:-1], out[-1] // max(1, len(spec.levels)))
    if spec.head == "softmax":
        y = np.exp(y) / np.exp(y).sum(axis=-1, keepdims=True)
    initial = [tuple(normal(B, H) for _ in spec.row.states) for H in spec.units]
    return Case(spec, params, normal(B, T, spec.inputs), y, normal(*out), initial)


def same(ours: Any, reference: Any, tolerance: float | None = None) -> None:
    """Assert equality up to rounding, relative to the largest entry of each array; dicts array by array."""
    if isinstance(reference, dict):
        assert ours.keys() == reference.keys()
        for name in reference:
            try:
                same(ours[name], reference[name], tolerance)
            except AssertionError as error:
                raise AssertionError(f"{name}: {error}") from None
        return
    ours, reference = np.asarray(ours), np.asarray(reference)
    assert ours.shape == reference.shape
    size = max(float(np.abs(reference).max(initial=0)), 1e-300)
    allowed = (tolerance or ROUNDING[ours.dtype.name]) * size
    allowed = max(allowed, float(np.finfo(ours.dtype).tiny))  # below it a dtype has no digits to be equal in
    np.testing.assert_allclose(ours, reference, rtol=0, atol=allowed)


def identical(ours: Any, reference: Any) -> None:
    """Assert equality bit for bit; dicts array by array."""
    if isinstance(reference, dict):
        assert ours.keys() == reference.keys()
        for name in reference:
            assert ours[name].tobytes() == reference[name].tobytes(), name
        return
    assert ours.dtype == reference.dtype
    assert ours.shape == reference.shape
    assert ours.tobytes() == reference.tobytes()


# ------------------------------------------------------------------------------------------- plain reference


def matrices(case: Case, k: int) -> dict[str, Any]:
    """The parameters of layer k, by matrix."""
    return {matrix: case.params[f"{k}/{matrix}"] for matrix in case.spec.row.matrices}


def plain_forward(case: Case) -> tuple[Any, list[list[Any]]]:
    """Forecast, and the step traces of every layer: traces[layer][step]."""
    spec, p = case.spec, case.params
    below, traces = list(case.x.transpose(1, 2, 0)), []
    for k in range(spec.layers):
        states = [a.T for a in case.initial[k]]
        steps = []
        for x in below:
            steps.append(step_forward(spec.row, matrices(case, k), x, *states))
            states = [getattr(steps[-1], name) for name in spec.row.states]
        traces.append(steps)
        below = [step.h for step in steps]
    scores = np.stack([(p["head/W"] @ h + p["head/b"][:, None]).T for h in below], axis=1)  # (B, T, O)
    if spec.head == "softmax":
        scores = np.exp(scores) / np.exp(scores).sum(axis=-1, keepdims=True)
    return (scores if spec.output == "every" else scores[:, -1]), traces


def plain_backward(
    case: Case, traces: list[list[Any]], span: int | None = None, cut: ll.Zone | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Gradients, and ∂L/∂ of every step's z and states: "0/z" (T, P·H, B), … Steps that no error reaches have none.

    Counted from the end, no error crosses the border after every `span` steps.

    No error passes through an arc of the zone `cut`; the gradients of these arcs are there all the same.
    """
    spec, T = case.spec, case.x.shape[1]
    if cut is not None:  # what carries errors
        case = case._replace(params={k: np.where(cut.mask(k), 0, a) for k, a in case.params.items()})
    p, states = case.params, spec.row.states
    start = 0 if span is None or spec.output == "every" else max(0, T - span)
    ds = (
        case.dy.transpose(1, 2, 0)
        if spec.output == "every"
        else [case.dy.T if t == T - 1 else None for t in range(T)]
    )
    grads = {name: np.zeros_like(a) for name, a in p.items()} | {"x": np.zeros_like(case.x)}
    steps: dict[str, Any] = {}
    above: list[Any] = [0] * T  # error of the top layer's h at every step
    for t in range(T):
        if ds[t] is not None:
            grads["head/W"] += ds[t] @ traces[-1][t].h.T
            grads["head/b"] += ds[t].sum(axis=1)
            above[t] = p["head/W"].T @ ds[t]
    for k in reversed(range(spec.layers)):
        errors = [np.zeros_like(a.T) for a in case.initial[k]]
        below, dz, whole = [0] * T, [0] * T, {name: [0] * T for name in states}
        for t in reversed(range(start, T)):
            errors[0] = whole["h"][t] = errors[0] + above[t]
            g = step_backward(spec.row, matrices(case, k), traces[k][t], *errors)
            for matrix in spec.row.matrices:
                grads[f"{k}/{matrix}"] += getattr(g, matrix)
            for name in states[1:]:
                whole[name][t] = getattr(g, name)
            errors, below[t], dz[t] = [getattr(g, f"{name}_prev") for name in states], g.x, g.z
            if t > start and span is not None and (T - t) % span == 0:
                errors = [np.zeros_like(a) for a in errors]
        if k == 0:
            grads["x"][:, start:] = np.stack(below[start:], axis=0).transpose(2, 0, 1)
        if start:  # the error stopped on its way to the initial state
            errors = [np.zeros_like(a) for a in errors]
        grads |= {f"{k}/{name}0": error.T for name, error in zip(states, errors, strict=True)}
        steps |= {f"{k}/{name}": np.stack(a[start:]) for name, a in (("z", dz), *whole.items())}
        above = below
    return grads, steps
