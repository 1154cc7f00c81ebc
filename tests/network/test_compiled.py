"""The pieces that the compiled loops are made of, as the plain functions that they are: no compiling here."""

import sys
import types
from pathlib import Path

import numpy as np
import pytest

from lstm_lib.network import cells, compiled, compiled_loops, errors
from lstm_lib.network.work import Index


def test_the_tanh_of_float32_is_good_to_five_units_in_the_last_place():
    x = np.linspace(-12, 12, 24001, dtype="float32")
    found = np.array([compiled_loops._tanh32(one) for one in x])
    assert found.dtype == np.float32
    exact = np.tanh(x.astype("float64"))
    assert (np.abs(found - exact) <= 5 * np.spacing(np.abs(exact).astype("float32"))).all()
    assert (np.abs(found) <= 1).all()


@pytest.mark.parametrize("limit", [np.inf, -np.inf, np.nan])
def test_the_tanh_of_float32_keeps_nan_and_ends_at_one(limit):
    assert compiled_loops._tanh32(np.float32(limit)) == pytest.approx(np.tanh(limit), nan_ok=True)


def test_errors_below_the_floor_become_zero_as_in_the_other_engine():
    for dh, dc in (([1e-3, -1e-3, -1.0], [0.0]), ([-1e-3], [1.0, -2e-3]), ([1e-3], [-1e-3]), ([2.0], [])):
        ours, plain = ([np.array(dh), np.array(dc)] for _ in range(2))
        assert compiled_loops._quieted(*ours, 1e-2) == errors.quieted(*plain, 1e-2)
        assert [a.tolist() for a in ours] == [a.tolist() for a in plain]


@pytest.mark.parametrize("take", [[1, 2], [0, 3]])
@pytest.mark.parametrize("put", [[1, 2, 3], [0, 2, 4]])
def test_an_error_is_carried_as_in_the_other_engine(take, put, rng, monkeypatch):
    weights, given, out = (
        rng.standard_normal((2, 3)),
        rng.standard_normal((4, 6)),
        rng.standard_normal((5, 6)),
    )
    indices = Index.of(np.array(take), 4), Index.of(np.array(put), 5)
    expected, product = out.copy(), np.empty((3, 6))
    errors.Carrier(weights, *indices, np.empty((2, 6)), product).add(given, expected)
    monkeypatch.setattr(np, "dot", lambda a, b, out: np.matmul(a, b, out=out))
    (taken, first), (to, into) = map(compiled._listed, indices)
    compiled_loops._add(weights, taken, first, np.empty((2, 6)), to, into, product, given, out)
    np.testing.assert_array_equal(out, expected)


def test_the_name_under_which_loops_are_kept_depends_on_what_they_do_alone(monkeypatch):
    """Not on where the text lies, nor on what the process did before; on the activations and the numbers, though."""
    space = vars(types.ModuleType("elsewhere"))
    monkeypatch.setitem(sys.modules, "elsewhere", types.ModuleType("elsewhere"))  # its dataclass looks there

    def words(text):
        exec(compile("\n" + text, "/elsewhere/cells.py", "exec"), space)
        return compiled_loops._code(space["CELLS"]["brief"].stages[0].step)

    text = Path(cells.__file__).read_text("utf-8")
    known = compiled_loops._code(cells.CELLS["brief"].stages[0].step)
    assert words(text) == known != compiled_loops._code(cells.CELLS["standard"].stages[0].step)
    assert words(text.replace("h = o * tanh_c  # (6)", "h = tanh_c * o")) != known
    assert words(text.replace("return 0.5 ", "return 0.25 ")) != known
