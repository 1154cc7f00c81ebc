"""A forecaster as a file: the same forecasts, nothing that can run, and refusals with the path."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lstm_lib as ll
from lstm_lib.forecasting import store
from tests.forecasting.test_forecast import CUTS, SMALL, demo


@pytest.fixture(scope="module", params=CUTS)
def fitted(request: pytest.FixtureRequest) -> tuple[ll.Forecaster, Any]:
    split = CUTS[request.param](demo().with_calendar("hour"))
    return ll.Forecaster(**SMALL | {"units": (4, 3), "cell": "gru"}).fit(split), split


def edited(path: Path, **changes: Any) -> None:
    """The same file with other things said in it, or other arrays."""
    with np.load(path) as file:
        parts = dict(file)
    about = json.loads(str(parts["about"]))
    arrays = {name: a for name, a in changes.items() if isinstance(a, np.ndarray)}
    about |= {name: value for name, value in changes.items() if name not in arrays}
    np.savez(path, **{**parts, **arrays, "about": np.array(json.dumps(about))})


def test_a_loaded_forecaster_forecasts_bit_for_bit_alike(fitted: Any, tmp_path: Path) -> None:
    model, split = fitted
    path = model.save(tmp_path / "model")
    assert path == tmp_path / "model.npz" and len(list(tmp_path.iterdir())) == 1
    again = ll.Forecaster.load(tmp_path / "model")
    pd.testing.assert_frame_equal(
        again.forecast(demo(), level=0.8), model.forecast(demo(), level=0.8), check_exact=True
    )
    assert again.forecast(demo()).attrs == model.forecast(demo()).attrs
    pd.testing.assert_frame_equal(again.backtest(demo()), model.backtest(demo()), check_exact=True)
    np.testing.assert_array_equal(again.predict(split.test), model.predict(split.test))
    assert again.get_params() == model.get_params()
    pd.testing.assert_frame_equal(again.history_, model.history_)
    third = ll.Forecaster.load(again.save(tmp_path / "third.npz"))
    pd.testing.assert_frame_equal(third.forecast(demo()), model.forecast(demo()), check_exact=True)


def test_one_of_arrays_is_saved_too(tmp_path: Path) -> None:
    x = np.linspace(0, 9, 120).reshape(20, 6)
    for y in (1000 + x[:, -1], x[:, :2]):
        model = ll.Forecaster(**SMALL).fit(x, y)
        again = ll.Forecaster.load(model.save(tmp_path / "model.npz"))
        np.testing.assert_array_equal(again.predict(x), model.predict(x))
        with pytest.raises(ValueError, match="needs a forecaster that was fitted on a Split"):
            again.forecast(demo())


def test_nothing_in_the_file_is_pickled(fitted: Any, tmp_path: Path) -> None:
    with np.load(fitted[0].save(tmp_path / "model.npz"), allow_pickle=False) as file:
        assert all(file[name].dtype.kind in "fiU" for name in file)


def test_the_file_that_was_there_stays_when_writing_fails(
    fitted: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = fitted[0].save(tmp_path / "model.npz")
    before = path.read_bytes()

    def full(file: Any, **arrays: Any) -> None:
        file.write(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(store.np, "savez_compressed", full)
    with pytest.raises(OSError, match="no space"):
        fitted[0].save(path)
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


def test_a_file_of_another_version_says_so(fitted: Any, tmp_path: Path) -> None:
    path = fitted[0].save(tmp_path / "model.npz")
    for version, hint in ((store.VERSION + 1, "install the newest"), (0, "fit and save it anew")):
        edited(path, version=version)
        with pytest.raises(ValueError, match=rf"model.npz: it has version {version}, .* version 1: {hint}"):
            ll.Forecaster.load(path)


def test_other_files_are_refused(fitted: Any, tmp_path: Path) -> None:
    model, _ = fitted
    record = model.record_.save(tmp_path / "record.npz")
    with pytest.raises(
        ValueError, match=r"record.npz: it is not a forecaster; .* a record of a training run"
    ):
        ll.Forecaster.load(record)
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(
        ValueError, match=r"text.npz is not a forecaster; expected a file written by Forecaster"
    ):
        ll.Forecaster.load(tmp_path / "text.npz")
    with pytest.raises(FileNotFoundError):
        ll.Forecaster.load(tmp_path / "nowhere.npz")
    with pytest.raises(ValueError, match="can't be read as a record"):
        ll.Record.load(model.save(tmp_path / "model.npz"))
    with pytest.raises(ValueError, match="has learned nothing yet"):
        ll.Forecaster().save(tmp_path / "empty.npz")


def test_a_damaged_file_is_refused(fitted: Any, tmp_path: Path) -> None:
    path = fitted[0].save(tmp_path / "model.npz")
    whole = path.read_bytes()
    with np.load(path) as file:
        bias = file["params:head/b"]
    for damage in (
        lambda: path.write_bytes(whole[: len(whole) // 2] + bytes(8) + whole[len(whole) // 2 + 8 :]),
        lambda: edited(path, spec={"inputs": 9, "units": [4], "outputs": 1}),
        lambda: edited(path, **{"params:head/b": np.full_like(bias, np.nan)}),
        lambda: edited(path, recipe={}),
    ):
        path.write_bytes(whole)
        damage()
        with pytest.raises(
            ValueError, match=r"model.npz can't be read as a forecaster, it is damaged or was"
        ):
            ll.Forecaster.load(path)
