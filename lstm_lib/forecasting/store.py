"""The file of a fitted forecaster: one `.npz`, arrays and a text in JSON; nothing in it can run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from lstm_lib.files import Foreign, read_arrays, replacing
from lstm_lib.forecasting.recipe import Recipe
from lstm_lib.network.cells import Array
from lstm_lib.network.spec import Spec, check_params

KIND = "lstm_lib forecaster"
VERSION = 1  # of the file


F = TypeVar("F")


def save(path: str | Path, model: Any) -> Path:
    """Write a fitted forecaster to one `.npz` file and return its path; a file that is there is replaced in one go."""
    path = Path(path)
    if path.suffix != ".npz":
        path = path.with_name(f"{path.name}.npz")
    arrays = {f"params:{name}": a for name, a in model.params_.items()}
    if model.recipe_ is None:
        about = {"features": model.n_features_in_, "flat": model.flat_}
        arrays |= {f"scaling:{k}": a for k, a in enumerate(sum(model.scaling_, ()))}
    else:
        about = {"recipe": model.recipe_.about()}
        arrays["errors:"] = model.errors_
    head = {
        "kind": KIND,
        "version": VERSION,
        "settings": {name: value for name, value in model.get_params().items() if name != "isolation"},
        "spec": vars(model.spec_),
        "history": model.history_.to_dict("list"),
        "reading": model.reading_,
    }
    text = np.array(json.dumps(head | about, default=lambda number: number.item()))
    with replacing(path) as file:
        np.savez_compressed(file, allow_pickle=False, about=text, **arrays)
    return path


def load(path: str | Path, make: type[F]) -> F:
    """Read what `save` wrote, and check that all of it is there and fits.

    Parameters
    ----------
    make : the class, which makes a forecaster of its settings.

    Raises FileNotFoundError, and ValueError with the path for a file of another kind or version and a damaged one.
    """
    model: F = read_arrays(path, "forecaster", "Forecaster.save", partial(_read, make))
    return model


def _read(make: type[Any], folder: Mapping[str, Any]) -> Any:
    head = json.loads(str(folder["about"]))
    if head.get("kind") != KIND:
        record = " It is a record of a training run, from Record.save." if "config" in head else ""
        raise Foreign(f"it is not a forecaster; expected a file written by Forecaster.save.{record}")
    if head["version"] != VERSION:
        hint = "install the newest" if head["version"] > VERSION else "fit and save it anew"
        raise Foreign(f"it has version {head['version']}, this lstm_lib reads version {VERSION}: {hint}")
    groups = dict[str, dict[str, Array]]()
    for key in folder:
        group, _, name = key.partition(":")
        groups.setdefault(group, {})[name] = folder[key]
        if group != "about" and not np.isfinite(folder[key]).all():
            raise ValueError(f"{key} holds values that are not finite")
    model = make(**{name: _tuples(value) for name, value in head["settings"].items()})
    model.spec_, model.params_ = Spec(**head["spec"]), groups["params"]
    check_params(model.spec_, model.params_)
    model.history_, model.reading_ = pd.DataFrame(head["history"]), head.get("reading", {})
    model.n_iter_, model.recipe_, model.errors_ = len(model.history_), None, None
    if "recipe" in head:
        model.recipe_, model.errors_ = Recipe.from_about(head["recipe"]), groups["errors"][""]
    else:
        a = groups["scaling"]
        model.scaling_ = (a["0"], a["1"]), (a["2"], a["3"])
        model.n_features_in_, model.flat_ = head["features"], head["flat"]
    return model


def _tuples(value: Any) -> Any:
    """JSON has lists alone."""
    return tuple(value) if isinstance(value, list) else value
