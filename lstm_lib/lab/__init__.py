"""The demonstrator: choose a zone, see its price, train, compare time and error.

Nouns: a `State` is everything that the page shows; a transition is a function of a state, and of what was clicked
or heard, that returns the next state; a view is a function of a state that returns what to draw. The widgets of
`page` carry clicks to transitions and states to views, and know nothing else.

The modules, lowest first; each imports only those before it, and says at its top what it is: texts, settings,
choice, runs, files, keeping, state, transitions, price, readout, strip, presets, challenges, tour, sharing, grid,
training, ahead, figures, views, report, controls, drawing, page.

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
