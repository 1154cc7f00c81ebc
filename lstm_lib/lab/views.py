"""Small views as HTML: price, explanations, message, progress, table."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Callable
from typing import Any

from lstm_lib.lab.challenges import best
from lstm_lib.lab.price import price as price_of
from lstm_lib.lab.readout import readout
from lstm_lib.lab.runs import table as table_of
from lstm_lib.lab.runs import tell_apart
from lstm_lib.lab.sharing import as_code
from lstm_lib.lab.state import State, as_text
from lstm_lib.lab.texts import say, say_within
from lstm_lib.lab.tour import STEPS
from lstm_lib.series import Series


def small(text: str) -> str:
    """A line of explanation."""
    return f"<div class='lab-small'>{_safe(text)}</div>"


def _safe(text: object) -> str:
    return html.escape(str(text), quote=False)


def _speaker(state: State) -> Callable[[str], str]:
    """Says a text in the language of the page, fit to stand in HTML."""
    return lambda text: _safe(say(state.language, text))


def price(state: State) -> tuple[str, bool]:
    """The price as bars and numbers, and whether the selection can't be trained at this depth."""
    t = _speaker(state)
    try:
        found = price_of(state)
    except ValueError as error:
        why = t(as_text(error))
        return f"<div class='lab-price'><p class='lab-wrong'>{why}</p></div>", True

    moved = t(f"of Adam's {found.adam_dense / 1000:,.0f} kB moved")
    longest = max(dense for dense, _ in found.parts.values())
    bars = "".join(
        f"<span>{t(part)}</span><span class='lab-bar'><i style='width:{100 * dense / longest:.1f}%'></i>"
        f"<b style='width:{100 * left / longest:.1f}%'></b></span><span>{dense:.0f} → <b>{left:.0f}</b></span>"
        for part, (dense, left) in found.parts.items()
    )
    step, whole = f"{found.step:.2f}×", f"{found.whole:.2f}×"
    said = [*[t(f"{step} of a step, {whole} of the whole training")] * (whole != step), *map(t, found.notes)]
    facts = (
        f"<b>{step}</b><small>{t('predicted speed-up')}</small>"
        f"<b>{100 * found.arcs:.0f} %</b><small>{t('of the arcs isolated')}</small>"
        f"<b>{t(f'{found.adam / 1000:,.0f} kB')}</b><small>{moved}</small>"
    )
    words = say(state.language, "work in % of a dense step: outline dense, filled this selection")
    notes = "".join(f"<p>{note}</p>" for note in said or [_safe(words)])
    return (
        f"<div class='lab-price' aria-live='polite'><div class='lab-facts'>{facts}</div>"
        f"<div class='lab-bars' role='img' aria-label='{html.escape(words)}'>{bars}</div>"
        f"<div class='lab-notes'>{notes}</div>{gradient(state)}</div>"
    ), False


def gradient(state: State) -> str:
    """What is left of the gradient, beside the dense one."""
    found = readout(state)

    t = _speaker(state)
    about = t("about the gradient")
    return (
        f"<div class='lab-gradient' title='{html.escape(about)}'>{t('gradient beside dense:')} "
        f"{t('cosine')} <b>{found.cosine:.2f}</b> · {t('length')} <b>{found.length:.2f}</b> · "
        f"{t('active part')} <b>{found.inside:.2f}</b></div>"
    )


def explained(state: State, labelled: bool = False) -> dict[str, str]:
    """One line on each of depth, span and schedule, as they are set; labelled: for where no control stands beside."""
    T, how = state.settings.task.unrolled, state.choice
    first, blocks = how.from_epoch, how.blocks
    epochs, drawn = state.settings.epochs, how.drawn_share(state.spec) * blocks
    span = f"errors travel back through all {T} steps"
    if how.span is not None and state.settings.task.length is None:
        span = f"errors travel back through the last {how.span} of {T} steps: an approximation"
    elif how.span is not None:
        span = f"errors stop at a border after every {how.span} of {T} steps: saves little here"
    what = f"{drawn:.0f} of {blocks} rows of units drawn anew every epoch" if how.redraw else "the selection"
    when = "in all epochs" if first == 1 else f"dense first, isolated in epochs {first} to {epochs}"
    schedule = [say(state.language, text) for text in ("isolated:", what)]
    return {
        "depth": labelled * f"{say(state.language, 'Depth')} {how.depth}: "
        + say(state.language, f"depth {how.depth}"),
        "span": say(state.language, span),
        "schedule": f"{schedule[0]} {schedule[1]}, {say(state.language, when)}",
    }


def then(state: State) -> str:
    """Which epoch of which run colours the map."""
    if state.replay is None:
        return ""
    if not state.epoch:
        return small(say(state.language, "now"))
    epoch = say(state.language, f"epoch {state.replay.epochs[state.epoch - 1].epoch}")
    return small(f"{epoch} · {say_within(state.language, state.replay.run)}")


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
    said = " ".join(say(state.language, part) for part in re.split(r"(?<=first\.) ", state.message))
    return f"<div class='lab-message {kind}' role='{role}'>{_safe(said)}</div>"


def live(state: State) -> str:
    """How far the training has come."""
    if state.live is None:
        runs = len(state.runs)
        known = "runs in the table" if runs > 1 else "run in the table"
        text = f"ready · {runs} {known}" if runs else "ready · nothing trained yet"
        return small(say(state.language, text))
    names = say_within(state.language, " + ".join(name for name, _ in state.live.curves))
    place = say(state.language, state.live.place or "starting")
    left = "" if math.isnan(state.live.left) else f" · about {max(1, round(state.live.left))} s left"
    return f"<div class='lab-busy'>{small(f'{names} · {place}{say(state.language, left)}')}</div>"


def table(state: State) -> str:
    """The runs as a table, the latest on top; the title of a row has all of its zone, and its settings."""
    if not state.runs:
        return empty(state, "Every training adds a row here.")
    runs = table_of(state.runs).assign(on=tell_apart(state.runs))
    return rows_as_table([row for _, row in runs[::-1].iterrows()], state.language)


def challenges(state: State) -> str:
    """Each challenge with the best run of this session."""
    rows, t = "", _speaker(state)
    for challenge, run, apart in best(state.runs):
        found = ("–", "–", "–")
        if run is not None and apart is not None:
            name = say_within(state.language, run.name)
            found = (name, f"{run.measured:.2f}×", f"{apart.percent:+.1f} %")
        cells = "".join(f"<td>{_safe(text)}</td>" for text in found)
        rows += f"<tr><td class='lab-words'>{t(challenge.says)}</td>{cells}</tr>"
    heads = ("challenge", "best of this session", "measured", "to dense")
    head = "".join(f"<th scope='col'>{t(text)}</th>" for text in heads)
    return f"<div class='lab-best'><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"


def guide(state: State) -> str:
    """The text of the tour's step."""
    if not state.tour:
        return ""
    said = _safe(say(state.language, f"tour {state.tour}"))
    return f"<div class='lab-message lab-guide' role='status'><b>{state.tour}/{len(STEPS)}</b> {said}</div>"


def empty(state: State, text: str) -> str:
    """What stands where there is nothing yet."""
    return f"<div class='lab-empty'>{_safe(say(state.language, text))}</div>"


def code(state: State) -> str:
    """The lines of Python that do the same, or why there are none."""
    try:
        return f"<pre class='lab-code'>{_safe(as_code(state))}</pre>"
    except (ValueError, OSError) as error:
        return small(as_text(error))


def rows_as_table(rows: list[Any], language: str = "en") -> str:
    """Rows of the table of runs, with what tells them apart, as HTML."""
    texts = ("on", "zone", "how")
    head = "".join(
        f"<th scope='col' class='{'lab-text' * (name in texts)}'>{_safe(say(language, name))}</th>"
        for name in _cells(rows[0])
    )
    body = ""
    for row in rows:
        cells = ""
        for name, cell in _cells(row).items():
            if name in texts:
                parts = (say_within(language, say(language, part)) for part in cell.split(", "))
                cells += f"<td class='lab-text'><div>{_safe(', '.join(parts))}</div></td>"
            else:
                unsure = name == "to dense" and not (row["low"] > 0 or row["high"] < 0)
                cells += f"<td class='{'lab-unsure' * unsure}'>{_safe(cell)}</td>"
        body += f"<tr title='{html.escape(row['zone'] + '; ' + row['settings'])}'>{cells}</tr>"
    about = say(
        language, "to dense: mean over the seeds ± 95 %; grey where that holds 0, or there is one seed alone"
    )
    about += ". " + say(language, "time: what the training steps took of the processor, mean over the seeds")
    return (
        f"<div class='lab-table' title='{html.escape(about)}'><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def _cells(row: Any) -> dict[str, str]:
    """A row of the table as it is shown: heading -> text."""
    span = row["span"] and f"span {row['span']}"
    how = filter(None, (row["depth"], span, row["schedule"], row["stopped"]))
    dense = row["zone"] == "nothing" and not row["span"]
    apart = "–" if dense else _number(row["to dense %"], "{:+.1f}")
    reach = (row["high"] - row["low"]) / 2
    return {
        "#": row["run"].partition(" ")[0],
        **({"on": row["on"]} if row["on"] else {}),
        "zone": row["zone"],
        "how": ", ".join(how) or "dense",
        "arcs": f"{row['arcs isolated %']:.0f} %",
        "predicted": _number(row["predicted speed-up"], "{:.2f}×"),
        "measured": _number(row["measured speed-up"], "{:.2f}×"),
        "time": f"{row['seconds']:.{2 if row['seconds'] < 10 else 1}f} s",
        "seeds": str(row["seeds"]),
        "RMSE": f"{row['RMSE']:.4f} {row['unit']}",
        "to dense": apart + ("" if dense or math.isnan(reach) else f" ± {reach:.1f}") + " %" * (apart != "–"),
    }


def _number(value: float, form: str) -> str:
    return "–" if math.isnan(value) else form.format(value)
