"""The checker is checked: it finds planted faults, prints both numbers, and compares nothing with itself."""

import numpy as np
import pytest

import lstm_lib as ll
from lstm_lib import checks
from lstm_lib.checks import (
    METHODS,
    TOLERANCE,
    central_differences,
    compare,
    complex_step,
    gradient_check,
    projection,
    side_by_side,
)
from lstm_lib.network.cells import CELLS
from tests.cases import build

SPEC = ll.Spec(2, (3, 2), 2)
W = {"w": np.array([1.0, -2.0, 4.0])}


def one_entry(a):
    changed = a.copy()
    changed.flat[-1] *= 2
    return changed


FAULTS = {
    "2.001 for 2.0": lambda a: a * 1.0005,
    "a sign": lambda a: -a,
    "one entry": one_entry,
    "left out": np.zeros_like,
    "mixed up": lambda a: a[::-1].copy(),
    "not a number": lambda a: np.where(np.arange(a.size).reshape(a.shape) == 0, np.nan, a),
}


# ------------------------------------------------------------------------------------------- planted faults


@pytest.mark.parametrize("array", [*SPEC.shapes, "x", "0/h0", "0/c0", "1/h0", "1/c0"])
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("method", METHODS)
def test_a_planted_fault_is_found(method, fault, array, monkeypatch):
    case = build(SPEC, T=3, B=2)

    def wrong(*args, **kwargs):
        grads = ll.backward(*args, **kwargs)
        return grads | {array: FAULTS[fault](grads[array])}

    monkeypatch.setattr(checks, "backward", wrong)
    report = gradient_check(*case[:4], method, initial=case.initial, entries=None)
    assert not report.passed
    if method != "projection":
        assert [*report.table.index[~report.table["passed"].astype(bool)]] == [array]
        message = rf"{array}: ours \S+, reference \S+, relative error"
    else:
        message = r"along one direction: ours \S+, reference \S+"
    with pytest.raises(AssertionError, match=message):
        report.require()


@pytest.mark.parametrize("method", METHODS)
def test_a_sound_gradient_passes_and_the_report_says_how_well(method):
    case = build(SPEC, T=3, B=2)
    report = gradient_check(*case[:4], method, initial=case.initial)
    assert report.passed
    assert report.require() is report
    assert report.tolerance == TOLERANCE[method, "float64"]
    assert 0 <= report.error <= report.tolerance
    assert report.error == report.table["error"].max()
    arrays = 1 if method == "projection" else len(SPEC.shapes) + 5
    assert str(report).startswith(
        f"{method}: {arrays} arrays, largest relative error {report.error:.1e}, allowed "
    )


@pytest.mark.parametrize("method", ["central", "projection"])
def test_float32_has_tolerances_of_its_own(method, monkeypatch):
    case = build(SPEC, T=3, B=2, dtype="float32")
    report = gradient_check(*case[:4], method, initial=case.initial)
    assert report.passed
    assert report.tolerance == TOLERANCE[method, "float32"] > 1e3 * TOLERANCE[method, "float64"]
    wrong = lambda *args, **kwargs: {k: 1.1 * g for k, g in ll.backward(*args, **kwargs).items()}  # noqa: E731
    monkeypatch.setattr(checks, "backward", wrong)
    assert not gradient_check(*case[:4], method, initial=case.initial).passed


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_is_checked_from_its_own_states(cell, method, monkeypatch):
    case = build(ll.Spec(2, (3, 2), 2, cell), T=3, B=2)
    sound = gradient_check(*case[:4], method, initial=case.initial, entries=3)
    assert sound.passed
    names = {f"{k}/{state}0" for k in (0, 1) for state in case.spec.row.states} | {"x", *case.params}
    if method == "projection":
        return
    assert {*sound.table.index} == names
    wrong = lambda *args, **kwargs: {k: 1.01 * g for k, g in ll.backward(*args, **kwargs).items()}  # noqa: E731
    monkeypatch.setattr(checks, "backward", wrong)
    assert not gradient_check(*case[:4], method, initial=case.initial, entries=3).table["passed"].any()


@pytest.mark.parametrize("engine", ["plain", "compiled"])
def test_both_engines_are_checked_and_complex_steps_take_the_plain_one(engine, monkeypatch):
    monkeypatch.setenv("LSTM_LIB_ENGINE", engine)
    used = []

    def forward(*args, **kwargs):
        yhat, trace = ll.forward(*args, **kwargs)
        used.append((yhat.dtype.kind, trace.engine))
        return yhat, trace

    monkeypatch.setattr(checks, "forward", forward)
    case = build(SPEC, T=3, B=2)
    gradient_check(*case[:4], initial=case.initial, entries=2).require()
    assert set(used) == {("f", engine), ("c", "plain")}


def test_states_that_do_not_fit_the_cell_are_refused():
    case = build(SPEC, T=3, B=2)
    with pytest.raises(ValueError, match=r"initial\[0\] holds 1 states; cell 'standard' has h, c"):
        gradient_check(*case[:4], initial=[states[:1] for states in case.initial])


@pytest.mark.parametrize("cell", ["standard", "gru"])
def test_a_check_starts_from_zero_when_no_state_is_given(cell):
    case = build(ll.Spec(2, (3, 2), 2, cell), T=3, B=2)
    assert gradient_check(*case[:4]).passed


def test_entries_says_how_many_are_measured():
    case = build(SPEC, T=3, B=2)
    few = gradient_check(*case[:4], entries=3).table["entries"]
    assert few.to_dict() == {
        k: min(3, int(np.prod(g.shape))) for k, g in case.backward(case.forward()[1]).items()
    }
    every = gradient_check(*case[:4], entries=None).table["entries"]
    assert every["0/Wh"] == 36


@pytest.mark.parametrize(
    ("method", "dtype"), [("complex", "float32"), ("autograd", "float64"), ("magic", "float64")]
)
def test_a_method_that_does_not_fit_is_refused_with_those_that_do(method, dtype):
    case = build(SPEC, T=3, B=2, dtype=dtype)
    with pytest.raises(
        ValueError, match=rf"method '{method}' on {dtype}; the choices are .*'central', 'float64'"
    ):
        gradient_check(*case[:4], method)


# ---------------------------------------------------------------------------------------------- differences


def cube(p):
    return (p["w"] ** 3).sum()


def test_every_way_finds_the_slope_of_a_cube():
    slope = 3 * W["w"] ** 2
    np.testing.assert_allclose(central_differences(cube, W)["w"], slope, rtol=1e-9)
    np.testing.assert_allclose(complex_step(cube, W)["w"], slope, rtol=1e-15)
    ours, reference = projection(cube, W, {"w": slope})
    assert ours == pytest.approx(reference, rel=1e-9)


@pytest.mark.parametrize("differences", [central_differences, complex_step])
def test_entries_that_were_not_measured_are_nan(differences):
    found = differences(cube, W, entries=2)["w"]
    assert np.isnan(found).sum() == 1
    measured = ~np.isnan(found)
    np.testing.assert_allclose(found[measured], 3 * W["w"][measured] ** 2, rtol=1e-9)
    np.testing.assert_array_equal(found, differences(cube, W, entries=2)["w"])
    chosen = {tuple(np.isnan(differences(cube, W, entries=2, seed=seed)["w"])) for seed in range(20)}
    assert len(chosen) == 3


@pytest.mark.parametrize("differences", [central_differences, complex_step])
def test_the_point_is_left_where_it_was(differences):
    before = W["w"].copy()
    differences(cube, W)
    assert np.array_equal(W["w"], before)


def test_central_differences_divide_by_the_step_that_float32_made():
    found = central_differences(
        lambda p: p["w"].astype("float64").sum(), {"w": np.array([1000.003], "float32")}
    )
    assert found["w"][0] == pytest.approx(1, rel=1e-12)


# ------------------------------------------------------------------------------------------------ comparing


def test_the_report_prints_both_numbers_of_the_worst_entry():
    reference = {"a": np.array([2.0, 1.0]), "b": np.array([1.0])}
    report = compare({"a": np.array([2.0, 1.001]), "b": np.array([1.0])}, reference)
    assert str(report).splitlines()[1:] == ["  a: ours 1.001, reference 1, relative error 5.0e-04"]
    with pytest.raises(AssertionError, match=r"autograd check failed\n(.|\n)*ours 1.001, reference 1"):
        report.require()


@pytest.mark.parametrize(("method", "dtype"), TOLERANCE)
def test_the_tolerance_is_that_of_method_and_dtype(method, dtype):
    allowed = TOLERANCE[method, dtype]
    reference = {"w": np.array([1.0], dtype)}
    for factor, passed in ((0.5, True), (2.0, False)):
        # float32 rounds 1 + 2e-4: near enough to half and twice the tolerance
        report = compare({"w": np.array([1.0 + factor * allowed], dtype)}, reference, method)
        assert report.tolerance == allowed
        assert report.passed is passed
    assert compare({"w": np.array([1.5], dtype)}, reference, method, tolerance=0.6).passed


def test_differences_are_relative_to_the_largest_entry_of_the_array():
    assert compare({"w": np.array([1e6, 1e-6])}, {"w": np.array([1e6, 0.0])}).passed
    assert not compare({"w": np.array([1e-6])}, {"w": np.array([0.0])}).passed
    assert compare({"w": np.array([0.0])}, {"w": np.array([0.0])}).passed


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_no_number_never_passes(bad):
    report = compare(
        {"a": np.array([1.0, bad]), "b": np.array([1.0])}, {"a": np.array([1.0, 1.0]), "b": np.array([1.0])}
    )
    assert not report.passed
    assert not report.error < 1e300


@pytest.mark.parametrize(
    ("ours", "reference", "message"),
    [
        ({"a": np.ones(2)}, {"b": np.ones(2)}, r"the names differ: \['a'\] and \['b'\]"),
        ({"a": np.ones(2)}, {"a": np.ones((2, 1))}, r"a: ours has shape \(2,\), the reference \(2, 1\)"),
        ({"a": np.ones(2)}, {"a": np.full(2, np.nan)}, r"a: no entry of the reference was measured"),
        ({}, {}, r"nothing to compare"),
    ],
)
def test_what_can_not_be_compared_is_refused(ours, reference, message):
    with pytest.raises(ValueError, match=message):
        compare(ours, reference)


# ---------------------------------------------------------------------------------------------- side by side


def test_side_by_side_shows_every_method():
    ours = {"a": np.array([[1.0, 2.0]]), "b": np.array([3.0])}
    near = {name: a + 1e-13 for name, a in ours.items()}
    table = side_by_side(ours, {"complex": near, "autograd": near}, 1e-12)
    assert table.columns.tolist() == ["shape", "ours", "complex", "autograd"]
    assert table.loc["a"].tolist() == [(1, 2), 1.0, 1.0, 1.0]
    assert table.columns.name == "errors < 1e-12"  # said once, above the names of the rows


@pytest.mark.parametrize("method", ["first", "second"])
def test_side_by_side_raises_on_any_entry_of_any_reference(method):
    ours = {"a": np.array([1.0, 2.0]), "b": np.array([3.0])}
    references = {name: {k: a.copy() for k, a in ours.items()} for name in ("first", "second")}
    references[method]["a"][1] = 2.001
    with pytest.raises(AssertionError, match=r"a: ours 2, reference 2\.001"):
        side_by_side(ours, references, 1e-6)


def test_side_by_side_refuses_to_compare_an_array_with_itself():
    ours = {"a": np.ones(4)}
    with pytest.raises(ValueError, match=r"\['a'\] and the reference 'mine' are the same array"):
        side_by_side(ours, {"mine": {"a": ours["a"][:]}}, 1e-6)
