"""The record: what a training run leaves, on disk too.

Nouns: a `Record` holds the settings of a run, its history and what was learned; its `Checkpoint` is the state at the
end of the last complete epoch, from which `fit(resume=record)` goes on, bit for bit as if it had never ended.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from lstm_lib.files import read_arrays, replacing
from lstm_lib.network.cells import Array
from lstm_lib.network.losses import loss_of
from lstm_lib.network.spec import Params, Spec, check_params, copy_params
from lstm_lib.network.trace import Workspace
from lstm_lib.series import Sequences
from lstm_lib.series.sequences import windows_of

from .adam import Adam, AdamState
from .evidence import Evidence, Watched
from .samples import Samples, Way, predict

HISTORY = ("epoch", "seconds", "train_loss", "valid_loss", "valid_rmse")
WATCHED = ("start", "gradient", "change", "path", "error")  # the arrays of a `Watched`
VERSION = 2  # of the file; the first edition wrote none


@dataclass
class Checkpoint:
    """The state at the end of an epoch, from which a run can go on; what was watched, where `fit` watches."""

    params: Params
    state: AdamState
    watched: Watched | None = None


@dataclass
class Record:
    """What one training run left.

    history : DataFrame with one row a complete epoch: epoch, seconds (training alone, without validation),
        train_loss, valid_loss, valid_rmse (in the unit of the series where the samples know it).
    params : what was learned last, also when the run ended within an epoch.
    best_params : those of the epoch with the lowest validation loss; without validation, training loss.
    interrupted : whether Ctrl-C ended it. stopped : why a callback ended it, or "".

    `predict` takes the best parameters, or those of the end.
    """

    spec: Spec
    config: dict[str, Any]
    history: pd.DataFrame
    params: Params = field(repr=False)
    best_params: Params = field(repr=False)
    checkpoint: Checkpoint = field(repr=False)
    interrupted: bool = False
    stopped: str = ""

    @classmethod
    def begin(
        cls, spec: Spec, config: dict[str, Any], params: Params, state: AdamState, watch: bool = False
    ) -> Record:
        """Before the first epoch, from copies of these parameters."""
        watched = Watched.begin(params) if watch else None
        first = Checkpoint(copy_params(params), state, watched)
        return cls(spec, config, _history([]), copy_params(params), copy_params(params), first)

    def resumed(self, spec: Spec, config: dict[str, Any], longer: bool, watch: bool) -> Record:
        """A record that goes on after the last complete epoch; this one stays as it is.

        Parameters
        ----------
        spec, config : of the run to come; they must be those of this one.
        longer : whether it may have more epochs than this one was made for.

        Raises ValueError that names the settings that differ, then and now.
        """
        if (done := len(self.history)) > config["epochs"]:
            raise ValueError(f"the record has {done} epochs already; epochs={config['epochs']} is fewer")
        free = {"threads", "engine"} | ({"epochs"} if longer else set())
        then = {k: v for k, v in self.config.items() if k not in free} | {"spec": self.spec}
        now = config | {"spec": spec}
        if differs := [k for k, v in then.items() if now.get(k) != v]:
            pairs = ", ".join(f"{k}: {then[k]} then, {now.get(k)} now" for k in differs)
            text = f"cannot resume with other settings ({pairs})"
            why = "; the rate or the isolation depends on the number of epochs, which is therefore fixed"
            raise ValueError(text + why if "epochs" in differs else text)
        if watch and self.checkpoint.watched is None:
            raise ValueError(
                "the record was made without watch=True, so that its arcs' past is not known; "
                "start anew with watch=True"
            )
        last = copy_params(self.checkpoint.params)
        return dataclasses.replace(self, params=last, config=config, interrupted=False, stopped="")

    @property
    def seconds(self) -> float:
        """Training time of all complete epochs."""
        return float(self.history["seconds"].sum())

    def predict(
        self,
        samples: Samples | Sequences | tuple[Array, Array] | Array,
        params: Literal["best", "last"] = "best",
        way: Way | None = None,
    ) -> Array:
        """Forecasts, in the scale of the samples' y; see `lstm_lib.predict`.

        Parameters
        ----------
        samples : a part of a split, a pair of arrays, or x (N, T, D) alone.
        params : "best" takes `best_params`, "last" takes `params`.
        way : "windows" or in one "pass", see `lstm_lib.predict`.

        Returns
        -------
        (N, O) or (N, T, O).

        >>> from lstm_lib import fit
        >>> x = np.linspace(-1, 1, 40, dtype=np.float32).reshape(8, 5, 1)
        >>> record = fit(Spec(1, (3,), 1), (x, x[:, -1]), epochs=1, progress=False)
        >>> record.predict(x).shape
        (8, 1)
        """
        which = {"best": self.best_params, "last": self.params}
        if not isinstance(params, str) or params not in which:
            raise ValueError(f"params is {params!r}; the choices are 'best' and 'last'")
        return predict(self.spec, which[params], samples, way=way)

    def evidence(self) -> Evidence:
        """What is known of the arcs after the last complete epoch, for the statistics of `selection`."""
        at, sizes = self.checkpoint, (self.config["steps"], self.config["batch"])
        optimizer, epoch = Adam(**self.config["optimizer"]), len(self.history)
        return Evidence(self.spec, at.params, at.state, optimizer, epoch, *sizes, at.watched)

    def close_epoch(
        self,
        seconds: float,
        train_loss: float,
        checkpoint: Checkpoint,
        valid: Samples | None,
        work: Workspace,
    ) -> None:
        """Validate, append a row to the history, keep the checkpoint and the best parameters."""
        row = dict.fromkeys(HISTORY, np.nan)
        row |= {"epoch": len(self.history) + 1, "seconds": seconds, "train_loss": train_loss}
        if valid is not None:
            yhat = predict(self.spec, checkpoint.params, valid, work=work, engine=self.config.get("engine"))
            valid = windows_of(valid)
            y = valid.take(np.arange(len(valid)))[1]
            row["valid_loss"] = float(loss_of(self.spec)(yhat, y)[0])
            if self.spec.head == "linear":
                row["valid_rmse"] = float(np.sqrt(row["valid_loss"]) * getattr(valid, "scale", 1.0))
        measure = "train_loss" if valid is None else "valid_loss"
        history = _history([*self.history.to_dict("records"), row])
        closed: dict[str, Any] = {"history": history, "checkpoint": checkpoint}
        if not len(self.history) or row[measure] < self.history[measure].min():
            closed["best_params"] = copy_params(checkpoint.params)
        # in one call, so that Ctrl-C never finds a checkpoint of one epoch beside the history of another
        vars(self).update(closed)

    def save(self, path: str | Path) -> Path:
        """Write the record to one `.npz` file and return its path; a file that is there is replaced in one go."""
        path = Path(path)
        if path.suffix != ".npz":
            path = path.with_name(f"{path.name}.npz")
        at, watched = self.checkpoint, self.checkpoint.watched
        groups = {"params": self.params, "best_params": self.best_params, "checkpoint": at.params}
        groups |= {name: part for name, part in vars(at.state).items() if part is not None}
        groups |= {} if watched is None else {name: getattr(watched, name) for name in WATCHED}
        about = {
            "version": VERSION,
            "spec": dataclasses.asdict(self.spec),
            "config": self.config,
            "history": self.history.to_dict("list"),
            "interrupted": self.interrupted,
            "stopped": self.stopped,
            "chosen": None if watched is None else watched.chosen,
        }
        arrays = {f"{group}:{name}": a for group, named in groups.items() for name, a in named.items()}
        text = np.array(json.dumps(about, default=lambda number: number.item()))
        with replacing(path) as file:
            np.savez(file, allow_pickle=False, about=text, **arrays)
        return path

    @classmethod
    def load(cls, path: str | Path) -> Record:
        """Read a record written by `save`, by the first edition too, and check that all of it is there and fits.

        Raises FileNotFoundError, and ValueError with the path for a file of another kind or edition and a damaged one.
        """
        return read_arrays(path, "record", "Record.save", cls._read)

    @classmethod
    def _read(cls, folder: Mapping[str, Any]) -> Record:
        about = json.loads(str(folder["about"]))
        if (version := about.get("version", 1)) > VERSION:
            raise ValueError(
                f"it has version {version}, this lstm_lib reads up to {VERSION}: install the newest"
            )
        groups: dict[str, dict[str, Any]] = {}
        for key in folder:
            group, _, name = key.partition(":")
            groups.setdefault(group, {})[name] = folder[key]
        counts = {k: int(t) if t.ndim == 0 else t for k, t in groups["t"].items()}
        state = AdamState(groups["m"], groups["v"], counts, groups.get("v_max"))
        chosen = about.get("chosen")
        if chosen is not None and "error" not in groups:  # the first edition did not watch it
            groups["error"] = {k: np.zeros_like(p) for k, p in groups["start"].items()}
        watched = None if chosen is None else Watched(**{k: groups[k] for k in WATCHED}, chosen=chosen)
        # the first edition called the rate a schedule, and knew no reason to stop
        config = {"rate" if name == "schedule" else name: value for name, value in about["config"].items()}
        record = cls(
            spec=Spec(**about["spec"]),
            config=config,
            history=_history(pd.DataFrame({name: about["history"][name] for name in HISTORY})),
            params=groups["params"],
            best_params=groups["best_params"],
            checkpoint=Checkpoint(groups["checkpoint"], state, watched),
            interrupted=about["interrupted"],
            stopped=about.get("stopped", ""),
        )
        record._check({name: groups[name] for name in groups.keys() - {"about", "t"}})
        return record

    def _check(self, groups: dict[str, Params]) -> None:
        """Every group of arrays fits the spec, in one dtype; counts and epochs count."""
        dtypes = set()
        for group, named in groups.items():
            try:
                dtypes.add(check_params(self.spec, named))
            except ValueError as error:
                raise ValueError(f"{group}: {error}") from error
        if len(dtypes) > 1:
            raise ValueError(f"its arrays have several dtypes: {', '.join(sorted(map(str, dtypes)))}")
        counts = self.checkpoint.state.t
        fits = {k: np.shape(t) in ((), self.spec.shapes.get(k)) and np.min(t) >= 0 for k, t in counts.items()}
        if counts.keys() != self.spec.shapes.keys() or not all(fits.values()):
            raise ValueError("its counts of steps don't fit the parameters")
        if self.history["epoch"].tolist() != list(range(1, len(self.history) + 1)):
            raise ValueError(f"its epochs are {self.history['epoch'].tolist()}")


class Diverged(FloatingPointError):
    """The loss stopped being a finite number; `record` holds everything up to the last complete epoch."""

    def __init__(self, message: str, record: Record) -> None:
        super().__init__(message)
        self.record = record


def _history(rows: pd.DataFrame | list[dict[Any, Any]]) -> pd.DataFrame:
    types = dict.fromkeys(HISTORY, "float64") | {"epoch": "int64"}
    return pd.DataFrame(rows, columns=list(HISTORY)).astype(types)
