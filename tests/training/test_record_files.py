"""Records as files: what is damaged or edited is refused with its path; data that changed are noticed."""

from __future__ import annotations

import dataclasses
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lstm_lib as ll
from tests.cases import identical
from tests.training.fit_cases import TRAIN, VALID, equal_but_for_time, fit


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[ll.Record, Path, bytes]:
    record = fit(watch=True)
    path = record.save(tmp_path_factory.mktemp("records") / "run.npz")
    return record, path, path.read_bytes()


@given(data=st.data())
def test_a_damaged_record_is_refused_with_its_path_or_reads_right(saved: Any, data: st.DataObject) -> None:
    record, path, raw = saved
    at, size = data.draw(st.integers(0, len(raw) - 1)), data.draw(st.integers(1, 64))
    damage: dict[str, Callable[[], bytes]] = {
        "a bit": lambda: raw[:at] + bytes([raw[at] ^ (1 << size % 8)]) + raw[at + 1 :],
        "some bytes": lambda: (
            raw[:at] + data.draw(st.binary(min_size=size, max_size=size)) + raw[at + size :]
        ),
        "an end": lambda: raw[:at],
        "a hole": lambda: raw[:at] + raw[at + size :],
        "more": lambda: raw[:at] + bytes(size) + raw[at:],
    }
    other = path.with_name("other.npz")
    other.write_bytes(damage[data.draw(st.sampled_from(sorted(damage)))]())
    try:
        found = ll.Record.load(other)
    except ValueError as error:
        assert str(other) in str(error)  # noqa: PT017
        return
    equal_but_for_time(found, record)
    assert found.config == json.loads(json.dumps(record.config))


def edited(path: Path, change: Callable[[dict[str, Any], dict[str, Any]], None]) -> Path:
    """A record whose texts or arrays somebody changed, with checksums that are right."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    about = json.loads(str(arrays.pop("about")))
    change(about, arrays)
    other = path.with_name("edited.npz")
    np.savez(other, about=np.array(json.dumps(about)), **arrays)
    return other


EDITS: dict[str, tuple[Callable[[Any, Any], Any], str]] = {
    "a parameter is gone": (lambda about, a: a.pop("params:0/Wh"), r"params: .*missing \['0/Wh'\]"),
    "one of the best": (lambda about, a: a.pop("best_params:0/b"), r"best_params: .*missing \['0/b'\]"),
    "a moment is gone": (lambda about, a: a.pop("v:head/W"), r"v: .*missing"),
    "another shape": (lambda about, a: a.update({"m:0/b": np.zeros(5, "float32")}), r"m: .*shape \(5,\)"),
    "another dtype": (
        lambda about, a: a.update({k: v.astype("float64") for k, v in a.items() if k.startswith("m:")}), "dtypes",
    ),
    "one more": (lambda about, a: a.update({"params:1/b": np.zeros(3, "float32")}), r"unknown \['1/b'\]"),
    "counts": (lambda about, a: a.update({"t:0/b": np.array(-1)}), "counts"),
    "a count is gone": (lambda about, a: a.pop("t:0/b"), "counts"),
    "what was watched": (lambda about, a: a.pop("path:0/b"), r"path: .*missing"),
    "another network": (lambda about, a: about["spec"].update(units=[4]), r"shape \(12, 1\)"),
    "no network": (lambda about, a: about.pop("spec"), "spec"),
    "a column": (lambda about, a: about["history"].pop("valid_loss"), "valid_loss"),
    "epochs": (lambda about, a: about["history"].update(epoch=[1, 3, 2]), r"epochs are \[1, 3, 2\]"),
    "a later edition": (lambda about, a: about.update(version=99), "version 99, .* install the newest"),
}  # fmt: skip


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_record_is_refused(saved: Any, name: str) -> None:
    change, said = EDITS[name]
    path = edited(saved[1], change)
    with pytest.raises(ValueError, match=rf"edited\.npz can't be read as a record.*{said}"):
        ll.Record.load(path)


def test_an_unchanged_copy_is_read_and_other_files_are_named(saved: Any, tmp_path: Path) -> None:
    equal_but_for_time(ll.Record.load(edited(saved[1], lambda about, arrays: None)), saved[0])
    for name, content in {"text.npz": b"hello", "empty.npz": b""}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=rf"{name} is not a record"):
            ll.Record.load(tmp_path / name)
    with zipfile.ZipFile(tmp_path / "other.npz", "w") as folder:
        folder.writestr("a.txt", "x")
    with pytest.raises(ValueError, match="is not a record"):
        ll.Record.load(tmp_path / "other.npz")
    with pytest.raises(FileNotFoundError):
        ll.Record.load(tmp_path / "none.npz")


# ------------------------------------------------------------------------------------------------ other data


def changed(data: Any, row: int) -> Any:
    x, y = (a.copy() for a in data)
    x[row, -1, 0] += 1e-3
    return x, y


@pytest.mark.parametrize("row", range(0, len(TRAIN[0]), 3))
def test_one_sample_that_changed_is_noticed_when_a_run_goes_on(row: int) -> None:
    half = fit(epochs=1)
    with pytest.raises(ValueError, match=r"other settings \(train: "):
        fit(resume=half, train=changed(TRAIN, row))
    with pytest.raises(ValueError, match=r"other settings \(valid: "):
        fit(resume=half, valid=changed(VALID, row % len(VALID[0])))
    equal_but_for_time(fit(resume=half), fit())


def test_no_validation_is_another_validation() -> None:
    for first, second in ((VALID, None), (None, VALID)):
        with pytest.raises(ValueError, match=r"valid: .*None"):
            fit(resume=fit(epochs=1, valid=first), valid=second)
    with pytest.raises(ValueError, match="valid holds no sample"):
        fit(valid=(VALID[0][:0], VALID[1][:0]))


def test_windows_and_sequences_tell_their_rows_apart() -> None:
    series = ll.load_series("fontana", columns=["power"])
    frame = series.frame.copy()
    frame.iloc[1000, 0] += 0.5
    other = dataclasses.replace(series, frame=frame)
    spec, about = ll.Spec(1, (2,), 1), {"epochs": 1, "batch": 512, "progress": False}
    for cut in (ll.windows, ll.sequences):
        (a, b, again) = (cut(one) for one in (series, other, series))
        record = ll.fit(spec, a.train, a.valid, **about)
        with pytest.raises(ValueError, match=r"other settings \(train: "):
            ll.fit(spec, b.train, a.valid, **about | {"epochs": 2}, resume=record)
        assert (
            len(ll.fit(spec, again.train, again.valid, **about | {"epochs": 2}, resume=record).history) == 2
        )


def test_a_record_that_knows_less_of_its_data_goes_on() -> None:
    """As older ones, which have a digest of sixteen samples and none of the validation part."""
    half = fit(epochs=1)
    some = (
        TRAIN[0][np.linspace(0, len(TRAIN[0]) - 1, 16).astype(int)],
        TRAIN[1][np.linspace(0, len(TRAIN[0]) - 1, 16).astype(int)],
    )
    from lstm_lib.training.samples import Arrays, digest

    del half.config["valid"]
    half.config["train"] = digest(Arrays(*TRAIN), some)
    identical(fit(resume=half).params, fit().params)
