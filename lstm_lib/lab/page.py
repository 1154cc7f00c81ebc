"""The page: its widgets carry clicks to transitions, and drive a training. What they show is drawn in `drawing`."""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ipywidgets as widgets

from lstm_lib.lab import figures, keeping, sharing, transitions, views
from lstm_lib.lab.controls import YOURS
from lstm_lib.lab.drawing import Drawing
from lstm_lib.lab.files import to_csv, to_zip
from lstm_lib.lab.presets import preset
from lstm_lib.lab.report import report
from lstm_lib.lab.settings import SAMPLES, SHARES, LastRows, Settings, allow, read_units
from lstm_lib.lab.state import Live, State, as_text, attempt, new
from lstm_lib.lab.tour import tour
from lstm_lib.lab.training import News, jobs, prepare, train_all
from lstm_lib.series.options import read_option

PORTION = 0.02  # seconds of training before clicks are answered


class Page(Drawing):
    """The widgets, and the state they show. `widget` is what a notebook displays."""

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__(new(settings))
        self.halted = False  # whether the training under way is to end
        self.mark = ""  # by which the browser knows this page again when it is loaded anew
        self.task: asyncio.Task[None] | None = None
        self.uploads = tempfile.TemporaryDirectory(prefix="lstm_lib_")
        allow(self.uploads.name)
        self._wire()
        self.draw()

    # ------------------------------------------------------------------------------------------------ what happens

    def do(self, transition: Callable[..., State], *given: Any) -> None:
        """The next state, and what has changed of the page."""
        self.state = attempt(self.state, transition, *given)
        if self.state.wrong:  # a control may show what was refused; a text stays, to be mended
            for view in (self._draw_map, self._draw_isolation):
                self.seen.pop(view, None)
        self.draw()

    def train(self) -> None:
        """Start what is asked for: in a running loop in small portions, so that clicks are answered meanwhile."""
        if self.state.live is not None:
            return  # a second click that came before the button was greyed
        try:
            asked = jobs(self.state)
        except ValueError as error:
            self.do(transitions.end, str(error), True)
            return
        self.halted = False
        curves = tuple((job.name, ()) for job in asked)
        self.do(transitions.follow, Live(self.state.settings, curves=curves))
        steps = train_all(asked, lambda: self.halted)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # none runs outside of Jupyter
            while self.portion(steps):
                pass
        else:
            self.task = loop.create_task(self.follow(steps))

    async def follow(self, steps: Iterator[News | None]) -> None:
        """The training, a portion at a time; what has to be compiled before is done beside, where there are threads."""
        try:
            await asyncio.to_thread(prepare, self.state.settings)
        except RuntimeError:  # no threads here
            prepare(self.state.settings)
        while self.portion(steps):
            await asyncio.sleep(0.002)  # more than 0, since an answer takes several turns of the loop

    def portion(self, steps: Iterator[News | None]) -> bool:
        """Some steps of a training; whether more are to come."""
        until = time.monotonic() + PORTION
        for news in steps:
            if news is not None:
                self.hear(*news)
            if time.monotonic() > until:
                return True
        return False

    def hear(self, transition: Callable[..., State], *given: Any) -> None:
        """Apply what the training tells."""
        self.state = transition(self.state, *given)
        if transition is transitions.finish and self.mark:
            keeping.keep(self.mark, self.state.runs)
        self.draw()

    def heard(self, content: dict[str, Any]) -> None:
        """What the browser tells: a click on the map; of an app that is opened, its address and its mark."""
        if content.get("kind") == "toggle":
            self.do(transitions.toggle, str(content.get("name")))
        elif content.get("kind") == "opened":
            self.mark = keeping.checked(content.get("mark"))
            if kept := keeping.kept(self.mark):
                self.do(transitions.load_runs, kept)
            if search := str(content.get("search") or ""):
                self.do(sharing.from_search, search)

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
            self.do(transitions.refuse_settings, as_text(error))

    def _settings(self) -> Settings:
        series, given = self.series.value, dict[str, Any]()
        if series == YOURS:
            series = self.path.value.strip()
            given = {
                n: read_option(n, field.value) for n, field in self.options.items() if field.value.strip()
            }
        target, (length, batch) = given.pop("target", None), SAMPLES[self.samples.value]
        task = LastRows(series, target=target, reading=given, share=SHARES[self.share.value], length=length)
        return Settings(
            task=task, units=read_units(self.units.value), cell=self.cell.value, epochs=self.epochs.value, batch=batch,
            seed=self.seed.value, lr=self.state.settings.lr,
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

        on(self.change_settings, self.series, self.share, self.samples, self.cell, self.units, self.epochs, self.seed,
           self.path, *self.options.values())  # fmt: skip
        to(transitions.with_blocks, self.blocks)
        to(transitions.with_seeds, self.seeds)
        to(transitions.in_language, self.language)
        on(self._preset, self.preset)
        to(sharing.from_text, self.link)
        to(transitions.with_statistic, self.statistic)
        to(transitions.pick, self.text)
        on(lambda: self.do(transitions.by_budget, self.budget.value / 100, self.of.value, self.by.value),
           self.budget, self.of, self.by)  # fmt: skip
        on(self._look_back, self.epoch)
        to(transitions.with_depth, self.depth)
        to(transitions.with_span, self.span)
        to(transitions.with_schedule, self.from_epoch, self.redraw)
        to(transitions.show_forecasts, self.first, self.second, self.week)
        self.map.on_msg(lambda _, content, __: self.heard(content))
        self.back_in_time.observe(lambda _: self.draw_strip(), "value")
        self.upload.observe(self._uploaded, "value")
        self.load.observe(self._loaded, "value")
        clicks: dict[widgets.Button, Callable[[], object]] = {
            self.undo: lambda: self.do(transitions.undo),
            self.clear: lambda: self.do(transitions.clear),
            self.invert: lambda: self.do(transitions.invert),
            self.go: self.train,
            self.step: self._step_back,
            self.start: lambda: self.do(tour, 1),
            self.back: lambda: self.do(tour, max(1, self.state.tour - 1)),
            self.onward: lambda: self.do(tour, self.state.tour + 1),
            self.leave: lambda: self.do(tour, 0),
            self.halt: lambda: setattr(self, "halted", True),
            self.csv: lambda: self.save("runs.csv", "text/csv", to_csv(self.state.runs)),
            self.zip: lambda: self.save("runs.zip", "application/zip", to_zip(self.state.runs)),
            self.png: lambda: self.save(
                "runs.png", "image/png", figures.all_runs(self.state).as_bytes("png")
            ),
            self.html: lambda: self.save("isolation_lab.html", "text/html", report(self.state).encode()),
        }
        for button, action in clicks.items():
            button.on_click(lambda _, action=action: action())

    def _look_back(self) -> None:
        """The last place of the slider is now."""
        k = self.epoch.value
        self.do(transitions.look_back, 0 if k == self.epoch.max else k)

    def _step_back(self) -> None:
        """The errors travel back by one more step; after the whole way they begin anew."""
        T = self.back_in_time.max
        self.back_in_time.value = self.back_in_time.value % T + 1

    def _preset(self) -> None:
        """A preset was chosen; the field is ready for the next."""
        name, self.preset.value = self.preset.value, ""
        if name:
            self.do(preset, name)

    def _loaded(self, change: Any) -> None:
        """A file of runs was uploaded."""
        for file in change["new"]:
            self.do(transitions.load_runs, bytes(file["content"]))
