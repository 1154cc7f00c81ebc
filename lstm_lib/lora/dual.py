"""Dual prediction: both ends make the same forecast, and the sensor sends only where it is wrong.

Nouns: the ends are a sensor, which measures, and a sink, which wants to know. What they *know* is the last W values, as
whole numbers of a step; a forecast is a function of these alone. The sensor sends a value that is off by more than ε
from the forecast, and both ends then know it; else both know the forecast.

A lost frame would let the two drift apart. Therefore:

- every frame has a number, and a check byte of what the sensor knows after it;
- after `silence` hours without a frame the sensor sends one anyway, so a sink that hears nothing for so long knows;
- a sink that finds a number missing, the check byte wrong or the silence too long is *out of step*: it says so of all
  it knows, and asks, in answer to the next frame that it hears (only then does a sensor of class A listen);
- a sensor that is asked sends all W values that it knows, which brings the sink back into step.

Frames: number (1 byte), check (1), value (2); and number, check, W values of 2 bytes, which is 50 for 24 hours.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from lstm_lib.network.cells import Array
from lstm_lib.network.spec import is_whole

from .airtime import airtime, payloads
from .forecasts import Forecast

LARGEST = 2**15 - 1
NUMBERS = 256  # frames are numbered modulo
VALUE = struct.Struct("<BBh")  # a frame with one value


@dataclass(frozen=True)
class Rule:
    """What both ends have agreed on.

    Parameters
    ----------
    epsilon : ε, the error that the sink puts up with, in the unit of the series.
    step : of the values as they are sent and known, in the same unit.
    silence : hours after which the sensor sends a value in any case, 1 to 100.

    Raises ValueError for numbers that don't go together.
    """

    epsilon: float
    step: float = 0.01
    silence: int = 24

    def __post_init__(self) -> None:
        if not 0 < self.step < np.inf or not self.step / 2 <= self.epsilon < np.inf:
            raise ValueError(
                f"epsilon={self.epsilon!r} has to be at least half of step={self.step!r}, and both finite and above 0"
            )
        if not is_whole(self.silence, 1) or self.silence > 100:
            raise ValueError(f"silence is {self.silence!r}; expected 1 to 100 hours")

    def whole(self, value: float) -> int:
        """A value as a number of steps; ValueError where it has none that goes into two bytes."""
        if not abs(value) <= LARGEST * self.step:
            raise ValueError(
                f"{value!r} does not go into two bytes in steps of {self.step}; take a larger step"
            )
        return int(np.rint(value / self.step))


def lost_between(last: int, number: int) -> int:
    """How many frames were lost between two numbers that were heard.

    >>> lost_between(7, 8), lost_between(254, 1)
    (0, 2)
    """
    return (number - last - 1) % NUMBERS


def check_byte(known: Array) -> int:
    """A byte of whole numbers (W,)."""
    return zlib.crc32(known.astype("<i2").tobytes()) % 256


@dataclass
class End:
    """What both ends have: what they know, the number of the last frame, hours since it."""

    rule: Rule
    forecast: Forecast
    known: Array
    number: int = -1
    quiet: int = 0

    def expect(self, hour: int) -> int:
        """The forecast in steps, at most what two bytes hold."""
        limit, found = LARGEST * self.rule.step, float(self.forecast(self.known * self.rule.step, hour))
        if np.isnan(found):
            raise ValueError(f"the forecast of hour {hour} is NaN; it has to be a number whatever is known")
        return self.rule.whole(float(np.clip(found, -limit, limit)))

    def learn(self, value: int) -> None:
        """Know one more value, and forget the oldest."""
        self.known = np.append(self.known[1:], value)

    def check(self) -> int:
        """A byte of all that is known."""
        return check_byte(self.known)


class Sensor(End):
    """The end that measures."""

    def measure(self, hour: int, value: float) -> bytes | None:
        """A frame, or None where the forecast is good enough; a missing value is taken for a good forecast."""
        expected = self.expect(hour)
        self.quiet += 1
        off = abs(value - expected * self.rule.step) > self.rule.epsilon
        if not off and self.quiet < self.rule.silence:
            self.learn(expected)
            return None
        self.learn(expected if np.isnan(value) else self.rule.whole(value))
        return self._frame(self.known[-1:])

    def answer(self) -> bytes:
        """A frame with all that is known."""
        return self._frame(self.known)

    def _frame(self, values: Array) -> bytes:
        self.number, self.quiet = (self.number + 1) % NUMBERS, 0
        return struct.pack(f"<BB{len(values)}h", self.number, self.check(), *values.tolist())


class Sink(End):
    """The end that wants to know; `in_step` is what it believes of itself."""

    in_step: bool = True

    def hear(self, hour: int, frame: bytes | None) -> bool:
        """An hour with or without a frame; whether it asks for all that the sensor knows."""
        if frame is None:
            self.learn(self.expect(hour))
            self.quiet += 1
            self.in_step &= self.quiet < self.rule.silence
            return False
        if len(frame) != VALUE.size:
            raise ValueError(f"a frame with a value has {VALUE.size} bytes, got {len(frame)}")
        number, check, value = VALUE.unpack(frame)
        self.learn(value)
        self.in_step &= lost_between(self.number, number) == 0 and check == self.check()
        self.number, self.quiet = number, 0
        return not self.in_step

    def catch_up(self, frame: bytes) -> None:
        """Take over all that the sensor knows; ValueError, and nothing taken over, for a damaged frame."""
        expected = 2 + 2 * len(self.known)
        if len(frame) != expected:
            raise ValueError(f"an answer has {expected} bytes for {len(self.known)} values, got {len(frame)}")
        number, check, *values = struct.unpack(f"<BB{len(self.known)}h", frame)
        if check_byte(np.array(values)) != check:
            raise ValueError("the check byte of the answer does not fit its values: it is damaged")
        self.number, self.known, self.quiet, self.in_step = number, np.array(values), 0, True


@dataclass(frozen=True)
class Log:
    """What came of an exchange over n hours.

    known : (n,) what the sink took the value for. in_step : (n,) what it believed of itself. same : (n,) whether both
    ends knew the same. frames : payload bytes of every frame of the sensor, heard or not. asked : answers of the sink.
    sent : (n,) whether the sensor sent the value.
    """

    known: Array
    in_step: Array
    same: Array
    sent: Array
    frames: tuple[int, ...]
    asked: int

    def seconds(self, rate: int) -> float:
        """Time on air of all frames at a data rate; each goes by itself.

        Raises ValueError for a data rate that there isn't, or whose frames an answer does not go into.
        """
        if len(cut := payloads(largest := max(self.frames, default=0), rate)) > 1:
            raise ValueError(
                f"an answer of {largest} bytes does not go into a frame of data rate {rate}, which carries {cut[0]}; "
                "let both ends know fewer values"
            )
        return sum(airtime(size, rate) for size in self.frames)


def exchange(values: Array, start: Array, forecast: Forecast, rule: Rule, lost: Iterable[bool] = ()) -> Log:
    """Let a sensor and a sink run side by side.

    Parameters
    ----------
    values : (n,) measured, hour by hour; NaN where missing.
    start : (W,) values before them, which both ends know at the beginning.
    forecast : of both ends; called with what an end knows (W,) and the number of the hour, 0 to n - 1.
    lost : whether each transmission in turn, of either end, is lost; none is after the last.

    Raises ValueError for no values, a start with missing values or none, a forecast that is NaN, and where a value
    does not go into two bytes.

    >>> from lstm_lib.lora import last_value
    >>> log = exchange(np.array([1.0, 1.0, 3.0, 3.0]), np.ones(2), last_value, Rule(0.5, step=0.5))
    >>> log.known.tolist(), log.frames
    ([1.0, 1.0, 3.0, 3.0], (4,))
    """
    for name, given in (("values", values), ("start", start)):
        if np.ndim(given) != 1 or not len(given):
            raise ValueError(f"{name} has the shape {np.shape(given)}; expected (n,), at least one value")
    if not np.isfinite(start).all():
        raise ValueError("start has missing values; both ends have to know all of it")
    known = np.array([rule.whole(float(v)) for v in start])
    made: dict[tuple[bytes, int], float] = {}

    def shared(seen: Array, hour: int) -> float:
        """Made once where both ends know the same."""
        key = (seen.tobytes(), hour)
        if key not in made:
            made[key] = forecast(seen, hour)
        return made[key]

    sensor, sink = Sensor(rule, shared, known), Sink(rule, shared, known)
    losses, frames, rows, asked = iter(lost), list[int](), [], 0
    for hour, value in enumerate(np.asarray(values, float)):
        made.clear()
        frame = sensor.measure(hour, float(value))
        frames += [len(frame)] if frame else []
        asks = sink.hear(hour, _arriving(frame, losses))
        asked += asks
        if asks and not next(losses, False):
            answer = sensor.answer()
            frames.append(len(answer))
            if arrived := _arriving(answer, losses):
                sink.catch_up(arrived)
        same = bool(np.array_equal(sensor.known, sink.known))
        rows.append((sink.known[-1] * rule.step, sink.in_step, same, frame is not None))
    took, in_step, equal, sent = (np.array(column) for column in zip(*rows, strict=True))
    return Log(took, in_step, equal, sent, tuple(frames), asked)


def _arriving(frame: bytes | None, losses: Iterator[bool]) -> bytes | None:
    """What the other end hears; only what is sent can be lost."""
    return None if frame is None or next(losses, False) else frame
