"""A small convolutional network: gradients, isolated filters bit for bit, the border, FLOPs, training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lstm_lib import Adam
from lstm_lib.convolution import (
    Conv,
    Geometry,
    Isolated,
    Net,
    Pool,
    backward,
    convolve,
    fit,
    forward,
    init_params,
    network,
    predict,
    training,
)
from lstm_lib.network.losses import LOSSES

PICTURE = Net(
    (2, 9, 7),
    (
        Conv(4, Geometry((3, 2), stride=(2, 1), padding="same"), "tanh"),
        Pool(Geometry((2, 3), stride=2), "mean"),
        Conv(5, Geometry((2, 2)), "tanh"),
    ),
    outputs=3,
    head="softmax",
)
LINE = Net(
    (1, 24), (Conv(3, Geometry(3, dilation=2, padding="causal")), Conv(4, Geometry(2, stride=2))), outputs=2
)
NETS = {"picture": PICTURE, "line": LINE}
REST = {
    "nothing": Isolated(),
    "filters": Isolated(filters={0: (0, 2)}),
    "a layer's filters": Isolated(filters={0: (0, 1, 2)}),
    "below": Isolated(below=1),
    "below and filters": Isolated(below=1, filters={1: (1, 3)}),
    "the head alone": Isolated(below=2),
}
CUT = {
    "cut": Isolated(filters={0: (0, 2), 1: (1, 3)}, depth="cut"),
    "cut above a border": Isolated(below=1, filters={1: (0, 1, 2, 3)}, depth="cut"),
}


def data(net: Net, dtype: str = "float64", n: int = 12) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, *net.inputs)).astype(dtype)
    y = (
        rng.integers(net.outputs, size=n)
        if net.head == "softmax"
        else rng.normal(size=(n, net.outputs)).astype(dtype)
    )
    return x, y


def params_of(net: Net, dtype: str = "float64") -> Any:
    rng = np.random.default_rng(1)
    return {k: p + rng.normal(size=p.shape) / 9 for k, p in init_params(net, 0, dtype).items()}  # biases too


@pytest.mark.parametrize("name", NETS)
def test_every_gradient_is_that_of_differences(name: str) -> None:
    net = NETS[name]
    (x, y), params = data(net), params_of(net)

    def loss(p: Any, at: Any) -> float:
        return float(LOSSES[net.head](forward(net, p, at)[0], y)[0])

    yhat, trace = forward(net, params, x)
    dy = LOSSES[net.head](yhat, y)[1]
    grads = backward(net, params, trace, dy, down=True)
    again = backward(net, params, trace, dy, down=True)
    assert set(grads) == {*net.shapes, "x"} and all((grads[k] == again[k]).all() for k in grads)
    rng = np.random.default_rng(2)
    for key, g in grads.items():
        given = x if key == "x" else params[key]
        assert g.shape == given.shape
        for at in rng.choice(given.size, min(given.size, 8), replace=False):
            ends = []
            for step in (1e-6, -1e-6):
                moved = given.copy()
                moved.flat[at] += step
                ends.append(loss(params, moved) if key == "x" else loss(params | {key: moved}, x))
            assert g.flat[at] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5, abs=1e-8), key


@pytest.mark.parametrize("what", REST)
def test_what_learns_keeps_its_gradient_and_the_rest_has_none(what: str) -> None:
    rest = REST[what]
    (x, y), params = data(LINE), params_of(LINE)
    yhat, trace = forward(LINE, params, x)
    dy = LOSSES["linear"](yhat, y)[1]
    whole = backward(LINE, params, trace, dy)
    known = network_below(params, x, rest.below)
    same, part = forward(LINE, params, known, rest.below)
    np.testing.assert_array_equal(same, yhat)
    grads, active = backward(LINE, params, part, dy, rest), LINE.active(rest)
    assert set(grads) == {k for k, rows in active.items() if np.arange(len(params[k]))[rows].size}
    for key, g in grads.items():
        np.testing.assert_allclose(g, whole[key][active[key]], rtol=1e-12)


def network_below(params: Any, x: Any, border: int) -> Any:
    from lstm_lib.convolution.training import _below

    return _below(LINE, params, x, border, batch=5)


def test_at_depth_cut_no_error_passes_through_an_isolated_filter() -> None:
    """Differences of a loss in which what the isolated filters of the upper layer say stays what it was."""
    (x, y), params, rest = data(LINE), params_of(LINE), CUT["cut"]
    first, second = (layer for layer in LINE.layers if isinstance(layer, Conv))
    yhat, trace = forward(LINE, params, x)
    grads = backward(LINE, params, trace, LOSSES["linear"](yhat, y)[1], rest, down=True)

    def loss(W: Any, b: Any) -> float:
        low = np.maximum(convolve(x, W, b, first.geometry)[0], 0)
        high = np.maximum(convolve(low, params["1/W"], params["1/b"], second.geometry)[0], 0)
        high[:, [1, 3]] = trace[1][2][:, [1, 3]]
        scores = high.reshape(len(x), -1) @ params["head/W"].T + params["head/b"]
        return float(LOSSES["linear"](scores, y)[0])

    assert grads["0/W"].shape == (1, 1, 3) and grads["1/W"].shape == (2, 3, 2)
    for k in range(3):
        ends = []
        for step in (1e-6, -1e-6):
            W = params["0/W"].copy()
            W[1, 0, k] += step
            ends.append(loss(W, params["0/b"]))
        assert grads["0/W"][0, 0, k] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5)
    whole = backward(LINE, params, trace, LOSSES["linear"](yhat, y)[1])
    np.testing.assert_allclose(grads["1/W"], whole["1/W"][[0, 2]], rtol=1e-12)  # above, nothing changes
    assert np.abs(grads["0/W"] - whole["0/W"][[1]]).max() > 1e-3


@pytest.mark.parametrize(("x", "y", "how", "said"), [
    (np.ones((0, 1, 24), "float32"), np.ones((0, 2)), {}, r"x is \(0, 1, 24\) of float32; expected at least"),
    (np.ones((4, 2, 24), "float32"), np.ones((4, 2)), {}, r"x is \(4, 2, 24\) .* sample of \(1, 24\)"),
    (np.ones((4, 1, 24), int), np.ones((4, 2)), {}, "of int64; expected .* floating numbers"),
    (np.full((4, 1, 24), np.nan), np.ones((4, 2)), {}, "96 of 96 numbers of x are not finite"),
    (np.ones((4, 1, 24)), np.ones(4), {}, r"y is \(4,\); the linear head takes \(4, 2\)"),
    (np.ones((4, 1, 24)), np.full((4, 2), np.inf), {}, "8 of 8 numbers of y are not finite"),
    (np.ones((4, 1, 24)), np.ones((4, 2)), {"batch": 0}, "batch must be a whole number of at least 1, got 0"),
    (np.ones((4, 1, 24)), np.ones((4, 2)), {"epochs": 0}, "epochs must be a whole number of at least 1, got 0"),
    (np.ones((4, 1, 24)), np.ones((4, 2)), {"rate": "fast"}, "rate is 'fast'; the choices are constant, cosine"),
])  # fmt: skip
def test_samples_and_settings_that_do_not_fit_are_refused(x: Any, y: Any, how: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        fit(LINE, x, y, **how)


def test_classes_and_batches_that_do_not_fit_are_refused() -> None:
    x, params = np.ones((2, 2, 9, 7)), init_params(PICTURE)
    with pytest.raises(ValueError, match=r"y has the classes \[3\]; the head has 0 to 2"):
        fit(PICTURE, x, np.array([0, 3]))
    with pytest.raises(ValueError, match=r"y is \(2, 1\); the softmax head takes \(2, 3\) or classes \(2,\)"):
        fit(PICTURE, x, np.zeros((2, 1)))
    with pytest.raises(ValueError, match="at least one sample"):
        predict(PICTURE, params, x[:0])
    with pytest.raises(ValueError, match="batch must be a whole number"):
        predict(PICTURE, params, x, batch=0)
    with pytest.raises(ValueError, match="numbers of x are not finite"):
        predict(PICTURE, params, x * np.nan)


@pytest.mark.parametrize(
    "optimizer", [Adam(lr=0.05), Adam(lr=0.05, weight_decay=0.1, clip_norm=0.1, amsgrad=True)]
)
@pytest.mark.parametrize("what", REST | CUT)
def test_what_rests_is_bit_for_bit_what_it_was(what: str, optimizer: Adam) -> None:
    rest, (x, y) = (REST | CUT)[what], data(LINE, "float32", 40)
    before = init_params(LINE, 3)
    after, history = fit(LINE, x, y, epochs=3, batch=8, seed=3, isolated=rest, optimizer=optimizer)
    assert history["epoch"].tolist() == [1, 2, 3]
    active = LINE.active(rest)
    for key, p in before.items():
        learns = np.zeros(len(p), bool)
        if key in active:
            learns[active[key]] = True
        np.testing.assert_array_equal(after[key][~learns], p[~learns])
        assert (after[key][learns] != p[learns]).any() or not learns.any()
    again, _ = fit(LINE, x, y, epochs=3, batch=8, isolated=rest, optimizer=optimizer, params=before, seed=3)
    assert all((again[k] == after[k]).all() for k in after)


def test_isolating_nothing_is_the_plain_training_bit_for_bit() -> None:
    x, y = data(PICTURE, "float32", 30)
    plain, nothing = (
        fit(PICTURE, x, y, epochs=2, isolated=rest)[0] for rest in (None, Isolated(filters={0: ()}))
    )
    assert all((plain[k] == nothing[k]).all() for k in plain)


@pytest.mark.parametrize("what", REST | CUT)
def test_flops_are_those_of_the_products_that_are_made(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rest, (x, y), params, made = (
        (REST | CUT)[what],
        data(LINE),
        params_of(LINE),
        {"forward": 0, "error": 0, "weights": 0},
    )
    real, back = network.convolve, network.convolve_backward

    def counted(x: Any, W: Any, b: Any, g: Any) -> Any:
        found = real(x, W, b, g)
        made["forward"] += 2 * W.size * found[1].shape[1]
        return found

    def counted_back(dy: Any, patches: Any, W: Any, *others: Any, down: bool, cut: bool) -> Any:
        found = back(dy, patches, W, *others, down=down, cut=cut)
        made["weights"] += 2 * found[0].size * patches.shape[1]
        made["error"] += 2 * (found[0] if cut else W).size * patches.shape[1] * down
        return found

    monkeypatch.setattr(network, "convolve", counted)
    monkeypatch.setattr(network, "convolve_backward", counted_back)
    known = network_below(params, x, rest.below)
    made["forward"] = 0
    yhat, trace = forward(LINE, params, known, rest.below)
    backward(LINE, params, trace, LOSSES["linear"](yhat, y)[1], rest)
    head = 2 * len(x) * params["head/W"].size
    expected = {k: len(x) * n for k, n in LINE.flops(rest).items()}
    below_head = LINE.lowest(rest) < len(LINE.layers)
    assert {
        "forward": made["forward"] + head,
        "error": made["error"] + head * below_head,
        "weights": made["weights"] + head,
    } == expected


def test_it_learns_what_a_plain_head_cannot() -> None:
    """Where a bump stands says nothing, whether it is narrow or wide does."""
    rng = np.random.default_rng(0)
    x, wide = np.zeros((400, 1, 32), "float32"), rng.integers(2, size=400)
    for row, is_wide, at in zip(x, wide, rng.integers(4, 24, 400), strict=True):
        row[0, at : at + (4 if is_wide else 2)] = 1 if not is_wide else 0.5
    net = Net((1, 32), (Conv(6, Geometry(4)), Pool(Geometry(29))), outputs=2, head="softmax")
    params, history = fit(net, x[:300], wide[:300], epochs=30, optimizer=Adam(lr=0.01))
    assert history["loss"].iloc[-1] < 0.1 < history["loss"].iloc[0]
    assert (predict(net, params, x[300:]).argmax(axis=1) == wide[300:]).mean() > 0.95


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: Net((1, 8), (), 1, head="max"), "head is 'max'; the choices are linear, softmax"),  # type: ignore[arg-type]
        (lambda: Net((1, 8), (Conv(1, Geometry(2), "cos"),), 1), "activation is 'cos'"),  # type: ignore[arg-type]
        (lambda: Net((1, 8), (Conv(1, Geometry(9)),), 1), "smaller than a patch"),
        (lambda: Net((1, 8), (), 0), "outputs takes a whole number of at least 1, got 0"),
        (lambda: Conv(2.5, Geometry(2)), "filters takes a whole number of at least 1, got 2.5"),  # type: ignore[arg-type]
        (lambda: Isolated(depth="hold"), "depth is 'hold'; the choices for filters are skip, cut"),  # type: ignore[arg-type]
        (
            lambda: LINE.active(Isolated(filters={1: (0, 1, 2, 3)}, depth="cut")),
            "layer 1 rests altogether, and at depth 'cut' no error passes it, .* give below=2, or depth='skip'",
        ),
        (lambda: LINE.active(Isolated(below=3)), "below is 3; the network has 2 layers"),
        (lambda: LINE.active(Isolated(filters={0: (1, 7)})), r"layer 0 has no filters \[7\], it has 3"),
        (lambda: LINE.active(Isolated(filters={5: (1,)})), r"layer 5 has no filters \[1\], it has 0"),
        (
            lambda: forward(LINE, params_of(LINE), np.ones((4, 1, 23))),
            r"x is \(4, 1, 23\); expected \('B', 1, 24\)",
        ),
    ],
)
def test_what_does_not_fit_is_refused(wrong: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        wrong()


def test_a_trace_of_all_layers_gives_the_same_gradient_as_one_from_the_border() -> None:
    """Two layers of equal shapes, where the trace of another layer would fit without a word."""
    same = Geometry(3, padding="same")
    net = Net((2, 6), (Conv(2, same, "tanh"), Conv(2, same, "tanh")), 1)
    params, x = init_params(net, 0, "float64"), np.random.default_rng(0).standard_normal((3, 2, 6))
    yhat, trace = forward(net, params, x)
    dense = backward(net, params, trace, yhat)
    found = backward(net, params, trace, yhat, Isolated(below=1))
    assert found.keys() == dense.keys() - {"0/W", "0/b"}
    assert all(np.array_equal(found[name], dense[name]) for name in found)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("below", [0, 1, 2, 3])
def test_what_is_remembered_is_counted(below: int, dtype: str) -> None:
    x, _ = data(PICTURE, dtype)
    params = init_params(PICTURE, dtype=dtype)
    held = training._below(PICTURE, params, x, below)
    assert PICTURE.remembered(Isolated(below=below), len(x), dtype) == (held.nbytes if below else 0)


def test_nothing_is_counted_for_a_border_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="below is 4; the network has 3 layers"):
        PICTURE.remembered(Isolated(below=4), 1)


def test_the_rate_runs_over_all_steps_of_all_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []

    def noted(part: float) -> float:
        seen.append(part)
        return 0.0

    monkeypatch.setitem(training.RATES, "noted", noted)
    trained, _ = fit(LINE, *data(LINE), epochs=3, batch=5, rate="noted")
    assert seen == [k / 9 for k in range(9)]  # three batches of the twelve samples
    for name, p in init_params(LINE, dtype="float64").items():
        np.testing.assert_array_equal(trained[name], p)


def test_weights_are_drawn_as_wide_as_both_fans_say() -> None:
    drawn = init_params(Net((3, 9), (Conv(64, Geometry(5)),), outputs=7))
    for name, fans in {"0/W": 5 * (3 + 64), "head/W": 64 * 5 + 7}.items():
        limit = (6 / fans) ** 0.5
        assert 0.98 * limit < abs(drawn[name]).max() <= limit * (1 + 1e-6)
