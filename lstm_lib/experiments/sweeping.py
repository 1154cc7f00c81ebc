"""Every configuration with every seed: in turn, stored as they finish, taken up again where they stopped.

Compared runs take turns: for each seed all configurations, and with each seed another one begins, so that a machine
that gets slower over the hours does so for all. Times count only where nothing ran beside: `timed=True` makes the runs
one at a time in the whole machine, and again where other processes kept it busy meanwhile (`load.py`). Errors don't
depend on that, so they may be had side by side first.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext, suppress
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from filelock import BaseFileLock, FileLock, Timeout

from lstm_lib.experiments import runs
from lstm_lib.experiments.configuration import Configuration
from lstm_lib.experiments.load import VARIABLE, Load, is_quiet, most
from lstm_lib.experiments.store import Store
from lstm_lib.network.spec import is_whole
from lstm_lib.training.record import Diverged, Record

ORDERS = ("by seed", "by configuration")
TRIES = 3  # of a timed run beside which other processes were busy
PAUSE = 0.2  # seconds between two looks at a store whose last runs another process is making


class Planned(NamedTuple):
    """A run that is to be made: a configuration with a seed, and the key of both."""

    key: str
    configuration: Configuration
    seed: int


# What a run left, its row and record; or why it left nothing.
Made = tuple[dict[str, Any], Record] | RuntimeError


class Disturbed(RuntimeError):
    """Other processes kept the machine busy in each try of a run that was to be timed."""


def sweep(
    configurations: Iterable[Configuration],
    seeds: Iterable[int],
    store: Store | str | Path | None = None,
    jobs: int = 1,
    progress: bool = True,
    order: str = "by seed",
    timed: bool = False,
    records: bool = True,
) -> pd.DataFrame:
    """Make all runs that the store lacks, and return a table with a row a run, seed by seed.

    Parameters
    ----------
    configurations : each with a name of its own.
    seeds : whole numbers.
    store : a `Store` or its folder; None keeps nothing but the table.
    jobs : how many runs at a time, by joblib; -1 as many as there are cores. Within
        `joblib.parallel_config(backend="dask")` the runs go to that cluster; its machines need not see the store.
    progress : show what is done, what runs and how long it will take.
    order : "by seed" makes all configurations for one seed, then for the next; "by configuration" the other way.
    timed : make the runs one at a time, also among other processes of this machine that call this; runs
        that the store has without a time that counts are made again, and have to give the same numbers.
    records : keep what the runs left, not their rows alone; a thousand networks of 256 units are gigabytes.

    Ctrl-C stops it; what is finished is kept, and the same call goes on from there. A run that diverges is a row
    with its reason. Several processes may work on one store: each makes what no other has begun.

    Raises ValueError for settings that don't fit, RuntimeError that names configuration and seed when a run fails, once
    those that run beside it are finished, `Disturbed` when other processes keep the machine busy during a timed run for
    the third time, `StoreError` when a run gives other numbers than it did before.

    >>> from lstm_lib.experiments import Task
    >>> small = Configuration("small", Task(lookback=3, every=200), units=(2,), epochs=1)
    >>> sweep([small], seeds=[0, 1], progress=False)[["name", "seed", "alone"]]
        name  seed  alone
    0  small     0  False
    1  small     1  False
    """
    from tqdm.auto import tqdm

    chosen = _checked(configurations, jobs, order, timed)
    seeds = _seeds(seeds)
    planned = in_turn(chosen, seeds, order)
    with ExitStack() as stack:
        if store is None:
            store = stack.enter_context(tempfile.TemporaryDirectory())
        store = store if isinstance(store, Store) else Store(store)
        total, left = len(planned), len(_lacking(planned, store, timed))
        bar = stack.enter_context(tqdm(total=total, initial=total - left, disable=not progress, unit="run"))
        try:
            _make(planned, store, jobs, timed, records, bar)
        except KeyboardInterrupt:
            left = len(_lacking(planned, store, timed))
            print(f"Stopped; {left} of {total} runs are left, the same call makes them.", file=sys.stderr)
            raise
        made = store.best()
        rows = ((c, made[c.key(seed)]) for seed in seeds for c in chosen)
        return pd.DataFrame([{**row, "group": c.group} for c, row in rows])


def in_turn(configurations: list[Configuration], seeds: list[int], order: str = "by seed") -> list[Planned]:
    """The runs in the order in which they are made; with each seed another configuration begins.

    >>> a, b = Configuration("a"), Configuration("b")
    >>> [f"{run.configuration.name}{run.seed}" for run in in_turn([a, b], [0, 1])]
    ['a0', 'b0', 'b1', 'a1']
    """
    turns: Iterable[tuple[Configuration, int]] = product(configurations, seeds)
    if order == "by seed":
        n = len(configurations)
        turns = ((configurations[(k + j) % n], seed) for k, seed in enumerate(seeds) for j in range(n))
    return [Planned(c.key(seed), c, seed) for c, seed in turns]


def _make(planned: list[Planned], store: Store, jobs: int, timed: bool, records: bool, bar: Any) -> None:
    """Make all runs that the store lacks, keep each as it finishes; wait for those that another process is making.

    When one fails, no other is begun, and those that are at work are finished before this raises.
    """
    claims: dict[str, BaseFileLock] = {}
    failed: list[RuntimeError] = []
    disturbed = Counter[str]()

    def claimed(todo: list[Planned]) -> Iterator[Planned]:
        """Those that no other process has begun, each claimed when it is asked for."""
        for run in todo:
            if failed:
                return
            if (claim := store.claim(run.key)) is None:
                continue
            if run.key in store.done(alone=timed):  # another process has finished it since
                claim.release()
                continue
            claims[run.key] = claim
            bar.set_description(f"{run.configuration.name}, seed {run.seed}")
            yield run

    try:
        while todo := _lacking(planned, store, timed):
            made = False
            with closing(_results(claimed(todo), jobs, timed, bar)) as results:
                for result in results:
                    if isinstance(result, RuntimeError):
                        failed.append(result)
                        continue
                    row, record = result
                    store.append(row, record if records else None)
                    bar.update(not timed or row["alone"])
                    claims.pop(row["key"]).release()
                    made = True
                    if timed and not row["alone"]:
                        disturbed[row["key"]] += 1
                        bar.set_postfix_str(f"again: other processes kept {row['load']} cores busy")
                        if disturbed[row["key"]] == TRIES:
                            failed.append(_busy(row))
            if failed:
                raise failed[0]
            if not made:
                bar.set_postfix_str("waiting for another process")
                time.sleep(PAUSE)
    finally:
        for claim in claims.values():
            claim.release()


def _busy(row: dict[str, Any]) -> Disturbed:
    return Disturbed(
        f"configuration {row['name']!r}, seed {row['seed']}: other processes kept {row['load']} cores busy, in "
        f"{TRIES} runs; for times that count at most {most()} may be. Leave the machine alone and call this again, or "
        f"set {VARIABLE} to how many may be"
    )


def _lacking(planned: list[Planned], store: Store, timed: bool) -> list[Planned]:
    done = store.done(alone=timed)
    return [run for run in planned if run.key not in done]


def _results(claimed: Iterator[Planned], jobs: int, timed: bool, bar: Any) -> Generator[Made]:
    if jobs == 1:
        for run in claimed:
            with _nothing_beside(bar) if timed else nullcontext():
                yield _execute(run, timed)
        return
    from joblib import Parallel, delayed

    # one run a task, and no more begun than can run, so that no claim is held for a run that waits
    side_by_side = Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1, pre_dispatch="n_jobs")
    yield from side_by_side(delayed(_execute)(run, False) for run in claimed)


def _execute(run: Planned, alone: bool) -> Made:
    """Make a run; in a process of joblib's or of a cluster's too, so nothing here touches the store.

    What went wrong is told as texts: not every exception can travel between processes.
    """
    key, configuration, seed = run
    load = Load()
    try:
        try:
            record, diverged = runs.run(configuration, seed), ""
        except Diverged as error:
            record, diverged = error.record, str(error)
        others = load.others()
        alone = alone and is_quiet(others)
        row = runs.row(configuration, seed, record, alone=alone, diverged=diverged, load=others)
        if row["key"] != key:
            raise ValueError(f"{configuration.task.series} has changed since the sweep began; call it again")
        return row, record
    except Exception as error:
        where = f"configuration {configuration.name!r}, seed {seed}"
        failed = RuntimeError(f"{where}: {type(error).__name__}: {error}")
        failed.add_note(traceback.format_exc())
        return failed


def _timed_lock() -> FileLock:
    """Held by a timed run, one in the whole machine; the system lets go of it when the process dies.

    It lies in a folder that all accounts may write to: what one puts into the temporary folder itself is its own.
    LSTM_LIB_TIMED_LOCK names another file, for tests whose times nobody reads.
    """
    if given := os.environ.get("LSTM_LIB_TIMED_LOCK"):
        return FileLock(given)
    folder = Path(tempfile.gettempdir()) / "lstm_lib-timed"
    with suppress(FileExistsError):  # then who made it opened it; it may be a link to what is nobody else's
        folder.mkdir()
        folder.chmod(0o777)
    return FileLock(folder / "run.lock", mode=0o666)


@contextmanager
def _nothing_beside(bar: Any) -> Iterator[None]:
    """Hold the lock of timed runs; the bar says so where another process has to be waited for."""
    lock = _timed_lock()
    try:
        lock.acquire(blocking=False)
    except Timeout:
        bar.set_postfix_str(f"waiting for a timed run of another process, which holds {lock.lock_file}")
        lock.acquire()
        bar.set_postfix_str("")
    try:
        yield
    finally:
        lock.release()


def _checked(
    configurations: Iterable[Configuration], jobs: int, order: str, timed: bool
) -> list[Configuration]:
    """Refuse what can't be run, before anything is run."""
    if isinstance(configurations, Configuration):
        raise ValueError("configurations takes a list; put the one into a list, [configuration]")
    chosen = list(configurations)
    if not chosen or not all(isinstance(c, Configuration) for c in chosen):
        raise ValueError(f"configurations takes a list of Configuration, at least one; got {chosen!r:.80}")
    if twice := ", ".join(repr(name) for name, n in Counter(c.name for c in chosen).items() if n > 1):
        raise ValueError(f"several configurations are called {twice}; give each its own name")
    if order not in ORDERS:
        raise ValueError(f"order is {order!r}; the choices are {', '.join(ORDERS)}")
    if not is_whole(jobs, 1) and jobs != -1:
        raise ValueError(f"jobs must be a whole number of at least 1, or -1 for all cores; got {jobs!r}")
    if timed and (jobs != 1 or order != "by seed"):
        raise ValueError(
            f"timed=True needs jobs=1 and order='by seed', got {jobs} and {order!r}: times of runs made side by "
            "side, or one configuration after the other, can't be compared. Make the errors side by side first, then "
            "the times"
        )
    return chosen


def _seeds(seeds: Iterable[int]) -> list[int]:
    if isinstance(seeds, int | str):
        raise ValueError(f"seeds takes several whole numbers, such as range(5); got {seeds!r}")
    chosen = list(seeds)
    if not chosen or not all(is_whole(seed, 0) for seed in chosen) or len(set(chosen)) < len(chosen):
        raise ValueError(f"seeds takes whole numbers of at least 0, none twice; got {chosen!r}")
    return [int(seed) for seed in chosen]
