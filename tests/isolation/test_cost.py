"""The bytes of a cost, added up by hand from what a fused pass reads and writes; its FLOPs are law 5."""

from __future__ import annotations

import pytest

import lstm_lib as ll
from lstm_lib.isolation import products
from lstm_lib.isolation.plan import isolate

T, B = 5, 4


def numbers(spec: ll.Spec, text: str, depth: str = "skip", span: int | None = None) -> tuple[float, ...]:
    """What forward pass, errors and weight gradients move, as numbers of 8 bytes."""
    moved = isolate(spec, ll.read_zone(spec, text), depth, span).cost(T, B, "float64").bytes
    return moved.forward / 8, moved.error / 8, moved.weights / 8


def test_the_numbers_of_a_dense_step() -> None:
    """Weights are read and copied; blocks, values and states once for each step and unit, states more often."""
    forward = 2 * 12 * 6 + (2 * 2 + (4 + 5 + 2 * 2) * 3) * B * T
    through = 3 * 3 * B * (T - 1)
    from_head = 3 * 3 * B
    error = ((5 + 4 * 2 + 4) * T + 1) * 3 * B + through + from_head
    weights = 2 * 12 * 6 + 2 * (12 + 6) * T * B + 2 * (2 + 3) * B
    assert numbers(ll.Spec(2, (3,), 2), "nothing") == (forward, error, weights)


def test_the_numbers_of_two_stages_two_layers_and_a_span() -> None:
    """A part of a matrix is copied once; the second stage carries its errors at the first step and at a border too."""
    forward = 2 * 9 * 9 + (2 * 2 + 8 * 3) * B * T + 2 * 6 * 8 + (2 * 3 + 8 * 2) * B * T
    carried = T - 1 - 1  # one border
    low = (10 * T + T) * 3 * B + (2 * 6 * 3 + 3 * 3 * B * carried) + (2 * 3 * 3 + 3 * 3 * B * T)
    top = (10 * T + T) * 2 * B + (2 * 4 * 2 + 3 * 2 * B * carried) + (2 * 2 * 2 + 3 * 2 * B * T)
    down = 3 * 3 * B * T + 3 * 2 * B * T  # from layer 1, and from the head
    products = sum(2 * rows * 6 + 2 * (rows + 6) * T * B for rows in (6, 3, 4, 2))
    spec = ll.Spec(2, (3, 2), 2, "gru_v3", output="every")
    assert numbers(spec, "nothing", span=3) == (forward, low + top + down, products + 2 * (2 + 2) * T * B)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # rows or sources that are no neighbours are gathered: read once more and written once more
        ("0[1,3] | head", 2 * 8 * 8 + (4 * 8 + 2 * 8) * T * B),
        ("0/Wx[:;1] | head", 2 * 16 * 7 + (2 * 16 + 4 * 7) * T * B),
        # two rectangles: x and 1 are neighbours, h and 1 are not
        (
            "0/Wh/fi | 0/Wx/og | head",
            2 * 8 * 4 + (2 * 8 + 2 * 4) * T * B + 2 * 8 * 5 + (2 * 8 + 4 * 5) * T * B,
        ),
    ],
)
def test_the_numbers_of_some_weights(text: str, expected: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "COPY", 0)
    assert numbers(ll.Spec(3, (4,), 1), text)[2] == expected


@pytest.mark.parametrize(
    ("text", "units", "through"),
    [
        ("0[1,3] | head/b", 2, 2 * 8 * 2 + 3 * 2 * B * (T - 1) + 2 * 2),  # a part of Wh, and of the head's W
        ("0/Wh[1,3] | head/b", 4, 2 * 8 * 4 + (2 * 8 + 3 * 4) * B * (T - 1)),  # half of the rows, gathered
    ],
)
def test_the_numbers_of_some_errors(
    text: str, units: int, through: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(products, "COPY", 0)
    from_head = 3 * units * B
    assert numbers(ll.Spec(3, (4,), 1), text, "cut")[1] == (17 * T + 1) * units * B + through + from_head
