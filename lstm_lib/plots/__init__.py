"""Figures: each function takes what it draws and, mostly, the axes to draw it on, and returns the figure.

    look          palette, canvas, and `show`, which puts a figure into a notebook together with the text
                  that a screen reader speaks
    lines         lines over a common axis; errors that vanish; paths of two weights
    graphs        a computation as a graph, values forward and errors back, with buttons to step through it
    diagrams      drawings without numbers: the cell, the chain of steps, the two roads of an error
    forward_pass  activations, one unit, gates over time
    zones         arcs, blocks and products on the matrices of a layer; tables of zones as heat maps
    isolation     depths, steps, shares of the work, predicted and measured times, error over training time
    forecasts     forecasts over time, and their errors by horizon or hour
    series        a series over the years, its rhythms, faults and parts
    study         intervals of every configuration, what explains the error, what the size changes

All are used as `plots.NAME`; what a file keeps to itself or lends only to its neighbours is not in `__all__`.
"""

from lstm_lib.extras import needed

with needed("study", "lstm_lib.plots"):
    from .diagrams import cell_diagram, two_roads, unrolled
    from .forecasts import drivers, errors_by, forecast, newest
    from .forward_pass import (
        activation_curves,
        gates_over_time,
        half_life_curve,
        one_unit,
    )
    from .graphs import computation_graph, graph_steps, stepper
    from .isolation import (
        depth_table,
        overview,
        predicted_and_measured,
        span_strip,
        time_and_error,
        work_shares,
    )
    from .lines import bowl, curves, descent, vanishing
    from .look import GATE_COLOURS, LINES, PALETTE, SEQUENCE, STYLE, canvas, show
    from .series import findings, over_years, parts, profiles, response
    from .study import arms, by_units, forest
    from .zones import arc_map, block_map, product_map, zone_maps

__all__ = [
    "GATE_COLOURS", "LINES", "PALETTE", "SEQUENCE", "STYLE", "activation_curves", "arc_map", "arms",
    "block_map", "bowl", "by_units", "canvas", "cell_diagram", "computation_graph", "curves", "depth_table",
    "descent", "drivers", "errors_by", "findings", "forecast", "forest", "gates_over_time", "graph_steps",
    "half_life_curve", "newest", "one_unit", "over_years", "overview", "parts", "predicted_and_measured",
    "product_map", "profiles", "response", "show", "span_strip", "stepper", "time_and_error", "two_roads",
    "unrolled", "vanishing", "work_shares", "zone_maps",
]  # fmt: skip
