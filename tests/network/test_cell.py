"""The plain pair: one step against the written equations, its derivative against complex steps."""

import math

import numpy as np
import pytest

from lstm_lib.network.cells import ACTIVATIONS, CELLS, GATES, get_cell, step_backward, step_forward
from tests.cases import same

# The project's brief, equations (1), (2), (3), (5): the activation of every gate, written out once more.
LOGISTIC = lambda z: 1 / (1 + math.exp(-z))  # noqa: E731
TABLE = {
    "standard": {"f": LOGISTIC, "i": LOGISTIC, "o": LOGISTIC, "g": math.tanh},
    "brief": {"f": LOGISTIC, "i": LOGISTIC, "o": math.tanh, "g": LOGISTIC},
}
D, H, B = 2, 3, 4
ARGUMENTS = {
    "Wx": (4 * H, D),
    "Wh": (4 * H, H),
    "b": (4 * H,),
    "x": (D, B),
    "h_prev": (H, B),
    "c_prev": (H, B),
}


@pytest.fixture(params=CELLS)
def cell(request):
    return CELLS[request.param]


@pytest.fixture
def point():
    rng = np.random.default_rng(11)
    return {name: rng.standard_normal(shape) for name, shape in ARGUMENTS.items()}


def test_the_cells_are_those_of_the_table():
    assert CELLS.keys() == TABLE.keys()
    assert GATES == ("f", "i", "o", "g")
    assert all(CELLS[name].name == name for name in CELLS)


def test_step_forward_is_equations_1_to_6_in_scalars(cell, point):
    trace = step_forward(cell, **point)
    for unit in range(H):
        for sample in range(B):
            value = {}
            for block, gate in enumerate("fiog"):
                row = block * H + unit
                z = point["b"][row]
                z += sum(point["Wx"][row, j] * point["x"][j, sample] for j in range(D))
                z += sum(point["Wh"][row, j] * point["h_prev"][j, sample] for j in range(H))
                value[gate] = TABLE[cell.name][gate](z)
            value["c"] = value["f"] * point["c_prev"][unit, sample] + value["i"] * value["g"]
            value["tanh_c"] = math.tanh(value["c"])
            value["h"] = value["o"] * value["tanh_c"]
            for name, expected in value.items():
                assert getattr(trace, name)[unit, sample] == pytest.approx(expected, rel=1e-13), name
    for name in ("x", "h_prev", "c_prev"):
        assert getattr(trace, name) is point[name]


def test_step_backward_is_the_complex_step_derivative(cell, point):
    """L = Σ dh∘h + Σ dc∘c; ∂L/∂z is measured through b at a batch of one."""
    rng = np.random.default_rng(12)
    dh, dc = rng.standard_normal((2, H, B))

    def loss(**changed):
        trace = step_forward(cell, **(point | changed))
        return (dh * trace.h).sum() + (dc * trace.c).sum()

    grads = step_backward(cell, point["Wx"], point["Wh"], step_forward(cell, **point), dh, dc)
    for name, value in point.items():
        measured = np.empty_like(value)
        for at in np.ndindex(value.shape):
            moved = value.astype(complex)
            moved[at] += 1e-30j
            measured[at] = loss(**{name: moved}).imag / 1e-30
        same(getattr(grads, name), measured, 1e-13)


def test_step_backward_gives_the_error_of_z_and_of_c(cell, point):
    """dz through its consequences (b, x, h_prev), dc as ∂L/∂c_prev / f."""
    dh, dc = np.random.default_rng(13).standard_normal((2, H, B))
    trace = step_forward(cell, **point)
    grads = step_backward(cell, point["Wx"], point["Wh"], trace, dh, dc)
    same(grads.b, grads.z.sum(axis=1))
    same(grads.x, point["Wx"].T @ grads.z)
    same(grads.h_prev, point["Wh"].T @ grads.z)
    same(grads.c * trace.f, grads.c_prev)
    same(grads.z[:H], grads.c * point["c_prev"] * trace.f * (1 - trace.f))


def test_step_backward_leaves_its_arguments_alone(cell, point):
    dh, dc = np.random.default_rng(14).standard_normal((2, H, B))
    before = [a.copy() for a in (dh, dc, *point.values())]
    step_backward(cell, point["Wx"], point["Wh"], step_forward(cell, **point), dh, dc)
    assert all(np.array_equal(a, b) for a, b in zip(before, (dh, dc, *point.values()), strict=True))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_slope_is_the_derivative_written_with_the_value(name):
    z = np.linspace(-4, 4, 41)
    value, slope = ACTIVATIONS[name]
    same(slope(value(z)), value(z + 1e-30j).imag / 1e-30, 1e-14)


@pytest.mark.parametrize(("name", "limits"), [("sigmoid", (0, 1)), ("tanh", (-1, 1))])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_activations_keep_dtype_and_never_overflow(name, limits, dtype):
    value = ACTIVATIONS[name].value(np.array([-1e30, 1e30], dtype))
    assert value.dtype == dtype
    assert value.tolist() == list(limits)


def test_an_unknown_cell_is_refused_with_the_valid_names():
    with pytest.raises(ValueError, match="unknown cell 'gru'; the cells are brief, standard"):
        get_cell("gru")
