"""The commands: each takes what was typed, and returns an `Outcome`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from lstm_lib.command import page
from lstm_lib.command.preparing import cut, place, read, record_table, say, told, trained
from lstm_lib.extras import needed
from lstm_lib.files import replacing
from lstm_lib.forecaster import Forecaster
from lstm_lib.series import SequenceSplit, Series, compare, ridge_forecast
from lstm_lib.series.findings import Findings

BEATEN = "No trained forecast is better here than {name}, which costs nothing."


@dataclass(frozen=True)
class Outcome:
    """What a command leaves: a text for people, data that JSON knows for programs, and an exit code."""

    text: str
    data: dict[str, Any] = field(default_factory=dict)
    code: int = 0


def check(given: argparse.Namespace) -> Outcome:
    """What is in a file, and what looks wrong."""
    series = read(given, told(given), calendar=False)
    found = series.check()
    data = _about(series) | {"findings": record_table(found), "summary": record_table(found.summary())}
    return Outcome(f"{series}\n\n{_told_findings(found, given.all)}", data, int(len(found) > 0))


def compared(given: argparse.Namespace) -> Outcome:
    """Errors of the naive forecasts, a ridge regression and an LSTM on the test part."""
    series = read(given, told(given))
    split = cut(given, series)
    table = _scores(given, split, trained(given, split))
    text = f"{_tested(split)}\n\n{_as_text(table)}\n\n{_verdict(table, series)}"
    return Outcome(text, _about(series) | {"compared": _rows(table)})


def train(given: argparse.Namespace) -> Outcome:
    """A trained forecaster in a file."""
    (out,) = place(given, given.out)
    assert out is not None
    series = read(given, told(given))
    split = cut(given, series)
    model = trained(given, split)
    table = compare(split.test, {"LSTM": model.predict(split.test)})
    path = model.save(out)
    text = (
        f"{_tested(split)}\n\n{_as_text(table)}\n\n{_verdict(table, series)}\n"
        f"{path} is written; what comes next: lstm-lib forecast {path} {given.file}"
    )
    return Outcome(text, _about(series) | {"model": str(path), "compared": _rows(table)})


def forecast(given: argparse.Namespace) -> Outcome:
    """What comes after the last row of a file."""
    out, picture = place(given, given.out, given.plot)
    if picture:
        with needed("study", "a picture"):
            from lstm_lib import plots
    model = Forecaster.load(given.model)
    series = read(given, _as_trained(model) | told(given), calendar=False)
    table = model.forecast(series, level=given.level or None, at=given.at)
    if picture:
        with replacing(picture) as file:
            plots.newest(series, table).savefig(file, dpi=150, format=picture.suffix[1:] or "png")
    local = table.set_axis(pd.DatetimeIndex(table.index, name="time").tz_convert(series.timezone))
    lines = local.set_axis([stamp.isoformat() for stamp in local.index]).to_csv(
        index_label="time", float_format="%.6g", lineterminator="\n"
    )
    said = _next_in_words(local, series, given.level)
    if out:
        with replacing(out) as file:
            file.write(lines.encode())
    written = [f"{path} is written" for path in (out, picture) if path]
    if not out:
        say(given, said)
    data = _about(series) | {"level": given.level or None, "forecast": record_table(local.reset_index())}
    return Outcome("\n".join([said, *written]) if out else lines.rstrip(), data)


def report(given: argparse.Namespace) -> Outcome:
    """One page of a file."""
    (out,) = place(given, given.out)
    assert out is not None
    with needed("study", "a report"):
        import lstm_lib.plots  # noqa: F401  # asked for here, and not after the training
    series = read(given, told(given))
    found = series.check()
    split = cut(given, series)
    model = trained(given, split)
    table = _scores(given, split, model)
    ahead = model.forecast(series, level=given.level or None)
    words = page.Words(_tested(split), _verdict(table, series), _next_in_words(ahead, series, given.level))
    with replacing(out) as file:
        file.write(page.report(series, found, table, ahead, words).encode())
    data = _about(series) | {
        "report": str(out),
        "summary": record_table(found.summary()),
        "compared": _rows(table),
    }
    return Outcome(f"{words.verdict}\n{words.ahead}\n{out} is written; open it in a browser", data)


def study(given: argparse.Namespace) -> Outcome:
    """What isolation saves and costs."""
    with needed("study", "a study"):
        from lstm_lib.command import studying
    return Outcome(*studying.study(given))


COMMANDS: dict[str, Callable[[argparse.Namespace], Outcome]] = {
    "check": check, "compare": compared, "train": train, "forecast": forecast, "report": report,
    "study": study,
}  # fmt: skip


# --------------------------------------------------------------------------------------------------------- details


def _as_trained(model: Forecaster) -> dict[str, str]:
    """How the file is read unless it is said otherwise: as that which the model was trained on."""
    texts = model.reading_
    if model.recipe_ is None:
        return dict(texts)
    return {"target": model.recipe_.targets[0], "timezone": model.recipe_.timezone, **texts}


def _scores(given: argparse.Namespace, split: SequenceSplit, model: Forecaster) -> pd.DataFrame:
    """The table of `compare`; without ridge where scikit-learn is not installed."""
    valid, test = model.predict(split.valid), model.predict(split.test)
    forecasts: dict[str, Any] = {"LSTM": (valid, test)}
    try:
        with needed("study", "ridge"):
            import sklearn  # noqa: F401
        forecasts["ridge"] = ridge_forecast
    except ModuleNotFoundError as error:
        say(given, str(error))
    say(given, f"comparing {', '.join(forecasts)} and the naive forecasts")
    return compare(split, forecasts, level=given.level or None)


def _about(series: Series) -> dict[str, Any]:
    return {
        "series": {
            "name": series.name, "target": series.target, "unit": series.unit, "timezone": series.timezone,
            "rows": len(series.frame), "step_hours": series.step / pd.Timedelta("1h"),
            "first": series.index[0].isoformat(), "last": series.index[-1].isoformat(),
            "missing": int(series.frame[series.target].isna().sum()), "notes": list(series.notes),
            "source": series.source,
        }
    }  # fmt: skip


def _told_findings(found: Findings, every: bool) -> str:
    """The findings in ten lines, or all of them, and which option does something about them."""
    if found.empty:
        return "Nothing looks wrong."
    table = found.assign(**{name: found[name].dt.strftime("%Y-%m-%d %H:%M") for name in ("first", "last")})
    shown = pd.DataFrame(table) if every else page.summary(found)
    many = "1 finding" if len(found) == 1 else f"{len(found)} findings"
    head = f"{many}, in order of time (UTC):" if every else f"{many}, worst first (days in UTC, hours local):"
    more = [] if every else ["--all lists each with its rule."]
    return "\n".join([head, shown.to_string(index=False), "", *page.advice(found), *more])


def _tested(split: SequenceSplit) -> str:
    part = split.windows.test
    return (
        f"Tested on {part.times[0]:%Y-%m-%d} to {part.times[-1]:%Y-%m-%d}, which no forecast was trained on; "
        f"{len(part.ahead)} rows ahead, errors in {part.series.unit or 'the unit of the file'}."
    )


def _as_text(table: pd.DataFrame) -> str:
    return page.scores(table).to_string(float_format=lambda number: f"{number:.3g}")


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return record_table(table.rename_axis("forecast").reset_index())


def _verdict(table: pd.DataFrame, series: Series) -> str:
    """Which forecast is best, and whether what was trained is worth it."""
    best = str(table["rmse"].idxmin())
    free = [name for name in table.index if name not in ("LSTM", "ridge")]
    error = f"{float(table['rmse'].min()):.3g} {series.unit}".strip()
    if best in free:
        return f"{BEATEN.format(name=repr(best))} Its RMSE is {error}."
    naive = table.loc[free, "rmse"]
    less = 1 - table["rmse"].min() / naive.min()
    return f"Best is {best}, RMSE {error}: {less:.0%} less than {str(naive.idxmin())!r}, which costs nothing."


def _next_in_words(table: pd.DataFrame, series: Series, level: float) -> str:
    local = table.set_axis(pd.DatetimeIndex(table.index).tz_convert(series.timezone))
    first, last, at = local.index[0], local.index[-1], local["forecast"].idxmax()
    most = f"{local['forecast'].max():.4g} {series.unit}".strip()
    held = f", with intervals that should hold {level:.0%} of the hours" if level else ""
    return (
        f"{series.target} from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} (UTC{first.isoformat()[-6:]}), "
        f"{len(local)} rows{held}; highest {most} at {at:%H:%M}."
    )
