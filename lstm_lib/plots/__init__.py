"""Figures: each function takes what it draws and an optional axes, and returns the figure.

    look          palette, canvas, and `show`, which puts a figure into a notebook together with the text
                  that a screen reader speaks
    series        a series over the years, its rhythms, faults, parts and errors
    forecasts     forecasts over time, learning over training time
    forward_pass  activations, the cell, its gates and states over time
    gradients     how gradients are checked, the roads an error takes, where it fades
    through_time  the chain of steps, its span, where the work goes
    adam          trajectories, curves over steps, maps of what the moments say
    isolation     the map of arcs, the strip of steps, error over training time
    zones         blocks of a partition, what each depth leaves out, products of a plan, predicted beside measured

All are used as `plots.NAME`.
"""

from lstm_lib.plots.adam import bowl, curves, zone_maps
from lstm_lib.plots.forecasts import forecast, learning
from lstm_lib.plots.forward_pass import (
    activation_curves,
    cell_diagram,
    gate_distributions,
    gates_over_time,
    half_life_curve,
    states_over_time,
)
from lstm_lib.plots.gradients import difference_errors, two_roads, vanishing
from lstm_lib.plots.isolation import arc_map, overview, span_strip, time_and_error
from lstm_lib.plots.look import GATE_COLOURS, LINES, PALETTE, SEQUENCE, STYLE, canvas, show
from lstm_lib.plots.series import errors_by, findings, over_years, parts, profiles, response
from lstm_lib.plots.through_time import by_span, by_step, training_loss, unrolled, work_shares
from lstm_lib.plots.zones import block_map, depth_table, predicted_and_measured, product_map

__all__ = [
    "GATE_COLOURS",
    "LINES",
    "PALETTE",
    "SEQUENCE",
    "STYLE",
    "activation_curves",
    "arc_map",
    "block_map",
    "bowl",
    "by_span",
    "by_step",
    "canvas",
    "cell_diagram",
    "curves",
    "depth_table",
    "difference_errors",
    "errors_by",
    "findings",
    "forecast",
    "gate_distributions",
    "gates_over_time",
    "half_life_curve",
    "learning",
    "over_years",
    "overview",
    "parts",
    "predicted_and_measured",
    "product_map",
    "profiles",
    "response",
    "show",
    "span_strip",
    "states_over_time",
    "time_and_error",
    "training_loss",
    "two_roads",
    "unrolled",
    "vanishing",
    "work_shares",
    "zone_maps",
]
