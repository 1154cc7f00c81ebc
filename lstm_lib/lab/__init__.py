"""The demonstrator: choose a zone, see its price, train, compare time and error.

Nouns: a `State` is everything that the page shows; a transition is a function of a state, and of what was clicked
or heard, that returns the next state; a view is a function of a state that returns what to draw. The widgets of
`page` carry clicks to transitions and states to views, and know nothing else.

The modules, lowest first; each imports only those above it:

    runs       Settings, and the Run that a training leaves: table, file, forecast
    state      State and its transitions
    price      what a selection saves, before it is paid for
    grid       the map: every cell and heading with its place, its value and its share of isolated arcs
    training   a training in a thread, and what it tells
    figures    curves, time and error of all runs, a test week by two runs
    views      small views as HTML
    controls   the widgets, and where they stand
    page       which widget leads to which transition, and which view stands in which widget

    from lstm_lib.lab import page
    page()

`import lstm_lib.lab` loads no widgets; `page` does when it is called.
"""

from typing import Any

from lstm_lib.extras import needed

with needed("lab", "lstm_lib.lab"):
    from lstm_lib.lab.runs import Run, Settings
    from lstm_lib.lab.state import State, new

__all__ = ["Run", "Settings", "State", "new", "page"]


def page() -> Any:
    """The page as a widget: the last line of a notebook's cell shows it. Needs ipywidgets and anywidget."""
    with needed("lab", "the page"):
        from lstm_lib.lab.page import Page

    return Page().widget
