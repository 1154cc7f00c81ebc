"""What every figure keeps to: where it is drawn, what it leaves alone, and that it reads the row of any cell."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import lstm_lib as ll
from lstm_lib import plots
from lstm_lib.network.cells import CELLS
from lstm_lib.series import Series, compare, folds

TIMES = pd.date_range("2010-03-28", periods=800, freq="h", tz="Europe/Paris")
WAVE = np.sin(np.arange(800) / 4)
LOAD = np.where(np.arange(800) // 5 == 40, np.nan, WAVE)  # with a gap
FRAME = pd.DataFrame({"load": LOAD, "air": WAVE[::-1]}, TIMES.tz_convert("UTC"))
SERIES = Series("demo", FRAME, "load", "kW", timezone="Europe/Paris", units={"air": "°C"})
NEXT = pd.DataFrame({"forecast": [1.0, 2.0], "low": 0.0, "high": 3.0}, SERIES.index[-2:] + pd.Timedelta("2h"))
FOLD = folds(SERIES, lookback=3, horizon=2, steps="all", number=2)[-1]
HISTORY = pd.DataFrame({"seconds": [2.0, 3.0, 1.0], "valid_rmse": [0.6, 0.5, 0.4]})
RUNS = dict.fromkeys(["dense", "short", "few"], HISTORY)
TABLE = pd.DataFrame([[1.0, 2.0], [3.0, 4.0]], ["f", "i"], [1, 2])
Y = np.array([2.0, 1.0])
SUMMARY = pd.DataFrame(
    dict.fromkeys(("time_ratio", "time_low", "time_high", "error_percent", "error_low", "error_high"), 1.0),
    ["dense", "cut"],
)
SIZES = SUMMARY.assign(policy="a", units=[16, 32])

# Name -> a call into the given axes, or into new ones for None; several axes come as a list.
DRAW: dict[str, Callable[[Any], Figure]] = {
    "arms": lambda ax: plots.arms(SUMMARY.set_axis(["a, once", "a, twice"]), "dense", ax),
    "activation_curves": lambda ax: plots.activation_curves(ax),
    "bowl": lambda ax: plots.bowl((1, 1), {"a": np.eye(2)}, ax),
    "descent": lambda ax: plots.descent(lambda w: w[..., 0], {"a": np.eye(2)}, (0, 0), (-1, 1), (-1, 1), ax=ax),
    "by_units": lambda ax: plots.by_units(SIZES),
    "cell_diagram": lambda ax: plots.cell_diagram(CELLS["brief"], ax),
    "computation_graph": lambda ax: plots.computation_graph({"L": ("w",)}, {"w": 1, "L": 2}, {("w", "L"): 2}, ax=ax),
    "curves": lambda ax: plots.curves({"a": Y}, "x", "y", ax=ax),
    "depth_table": lambda ax: plots.depth_table(ax),
    "drivers": lambda ax: plots.drivers(pd.DataFrame({"load": Y}, pd.Index(Y * 3, name="hours before")), "kW", ax),
    "errors_by": lambda ax: plots.errors_by(compare(FOLD.test, {}, by="horizon"), "kW", ax=ax),
    "findings": lambda ax: plots.findings(SERIES, SERIES.check(), ax),
    "forecast": lambda ax: plots.forecast(TIMES, WAVE, {"LSTM": WAVE}, "kW", ax),
    "newest": lambda ax: plots.newest(SERIES, NEXT, ax=ax),
    "forest": lambda ax: plots.forest(SUMMARY, {"dense": "dense", "cut": "own"}),
    "half_life_curve": lambda ax: plots.half_life_curve({"a": 0.9}, ax),
    "one_unit": lambda ax: plots.one_unit(dict.fromkeys("fiog", 1.0), 2.0, ax),
    "over_years": lambda ax: plots.over_years(SERIES, ax),
    "parts": lambda ax: plots.parts({"a": FOLD}, ax),
    "predicted_and_measured": lambda ax: plots.predicted_and_measured(TABLE, ax=ax),
    "profiles": lambda ax: plots.profiles(SERIES),
    "response": lambda ax: plots.response(SERIES, "air", ax),
    "span_strip": lambda ax: plots.span_strip(6, 2, ax),
    "time_and_error": lambda ax: plots.time_and_error(RUNS, "kW", {"last value": 1.0}, ax),
    "two_roads": lambda ax: plots.two_roads(ax),
    "unrolled": lambda ax: plots.unrolled(3, ax=ax),
    "vanishing": lambda ax: plots.vanishing({1: Y, "GRU": Y}, "y", ax=ax),
    "work_shares": lambda ax: plots.work_shares(TABLE, ax),
    "zone_maps": lambda axes: plots.zone_maps({"a": TABLE}, axes=axes),
}  # fmt: skip


def gates_over_time(spec: ll.Spec, axes: Any) -> Figure:
    layer = ll.forward(spec, ll.init_params(spec), np.ones((5, 2, 3), np.float32))[1].layer(0)
    gates = {gate: getattr(layer, gate)[-1] for gate in spec.row.gates}
    return plots.gates_over_time(TIMES[:5], np.ones(5), gates, spec.row, "kW", axes)


CELLS_OF_ALL_KINDS = ("standard", "rnn", "gru", "peephole")
# Those that read the cell of a network.
OF_CELL: dict[str, Callable[[ll.Spec, Any], Figure]] = {
    "arc_map": lambda spec, ax: plots.arc_map(spec, ll.zone(spec, layer=1, matrix="Wh"), 1, ax),
    "block_map": lambda spec, ax: plots.block_map(ll.partition(spec, blocks=2), 1, ax),
    "gates_over_time": gates_over_time,
    "overview": lambda spec, ax: plots.overview(dict.fromkeys("ab", ll.zone(spec, layer=0)), RUNS, "kW"),
    "product_map": lambda spec, ax: plots.product_map(ll.isolate(spec, ll.zone(spec, layer=1, unit=2)), 1, ax),
}  # fmt: skip

FIGURES = {(name, None): draw for name, draw in DRAW.items()} | {
    (name, cell): lambda ax, draw=draw, cell=cell: draw(ll.Spec(3, (5, 4), 2, cell), ax)
    for name, draw in OF_CELL.items() for cell in CELLS_OF_ALL_KINDS
}  # fmt: skip
every_figure = pytest.mark.parametrize(
    ("name", "cell"), FIGURES, ids=[f"{name}-{cell}" if cell else name for name, cell in FIGURES]
)


def drawn_on(ax: Axes) -> bool:
    return len(ax.get_children()) > len(plt.figure().add_subplot().get_children())


def test_every_figure_is_here_and_says_what_it_takes() -> None:
    functions = {
        name: f for name, f in inspect.getmembers(plots, inspect.isfunction) if name in plots.__all__
    }
    figures = {
        name: f for name, f in functions.items() if name not in ("canvas", "graph_steps", "show", "stepper")
    }
    assert figures.keys() == DRAW.keys() | OF_CELL.keys()
    for name, function in figures.items():
        signature = inspect.signature(function, eval_str=True)
        assert signature.return_annotation is Figure, name
        assert inspect.getdoc(function), name
        assert all(
            signature.parameters[p].default is None for p in ("ax", "axes") if p in signature.parameters
        )


@every_figure
def test_a_figure_is_drawn_into_new_axes_and_leaves_the_settings_alone(name: str, cell: str | None) -> None:
    before = dict(plt.rcParams)
    fig = FIGURES[name, cell](None)
    assert any(drawn_on(ax) for ax in fig.axes)
    fig.draw_without_rendering()  # what is drawn late, such as ticks, warns late
    assert dict(plt.rcParams) == before


@every_figure
def test_a_figure_is_drawn_into_the_axes_that_are_given(name: str, cell: str | None) -> None:
    parameters = inspect.signature(getattr(plots, name)).parameters
    if "axes" in parameters:
        number = 1 + len(CELLS[cell].gates) if cell else 1
        fig, (*given, other) = plots.canvas(1, number + 1)
        assert FIGURES[name, cell](given) is fig
    elif "ax" in parameters:
        fig, (given, other) = plots.canvas(1, 2)
        assert FIGURES[name, cell](given) is fig
        given = [given]
    else:
        return  # several axes of its own
    assert all(drawn_on(ax) for ax in given)
    assert not drawn_on(other)
