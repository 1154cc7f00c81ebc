"""Law 7: the compiled engine equals the plain one to the rounding of its dtype, on every shape."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lstm_lib as ll
from lstm_lib.network import trace
from lstm_lib.network.cells import CELLS
from lstm_lib.network.compiled import choose as choose_engine
from tests.cases import Case, build, same
from tests.laws.cases_of_isolation import MANY, WAYS, choose, random_specs, zones

DTYPES = ("float64", "float32")


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Also the smallest: a batch of one, one step, one unit; and batches that divide badly."""
    spec = draw(random_specs(most_units=9))
    T, B = draw(st.sampled_from([1, 2, 7, 8, 9, 17, 33])), draw(st.sampled_from([1, 2, 3, 5, 7, 16, 17, 31]))
    return build(spec, T, B, draw(st.integers(0, 999)), draw(st.sampled_from(DTYPES)))


def apart(one: dict[str, Any], other: dict[str, Any]) -> float:
    """The largest difference, relative to the largest number of the two, over all arrays."""
    size = max(float(np.abs(a).max(initial=0)) for a in other.values())
    return max(float(np.abs(one[k] - other[k]).max(initial=0)) for k in other) / max(size, 1e-300)


def both(case: Case, plan: ll.Plan | None, also: tuple[str, ...], threads: int = 1) -> list[dict[str, Any]]:
    """What each engine finds; the compiled one with the batch divided among threads, however small it is."""
    found = []
    for engine in ("plain", "compiled"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(trace, "NARROW", 1)
            yhat, left = case.forward(ll.Workspace(threads=threads), engine)
        assert left.engine == engine
        assert len(left.shares) == (min(threads, len(case.x)) if engine == "compiled" else 1)
        grads = case.backward(left, plan, also)
        inside = {
            f"{k} {name}": a for k in range(case.spec.layers) for name, a in left.layer(k)._asdict().items()
        }
        errors = {f"{k} dz": left.dz(k) for k in range(case.spec.layers)}
        found.append({"yhat": yhat} | grads | inside | errors)
    return found


@MANY
@given(cases(), st.data(), st.sampled_from(["hold", "skip", "cut"]), WAYS, st.integers(1, 3))
def test_both_engines_give_the_same(
    case: Case, data: st.DataObject, depth: str, way: str, threads: int
) -> None:
    span = data.draw(st.none() | st.integers(1, 9))
    with pytest.MonkeyPatch.context() as patch:
        choose(way, patch)
        plan = ll.isolate(case.spec, data.draw(zones(case.spec)), depth, span)
        plain, compiled = both(case, plan, ("x", "state"), threads)
        if case.x.dtype == np.float64:
            same(compiled, plain, 1e-10)
            return
        # a network of random weights amplifies roundings: by how much shows in what float32 costs the plain engine
        wide, _ = both(case.astype("float64"), plan, ("x", "state"))
    assert apart(compiled, wide) <= 10 * apart(plain, wide) + 1e-5


@pytest.mark.parametrize("cell", CELLS)
def test_a_zone_of_one_arc(cell: str) -> None:
    spec = ll.Spec(3, (5, 4), 2, cell)
    case = build(spec, T=6, B=3)
    for isolated in (ll.zone(spec, layer=0, matrix="Wh", gate="g", unit=1, source=2),
                     ~ll.zone(spec, layer=0, matrix="Wh", gate="g", unit=1, source=2)):  # fmt: skip
        for depth in ("skip", "cut"):
            plain, compiled = both(case, ll.isolate(spec, isolated, depth), ())
            same(compiled, plain)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("engine", ["plain", "compiled"])
def test_what_is_not_a_number_is_not_hidden(engine: str, cell: str, bad: float) -> None:
    """A clamped tanh must hand NaN on, else a training that left the numbers would go on in silence."""
    case = build(ll.Spec(2, (3,), 1, cell), dtype="float32")
    case.x[0, 2, 0] = bad
    with np.errstate(invalid="ignore", over="ignore"):
        yhat, trace = case.forward(engine=engine)
        grads = case.backward(trace, also=())
    assert np.isnan(yhat[0]).all() or not np.isfinite(grads["0/Wx"]).all()
    assert np.isfinite(yhat[1:]).all()


def test_an_error_in_one_share_is_raised_when_all_have_ended() -> None:
    ended, failed = [], ValueError("the second share")

    def work(share: int) -> int:
        if share == 1:
            raise failed
        time.sleep(0.05 * share)
        ended.append(share)
        return share

    with pytest.raises(ValueError, match="the second share"):
        trace.together(work, [0, 1, 2])
    assert ended == [0, 2]
    assert trace.together(work, [0, 2, 3]) == [0, 2, 3]


def test_engines_are_chosen_by_argument_then_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    float32, complex128 = np.dtype("float32"), np.dtype("complex128")
    monkeypatch.delenv("LSTM_LIB_ENGINE", raising=False)
    assert choose_engine(None, float32) == "compiled"
    assert choose_engine("compiled", complex128) == "plain"
    monkeypatch.setenv("LSTM_LIB_ENGINE", "plain")
    assert choose_engine(None, float32) == "plain"
    assert choose_engine("compiled", float32) == "compiled"
    with pytest.raises(ValueError, match="engine is 'fast'; the choices are plain, compiled"):
        choose_engine("fast", float32)
    monkeypatch.setattr("lstm_lib.network.compiled._installed", lambda: False)
    monkeypatch.delenv("LSTM_LIB_ENGINE")
    assert choose_engine(None, float32) == "plain"
    with pytest.raises(ValueError, match=r"needs Numba and SciPy: pip install 'lstm_lib\[fast\]'"):
        choose_engine("compiled", float32)
