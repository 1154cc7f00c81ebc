"""The exercises of notebook 00: what the test part is for, and the arcs of one gate."""

from __future__ import annotations

from lstm_lib.isolation.zones import zone
from lstm_lib.network.spec import Spec

from .exercise import Case, Exercise, Mistake, Problem
from .quizzes import quiz


def _forget_arcs(case: Case) -> Problem:
    D, H = case.D, case.H
    spec = Spec(inputs=D, units=(H,), outputs=1)
    wrong = (
        Mistake("missing factor", H, "Each unit has an arc from each unit."),
        Mistake("formula", 4 * H * H, "This is Wh of all gates."),
        Mistake("formula", H * D, "These are the arcs from the inputs."),
        Mistake("formula", H * (H + D), "Wh holds the arcs from units alone."),
        Mistake("formula", H * (H + 1), "The bias is an array of its own."),
        Mistake("formula", H * (H - 1), "A unit has an arc from itself, too."),
    )
    return Problem({}, zone(spec, layer=0, matrix="Wh", gate="f").size, mistakes=wrong)


EXERCISES = (
    quiz("00.quiz_test", "what the test part is for", "b",
         {"a": "What would be left that training has never seen?",
          "c": "What was chosen because it does well on some rows does well on these rows by chance, too."},
         "section 4", "What is chosen on a part looks better there than it is."),
    Exercise("00.forget_arcs", "the arcs of the forget gate's recurrent matrix", "section 6: shape (H, H)",
             "A row a unit, a column a source; the sources of Wh are the units themselves.",
             _forget_arcs, notebook=Case(B=2, H=128, D=11), cases=()),
)  # fmt: skip
