"""A message in fragments: whole or not at all, whichever are lost, and no longer than it was reckoned."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lstm_lib as ll
from lstm_lib.lora import DATA_RATES, HEADER, Inbox, airtime, deliver, fragments, pack, payloads, size, unpack
from lstm_lib.lora.fragments import PATIENCE

messages = st.binary(min_size=1, max_size=600)
rates = st.sampled_from([*DATA_RATES])


@given(messages, rates, st.randoms())
def test_fragments_in_any_order_and_twice_give_the_message(message: bytes, rate: int, random) -> None:
    parts = fragments(message, rate)
    assert [len(part) for part in parts] == payloads(len(message), rate, HEADER)
    assert b"".join(part[HEADER:] for part in parts) == message
    inbox, order = Inbox(rate), [*parts, *parts]
    random.shuffle(order)
    for part in order:
        inbox.hear(part)
    assert inbox.missing == [] and inbox.message() == message


def test_the_bytes_stand_where_the_text_says() -> None:
    message = bytes(range(200)) * 100
    parts = fragments(message, 0)
    assert len(parts) == 426 == -(-len(message) // 47)
    assert {part[0] for part in parts} == {0x75}  # the first byte of its SHA-256
    assert parts[300][1:HEADER].hex() == "12c" + "1a9"  # 300, and 425, the last
    assert parts[300][HEADER:] == message[300 * 47 : 301 * 47]


@given(messages, rates, st.lists(st.booleans(), max_size=60))
def test_whatever_is_lost_it_arrives_whole_or_not_at_all(message: bytes, rate: int, lost: list[bool]) -> None:
    found = deliver(message, rate, lost)
    parts = fragments(message, rate)
    if found.confirmed:
        assert found.message == message and found.missing == ()
    assert (found.message is None) == bool(found.missing)
    assert found.message in (None, message)
    assert len(found.frames) >= len(parts) and found.frames[: len(parts)] == tuple(map(len, parts))
    assert found.seconds(rate) == pytest.approx(sum(airtime(n, rate) for n in found.frames))
    if not any(lost):
        assert found.confirmed and len(found.frames) == len(parts) and found.answers == (0,)
        assert found.seconds(rate) == pytest.approx(airtime(len(message), rate, HEADER))


def test_only_what_was_lost_is_sent_again() -> None:
    message = bytes(np.random.default_rng(0).bytes(470))  # ten fragments
    lost = [k in (2, 5, 9) for k in range(10)]
    found = deliver(message, 0, lost)
    # the last is lost, so no answer comes; it is sent again, answered with 2 and 5, then these
    assert found.message == message and found.confirmed
    assert found.frames == (51,) * 13 and found.answers == (4, 0)
    answer_lost = deliver(message, 0, [k in (3, 10) for k in range(11)])
    assert answer_lost.frames == (51,) * 12 and answer_lost.answers == (2, 2, 0)
    last_word_lost = deliver(message, 0, [k == 10 for k in range(11)])
    assert last_word_lost.frames == (51,) * 11 and last_word_lost.answers == (0, 0)


def test_an_answer_names_no_more_than_its_frame_holds() -> None:
    message = bytes(np.random.default_rng(0).bytes(47 * 60))
    found = deliver(message, 0, [True] * 59 + [False])
    assert found.message == message and found.answers == (50, 50, 18, 0)
    assert len(found.frames) == 60 + 59


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5])
def test_at_shares_of_lost_frames_it_arrives_and_costs_what_was_lost(share: float) -> None:
    message = bytes(np.random.default_rng(0).bytes(18_497))
    found = deliver(message, 0, np.random.default_rng(1).random(100_000) < share)
    parts = len(fragments(message, 0))
    assert parts == 394 and found.message == message and found.confirmed
    assert len(found.frames) == pytest.approx(parts / (1 - share), rel=0.1)


def test_a_sender_that_hears_nothing_gives_up() -> None:
    found = deliver(bytes(100), 0, [True] * 1000)
    assert found.message is None and found.missing == (0, 1, 2) and not found.confirmed
    assert found.frames == (51, 51, 10) + (10,) * (PATIENCE - 1) and found.answers == ()
    some = deliver(bytes(100), 0, [False, True, True] + [True] * 1000)
    assert some.message is None and some.missing == (1, 2)
    answers = deliver(bytes(100), 0, [False, False] + [False, True] * 1000)  # all arrives, and no answer
    assert answers.message == bytes(100) and answers.missing == () and not answers.confirmed
    assert answers.answers == (0,) * PATIENCE
    later = deliver(bytes(100), 0, [False, True] + [True] * (PATIENCE - 1) + [False] * 4)
    assert later.confirmed and later.frames == (51, 51, 10) + (10,) * (PATIENCE - 1) + (51,)


def test_what_is_no_fragment_of_the_message_is_refused() -> None:
    (a, b, c), inbox = fragments(bytes(100), 0), Inbox(0)
    with pytest.raises(ValueError, match="no fragment was heard"):
        inbox.message()
    for wrong in (
        b"",
        a[:3],
        a[:HEADER],
        a[:1] + b"\0\x30\x02" + a[HEADER:],
    ):  # the last is number 3 of 0 to 2
        with pytest.raises(ValueError, match=f"these {len(wrong)} bytes are no fragment"):
            inbox.hear(wrong)
    assert inbox.missing == [] and not inbox.heard
    inbox.hear(a)
    with pytest.raises(ValueError, match=r"2 of 3 fragments are missing: 1, 2; nothing is given out"):
        inbox.message()
    other = bytearray(b)
    other[0] ^= 1
    for foreign in (bytes(other), fragments(bytes(200), 0)[1], a[:-1] + b"\1"):
        with pytest.raises(ValueError, match=r"of another message than those heard before; take a new Inbox"):
            inbox.hear(foreign)
    assert inbox.missing == [1, 2]
    inbox.hear(b[:-1] + b"\7")  # damaged, and the first of its number
    inbox.hear(c)
    with pytest.raises(ValueError, match="not of one message"):
        inbox.message()


def test_what_can_not_be_cut_is_refused() -> None:
    with pytest.raises(ValueError, match="0 bytes are 0 fragments; expected 1 to 4096"):
        fragments(b"", 0)
    assert len(fragments(bytes(47 * 4096), 0)) == 4096
    with pytest.raises(ValueError, match="192513 bytes are 4097 fragments"):
        fragments(bytes(47 * 4096 + 1), 0)
    for call in (fragments, deliver):
        with pytest.raises(ValueError, match="no data rate 6"):
            call(b"a", 6)
    with pytest.raises(ValueError, match="no data rate 'DR0'"):
        Inbox("DR0")  # type: ignore[arg-type]


def test_a_change_of_which_a_fragment_is_lost_is_never_applied_and_the_next_one_is_refused() -> None:
    spec = ll.Spec(2, (6,), 1)
    zone, base = ll.read_zone(spec, "head | 0/Wh"), ll.init_params(spec)
    first = {name: p + np.float32(0.1) * zone.mask(name) for name, p in base.items()}
    second = {name: p + np.float32(0.1) * zone.mask(name) for name, p in first.items()}
    lost = deliver(pack(zone, base, first), 0, [False, True] + [True] * 1000)
    assert lost.message is None and 1 in lost.missing
    later = deliver(pack(zone, first, second), 0)
    assert later.message is not None and len(later.message) == size(zone)
    with pytest.raises(
        ValueError, match="made on another base"
    ):  # so the two ends can't drift apart unnoticed
        unpack(spec, base, later.message)
    again = deliver(pack(zone, base, first), 0, [False, True])
    assert again.message is not None
    now = unpack(spec, unpack(spec, base, again.message), later.message)
    assert all(np.array_equal(now[name], p) for name, p in second.items())
