"""The widgets of the page and where they stand; what they do is told in `page`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets as widgets
import traitlets

from lstm_lib.isolation.plan import DEPTHS
from lstm_lib.lab.presets import PRESETS
from lstm_lib.lab.settings import SAMPLES, SHARES, Settings
from lstm_lib.lab.sharing import samples_of
from lstm_lib.lab.state import SEEDS
from lstm_lib.lab.texts import LANGUAGES, say
from lstm_lib.network.cells import CELLS
from lstm_lib.series.layouts import EMBEDDED
from lstm_lib.series.options import TAKES, written
from lstm_lib.training.statistics import STATISTICS

HERE = Path(__file__).parent
YOURS = "your file …"
NOTHING = "\u200b"  # what ipywidgets writes where a label is empty
# What `load_series` can be told of a file: each has a control, those of every file first. The page adds a calendar.
FIRST = ("target", "time", "timezone", "unit", "separator", "decimal")
OPTIONS = (*FIRST, *(name for name in TAKES if name not in (*FIRST, "calendar")))
HINTS = {"separator": "such as ; or tab", "decimal": ". or ,", "stamp_format": "such as %d/%m/%Y %H:%M"}


class Map(anywidget.AnyWidget):
    """The clickable map: `map.js` draws it, `grid` says what."""

    _esm = HERE / "map.js"
    _css = HERE / "map.css"
    items: Any = traitlets.List().tag(sync=True)
    size: Any = traitlets.List().tag(sync=True)
    label = traitlets.Unicode().tag(sync=True)
    shades: Any = traitlets.Dict().tag(sync=True)
    shares: Any = traitlets.List().tag(sync=True)
    values: Any = traitlets.Dict().tag(sync=True)
    legend = traitlets.Unicode().tag(sync=True)
    words: Any = traitlets.Dict().tag(sync=True)
    address = traitlets.Unicode().tag(sync=True)


class Whole(widgets.VBox):  # type: ignore[misc]
    """The page as one widget; where it can't be shown, a line says what it is."""

    def __repr__(self) -> str:
        return "The isolation lab: run this cell to use it."


class Controls:
    """All widgets, those of the settings as they are at first; `widget` is the whole page."""

    def __init__(self, settings: Settings) -> None:
        self.map = Map()
        self.message = widgets.HTML(_dom_classes=["lab-news"])
        # settings
        task, units = settings.task, "+".join(map(str, settings.units))
        given = {n: written(value) for n, value in {"target": task.target or "", **task.reading}.items()}
        embedded = task.series in EMBEDDED
        share = next(name for name, share in SHARES.items() if share == task.share)
        self.title = widgets.HTML()
        every = [(name, name) for name in (*EMBEDDED, YOURS)]
        self.series = _dropdown("Series", every, 190, task.series if embedded else YOURS)
        self.share = _dropdown("Data", list(SHARES), 160, share)
        self.samples = _dropdown("Train on", list(SAMPLES), 180, samples_of(task))
        self.cell = _dropdown("Cell", list(CELLS), 150, settings.cell)
        self.units = _text("Units", units, 130, "hidden units, one number a layer")
        self.blocks = _number("Blocks", 1, 1, 32, 115)
        self.epochs = _number("Epochs", settings.epochs, 1, 1000, 120)
        self.seed = _number("Seed", settings.seed, 0, 10**6, 115)
        self.seeds = _dropdown("Seeds", list(SEEDS), 105)
        self.preset = _dropdown("Preset", ["", *PRESETS], 300, "")
        self.start = _button("Tour", "five steps around the page", "info", pixels=84)
        self.guide = widgets.HTML(layout=widgets.Layout(flex="1 1 400px"))
        self.back = _button("Back", "the step before", "arrow-left")
        self.onward = _button("Next", "the next step", "arrow-right")
        self.leave = _button("End", "end the tour", "times")
        self.language = _dropdown("", [(name, code) for code, name in LANGUAGES.items()], 95)
        self.language.tooltip = "language of the page"
        self.upload = widgets.FileUpload(
            accept=".csv,.gz,.parquet,.pq", description="Upload", layout=_wide(130),
            tooltip="up to 10 MB; of a larger file, type the path",
        )  # fmt: skip
        self.path = _text("File", "" if embedded else task.series, 250, "path of a CSV or Parquet file")
        self.options = {
            name: _text(name.capitalize().replace("_", " "), given.get(name, ""), 155, HINTS.get(name, ""))
            for name in OPTIONS
        }
        self.recognised = widgets.HTML()
        row, fields = partial(_box, widgets.HBox, "lab-row"), [*self.options.values()]
        given_more = any(field.value for field in fields[len(FIRST) :])
        self.more = widgets.Accordion([row(*fields[len(FIRST) :])], selected_index=0 if given_more else None)
        first = row(self.upload, self.path, *fields[: len(FIRST)])
        self.file_row = widgets.VBox([first, self.more, self.recognised])
        self.file_row.layout.display = "none" if embedded else ""
        # selection
        self.statistic = _dropdown("Colour by", list(STATISTICS), 200)
        self.says = widgets.HTML(_dom_classes=["lab-says"])
        self.epoch = _slider("Epoch", 1)
        self.epoch.readout, self.epoch.tooltip = False, "the map at the ends of the last training's epochs"
        self.replay = widgets.Play(min=1, max=1, interval=500, show_repeat=False, layout=_wide(90))
        widgets.jslink((self.replay, "value"), (self.epoch, "value"))
        self.seen_then = widgets.HTML(layout=_wide(170))
        self.by = _dropdown("", [("rows", "unit"), ("cells", "gate")], 74, "unit")
        self.by.tooltip = "what a budget picks"
        self.budget = _labelled(
            widgets.FloatSlider, "Pick lowest %", None,
            value=0, min=0, max=95, step=5, readout_format=".0f", continuous_update=False,
        )  # fmt: skip
        self.budget.layout.flex = "1 1 260px"
        self.of = _dropdown("", [("of arcs", "arcs"), ("of work", "work")], 90, "arcs")
        self.of.tooltip = "what a budget is a share of"
        self.undo = _button("Undo", "the selection as it was before", "undo")
        self.clear = _button("Clear", "isolate nothing", "times")
        self.invert = _button("Invert", "isolate what is active, and the other way round", "adjust")
        self.text = _text("Zone", "", None, "such as 0/Wh/f[0:32] | 0/Wx/g, then Enter")
        # how to isolate
        self.price = widgets.HTML()
        wide = {"button_width": "66px", "description_width": "78px"}
        self.depth = widgets.ToggleButtons(description="Depth", options=list(DEPTHS), style=wide)
        self.span = _slider("Span", task.lookback)
        self.from_epoch = _slider("From epoch", settings.epochs)
        self.redraw = widgets.Checkbox(value=False, description="redraw", indent=False, layout=_wide(125))
        self.how = {name: widgets.HTML() for name in ("depth", "span", "schedule")}
        # training
        self.go = _button("Train", "train with this selection", "play", "success", 110)
        self.halt = _button("Stop", "stop, and keep what was learned", "stop", "", 90)
        self.bar = widgets.FloatProgress(min=0, max=1, layout=widgets.Layout(flex="1 1 80px", width="auto"))
        self.status = widgets.HTML()
        # results
        self.curves, self.table, self.points, self.week_picture = (widgets.HTML() for _ in range(4))
        self.csv = _button("CSV", "save the table", "download")
        self.png = _button("PNG", "save the picture of all runs", "download")
        self.zip = _button("All runs", "save all runs in one file, to load again", "download", pixels=100)
        self.html = _button("One page", "save all that is seen here as one HTML file", "download", pixels=110)
        hint = "a runs.zip that was saved here"
        self.load = widgets.FileUpload(
            accept=".zip", description="Load runs", layout=_wide(125), tooltip=hint
        )
        self.first, self.second = _dropdown("Left", [], 215), _dropdown("Right", [], 215)
        self.week = _dropdown("Week", [], 190)
        # to share
        self.link = _text("State", "", None, "a state that somebody shared, then Enter")
        self.code = widgets.HTML()
        self.challenges = widgets.HTML()
        self.strip = widgets.HTML()
        steps = task.unrolled
        self.back_in_time = _slider("Steps back", steps)
        self.back_in_time.value = steps
        self.step = _button("Step", "one more step back", "step-backward")
        self.play = widgets.Play(
            min=1, max=steps, value=steps, interval=200, show_repeat=False, layout=_wide(90)
        )
        widgets.jslink((self.play, "value"), (self.back_in_time, "value"))
        self.shared = (widgets.HTML(), widgets.HTML())
        self.tabs = _box(widgets.Tab, "lab-tabs")
        self.widget = self._arranged()
        self.english = self._texts()

    def _texts(self) -> list[tuple[Any, str, Any]]:
        """What every widget says, in English: the widget, its trait, the text, or the options as they are."""
        every = [w for w in [*vars(self).values(), *self.options.values()] if isinstance(w, widgets.Widget)]
        traits = ((one, trait) for one in every for trait in ("description", "placeholder", "tooltip"))
        found = [(one, trait, getattr(one, trait, None)) for one, trait in traits]
        named = (self.series, self.share, self.samples, self.preset, self.by, self.of)
        labels = [(w, "options", [*zip(w._options_labels, w._options_values, strict=True)]) for w in named]
        return [text for text in found if (text[2] or NOTHING) != NOTHING] + labels

    def speak(self, language: str) -> None:
        """Write every label in this language."""
        for one, trait, text in self.english:
            if trait == "options":
                value = one.value
                one.options = [(say(language, label), option) for label, option in text]
                one.value = value
            else:
                setattr(one, trait, say(language, text))
        self.title.value = f"<div class='lab-title'>{say(language, 'Isolation lab')}</div>"
        self.more.titles = (say(language, "More about the file"),)
        titles = ("Runs", "Time and error", "Test week", "Errors", "Challenges", "Share")
        self.tabs.titles = tuple(say(language, title) for title in titles)
        for one, text in zip(
            self.shared, ("The state of this page, to copy:", "The same by code:"), strict=True
        ):
            one.value = f"<div class='lab-small'>{say(language, text)}</div>"
        spoken = (
            "isolated",
            "active",
            "low",
            "high",
            "; hatched: isolated",
            "play the epochs",
            "rewind",
        )
        self.map.words = {word: say(language, word) for word in spoken}

    def _arranged(self) -> widgets.VBox:
        row, column = partial(_box, widgets.HBox, "lab-row"), partial(_box, widgets.VBox)
        own = [
            self.series, self.share, self.samples, self.cell, self.units, self.epochs, self.seed, self.seeds,
        ]  # fmt: skip
        settings = row(self.title, *own, self.preset, self.blocks, self.start, self.language)
        back = row(self.replay, self.epoch, self.seen_then)
        budget = row(self.statistic, self.budget, self.of, self.by)
        zone = row(self.text, self.undo, self.clear, self.invert)
        left = column("lab-left", budget, self.says, self.map, back, zone)
        train = _box(widgets.HBox, "lab-row lab-train", self.go, self.halt, self.bar)
        runs = column("lab-tab", self.table, row(self.csv, self.png, self.zip, self.load, self.html))
        forecasts = column("lab-tab", row(self.first, self.second, self.week), self.week_picture)
        share = column("lab-tab", self.shared[0], row(self.link), self.shared[1], self.code)
        errors = column("lab-tab", row(self.play, self.step, self.back_in_time), self.strip)
        tabs = self.tabs
        points, challenges = (column("lab-tab", shown) for shown in (self.points, self.challenges))
        tabs.children = (runs, points, forecasts, errors, challenges, share)
        self.guided = row(self.guide, self.back, self.onward, self.leave)
        span, schedule = row(self.span), row(self.from_epoch, self.redraw)
        self.parts = {
            "settings": [*own, self.blocks], "presets": [self.preset], "statistics": [budget, self.says, back],
            "price": [self.price], "depth": [self.depth, self.how["depth"]], "span": [span, self.how["span"]],
            "schedule": [schedule, self.how["schedule"]], "runs": [tabs], "tour": [self.start],
        }  # fmt: skip
        style = widgets.HTML(f"<style>{(HERE / 'page.css').read_text(encoding='utf-8')}</style>")
        halves = partial(_box, widgets.HBox, "lab-row lab-halves")
        right = column(
            "lab-right", self.price, self.depth, self.how["depth"], span, self.how["span"], schedule,
            self.how["schedule"], train, self.status,
        )  # fmt: skip
        above, below = halves(left, right), halves(column("lab-curves", self.curves), tabs)
        return _box(
            Whole, "lab-page", style, settings, self.file_row, self.message, self.guided, above, below
        )


# --------------------------------------------------------------------------------------------------------- details


def _wide(pixels: int) -> widgets.Layout:
    return widgets.Layout(width=f"{pixels}px")


def _box(kind: Any, names: str, *children: Any) -> Any:
    """A box of these classes in the style sheet."""
    return kind(list(children), _dom_classes=names.split())


def _labelled(kind: Any, label: str, pixels: int | None, **options: Any) -> Any:
    """A widget with its label before it; without a width it takes what is left of its row."""
    layout = (
        widgets.Layout(flex="1 1 200px", width="auto", min_width="0") if pixels is None else _wide(pixels)
    )
    return kind(description=label, layout=layout, **{"style": {"description_width": "initial"}} | options)


def _dropdown(label: str, options: list[Any], pixels: int, value: str | None = None) -> widgets.Dropdown:
    return _labelled(widgets.Dropdown, label, pixels, options=options, value=value)


def _number(label: str, value: int, least: int, most: int, pixels: int) -> widgets.BoundedIntText:
    return _labelled(widgets.BoundedIntText, label, pixels, value=value, min=least, max=most)


def _text(label: str, value: str, pixels: int | None, hint: str) -> widgets.Text:
    return _labelled(widgets.Text, label, pixels, value=value, placeholder=hint, continuous_update=False)


def _slider(label: str, most: int) -> widgets.IntSlider:
    style = {"description_width": "78px"}
    return _labelled(widgets.IntSlider, label, None, min=1, max=most, continuous_update=False, style=style)


def _button(label: str, hint: str, icon: str, style: str = "", pixels: int = 98) -> widgets.Button:
    return widgets.Button(
        description=label, tooltip=hint, icon=icon, button_style=style, layout=_wide(pixels)
    )
