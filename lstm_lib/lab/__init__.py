"""The demonstrator: choose a zone, see its price, train, compare time and error.

Nouns: a `State` is everything that the page shows; a transition is a function of a state, and of what was clicked
or heard, that returns the next state; a view is a function of a state that returns what to draw. The widgets of
`page` carry clicks to transitions and states to views, and know nothing else.

The modules, lowest first; each imports only those above it:

    texts        what the page says, in its languages
    settings     Settings: a `Configuration` of `lstm_lib.experiments`, with a task on the last rows of a series
    choice       Choice: what is isolated, and how, in texts and numbers
    runs         the Run that a training leaves, of one seed or several; table, difference to dense, forecast
    files        runs as files
    state        State, and what can be read of it
    transitions  what becomes of a state
    price        what a selection saves, before it is paid for
    readout      what a selection does to the gradient
    strip        the errors over steps and gates, as a picture
    presets      selections under a name
    challenges   what to reach, and the best run of this session
    tour         five steps around the page
    sharing      a state as text, as an address, as code
    grid         the map: every cell and heading with its place, its value and its share of isolated arcs
    training     trainings that take turns and pause after every step, and what they tell
    ahead        how sure a run's forecasts are, and the day after the last row
    figures      curves, time and error of all runs, a test week and the next day by two runs
    views        small views as HTML
    report       everything as one HTML file
    controls     the widgets, and where they stand
    drawing      which view stands in which widget, and when it is drawn anew
    page         which widget leads to which transition, and the training in portions

    from lstm_lib.lab import page
    page()

`import lstm_lib.lab` loads no widgets; `page` does when it is called.
"""

from typing import Any

from lstm_lib.extras import needed

with needed("lab", "lstm_lib.lab"):
    from lstm_lib.lab.choice import Choice
    from lstm_lib.lab.runs import Run
    from lstm_lib.lab.settings import Settings
    from lstm_lib.lab.state import State, new

__all__ = ["Choice", "Run", "Settings", "State", "new", "page"]


def page() -> Any:
    """The page as a widget: the last line of a notebook's cell shows it. Needs ipywidgets and anywidget."""
    with needed("lab", "the page"):
        from lstm_lib.lab.page import Page

    return Page().widget
