"""The same training in Keras: the same numbers up to rounding, so that its time may be compared."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

import lstm_lib as ll
from lstm_lib.experiments import Configuration, Task, row, run, runs, sweep
from lstm_lib.experiments.configuration import KERAS_CELLS
from tests.cases import identical

# 602 windows: the last of ten batches is smaller. Ten epochs of rounding stay far below this; a wrong rate, order of
# gates, weight or batch does not.
TASK, TOLERANCE = Task(lookback=6, every=40), 1e-5


def small(engine: str, **settings: Any) -> Configuration:
    return Configuration(engine, **{"task": TASK, "units": (5,), "epochs": 3, "engine": engine} | settings)


# The engines differ by what Keras is asked to compile with alone: each setting is tried with one of them.
@pytest.mark.parametrize(
    ("engine", "settings"),
    [
        ("keras", {}),
        ("keras-xla", {}),
        ("keras-xla", {"rate": "step", "optimizer": {"form": "keras", "beta1": 0.8}, "units": (4, 3)}),
        (
            "keras",
            {"rate": "constant", "optimizer": {"clip_norm": 0.1, "weight_decay": 0.1, "amsgrad": True}},
        ),
        ("keras", {"task": Task(lookback=6, horizon=3, steps="all", every=40), "batch": 600}),
        ("keras-xla", {"task": Task("fontana", lookback=6, length=30, warmup=6), "batch": 50}),
        *(("keras", {"cell": cell, "epochs": 1}) for cell in KERAS_CELLS[1:-1]),
        ("keras-xla", {"cell": KERAS_CELLS[-1], "epochs": 1}),
    ],
    ids=[
        "cosine",
        "cosine, XLA",
        "step-keras, XLA",
        "options",
        "one batch, every step",
        "sequences, XLA",
        *KERAS_CELLS[1:],
    ],
)
def test_keras_gives_the_same_curve(engine: str, settings: dict[str, Any]) -> None:
    ours, theirs = (run(small(made_by, **settings), seed=2) for made_by in ("lstm_lib", engine))
    columns = ["epoch", "valid_loss", "valid_rmse"]
    np.testing.assert_allclose(theirs.history[columns], ours.history[columns], rtol=TOLERANCE)
    for name, p in ours.params.items():
        np.testing.assert_allclose(theirs.params[name], p, atol=TOLERANCE)
        assert theirs.params[name].dtype == p.dtype
    found = (
        [row(small(r), 2, record) for r, record in (("lstm_lib", ours), (engine, theirs))]
        if not settings
        else []
    )
    for name in ("test_rmse", "test_mae", "best_valid"):
        assert all(r[name] == pytest.approx(found[0][name], rel=TOLERANCE) for r in found)
    assert (theirs.history["seconds"] > 0).all()


def test_xla_compiles_the_rate_for_all_steps_at_once() -> None:
    """A step whose number becomes a constant of the program is compiled anew each time, for seconds."""
    from lstm_lib.keras import tf

    schedule = runs._keras_adam(small("keras-xla"), steps=10)._learning_rate
    step = tf.Variable(1, dtype="int64")
    rate = tf.function(lambda: schedule(step), jit_compile=True)
    programs = []
    for number in (1, 7):
        step.assign(number)
        programs.append(rate.experimental_get_compiler_ir()(stage="hlo"))
    assert programs[0] == programs[1]


def test_keras_gives_the_same_twice_and_is_swept_like_ours(tmp_path: Any) -> None:
    both = [small("lstm_lib"), small("keras")]
    table = sweep(both, [1], tmp_path, progress=False)
    assert table["engine"].tolist() == ["lstm_lib", "keras"]
    assert "tensorflow" in table["versions"][1]
    record = run(small("keras"), 1)
    assert record.history["valid_rmse"].tolist() == table["valid_rmse"][1]


def test_the_best_parameters_are_those_of_the_best_epoch() -> None:
    wild = small("keras", lr=0.2, rate="constant")
    record = run(wild, 0)
    best = int(record.history["valid_loss"].argmin())
    assert best + 1 < 3
    loss, _ = ll.mse(ll.predict(wild.spec, record.best_params, TASK.split().valid), TASK.split().valid.y)
    assert loss == record.history["valid_loss"][best]


def test_a_record_of_keras_is_not_resumed() -> None:
    record = run(small("keras", epochs=1), 0)
    with pytest.raises(ValueError, match="cannot resume with other settings"):
        ll.fit(record.spec, TASK.split().train, epochs=2, batch=64, resume=record, progress=False)


def test_keras_that_diverges_says_so() -> None:
    with np.errstate(all="ignore"), pytest.raises(ll.Diverged, match=r"in epoch 1; try a smaller") as caught:
        run(small("keras", lr=1e38, rate="constant"), 0)
    assert len(caught.value.record.history) == 0
    identical(caught.value.record.params, ll.init_params(small("keras").spec, 0))


def test_another_number_of_threads_is_refused_once_tensorflow_runs() -> None:
    from lstm_lib.keras import tf

    assert tf is not None
    assert os.environ["TF_NUM_INTRAOP_THREADS"] == "1"
    with pytest.raises(ValueError, match=r"TensorFlow has started with .* wants 2 threads"):
        run(small("keras", threads=2), 0)
