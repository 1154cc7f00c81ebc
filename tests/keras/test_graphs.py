"""from_keras walks the graph of a model: all that is no chain of layers would be lost, so it is refused."""

from __future__ import annotations

import pytest

from lstm_lib.keras import from_keras, keras

LSTM, DENSE = keras.layers.LSTM, keras.layers.Dense

GRAPHS = {
    "an operation below": (lambda x: DENSE(1)(LSTM(4)(x / 100.0)), "'true_divide.*no layer"),
    "steps left out": (lambda x: DENSE(1)(LSTM(4)(x[:, -2:])), "'get_item.*no layer"),
    "a factor": (lambda x: DENSE(1)(LSTM(4)(x) * 2.0), "'multiply.*no layer"),
    "relu": (lambda x: DENSE(1)(keras.ops.relu(LSTM(4)(x))), "'relu.*no layer"),
    "the last step": (lambda x: DENSE(1)(LSTM(4, return_sequences=True)(x)[:, -1]), "'get_item.*no layer"),
    "an operation above": (lambda x: DENSE(1)(LSTM(4)(x)) + 1.0, "'add.*no layer"),
    "a residual": (lambda x: DENSE(2)(LSTM(2, return_sequences=True)(x)) + x, "'add.*no layer"),
    "a state": (
        lambda x: DENSE(1)(LSTM(2, name="a")(x, initial_state=[x[:, 0], x[:, 1]])),
        "'a' takes or gives 3",
    ),
    "two outputs": (
        lambda x: (lambda h: [DENSE(1)(LSTM(4)(h)), h])(LSTM(4, return_sequences=True)(x)),
        "model 'm' takes or gives 2 tensors",
    ),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_that_is_no_chain_of_layers_is_refused_by_what_stands_in_it(name):
    build_up, message = GRAPHS[name]
    inputs = keras.Input((5, 2))
    with pytest.raises(ValueError, match=message):
        from_keras(keras.Model(inputs, build_up(inputs), name="m"))


def test_a_layer_that_is_used_twice_is_refused():
    twice, inputs = LSTM(2, return_sequences=True, name="a"), keras.Input((5, 2))
    with pytest.raises(ValueError, match="layer 'a' is used twice; only a chain of layers can be converted"):
        from_keras(keras.Model(inputs, DENSE(1)(twice(twice(inputs)))))
