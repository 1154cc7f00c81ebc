"""Runs as files: a table as CSV, and all that was trained as one file, which is loaded again."""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from tempfile import TemporaryDirectory
from typing import Any

from lstm_lib.lab.choice import Choice
from lstm_lib.lab.runs import Run, Trained, table
from lstm_lib.lab.settings import LastRows, Settings
from lstm_lib.network.spec import is_whole
from lstm_lib.training.record import Record

MOST_SEEN = 200_000  # arcs of a network whose dense run goes into a file of runs with all it has seen
MOST_BYTES = 500_000_000  # of a file of runs, unpacked


def to_csv(runs: Sequence[Run]) -> bytes:
    """The table as a CSV file."""
    return table(runs).to_csv(index=False, float_format="%.6g").encode()


def to_zip(runs: Sequence[Run], small: bool = True) -> bytes:
    """The runs as one file, which `from_zip` reads: `runs.json`, and for each seed its record, `K-S.npz`.

    Jupyter takes no upload above 10 MB. So what a record knows of the way there is left out, but for the dense run that
    statistics are computed from: the latest of each network that isn't large.

    small : compress, which takes longer.
    """
    dense = {run.record.spec: run.record for run in runs if run.dense and run.record.spec.size <= MOST_SEEN}
    file = io.BytesIO()
    # LZMA, since the parameters stand in a record three times
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA if small else zipfile.ZIP_STORED) as folder,
        TemporaryDirectory() as kept,
    ):
        folder.writestr("runs.json", json.dumps([_about(run) for run in runs]))
        for k, run in enumerate(runs):
            for seed, _, record in run.trained:
                done = record
                if done is not dense.get(done.spec):
                    done = Record.begin(
                        done.spec, done.config, done.params, run.settings.adam.init(done.params)
                    )
                folder.write(done.save(f"{kept}/{k}-{seed}.npz"), f"{k}-{seed}.npz")
    return file.getvalue()


def _about(run: Run) -> dict[str, Any]:
    curves = {str(one.seed): one.curve for one in run.trained}
    return vars(run) | {"settings": asdict(run.settings), "choice": asdict(run.choice), "trained": curves}


def from_zip(content: bytes) -> tuple[Run, ...]:
    """The runs that `to_zip` wrote; ValueError for a file of another kind."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as folder, TemporaryDirectory() as kept:
            if (size := sum(one.file_size for one in folder.infolist())) > MOST_BYTES:
                raise ValueError(
                    f"it holds {size / 1e6:,.0f} MB unpacked, at most {MOST_BYTES / 1e6:,.0f} are taken"
                )
            about = json.loads(folder.read("runs.json"))
            return tuple(
                _run(row, {seed: folder.extract(f"{k}-{int(seed)}.npz", kept) for seed in row["trained"]})
                for k, row in enumerate(about)
            )
    except Exception as error:  # it may hold anything: broken archives and arrays, other fields, other types
        raise ValueError(
            f"this is not a file of runs ({str(error)[:300]}), or it was edited; "
            "expected runs.zip, as the page saves it"
        ) from None


FIELDS: dict[str, Any] = {  # of a run as it stands in a file: their types
    "number": int, "what": str, "arcs": float | int, "predicted": float | int, "measured": float | int, "unit": str,
    "stopped": str,
}  # fmt: skip


def _is_a_line(text: str) -> bool:
    return (text or "a").isprintable() and len(text) <= 2000


def _curve(pairs: Any) -> tuple[tuple[float, float], ...]:
    curve = tuple((float(seconds), float(error)) for seconds, error in pairs)
    if not curve or not all(map(math.isfinite, sum(curve, ()))):
        raise ValueError("a curve has finite numbers, and one point at least")
    return curve


def _run(row: dict[str, Any], paths: dict[str, str]) -> Run:
    settings, choice = row["settings"], Choice(**row["choice"])
    told = dict(settings["task"])
    contents = told.pop("contents", None)
    settings = Settings(**settings | {"task": LastRows(**told)})
    if isinstance(contents, str):  # what it was trained on, whatever the file holds now
        vars(settings.task)["contents"] = contents
    trained = tuple(
        Trained(int(seed), _curve(row["trained"][seed]), Record.load(path)) for seed, path in paths.items()
    )
    if not trained or not all(is_whole(one.seed, 0) for one in trained):
        raise ValueError("a run has one seed at least, and seeds are whole numbers")
    for record in (one.record for one in trained):
        if (record.spec.units, record.spec.cell) != (settings.units, settings.cell):
            raise ValueError(f"its record is of {record.spec}, its settings say {settings.network}")
    run = Run(**row | {"settings": settings, "choice": choice, "trained": trained})
    for name, kind in FIELDS.items():
        value = getattr(run, name)
        if not isinstance(value, kind) or isinstance(value, bool) or not _is_a_line(str(value)):
            raise ValueError(
                f"{name} of a run is {value!r:.60}, not {getattr(kind, '__name__', kind)} of one line"
            )
    if not (run.arcs <= 1 and min(run.arcs, run.predicted, run.measured) >= 0 and 1 <= run.number < 10**6):
        raise ValueError("its number, its share of arcs or one of its ratios is out of range")
    if not _is_a_line(choice.zone):
        raise ValueError(f"the zone is {choice.zone!r:.60}, not a text of one line")
    choice.read(run.record.spec)
    return run
