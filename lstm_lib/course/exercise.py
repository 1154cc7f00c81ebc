"""What an exercise is: one row of a table, of which everything else is derived.

Nouns: a `Case` is the size at which an answer is tried; a `Problem` is what the exercise is at one case: the numbers
given, the right answer, and what would come out of a known mistake; an `Exercise` makes problems.

The answer is computed by lstm_lib itself. `terms` take it apart once more, for the diagnosis alone: the answer is a sum
of terms, each a product of named factors. Leaving one out, or giving it the other sign, makes the mistakes.

Letters: T steps, B batch, D inputs, H units, O outputs. Arrays are feature-major, (H, B), as inside a step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from lstm_lib.network.cells import Array


class Case(NamedTuple):
    """A size, a cell and a seed."""

    B: int = 2
    H: int = 3
    D: int = 2
    T: int = 4
    cell: str = "standard"
    seed: int = 0


# Sizes that differ, so that a transposed array or an exchanged index shows itself; with one sample, and with several.
CASES = (Case(B=3, H=4, D=2, T=5, seed=1), Case(B=1, H=4, D=2, T=5, seed=2))

Terms = tuple[Mapping[str, Array], ...]


class Mistake(NamedTuple):
    """A known mistake: its kind (a key of `KINDS`), the wrong answer, and what is said beside the kind's sentence."""

    kind: str
    value: Any
    where: str = ""


@dataclass(frozen=True)
class Problem:
    """An exercise at one case.

    given : what a function may take, by name; the first `takes` of the exercise in order.
    answer : an array, a number, a text, or a tuple or mapping of arrays.
    terms : the answer as a sum of products of arrays; empty where it is none.
    mistakes : further ones, which only this exercise has.
    axes : what the axes of the answer are, by letter: "gates" for the stacked rows f, i, o, g.
    quantities : others that might be taken for the answer, by name.
    """

    given: Mapping[str, Any]
    answer: Any
    terms: Terms = ()
    mistakes: tuple[Mistake, ...] = ()
    axes: tuple[str, ...] = ()
    quantities: Mapping[str, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class Exercise:
    """A row.

    name : chapter and quantity, "02.dz_f". title : what is asked for. equation : named at the third call.
    hint : said at the second call. problem : of a case.
    takes : the parameters of a function, in order. notebook : the case of an answer that is no function, None where it
    has to be one. cases : those at which a function is called.
    names : of the entries of a tuple. reads : what is compared of what a function returns; None, all of it.
    """

    name: str
    title: str
    equation: str
    hint: str
    problem: Callable[[Case], Problem]
    takes: tuple[str, ...] = ()
    notebook: Case | None = None
    cases: tuple[Case, ...] = CASES
    names: tuple[str, ...] = ()
    reads: Callable[[Any], Any] | None = None

    @property
    def sheet(self) -> str:
        """The number of its chapter."""
        return self.name.partition(".")[0]


def product(factors: Mapping[str, Array]) -> Array:
    """Of arrays, entry by entry.

    >>> product({"a": np.array([2.0]), "b": np.array([3.0])})
    array([6.])
    """
    found: Array = np.asarray(1.0)
    for factor in factors.values():
        found = found * factor
    return found
