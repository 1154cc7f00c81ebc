"""The exercises of notebook 11: time on air, and what a model and a sensor must send.

The answers are those of `lstm_lib.lora`.
"""

from __future__ import annotations

import numpy as np

from lstm_lib import lora

from .exercise import Case, Exercise, Mistake, Problem

BOTH = (Case(B=3, H=4, T=5, seed=1), Case(B=2, H=5, T=3, seed=2))  # nothing here goes by the batch
UNCHANGED = Case(B=2, H=3, T=4, seed=3)


def _symbols(case: Case) -> Problem:
    size, sf = (64, 12) if case.seed == 1 else (20, 7)
    bits, each = 8 * size - 4 * sf + 44, 4 * (sf - 2 * (sf > 10))
    wrong = (
        Mistake("formula", 8 + 5 * (bits // each), "A block that is begun is sent as a whole."),
        Mistake("missing term", 8 + 5 * -(-bits // (4 * sf)), "Which bits are lost at SF 11 and 12?"),
        Mistake("missing factor", 8 + -(-bits // each), "How many symbols does a block have?"),
        Mistake("missing factor", 8 + 4 * -(-bits // each), "At coding rate 4/5, CR is 1."),
        Mistake("missing term", 5 * -(-bits // each), "Some symbols are sent in any case."),
        Mistake("missing factor", 8 + 5 * -(-(size - 4 * sf + 44) // each), "A byte has more than one bit."),
        Mistake("missing term", 8 + 5 * -(-(bits - 16) // each), "The checksum has 16 bits."),
    )
    return Problem({"PL": size, "SF": sf}, lora.symbols(size, sf), mistakes=wrong)


def _time(case: Case) -> Problem:
    size, sf = (64, 12) if case.seed == 1 else (20, 7)
    n, symbol = lora.symbols(size, sf), 2**sf / 125_000
    wrong = (
        Mistake("missing term", n * symbol, "The preamble goes before."),
        Mistake("missing term", (8 + n) * symbol, "Behind the preamble comes a mark of its end."),
        Mistake("missing factor", (12.25 + n) / 125_000, "How long is a symbol?"),
        Mistake("missing factor", (12.25 + n) * 2**sf, "How long is a symbol?"),
        Mistake("constant factor", 1000 * (12.25 + n) * symbol, "Seconds are asked for."),
        Mistake("formula", (12.25 + n) * sf / 125_000, "A symbol of SF bits has 2^SF possible values."),
    )
    return Problem({"PL": size, "SF": sf}, lora.time_on_air(size, sf), mistakes=wrong)


def _hours(case: Case) -> Problem:
    seconds = np.random.default_rng(case.seed).uniform(1, 1000, 4)
    wrong = (
        Mistake("missing factor", seconds / 3600, "For how much of the time may it be on air?"),
        Mistake("missing factor", seconds / 0.01, "Hours are asked for."),
        Mistake("inverse", seconds * 0.01 / 3600, "It may be on air for one per cent of the time."),
        Mistake("constant factor", seconds / 0.6, "Hours are asked for, not minutes."),
        Mistake("formula", seconds * 3600 / 0.01, "An hour has 3600 seconds."),
    )
    return Problem({"seconds": seconds}, seconds / 36, mistakes=wrong)


def _active(case: Case) -> Problem:
    H, D, O, k = 4 * case.H, case.D, case.B, case.H
    own, head = 4 * k * (H + D + 1), O * (H + 1)
    wrong = (
        Mistake("missing term", own, "The head learns, too."),
        Mistake("missing factor", k * (H + D + 1) + head, "A unit has a row in each gate."),
        Mistake("missing term", 4 * k * (H + D) + head, "What does a row read beside h and x?"),
        Mistake("missing term", own + O * H, "The head has a bias, too."),
        Mistake("formula", 4 * k * (k + D + 1) + head, "An active arc may come from an isolated unit."),
        Mistake("formula", 4 * H * (H + D + 1) + head, "These are all arcs."),
        Mistake("inverse", 4 * (H - k) * (H + D + 1) + head, "These are the isolated units."),
    )
    return Problem({"H": H, "D": D, "O": O, "k": k}, own + head, mistakes=wrong)


def _int8(case: Case) -> Problem:
    if case == UNCHANGED:
        wrong: tuple[Mistake, ...] = (
            Mistake("nan", np.full(9, np.nan), "A parameter that did not change has steps of 0: 0 / 0."),
            Mistake("shape", np.zeros(0), "A parameter that did not change has its numbers, too."),
            Mistake("shape", 0.0, "A parameter that did not change has its numbers, too."),
        )
        return Problem({"change": np.zeros(9)}, np.zeros(9), mistakes=wrong)
    change = np.random.default_rng(case.seed).normal(size=9)
    change[case.B] = -4.0  # the largest is negative
    scale = np.abs(change).max() / 127
    codes = change / scale
    above = change.max() / 127
    wrong = (
        Mistake("formula", np.trunc(codes) * scale, "To the nearest whole number, not towards zero."),
        Mistake("formula", np.floor(codes) * scale, "To the nearest whole number, not downwards."),
        Mistake("missing factor", np.rint(codes), "These are the codes; what do they stand for?"),
        Mistake("formula", np.rint(change / above) * above, "The largest change may be a negative one."),
        Mistake("formula", np.rint(change * 255 / 4) * 4 / 255, "From -127 to 127."),
        Mistake("formula", np.rint(change * 128 / 4) * 4 / 128, "127 is the largest number of int8."),
        Mistake("formula", np.rint(change), "The steps have to fit the largest change."),
    )
    return Problem({"change": change}, np.rint(codes) * scale, mistakes=wrong)


def _known(case: Case) -> Problem:
    rng = np.random.default_rng(case.seed)
    x, forecast, epsilon = rng.normal(size=12), rng.normal(size=12), 0.8
    off = x - forecast
    wrong = (
        Mistake(
            "formula", np.where(off > epsilon, x, forecast), "A forecast can be too high as well as too low."
        ),
        Mistake(
            "formula", np.where(-off > epsilon, x, forecast), "A forecast can be too high as well as too low."
        ),
        Mistake("inverse", np.where(np.abs(off) > epsilon, forecast, x), "When is the value sent?"),
        Mistake("formula", np.where(off**2 > epsilon, x, forecast), "ε is in kW, a square is not."),
        Mistake("formula", np.where(np.abs(off) > epsilon, x, 0), "And where nothing is sent?"),
        Mistake(
            "other quantity",
            np.where(np.abs(off) > epsilon, off, forecast),
            "It sends the value, not the error.",
        ),
    )
    return Problem({"x": x, "forecast": forecast, "epsilon": epsilon}, x - np.where(np.abs(off) > epsilon, 0, off),
                   mistakes=wrong)  # fmt: skip


def _lost(case: Case) -> Problem:
    last, number = (250, 3) if case.seed == 1 else (7, 11)
    wrong = (
        Mistake("off by one", (number - last) % 256, "The next number in turn means that none is lost."),
        Mistake("sign", (last - number - 1) % 256, "Which of the two came first?"),
        Mistake("formula", number - last - 1, "What comes after 255?"),
        Mistake("formula", abs(number - last) - 1, "What comes after 255?"),
        Mistake("formula", (number - last - 1) % 255, "How many numbers does a byte have?"),
    )
    return Problem({"last": last, "number": number}, lora.lost_between(last, number), mistakes=wrong)


def _missing(case: Case) -> Problem:
    count, heard = (6, [1, 3]) if case.seed == 1 else (4, [1, 3, 2, 1])
    wrong = (
        Mistake("inverse", np.unique(heard), "These were heard; which were not?"),
        Mistake("formula", np.setdiff1d(np.arange(1, count), heard), "The first number is 0."),
        Mistake("formula", np.setdiff1d(np.arange(max(heard)), heard), "Those at the end can be lost, too."),
        Mistake("formula", np.setdiff1d(np.arange(count + 1), heard), "The last number is count - 1."),
        Mistake("formula", np.arange(count), "Only what is missing is sent again."),
    )
    return Problem({"count": count, "heard": heard}, np.setdiff1d(np.arange(count), heard), mistakes=wrong)


def _dcode(case: Case) -> Problem:
    dx, k = np.random.default_rng(case.seed).normal(size=(case.B, case.T, case.H)), 2
    given = dx[..., :k]
    wrong = (
        Mistake("averaged over time", given.mean(axis=1)),
        Mistake("one step", given[:, -1]),
        Mistake("one step", given[:, 0]),
        Mistake("formula", dx.sum(axis=1), "The last columns are the clock, which learns nothing."),
        Mistake("formula", dx[..., -k:].sum(axis=1), "The code stands in the first columns."),
        Mistake("not summed", given, "It is read at every step."),
        Mistake("averaged", given.sum(axis=1).mean(axis=0), "The samples have codes of their own."),
        Mistake("summed", given.sum(axis=(0, 1)), "The samples have codes of their own."),
    )
    return Problem({"dx": dx, "k": k}, given.sum(axis=1), mistakes=wrong)


EXERCISES = (
    Exercise(
        "11.symbols",
        "the symbols of a frame of PL bytes",
        "(11.2)",
        "A block has 4 (SF - 2 DE) bits and CR + 4 = 5 symbols; `-(-a // b)` rounds up.",
        _symbols,
        ("PL", "SF"),
        cases=BOTH,
    ),
    Exercise(
        "11.time_on_air",
        "the seconds that a frame of PL bytes is on air",
        "(11.1) and (11.3)",
        "8 symbols of the preamble, 4.25 that end it, and those of the frame; each takes 2^SF / 125000 seconds.",
        _time,
        ("PL", "SF"),
        cases=BOTH,
    ),
    Exercise(
        "11.hours",
        "the hours until so many seconds on air are paid for",
        "(11.4)",
        "One per cent of an hour is 36 seconds.",
        _hours,
        ("seconds",),
        cases=BOTH,
    ),
    Exercise(
        "11.active",
        "the active arcs of k of H units and the head",
        "(11.5)",
        "A unit has a row in each of four gates, and a row reads [h; x; 1].",
        _active,
        ("H", "D", "O", "k"),
        cases=BOTH,
    ),
    Exercise(
        "11.int8",
        "a change after it was sent as int8",
        "(11.6)",
        "Count it in steps of s = max|Δ| / 127, round, and multiply by s again. All of Δ may be 0.",
        _int8,
        ("change",),
        cases=(*BOTH, UNCHANGED),
    ),
    Exercise(
        "11.missing",
        "the numbers of the fragments to send again",
        "(11.7)",
        "Those from 0 to count - 1 that are not among the numbers heard.",
        _missing,
        ("count", "heard"),
        cases=BOTH,
    ),
    Exercise(
        "11.known",
        "what both ends know after an hour",
        "(11.8)",
        "np.where: the value where the forecast is off by more than ε, else the forecast.",
        _known,
        ("x", "forecast", "epsilon"),
        cases=BOTH,
    ),
    Exercise(
        "11.lost",
        "how many frames were lost between two numbers",
        "(11.10)",
        "In Python `%` is never negative: -3 % 256 is 253.",
        _lost,
        ("last", "number"),
        cases=BOTH,
    ),
    Exercise(
        "11.dcode",
        "the error of the code from the error of what the decoder reads",
        "(11.11)",
        "What is used at every step collects an error from every step.",
        _dcode,
        ("dx", "k"),
        cases=BOTH,
    ),
)
