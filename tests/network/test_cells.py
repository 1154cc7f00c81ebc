"""The plain pair: one step of every cell against its equations in scalars, its derivative against complex steps."""

import math

import numpy as np
import pytest

from lstm_lib.network import cells
from lstm_lib.network.cells import ACTIVATIONS, CELLS, Activation, get_cell, lstm
from lstm_lib.network.step import step_backward, step_forward
from tests.cases import same

D, H, B = 2, 3, 4
LOGISTIC = lambda z: 1 / (1 + math.exp(-z))  # noqa: E731


# --------------------------------------------------------------------- the papers' equations, written out once more
# Each takes the weights of one unit as functions of a matrix and a gate: x("f") = Wx_f x, h("f") = Wh_f h_prev of that
# unit, and so on; `other(gate, vector)` multiplies the unit's row of Wh with another vector.


def lstm_by_hand(act_o, act_g):
    def step(x, h, b, at):
        f, i = LOGISTIC(x("f") + h("f") + b("f")), LOGISTIC(x("i") + h("i") + b("i"))
        o, g = act_o(x("o") + h("o") + b("o")), act_g(x("g") + h("g") + b("g"))
        c = f * at["c_prev"] + i * g
        return {"f": f, "i": i, "o": o, "g": g, "c": c, "tanh_c": math.tanh(c), "h": o * math.tanh(c)}

    return step


def peephole_by_hand(x, h, b, at):
    p = at["p"]
    f = LOGISTIC(x("f") + h("f") + b("f") + p("f") * at["c_prev"])
    i = LOGISTIC(x("i") + h("i") + b("i") + p("i") * at["c_prev"])
    g = math.tanh(x("g") + h("g") + b("g"))
    c = f * at["c_prev"] + i * g
    o = LOGISTIC(x("o") + h("o") + b("o") + p("o") * c)
    return {"f": f, "i": i, "o": o, "g": g, "c": c, "tanh_c": math.tanh(c), "h": o * math.tanh(c)}


def rnn_by_hand(x, h, b, at):
    g = math.tanh(x("g") + h("g") + b("g"))
    return {"g": g, "h": g}


def gru_by_hand(x, h, b, at):
    bh = at["bh"]
    z, r = LOGISTIC(x("z") + b("z") + h("z") + bh("z")), LOGISTIC(x("r") + b("r") + h("r") + bh("r"))
    u = h("g") + bh("g")
    g = math.tanh(x("g") + b("g") + r * u)
    return {"z": z, "r": r, "u": u, "g": g, "h": z * at["h_prev"] + (1 - z) * g}


def gru_v3_by_hand(x, h, b, at):
    z, r = LOGISTIC(x("z") + h("z") + b("z")), LOGISTIC(x("r") + h("r") + b("r"))
    g = math.tanh(x("g") + at["reset"]("g") + b("g"))
    return {"z": z, "r": r, "g": g, "rh": r * at["h_prev"], "h": z * at["h_prev"] + (1 - z) * g}


BY_HAND = {
    "standard": lstm_by_hand(LOGISTIC, math.tanh),
    "brief": lstm_by_hand(math.tanh, LOGISTIC),
    "rnn": rnn_by_hand,
    "gru": gru_by_hand,
    "gru_v3": gru_v3_by_hand,
    "peephole": peephole_by_hand,
}
GATES = {"standard": "fiog", "brief": "fiog", "rnn": "g", "gru": "zrg", "gru_v3": "zrg", "peephole": "fiog"}


@pytest.fixture(params=CELLS)
def cell(request):
    return CELLS[request.param]


def weights_of(cell):
    rng, widths = np.random.default_rng(11), {"Wx": (D,), "Wh": (H,)}
    return {
        matrix: rng.standard_normal((len(gates) * H, *widths.get(matrix, ())))
        for matrix, gates in cell.matrices.items()
    }


def point_of(cell):
    """Inputs and states, by the names they have in a step's trace."""
    rng = np.random.default_rng(12)
    return {"x": rng.standard_normal((D, B))} | {
        f"{s}_prev": rng.standard_normal((H, B)) for s in cell.states
    }


def run(cell, weights, point):
    return step_forward(cell, weights, *point.values())


def test_the_cells_are_those_of_the_table():
    assert {name: cell.gates for name, cell in CELLS.items()} == GATES
    assert all(CELLS[name].name == name for name in CELLS)
    assert {name: "".join(cell.states) for name, cell in CELLS.items()} == {
        name: "hc" if "f" in gates else "h" for name, gates in GATES.items()
    }
    assert all(cell.forget == ("f" if "f" in cell.gates else "") for cell in CELLS.values())


def by_hand(cell, weights, point, unit, sample):
    """The values of one unit in one sample, from the scalar equations."""
    x, h_prev = point["x"][:, sample], point["h_prev"][:, sample]

    def row(matrix, gate, unit=unit):
        return weights[matrix][cell.matrices[matrix].index(gate) * H + unit]

    def reset(gate):
        z_r = [row("Wx", "r", k) @ x + row("Wh", "r", k) @ h_prev + row("b", "r", k) for k in range(H)]
        return float(row("Wh", gate) @ (np.array([LOGISTIC(z) for z in z_r]) * h_prev))

    at = {name: float(a[unit, sample]) for name, a in point.items() if name != "x"}
    at |= {"reset": reset, "bh": lambda gate: float(row("bh", gate)), "p": lambda gate: float(row("p", gate))}
    return BY_HAND[cell.name](
        lambda gate: float(row("Wx", gate) @ x),
        lambda gate: float(row("Wh", gate) @ h_prev),
        lambda gate: float(row("b", gate)),
        at,
    )


def test_a_step_is_its_equations_in_scalars(cell):
    weights, point = weights_of(cell), point_of(cell)
    trace = run(cell, weights, point)
    for unit, sample in np.ndindex(H, B):
        expected = by_hand(cell, weights, point, unit, sample)
        assert expected.keys() == {*cell.values, *cell.made, *cell.states}
        for name, value in expected.items():
            assert getattr(trace, name)[unit, sample] == pytest.approx(value, rel=1e-12), name
    for name, value in point.items():
        assert getattr(trace, name) is value


def test_a_step_back_is_the_complex_step_derivative(cell):
    """L = Σ over states of an error times the state; every weight, x and every state before."""
    weights, point = weights_of(cell), point_of(cell)
    errors = np.random.default_rng(13).standard_normal((len(cell.states), H, B))

    def loss(moved):
        own = {name: moved.get(name, a) for name, a in weights.items()}
        trace = run(cell, own, {name: moved.get(name, a) for name, a in point.items()})
        return sum((e * getattr(trace, s)).sum() for e, s in zip(errors, cell.states, strict=True))

    grads = step_backward(cell, weights, run(cell, weights, point), *errors)
    for name, value in (weights | point).items():
        measured = np.empty_like(value)
        for at in np.ndindex(value.shape):
            moved = value.astype(complex)
            moved[at] += 1e-30j
            measured[at] = loss({name: moved}).imag / 1e-30
        same(getattr(grads, name), measured, 1e-13)


def test_a_step_back_gives_the_error_of_the_blocks(cell):
    """dz through its consequences: the biases of the blocks that read them, and x."""
    weights, point = weights_of(cell), point_of(cell)
    errors = np.random.default_rng(13).standard_normal((len(cell.states), H, B))
    grads = step_backward(cell, weights, run(cell, weights, point), *errors)
    blocks = grads.z.reshape(-1, H, B)
    for matrix in ("b", "bh"):
        if matrix in weights:
            same(getattr(grads, matrix), blocks[list(cell.readers(matrix))].sum(axis=2).ravel())
    same(grads.x, weights["Wx"].T @ blocks[list(cell.readers("Wx"))].reshape(-1, B))


@pytest.mark.parametrize("name", ["standard", "brief"])
def test_the_whole_error_of_c_is_what_reaches_it(name):
    cell = CELLS[name]
    weights, point = weights_of(cell), point_of(cell)
    trace = run(cell, weights, point)
    grads = step_backward(cell, weights, trace, *np.random.default_rng(13).standard_normal((2, H, B)))
    same(grads.c * trace.f, grads.c_prev)
    same(grads.z[:H], grads.c * point["c_prev"] * trace.f * (1 - trace.f))


def test_a_step_back_leaves_its_arguments_alone(cell):
    weights, point = weights_of(cell), point_of(cell)
    errors = np.random.default_rng(14).standard_normal((len(cell.states), H, B))
    given = [errors, *weights.values(), *point.values()]
    before = [a.copy() for a in given]
    step_backward(cell, weights, run(cell, weights, point), *errors)
    assert all(np.array_equal(a, b) for a, b in zip(before, given, strict=True))


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


def test_no_error_is_zero_of_the_same_shape_and_dtype():
    error = np.ones((2, 3), np.float32)
    assert cells.no_error(error).dtype == np.float32
    assert not cells.no_error(error).any()


def test_an_unknown_cell_is_refused_with_the_valid_names():
    with pytest.raises(
        ValueError, match="unknown cell 'elman'; the cells are brief, gru, gru_v3, peephole, rnn, stan"
    ):
        get_cell("elman")


def test_a_row_with_an_unknown_activation_is_refused_by_name():
    with pytest.raises(
        ValueError, match=r"cell 'mine' has the activation 'relu' for gate g; those .* are sigmoid, tanh"
    ):
        lstm("mine", "", f="sigmoid", i="sigmoid", o="sigmoid", g="relu")


# --------------------------------------------------------------------------------------- a row of one's own


def relu(z):
    return np.maximum(z, 0)


def relu_slope(a):
    return np.sign(a)


def uncompilable(z):
    return np.vectorize(lambda a: max(a, 0.0))(z)


@pytest.fixture
def planted(monkeypatch):
    """A row as CONTRIBUTING says: one in ACTIVATIONS, one in CELLS, and nothing else."""

    def plant(value=relu):
        monkeypatch.setitem(ACTIVATIONS, "relu", Activation(value, relu_slope))
        row = lstm("relu", "with a relu candidate", f="sigmoid", i="sigmoid", o="sigmoid", g="relu")
        monkeypatch.setitem(CELLS, "relu", row)

    return plant


@pytest.mark.parametrize("engine", ["plain", "compiled"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_both_engines_run_a_row_of_one_s_own(planted, engine, dtype):
    """Of such a row the first edition's fast path gave another forecast than the plain pair, without a word."""
    import lstm_lib as ll
    from tests.cases import build, plain_backward, plain_forward

    planted()
    case = build(ll.Spec(2, (3, 2), 2, "relu"), T=9, dtype=dtype)
    yhat, traces = plain_forward(case)
    ours, trace = case.forward(engine=engine)
    same(ours, yhat)
    same(case.backward(trace), plain_backward(case, traces)[0])


def test_a_row_that_the_compiled_engine_can_t_run_is_refused_by_name(planted):
    import lstm_lib as ll
    from tests.cases import build

    planted(uncompilable)
    case = build(ll.Spec(2, (3,), 2, "relu"))
    with pytest.raises(
        ValueError, match=r"the compiled engine can't run the cell 'relu': .*; give engine='plain'"
    ):
        case.forward(engine="compiled")
    case.forward(engine="plain")
