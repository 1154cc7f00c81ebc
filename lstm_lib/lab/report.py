"""Everything that the page shows as one HTML file, which opens without a kernel and without a network.

The file forbids itself any script: whatever a name or a unit in it holds stays text.
"""

from __future__ import annotations

import base64
import html
from pathlib import Path

import matplotlib as mpl

from lstm_lib.lab import figures, grid, views
from lstm_lib.lab.sharing import to_text
from lstm_lib.lab.state import State, as_text, scores
from lstm_lib.lab.texts import say, say_within

HERE = Path(__file__).parent
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
PICTURES = {  # what stands where they will be
    "curves": "Curves appear here when you train.",
    "points": "Runs appear here when you have trained.",
    "week": "Forecasts appear here when you have trained.",
}
HATCH = (
    "<defs><pattern id='hatch' width='7' height='7' patternUnits='userSpaceOnUse' patternTransform='rotate(45)'>"
    "<rect width='7' height='7' fill='#fff' fill-opacity='0.35'/><rect width='2' height='7' fill='#111'/>"
    "</pattern></defs>"
)


def report(state: State) -> str:
    """The map, the price, the runs and the pictures of a state, its text and its code."""
    title, network = say(state.language, "Isolation lab"), say_within(state.language, state.settings.network)
    parts = [
        f"<h1>{html.escape(title)}</h1><p>{html.escape(network)}</p>",
        f"<div class='lab-map'>{static_map(state)}</div>",
        views.price(state)[0],
        *(views.small(text) for text in views.explained(state, labelled=True).values()),
        views.table(state),
        *(picture(state, name) for name in PICTURES),
        f"<h2>{html.escape(say(state.language, 'The state'))}</h2>",
        f"<pre class='lab-code'>{html.escape(to_text(state))}</pre>",
        f"<h2>{html.escape(say(state.language, 'The same by code'))}</h2>{views.code(state)}",
    ]
    style = "".join((HERE / name).read_text(encoding="utf-8") for name in ("page.css", "map.css"))
    return (
        f"<!doctype html><html lang='{state.language}'><head><meta charset='utf-8'>"
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<title>{html.escape(title)}</title><style>{style}</style></head>"
        f"<body class='lab-page lab-report'>{''.join(parts)}</body></html>\n"
    )


def picture(state: State, name: str) -> str:
    """A figure of PICTURES with its words for a screen reader; or why there is none."""
    draw = {"curves": figures.curves, "points": figures.all_runs, "week": figures.week}[name]
    otherwise = PICTURES[name]
    try:
        with mpl.rc_context({"text.parse_math": False}):  # a name or a unit may hold a $
            drawn = draw(state) if state.runs or (name == "curves" and state.live) else None
            content = base64.b64encode(drawn.as_bytes()).decode() if drawn else ""
    except Exception as error:  # a series that is gone, say; the rest of the page must go on
        why = say(state.language, "This can't be drawn:")
        drawn, otherwise = None, f"{why} {as_text(error)}"
    if drawn is None:
        return views.empty(state, otherwise)
    return f"<img class='lab-picture' alt='{html.escape(drawn.words)}' src='data:image/svg+xml;base64,{content}'>"


def static_map(state: State) -> str:
    """The map as a picture that nothing can be clicked on."""
    found = grid.make_grid(state.spec, state.choice.blocks)
    shades = grid.shades(scores(state, found.cut).values / found.sizes)
    drawn = [HATCH]
    for item, share in zip(found.items, grid.shares(state.zone, found), strict=True):
        place = f"x='{item.x:.1f}' y='{item.y:.1f}' width='{item.w:.1f}'"
        fill = shades[item.name] if item.kind == "cell" else "#eef1f4"
        drawn.append(f"<rect {place} height='{item.h:.1f}' fill='{fill}' stroke='#fff'/>")
        if item.kind == "cell" and share:
            drawn.append(f"<rect {place} height='{share * item.h:.1f}' fill='url(#hatch)'/>")
        elif item.kind != "cell":
            at = f"x='{item.x + item.w / 2:.1f}' y='{item.y + item.h / 2:.1f}'"
            drawn.append(
                f"<g class='heading'><text {at}>{html.escape(say(state.language, item.label))}</text></g>"
            )
    about = html.escape(say(state.language, "Map of the network; hatched: isolated"))
    size = f"0 0 {grid.WIDTH:.0f} {grid.TOP + grid.ROWS:.0f}"
    return f"<svg viewBox='{size}' role='img' aria-label='{about}'>{''.join(drawn)}</svg>"
