"""Mistakes that well-known courses and libraries have made, each planted here: a test of this project must catch it.

A row names the mistake, the function that plants it, a check that must fail, and where there is one a check that lets
it pass: why the shapes, the biases and the second calls of the tests are as they are. The checks are tests of this
project; whoever weakens one of them is told here. (The mistakes of students are in tests/course.)
"""

from __future__ import annotations

import ast
import inspect
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest

import lstm_lib as ll
from lstm_lib.checks import gradient_check, side_by_side
from lstm_lib.convolution import Geometry, layers
from lstm_lib.network import backward as engine
from lstm_lib.network import step
from lstm_lib.network.cells import CELLS, Cell, no_error
from lstm_lib.training import adam
from tests.cases import KINDS, build
from tests.convolution import test_layers
from tests.laws import test_law_3_exactness as law_3
from tests.network import test_cells, test_network
from tests.training import test_adam

ROOT = Path(__file__).resolve().parents[2]
Patch = pytest.MonkeyPatch
Plant = Callable[[Patch], Any]
Check = Callable[[], Any]

# --------------------------------------------------------------------------------------------------------- optimisers


def eps_onto_the_weight(patch: Patch) -> None:
    def move(self: ll.Adam, w: Any, m: Any, v: Any, t: Any, scale: float) -> None:
        rate, eps = self._rate_and_eps(t, scale)
        w -= rate * m / np.sqrt(v) + eps

    patch.setattr(ll.Adam, "_move", move)


def t_never_advances(patch: Patch) -> None:
    patch.setattr(adam, "advanced", lambda count, arcs, shape: 1)


def eps_hat_without_its_root(patch: Patch) -> None:
    def factors(opt: ll.Adam, scale: float, least: int, most: int) -> Any:
        counts = np.arange(least, most + 1, dtype=np.float64)
        kept = 1 - opt.beta2**counts
        return scale * opt.lr * np.sqrt(kept) / (1 - opt.beta1**counts), (opt.eps or 0) * kept

    patch.setattr(adam, "_factors", factors)


# -------------------------------------------------------------------------------------------------------------- cells


def with_back(name: str, change: Callable[..., Any], stage: int = -1) -> Cell:
    """A cell whose way back through one stage is another: `change(found, values, before, errors)`."""
    cell = CELLS[name]
    stages = list(cell.stages)
    sound = stages[stage].back

    def back(values: Any, before: Any, errors: Any, p: Any) -> Any:
        return change(sound(values, before, errors, p), values, before, errors)

    stages[stage] = stages[stage]._replace(back=back)
    return replace(cell, name=f"{name}_planted", stages=tuple(stages))


def reset_updated_with_the_candidates_error(found: Any, *_: Any) -> Any:
    (dz_g, dz_z, _, du), *rest = found
    return (dz_g, dz_z, dz_g, du), *rest


def slope_of_z_missing(found: Any, values: Any, *_: Any) -> Any:
    (dz_g, dz_z, dz_r, du), *rest = found
    z = values[1]
    return (dz_g, dz_z / (z * (1 - z)), dz_r, du), *rest


def slope_of_r_missing(found: Any, values: Any, *_: Any) -> Any:
    (dz_g, dz_z, dz_r, du), *rest = found
    r = values[2]
    return (dz_g, dz_z, dz_r / (r * (1 - r)), du), *rest


def reset_of_the_wrong_unit(found: Any, values: Any, before: Any, errors: Any) -> Any:
    dz, _, whole = found
    return dz, (errors[0] * np.roll(values[1], 1, axis=0),), whole


def state_not_carried(found: Any, *_: Any) -> Any:
    dz, direct, whole = found
    return dz, tuple(no_error(error) for error in direct), whole


def slope_of_another_function(found: Any, values: Any, before: Any, errors: Any) -> Any:
    return (errors[0] * values[0] * (1 - values[0]),), *found[1:]


def step_back(cell: Cell) -> Check:
    return partial(test_cells.test_a_step_back_is_the_complex_step_derivative, cell)


WRONG_CELLS = {
    "W_r is updated with the candidate's error": with_back("gru", reset_updated_with_the_candidates_error),
    "the derivative of the gate z is missing": with_back("gru", slope_of_z_missing),
    "the derivative of the gate r is missing": with_back("gru", slope_of_r_missing),
    "the reset gate of the wrong unit": with_back("gru_v3", reset_of_the_wrong_unit, stage=0),
    "dc is not carried": with_back("standard", state_not_carried),
    "dh is not carried past the gates": with_back("gru", state_not_carried),
    "the slope of another function": with_back("rnn", slope_of_another_function),
}


def bias_left_out(patch: Patch) -> None:
    sound = step._from_x

    def without(cell: Cell, weights: Any, x: Any) -> Any:
        return sound(cell, {**weights, "b": 0 * weights["b"]}, x)

    patch.setattr(step, "_from_x", without)


def equations_with_zero_biases() -> None:
    with pytest.MonkeyPatch.context() as patch:
        sound = test_cells.weights_of
        patch.setattr(test_cells, "weights_of", lambda cell: sound(cell) | {"b": np.zeros(12)})
        test_cells.test_a_step_is_its_equations_in_scalars(CELLS["standard"])


# ------------------------------------------------------------------------------------------------------ second calls


def backward_adds_up(patch: Patch) -> None:
    """The gradients of a call are added to those of the call before."""
    sound: Any = ll.backward
    before: list[Any] = []  # traces and what was found from them

    def backward(spec: Any, params: Any, trace: Any, *rest: Any) -> Any:
        grads = sound(spec, params, trace, *rest)
        found = {k: g + sum(old[k] for seen, old in before if seen is trace) for k, g in grads.items()}
        before.append((trace, grads))
        return found

    patch.setattr(ll, "backward", backward)


def backward_uses_its_trace_up(patch: Patch) -> None:
    """The first call is right, and leaves something else in the trace."""
    sound = ll.backward

    def backward(spec: Any, params: Any, trace: Any, *rest: Any) -> Any:
        grads = {name: g.copy() for name, g in sound(spec, params, trace, *rest).items()}
        for buffers in trace.shares:
            for layer in buffers.layers.values():
                layer.values[...] *= 0.5
        return grads

    patch.setattr(ll, "backward", backward)


def convolution_uses_its_patches_up(patch: Patch) -> None:
    sound = layers.convolve_backward

    def backward(dy: Any, patches: Any, *rest: Any) -> Any:
        found = sound(dy, patches, *rest)
        patches *= 0.5
        return found

    patch.setattr(test_layers, "convolve_backward", backward)


def second_call() -> None:
    test_network.test_a_second_call_gives_the_same(KINDS["standard-2-linear-every"], None)


def first_call() -> None:
    test_network.check_backward(build(KINDS["standard-2-linear-every"]))


# -------------------------------------------------------------------------------------------------- through time


def every_step_alone(patch: Patch) -> None:
    """No error is carried from a step to the one before it."""
    sound = ll.backward

    def backward(spec: Any, params: Any, trace: Any, dy: Any, plan: Any = None, also: Any = ()) -> Any:
        return sound(spec, params, trace, dy, ll.isolate(spec, ll.nothing(spec), span=1), also)

    patch.setattr(ll, "backward", backward)


def border_forgotten(patch: Patch) -> None:
    """A truncated pass that goes all the way."""
    sound = ll.isolate
    patch.setattr(ll, "isolate", lambda *arguments, span=None, **others: sound(*arguments, **others))


def one_step_too_few(patch: Patch) -> None:
    """The border of a truncated pass lies one step too late, where it lies within the sequence."""
    sound = ll.isolate

    def isolate(*arguments: Any, span: int | None = None, **others: Any) -> Any:
        return sound(*arguments, span=None if span is None or span > 11 else max(1, span - 1), **others)

    patch.setattr(ll, "isolate", isolate)


def leaks_at_the_border(patch: Patch) -> None:
    """Beyond the border an error still goes where no product is: along z * h_prev of a GRU, f * c_prev of an LSTM."""
    source = inspect.getsource(engine.run_plain)
    assert "0 if border else error" in source
    names = dict(vars(engine))
    exec(source.replace("0 if border else error", "error"), names)
    patch.setattr(engine, "run_plain", names["run_plain"])


def truncated(cell: str) -> Check:
    return partial(
        law_3.test_a_plan_leaves_active_arcs_their_gradient_and_isolated_ones_zero, "nothing", cell, "plain"
    )


def longer_than_the_sequence() -> None:
    case = build(ll.Spec(2, (3,), 2, "gru", output="every"), T=11)
    found = [
        case.backward(case.forward()[1], ll.isolate(case.spec, ll.nothing(case.spec), span=span))
        for span in (20, None)
    ]
    law_3.same(found[0], found[1])


# -------------------------------------------------------------------------------------------------- convolutions


def offsets(patch: Patch, change: Callable[[Geometry], tuple[tuple[int, int, int], ...]]) -> None:
    sound = layers._offsets

    def wrong(g: Geometry, places: Any) -> Any:
        other = replace(g)
        object.__setattr__(other, "axes", change(g))
        return sound(other, places)

    patch.setattr(layers, "_offsets", wrong)


def stride_forgotten(patch: Patch) -> None:
    offsets(patch, lambda g: tuple((k, 1, d) for k, _, d in g.axes))


def height_for_width(patch: Patch, axis: int) -> None:
    """The stride and the dilation of one axis on both."""
    offsets(patch, lambda g: tuple((k, *g.axes[axis][1:]) for k, _, _ in g.axes))


def overlaps_overwritten(patch: Patch) -> None:
    """The error of the input where patches overlap: the last one's alone, in place of their sum."""

    def fold(patches: Any, shape: Any, g: Geometry) -> Any:
        B, C, *sizes = shape
        places, around = g.output(tuple(sizes)), g.around(tuple(sizes))
        padded = np.zeros((B, C, *(n + sum(zeros) for n, zeros in zip(sizes, around, strict=True))))
        each = patches.reshape(C, -1, B, *places)
        for k, at in enumerate(layers._offsets(g, places)):
            padded[(slice(None), slice(None), *at)] = each[:, k].swapaxes(0, 1)
        inside = (slice(before, before + n) for n, (before, _) in zip(sizes, around, strict=True))
        return padded[(slice(None), slice(None), *inside)]

    patch.setattr(layers, "fold", fold)


def forward_of(name: str) -> Check:
    return partial(test_layers.test_a_convolution_is_what_its_definition_says, name, "float64")


def gradients_of(name: str) -> Check:
    return partial(test_layers.test_the_gradients_are_those_of_complex_steps, name)


# ---------------------------------------------------------------------------------------------------- the table

MOVES = test_adam.test_the_arrays_of_a_network_are_moved_like_so_many_scalars
FIRST_STEP = partial(test_adam.test_the_first_step_is_one_lr_whatever_the_size_of_the_gradient, size=1.0)
EQUATIONS = test_cells.test_a_step_is_its_equations_in_scalars

# mistake -> what plants it, a check that must fail, a check that lets it pass
PLANTED: dict[str, tuple[Plant, Check, Check | None]] = {
    "Adam adds ε to the weight": (
        eps_onto_the_weight, partial(MOVES, "paper"), partial(FIRST_STEP, "paper"),
    ),
    "Adam never advances t": (t_never_advances, partial(MOVES, "tf15"), partial(FIRST_STEP, "tf15")),
    "ε̂ is (1 - β₂ᵗ) ε": (eps_hat_without_its_root, partial(MOVES, "paper"), partial(FIRST_STEP, "paper")),
    "a bias is left out": (bias_left_out, partial(EQUATIONS, CELLS["standard"]), equations_with_zero_biases),
    "backward adds up": (backward_adds_up, second_call, first_call),
    "backward uses its trace up": (backward_uses_its_trace_up, second_call, None),
    "a convolution uses its patches up": (convolution_uses_its_patches_up, gradients_of("plain"), None),
    "every step alone": (every_step_alone, first_call, None),
    "a truncated LSTM that isn't": (border_forgotten, truncated("standard"), longer_than_the_sequence),
    "a truncated GRU that isn't": (border_forgotten, truncated("gru"), longer_than_the_sequence),
    "a truncated GRU, a step short": (one_step_too_few, truncated("gru"), longer_than_the_sequence),
    "a truncated GRU that leaks": (leaks_at_the_border, truncated("gru"), longer_than_the_sequence),
    "a truncated LSTM that leaks": (leaks_at_the_border, truncated("standard"), longer_than_the_sequence),
    "the stride is forgotten": (
        stride_forgotten, forward_of("stride that doesn't divide"), forward_of("plain"),
    ),
    "the stride is forgotten on the way back": (
        stride_forgotten, forward_of("picture, strides"), gradients_of("picture"),
    ),
    "height for width, in strides": (
        partial(height_for_width, axis=0), forward_of("picture, strides"), forward_of("picture"),
    ),
    "height for width, in dilations": (
        partial(height_for_width, axis=-1), forward_of("picture, dilations"), forward_of("picture"),
    ),
    "dx of a kernel larger than its stride": (
        overlaps_overwritten, gradients_of("stride that doesn't divide"), gradients_of("stride beyond the kernel"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", PLANTED)
def test_a_planted_mistake_is_caught(mistake: str, monkeypatch: Patch) -> None:
    plant, check, blind = PLANTED[mistake]
    check()
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        check()
    if blind is not None:
        blind()


@pytest.mark.parametrize("mistake", WRONG_CELLS)
def test_a_wrong_cell_is_caught(mistake: str) -> None:
    cell = WRONG_CELLS[mistake]
    name = cell.name.removesuffix("_planted")
    test_cells.test_a_step_is_its_equations_in_scalars(replace(cell, name=name))  # forward it is right
    step_back(CELLS[name])()
    with pytest.raises(AssertionError):
        step_back(cell)()


@pytest.mark.parametrize("mistake", WRONG_CELLS)
def test_a_wrong_cell_that_nothing_else_calls_is_caught(mistake: str, monkeypatch: Patch) -> None:
    """A row of the table of cells is run because it is there: the laws go over the table."""
    cell = WRONG_CELLS[mistake]
    monkeypatch.setitem(CELLS, cell.name, cell)
    monkeypatch.setenv("LSTM_LIB_ENGINE", "plain")
    case = build(ll.Spec(2, (3, 2), 2, cell.name), T=3, B=2)
    assert not gradient_check(*case[:4], initial=case.initial, entries=None).passed


def test_every_cell_is_called_by_the_laws() -> None:
    assert {spec.cell for spec in KINDS.values()} == {*CELLS}
    assert {(spec.cell, spec.layers > 1) for spec in KINDS.values()} == {
        (cell, stacked) for cell in CELLS for stacked in (False, True)
    }


# ------------------------------------------------------------------------------------------- what the tests build


def test_no_bias_and_no_state_that_tests_are_built_with_is_zero() -> None:
    for spec in KINDS.values():
        case = build(spec)
        biases = [a for name, a in case.params.items() if a.ndim == 1]
        assert len(biases) > spec.layers
        assert all(a.all() for a in (*biases, *(state for states in case.initial for state in states)))
    assert all(test_cells.weights_of(cell)["b"].all() for cell in CELLS.values())
    assert all(test_layers.case(name)[2].all() for name in test_layers.GEOMETRIES)


def test_the_keras_layer_is_compared_with_biases() -> None:
    from tests.keras import layer_cases

    assert layer_cases.weights(np.random.default_rng(0))[2].all()


def test_sizes_that_may_be_mistaken_for_each_other_differ() -> None:
    assert len({test_cells.D, test_cells.H, test_cells.B}) == 3
    case = build(KINDS["standard-1-linear-last"])
    B, T, D = case.x.shape
    assert T not in (B, D, *case.spec.units)
    pictures = [(sizes, g) for sizes, g in test_layers.GEOMETRIES.values() if len(sizes) == 2]
    assert pictures and all(height != width for (height, width), _ in pictures)
    assert all(g.shape[0] != g.shape[1] for _, g in pictures)
    axes = [(n - reach, *axis) for sizes, g in test_layers.GEOMETRIES.values()
            for n, reach, axis in zip(sizes, g.reach, g.axes, strict=True) if g.padding == "valid"]  # fmt: skip
    assert any(stride > 1 and left % stride for left, _, stride, _ in axes)
    assert any(kernel > stride > 1 for _, kernel, stride, _ in axes)


# ------------------------------------------------------------------------------ comparisons that compare nothing

BOOLEANS = {"allclose", "array_equal", "array_equiv", "isclose", "isfinite", "isin"}
REPORTS = {"gradient_check"}  # a report that nobody asked whether it passed
PAIRS = BOOLEANS | {"same", "identical", "side_by_side", "assert_allclose", "assert_array_equal"}


def called(node: ast.AST) -> str:
    """The name of the function that is called, without what it belongs to."""
    of = node.func if isinstance(node, ast.Call) else node
    return of.attr if isinstance(of, ast.Attribute) else of.id if isinstance(of, ast.Name) else ""


def idle(source: str, shows_last: bool = False) -> Iterator[str]:
    """Comparisons that assert nothing: thrown away, of a thing with itself, of a function that was not called, twice.

    shows_last : the last line is shown, as in a notebook.
    """
    tree = ast.parse(source)
    last = tree.body[-1] if shows_last and tree.body else None
    refused = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.With) and any(called(i.context_expr) in ("raises", "warns") for i in node.items)
        for inner in node.body
    }  # fmt: skip
    for node in ast.walk(tree):
        for body in (getattr(node, field, None) for field in ("body", "orelse", "finalbody")):
            lines = [ast.dump(n) if compares(n) else None for n in body] if isinstance(body, list) else []
            if any(a is not None and a == b for a, b in pairwise(lines)):
                yield "the same comparison twice"
        if isinstance(node, ast.Expr) and node not in refused and node is not last:
            value = node.value
            if isinstance(value, ast.Compare) or called(value) in BOOLEANS | {"all", "any"}:
                yield "a boolean is thrown away"
            if isinstance(value, ast.Call) and called(value) in REPORTS:
                yield "a report is thrown away"
        if isinstance(node, ast.Assert) and getattr(node.test, "attr", "") in ("all", "any"):
            yield "a function is asserted, not its answer"
        pair = node.args[:2] if isinstance(node, ast.Call) and called(node) in PAIRS else []
        if len({ast.dump(one) for one in pair}) < len(pair):
            yield "a thing is compared with itself"


def compares(node: ast.AST) -> bool:
    return isinstance(node, ast.Assert) or (isinstance(node, ast.Expr) and called(node.value) in PAIRS)


def sources() -> Iterator[tuple[str, str, bool]]:
    for folder in ("tests", "benchmarks", "tools", "lstm_lib"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"), False
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for k, cell in enumerate(nbformat.read(path, as_version=4).cells):
            if cell.cell_type == "code" and not cell.source.startswith("%"):
                yield f"{path.name}, cell {k}", cell.source, True


def test_no_comparison_compares_nothing() -> None:
    assert [(where, fault) for where, source, shows in sources() for fault in idle(source, shows)] == []


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("np.allclose(a, b)", "a boolean is thrown away"),
        ("(a == b).all()", "a boolean is thrown away"),
        ("def test():\n    a == b", "a boolean is thrown away"),
        ("gradient_check(spec, params, x, y)", "a report is thrown away"),
        ("assert (a == b).all", "a function is asserted, not its answer"),
        ("assert np.allclose(g.W, g.W)", "a thing is compared with itself"),
        ("same(dWf, dWf)", "a thing is compared with itself"),
        ("assert close(dx, d['x'])\nassert close(dx, d['x'])", "the same comparison twice"),
        ("gradient_check(spec, params, x, y).require()", None),
        ("with pytest.raises(ValueError):\n    gradient_check(spec)", None),
        ("assert np.allclose(a, b)\nassert np.allclose(a, c)", None),
    ],
)
def test_a_planted_comparison_that_compares_nothing_is_found(source: str, fault: str | None) -> None:
    assert [*idle(source)] == ([] if fault is None else [fault])


def test_what_a_notebook_shows_is_not_thrown_away() -> None:
    assert [*idle("np.allclose(a, b)", shows_last=True)] == []
    assert [*idle("np.allclose(a, b)\nprint('they agree')", shows_last=True)] == ["a boolean is thrown away"]


def test_a_gradient_check_refuses_lines_that_compare_the_same_array() -> None:
    grads = {name: np.full(3, float(k)) for k, name in enumerate("abcde", start=1)}
    with pytest.raises(AssertionError, match=r"b: ours 2, reference 1"):
        side_by_side(grads, {"central": dict.fromkeys(grads, grads["a"].copy())}, 1e-6)
    with pytest.raises(ValueError, match="are the same array; nothing was compared"):
        side_by_side(grads, {"central": grads}, 1e-6)


@pytest.mark.parametrize("name", ["tests/test_planted.py", "lstm_lib/planted.py", "notebooks/planted.ipynb"])
def test_ruff_finds_a_comparison_whose_boolean_is_thrown_away(name: str) -> None:
    source = '"""Planted."""\n\na, b = 1, 2\na == b\nprint("they agree")\n'
    if name.endswith("ipynb"):
        cell = nbformat.v4.new_code_cell(source)
        source = json.dumps(nbformat.v4.new_notebook(cells=[cell]))
    ruff = [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format=concise"]
    found = subprocess.run(
        [*ruff, "--stdin-filename", name, "-"], input=source, capture_output=True, text=True, cwd=ROOT
    )
    assert found.returncode == 1, found.stderr
    assert "B015" in found.stdout


# ------------------------------------------------------------------------------------ defined and never called


def never_named(cells: list[str]) -> set[str]:
    """Functions and classes of a notebook that are defined and nowhere used."""
    trees = [ast.parse(source) for source in cells]
    defined = {n.name for t in trees for n in t.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    used = {
        n.id for t in trees for n in ast.walk(t) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)
    }
    return defined - used


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_what_a_notebook_defines_it_calls(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    assert not never_named([c.source for c in cells if c.cell_type == "code" and c.source[:1] != "%"])


def test_a_cell_that_is_defined_and_never_called_is_found() -> None:
    assert never_named(["class GRU:\n    pass", "def lstm(x):\n    return x", "lstm(1)"]) == {"GRU"}
