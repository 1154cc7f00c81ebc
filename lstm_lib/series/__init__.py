"""From a file to an honest forecast: an energy series read and checked, cut into windows, and the forecasts to beat.

Six nouns. A `Series` is a table on a regular grid of UTC stamps with one target column; a missing value is
NaN, and nothing is ever filled in. `load_series` reads one, embedded or your own; its `check()` lists what looks
wrong as findings, its `clean()` makes missing what you name. `windows` cuts it into a `Split` of three parts, each
a `Windows`: inputs x (N, T, D) and targets y (N, O), scaled by what the training rows say; `folds` makes several
splits with a rolling origin; `sequences` cuts it into stretches with a target at every step. Forecasts
(`naive_forecasts`, `ridge_forecast`, `boosted_forecast`) are tables in the target's unit, aligned with a part's
`times`; `compare` and `metrics` score them on the rows where all of them exist.

The modules, lowest first; each imports only those above it:

    refusal    SeriesError, and how a wrong argument is answered
    clock      the changes of the clocks, the grid, the calendar
    forms      the forms that a stamp may have, from its parts
    spelling   the ways in which a stamp may be spelt
    stamps     from what a file says to instants in UTC
    stands     numbers that stand for "missing", readings of a meter
    judging    what the rules look at, and the numbers that they judge by
    findings   what looks wrong, as a table and in ten lines
    faults     the rules that find it
    table      Series: check, clean, resample
    layouts    the files that are known beforehand
    files      which file a name or a path means
    lines      the lines of a text file, whatever its encoding
    numbers    the fields of a table as numbers
    columns    which columns hold stamps, are loaded, are no measurements
    shapes     several series in a file, a row a day
    rows       a table in a text file, and what stands around it
    parquet    a table in a Parquet file
    reading    load_series: from a name or path to a Series
    options    what load_series can be told, as texts
    splits     what a series is cut into
    known      what is known in advance of the hours to be forecast
    cutting    windows and folds
    sequences  stretches with a target at every step, and streams of them
    forecasts  the baselines
    opponents  what compare is given, as forecasts of a part
    intervals  how far a forecast may be off
    differences  whether one forecast is better than another
    scores     the measures
"""

from lstm_lib.series.cutting import folds, windows
from lstm_lib.series.faults import RULES
from lstm_lib.series.findings import Findings
from lstm_lib.series.forecasts import boosted_forecast, naive_forecasts, ridge_forecast
from lstm_lib.series.judging import LIMITS
from lstm_lib.series.reading import load_series
from lstm_lib.series.refusal import SeriesError
from lstm_lib.series.scores import compare, metrics
from lstm_lib.series.sequences import Sequences, SequenceSplit, sequences
from lstm_lib.series.splits import Split, Windows
from lstm_lib.series.table import Series

__all__ = [
    "LIMITS",
    "RULES",
    "Findings",
    "SequenceSplit",
    "Sequences",
    "Series",
    "SeriesError",
    "Split",
    "Windows",
    "boosted_forecast",
    "compare",
    "folds",
    "load_series",
    "metrics",
    "naive_forecasts",
    "ridge_forecast",
    "sequences",
    "windows",
]
