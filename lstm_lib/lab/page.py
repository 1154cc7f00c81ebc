"""The page: widgets that carry clicks to transitions and states to views, and know nothing else.

A view puts a part of the state into widgets; it is drawn when that part has changed.
"""

from __future__ import annotations

import asyncio
import base64
import html
import re
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import matplotlib as mpl
import pandas as pd

from lstm_lib.lab import figures, grid, views
from lstm_lib.lab import state as transitions
from lstm_lib.lab.controls import YOURS, Controls
from lstm_lib.lab.runs import SHARES, LastRows, Settings, allow, read_units, tell_apart, to_csv, to_zip
from lstm_lib.lab.state import State, attempt, new
from lstm_lib.lab.training import jobs, train_all
from lstm_lib.series.options import read_option
from lstm_lib.training.statistics import STATISTICS

REDRAW = 1.0  # seconds between two pictures of a curve that grows


class Page(Controls):
    """The widgets, and the state they show. `widget` is what a notebook displays."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.state = new(settings)
        super().__init__(self.state.settings)
        self.halted = threading.Event()  # whether the training under way is to end
        self.uploads = tempfile.TemporaryDirectory(prefix="lstm_lib_")
        allow(self.uploads.name)
        self._drawing = False
        self._next_picture = 0.0
        self._wire()
        # what draws a part of the page, and on what of the state it depends
        self.views: dict[Callable[[State], None], Callable[[State], Any]] = {
            self._draw_map: lambda s: (s.spec, s.blocks, s.statistic, s.runs),
            self._draw_selection: lambda s: (s.zone, s.blocks, s.budget),
            self._draw_isolation: lambda s: (
                s.settings, s.zone, s.depth, s.span, s.from_epoch, s.redraw, s.blocks, s.live is None
            ),
            self._draw_news: lambda s: (s.message, s.live),
            self._draw_curves: lambda s: (s.runs, s.live),
            self._draw_runs: lambda s: s.runs,
            self._draw_forecast: lambda s: (s.runs, s.shown, s.week),
        }  # fmt: skip
        self.seen: dict[Callable[[State], None], Any] = {}
        self.draw()

    # ------------------------------------------------------------------------------------------------ what happens

    def do(self, transition: Callable[..., State], *given: Any) -> None:
        """The next state, and what has changed of the page."""
        self.state = attempt(self.state, transition, *given)
        if self.state.wrong:  # a control may show what was refused; a text stays, to be mended
            for view in (self._draw_map, self._draw_isolation):
                self.seen.pop(view, None)
        self.draw()

    def draw(self) -> None:
        """Draw the views whose part of the state has changed; widgets that are set meanwhile report nothing."""
        self._drawing = True
        try:
            for view, reads in self.views.items():
                if (read := reads(self.state)) != self.seen.get(view):
                    self.seen[view] = read
                    view(self.state)
        finally:
            self._drawing = False

    def train(self) -> None:
        """Start what is asked for, in a thread."""
        if self.state.live is not None:
            return  # a second click that came before the button was greyed
        try:
            asked = jobs(self.state)
        except ValueError as error:
            self.do(transitions.say, str(error), True)
            return
        self.do(transitions.follow, asked[0].start)
        self.halted.clear()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # none runs outside of Jupyter
            train_all(asked, self.hear, self.halted.is_set)
        else:
            given = asked, lambda *news: loop.call_soon_threadsafe(self.hear, *news), self.halted.is_set
            threading.Thread(target=train_all, args=given, name="training", daemon=True).start()

    def hear(self, transition: Callable[..., State], *given: Any) -> None:
        """Apply what the training tells."""
        self.state = transition(self.state, *given)
        self.draw()

    def save(self, name: str, kind: str, content: bytes) -> None:
        """Let the browser save a file."""
        self.map.send({"kind": "save", "name": name, "type": kind}, buffers=[content])

    def change_settings(self) -> None:
        """Read the settings from the widgets and take them over, or say what is wrong with them."""
        yours = self.series.value == YOURS
        self.file_row.layout.display = "" if yours else "none"
        self.recognised.value = ""
        if yours and not self.path.value.strip():
            return
        try:
            settings = self._settings()
            split = settings.task.split()  # a file that can't be read is refused here
            transitions.fits(settings)
            self.do(transitions.with_settings, settings)
            if yours:
                self.recognised.value = views.recognised(split.series)
        except Exception as error:  # whatever a file holds, the page has to say what came of it
            self.do(transitions.refuse_settings, transitions.as_text(error))

    def _settings(self) -> Settings:
        series, given = self.series.value, dict[str, Any]()
        if series == YOURS:
            series = self.path.value.strip()
            given = {
                n: read_option(n, field.value) for n, field in self.options.items() if field.value.strip()
            }
        target = given.pop("target", None)
        return Settings(
            task=LastRows(series, target=target, reading=given, share=SHARES[self.share.value]),
            units=read_units(self.units.value), cell=self.cell.value, epochs=self.epochs.value, seed=self.seed.value,
        )  # fmt: skip

    def _uploaded(self, change: Any) -> None:
        """An uploaded file becomes a file of its own name, since its name may say what it is."""
        for file in change["new"]:
            code = sys.getfilesystemencoding()
            name = re.sub(r"[^\w.() +-]", "_", file["name"].encode(code, "replace").decode(code))
            name = name.lstrip(".")[-60:] or "upload.csv"
            path = Path(tempfile.mkdtemp(dir=self.uploads.name)) / name
            path.write_bytes(bytes(file["content"]))
            self.path.value = str(path)

    def _wire(self) -> None:
        """Every widget to its transition."""

        def on(action: Callable[..., object], *reporting: widgets.Widget) -> None:
            for widget in reporting:
                widget.observe(lambda _: None if self._drawing else action(), "value")

        def to(transition: Callable[..., State], *given: widgets.Widget) -> None:
            on(lambda: self.do(transition, *(widget.value for widget in given)), *given)

        on(self.change_settings, self.series, self.share, self.cell, self.units, self.epochs, self.seed,
           self.path, *self.options.values())  # fmt: skip
        to(transitions.with_blocks, self.blocks)
        to(transitions.with_statistic, self.statistic)
        to(transitions.pick, self.text)
        on(lambda: self.do(transitions.by_budget, self.budget.value / 100, self.of.value, self.by.value),
           self.budget, self.of, self.by)  # fmt: skip
        to(transitions.with_depth, self.depth)
        to(transitions.with_span, self.span)
        to(transitions.with_schedule, self.from_epoch, self.redraw)
        to(transitions.show_forecasts, self.first, self.second, self.week)
        self.map.on_msg(lambda _, content, __: self.do(transitions.toggle, content["name"]))
        self.upload.observe(self._uploaded, "value")
        self.load.observe(self._loaded, "value")
        clicks: dict[widgets.Button, Callable[[], object]] = {
            self.undo: lambda: self.do(transitions.undo),
            self.clear: lambda: self.do(transitions.clear),
            self.invert: lambda: self.do(transitions.invert),
            self.go: self.train,
            self.halt: self.halted.set,
            self.csv: lambda: self.save("runs.csv", "text/csv", to_csv(self.state.runs)),
            self.zip: lambda: self.save("runs.zip", "application/zip", to_zip(self.state.runs)),
            self.png: lambda: self.save(
                "runs.png", "image/png", figures.all_runs(self.state).as_bytes("png")
            ),
        }
        for button, action in clicks.items():
            button.on_click(lambda _, action=action: action())

    def _loaded(self, change: Any) -> None:
        """A file of runs was uploaded."""
        for file in change["new"]:
            self.do(transitions.load_runs, bytes(file["content"]))

    # ---------------------------------------------------------------------------------------------------- the views

    def _draw_map(self, state: State) -> None:
        found, units = grid.make_grid(state.spec, state.blocks), "+".join(map(str, state.spec.units))
        mean: pd.Series[float] = transitions.scores(state, found.cut).values / found.sizes
        with self.map.hold_sync():
            self.map.size = [grid.WIDTH, grid.TOP + grid.ROWS]
            self.map.label = f"Map of the network: layers of {units} units, and the head"
            self.map.items = [vars(item) for item in found.items]
            self.map.shades = grid.shades(mean)
            self.map.values = {
                str(name): f"{size:,.0f} arcs · {state.statistic} {value:.3g}"
                for (name, value), size in zip(mean.items(), found.sizes, strict=True)
            }
            self.map.legend = f"{state.statistic}, by rank"
        self.statistic.options = [
            (f"{name} (train first)" if transitions.lacks(state, name) else name, name) for name in STATISTICS
        ]
        self.blocks.value, self.statistic.value = state.blocks, state.statistic
        about = STATISTICS[state.statistic]
        self.says.value = views.small(f"{about.says} · {about.source}")

    def _draw_selection(self, state: State) -> None:
        self.map.shares = grid.shares(state.zone, grid.make_grid(state.spec, state.blocks))
        self.text.value = str(state.zone) if state.zone.size else ""
        self.budget.value = 100 * state.budget

    def _draw_isolation(self, state: State) -> None:
        self.price.value, unfit = views.price(state)
        self.go.disabled = unfit or state.live is not None
        self.span.max, self.from_epoch.max = state.settings.task.lookback, state.settings.epochs
        self.depth.value, self.span.value = state.depth, state.span or self.span.max
        self.from_epoch.value, self.redraw.value = state.from_epoch, state.redraw
        for name, text in views.explained(state).items():
            self.how[name].value = views.small(text)

    def _draw_news(self, state: State) -> None:
        self.message.value = views.message(state)
        self.halt.disabled = state.live is None
        self.bar.value = 0 if state.live is None else state.live.done
        self.status.value = views.live(state)

    def _draw_curves(self, state: State) -> None:
        now = time.monotonic()
        points = len(state.live.curve) if state.live else 0
        if points > 1 and now < self._next_picture:
            return
        self.curves.value = _picture(lambda: figures.curves(state), "Curves appear here when you train.")
        # a picture keeps clicks waiting: no more than a tenth of the time goes into pictures
        self._next_picture = time.monotonic() + max(REDRAW, 10 * (time.monotonic() - now))

    def _draw_runs(self, state: State) -> None:
        self.table.value = views.table(state)
        self.points.value = _picture(
            lambda: figures.all_runs(state) if state.runs else None, "Runs appear here when you have trained."
        )
        for button in (self.csv, self.png, self.zip):
            button.disabled = not state.runs

    def _draw_forecast(self, state: State) -> None:
        names = {
            f"{run.name} {apart}": run.name
            for run, apart in zip(state.runs, tell_apart(state.runs), strict=True)
        }
        if not names:
            self.week_picture.value = views.small("Forecasts appear here when you have trained.")
            return
        for dropdown, name in zip((self.first, self.second), state.shown, strict=True):
            dropdown.options, dropdown.value = list(names.items()), name
        self.week_picture.value = _picture(lambda: figures.week(state), "")
        begins = figures.weeks_to_test(state)
        self.week.options = [(f"{day:%d %b %Y}", k) for k, day in enumerate(begins)]
        self.week.value = min(state.week, len(begins) - 1) if begins else None


# --------------------------------------------------------------------------------------------------------- details


def _picture(draw: Callable[[], figures.Drawn | None], otherwise: str) -> str:
    """A figure as it stands in the page, with its words for a screen reader; or why there is none."""
    try:
        with mpl.rc_context({"text.parse_math": False}):  # a name or a unit may hold a $
            drawn = draw()
            content = base64.b64encode(drawn.as_bytes()).decode() if drawn else ""
    except Exception as error:  # a series that is gone, say; the rest of the page must go on
        drawn, otherwise = None, f"This can't be drawn: {transitions.as_text(error)}"
    if drawn is None:
        return f"<div class='lab-empty'>{html.escape(otherwise, quote=False)}</div>"
    return f"<img class='lab-picture' alt='{html.escape(drawn.words)}' src='data:image/svg+xml;base64,{content}'>"
