"""What goes wrong: the kinds of mistakes in words, and the wrong answers that an answer's own numbers give away.

A diagnosis is found by trial: `candidates` makes the answer that each known mistake would lead to, and the one that the
student's answer equals is the mistake. Adding a kind is one row in `KINDS`, and where it comes from the answer alone,
a line in `general`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from lstm_lib.network.cells import ACTIVATIONS, Array

from .exercise import Mistake, Problem, product

# kind -> what is said of it: what is wrong, and where to look, never what would be right.
KINDS = {
    # what kind of thing was given
    "empty": "Nothing is written yet: the gap is still there.",
    "type": "This is no answer of the kind that is asked for.",
    "dtype": "The numbers are of the wrong dtype.",
    "shape": "The shape is wrong.",
    "axis": "The numbers are right, but an axis of length 1 is too many or missing: look for `keepdims`.",
    "names": "Its entries have other names.",
    "count": "It has another number of entries.",
    "nan": "There are values in it that are no finite numbers.",
    "raises": "The function ends in an error.",
    "arguments": "The function takes other arguments.",
    "mutates": "The function changes what it was given; work on a copy, or write `a = a + b` in place of `a += b`.",
    # what a wrong value looks like
    "sign": "The sign is wrong: this is minus the right answer.",
    "transposed": "The two axes have changed places: it is transposed.",
    "missing factor": "A factor is missing: each use multiplies by something, and one of these is not there.",
    "missing slope": "The slope of an activation is missing.",
    "squared factor": "A factor stands there twice.",
    "missing term": "A term is missing: the quantity is used more than once, and each use gives a term.",
    "wrong sign of a term": "One of the terms has the wrong sign.",
    "a factor lost in a term": "One of the terms lacks a factor.",
    "other slope": "This is the slope of the other kind of activation: σ and tanh have changed places.",
    "other gate": "This is the slope of another gate.",
    "slope at the wrong place": "The slope is taken of the wrong quantity: write it with the activation's own value.",
    "other unit": "A factor is taken of the wrong unit: of the one that an arc leads to where the one it comes from is "
    "meant, or the other way round.",
    "other quantity": "This is another quantity's error.",
    "value for error": "This is a value of the forward pass where an error is asked for.",
    "averaged": "It is averaged over the batch where it has to be summed.",
    "divided": "It is divided by the wrong number: look over what the mean is taken.",
    "summed": "It is summed where it has to be averaged.",
    "summed over gates": "The rows of the gates are added up or mixed.",
    "not summed": "It is not yet summed over the samples.",
    "one sample": "Only one of the samples counts.",
    "samples": "It is right for one of the samples and wrong for others.",
    "late": "It is one time step late.",
    "early": "It is one time step early.",
    "reversed": "Time runs the wrong way: the first step stands last.",
    "one step": "Only one time step counts, where the sum over all is asked for.",
    "first step lost": "The first time step is left out.",
    "last step lost": "The last time step is left out.",
    "averaged over time": "It is averaged over the time steps where it has to be summed.",
    "trace": "What the steps have kept is not what the trace has to hold.",
    "zero of a line": "The zero of a line is not added: it changes no value, but it stands for the error of the line.",
    "not given": "A function of NumPy is called where one is given.",
    "road": "One of the two roads back through time is closed.",
    "time index": "A state is taken from the wrong side of the time step: of now where the step before is meant, "
    "or the other way round.",
    "order of gates": "The gates stand in another order than f, i, o, g.",
    "rows": "It is right but for the rows of some gates.",
    "zero": "It is zero everywhere.",
    "half": "It is half of what it has to be.",
    "double": "It is twice what it has to be.",
    "constant factor": "It differs from the right answer by a constant factor.",
    "constant": "It differs from the right answer by the same number everywhere.",
    "inverse": "It is the inverse, one divided by the right answer.",
    "swapped": "Two entries have changed places.",
    "formula": "A line of the rule is not what it has to be.",
    "count of steps": "The number of steps is wrong.",
    "off by one": "It is off by one.",
    "precision": "It is close, but further off than rounding: is a number rounded, or in a smaller dtype?",
    # for which cases
    "one batch": "It is right for B = 1 only: with more samples it is not.",
    "many only": "It is right with several samples, and not for B = 1.",
    "some cases": "It is right in some cases and wrong in others.",
    "choice": "This is not the right choice.",
    "unlike": "It is not right, and no common mistake explains it.",
}


def candidates(problem: Problem) -> Iterator[Mistake]:
    """The wrong answers of every known mistake, those of the exercise itself first."""
    yield from problem.mistakes
    if isinstance(problem.answer, np.ndarray | float | int) and not isinstance(problem.answer, bool):
        answer = np.asarray(problem.answer)
        yield from general(answer)
        yield from of_terms(problem)
        yield from along(answer, problem.axes)
        for name, value in problem.quantities.items():
            yield Mistake("other quantity", value, f"It is {name}.")
        for name, value in problem.given.items():
            if isinstance(value, np.ndarray) and not name.startswith("d"):
                yield Mistake("value for error", value, f"It is `{name}`.")
        yield Mistake("half", answer / 2)
        yield Mistake("double", answer * 2)


def general(answer: Array) -> Iterator[Mistake]:
    """Those that any array can have."""
    yield Mistake("sign", -answer)
    yield Mistake("zero", 0 * answer)
    if answer.ndim >= 2:
        yield Mistake("transposed", np.swapaxes(answer, -1, -2))
        yield Mistake("transposed", -np.swapaxes(answer, -1, -2), "And the sign is wrong.")


def of_terms(problem: Problem) -> Iterator[Mistake]:
    """A term or a factor left out, with the other sign, or there twice."""
    values = [product(term) for term in problem.terms]
    for k, (term, value) in enumerate(zip(problem.terms, values, strict=True)):
        rest = sum(v for j, v in enumerate(values) if j != k)
        alone = len(values) == 1
        if not alone:
            yield Mistake("missing term", np.asarray(rest))
            yield Mistake("wrong sign of a term", rest - value)
        for name in term:
            lost = rest + product({n: f for n, f in term.items() if n != name})
            kind = "missing slope" if name.startswith("slope") else "missing factor"
            yield Mistake(kind if alone else "a factor lost in a term", lost)
            yield Mistake("squared factor", rest + value * term[name])


def slopes(others: dict[str, Array], value: Array, kind: str, before: dict[str, Array]) -> Iterator[Mistake]:
    """Wrong slopes of a gate with this value in a product whose further factors are `before`.

    others : values of the other gates, by letter.
    """
    rest = product(before)
    wrong = "tanh" if kind == "sigmoid" else "sigmoid"
    yield Mistake("other slope", rest * ACTIVATIONS[wrong].slope(value))
    for other in others.values():
        for form in ACTIVATIONS.values():
            yield Mistake("other gate", rest * form.slope(other))
        yield Mistake("other gate", rest * value * (1 - other))
    activated = ACTIVATIONS[kind].value(value)
    yield Mistake("slope at the wrong place", rest * ACTIVATIONS[kind].slope(activated))
    yield Mistake("missing factor", rest * value, "The slope is not complete.")
    yield Mistake("missing factor", rest * (1 - value), "The slope is not complete.")
    yield Mistake("missing factor", rest * (1 - value) ** 2, "The slope is not complete.")
    yield Mistake("wrong sign of a term", rest * (1 + value) * (value if kind == "sigmoid" else 1))
    yield Mistake("wrong sign of a term", rest * (1 + value * value))


def along(answer: Array, axes: tuple[str, ...]) -> Iterator[Mistake]:
    """Those that know what the axes are: batch, time, stacked gates."""
    for axis, letter in enumerate(axes):
        size = answer.shape[axis]
        if letter == "T" and size > 1:
            yield Mistake("reversed", np.flip(answer, axis))
            for kind, by in (("late", 1), ("early", -1)):
                moved = np.roll(answer, by, axis)
                yield Mistake(kind, moved)
                edge = [slice(None)] * answer.ndim
                edge[axis] = slice(0, 1) if by == 1 else slice(-1, None)
                moved = moved.copy()
                moved[tuple(edge)] = 0
                yield Mistake(kind, moved)
        if letter == "B" and size > 1:
            yield Mistake("averaged", answer / size)
            yield Mistake("summed", answer * size)
            yield Mistake("summed", np.broadcast_to(answer.sum(axis, keepdims=True), answer.shape))
        if letter == "gates":
            blocks = dict(zip("fiog", np.split(answer, 4, axis), strict=True))
            for order in itertools.permutations("fiog"):
                yield Mistake("order of gates", np.concatenate([blocks[g] for g in order], axis))
