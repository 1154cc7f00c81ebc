"""The text of a zone, both ways: its terms, and what a term says.

A text is a list of terms with ` | ` between them, each

    layer            all arcs of a layer: 0, 1, …, head
    layer/matrix     one of its matrices: 0/Wx, 0/Wh, 0/b, head/W, head/b
    layer/matrix/gates   the rows of some gates: 0/Wh/f, 0/Wh/fi; 0/*/f are those of all matrices
    term[units]      of these the arcs that lead to some units: 0[0:64], 0/Wh/f[0:32], 0/b[0,4:8]
    term[units;sources]  and come from some sources: 0/Wh/f[0:32;64:128], 0/Wx[:;3]

Gates are those of the cell: f, i, o, g in an LSTM, z, r, g in a GRU, g in a simple recurrent network.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from lstm_lib.network.cells import Array
from lstm_lib.network.spec import Spec

Positions = int | slice | Iterable[int] | None

MOST_POSITIONS = 100_000  # in one pair of brackets; more is a slip, and would only be repeated in the refusal
_BLANKS = re.compile(r"\s+(?=[\[\];:,])|(?<=[\[\];:,])\s+")  # around punctuation; elsewhere a blank is a slip
_TERM = re.compile(
    r"(?P<layer>\d+|head)(?:/(?P<matrix>\w+|\*))?(?:/(?P<gate>\w+))?(?:\[(?P<unit>[^];]*)(?:;(?P<source>[^];]*))?\])?"
)


def read_term(term: str) -> dict[str, Any]:
    """A term as the arguments of `zone`; ValueError for one that can't be read.

    >>> read_term("0/Wh/f[0:2]")
    {'layer': 0, 'matrix': 'Wh', 'gate': 'f', 'unit': slice(0, 2, None), 'source': None}
    """
    parts = _TERM.fullmatch(_BLANKS.sub("", term.strip()))
    if parts is None:
        raise ValueError(
            f"can't read the term {term.strip()!r}; a term is layer/matrix/gates[units;sources], such as 0, 0/Wh, "
            "0/Wh/f, 0/Wh/f[0:32], 0/Wx[:;3], 0/*/f or head, with ' | ' between terms"
        )
    place, matrix = parts["layer"], parts["matrix"]
    return {
        "layer": "head" if place == "head" else int(place),
        "matrix": None if matrix == "*" else matrix,
        "gate": parts["gate"],
        "unit": _read_index(parts["unit"]),
        "source": _read_index(parts["source"]),
    }


def _read_index(text: str | None) -> Positions:
    """`0:4,7` as a list of positions; None and `:` as all."""
    if text is None or text == ":":
        return None
    if not re.fullmatch(r"[0-9]+(:[0-9]+)?(,[0-9]+(:[0-9]+)?)*", text):
        raise ValueError(f"[{text}] is no list of positions such as 0:32 or 0,4:8")
    if re.fullmatch(r"[0-9]+:[0-9]+", text):
        return slice(*map(int, text.split(":")))
    ends = [
        (int(first), int(last or int(first) + 1))
        for first, _, last in (part.partition(":") for part in text.split(","))
    ]
    if (many := sum(max(0, last - first) for first, last in ends)) > MOST_POSITIONS:
        raise ValueError(f"[{text[:40]}] lists {many:,} positions; a layer has at most some thousands")
    return [position for first, last in ends for position in range(first, last)]


def terms(spec: Spec, masks: Mapping[str, Array]) -> Iterator[str]:
    """The terms of the text of a zone, from its arcs by parameter."""
    masks = {k: m for k, m in masks.items() if m.any()}
    if len(masks) == len(spec.shapes) and all(m.all() for m in masks.values()):
        yield "everything"
        return
    for k, H in enumerate(spec.units):
        yield from _layer_terms(spec, k, {m: masks[f"{k}/{m}"].reshape(-1, H, *masks[f"{k}/{m}"].shape[1:])
                                          for m in spec.row.matrices if f"{k}/{m}" in masks})  # fmt: skip
    ends = {m: list(_indices(masks[f"head/{m}"])) for m in ("W", "b") if f"head/{m}" in masks}
    if ends == {"W": [""], "b": [""]}:
        yield "head"
    else:
        yield from (f"head/{matrix}{index}" for matrix, indices in ends.items() for index in indices)


def _layer_terms(spec: Spec, k: int, masks: Mapping[str, Array]) -> Iterator[str]:
    """Those of a layer, from (gates, units, …) of each matrix."""
    matrices = spec.row.matrices
    found: dict[str, dict[str, str]] = {}  # index -> matrix -> gates
    for matrix, mask in masks.items():
        for gate, block in zip(matrices[matrix], mask, strict=True):
            for index in _indices(block):
                letters = found.setdefault(index, {})
                letters[matrix] = letters.get(matrix, "") + gate
    for index, alike in found.items():
        gates = alike.get("Wx", "")
        # the same gates of every matrix that has them
        same = ";" not in index and alike == {
            m: "".join(g for g in gates if g in own) for m, own in matrices.items() if set(own) & set(gates)
        }
        for matrix, own_letters in ({"*": gates} if same else alike).items():
            own = spec.row.gates if matrix == "*" else matrices[matrix]
            short = "" if own_letters == own else f"/{own_letters}"
            yield f"{k}{short and '/*' if matrix == '*' else '/' + matrix}{short}{index}"


def _indices(block: Array) -> Iterator[str]:
    """What stands behind a block's name: nothing for all of it, else `[units]` or `[units;sources]`."""
    block = block.reshape(len(block), -1)
    for pattern, rows in equal_rows(block):
        units = ranges(rows, len(block))
        if pattern.all():
            yield "" if units == ":" else f"[{units}]"
        else:
            yield f"[{units};{ranges(np.flatnonzero(pattern), len(pattern))}]"


def equal_rows(mask: Array) -> list[tuple[Array, Array]]:
    """The different rows of a mask that have a True, each with the positions at which it stands.

    >>> [(pattern.tolist(), at.tolist()) for pattern, at in equal_rows(np.array([[1, 0], [0, 0], [1, 0]], bool))]
    [([True, False], [0, 2])]
    """
    rows = np.flatnonzero(mask.any(axis=1))
    if not rows.size:
        return []
    first = mask[rows[0]]
    if (mask[rows] == first).all():  # the common case, and cheaper to see than to sort for
        return [(first, rows)]
    packed = np.packbits(mask[rows], axis=1)
    _, where, group = np.unique(
        packed.view(f"V{packed.shape[1]}").ravel(), return_index=True, return_inverse=True
    )
    return [(mask[rows[where[k]]], rows[group == k]) for k in np.argsort(where)]


def ranges(positions: Array, size: int) -> str:
    """Positions in order as a list such as `0:4,7`; `:` for all.

    >>> ranges(np.array([0, 1, 2, 3, 7]), 9)
    '0:4,7'
    """
    if len(positions) == size:
        return ":"
    return ",".join(f"{a}" if b == a + 1 else f"{a}:{b}" for a, b in runs(positions))


def runs(positions: Array) -> list[tuple[int, int]]:
    """Positions in order, at least one, as ranges of neighbours.

    >>> runs(np.array([0, 1, 2, 7]))
    [(0, 3), (7, 8)]
    """
    edges = [0, *(1 + np.flatnonzero(np.diff(positions) > 1)).tolist(), len(positions)]
    return [(int(positions[a]), int(positions[b - 1]) + 1) for a, b in pairwise(edges)]
