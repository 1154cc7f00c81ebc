"""The page: widgets that carry clicks to transitions and states to views, and know nothing else.

A view has two functions: `reads` says on what of the state it depends, `draws` puts that into widgets; it is drawn
when what it reads has changed.
"""

from __future__ import annotations

import asyncio
import base64
import html
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets as widgets
import traitlets

from lstm_lib.lab import figures, grid, views
from lstm_lib.lab import state as transitions
from lstm_lib.lab.runs import EMBEDDED, OPTIONS, SHARES, Settings, load, read_units, to_csv, to_zip, weeks
from lstm_lib.lab.state import State, attempt, new
from lstm_lib.lab.training import Training, jobs
from lstm_lib.plan import DEPTHS
from lstm_lib.selection import STATISTICS

HERE = Path(__file__).parent
YOURS = "your file …"
REDRAW = 1.0  # seconds between two pictures of a curve that grows


class Map(anywidget.AnyWidget):  # type: ignore[misc]
    """The clickable map: `map.js` draws it, `grid` says what."""

    _esm = HERE / "map.js"
    _css = HERE / "map.css"
    items = traitlets.List().tag(sync=True)
    size = traitlets.List().tag(sync=True)
    label = traitlets.Unicode().tag(sync=True)
    shades = traitlets.Dict().tag(sync=True)
    shares = traitlets.List().tag(sync=True)
    values = traitlets.Dict().tag(sync=True)
    legend = traitlets.Unicode().tag(sync=True)


@dataclass
class View:
    """A part of the page: drawn when what it reads has changed."""

    reads: Callable[[State], Any]
    draws: Callable[[State], None]
    seen: Any = None


class Page:
    """The widgets, the state they show, and the training under way. `widget` is what a notebook displays."""

    def __init__(self, settings: Settings | None = None) -> None:
        settings = settings or Settings()
        self.state = new(settings, inputs=len(load(settings).inputs))
        self.training: Training | None = None
        self.following: asyncio.Task[None] | None = None
        self._drawing = False
        self._next_picture = 0.0
        self._build()
        self._wire()
        self.views = [
            View(lambda s: (s.spec, s.blocks), self._draw_items),
            View(lambda s: (s.spec, s.blocks, s.statistic, s.runs), self._draw_shades),
            View(lambda s: (s.zone, s.blocks), self._draw_selection),
            View(lambda s: (s.runs, s.spec, s.statistic), self._draw_statistics),
            View(
                lambda s: (s.settings, s.zone, s.depth, s.span, s.from_epoch, s.redraw, s.blocks),
                self._draw_price,
            ),
            View(lambda s: (s.settings, s.depth, s.span, s.from_epoch, s.redraw), self._draw_controls),
            View(lambda s: s.message, self._draw_message),
            View(lambda s: s.live, self._draw_live),
            View(lambda s: (s.runs, s.live), self._draw_curves),
            View(lambda s: s.runs, self._draw_runs),
            View(lambda s: (s.runs, s.shown, s.week), self._draw_forecast),
        ]
        self.draw()

    # ------------------------------------------------------------------------------------------------ what happens

    def do(self, transition: Callable[..., State], *given: Any) -> None:
        """The next state, and what has changed of the page."""
        self.state = attempt(self.state, transition, *given)
        self.draw()

    def draw(self) -> None:
        """Draw the views whose part of the state has changed; widgets that are set meanwhile report nothing."""
        self._drawing = True
        try:
            for view in self.views:
                reads = view.reads(self.state)
                if reads != view.seen:
                    view.seen = reads
                    view.draws(self.state)
        finally:
            self._drawing = False

    def train(self) -> None:
        """Start what is asked for, in a thread, and follow it."""
        try:
            asked = jobs(self.state)
        except ValueError as error:
            self.do(transitions.say, str(error), True)
            return
        self.do(transitions.begin, asked[0].name)
        self.training = Training(asked)
        try:
            self.following = asyncio.get_running_loop().create_task(self._follow(self.training))
        except RuntimeError:  # no loop runs outside of Jupyter
            self.training.join()
            self.hear(self.training)

    async def _follow(self, training: Training) -> None:
        while training.running:
            self.hear(training)
            await asyncio.sleep(0.1)

    def hear(self, training: Training) -> None:
        """Apply what the training has told."""
        for transition, given in training.events():
            self.state = attempt(self.state, transition, *given)
        self.draw()

    def stop(self) -> None:
        """End the training soon."""
        if self.training is not None:
            self.training.stop()

    def save(self, name: str, kind: str, content: bytes) -> None:
        """Let the browser save a file."""
        self.map.send({"kind": "save", "name": name, "type": kind}, buffers=[content])

    def change_settings(self) -> None:
        """Read the settings from the widgets and take them over, or say what is wrong with them."""

        def transition(state: State) -> State:
            settings = self._settings()
            return transitions.with_settings(state, settings, len(load(settings).inputs))

        yours = self.series.value == YOURS
        self.file_row.layout.display = "" if yours else "none"
        if not yours or self.path.value.strip():
            self.do(transition)

    def _settings(self) -> Settings:
        yours = self.series.value == YOURS
        return Settings(
            series=self.path.value.strip() if yours else self.series.value,
            options=tuple((name, self.options[name].value) for name in OPTIONS) if yours else (),
            share=SHARES[self.share.value],
            units=read_units(self.units.value),
            epochs=self.epochs.value,
            seed=self.seed.value,
        )

    def _uploaded(self, change: Any) -> None:
        """An uploaded file becomes a file of its own name, since its name may say what it is."""
        for file in change["new"]:
            folder = Path(tempfile.mkdtemp(prefix="lstm_lib_"))
            path = folder / Path(file["name"]).name
            path.write_bytes(bytes(file["content"]))
            self.path.value = str(path)

    # -------------------------------------------------------------------------------------------------- the widgets

    def _build(self) -> None:
        s = self.state
        self.map = Map()
        self.message = widgets.HTML()
        # settings
        self.series = _dropdown("Series", [*EMBEDDED, YOURS], 190)
        self.share = _dropdown("Rows", list(SHARES), 160)
        self.units = _text("Units", "+".join(map(str, s.settings.units)), 130, "hidden units, one number a layer")
        self.blocks = _number("Blocks", s.blocks, 1, 64, 115)
        self.epochs = _number("Epochs", s.settings.epochs, 1, 1000, 120)
        self.seed = _number("Seed", s.settings.seed, 0, 10**6, 115)
        self.upload = widgets.FileUpload(accept=".csv,.gz,.parquet,.pq", description="Upload", layout=_wide(110))
        self.path = _text("File", "", 300, "path of a CSV or Parquet file")
        self.options = {name: _text(name.capitalize(), "", 165, "") for name in OPTIONS}
        self.file_row = widgets.HBox([self.upload, self.path, *self.options.values()])
        self.file_row.add_class("lab-row")
        self.file_row.layout.display = "none"
        # selection
        self.statistic = _dropdown("Colour by", list(STATISTICS), 215)
        self.says = widgets.HTML()
        self.by = widgets.Dropdown(options=[("rows", "unit"), ("cells", "gate")], value=s.by, layout=_wide(78))
        self.by.tooltip = "what a budget picks"
        self.budget = widgets.FloatSlider(
            value=0, min=0, max=95, step=5, readout_format=".0f", description="Pick lowest %",
            continuous_update=False, layout=_wide(255), style={"description_width": "initial"},
        )  # fmt: skip
        self.of = widgets.Dropdown(options=[("of arcs", "arcs"), ("of work", "work")], value=s.of, layout=_wide(92))
        self.undo = _button("Undo", "the selection as it was before", "undo")
        self.clear = _button("Clear", "isolate nothing", "times")
        self.invert = _button("Invert", "isolate what is active, and the other way round", "adjust")
        self.text = _text("Zone", "", None, "such as 0/Wh/f[0:32] | 0/Wx/g, then Enter")
        # how to isolate
        self.price = widgets.HTML()
        self.depth = widgets.ToggleButtons(
            options=list(DEPTHS), value=s.depth, style={"button_width": "66px"}, layout=widgets.Layout(width="auto")
        )
        self.span = _slider("Span", 1, s.settings.lookback, s.settings.lookback)
        self.from_epoch = _slider("From epoch", 1, s.settings.epochs, 1)
        self.redraw = widgets.Checkbox(value=False, description="redraw", indent=False, layout=_wide(90))
        self.how = {name: widgets.HTML() for name in ("depth", "span", "schedule")}
        # training
        self.go = _button("Train", "train with this selection", "play", "success", 110)
        self.halt = _button("Stop", "stop, and keep what was learned", "stop", "", 90)
        self.bar = widgets.FloatProgress(min=0, max=1, layout=widgets.Layout(flex="1 1 80px", width="auto"))
        self.status = widgets.HTML()
        # results
        self.curves = widgets.HTML()
        self.table, self.points, self.week_picture = widgets.HTML(), widgets.HTML(), widgets.HTML()
        self.csv = _button("CSV", "save the table", "download")
        self.png = _button("PNG", "save the picture of all runs", "download")
        self.zip = _button("All runs", "save all runs in one file, to load again", "download", pixels=100)
        self.load = widgets.FileUpload(accept=".zip", description="Load runs", layout=_wide(125))
        self.first, self.second = _dropdown("Left", [], 215), _dropdown("Right", [], 215)
        self.week = _dropdown("Week", [], 165)
        self.widget = self._arranged()

    def _arranged(self) -> widgets.VBox:
        def row(*children: Any) -> widgets.HBox:
            box = widgets.HBox(list(children))
            box.add_class("lab-row")
            return box

        def column(name: str, *children: Any) -> widgets.VBox:
            box = widgets.VBox(list(children))
            box.add_class(name)
            return box

        title = widgets.HTML("<div class='lab-title'>Isolation lab</div>")
        settings = row(title, self.series, self.share, self.units, self.blocks, self.epochs, self.seed)
        left = column(
            "lab-left",
            row(self.statistic, self.budget, self.of, self.by),
            self.says,
            self.map,
            row(self.text, self.undo, self.clear, self.invert),
        )
        right = column(
            "lab-right",
            self.price,
            row(widgets.HTML("<div class='lab-label'>Depth</div>"), self.depth), self.how["depth"],
            row(self.span), self.how["span"],
            row(self.from_epoch, self.redraw), self.how["schedule"],
            row(self.go, self.halt, self.bar), self.status,
        )  # fmt: skip
        runs = column("lab-tab", self.table, row(self.csv, self.png, self.zip, self.load))
        forecasts = column("lab-tab", row(self.first, self.second, self.week), self.week_picture)
        tabs = widgets.Tab([runs, column("lab-tab", self.points), forecasts])
        for k, title in enumerate(("Runs", "Time and error", "Test week")):
            tabs.set_title(k, title)
        tabs.add_class("lab-tabs")
        style = widgets.HTML(f"<style>{(HERE / 'page.css').read_text()}</style>")
        below = row(column("lab-curves", self.curves), tabs)
        above = row(left, right)
        for box in (above, below):
            box.add_class("lab-halves")
        page = widgets.VBox([style, settings, self.file_row, self.message, above, below])
        page.add_class("lab-page")
        return page

    def _wire(self) -> None:
        """Every widget to its transition."""

        def on(widget: Any, action: Callable[[], object]) -> None:
            widget.observe(lambda _: None if self._drawing else action(), "value")

        self.map.on_msg(lambda _, content, __: self.do(transitions.toggle, content["name"]))
        for widget in (self.series, self.share, self.units, self.epochs, self.seed, self.path, *self.options.values()):
            on(widget, self.change_settings)
        on(self.blocks, lambda: self.do(transitions.with_blocks, self.blocks.value))
        on(self.statistic, lambda: self.do(transitions.with_statistic, self.statistic.value))
        on(self.text, lambda: self.do(transitions.pick, self.text.value))
        for widget in (self.budget, self.of, self.by):
            on(
                widget,
                lambda: self.do(transitions.by_budget, self.budget.value / 100, self.of.value, self.by.value),
            )
        on(self.depth, lambda: self.do(transitions.with_depth, self.depth.value))
        on(self.span, lambda: self.do(transitions.with_span, self.span.value))
        for widget in (self.from_epoch, self.redraw):
            on(widget, lambda: self.do(transitions.with_schedule, self.from_epoch.value, self.redraw.value))
        for widget in (self.first, self.second, self.week):
            on(
                widget,
                lambda: self.do(
                    transitions.show_forecasts, self.first.value, self.second.value, self.week.value
                ),
            )
        self.upload.observe(self._uploaded, "value")
        self.load.observe(
            lambda change: [self.do(transitions.load_runs, bytes(f["content"])) for f in change["new"]], "value"
        )
        clicks: dict[widgets.Button, Callable[[], object]] = {
            self.undo: lambda: self.do(transitions.undo),
            self.clear: lambda: self.do(transitions.clear),
            self.invert: lambda: self.do(transitions.invert),
            self.go: self.train,
            self.halt: self.stop,
            self.csv: lambda: self.save("runs.csv", "text/csv", to_csv(self.state.runs)),
            self.zip: lambda: self.save("runs.zip", "application/zip", to_zip(self.state.runs)),
            self.png: lambda: self.save("runs.png", "image/png", _bytes(figures.all_runs(self.state), "png")),
        }
        for button, action in clicks.items():
            button.on_click(lambda _, action=action: action())

    # ---------------------------------------------------------------------------------------------------- the views

    def _draw_items(self, state: State) -> None:
        with self.map.hold_sync():
            self.map.size = [grid.WIDTH, grid.TOP + grid.ROWS]
            self.map.label = f"Map of the network: layers of {'+'.join(map(str, state.spec.units))} units, and the head"
            self.map.items = [vars(item) for item in grid.of(state.spec, state.blocks).items]
        self.blocks.value = state.blocks

    def _draw_shades(self, state: State) -> None:
        found = grid.of(state.spec, state.blocks)
        mean = transitions.scores(state, found.cut).values / found.sizes
        with self.map.hold_sync():
            self.map.shades = grid.shades(mean)
            self.map.values = {
                str(name): f"{size:,.0f} arcs · {state.statistic} {value:.3g}"
                for (name, value), size in zip(mean.items(), found.sizes, strict=True)
            }
            self.map.legend = f"{state.statistic} (mean of an arc, by rank)"

    def _draw_selection(self, state: State) -> None:
        self.map.shares = grid.shares(state.zone, grid.of(state.spec, state.blocks))
        self.text.value = str(state.zone) if state.zone.size else ""

    def _draw_statistics(self, state: State) -> None:
        self.statistic.options = [
            (f"{name} ({why})" if (why := transitions.lacks(state, name)) else name, name) for name in STATISTICS
        ]
        self.statistic.value = state.statistic
        about = STATISTICS[state.statistic]
        self.says.value = views.small(f"{about.says} · {about.source}")

    def _draw_price(self, state: State) -> None:
        self.price.value, self.go.disabled = views.price(state)

    def _draw_controls(self, state: State) -> None:
        self.span.max = state.settings.lookback
        self.from_epoch.max = state.settings.epochs
        self.depth.value, self.span.value = state.depth, state.span or state.settings.lookback
        self.from_epoch.value, self.redraw.value = state.from_epoch, state.redraw
        for name, text in views.explained(state).items():
            self.how[name].value = views.small(text)

    def _draw_message(self, state: State) -> None:
        self.message.value = views.message(state)

    def _draw_live(self, state: State) -> None:
        self.halt.disabled = state.live is None
        self.go.disabled = state.live is not None or views.price(state)[1]
        self.bar.value = 0 if state.live is None else state.live.done
        self.status.value = views.live(state)

    def _draw_curves(self, state: State) -> None:
        now = time.monotonic()
        points = len(state.live.curve) if state.live else 0
        if points > 1 and now < self._next_picture:
            return
        self.curves.value = _picture(figures.curves(state), "Curves appear here when you train.")
        # a picture keeps clicks waiting: no more than a tenth of the time goes into pictures
        self._next_picture = time.monotonic() + max(REDRAW, 10 * (time.monotonic() - now))

    def _draw_runs(self, state: State) -> None:
        self.table.value = views.table(state)
        self.points.value = _picture(figures.all_runs(state), "Runs appear here when you have trained.")
        for button in (self.csv, self.png, self.zip):
            button.disabled = not state.runs

    def _draw_forecast(self, state: State) -> None:
        names = [run.name for run in state.runs]
        if not names:
            self.week_picture.value = views.small("Forecasts appear here when you have trained.")
            return
        for dropdown, name in zip((self.first, self.second), state.shown, strict=True):
            dropdown.options, dropdown.value = names, name
        try:
            run = next(run for run in state.runs if run.name == state.shown[0])
            begins = weeks(load(run.settings).test)
            self.week.options = [(f"{day:%d %b %Y}", k) for k, day in enumerate(begins)]
            self.week.value = min(state.week, len(begins) - 1)
            self.week_picture.value = _picture(figures.week(state), "")
        except (ValueError, OSError) as error:
            self.week_picture.value = views.small(f"The series of a run can't be read any more: {error}")


# --------------------------------------------------------------------------------------------------------- details


def _bytes(drawn: figures.Drawn | None, form: str) -> bytes:
    return b"" if drawn is None else figures.as_bytes(drawn, form)


def _picture(drawn: figures.Drawn | None, otherwise: str) -> str:
    """A figure as it stands in the page, with its words for a screen reader."""
    if drawn is None:
        return f"<div class='lab-empty'>{html.escape(otherwise)}</div>"
    content = base64.b64encode(figures.as_bytes(drawn)).decode()
    return f"<img class='lab-picture' alt='{html.escape(drawn.words)}' src='data:image/svg+xml;base64,{content}'>"


def _wide(pixels: int) -> widgets.Layout:
    return widgets.Layout(width=f"{pixels}px")


def _dropdown(label: str, options: list[str], pixels: int) -> widgets.Dropdown:
    return widgets.Dropdown(
        options=options, description=label, layout=_wide(pixels), style={"description_width": "initial"}
    )


def _number(label: str, value: int, least: int, most: int, pixels: int) -> widgets.BoundedIntText:
    return widgets.BoundedIntText(
        value=value, min=least, max=most, description=label, layout=_wide(pixels), style={"description_width": "initial"}
    )  # fmt: skip


def _text(label: str, value: str, pixels: int | None, hint: str) -> widgets.Text:
    layout = widgets.Layout(flex="1 1 200px", width="auto") if pixels is None else _wide(pixels)
    return widgets.Text(
        value=value, description=label, placeholder=hint, continuous_update=False, layout=layout,
        style={"description_width": "initial"},
    )  # fmt: skip


def _slider(label: str, least: int, most: int, value: int) -> widgets.IntSlider:
    return widgets.IntSlider(
        min=least, max=most, value=value, description=label, continuous_update=False,
        layout=widgets.Layout(flex="1 1 auto", width="auto"), style={"description_width": "78px"},
    )  # fmt: skip


def _button(label: str, hint: str, icon: str, style: str = "", pixels: int = 84) -> widgets.Button:
    return widgets.Button(description=label, tooltip=hint, icon=icon, button_style=style, layout=_wide(pixels))
