"""The embedded series: what the files hold, and the pure steps of the scripts that make them."""

import gzip
import hashlib
import importlib
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lstm_lib.series import load_series

ROOT = Path(__file__).resolve().parents[2]
MAKERS, DATA = ROOT / "data", ROOT / "lstm_lib" / "data"
NAMES = ("sceaux", "fontana")


@pytest.fixture
def script(monkeypatch):
    """Import a script of the data folder, as running it there would."""
    monkeypatch.syspath_prepend(str(MAKERS))
    return importlib.import_module


# ------------------------------------------------------------------------------------------------- the files


@pytest.mark.parametrize("name", NAMES)
def test_file_is_small_and_carries_no_time_or_name(name):
    raw = (DATA / f"{name}.csv.gz").read_bytes()
    assert len(raw) < 1_000_000
    assert raw[3] == 0 and raw[4:8] == bytes(4), "flags (file name) and mtime in the gzip header"


@pytest.mark.parametrize(
    ("name", "sha256"),
    [
        ("sceaux", "2917a1f2a8b5c72988b7688581190e9cb800dc64bcbfb3ee4c2c25c53aad8a6f"),
        ("fontana", "5a4053a1994044a0675fec5955f01f2c9fea14a100571ee577462fbf78004516"),
    ],
)
def test_text_is_what_the_script_wrote(name, sha256):
    assert hashlib.sha256(gzip.decompress((DATA / f"{name}.csv.gz").read_bytes())).hexdigest() == sha256


@pytest.mark.parametrize("name", NAMES)
def test_grid_is_regular_hourly_utc(name):
    series = load_series(name)
    assert str(series.frame.index.tz) == "UTC" and series.inserted == 0
    assert (np.diff(series.frame.index.asi8) == 3600 * 10**6).all() and series.step == pd.Timedelta("1h")
    assert (series.frame.dtypes == np.float64).all()


def test_sceaux_holds_what_is_known_of_it():
    series = load_series("sceaux")
    power = series.frame["power"]
    assert (len(power), power.isna().sum(), series.unit, series.timezone) == (34_589, 438, "kW", "Etc/GMT-1")
    assert power.mean() == pytest.approx(1.09, abs=0.005) and power.std() == pytest.approx(0.90, abs=0.005)
    assert (power.min(), power.max()) == (pytest.approx(0.12, abs=0.005), pytest.approx(6.56, abs=0.005))
    assert [round(power.autocorr(k), 2) for k in (1, 24, 168)] == pytest.approx([0.71, 0.44, 0.46], abs=0.005)
    local = series.frame.index.tz_convert(series.timezone)
    assert str(local[0])[:16] == "2006-12-16 17:00" and str(local[-1])[:16] == "2010-11-26 21:00"
    one = series.frame.isna().any(axis=1)
    assert (one == series.frame.isna().all(axis=1)).all(), "an hour is missing in all columns or in none"
    parts = series.frame[["kitchen", "laundry", "heater"]].sum(axis=1)[~one]
    assert (parts <= power[~one] + 0.02).all(), "sub-meters in kW are parts of the whole"
    apparent = np.hypot(power, series.frame["reactive"])
    ratio = (series.frame["voltage"] * series.frame["current"] / 1000 / apparent)[~one]
    assert ratio.median() == pytest.approx(1, abs=0.02), "kW, kvar, V and A fit together"


@pytest.mark.parametrize(
    ("first", "minutes"),
    [
        ("2007-04-28 00:21", 3723),
        ("2009-06-13 00:30", 3305),
        ("2009-08-13 05:00", 891),
        ("2010-01-12 14:53", 3129),
        ("2010-03-20 03:52", 2027),
        ("2010-08-17 21:02", 7226),
        ("2010-09-25 03:56", 5237),
    ],
)
def test_sceaux_has_no_copied_hours(first, minutes):
    frame = load_series("sceaux").frame.tz_convert("Etc/GMT-1")
    start = pd.Timestamp(first, tz="Etc/GMT-1")
    inside = frame[start.ceil("h") : (start + pd.Timedelta(minutes=minutes)).floor("h") - pd.Timedelta("1h")]
    assert len(inside) >= minutes // 60 - 1 and inside.isna().all(axis=None)
    assert frame.loc[start.floor("h") - pd.Timedelta("1h")].notna().all()


def test_fontana_holds_what_is_known_of_it():
    series = load_series("fontana")
    power = series.frame["power"]
    assert (len(power), series.frame.isna().sum().sum(), series.unit) == (8_760, 0, "kW")
    known = [19.4, 8.5, 5.6, 54.7]
    assert [power.mean(), power.std(), power.min(), power.max()] == pytest.approx(known, abs=0.05)
    naive = [(power - power.shift(k)).abs().mean() for k in (1, 24, 168)]
    assert naive == pytest.approx([2.97, 3.82, 4.98], abs=0.005)
    assert str(series.frame.index[0].tz_convert("Etc/GMT+8")) == "2016-08-01 00:00:00-08:00"
    assert not any("rediction" in column for column in series.frame), "forecasts would leak"


def test_readme_carries_what_the_licences_ask_for():
    text = " ".join((MAKERS / "README.md").read_text(encoding="utf-8").replace("> ", "").split())
    for needed in (
        "Hebrail, G. & Berard, A.",
        "10.24432/C58K54",
        "CC BY 4.0",
        "creativecommons.org/licenses/by/4.0",
        "Changes made to the original",
        "Copyright (c) 2020 Jose Ramon Vazquez-Canteli",
        "Permission is hereby granted, free of charge",
        "e4c_datahub@ip-paris.fr",
    ):
        assert needed in text, needed
    for name in NAMES:
        assert set(load_series(name).frame) <= {word.strip("`") for word in text.split()}, (
            "every column is described"
        )
    assert "10.24432/C58K54" in load_series("sceaux").source
    assert "Copyright (c) 2020 Jose Ramon Vazquez-Canteli" in load_series("fontana").source


# ------------------------------------------------------------------------------------------- where they are found


def own(folder, name="mine.csv"):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("time,load\n2020-01-01T00:00Z,1\n2020-01-01T01:00Z,2\n")


def installed(monkeypatch, folder):
    """As if the package stood in `folder`, without a checkout around it."""
    monkeypatch.delenv("LSTM_LIB_DATA", raising=False)
    monkeypatch.setattr("lstm_lib.series.files.__file__", str(folder / "lstm_lib" / "series" / "files.py"))


def test_a_folder_of_ones_own_hides_no_embedded_series(tmp_path, monkeypatch):
    own(tmp_path, "drahix.csv")
    own(tmp_path, "sceaux.csv")  # not the one that is meant
    monkeypatch.setenv("LSTM_LIB_DATA", str(tmp_path))
    assert (
        load_series("drahix", target="load").name == load_series("drahix.csv", target="load").name == "drahix"
    )
    assert [len(load_series(name).frame) for name in NAMES] == [34_589, 8_760]
    with pytest.raises(
        FileNotFoundError, match=r"no file none.csv in .*where there is drahix.csv, sceaux.csv. Give"
    ):
        load_series("none.csv")


def test_a_folder_that_is_named_must_be_there(tmp_path, monkeypatch):
    monkeypatch.setenv("LSTM_LIB_DATA", str(tmp_path / "gone"))
    for name in ("drahix", "mine.csv"):
        with pytest.raises(
            FileNotFoundError, match=r"no data folder .*gone. LSTM_LIB_DATA points there; correct"
        ):
            load_series(name)
    assert len(load_series("fontana").frame) == 8_760


def test_without_a_checkout_it_is_the_data_folder_where_one_works(tmp_path, monkeypatch):
    installed(monkeypatch, tmp_path / "site-packages")
    own(tmp_path / "site-packages")  # some other package's
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        FileNotFoundError, match=r"where there is no CSV or Parquet file. .*set LSTM_LIB_DATA"
    ):
        load_series("mine.csv")
    with pytest.raises(FileNotFoundError, match=r"whom to ask .*Put the file into that folder"):
        load_series("drahix")
    own(tmp_path / "data")
    assert len(load_series("mine.csv").frame) == 2


def test_in_a_checkout_it_is_its_data_folder(tmp_path, monkeypatch):
    installed(monkeypatch, tmp_path)
    own(tmp_path / "data")
    (tmp_path / "data" / "make_sceaux.py").touch()
    assert len(load_series("mine.csv").frame) == 2


def test_an_embedded_file_that_is_lost_is_named_with_its_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr("lstm_lib.series.files.PACKAGED", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"sceaux.csv.gz is missing. Install .* data/make_sceaux.py"):
        load_series("sceaux")


# ----------------------------------------------------------------------------------------------- the scripts


def minutes(days=3, seed=0):
    index = pd.date_range("2020-01-01", periods=1440 * days, freq="min")
    rng = np.random.default_rng(seed)
    return pd.DataFrame(rng.random((len(index), 2)), index, columns=["a", "b"])


def test_copies_are_blanked_and_nothing_else(script):
    make = script("make_sceaux")
    frame = minutes()
    frame.iloc[2000:2010] = frame.iloc[560:570].to_numpy()  # a copy of ten minutes
    frame.iloc[3000:3002] = frame.iloc[1560:1562].to_numpy()  # two minutes: may be chance
    frame.iloc[3500:3600, 0] = frame.iloc[2060:2160, 0].to_numpy()  # one column only
    blanked = make.blank_copies(frame)
    assert blanked.iloc[2000:2010].isna().all(axis=None)
    kept = np.r_[0:2000, 2010 : len(frame)]
    pd.testing.assert_frame_equal(blanked.iloc[kept], frame.iloc[kept])
    assert frame.notna().all(axis=None), "the argument is left alone"
    first, length = make.copied_runs(frame.to_numpy())
    assert list(zip(first, length, strict=True)) == [(2000, 10), (3000, 2)]


def test_copies_longer_than_a_day_are_found_whole(script):
    frame = minutes(days=4)
    frame.iloc[1500:4500] = np.resize(frame.iloc[60:1500].to_numpy(), (3000, 2))
    first, length = script("make_sceaux").copied_runs(frame.to_numpy())
    assert (first.tolist(), length.tolist()) == ([1500], [3000])


def test_hour_needs_45_real_minutes(script):
    frame = minutes(days=1).iloc[24:]  # the first hour has 36 minutes
    frame.iloc[36 + 60 : 36 + 60 + 15] = np.nan  # 45 are left of 02:00
    frame.iloc[36 + 120 : 36 + 120 + 16] = np.nan  # 44 are left of 03:00
    hours = script("make_sceaux").hourly(frame)
    assert hours.index[0] == pd.Timestamp("2020-01-01 00:00") and len(hours) == 24
    assert hours["a"].isna().to_numpy().nonzero()[0].tolist() == [0, 3]
    assert hours["a"].iloc[2] == pytest.approx(frame["a"].iloc[36 + 75 : 36 + 120].mean())


def test_submeters_become_kilowatts(script):
    make = script("make_sceaux")
    row = pd.DataFrame({old: [1.23456] for old in make.COLUMNS})
    assert make.tidy(row).iloc[0].tolist() == [1.235, 1.235, 1.23, 1.23, 0.074, 0.074, 0.074]


def test_fontana_rows_are_summed_and_dated(script):
    make = script("make_fontana")
    homes = [pd.DataFrame({make.POWER: [1.0, 2.0], make.SOLAR: [s, 0.0]}) for s in (3.0, 5.0, 700.0)]
    weather = pd.DataFrame(
        {column: [k, k] for k, column in enumerate(make.WEATHER)} | {"6h Prediction": [9, 9]}
    )
    frame = make.combine(homes, weather.astype(float))
    assert frame["power"].tolist() == [3.0, 6.0] and frame["solar"].tolist() == [5.0, 0.0]
    assert list(frame) == ["power", "solar", "temperature", "humidity", "diffuse", "direct"]
    homes[0].loc[1, make.POWER] = np.nan
    assert np.isnan(make.combine(homes, weather)["power"][1]), "a sum with a home missing is missing"
    labels = pd.DataFrame({"Month": [7, 8, 8], "Hour": [24, 1, 2], "Day Type": [7, 1, 1]})
    assert str(make.stamps(labels)[1]) == "2016-08-01 01:00:00-08:00"
    with pytest.raises(SystemExit, match=r"Row 2 .*'Hour': 3.*expected .*'Hour': 2"):
        make.stamps(labels.assign(Hour=[24, 1, 3]))


def test_written_bytes_depend_on_the_numbers_alone(script, tmp_path):
    write = script("_wheel").write
    frame = minutes(days=1).resample("h").mean().round(3).tz_localize("Etc/GMT-1")
    frame.iloc[3] = np.nan
    for name in ("one", "two"):
        write(frame, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert (tmp_path / "one").read_bytes()[4:8] == bytes(4), "no time in the gzip header"
    lines = gzip.decompress((tmp_path / "one").read_bytes()).decode().split("\n")
    assert (
        lines[0] == "time,a,b"
        and lines[1].startswith("2019-12-31T23:00Z,")
        and lines[4] == "2020-01-01T02:00Z,,"
    )


def test_a_wheel_is_trusted_by_its_hash_only(script, tmp_path):
    wheel = script("_wheel")
    path = tmp_path / "some.whl"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("inside.txt", "numbers")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    with wheel.pinned_wheel("SOME==1", found, path) as file:
        assert file.read("inside.txt") == b"numbers"
    with pytest.raises(SystemExit) as refusal, wheel.pinned_wheel("SOME==1", "0" * 64, path):
        pass
    assert found in str(refusal.value) and "0" * 64 in str(refusal.value)
    with pytest.raises(SystemExit, match="There is no wheel at"):
        wheel.verify(tmp_path / "none.whl", found)
