"""A report as one HTML page that opens without a network: its pictures stand in it, and it runs nothing.

Whatever comes from the file is escaped. The page is light or dark as its reader's screen is.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from lstm_lib.series import Series
from lstm_lib.series.findings import Findings
from lstm_lib.series.refusal import listed

SHOWN = ("mae", "rmse", "nrmse", "mase", "skill", "coverage", "width", "n")  # of the columns of `compare`
CLEANED = (
    "sentinel",
    "spike",
    "frozen",
    "duplicate",
    "clock change",
    "outage",
)  # kinds that cleaning makes missing
STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1c1e21; --pale: #5c6470; --line: #d9dde3; --shade: #f4f6f8; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #15181c; --ink: #e4e7eb; --pale: #a3abb6; --line: #363c45; --shade: #1e2329; }
  img { filter: invert(1) hue-rotate(180deg); }
}
body { background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; margin: 0 auto;
  max-width: 62rem; padding: 1.5rem; }
h1 { font-size: 1.6rem; margin: 0; } h2 { border-top: 1px solid var(--line); font-size: 1.15rem; margin-top: 2rem;
  padding-top: 1rem; }
p { margin: .5rem 0; } .pale { color: var(--pale); font-size: .9rem; } img { height: auto; max-width: 100%; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid var(--line); padding: .25rem .7rem; text-align: left; } th { color: var(--pale); }
td.number, th.number { text-align: right; } tr.best td { background: var(--shade); font-weight: 600; }
"""
PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title><style>{style}</style></head><body>
{body}
</body></html>
"""


@dataclass(frozen=True)
class Words:
    """The sentences of a report: on what was tested, which forecast is best, what comes next."""

    tested: str
    verdict: str
    ahead: str


def scores(table: pd.DataFrame) -> pd.DataFrame:
    """The columns of `compare` that people read."""
    return table[[name for name in SHOWN if name in table]]


def summary(found: Findings) -> pd.DataFrame:
    """The findings in ten lines, without columns that have nothing to say."""
    table = found.summary()
    return table.loc[:, [name for name in table if (table[name] != "").any()]]


def advice(found: Findings) -> list[str]:
    """What to do about findings, as options."""
    kinds = list(dict.fromkeys(found["kind"]))
    lines = ["A finding is a question: nothing was changed, and missing values are never filled in."]
    if cleaned := [kind for kind in CLEANED if kind in kinds]:
        lines.append(
            f'To make values missing that are wrong: --clean "{listed(cleaned)}", those kinds that you mean.'
        )
    if "meter" in kinds:
        meters = found.loc[found["kind"] == "meter", "column"]
        lines.append(
            f'What was consumed, instead of readings: --consumption "{listed(dict.fromkeys(meters), 40)}".'
        )
    return lines


def report(series: Series, found: Findings, table: pd.DataFrame, ahead: pd.DataFrame, words: Words) -> str:
    """The page.

    Parameters
    ----------
    found : from `series.check()`. table : from `compare`. ahead : from `Forecaster.forecast`.
    """
    from lstm_lib import plots

    local = pd.DatetimeIndex(ahead.index).tz_convert(series.timezone)
    hours = ahead.copy()
    hours.insert(0, f"time (UTC{local[0].isoformat()[-6:]})", local.strftime("%a %Y-%m-%d %H:%M"))
    best, compared = str(table["rmse"].idxmin()), scores(table).rename_axis("forecast").reset_index()
    target = f"{series.target} in {series.unit}" if series.unit else series.target
    parts = [
        f"<h1>{_safe(series.name)}</h1>",
        *(f'<p class="pale">{_safe(line.strip())}</p>' for line in repr(series).partition(": ")[2].splitlines()),
        *([f'<p class="pale">{_safe(series.source)}</p>'] if series.source else []),
        "<h2>What comes next</h2>", _paragraph(words.ahead),
        _picture(plots.newest(series, ahead), f"{target}: the last week, and the forecast with its interval"),
        "<details><summary>In numbers</summary>", _table(hours), "</details>",
        "<h2>Forecasts compared</h2>", _paragraph(words.tested), _table(compared, best), _paragraph(words.verdict),
        "<h2>What looks wrong</h2>",
        *([_table(summary(found)), *map(_paragraph, advice(found)),
           _picture(plots.findings(series, found), "where the findings lie, a line for each kind")]
          if len(found) else [_paragraph("Nothing.")]),
        "<h2>The whole series</h2>",
        _picture(plots.over_years(series), f"daily means of {target} over the whole series"),
    ]  # fmt: skip
    return PAGE.format(title=_safe(series.name), style=STYLE, body="\n".join(parts))


def _safe(text: object) -> str:
    return html.escape(str(text))


def _paragraph(text: str) -> str:
    return f"<p>{_safe(text)}</p>"


def _picture(figure: object, alt: str) -> str:
    """A figure inside the page, on no ground of its own."""
    import matplotlib.pyplot as plt

    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=130, transparent=True)  # type: ignore[attr-defined]
    plt.close(figure)  # type: ignore[arg-type]
    return (
        f'<img alt="{_safe(alt)}" src="data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}">'
    )


def _table(frame: pd.DataFrame, best: str = "") -> str:
    """A table; the row that begins with `best` is marked."""
    kinds = [' class="number"' if pd.api.types.is_numeric_dtype(frame[name]) else "" for name in frame]

    def line(tag: str, values: Iterable[object], mark: str = "") -> str:
        cells = (f"<{tag}{kind}>{_safe(_shown(v))}</{tag}>" for kind, v in zip(kinds, values, strict=True))
        return f"<tr{mark}>{''.join(cells)}</tr>"

    rows = (
        line("td", row, ' class="best"' * bool(best and best in row)) for row in frame.itertuples(index=False)
    )
    return f'<div class="wide"><table>{line("th", frame.columns)}{"".join(rows)}</table></div>'


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
