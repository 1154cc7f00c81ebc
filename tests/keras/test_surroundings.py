"""What Keras puts around a zone, fixed or changing: every optimiser, callback and wrapper that is installed.

What is new in Keras falls into no table, and the test that counts them fails: it has to be tried, or excused with why.
"""

from __future__ import annotations

import importlib.util
import inspect

import numpy as np
import pytest

from lstm_lib.keras import IsolatedLSTM, Isolation, isolate_layer, keras
from tests.cases import identical, same
from tests.keras.layer_cases import KERAS_SAVES, D, H, T, arcs_of, compiled, data, model_of

ZONES = ("0/Wh/f", "0[0,2]", "0[1,3]", "0/Wx | 0/b")  # the second and the third have one structure


def exported(module, accepts):
    """The classes that a module of Keras exports, by name."""
    return {name for name, one in vars(module).items() if inspect.isclass(one) and accepts(one)}


class Watch(keras.callbacks.Callback):
    """Sees to it at every step that isolated arcs stay bit-identical."""

    def __init__(self, layer):
        super().__init__()
        self.layer, self.steps, self.moved = layer, 0, 0

    def on_train_batch_begin(self, batch, logs=None):
        self.before = arcs_of(self.layer)

    def on_train_batch_end(self, batch, logs=None):
        isolated, active = arcs_of(self.layer)
        identical(isolated, self.before[0])
        self.steps, self.moved = self.steps + 1, self.moved + bool((active != self.before[1]).any())


def follow(layer, moment):
    return ZONES[(moment.epoch - 1) % len(ZONES)]


def trained(rng, optimizer=None, callbacks=(), epochs=4, changing=True, **told):
    """A model after a few epochs at a fixed or at changing zones, and who watched it."""
    model, layer = compiled(rng, ZONES[0], optimizer=optimizer)
    watch = Watch(layer)
    callbacks = [*callbacks, *([Isolation("lstm", follow)] if changing and not callbacks else []), watch]
    told = {"epochs": epochs, "batch_size": 6, "verbose": 0, "shuffle": False} | told
    model.fit(*data(rng), callbacks=callbacks, **told)
    return model, layer, watch


# ------------------------------------------------------------------------------------------------- optimisers

K = keras.optimizers
OPTIMIZERS = exported(K, lambda one: issubclass(one, K.Optimizer)) | {"OptimizerMap"}
EXCUSED_OPTIMIZERS = {"Optimizer": "the base of all", "OptimizerMap": "a part of MultiOptimizer"}
MADE = {
    "LossScaleOptimizer": lambda: K.LossScaleOptimizer(K.Adam(0.01)),
    "MultiOptimizer": lambda: K.MultiOptimizer(K.OptimizerMap(K.Adam(0.01))),
}
# Those that can't be divided by arcs: refused where a zone changes, and right at a fixed one.
REFUSED = {
    "Adafactor": "keeps rows and columns of a matrix",
    "LossScaleOptimizer": "keeps moments in the optimiser within",
    "MultiOptimizer": "keeps moments in the optimisers within",
    "Muon": "has one rule for matrices and another for lists",
}
WITHIN = {"LossScaleOptimizer": "auto_scale_loss=False", "MultiOptimizer": "compile with one optimiser"}
OPTIONS = {
    "use_ema": {"use_ema": True, "ema_momentum": 0.9, "ema_overwrite_frequency": 2},
    "gradient accumulation": {"gradient_accumulation_steps": 2},
    "weight decay": {"weight_decay": 0.1},
    "clipnorm": {"clipnorm": 0.1},
    "global_clipnorm": {"global_clipnorm": 0.1},
    "a schedule": {"learning_rate": K.schedules.ExponentialDecay(0.01, 2, 0.9)},
    "a scale": {"loss_scale_factor": 8.0},
}
CASES = sorted(OPTIMIZERS - set(EXCUSED_OPTIMIZERS)) + list(OPTIONS)


def made(name):
    if name in OPTIONS:
        return K.AdamW(**{"learning_rate": 0.01} | OPTIONS[name])
    return MADE.get(name, lambda: getattr(K, name)(0.01))()


def test_every_optimiser_that_keras_exports_is_known():
    assert set(MADE) | set(REFUSED) | set(EXCUSED_OPTIMIZERS) <= OPTIMIZERS


@pytest.mark.parametrize("name", CASES)
def test_an_optimiser_leaves_the_arcs_of_a_fixed_zone_alone(rng, name):
    _, _, watch = trained(rng, made(name), changing=False, epochs=1)
    assert watch.steps == 2
    assert watch.moved >= 1


@pytest.mark.parametrize("name", [name for name in CASES if name not in REFUSED])
def test_an_optimiser_goes_with_a_changing_zone(rng, name):
    _, _, watch = trained(rng, made(name))
    assert watch.steps == 2 * len(ZONES)
    assert watch.moved >= len(ZONES)


@pytest.mark.parametrize("name", [name for name in CASES if name not in REFUSED])
def test_there_and_back_again_is_as_if_nothing_had_been(rng, name):
    """All that an optimiser keeps is carried over: a step after it is that of a model whose zone was not touched."""
    x, y = data(rng)
    outcomes, told = [], {"batch_size": 6, "verbose": 0, "shuffle": False}
    for there in ((), ("0[0,2]", "0/Wx", "0/Wh/f")):
        model, layer = compiled(np.random.default_rng(5), "0/Wh/f", optimizer=made(name))
        model.layers[-1].set_weights([np.full((H, 1), 0.3, "float32"), np.zeros(1, "float32")])
        model.fit(x, y, **told)
        for zone in there:
            assert layer.set_zone(zone, model=model)
        model.fit(x, y, **told)
        outcomes.append([*layer.get_weights(), *model.layers[-1].get_weights()])
    for a, b in zip(*outcomes, strict=True):
        identical(a, b)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_an_optimiser_that_can_not_be_divided_is_refused_before_the_first_step(rng, name):
    for given in (
        lambda m: Isolation("lstm", follow),
        lambda m: m.get_layer("lstm").set_zone("0/b", model=m),
    ):
        model, layer = compiled(rng, "0/Wh/f", optimizer=made(name))
        before, optimizer = model.get_weights(), model.optimizer
        with pytest.raises(
            ValueError, match=rf"{name} keeps .*{WITHIN.get(name, '')}(?s:.)*can't divide by arcs"
        ):
            model.fit(*data(rng), verbose=0, callbacks=[given(model)])
        assert (str(layer.zone), model.optimizer) == ("0/Wh/f", optimizer)
        for a, b in zip(model.get_weights(), before, strict=True):
            identical(a, b)


# ------------------------------------------------------------------------------------------------- callbacks

C = keras.callbacks
CALLBACKS = exported(C, lambda one: issubclass(one, C.Callback))
EXCUSED_CALLBACKS = {
    "Callback": "the base of all",
    "CallbackList": "holds the others in every fit",
    "RemoteMonitor": "sends figures through the network and touches nothing",
}
NEEDS = {"OrbaxCheckpoint": "orbax", "TensorBoard": "tensorboard"}  # packages that need not be there
EXCUSED_CALLBACKS |= {
    name: f"needs {package}, which is not installed"
    for name, package in NEEDS.items()
    if importlib.util.find_spec(package) is None
}
RUN = {
    "BackupAndRestore": lambda at: C.BackupAndRestore(at / "backup"),
    "CSVLogger": lambda at: C.CSVLogger(at / "log.csv"),
    "EarlyStopping": lambda at: C.EarlyStopping(patience=1, restore_best_weights=True),
    "History": lambda at: C.History(),
    "LambdaCallback": lambda at: C.LambdaCallback(on_epoch_end=lambda epoch, logs: None),
    "LearningRateScheduler": lambda at: C.LearningRateScheduler(lambda epoch, lr: 0.9 * lr),
    "ModelCheckpoint": lambda at: C.ModelCheckpoint(at / "best.weights.h5", save_weights_only=True),
    "OrbaxCheckpoint": lambda at: C.OrbaxCheckpoint(at / "orbax"),
    "ProgbarLogger": lambda at: C.ProgbarLogger(),
    "ReduceLROnPlateau": lambda at: C.ReduceLROnPlateau(patience=1),
    "SwapEMAWeights": lambda at: C.SwapEMAWeights(swap_on_epoch=True),
    "TensorBoard": lambda at: C.TensorBoard(at / "board", histogram_freq=1),
    "TerminateOnNaN": lambda at: C.TerminateOnNaN(),
}


def test_every_callback_that_keras_exports_is_tried_or_excused():
    assert {*RUN, *EXCUSED_CALLBACKS} == CALLBACKS
    assert set(RUN) & set(EXCUSED_CALLBACKS) <= set(NEEDS)


# Those that put weights back, exchange them or stop the training: who comes first decides what they see.
TOUCH = {
    "BackupAndRestore",
    "EarlyStopping",
    "ModelCheckpoint",
    "OrbaxCheckpoint",
    "SwapEMAWeights",
    "TerminateOnNaN",
}
TRIED = [
    (name, order)
    for name in sorted(set(RUN) - set(EXCUSED_CALLBACKS))
    for order in ("fixed", "before", "after")
]


@KERAS_SAVES
@pytest.mark.parametrize(("name", "order"), [(n, o) for n, o in TRIED if o != "before" or n in TOUCH])
def test_a_callback_goes_with_a_zone(rng, tmp_path, name, order):
    """The watch sees every step; afterwards the weights are those of one network, whatever the callback put back."""
    callback, isolation = RUN[name](tmp_path), Isolation("lstm", follow)
    ordered = {"fixed": [callback], "before": [callback, isolation], "after": [isolation, callback]}[order]
    x, y = data(rng)
    averaged = name == "SwapEMAWeights"
    optimizer = K.Adam(0.01, use_ema=averaged, ema_momentum=0.9)
    model, layer, watch = trained(
        rng, optimizer, ordered, changing=False, epochs=len(ZONES), validation_data=(x, -y)
    )
    assert watch.moved == watch.steps > 2
    history = model.history.history
    if name == "EarlyStopping":
        assert model.evaluate(x, -y, verbose=0) == pytest.approx(min(history["val_loss"]), rel=1e-5)
    same(model(x).numpy(), isolate_layer(model, "lstm", None)(x).numpy(), 1e-5)
    if name == "ModelCheckpoint":
        values = layer.get_weights()
        layer.set_zone("0/Wx/g", model=model)
        layer.set_weights([np.zeros_like(w) for w in values])
        model.load_weights(tmp_path / "best.weights.h5")
        assert str(layer.zone) == "0/Wx/g"
        for a, b in zip(layer.get_weights(), values, strict=True):
            identical(a, b)


# ------------------------------------------------------------------------------------------------- wrappers

L = keras.layers
AROUND = {"layer", "layers", "cell", "cells"}
WRAPPERS = exported(
    L,
    lambda one: bool(AROUND & set(inspect.signature(one.__init__).parameters)) or issubclass(one, L.Wrapper),
)
EXCUSED_WRAPPERS = {
    "Wrapper": "the base of all",
    "Pipeline": "a chain of layers that prepare data, outside of the model",
}
# What is built around an IsolatedLSTM, with the layer to be looked at.
WRAPPED = {
    "Bidirectional": (lambda one: L.Bidirectional(one), lambda made: made.backward_layer, (T, D)),
    "TimeDistributed": (lambda one: L.TimeDistributed(one), lambda made: made.layer, (2, T, D)),
}
REFUSED_WRAPPERS = {
    "RNN": (lambda one: L.RNN(one), "it is no cell, which makes one step"),
    "StackedRNNCells": (lambda one: L.RNN(L.StackedRNNCells([one])), "it is no cell, which makes one step"),
    "SpectralNormalization": (lambda one: L.SpectralNormalization(one), "no attribute 'kernel'"),
}


def test_every_wrapper_that_keras_exports_is_tried_or_excused():
    assert {*WRAPPED, *REFUSED_WRAPPERS, *EXCUSED_WRAPPERS} == WRAPPERS


@pytest.mark.parametrize("name", WRAPPED)
def test_a_wrapped_layer_keeps_its_zone_and_changes_it(rng, name):
    wrap, inside, shape = WRAPPED[name]
    around = wrap(IsolatedLSTM(H, ZONES[0], name="lstm"))
    model = keras.Sequential([keras.Input(shape), around, L.Flatten(), L.Dense(1)])
    model.compile(K.Adam(0.01), "mse", run_eagerly=True)
    layer = inside(around)
    watch, x = Watch(layer), rng.standard_normal((12, *shape)).astype("float32")
    told = {"epochs": len(ZONES), "verbose": 0}
    model.fit(x, x.reshape(12, -1)[:, :1], callbacks=[Isolation(layer, follow), watch], **told)
    assert watch.moved == watch.steps == len(ZONES)


@pytest.mark.parametrize("name", REFUSED_WRAPPERS)
def test_a_wrapper_that_takes_no_layer_of_sequences_is_refused(name):
    wrap, message = REFUSED_WRAPPERS[name]
    with pytest.raises((ValueError, AttributeError), match=message):
        model_of(wrap(IsolatedLSTM(H, "0/Wh")))
