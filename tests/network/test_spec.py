"""The shape of a network and its first parameters."""

import numpy as np
import pytest

import lstm_lib as ll
from tests.cases import identical, same

STACK = ll.Spec(2, (3, 2), 2, output="every")


def test_shapes_of_a_stack():
    spec = ll.Spec(5, (3, 2), 4)
    assert spec.shapes == {
        "0/Wx": (12, 5), "0/Wh": (12, 3), "0/b": (12,), "1/Wx": (8, 3), "1/Wh": (8, 2), "1/b": (8,),
        "head/W": (4, 2), "head/b": (4,),
    }  # fmt: skip
    assert [*spec.shapes] == ["0/Wx", "0/Wh", "0/b", "1/Wx", "1/Wh", "1/b", "head/W", "head/b"]
    assert spec.size == 60 + 36 + 12 + 24 + 16 + 8 + 8 + 4
    assert (spec.layers, spec.fan_in(0), spec.fan_in(1)) == (2, 5, 3)
    assert ll.Spec(5, 3, 4).units == (3,)
    assert ll.Spec(5, [3, 2], 4) == spec


def test_initial_weights_are_glorot_orthogonal_and_zero_but_for_the_forget_gate():
    spec = ll.Spec(20, (16, 12), 9)
    params = ll.init_params(spec, seed=3, dtype="float64", forget_bias=1.5)
    assert {k: p.shape for k, p in params.items()} == spec.shapes
    rng = np.random.default_rng(3)
    for k, p in params.items():
        if k.endswith("/Wh"):
            same(p.T @ p, np.eye(p.shape[1]))
            # uniform over orthogonal matrices: p is the Q of the draw whose R has a positive diagonal
            r = p.T @ rng.standard_normal(p.shape)
            same(np.tril(r, -1), np.zeros_like(r), 1e-12 / 1e-300)
            assert (np.diag(r) > 0).all()
        elif p.ndim == 2:
            limit = np.sqrt(6 / (p.shape[0] + p.shape[1]))
            identical(p, rng.uniform(-limit, limit, p.shape))
        elif k == "head/b":
            assert not p.any()
        else:
            H = len(p) // 4
            assert p.tolist() == [1.5] * H + [0.0] * 3 * H


@pytest.mark.parametrize(
    ("cell", "shapes"),
    [
        ("rnn", {"0/Wx": (4, 2), "0/Wh": (4, 4), "0/b": (4,)}),
        ("gru", {"0/Wx": (12, 2), "0/Wh": (12, 4), "0/b": (12,), "0/bh": (12,)}),
        ("gru_v3", {"0/Wx": (12, 2), "0/Wh": (12, 4), "0/b": (12,)}),
        ("peephole", {"0/Wx": (16, 2), "0/Wh": (16, 4), "0/b": (16,), "0/p": (12,)}),
    ],
)
def test_other_cells_have_the_shapes_of_their_gates_and_biases_of_zero(cell, shapes):
    spec = ll.Spec(2, (4,), 1, cell)
    assert spec.shapes == shapes | {"head/W": (1, 4), "head/b": (1,)}
    params = ll.init_params(spec, dtype="float64")
    same(params["0/Wh"].T @ params["0/Wh"], np.eye(4))
    biases = np.concatenate([p for k, p in params.items() if p.ndim == 1 and k != "head/b"])
    assert sorted(set(biases)) == ([0.0, 1.0] if cell == "peephole" else [0.0])


def test_initial_weights_by_default():
    spec = ll.Spec(2, (3,), 1)
    params = ll.init_params(spec)
    assert {p.dtype.name for p in params.values()} == {"float32"}
    assert params["0/b"][:3].tolist() == [1.0] * 3
    identical(params, ll.init_params(spec, seed=0, dtype=np.float32, forget_bias=1.0))
    assert not np.array_equal(params["0/Wx"], ll.init_params(spec, seed=1)["0/Wx"])
    wide = ll.init_params(spec, dtype="float64")
    identical(params, {k: p.astype("float32") for k, p in wide.items()})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": 0}, r"Spec.inputs must be a whole number of at least 1, got 0"),
        ({"inputs": 2.0}, r"Spec.inputs must be .* got 2.0"),
        ({"inputs": True}, r"Spec.inputs must be .* got True"),
        ({"outputs": -1}, r"Spec.outputs must be .* got -1"),
        ({"units": (3, 0)}, r"Spec.units must be .* got 0"),
        ({"units": ()}, r"Spec.units is empty; give one entry a layer"),
        (
            {"cell": "elman"},
            r"unknown cell 'elman'; the cells are brief, gru, gru_v3, peephole, rnn, standard",
        ),
        ({"head": "relu"}, r"Spec.head is 'relu'; the choices are linear, softmax"),
        ({"output": "first"}, r"Spec.output is 'first'; the choices are last, every"),
    ],
)
def test_a_spec_refuses(change, message):
    with pytest.raises(ValueError, match=message):
        ll.Spec(**({"inputs": 2, "units": (3,), "outputs": 1} | change))


@pytest.mark.parametrize("dtype", ["float16", "int64", "complex128"])
def test_init_params_refuses_other_dtypes(dtype):
    with pytest.raises(ValueError, match=f"dtype is {dtype}; the choices are float32, float64"):
        ll.init_params(STACK, dtype=dtype)
