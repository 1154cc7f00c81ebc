"""The strip: |dz| over steps and gates, dense and under the selection, as a picture; it shows where errors flow.

Time runs to the right, errors to the left. The darker, the larger, on a scale of powers of ten that both share.
"""

from __future__ import annotations

import html
from collections.abc import Iterator

import numpy as np

from lstm_lib.lab.readout import errors
from lstm_lib.lab.state import State, as_text
from lstm_lib.lab.texts import say
from lstm_lib.network.cells import Array

WIDE, HIGH, SIDE = 640.0, 11.0, 26.0  # pixels: all steps, a row, the names beside it
DECADES = 4.0  # from the darkest to white


def strip(state: State, back: int | None = None) -> str:
    """The picture as HTML, of the last layer first, as the errors go down; or why there is none.

    back : how many steps the errors have travelled back so far; None: all.
    """
    try:
        dense, left = errors(state)
    except ValueError as error:
        return f"<div class='lab-empty'>{html.escape(as_text(error))}</div>"
    most, drawn = max(float(a.max()) for a in dense) or 1.0, []
    for name, layers in (("dense", dense), ("this selection", left)):
        drawn.append(f"<div class='lab-small'>{html.escape(say(state.language, name))}</div>")
        drawn += [_layer(state, k, layers[k], most, back) for k in reversed(range(len(layers)))]
    return (
        f"{''.join(drawn)}<div class='lab-small'>{html.escape(say(state.language, 'about the errors'))}</div>"
    )


def _layer(state: State, k: int, sizes: Array, most: float, back: int | None) -> str:
    blocks, T = sizes.shape
    names = state.spec.row.blocks
    shades = 1 + np.log10(np.maximum(sizes / most, 10.0**-DECADES)) / DECADES
    first = 0 if back is None else max(0, T - back)
    summed = ", ".join(f"{name} {a.mean():.2g}" for name, a in zip(names, sizes, strict=True))
    label = html.escape(f"{say(state.language, f'layer {k}')}: |dz| {summed}")
    return (
        f"<svg class='lab-strip' viewBox='0 0 {SIDE + WIDE:.0f} {blocks * HIGH:.0f}' role='img' aria-label='{label}'>"
        f"<title>{label}</title>{''.join(_cells(names, shades, first))}</svg>"
    )


def _cells(names: tuple[str, ...], shades: Array, first: int) -> Iterator[str]:
    blocks, T = shades.shape
    w = WIDE / T
    for row, name in enumerate(names):
        yield f"<text x='{SIDE - 6:.0f}' y='{(row + 0.8) * HIGH:.1f}'>{html.escape(name)}</text>"
        for t in range(first, T):
            red, green, blue = (round(255 + shades[row, t] * (a - 255)) for a in (0, 58, 92))
            yield (
                f"<rect x='{SIDE + t * w:.1f}' y='{row * HIGH:.0f}' width='{w:.2f}' height='{HIGH - 1:.0f}' "
                f"fill='rgb({red},{green},{blue})'/>"
            )
    if first:
        yield f"<rect class='ahead' x='{SIDE:.0f}' y='0' width='{first * w:.1f}' height='{blocks * HIGH:.0f}'/>"
