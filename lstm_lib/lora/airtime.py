"""How long a LoRa frame is on air, and how long a message takes under a duty cycle (EU868, 125 kHz).

Nouns: a frame carries a payload of at most so many bytes, which the data rate decides, behind an overhead of 13; its
time on air is counted in symbols. A message of n bytes goes in as many frames as it needs. A sender may be on air
for one per cent of the time: hence the hours.

Letters: PL bytes of a frame with its overhead, SF spreading factor, T_s seconds of a symbol, n bytes of a message.
"""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from lstm_lib.network.spec import is_whole

OVERHEAD = 13  # bytes of a LoRaWAN frame beside its payload
BANDWIDTH = 125_000  # Hz
PREAMBLE = 8  # symbols
DUTY = 0.01  # share of the time that a sender may be on air


class DataRate(NamedTuple):
    """A row: the spreading factor, and the most bytes that a frame carries."""

    sf: int
    payload: int


# A frame of DR4 and DR5 may carry 242 bytes; 222 also pass a repeater, which adds some of its own.
DATA_RATES = {
    0: DataRate(12, 51),
    1: DataRate(11, 51),
    2: DataRate(10, 51),
    3: DataRate(9, 115),
    4: DataRate(8, 222),
    5: DataRate(7, 222),
}


def symbols(size: int, sf: int) -> int:
    """The symbols of a frame behind its preamble.

    Parameters
    ----------
    size : PL, bytes of the frame with its overhead, 0 to 255.
    sf : spreading factor, 7 to 12. The low data rate optimisation is on at 11 and 12, as the standard asks.

    With a header and a checksum, at coding rate 4/5. Source: Semtech, SX1272 data sheet.
    Raises ValueError for a size or a spreading factor out of range.

    >>> symbols(13, 9)  # the example of Semtech's AN1200.13
    28
    """
    if not is_whole(size, 0) or size > 255:
        raise ValueError(f"size is {size!r}; a frame has 0 to 255 bytes, its overhead of {OVERHEAD} included")
    if not is_whole(sf, 7) or sf > 12:
        raise ValueError(f"sf is {sf!r}; the spreading factors are 7, 8, 9, 10, 11, 12")
    bits = 8 * size - 4 * sf + 28 + 16
    each = 4 * (sf - 2 * (sf >= 11))  # bits of a block of symbols
    return 8 + max(-(-bits // each) * 5, 0)


def time_on_air(size: int, sf: int) -> float:
    """Seconds that a frame of PL = `size` bytes, its overhead included, is on air; as `symbols`.

    >>> round(time_on_air(13, 9), 6)
    0.164864
    """
    return (PREAMBLE + 4.25 + symbols(size, sf)) * 2.0**sf / BANDWIDTH


def payloads(n: int, rate: int, header: int = 0) -> list[int]:
    """What the frames of a message carry: full ones, and what is left.

    Parameters
    ----------
    n : bytes of the message. rate : data rate, 0 to 5. header : bytes of each frame that go before those of the
        message, fewer than a frame carries; `HEADER` for numbered fragments.

    Raises ValueError for a number of bytes that is none and a data rate that there isn't.

    >>> payloads(120, 0), payloads(120, 0, header=4)
    ([51, 51, 18], [51, 51, 30])
    """
    if not is_whole(n, 0):
        raise ValueError(f"a message has a whole number of bytes, got {n!r}")
    if not is_whole(rate, 0) or rate not in DATA_RATES:
        raise ValueError(
            f"there is no data rate {rate!r}; the data rates are {', '.join(map(str, DATA_RATES))}"
        )
    most = DATA_RATES[rate].payload
    if not is_whole(header, 0) or header >= most:
        raise ValueError(f"header is {header!r}; a frame of data rate {rate} carries {most} bytes in all")
    full, rest = divmod(n, most - header)
    return [most] * full + [header + rest] * (rest > 0)


def airtime(n: int, rate: int, header: int = 0) -> float:
    """Seconds on air of a message of n bytes, as `payloads`; none is sent twice.

    >>> round(airtime(18_497, 5)), round(airtime(18_497, 0))
    (31, 1014)
    """
    return sum(time_on_air(size + OVERHEAD, DATA_RATES[rate].sf) for size in payloads(n, rate, header))


def hours(seconds: float, duty: float = DUTY) -> float:
    """The hours after which so many seconds on air are paid for, under a duty cycle.

    Raises ValueError for seconds below 0 or that are no number, and a duty cycle that is no share.

    >>> round(hours(1013.5), 1)
    28.2
    """
    if not seconds >= 0:
        raise ValueError(f"seconds is {seconds!r}; expected a number of at least 0")
    if not 0 < duty <= 1:
        raise ValueError(f"duty is {duty!r}; it is a share of the time above 0, at most 1, such as {DUTY}")
    return seconds / duty / 3600


def price(n: int) -> pd.DataFrame:
    """A message of n bytes at every data rate: frames, seconds on air, hours at a duty cycle of 1 %.

    >>> price(18_497).loc[[0, 5]].round(2).to_numpy().tolist()
    [[363.0, 1013.54, 28.15], [84.0, 30.77, 0.85]]
    """
    seconds = {rate: airtime(n, rate) for rate in DATA_RATES}
    rows = {rate: (len(payloads(n, rate)), s, hours(s)) for rate, s in seconds.items()}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["frames", "seconds", "hours"])
    return table.rename_axis("data rate")
