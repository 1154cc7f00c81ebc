"""States that are remembered are those that would be computed, within the memory that is allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lstm_lib as ll
from lstm_lib.isolation.plan import isolate
from lstm_lib.isolation.zones import zone
from lstm_lib.network.forward import hidden_states
from lstm_lib.training import states
from lstm_lib.training.samples import Arrays
from lstm_lib.training.states import States
from tests.cases import build, identical, same

SPEC = ll.Spec(2, (4, 3), 1)
N, T = 50, 6


@pytest.fixture(autouse=True)
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "GROUP", 8)


@pytest.fixture
def samples(rng: np.random.Generator) -> Arrays:
    return Arrays(
        rng.standard_normal((N, T, 2)).astype("float32"), rng.standard_normal((N, 1)).astype("float32")
    )


@pytest.mark.parametrize("units", [(4,), (4, 3), (3, 4, 2)])
@pytest.mark.parametrize("output", ["last", "every"])
def test_a_network_above_known_states_gives_the_same_forecast_and_gradients(units: Any, output: str) -> None:
    case = build(ll.Spec(2, units, 2, output=output), T=T)
    zero = [(np.zeros_like(h), np.zeros_like(c)) for h, c in case.initial]
    yhat, trace = case._replace(initial=zero).forward()
    for known in range(1, len(units) + 1):
        z = ll.nothing(case.spec)
        for k in range(known):
            z = z | zone(case.spec, layer=k)
        plan, skip = isolate(case.spec, z, "cache"), isolate(case.spec, z, "skip")
        h = hidden_states(case.spec, case.params, case.x, known)
        above, upper = ll.forward(case.spec, case.params, h, known=known)
        identical(above, yhat)
        identical(
            ll.backward(case.spec, case.params, upper, case.dy, plan), case.backward(trace, skip, also=())
        )
        if known == len(units) and output == "last":
            last, top = ll.forward(case.spec, case.params, h[:, -1:], known=known)
            identical(last, yhat)
            same(ll.backward(case.spec, case.params, top, case.dy, plan), case.backward(trace, skip, also=()))
        with pytest.raises(ValueError, match=r"layer 0 was not run in this pass; the layers that were: "):
            upper.layer(0)


def test_what_does_not_fit_known_states_is_refused() -> None:
    case = build(SPEC, T=T)
    h = hidden_states(SPEC, case.params, case.x, 1)
    _, trace = ll.forward(SPEC, case.params, h, known=1)
    for plan in (None, isolate(SPEC, zone(SPEC, layer=1))):
        with pytest.raises(
            ValueError, match=r"the lowest 1 layers were known .* the plan must isolate all their arcs"
        ):
            ll.backward(SPEC, case.params, trace, case.dy[:, :1], plan)
    with pytest.raises(ValueError, match=r"also=\['x'\] needs all layers; 1 were known"):
        ll.backward(SPEC, case.params, trace, case.dy[:, :1], isolate(SPEC, zone(SPEC, layer=0)), also=("x",))
    for known, message in ((3, r"known must be a number of layers, 0..2, got 3"), (True, r"got True")):
        with pytest.raises(ValueError, match=message):
            ll.forward(SPEC, case.params, h, known=known)
    with pytest.raises(ValueError, match=r"expected \(batch, steps, 3\), the output of layer 1"):
        ll.forward(SPEC, case.params, h, known=2)
    for layers in (0, 3):
        with pytest.raises(ValueError, match=rf"layers must be a number of layers, 1..2, got {layers}"):
            hidden_states(SPEC, case.params, case.x, layers)


@pytest.mark.parametrize("known", [1, 2])
@pytest.mark.parametrize("memory", ["all", "half", "one byte"])
def test_states_are_those_that_would_be_computed(known: int, memory: str, samples: Arrays) -> None:
    params = ll.init_params(SPEC)
    plenty = States(SPEC, params, samples, known)
    window = plenty.bytes_needed // N
    assert window == (3 if known == 2 else T * 4) * 4 + 4
    some = States(SPEC, params, samples, known, {"all": 2**30, "half": 25 * window, "one byte": 1}[memory])
    assert some.kept == {"all": N, "half": 25, "one byte": 0}[memory]
    assert some.h.nbytes + some.y.nbytes <= 25 * window or memory == "all"
    expected = (
        hidden_states(SPEC, params, samples.x, known)[:, -1:]
        if known == 2
        else hidden_states(SPEC, params, samples.x, known)
    )
    for rows in (np.array([3, 49, 3, 0]), np.arange(N)[::-1], np.array([24, 25])):
        for found in (plenty.take(rows), some.take(rows)):
            same(found[0], expected[rows])
            identical(found[1], samples.y[rows])
            assert found[0].flags.owndata or found[0].base is not plenty.h


def test_each_window_is_computed_once(samples: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    compute = states.hidden_states
    monkeypatch.setattr(
        states, "hidden_states", lambda s, p, x, *a: seen.append(len(x)) or compute(s, p, x, *a)
    )
    remembered = States(SPEC, ll.init_params(SPEC), samples, 2)
    for _ in range(3):
        for rows in np.random.default_rng(0).permutation(N).reshape(5, 10):
            remembered.take(rows)
    assert sum(seen) == N


def test_the_order_of_the_batches_changes_no_bit(samples: Arrays) -> None:
    a, b = (States(SPEC, ll.init_params(SPEC), samples, 1) for _ in range(2))
    for rows in (np.array([40]), np.arange(N)[::-1]):
        a.take(rows)
    identical(a.take(np.arange(N))[0], b.take(np.arange(N))[0])


def test_a_file_holds_what_memory_must_not_and_goes_with_it(samples: Arrays, tmp_path: Path) -> None:
    params = ll.init_params(SPEC)
    on_disk, plain = (
        States(SPEC, params, samples, 1, memory=64, folder=tmp_path),
        States(SPEC, params, samples, 1),
    )
    assert (on_disk.kept, len(list(tmp_path.iterdir()))) == (N, 1)
    for _ in range(2):
        identical(np.asarray(on_disk.take(np.arange(N))[0]), plain.take(np.arange(N))[0])
    assert sum(f.stat().st_size for f in tmp_path.iterdir()) == plain.h.nbytes
    del on_disk
    assert not list(tmp_path.iterdir())
    States(SPEC, params, samples, 1, memory=2**20, folder=tmp_path)
    assert not list(tmp_path.iterdir())  # no file where memory is enough
    with pytest.raises(ValueError, match=r"there is no folder .* to keep 5,000 bytes of states in"):
        States(SPEC, params, samples, 1, memory=64, folder=tmp_path / "none")


@pytest.mark.parametrize("options", [{}, {"memory": 1}, {"memory": 600}, {"memory": 600, "folder": "here"}])
@pytest.mark.parametrize("units", [(4,), (4, 3)])
def test_training_on_remembered_states_is_training_with_skip(
    units: Any, options: dict[str, Any], samples: Arrays, tmp_path: Path
) -> None:
    """The states are the same to rounding, so the histories agree to rounding."""
    spec = ll.Spec(2, units, 1)
    options = options | ({"folder": tmp_path} if "folder" in options else {})
    z = zone(spec, layer=0)
    runs = [
        ll.fit(
            spec,
            samples,
            samples,
            epochs=3,
            batch=8,
            isolation=isolate(spec, z, depth),
            progress=False,
            **more,
        )
        for depth, more in (("cache", options), ("skip", {}))
    ]
    same(runs[0].params, runs[1].params, 1e-4)
    np.testing.assert_allclose(runs[0].history["train_loss"], runs[1].history["train_loss"], rtol=1e-5)
    assert not list(tmp_path.iterdir())
