"""The checks of the course's exercises.

    from lstm_lib import course
    course.check("02.dz_f", mine)     # right, or what kind of wrong; a second mistake gets a hint, a third the equation
    course.progress()                 # a table of all chapters; course.progress("02") a bar

The nouns are in `exercise.py`; the kinds of mistakes, in words, in `mistakes.py`; the exercises, one row each, in
the files that `table.py` names. It loads NumPy and pandas alone and needs no network.
"""

from .gradients import suspect_lines
from .sequences import suspect_step
from .table import EXERCISES, Progress, Verdict, check, progress

__all__ = ["EXERCISES", "Progress", "Verdict", "check", "progress", "suspect_lines", "suspect_step"]
