"""A state as a text, for an address or a file, and as the lines of `lstm_lib` that do the same.

The text is JSON of a few names. What is read is checked name by name: each has one type, each value goes through the
transition that a control of the page leads to, and nothing of it is ever run or shown as anything but text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, quote

from lstm_lib.isolation.zones import read_zone
from lstm_lib.lab import transitions
from lstm_lib.lab.settings import SAMPLES, SHARES, LastRows
from lstm_lib.lab.state import State, isolation, lacks
from lstm_lib.series.layouts import EMBEDDED
from lstm_lib.training.statistics import STATISTICS

VERSION = 1
MOST_CHARACTERS = 4000
# The names, and the type of each; a list holds whole numbers.
TYPES: dict[str, type | tuple[type, ...]] = {
    "version": int, "series": str, "rows": str, "samples": str, "cell": str, "units": list, "epochs": int, "seed": int,
    "seeds": int, "blocks": int, "statistic": str, "zone": str, "depth": str, "span": (int, type(None)),
    "from_epoch": int, "redraw": bool, "language": str,
}  # fmt: skip


def to_text(state: State) -> str:
    """The state without its runs. Of a user's file nothing is told: who reads the text chooses a series again."""
    settings, task = state.settings, state.settings.task
    shares = {share: name for name, share in SHARES.items()}
    about: dict[str, Any] = {"version": VERSION} | (
        {"series": task.series} if task.series in EMBEDDED else {}
    )
    about |= {"rows": shares.get(task.share, "all"), "samples": samples_of(task)}
    about |= {"cell": settings.cell, "units": list(settings.units), "epochs": settings.epochs}
    about |= {"seed": settings.seed, "seeds": state.seeds}
    about |= {"statistic": state.statistic, "language": state.language} | vars(state.choice)
    return json.dumps({name: about[name] for name in TYPES if name in about})


def samples_of(task: LastRows) -> str:
    """What a network is trained on, by its name."""
    return next(name for name, (length, _) in SAMPLES.items() if (length is None) == (task.length is None))


def from_text(state: State, text: str) -> State:
    """The state that a text tells of, with the runs of this one; names that it lacks stay as they are.

    Raises ValueError for anything but what `to_text` writes.

    >>> from lstm_lib.lab.state import new
    >>> shared = from_text(new(), '{"units": [32], "zone": "0[0:8]", "seeds": 3}')
    >>> shared.settings.units, str(shared.zone), shared.seeds
    ((32,), '0[0:8]', 3)
    """
    about = _checked(text)
    settings, task = state.settings, state.settings.task
    series = task.series
    if "series" in about:
        _chosen("series", series := about["series"], EMBEDDED)
    own: dict[str, Any] = {} if series == task.series else {"target": None, "reading": {}}
    if (rows := about.get("rows")) is not None:
        own["share"] = _chosen("rows", rows, SHARES)
    if (samples := about.get("samples")) is not None:
        own["length"], batch = _chosen("samples", samples, SAMPLES)
        settings = replace(settings, batch=batch)
    named = {name: about[name] for name in ("cell", "epochs", "seed") if name in about}
    named |= {"units": tuple(about["units"])} if "units" in about else {}
    asked = replace(settings, task=replace(task, series=series, **own), **named)
    # a selection made for another network is no mistake, as long as the text brings its own
    found = transitions.with_settings(state, asked)
    if "zone" in about:
        found = transitions.select(found, read_zone(found.spec, about["zone"]))
    steps = (
        ("blocks", transitions.with_blocks), ("depth", transitions.with_depth), ("seeds", transitions.with_seeds),
        ("language", transitions.in_language),
    )  # fmt: skip
    for name, transition in steps:
        if name in about:
            found = transition(found, about[name])
    statistic = about.get("statistic", found.statistic)
    _chosen("statistic", statistic, STATISTICS)
    if not lacks(found, statistic):  # who opens it has not trained: the map is coloured by what it has
        found = transitions.with_statistic(found, statistic)
    if "span" in about:
        found = transitions.with_span(found, about["span"] or found.settings.task.unrolled)
    return transitions.with_schedule(
        found, about.get("from_epoch", found.choice.from_epoch), about.get("redraw", found.choice.redraw)
    )


def _checked(text: str) -> Mapping[str, Any]:
    """Names and values of the text, each of its type."""
    if len(text) > MOST_CHARACTERS:
        raise ValueError(
            f"a shared state has at most {MOST_CHARACTERS} characters; this text has {len(text)}"
        )
    try:
        about = json.loads(text)
    except (ValueError, RecursionError):
        about = None
    if not isinstance(about, dict):
        raise ValueError(f"this is not a shared state: {text[:60]!r}; expected a text in braces")
    for name, value in about.items():
        if name not in TYPES:
            raise ValueError(f"a shared state has no {name[:60]!r}; its names are {', '.join(TYPES)}")
        is_bool = isinstance(value, bool)
        if not isinstance(value, TYPES[name]) or (is_bool and TYPES[name] is not bool):
            raise ValueError(f"{name} of a shared state is {value!r:.60}, which is of another type")
    if any(isinstance(n, bool) or not isinstance(n, int) for n in about.get("units", ())):
        raise ValueError(f"units of a shared state is {about['units']!r:.60}, not whole numbers")
    if (version := about.get("version", VERSION)) != VERSION:
        raise ValueError(f"the shared state has version {version}, this page reads {VERSION}")
    return about


def _chosen(name: str, value: str, choices: Mapping[str, Any]) -> Any:
    if value not in choices:
        raise ValueError(f"{name} is {value!r:.60}; the choices are {', '.join(choices)}")
    return choices[value]


def to_search(state: State) -> str:
    """The part of an address behind its "?", which `from_search` reads."""
    hidden = f"&hide={','.join(state.hidden)}" if state.hidden else ""
    return f"state={quote(to_text(state))}{hidden}"


def from_search(state: State, search: str) -> State:
    """The state that an address tells of, such as "?state=…&lang=fr&hide=depth,span"; ValueError as `from_text`."""
    try:
        given = parse_qs(search.lstrip("?"), max_num_fields=20)
    except ValueError:
        raise ValueError("the address has more than 20 parts") from None
    if "hide" in given:
        state = transitions.hide(state, given["hide"][-1])
    if "state" in given:
        state = from_text(state, given["state"][-1])
    return transitions.in_language(state, given["lang"][-1]) if "lang" in given else state


# ------------------------------------------------------------------------------------------------------------ code


def as_code(state: State) -> str:
    """Lines of Python that train what the page trains: `records` has one for each seed.

    Raises ValueError where depth and selection don't fit.
    """
    settings, task = state.settings, state.settings.task
    series = task.split().series
    features = ", ".join(map(repr, series.calendar))
    told = "".join(f", {name}={value!r}" for name, value in task.reading.items())
    target = "" if task.target is None else f", target={task.target!r}"
    lines = ["import lstm_lib as ll", ""]
    lines.append(f"series = ll.load_series({task.series!r}{target}{told}).with_calendar({features})")
    if task.share < 1:
        lines.insert(0, "from dataclasses import replace")
        lines.append(f"series = replace(series, frame=series.frame.iloc[-{len(series.frame)}:])")
    if task.length is None:
        lines.append(f"split = ll.windows(series, lookback={task.lookback})")
    else:
        lines.append(f"split = ll.sequences(series, length={task.length}, warmup={task.warmup})")
    lines += [
        f"spec = ll.Spec(inputs=len(split.inputs), units={settings.units!r}, outputs=1, cell={settings.cell!r})",
        *_plan_lines(state),
        "records = [",
        "    ll.fit(",
        f"        spec, split.train, split.valid, seed=seed, epochs={settings.epochs}, batch={settings.batch},",
        f"        optimizer=ll.Adam(lr={settings.lr!r}), rate={settings.rate!r}, isolation=plan, threads=1,",
        "    )",
        f"    for seed in {list(state.every_seed)}",
        "]",
        'print([record.history["valid_rmse"].iloc[-1] for record in records])',
    ]
    return "\n".join(lines) + "\n"


def _plan_lines(state: State) -> list[str]:
    choice, spec = state.choice, state.spec
    isolation(state)  # refuses what doesn't fit
    if choice.is_dense(spec):
        return ["plan = None"]
    how = f"depth={choice.depth!r}, span={choice.span!r}"
    if choice.redraw:
        share = choice.drawn_share(spec)
        lines = [f"plan = ll.schedules.redraw(spec, {share!r}, blocks={choice.blocks}, {how})"]
    else:
        lines = [f"plan = ll.isolate(spec, ll.read_zone(spec, {choice.zone!r}), {how})"]
    if choice.from_epoch > 1:
        lines.append(f"plan = ll.schedules.from_epoch({choice.from_epoch}, plan)")
    return lines
