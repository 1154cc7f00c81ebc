"""Experiments that can be believed: runs that are stored as they finish, in turn, and compared in pairs.

Six nouns. A `Task` is a series cut in one way; a `Configuration` is a task, a network, its training and its
isolation, under a name; a run is a configuration with a seed, and leaves a record and a row; a `Store` is a folder
of rows and records that survives being killed; `sweep` makes all runs that a store lacks and returns their table;
a comparison (`against`, `judged`, `pareto`) is a table made of that table.

The modules, lowest first; each imports only those above it:

    configuration  Task and Configuration, and the key of a run
    runs           one run by either engine, and its row
    store          rows and records on disk
    sweeping       every configuration with every seed, one after the other or side by side
    comparing      paired by seed, with intervals
    equal_cost     the smaller network that costs as much
    buildings      one network for several buildings, or one each
    verdicts       what a difference of errors is worth, over seeds and over time
    load           how busy other processes kept the machine during a run
    study          the policies and controls that `make study` runs

What `study` holds is used as `lstm_lib.experiments.study.NAME`; all else from here.
"""

from lstm_lib.extras import needed

with needed("study", "lstm_lib.experiments"):
    from lstm_lib.experiments.buildings import one_or_each
    from lstm_lib.experiments.comparing import against, in_words, pareto
    from lstm_lib.experiments.configuration import Configuration, Task
    from lstm_lib.experiments.equal_cost import units_of_equal_cost
    from lstm_lib.experiments.runs import predicted_step, row, run
    from lstm_lib.experiments.store import Store, StoreError
    from lstm_lib.experiments.sweeping import sweep
    from lstm_lib.experiments.verdicts import judged, verdicts

__all__ = [
    "Configuration", "Store", "StoreError", "Task", "against", "in_words",
    "judged", "one_or_each", "pareto", "predicted_step", "row", "run", "sweep",
    "units_of_equal_cost", "verdicts",
]  # fmt: skip
