"""The bytes and calls of a cost, added up by hand from what a fused pass reads and writes; its FLOPs are law 5."""

from __future__ import annotations

import pytest

import lstm_lib as ll
from lstm_lib.isolation import products
from lstm_lib.isolation.cost import BYTES_A_SECOND, CALL_SECONDS, FLOPS_A_SECOND
from lstm_lib.isolation.plan import isolate

T, B = 5, 4


def numbers(spec: ll.Spec, text: str, depth: str = "skip", span: int | None = None) -> tuple[float, ...]:
    """What forward pass, errors and weight gradients move, as numbers of 8 bytes."""
    moved = isolate(spec, ll.read_zone(spec, text), depth, span).cost(T, B, "float64").bytes
    return moved.forward / 8, moved.error / 8, moved.weights / 8


def test_the_numbers_of_a_dense_step() -> None:
    """Weights are read and copied, and read at each step; blocks, values and states once for each step and unit."""
    forward = (2 + T) * 12 * 6 + (2 * 2 + (4 + 5 + 2 * 2) * 3) * B * T
    through = (12 * 3 + 3 * 3 * B) * (T - 1)
    from_head = 2 * 3 + 3 * 3 * B
    error = ((5 + 4 * 2 + 4) * T + 1) * 3 * B + through + from_head
    weights = 2 * 12 * 6 + 2 * (12 + 6) * T * B + 2 * (2 + 3) * B
    assert numbers(ll.Spec(2, (3,), 2), "nothing") == (forward, error, weights)


def test_the_numbers_of_two_stages_two_layers_and_a_span() -> None:
    """A part of a matrix is copied once; the second stage carries its errors at the first step and at a border too."""
    forward = 2 * 9 * 9 + (2 * 2 + 8 * 3) * B * T + 2 * 6 * 8 + (2 * 3 + 8 * 2) * B * T
    forward += T * (
        (6 + 3) * (3 + 2 + 1) + (4 + 2) * (2 + 3 + 1)
    )  # the products of both stages, of both layers
    carried = T - 1 - 1  # one border
    low = (10 * T + T) * 3 * B + (2 * 6 * 3 + 3 * 3 * B * carried) + (2 * 3 * 3 + 3 * 3 * B * T)
    low += 6 * 3 * carried + 3 * 3 * T
    top = (10 * T + T) * 2 * B + (2 * 4 * 2 + 3 * 2 * B * carried) + (2 * 2 * 2 + 3 * 2 * B * T)
    top += 4 * 2 * carried + 2 * 2 * T
    down = (6 * 3 + 3 * 3 * B) * T + (2 * 2 + 3 * 2 * B) * T  # from layer 1, and from the head
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
        # a part of Wh, and of the head's W
        ("0[1,3] | head/b", 2, 2 * 8 * 2 + (8 * 2 + 3 * 2 * B) * (T - 1) + 2 * 2),
        # half of the rows, gathered
        ("0/Wh[1,3] | head/b", 4, 2 * 8 * 4 + (8 * 4 + (2 * 8 + 3 * 4) * B) * (T - 1)),
    ],
)
def test_the_numbers_of_some_errors(
    text: str, units: int, through: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(products, "COPY", 0)
    from_head = units + 3 * units * B
    assert numbers(ll.Spec(3, (4,), 1), text, "cut")[1] == (17 * T + 1) * units * B + through + from_head


# ------------------------------------------------------------------------------------------------- calls and seconds


@pytest.mark.parametrize(
    ("units", "text", "depth", "calls"),
    [
        ((4,), "nothing", "skip", (3, 4, 2, 5)),
        ((4, 4), "nothing", "skip", (4, 6, 3, 8)),
        ((4, 4), "0", "skip", (4, 4, 2, 5)),
        ((4, 4), "0", "cache", (3, 4, 2, 5)),
        ((4,), "0", "skip", (3, 2, 1, 2)),
        ((4,), "0 | head", "skip", (3, 2, 0, 0)),
        ((4,), "0[1,3]", "skip", (3, 4, 2, 3 * 2 + 2)),  # rows that are no neighbours: gathered
        ((4,), "0/Wh[:;1]", "skip", (3, 4, 2, 5 + 1)),
    ],
)
def test_calls_are_counted_by_layer_by_product_and_by_arcs_that_are_moved_together(
    units: tuple[int, ...], text: str, depth: str, calls: tuple[int, ...]
) -> None:
    spec = ll.Spec(3, units, 1)
    found = isolate(spec, ll.read_zone(spec, text), depth).cost(T, B).calls
    assert (found.forward, found.error, found.weights, found.update) == calls


def test_ranges_of_rows_that_adam_moves_are_a_call_each_and_only_their_steps_are_counted() -> None:
    spec = ll.Spec(8, (256,), 1)
    found = isolate(spec, ll.read_zone(spec, "0[64:256]")).cost(T, B)
    assert found.calls.update == 4 + 2 + 2 + 2  # of Wh a range a gate; of Wx and b gathered rows; the head
    assert found.bytes.update == 4 * ((33 + 8) * 4 * 64 * 256 + (33 + 28) * 4 * 64 * (8 + 1) + 33 * 257)


def test_seconds_divide_a_large_batch_among_two_threads_that_each_make_their_calls() -> None:
    spec = ll.Spec(8, (64,), 1)
    one, two = (isolate(spec, ll.nothing(spec)).cost(T, batch) for batch in (63, 64))
    assert (one.shares, two.shares) == (1, 2)
    for cost in (one, two):
        for part in ("forward", "error", "weights", "update"):
            shares = 1 if part == "update" else cost.shares
            work = getattr(cost, part) / FLOPS_A_SECOND + getattr(cost.bytes, part) / BYTES_A_SECOND
            expected = work / shares + getattr(cost.calls, part) * shares * CALL_SECONDS
            assert getattr(cost.seconds, part) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("shape", "text", "depth", "measured"),
    [
        ((64, 48, 8, 64), "0[32:64]", "skip", 1.03),
        ((64, 48, 8, 64), "0[16:64]", "skip", 1.11),
        ((64, 168, 8, 128), "0[64:128]", "cut", 1.61),
        ((64, 168, 8, 128), "0[32:128]", "cut", 2.09),
        ((64, 168, 8, 128), "0[15:128]", "skip", 1.27),
    ],
)
def test_a_speed_up_is_the_one_measured_at_shapes_that_were_not_fitted(
    shape: tuple[int, ...], text: str, depth: str, measured: float
) -> None:
    batch, steps, inputs, units = shape
    spec = ll.Spec(inputs, (units,), 1)
    some, dense = (
        isolate(spec, z, depth).cost(steps, batch) for z in (ll.read_zone(spec, text), ll.nothing(spec))
    )
    assert some.speed_up(dense) == pytest.approx(measured, rel=0.1)
