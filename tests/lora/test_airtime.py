"""Time on air against the data sheets' example and facts reckoned by hand, and what a message is cut into."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_lib.lora import DATA_RATES, OVERHEAD, airtime, hours, payloads, price, symbols, time_on_air


def test_the_example_of_the_application_note() -> None:
    """AN1200.13: 13 bytes at SF9 are 28 symbols, 164.864 ms, one frame in 16.5 s at 1 %."""
    assert symbols(13, 9) == 28
    assert time_on_air(13, 9) == pytest.approx(0.164864, abs=1e-12)
    assert hours(time_on_air(13, 9)) * 3600 == pytest.approx(16.4864)


@pytest.mark.parametrize(
    ("size", "sf", "count", "milliseconds"),
    [
        (0, 12, 8, 663.552),  # 8 * 0 - 48 + 44 < 0: no block
        (1, 12, 13, 827.392),
        (5, 7, 18, 30.976),  # 56 bits fill two blocks of 28: one more would need a third
        (64, 12, 73, 2793.472),  # 5 = DE: 40 bits a block
        (64, 11, 83, 1560.576),
        (64, 10, 73, 698.368),
        (235, 7, 348, 368.896),
        (255, 7, 378, 399.616),
    ],
)
def test_frames_reckoned_by_hand(size: int, sf: int, count: int, milliseconds: float) -> None:
    assert symbols(size, sf) == count
    assert 1000 * time_on_air(size, sf) == pytest.approx(milliseconds, abs=1e-9)


def test_a_model_of_64_units_at_the_ends_of_the_scale() -> None:
    table = price(18_497)
    assert table["frames"].tolist() == [363, 363, 363, 161, 84, 84]
    assert table["seconds"].round(2).tolist()[::5] == [1013.54, 30.77]
    assert table["hours"].round(2).tolist()[::5] == [28.15, 0.85]
    assert (table["seconds"].diff()[1:] < 0).all()


@given(st.integers(0, 5000), st.sampled_from([*DATA_RATES]))
def test_a_message_is_cut_into_full_frames_and_a_rest(n: int, rate: int) -> None:
    found, most = payloads(n, rate), DATA_RATES[rate].payload
    assert sum(found) == n
    assert all(size == most for size in found[:-1]) and all(0 < size <= most for size in found)
    assert airtime(n, rate) == pytest.approx(
        sum(time_on_air(s + OVERHEAD, DATA_RATES[rate].sf) for s in found)
    )


def test_a_message_without_a_rest_and_with_the_smallest() -> None:
    assert payloads(0, 3) == [] and airtime(0, 3) == 0
    assert payloads(51, 0) == [51] and payloads(52, 0) == [51, 1]


def test_the_largest_payloads_fit_a_frame() -> None:
    assert [row.payload for row in DATA_RATES.values()] == [51, 51, 51, 115, 222, 222]
    assert [row.sf for row in DATA_RATES.values()] == [12, 11, 10, 9, 8, 7]


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: symbols(256, 7), "256; a frame has 0 to 255 bytes"),
        (lambda: symbols(-1, 7), "-1; a frame"),
        (lambda: symbols(2.5, 7), r"2\.5; a frame"),
        (lambda: time_on_air(10, 6), "sf is 6; the spreading factors are 7"),
        (lambda: time_on_air(10, 13), "sf is 13"),
        (lambda: payloads(-1, 0), "got -1"),
        (lambda: airtime(1, 6), "no data rate 6; the data rates are 0, 1"),
        (lambda: hours(1, 0), "duty is 0; it is a share"),
        (lambda: hours(1, 1.5), r"duty is 1\.5"),
    ],
)
def test_what_is_out_of_range_is_refused(call, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        call()
    assert hours(36, 1) == 0.01
