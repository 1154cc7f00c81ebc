"""A message of several frames: numbered fragments, and nothing of it until all are there.

Nouns: a *fragment* is what one frame carries of a message, behind 4 bytes: a tag of the message (8 bits), the number
of the fragment and that of the last (12 bits each, from 0). An *inbox* collects them, and gives out the message only
when it is whole. Until then it *answers* with the numbers that are missing, two bytes each:

- it answers the last fragment that it waits for, and every one that it has already (a sensor of class A listens only
  after a frame of its own, so an answer has to follow a frame);
- the sender sends again what an answer names, and its last fragment where no answer came;
- an empty answer says that all is there.

The tag tells a message from the one before it. That no byte is wrong is for the digest of the message (`unpack`).
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

from .airtime import DATA_RATES, airtime, payloads

HEADER = 4  # bytes before what a fragment carries
MOST = 2**12  # fragments of a message
PATIENCE = 20  # times in a row that a fragment is sent without an answer before the sender gives up


def _tag(message: bytes) -> int:
    return hashlib.sha256(message).digest()[0]


def fragments(message: bytes, rate: int) -> list[bytes]:
    """A message as what its frames carry, in order.

    Parameters
    ----------
    message : at least one byte. rate : data rate, 0 to 5.

    Raises ValueError for an empty message, one of more than 4096 fragments, and a data rate that there isn't.

    >>> [len(fragment) for fragment in fragments(bytes(100), 0)]
    [51, 51, 10]
    """
    sizes = payloads(len(message), rate, HEADER)
    if not 0 < len(sizes) <= MOST:
        raise ValueError(f"{len(message)} bytes are {len(sizes)} fragments; expected 1 to {MOST}")
    begin, each = _tag(message) << 24 | len(sizes) - 1, sizes[0] - HEADER
    return [
        struct.pack(">I", begin | k << 12) + message[k * each : (k + 1) * each] for k in range(len(sizes))
    ]


@dataclass
class Inbox:
    """The end that collects the fragments of one message.

    rate : data rate of its answers, which decides how many numbers one holds.

    >>> inbox, (a, b, c) = Inbox(rate=0), fragments(bytes(100), 0)
    >>> inbox.hear(a), inbox.hear(c), inbox.missing
    (None, [1], [1])
    >>> inbox.message()
    Traceback (most recent call last):
    ValueError: 1 of 3 fragments is missing: 1; nothing is given out before all are there
    >>> inbox.hear(b), inbox.message() == bytes(100)
    ([], True)
    """

    rate: int
    heard: dict[int, bytes] = field(default_factory=dict)
    tag: int = -1
    last: int = -1
    awaited: int = -1

    def __post_init__(self) -> None:
        payloads(0, self.rate)  # for what it refuses

    @property
    def missing(self) -> list[int]:
        """The numbers of the fragments that are not there; none before the first was heard."""
        return [k for k in range(self.last + 1) if k not in self.heard]

    def hear(self, fragment: bytes) -> list[int] | None:
        """Take a fragment in; the numbers to send again where it is answered, else None.

        Raises ValueError for bytes that are no fragment, and for a fragment of another message.
        """
        start = int.from_bytes(fragment[:HEADER], "big")
        tag, number, last = start >> 24, start >> 12 & MOST - 1, start & MOST - 1
        if len(fragment) <= HEADER or number > last:
            raise ValueError(f"these {len(fragment)} bytes are no fragment of a message")
        if not self.heard:
            self.tag, self.last, self.awaited = tag, last, last
        known = self.heard.get(number, fragment)
        if (tag, last) != (self.tag, self.last) or known != fragment:
            raise ValueError(
                f"fragment {number} is of another message than those heard before; take a new Inbox for it"
            )
        answers = number == self.awaited or number in self.heard
        self.heard[number] = fragment
        if not answers:
            return None
        answer = self.missing[: DATA_RATES[self.rate].payload // 2]
        self.awaited = answer[-1] if answer else -1
        return answer

    def message(self) -> bytes:
        """All of it; ValueError while a fragment is missing, and where they don't belong together."""
        if not self.heard:
            raise ValueError("no fragment was heard so far")
        if missing := self.missing:
            raise ValueError(
                f"{len(missing)} of {self.last + 1} fragments {'is' if len(missing) == 1 else 'are'} missing: "
                f"{', '.join(map(str, missing))}; nothing is given out before all are there"
            )
        whole = b"".join(self.heard[k][HEADER:] for k in range(self.last + 1))
        if _tag(whole) != self.tag:
            raise ValueError("these fragments are not of one message; take a new Inbox and ask for all again")
        return whole


@dataclass(frozen=True)
class Delivery:
    """What came of sending a message.

    message : what the inbox gives out, None where fragments are missing. missing : their numbers.
    frames : bytes of every fragment that was sent, heard or not, in order. answers : bytes of every answer.
    confirmed : whether the sender knows that all is there.
    """

    message: bytes | None
    missing: tuple[int, ...]
    frames: tuple[int, ...]
    answers: tuple[int, ...]
    confirmed: bool

    def seconds(self, rate: int) -> float:
        """Time on air of all fragments at the data rate they were cut for; the answers are not in it."""
        return sum(airtime(size, rate) for size in self.frames)


def deliver(message: bytes, rate: int, lost: Iterable[bool] = ()) -> Delivery:
    """Send a message in fragments, and again what the inbox misses, until it has all or the sender gives up.

    Parameters
    ----------
    message, rate : as `fragments`.
    lost : whether each transmission in turn, of either end, is lost; none is after the last.

    >>> found = deliver(bytes(100), 0, lost=[False, True])
    >>> found.message == bytes(100), found.frames, found.answers
    (True, (51, 51, 10, 51), (2, 0))
    """
    parts, inbox, losses = fragments(message, rate), Inbox(rate), iter(lost)
    left, frames, answers, alone = [*range(len(parts))], list[int](), list[int](), 0
    while left and alone < PATIENCE:
        answer = None
        for k in left:
            frames.append(len(parts[k]))
            answer = None if next(losses, False) else inbox.hear(parts[k])
        if answer is not None:
            answers.append(2 * len(answer))
        if answer is None or next(losses, False):
            left, alone = left[-1:], alone + 1
        else:
            left, alone = answer, 0
    missing = tuple(inbox.missing if inbox.heard else range(len(parts)))
    got = None if missing else inbox.message()
    return Delivery(got, missing, tuple(frames), tuple(answers), not left)
