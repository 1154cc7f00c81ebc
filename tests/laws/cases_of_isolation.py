"""Random networks, zones, spans and ways to compute, for the laws of isolation."""

from __future__ import annotations

import os
from itertools import product
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st

import lstm_lib as ll
from lstm_lib.isolation import products
from lstm_lib.isolation.partition import partition
from lstm_lib.isolation.zones import Zone, zone
from lstm_lib.network.cells import CELLS
from tests.cases import Case, build

MANY = settings(max_examples=5 * settings.default.max_examples)  # 500, or 10,000 under `make soak`
WAYS = st.sampled_from(["cheapest", "sliced", "whole"])
# both, or the one that the environment names
ENGINES = st.sampled_from(os.environ.get("LSTM_LIB_ENGINE", "plain compiled").split())


class Isolated(NamedTuple):
    """A network with data, and what of it is isolated."""

    case: Case
    zone: Zone
    span: int | None


def random_specs(most_units: int = 6) -> st.SearchStrategy[ll.Spec]:
    """Networks of every cell, one to three layers, all heads, the last or every output."""
    return st.builds(
        lambda D, units, *rest: ll.Spec(D, tuple(units), *rest),
        st.integers(1, 3),
        st.lists(st.integers(1, most_units), min_size=1, max_size=3),
        st.integers(1, 3),
        st.sampled_from([*CELLS]),
        st.sampled_from(["linear", "softmax", "quantiles"]),
        st.sampled_from(["last", "every"]),
    )


@st.composite
def zones(draw: st.DrawFn, spec: ll.Spec) -> Zone:
    """Any set of arcs: random bits, unions of blocks, of selections, and complements of these."""
    rng = np.random.default_rng(draw(st.integers(0, 9999)))
    kind = draw(st.sampled_from(["bits", "blocks", "units", "matrices"]))
    if kind == "bits":
        shares = draw(st.lists(st.sampled_from([0, 0.1, 0.5, 0.9, 1]), min_size=14, max_size=14))
        shapes = zip(spec.shapes.items(), shares, strict=False)
        return Zone(spec, {k: rng.random(shape) < share for (k, shape), share in shapes})
    if kind == "blocks":
        sources = draw(st.sampled_from([None, 2]))
        blocks = partition(spec, draw(st.sampled_from([None, 2, 3])), sources=sources)
    elif kind == "units":
        blocks = partition(spec, 9, by="unit")
    else:
        names = [f"{k}/{m}" for k, m in product(range(spec.layers), spec.row.matrices)] + ["head/W", "head/b"]
        found = ll.nothing(spec)
        for name in names:
            if rng.random() < 0.5:
                found = found | ll.read_zone(spec, name)
        return found
    share = draw(st.sampled_from([0.1, 0.5, 0.9]))
    found = blocks.union(name for name in blocks if rng.random() < share)
    return found - zone(spec, layer="head") if draw(st.booleans()) else found


@st.composite
def isolated(draw: st.DrawFn, dtype: str = "float64") -> Isolated:
    """A network, a zone of it and a span."""
    spec = draw(random_specs())
    T, B = draw(st.sampled_from([1, 2, 3, 5, 9, 18])), draw(st.integers(1, 4))
    case = build(spec, T, B, draw(st.integers(0, 999)), dtype)
    return Isolated(case, draw(zones(spec)), draw(st.none() | st.integers(1, T + 2)))


def choose(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks of tests are too small for slices to pay; here each way to compute has its turn.

    Gathering rows and keeping scattered units always pays or never; so does telling rectangles apart.
    """
    if way != "cheapest":
        monkeypatch.setattr(products, "COPY", 0 if way == "sliced" else 1e9)
        monkeypatch.setattr(products, "SCATTERED", 0 if way == "sliced" else 1e9)
