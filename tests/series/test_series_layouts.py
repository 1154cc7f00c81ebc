"""Every layout and every trap of the laboratory's files, on made-up ones; other CSVs, Parquet, folders, zones."""

import numpy as np
import pandas as pd
import pytest

from lstm_lib.series import Series, SeriesError, load_series, windows
from tests.series import series_files as files


@pytest.fixture(scope="module")
def layout_a(tmp_path_factory):
    path = tmp_path_factory.mktemp("a") / "DrahiX_SIRTA_allzones_20160715_20210520_1h.csv"
    table = files.write_layout_a(path)
    return load_series(path), table


def same(series, table, columns=None):
    """All values, at their stamps, bit for bit."""
    columns = columns or {column: column for column in table}
    expected = table[list(columns)].rename(columns=columns)
    pd.testing.assert_frame_equal(series.frame[list(columns.values())], expected, check_exact=True,
                                  check_names=False, check_freq=False, check_index_type=False)  # fmt: skip


# ------------------------------------------------------------------------------------------------- the layouts


def test_layout_a_is_read_whole_and_it_is_said(layout_a):
    series, table = layout_a
    same(series, table)
    assert len(series.frame) == 42_481 and series.inserted == 0
    assert (series.target, series.unit, series.timezone) == ("TGBT", "kW", "Europe/Paris")
    assert (series.unit_of("AirTemp"), series.unit_of("Direct_Solar_Flux"), series.unit_of("T7")) == (
        "°C", "W/m²", "kW",
    )  # fmt: skip
    assert "recognised as DrahiX, hourly, all zones: found Global_Solar_Flux, " in repr(series)
    assert "permission" in series.source and "not found" not in repr(series)


def test_layout_a_says_what_is_not_there_and_what_is_not_known(tmp_path):
    path = tmp_path / "some.csv"
    path.write_text(
        "Date and time (UTC),TGBT,Odd\n2020-01-01 00:00:00+00:00,1,2\n2020-01-01 01:00:00+00:00,2,3\n"
    )
    note = load_series(path).notes[0]
    assert "found TGBT; not found Global_Solar_Flux" in note and note.endswith("not known Odd")


def test_layout_b_takes_a_mapping(tmp_path):
    path = tmp_path / "PV_DrahiX_modules_Meteo_SIRTA_conso_temp_v5_02.csv"
    table = files.write_layout_b(path)
    names = {"TGBT": "total", "zone1_lights": "lights 1", "zone2_lights": "lights 2", "AirTemp": "air"}
    series = load_series(path, target="total", columns=names, unit="kW")
    same(series, table, names)  # over a night in which the clocks of Paris change: the stamps are UTC
    assert series.step == pd.Timedelta("15min") and series.timezone == "Europe/Paris"
    assert "recognised as DrahiX, official, 15 minutes: 69 columns" in repr(series)
    assert "stamps carry no offset and were read as UTC" in series.notes
    with pytest.raises(
        SeriesError, match=r"which column is to be forecast\? Give target=..., one of 'Global_Solar"
    ):
        load_series(path)
    with pytest.raises(
        SeriesError, match=r"no column 'zone3_lights'; there is .*Did you mean 'zone[12]_lights'"
    ):
        load_series(path, target="TGBT", columns=["zone3_lights"])


def test_zone_2_by_minute(tmp_path):
    path = tmp_path / "zone2.csv"
    table = files.write_zone_2(path)
    series = load_series(path)
    same(series, table)
    assert (series.target, series.unit, series.step) == ("Usage [kW]", "kW", pd.Timedelta("1min"))
    assert "recognised as DrahiX, zone 2, by minute: found Usage [kW]" in series.notes[0]
    assert series.notes[1].endswith("read as UTC, since neither timezone nor stamps_in was given")
    assert series.unit_of("Lights  [kW]") == "kW"
    short = load_series(path, columns={"Lights [kW]": "lights", "Usage [kW]": "usage"})  # one blank is enough
    same(short, table, {"Lights  [kW]": "lights", "Usage [kW]": "usage"})
    hourly = series.resample("1h").frame["Usage [kW]"]
    np.testing.assert_allclose(
        hourly, table["Usage [kW]"].to_numpy().reshape(-1, 60).mean(axis=1), rtol=1e-12
    )


def test_drahix_by_its_name_and_a_folder_by_its_path(tmp_path, monkeypatch):
    monkeypatch.setenv("LSTM_LIB_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"no file with 'drahix' in its name .*whom to ask"):
        load_series("drahix")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "sceaux.csv.gz").write_bytes(b"")  # the course's own, never meant by the folder
    table = files.write_zone_2(tmp_path / "DrahiX_zone2.csv", rows=50)
    for name in ("drahix", "DrahiX", tmp_path, str(tmp_path)):
        same(load_series(name), table)
    assert load_series("drahix").name == "DrahiX_zone2"
    files.write_zone_2(tmp_path / "DrahiX_other.csv", rows=50)
    for name in ("drahix", tmp_path):
        with pytest.raises(
            SeriesError, match=r"is a folder; .*holds DrahiX_other.csv, DrahiX_zone2.csv; give the"
        ):
            load_series(name)


# -------------------------------------------------------------------------------------------- other files of yours


@pytest.mark.parametrize("as_index", [True, False], ids=["index", "column"])
@pytest.mark.parametrize("zone", ["UTC", "Europe/Paris", None])
def test_parquet_gives_what_was_saved(tmp_path, as_index, zone):
    table = files.building("2020-10-24", "2020-10-27", "1h")[["TGBT", "AirTemp"]]
    table.iloc[3, 0] = np.nan
    saved = table.set_axis(table.index.tz_localize(None) if zone is None else table.index.tz_convert(zone))
    saved = saved.rename_axis("when")
    path = tmp_path / "mine.parquet"
    (saved if as_index else saved.reset_index()).to_parquet(path)
    names = {"TGBT": "total", "AirTemp": "air"}
    series = load_series(path, time="when", target="total", columns=names)
    same(series, table, names)
    assert series.name == "mine"


def test_parquet_with_other_types(tmp_path):
    stamps = pd.Series(pd.date_range("2020-01-01", periods=4, freq="h")).dt.strftime("%Y-%m-%dT%H:%MZ")
    table = pd.DataFrame({"time": stamps, "whole": [1, 2, 3, 4], "text": ["1.5", None, " 2", "NA"]})
    table["nullable"] = pd.array([1, None, 3, 4], dtype="Int64")
    table["short"] = np.float32([0.1, 0.2, 0.3, 0.4])
    table.to_parquet(tmp_path / "t.parquet")
    frame = load_series(tmp_path / "t.parquet", target="whole").frame
    np.testing.assert_array_equal(frame["text"], [1.5, np.nan, 2, np.nan])
    np.testing.assert_array_equal(frame["nullable"], [1, np.nan, 3, 4])
    np.testing.assert_array_equal(frame["short"], np.float32([0.1, 0.2, 0.3, 0.4]).astype(float))


def test_parquet_without_pyarrow_is_answered(tmp_path, monkeypatch):
    (tmp_path / "t.parquet").write_bytes(b"x")

    def absent(*_, **__):
        raise ImportError("pyarrow")

    monkeypatch.setattr(pd, "read_parquet", absent)
    with pytest.raises(SeriesError, match=r'needs the package pyarrow: pip install "lstm_lib\[study\]"'):
        load_series(tmp_path / "t.parquet")


def test_a_european_file(tmp_path):
    path = tmp_path / "eu.csv"
    path.write_text("Horodate;Puissance [kW];Temp\n15/07/2016 00:00;1,5;-2\n15/07/2016 01:00;;3,25\n")
    series = load_series(path, time="Horodate", target="Puissance [kW]", separator=";", decimal=",",
                         stamp_format="%d/%m/%Y %H:%M", timezone="Etc/GMT-1")  # fmt: skip
    np.testing.assert_array_equal(series.frame.to_numpy(), [[1.5, -2], [np.nan, 3.25]])
    assert str(series.frame.index[0]) == "2016-07-14 23:00:00+00:00" and series.unit == "kW"


def test_a_large_file_is_not_held_as_text(tmp_path, monkeypatch):
    """Only the columns asked for are converted: what stands in another one doesn't matter."""
    path = tmp_path / "notes.csv"
    path.write_text("time,load,remark\n2020-01-01 00:00,1,cold\n2020-01-01 01:00,2,\n")
    assert load_series(path, columns=["load"]).frame["load"].tolist() == [1, 2]
    with pytest.raises(SeriesError, match=r"line 2, column 'remark': 'cold' is not a finite number"):
        load_series(path, target="load")


# ------------------------------------------------------------------------------------------- target, inputs, zones


def test_several_zones_at_once(layout_a):
    series, table = layout_a
    some = load_series_of(series, ["T1", "T2", "AirTemp"])
    split = windows(
        some, lookback=24, horizon=3, steps="all", target=["T1", "T2"], inputs=["AirTemp", "T1", "T2"]
    )
    part = split.test
    assert part.y.shape == (len(part), 6) and part.outputs == 6 and part.scale == 1.0
    rows = part.target_rows
    expected = np.hstack([table["T1"].to_numpy()[rows], table["T2"].to_numpy()[rows]])
    np.testing.assert_array_equal(part.actual, expected)
    np.testing.assert_allclose(split.unscale(part.y), expected, rtol=1e-5)
    np.testing.assert_array_equal(part.take([5])[1], part.y[[5]])
    with pytest.raises(SeriesError, match=r"y has shape \(4, 3\); with several targets expected \(..., 6\)"):
        split.unscale(np.zeros((4, 3)))
    one = windows(some, lookback=24, target="T2")
    assert one.test.target_names == ("T2",) and one.test.scale == one.scaling.loc["T2", "sd"]
    for wrong in ([], ["T1", "T1"]):
        with pytest.raises(
            SeriesError, match=r"target=.* has to be a list of at least one column, none twice"
        ):
            windows(some, target=wrong)


def load_series_of(series, columns):
    return Series("some", series.frame[columns].iloc[:3000], columns[0], "kW")
