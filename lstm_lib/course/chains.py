"""The exercises of notebook 01a: errors on a graph of numbers, of a product, of a batch, of a matrix used twice.

The graph's answers come from the local derivatives, path by path; those of arrays from the chain rule, entry by entry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from lstm_lib.network.cells import Array, tanh_slope

from .exercise import CASES, Case, Exercise, Mistake, Problem
from .quizzes import quiz

EXAMPLE = {"w": 0.5, "x": 2.0, "b": -0.5, "y": 1.0}  # the notebook's numbers

# node -> its sources, the node as a function of them, and the derivative by each of them, all of the sources' values
Graph = Mapping[str, tuple[tuple[str, ...], Callable[..., Any], Callable[..., tuple[Any, ...]]]]
GRAPH: Graph = {
    "u": (("w", "x"), lambda w, x: w * x, lambda w, x: (x, w)),
    "a": (("u",), np.tanh, lambda u: (1 - np.tanh(u) ** 2,)),
    "v": (("w", "a"), lambda w, a: w * a, lambda w, a: (a, w)),
    "s": (("v", "u"), lambda v, u: v - u, lambda v, u: (1.0, -1.0)),
    "L": (("s",), lambda s: s * s, lambda s: (2 * s,)),
}


def values_of(graph: Graph, given: Mapping[str, float]) -> dict[str, Any]:
    """The number of every node."""
    found: dict[str, Any] = dict(given)
    for node, (sources, function, _) in graph.items():
        found[node] = function(*(found[source] for source in sources))
    return found


def by_paths(
    graph: Graph, values: Mapping[str, Any], keep: Callable[[list[float]], float] = sum
) -> dict[str, float]:
    """The error of every node: over all paths from it to the loss, the sum of the products of local derivatives.

    keep : what is made of the paths of a node; `sum`, if not a mistake is meant.
    """
    last = list(graph)[-1]
    paths: dict[str, list[float]] = {last: [1.0]}
    for node in list(graph)[::-1]:
        sources, _, slopes = graph[node]
        for source, slope in zip(sources, slopes(*(values[s] for s in sources)), strict=True):
            paths.setdefault(source, []).extend(float(slope) * path for path in paths[node])
    return {node: float(keep(products)) for node, products in paths.items()}


def _scalar(case: Case) -> Problem:
    w, x, b, y = EXAMPLE.values()
    a = np.tanh(w * x + b)
    da, slope = 2 * (a - y), tanh_slope(a)
    dz = da * slope

    def made(dz: float, by_w: float = x, by_x: float = w) -> tuple[float, float, float]:
        return dz * by_w, dz * by_x, dz

    wrong = (
        Mistake("missing slope", made(da), "On the way from a to z."),
        Mistake("missing factor", made(dz / 2), "L is a square."),
        Mistake("missing factor", made(slope), "On the way from L to a."),
        Mistake("sign", made(-dz)),
        Mistake("slope at the wrong place", made(da * tanh_slope(np.tanh(a)))),
        Mistake("other slope", made(da * a * (1 - a))),
        Mistake("other quantity", made(dz, w, x), "A factor gets the error times the other factor."),
        Mistake("missing factor", made(dz, 1.0, 1.0), "On the way through the product w x."),
    )
    return Problem({}, made(dz), mistakes=wrong)


def _backward(case: Case) -> Problem:
    rng = np.random.default_rng(case.seed)
    values = values_of(GRAPH, {"w": rng.uniform(0.5, 1.5), "x": rng.uniform(0.5, 1.5)})
    right = by_paths(GRAPH, values)
    ahead = dict.fromkeys(values, 0.0) | {"L": 1.0}  # the graph from its first node on
    for node, (sources, _, slopes) in GRAPH.items():
        for source, slope in zip(sources, slopes(*(values[s] for s in sources)), strict=True):
            ahead[source] += ahead[node] * float(slope)
    local = dict.fromkeys(values, 0.0) | {"L": 1.0}  # local derivatives added up, without what arrives
    for sources, _, slopes in GRAPH.values():
        for source, slope in zip(sources, slopes(*(values[s] for s in sources)), strict=True):
            local[source] += float(slope)
    wrong = (
        Mistake("missing term", _overwritten(values), "w and u are used twice: is an error overwritten?"),
        Mistake(
            "missing term",
            by_paths(GRAPH, values, lambda p: p[0]),
            "Of a node that is used twice only one use counts.",
        ),
        Mistake("averaged", by_paths(GRAPH, values, lambda p: sum(p) / len(p)), "The uses add up."),
        Mistake("reversed", ahead, "The graph is walked from the first node to the last."),
        Mistake("missing factor", local, "The error of the node itself is missing in the product."),
        Mistake("sign", {node: -error for node, error in right.items()}),
    )
    return Problem({"graph": GRAPH, "values": values}, {n: right[n] for n in values}, mistakes=wrong)


def _overwritten(values: Mapping[str, Any]) -> dict[str, float]:
    """What comes out if a later use replaces the error of an earlier one."""
    errors = {"L": 1.0}
    for node in list(GRAPH)[::-1]:
        sources, _, slopes = GRAPH[node]
        for source, slope in zip(sources, slopes(*(values[s] for s in sources)), strict=True):
            errors[source] = errors[node] * float(slope)
    return errors


def _arrays(case: Case) -> tuple[Array, Array, Array, Array]:
    """W (H, D), x (D, B), an error (H, B), and a square matrix (H, H), at random."""
    rng = np.random.default_rng(case.seed)
    H, D, B = case.H, case.D, case.B
    return rng.normal(size=(H, D)), rng.normal(size=(D, B)), rng.normal(size=(H, B)), rng.normal(size=(H, H))


def _product(case: Case) -> Problem:
    W, x, dz = (a[:, 0] if k else a for k, a in enumerate(_arrays(case)[:3]))
    right = np.outer(dz, x), W.T @ dz
    wrong = (
        Mistake("transposed", (right[0].T, right[1])),
        Mistake("missing factor", (np.outer(dz, np.ones_like(x)), right[1]), "In dW."),
        Mistake("other quantity", (np.outer(W @ x, x), right[1]), "In dW: z in the place of its error."),
        Mistake("not summed", (right[0], W * dz[:, None]), "x is used in every row of W."),
        Mistake("missing term", (right[0], W[0] * dz[0]), "In dx: x is used in every row of W."),
        Mistake("missing factor", (right[0], W.sum(axis=0)), "In dx."),
    )
    return Problem({"W": W, "x": x, "dz": dz}, right, mistakes=wrong)


def _batch(case: Case) -> Problem:
    W, x, dz, _ = _arrays(case)
    B = case.B
    right = dz @ x.T, dz.sum(axis=1), W.T @ dz
    wrong = (
        Mistake("averaged", (right[0] / B, right[1] / B, right[2])),
        Mistake("averaged", (right[0], right[1] / B, right[2]), "In db."),
        Mistake("averaged", (right[0] / B, right[1], right[2]), "In dW."),
        Mistake("one sample", (dz[:, :1] @ x[:, :1].T, right[1], right[2]), "In dW."),
        Mistake("one sample", (right[0], dz[:, 0], right[2]), "In db."),
        Mistake("transposed", (x @ dz.T, right[1], right[2]), "In dW."),
        Mistake("not summed", (right[0], dz, right[2]), "In db."),
        Mistake("not summed", (right[0], dz.sum(axis=1, keepdims=True), right[2]), "In db: b has the shape (H,)."),
        Mistake("summed", (right[0], right[1], np.broadcast_to(right[2].sum(1, keepdims=True), x.shape)),
                "In dx: every sample has an x of its own."),
        Mistake("other quantity", ((W @ x) @ x.T, right[1], right[2]), "In dW: z in the place of its error."),
    )  # fmt: skip
    return Problem({"W": W, "x": x, "dz": dz}, right, mistakes=wrong)


def _vjp(case: Case) -> Problem:
    _, _, da, _ = _arrays(case)
    a = np.tanh(np.random.default_rng(case.seed + 7).normal(size=da.shape))
    wrong = (
        Mistake("slope at the wrong place", da * tanh_slope(np.tanh(a))),
        Mistake("other slope", da * a * (1 - a)),
        Mistake("inverse", da / tanh_slope(a)),
        Mistake("wrong sign of a term", da * (1 + a * a)),
        Mistake("missing factor", da * (1 - a), "The slope is not complete."),
    )
    return Problem(
        {"a": a, "da": da}, da * tanh_slope(a), ({"da": da, "slope": tanh_slope(a)},), wrong, ("H", "B")
    )


def _shared(case: Case) -> Problem:
    _, _, dh, W = _arrays(case)
    W, x = W / 2, np.random.default_rng(case.seed + 3).normal(size=dh.shape)
    a = np.tanh(W @ x)
    h = np.tanh(W @ a)
    dz = dh * tanh_slope(h)
    dz_below = (W.T @ dz) * tanh_slope(a)
    uses = dz @ a.T, dz_below @ x.T
    wrong = (
        Mistake("missing term", uses[0], "Only the second use of W counts."),
        Mistake("missing term", uses[1], "Only the first use of W counts."),
        Mistake("wrong sign of a term", uses[0] - uses[1]),
        Mistake("averaged", sum(uses) / 2, "The two uses add up."),
        Mistake("missing slope", dh @ a.T + ((W.T @ dh) * tanh_slope(a)) @ x.T, "Of the upper tanh."),
        Mistake("missing slope", uses[0] + (W.T @ dz) @ x.T, "Of the lower tanh."),
        Mistake("missing slope", dh @ a.T + (W.T @ dh) @ x.T, "Of both tanh."),
        Mistake("missing factor", uses[0] + (dz * tanh_slope(a)) @ x.T, "On the way down through W."),
        Mistake("transposed", uses[0] + ((W @ dz) * tanh_slope(a)) @ x.T, "Which matrix leads down?"),
        Mistake("other quantity", uses[0] + dz_below @ a.T, "Which source has the lower product?"),
        Mistake("other quantity", dz @ x.T + uses[1], "Which source has the upper product?"),
        Mistake("other quantity", dz @ h.T + uses[1], "Which source has the upper product?"),
    )
    return Problem({"W": W, "x": x, "dh": dh}, uses[0] + uses[1], mistakes=wrong)


NAMED = {"01.product": ("dW", "dx"), "01.batch": ("dW", "db", "dx")}
EXERCISES = (
    Exercise("01.scalar", "dw, dx and db of the graph, in your head", "(1.2)",
             "From L to the left; at each arrow multiply by its local derivative.",
             _scalar, notebook=Case(B=2), cases=(), names=("dw", "dx", "db")),
    Exercise("01.backward", "the errors of any graph", "(1.2) and (1.3)",
             "From the last node to the first; each hands its error, times a local derivative, to each source: `+=`.",
             _backward, ("graph", "values"), cases=(Case(B=3, seed=1), Case(B=4, seed=2))),
    Exercise("01.product", "dW and dx of z = W x, for one sample", "(1.6)",
             "z_i = Σ_j W_ij x_j: in which z stands W_ij, and in which x_j?",
             _product, ("W", "x", "dz"), names=NAMED["01.product"]),
    Exercise("01.tanh", "dz of a = tanh(z)", "(1.5)", "Each entry of a depends on its own z alone.", _vjp, ("a", "da")),
    Exercise("01.batch", "dW, db and dx of z = W x + b, for a batch", "(1.7)",
             "All samples use W and b, so their parts add up; every sample has its own x.",
             _batch, ("W", "x", "dz"), names=NAMED["01.batch"]),
    Exercise("01.shared", "dW of h = tanh(W tanh(W x))", "(1.8)",
             "Give the two uses names, take (1.7) for each, and add.", _shared, ("W", "x", "dh"), cases=CASES),
    quiz("01.quiz_order", "in which order a long chain of Jacobians is multiplied", "b",
         {"a": "Count: a product of two (n, n) matrices takes n³ multiplications, and there are many.",
          "c": "The result is the same, its price is not."},
         "(1.4)", "The loss is one number, so the leftmost factor is a row."),
)  # fmt: skip
