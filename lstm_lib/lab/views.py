"""Small views as HTML: price, explanations, message, progress, table."""

from __future__ import annotations

import html
import math
from typing import Any

from lstm_lib.lab.price import price as price_of
from lstm_lib.lab.runs import table as table_of
from lstm_lib.lab.runs import tell_apart
from lstm_lib.lab.state import State, as_text, drawn_share
from lstm_lib.series import Series

DEPTHS_SAY = {
    "hold": "not updated; all is still computed, as with a mask, so nothing is saved",
    "skip": "not updated, and its weight gradients are not computed: exact",
    "cut": "as skip, and no error passes through it: saves most, an approximation",
    "cache": "as skip; layers isolated altogether remember their states: exact",
}


def small(text: str) -> str:
    """A line of explanation."""
    return f"<div class='lab-small'>{_safe(text)}</div>"


def _safe(text: object) -> str:
    return html.escape(str(text), quote=False)


def price(state: State) -> tuple[str, bool]:
    """The price as bars and numbers, and whether the selection can't be trained at this depth."""
    try:
        found = price_of(state)
    except ValueError as error:
        return f"<div class='lab-price'><p class='lab-wrong'>{_safe(as_text(error))}</p></div>", True
    longest = max(dense for dense, _ in found.parts.values())
    bars = "".join(
        f"<span>{part}</span><span class='lab-bar'><i style='width:{100 * dense / longest:.1f}%'></i>"
        f"<b style='width:{100 * left / longest:.1f}%'></b></span><span>{dense:.0f} → <b>{left:.0f}</b></span>"
        for part, (dense, left) in found.parts.items()
    )
    step, whole = f"{found.step:.2f}×", f"{found.whole:.2f}×"
    said = [*[f"{step} of a step, {whole} of the whole training"] * (whole != step), *found.notes]
    facts = (
        f"<b>{step}</b><small>predicted speed-up</small>"
        f"<b>{100 * found.arcs:.0f} %</b><small>of the arcs isolated</small>"
        f"<b>{found.adam / 1000:,.0f} kB</b><small>of Adam's {found.adam_dense / 1000:,.0f} kB moved</small>"
    )
    words = "work in % of a dense step: outline dense, filled this selection"
    notes = "".join(f"<p>{_safe(note)}</p>" for note in said or [words])
    return (
        f"<div class='lab-price' aria-live='polite'><div class='lab-facts'>{facts}</div>"
        f"<div class='lab-bars' role='img' aria-label='{words}'>{bars}</div>"
        f"<div class='lab-notes'>{notes}</div></div>"
    ), False


def explained(state: State) -> dict[str, str]:
    """One line on each of depth, span and schedule, as they are set."""
    T, first, blocks = state.settings.task.lookback, state.from_epoch, state.blocks
    span = f"all {T} steps" if state.span is None else f"the last {state.span} of {T} steps: an approximation"
    epochs = state.settings.epochs
    when = "in all epochs" if first == 1 else f"dense first, isolated in epochs {first} to {epochs}"
    what = f"{drawn_share(state) * blocks:.0f} of {blocks} rows of units drawn anew every epoch"
    return {
        "depth": DEPTHS_SAY[state.depth],
        "span": f"errors travel back through {span}",
        "schedule": f"isolate {what if state.redraw else 'the selection'}, {when}",
    }


def recognised(series: Series) -> str:
    """What was understood of a user's file, and what looks wrong in it, worst first."""
    told = series.check().summary()
    lines = [f"{row.kind} {row.column} {row.findings}× ({row.worst})" for row in told.itertuples()]
    found = f"what looks wrong: {'; '.join(lines)}" if lines else "nothing looks wrong"
    return small(" · ".join((*repr(series).splitlines(), found)))


def message(state: State) -> str:
    """What the page has to say; its room stays where there is nothing, so that nothing below it jumps."""
    if not state.message:
        return ""
    role, kind = ("alert", "lab-wrong") if state.wrong else ("status", "lab-good")
    return f"<div class='lab-message {kind}' role='{role}'>{_safe(state.message)}</div>"


def live(state: State) -> str:
    """How far the training has come."""
    if state.live is None:
        runs = len(state.runs)
        return small(
            f"ready · {runs} run{'s' * (runs > 1)} in the table" if runs else "ready · nothing trained yet"
        )
    left = "" if math.isnan(state.live.left) else f" · about {max(1, round(state.live.left))} s left"
    said = small(f"{state.live.name} · {state.live.place or 'starting'}{left}")
    return f"<div class='lab-busy'>{said}</div>"


def table(state: State) -> str:
    """The runs as a table, the latest on top; the title of a row has all of its zone, and its settings."""
    if not state.runs:
        return "<div class='lab-empty'>Every training adds a row here.</div>"
    runs = table_of(state.runs).assign(on=tell_apart(state.runs))
    return rows_as_table([row for _, row in runs[::-1].iterrows()])


def rows_as_table(rows: list[Any]) -> str:
    """Rows of the table of runs, with what tells them apart, as HTML."""
    of = {name: " class='lab-text'" * (name in ("on", "zone", "how")) for name in _cells(rows[0])}
    head = "".join(f"<th scope='col'{kind}>{name}</th>" for name, kind in of.items())
    body = "".join(
        f"<tr title='{html.escape(row['zone'] + '; ' + row['settings'])}'>"
        + "".join(f"<td{of[name]}>{_safe(cell)}</td>" for name, cell in _cells(row).items())
        + "</tr>"
        for row in rows
    )
    return f"<div class='lab-table'><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def _cells(row: Any) -> dict[str, str]:
    """A row of the table as it is shown: heading -> text."""
    span = row["span"] and f"span {row['span']}"
    how = filter(None, (row["depth"], span, row["schedule"], row["stopped"]))
    return {
        "#": row["run"].partition(" ")[0],
        **({"on": row["on"]} if row["on"] else {}),
        "zone": row["zone"],
        "how": ", ".join(how) or "dense",
        "arcs": f"{row['arcs isolated %']:.0f} %",
        "predicted": _number(row["predicted speed-up"], "{:.2f}×"),
        "measured": _number(row["measured speed-up"], "{:.2f}×"),
        "time": f"{row['seconds']:.1f} s",
        "RMSE": f"{row['RMSE']:.4f} {row['unit']}",
        "to dense": _number(row["to dense %"], "{:+.1f} %"),
    }


def _number(value: float, form: str) -> str:
    return "–" if math.isnan(value) else form.format(value)
