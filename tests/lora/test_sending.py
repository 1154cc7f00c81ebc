"""A change is as long as foretold, comes back exactly, and is refused on another base and when damaged."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lstm_lib as ll
from lstm_lib import lora
from lstm_lib.network.cells import CELLS
from lstm_lib.network.spec import Params

SPEC = ll.Spec(2, (6, 3), 2)
ZONES = ("nothing", "head", "0/Wh/f", "0[0:2] | head", "0[1] | 1", "everything")


def learned(active: ll.Zone, seed: int = 0, size: float = 0.1) -> tuple[Params, Params]:
    """A base, and parameters that differ from it in the active arcs alone."""
    rng, base = np.random.default_rng(seed), ll.init_params(active.spec, seed)
    change = {name: rng.normal(0, size, p.shape).astype("float32") for name, p in base.items()}
    return base, {name: p + change[name] * active.mask(name) for name, p in base.items()}


@pytest.mark.parametrize("form", lora.FORMS)
@pytest.mark.parametrize("text", ZONES)
@pytest.mark.parametrize("cell", CELLS)
def test_a_change_comes_back_and_is_as_long_as_foretold(cell: str, text: str, form: str) -> None:
    spec = ll.Spec(2, (6, 3), 2, cell)
    text = text.replace("f", spec.row.gates[0]) if text.startswith("0/") else text
    active = ll.read_zone(spec, text)
    base, params = learned(active)
    kept = {name: p.copy() for name, p in base.items()}
    change = lora.pack(active, base, params, form)
    assert len(change) == lora.size(active, form)
    found = lora.unpack(spec, base, change)
    for name, p in params.items():
        mask = active.mask(name)
        assert found[name].dtype == np.float32
        assert np.array_equal(found[name][~mask], base[name][~mask])  # bit for bit
        assert np.array_equal(base[name], kept[name])
        moved = np.abs(p - base[name])
        limit = {"float32": 0, "float16": moved * 2**-11 + 1e-7, "int8": moved.max() / 254 + 1e-6}[form]
        assert (np.abs(found[name] - p) <= limit).all(), name


@given(st.integers(0, 2**32 - 1), st.floats(0, 1), st.floats(-6, 6))
def test_float32_is_exact_for_any_arcs(seed: int, share: float, power: float) -> None:
    rng = np.random.default_rng(seed)
    masks = {name: rng.random(shape) < share for name, shape in SPEC.shapes.items()}
    active = ll.Zone(SPEC, masks)
    base, params = learned(active, seed % 1000, 10.0**power)
    change = lora.pack(active, base, params)
    assert all(np.array_equal(a, params[name]) for name, a in lora.unpack(SPEC, base, change).items())
    assert len(change) == lora.size(active) <= 25 + -(-SPEC.size // 8) + 4 * active.size


def test_the_bytes_stand_where_the_text_says() -> None:
    active = ll.read_zone(SPEC, "head/b")
    base, params = learned(active)
    change = lora.pack(active, base, params)
    assert change[:4] == b"LoD1" and change[4] == 0
    assert change[5:13] == lora.base_digest(SPEC, base)
    assert change[13:17] == (6).to_bytes(4, "little") and change[17:23] == b"head/b"
    assert np.array_equal(np.frombuffer(change[23:31], "<f4"), params["head/b"])
    assert len(change) == 39


def test_scattered_arcs_are_named_by_bits_and_regular_ones_by_text() -> None:
    masks = {"0/Wh": np.random.default_rng(0).random(SPEC.shapes["0/Wh"]) < 0.5}
    scattered = ll.Zone(SPEC, masks)
    assert lora.size(scattered) - 4 * scattered.size == 17 + -(-SPEC.size // 8) + 8
    head = ll.read_zone(SPEC, "head")
    assert lora.size(head) - 4 * head.size == 17 + len("head") + 8


def test_int8_has_a_scale_for_each_parameter() -> None:
    active = ll.read_zone(SPEC, "head")
    base, params = learned(active)
    params["head/b"] = base["head/b"] + np.float32([100, 50])
    found = lora.unpack(SPEC, base, lora.pack(active, base, params, "int8"))
    assert np.abs(found["head/W"] - params["head/W"]).max() < 0.002
    assert found["head/b"][0] == params["head/b"][0] and abs(found["head/b"][1] - params["head/b"][1]) < 0.4
    still = lora.unpack(SPEC, base, lora.pack(active, base, base, "int8"))
    assert all(np.array_equal(still[name], p) for name, p in base.items())


def test_any_damage_is_refused(rng: np.random.Generator) -> None:
    active = ll.read_zone(SPEC, "head | 0/b")
    base, params = learned(active)
    change = lora.pack(active, base, params, "float16")
    for k in range(len(change)):
        spoiled = bytearray(change)
        spoiled[k] ^= 1 << int(rng.integers(8))
        with pytest.raises(ValueError, match="damaged"):
            lora.unpack(SPEC, base, bytes(spoiled))
    for cut in (0, 1, 8, 24, len(change) - 1):
        with pytest.raises(ValueError, match=f"these {cut} bytes are no change"):
            lora.unpack(SPEC, base, change[:cut])
    with pytest.raises(ValueError, match="damaged"):
        lora.unpack(SPEC, base, change + b"\0")


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="no change"):
        lora.unpack(SPEC, ll.init_params(SPEC), data)


def test_another_base_is_refused() -> None:
    active = ll.read_zone(SPEC, "head")
    base, params = learned(active)
    change = lora.pack(active, base, params)
    other = {name: p.copy() for name, p in base.items()}
    other["0/Wx"][0, 0] = np.nextafter(other["0/Wx"][0, 0], np.float32(9))  # one arc, by one bit
    for wrong in (other, params):
        with pytest.raises(ValueError, match="made on another base"):
            lora.unpack(SPEC, wrong, change)
    gates = ll.Spec(2, (6, 3), 2, "brief")  # the same shapes and weights, and other equations
    with pytest.raises(ValueError, match="another base"):
        lora.unpack(gates, base, change)


def test_what_can_not_be_sent_is_refused() -> None:
    head = ll.read_zone(SPEC, "head")
    base, params = learned(ll.everything(SPEC))
    with pytest.raises(ValueError, match="arcs of 0/Wx that are not in the zone head differ"):
        lora.pack(head, base, params)
    base, params = learned(head)
    with pytest.raises(ValueError, match="form is 'int4'; the choices are float32, float16, int8"):
        lora.pack(head, base, params, "int4")
    with pytest.raises(ValueError, match="form is 'int4'"):
        lora.size(head, "int4")
    with pytest.raises(ValueError, match="head/b of params holds values that aren't finite"):
        lora.pack(head, base, params | {"head/b": np.float32([np.nan, 0])})
    with pytest.raises(ValueError, match="more than 65504"):
        lora.pack(head, base, params | {"head/b": np.float32([1e5, 0])}, "float16")
    doubles = {name: p.astype("float64") for name, p in base.items()}
    with pytest.raises(ValueError, match="float64; a change is sent of float32"):
        lora.pack(head, doubles, params)
    with pytest.raises(ValueError, match="float64"):
        lora.pack(head, base, doubles)
    with pytest.raises(ValueError, match="do not fit the spec"):
        lora.pack(head, base, {"head/b": params["head/b"]})


def test_a_record_goes_through_a_file(tmp_path: Path, rng: np.random.Generator) -> None:
    x = rng.standard_normal((20, 5, 2)).astype("float32")
    y = rng.standard_normal((20, 2)).astype("float32")
    base = ll.init_params(SPEC)
    active = ll.read_zone(SPEC, "head | 0/Wh/g")
    plan = ll.isolate(SPEC, ~active)
    record = ll.fit(SPEC, (x, y), epochs=2, batch=8, params=base, isolation=plan, progress=False)
    path = lora.save_change(tmp_path / "change.bin", active, base, record.params)
    assert os.listdir(tmp_path) == ["change.bin"] and path.stat().st_size == lora.size(active)
    found = lora.load_change(path, SPEC, base)
    assert all(np.array_equal(found[name], p) for name, p in record.params.items())
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ValueError, match=r"change\.bin: these \d+ bytes are no change"):
        lora.load_change(path, SPEC, base)
    with pytest.raises(ValueError, match="differ"):  # and a file that was good stays
        lora.save_change(path, ll.read_zone(SPEC, "head"), base, record.params)
    assert path.stat().st_size == lora.size(active) - 3
