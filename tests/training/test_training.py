"""`fit` and the record it leaves: repeatable to the bit, resumable, interruptible, clear about refusals."""

import contextlib
import dataclasses
import itertools
import math
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lstm_lib as ll
from lstm_lib.network.cells import CELLS
from lstm_lib.network.compiled_loops import loops
from lstm_lib.training import step
from lstm_lib.training.adam import FORMS
from lstm_lib.training.loop import in_steps
from lstm_lib.training.rates import RATES
from lstm_lib.training.record import HISTORY
from lstm_lib.training.samples import Arrays
from lstm_lib.training.step import SMALL_PRODUCT, Step, threads_for
from tests.cases import identical, same
from tests.training.fit_cases import (
    BATCH,
    SPEC,
    TRAIN,
    VALID,
    N,
    arrays,
    equal_but_for_time,
    fit,
    interrupting,
)  # fmt: skip

COMPILING = "Compiling the network's loops: some seconds, once on this machine."
PLANS = {
    "no isolation": None,
    "isolated units": ll.isolate(SPEC, ll.zone(SPEC, layer=0, unit=1)),
    "head alone": ll.isolate(SPEC, ~ll.zone(SPEC, layer="head")),
    "a gate on hold, span 2": ll.isolate(SPEC, ll.zone(SPEC, gate="i"), depth="hold", span=2),
}


# --------------------------------------------------------------------------------------- the same run again


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("plan", PLANS)
def test_the_same_run_gives_the_same_bits(plan, form):
    settings = {"isolation": PLANS[plan], "optimizer": ll.Adam(0.01, form=form), "rate": "cosine"}
    equal_but_for_time(fit(**settings), fit(**settings))


def test_another_seed_is_another_run():
    a, b = fit(seed=0), fit(seed=1)
    assert not np.array_equal(a.params["0/Wx"], b.params["0/Wx"])
    # also from the same parameters: the order of the batches depends on the seed
    start = ll.init_params(SPEC)
    a, b = fit(seed=0, params=start), fit(seed=1, params=start)
    assert not np.array_equal(a.params["0/Wx"], b.params["0/Wx"])


@pytest.mark.parametrize("rate", ["cosine", "constant"])
@pytest.mark.parametrize("plan", PLANS)
def test_resumed_after_an_interruption_at_any_step_equals_the_uninterrupted_run(plan, rate, tmp_path):
    settings = {"isolation": PLANS[plan], "optimizer": ll.Adam(0.01), "rate": rate}
    whole = fit(**settings)
    for at in (1, 4, 5, 6, 10, 11, 14, 15):  # of 3 epochs of 5 steps; call 0 looks at the dtype
        stopped = fit(train=interrupting(TRAIN, at), **settings)
        assert stopped.interrupted
        assert stopped.history["epoch"].tolist() == [*range(1, (at - 1) // 5 + 1)]
        again = stopped if at % 2 else ll.Record.load(stopped.save(tmp_path / "stopped"))
        equal_but_for_time(fit(resume=again, **settings), whole)


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_resumed_after_an_interruption_during_validation(epoch):
    """The epoch that was not closed is trained once more, from the state before it."""
    before, calls_an_epoch = 1, 2  # a look at one sample; the forecast, and the targets
    for call in range(calls_an_epoch):
        stopped = fit(valid=interrupting(VALID, before + (epoch - 1) * calls_an_epoch + call))
        assert stopped.interrupted
        assert len(stopped.history) == epoch - 1
        equal_but_for_time(fit(resume=stopped), fit())


def test_interrupted_twice_and_resumed_twice():
    first = fit(train=interrupting(TRAIN, 7))
    second = fit(train=interrupting(TRAIN, 6), resume=first)
    assert (len(first.history), len(second.history)) == (1, 2)
    equal_but_for_time(fit(resume=second), fit())


def test_resuming_leaves_the_old_record_alone():
    old = fit(train=interrupting(TRAIN, 8))
    kept = (
        {k: p.copy() for k, p in old.params.items()},
        {k: p.copy() for k, p in old.checkpoint.state.m.items()},
    )
    fit(resume=old)
    assert old.interrupted
    assert len(old.history) == 1
    identical(old.params, kept[0])
    identical(old.checkpoint.state.m, kept[1])


def test_what_was_learned_before_ctrl_c_is_kept():
    whole, stopped = fit(epochs=1), fit(train=interrupting(TRAIN, 5))
    start = ll.init_params(SPEC)
    identical(stopped.checkpoint.params, start)
    assert not stopped.history.size
    assert all(np.any(stopped.params[k] != start[k]) for k in start if k != "head/b")
    assert np.any(stopped.params["0/Wx"] != whole.params["0/Wx"])


def test_a_finished_run_can_be_made_longer_at_a_constant_rate():
    equal_but_for_time(fit(epochs=5, resume=fit(epochs=2)), fit(epochs=5))


@pytest.mark.parametrize(
    ("then", "now", "message"),
    [
        ({"seed": 0}, {"seed": 1}, r"seed: 0 then, 1 now"),
        ({"batch": 5}, {"batch": 6}, r"batch: 5 then, 6 now"),
        ({}, {"optimizer": ll.Adam(0.5)}, r"optimizer: .*0.001.* then, .*0.5.* now"),
        ({"rate": "cosine"}, {"rate": "cosine", "epochs": 4}, r"epochs: 3 then, 4 now"),
        ({"rate": "cosine"}, {"rate": "constant"}, r"rate: cosine then, constant now"),
        ({}, {"isolation": PLANS["isolated units"]}, r"isolation: None then, .*'depth': 'skip'.* now"),
        (
            {"isolation": ll.isolate(SPEC, ll.zone(SPEC, layer=0, unit=0))},
            {"isolation": PLANS["isolated units"]},  # as many arcs in every array, but others
            r"isolation: .* then, .* now",
        ),
        ({}, {"spec": ll.Spec(1, (3,), 1, "brief")}, r"spec: .*standard.* then, .*brief.* now"),
    ],
)
def test_resuming_with_other_settings_is_refused(then, now, message):
    with pytest.raises(ValueError, match=rf"cannot resume with other settings \({message}"):
        fit(resume=fit(epochs=3, **then), **now)


# ------------------------------------------------------------------------------------------ the loop itself


@pytest.mark.parametrize("plan", PLANS)
def test_an_epoch_is_the_five_lines_over_every_sample_once(plan):
    """Against a loop written here, with its own order of batches, the last of them smaller."""
    opt, isolation = ll.Adam(0.01), PLANS[plan]
    params = ll.init_params(SPEC, 4)
    state, losses = opt.init(params), []
    for epoch in (1, 2):
        order = np.random.default_rng([4, epoch]).permutation(N)
        losses.append([])
        for rows in (order[:5], order[5:10], order[10:15], order[15:20], order[20:]):
            yhat, trace = ll.forward(SPEC, params, TRAIN[0][rows])
            loss, dy = ll.mse(yhat, TRAIN[1][rows])
            opt.step(params, ll.backward(SPEC, params, trace, dy, isolation), state, isolation)
            losses[-1].append(loss)
    record = fit(seed=4, epochs=2, optimizer=opt, isolation=isolation)
    identical(record.params, params)
    same(record.history["train_loss"].to_numpy(), np.mean(losses, axis=1).astype("float64"), 1e-6)


@pytest.mark.parametrize("head", ["linear", "softmax"])
@pytest.mark.parametrize("output", ["last", "every"])
def test_every_head_and_output_trains(head, output):
    spec = ll.Spec(1, (4,), 2 if head == "softmax" else 1, head=head, output=output)
    record = fit(spec, arrays(spec=spec), arrays(9, 1, spec), epochs=4, optimizer=ll.Adam(0.05))
    assert record.history["train_loss"].iloc[-1] < record.history["train_loss"].iloc[0]
    assert record.history["valid_rmse"].isna().all() == (head == "softmax")


def test_validation_is_the_loss_of_the_forecast_in_one_piece():
    record = fit()
    yhat, _ = ll.forward(SPEC, record.params, VALID[0])
    last = record.history.iloc[-1]
    assert last["valid_loss"] == pytest.approx(float(ll.mse(yhat, VALID[1])[0]), rel=1e-6)
    assert last["valid_rmse"] == pytest.approx(math.sqrt(last["valid_loss"]), rel=1e-6)


def test_best_params_are_those_of_the_lowest_validation_loss():
    record = fit(epochs=12, optimizer=ll.Adam(0.3))
    best = int(record.history["valid_loss"].argmin())
    assert best < 11  # this rate overshoots
    identical(record.best_params, fit(epochs=best + 1, optimizer=ll.Adam(0.3)).params)
    without = fit(valid=None, epochs=4)
    assert without.history[["valid_loss", "valid_rmse"]].isna().all(axis=None)
    best = int(without.history["train_loss"].argmin())
    identical(without.best_params, fit(valid=None, epochs=best + 1).params)


def test_the_history_has_one_row_an_epoch():
    record = fit(epochs=4)
    assert [*record.history.columns] == [*HISTORY]
    assert record.history["epoch"].tolist() == [1, 2, 3, 4]
    assert record.history["epoch"].dtype == "int64"
    assert (record.history["seconds"] > 0).all()
    assert record.seconds == record.history["seconds"].sum()
    assert not record.interrupted


def test_the_configuration_is_recorded():
    config = fit(
        seed=3, isolation=PLANS["a gate on hold, span 2"], optimizer=ll.Adam(0.5, form="keras"), threads=1
    ).config
    assert {k: config[k] for k in ("seed", "batch", "epochs", "rate", "threads")} == {
        "seed": 3, "batch": BATCH, "epochs": 3, "rate": "constant", "threads": 1,
    }  # fmt: skip
    assert config["optimizer"] == dataclasses.asdict(ll.Adam(0.5, eps=1e-7, form="keras"))
    assert config["isolation"]["depth"] == "hold"
    assert config["isolation"]["span"] == 2
    assert config["isolation"]["zone"] == repr(PLANS["a gate on hold, span 2"].zone)
    assert fit().config["isolation"] is None


def test_start_params_are_copied():
    start = ll.init_params(SPEC, 9)
    kept = {k: p.copy() for k, p in start.items()}
    record = fit(params=start)
    identical(start, kept)
    parts = (start, record.params, record.best_params, record.checkpoint.params)
    for one, other in itertools.combinations(parts, 2):
        assert not any(np.shares_memory(one[k], other[k]) for k in start)
    identical(record.params, fit(seed=0, params=start).params)
    assert not np.array_equal(record.params["0/Wx"], fit().params["0/Wx"])


def test_the_arrays_of_the_caller_are_left_alone():
    kept = [a.copy() for a in (*TRAIN, *VALID)]
    fit()
    assert all(np.array_equal(a, b) for a, b in zip(kept, (*TRAIN, *VALID), strict=True))


def test_isolated_arcs_keep_their_bits_through_a_whole_run():
    start = ll.init_params(SPEC)
    for plan in PLANS.values():
        record = fit(isolation=plan, optimizer=ll.Adam(0.1))
        for k, p in start.items():
            isolated = np.zeros(p.shape, bool) if plan is None else plan.zone.mask(k)
            assert np.array_equal(record.params[k] == p, isolated) or k == "head/b"
            assert record.params[k][isolated].tobytes() == p[isolated].tobytes()


def test_isolating_nothing_is_the_plain_run():
    plan = ll.isolate(SPEC, ll.nothing(SPEC))
    equal_but_for_time(fit(isolation=plan), fit())


def test_the_dtype_of_the_samples_is_that_of_the_parameters():
    train = arrays(dtype="float64")
    assert {p.dtype.name for p in fit(train=train, valid=None).params.values()} == {"float64"}
    assert {p.dtype.name for p in fit().params.values()} == {"float32"}


@pytest.mark.parametrize("batch", [1, 4, 9, 100])
def test_predict_is_forward_whatever_the_batch(batch):
    params = ll.init_params(SPEC)
    whole, _ = ll.forward(SPEC, params, VALID[0])
    for samples in (VALID[0], VALID, Arrays(*VALID)):
        same(ll.predict(SPEC, params, samples, batch), whole, 1e-6)


# ---------------------------------------------------------------------------------------------------- rates


def test_cosine_falls_from_one_to_zero_along_half_a_cosine():
    cosine = RATES["cosine"]
    assert [cosine(d) for d in (0.0, 0.5, 1.0)] == pytest.approx([1, 0.5, 0])
    assert cosine(1 / 3) == pytest.approx(0.75)
    assert {RATES["constant"](d) for d in (0, 0.3, 1)} == {1.0}


def test_a_rate_is_asked_at_every_step_for_the_share_of_steps_made():
    asked = []

    def rate(done):
        asked.append(done)
        return 0.5

    record = fit(epochs=2, rate=rate)
    assert asked == pytest.approx([k / 10 for k in range(10)])
    assert record.config["rate"] == "rate"
    equal = fit(epochs=2, optimizer=ll.Adam(0.0005))
    same(record.params, equal.params, 1e-5)


def test_a_rate_of_zero_moves_nothing():
    identical(fit(rate=lambda done: 0.0).params, ll.init_params(SPEC))


# -------------------------------------------------------------------------------- divergence, bars, threads


def test_divergence_tells_where_and_keeps_the_record():
    """The rate becomes absurd in the second epoch."""
    with (
        pytest.raises(
            ll.Diverged,
            match=r"loss is (inf|nan) in epoch \d, step \d; try a smaller learning rate than 0.01",
        ) as e,
        np.errstate(all="ignore"),
    ):
        fit(epochs=9, optimizer=ll.Adam(0.01), rate=lambda done: 1.0 if done < 1 / 9 else 1e38)
    record = e.value.record
    healthy = fit(epochs=1, optimizer=ll.Adam(0.01))
    kept = len(record.history)
    assert kept >= 1
    assert record.history["train_loss"].iloc[0] == healthy.history["train_loss"].iloc[0]
    assert np.isfinite(record.history["train_loss"]).all()
    for part in (record.params, record.best_params, record.checkpoint.params):
        assert all(np.isfinite(p).all() for p in part.values())
    identical(record.params, record.checkpoint.params)
    identical(record.best_params, healthy.params)


def test_the_bar_is_silent_when_it_is_switched_off(capfd):
    fit()
    assert capfd.readouterr() == ("", "")


def test_the_bar_counts_steps_and_shows_the_losses(capfd):
    fit(progress=True)
    shown = capfd.readouterr().err
    assert "15/15" in shown
    assert "train_loss" in shown
    assert "valid_rmse" in shown


def test_threads_are_limited_within_fit_alone():
    from threadpoolctl import threadpool_info, threadpool_limits

    def now():
        return [pool["num_threads"] for pool in threadpool_info()]

    inside = []
    fit(epochs=1)  # loads the library of the compiled engine
    with threadpool_limits(2):
        before = now()
        record = fit(threads=1, rate=lambda done: inside.append(now()) or 1.0, epochs=1)
        assert now() == before
    assert max(before) == 2
    assert {n for pools in inside for n in pools} == {1}
    assert record.config["threads"] == 1


def test_every_library_of_products_is_limited_also_one_that_comes_with_the_compiled_engine():
    """In a process of its own, where SciPy's products are loaded by this very fit."""
    code = """
import numpy as np, lstm_lib as ll
from threadpoolctl import threadpool_info
x, seen = np.ones((4, 3, 1), "float32"), []
look = lambda now: seen.extend(threadpool_info())
ll.fit(ll.Spec(1, (3,), 1), (x, x[:, 0]), epochs=1, progress=False, callbacks=[look])
print(*{(pool["filepath"], pool["num_threads"]) for pool in seen if pool["user_api"] == "blas"}, sep="\\n")
print(max(pool["num_threads"] for pool in threadpool_info()))
"""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "2")
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | threads, capture_output=True, text=True, check=True
    )
    *inside, after = done.stdout.splitlines()
    assert after == "2"
    assert len(inside) == 2, inside  # NumPy's and SciPy's
    assert all(pool.endswith(", 1)") for pool in inside)


@pytest.mark.parametrize(("cell", "blocks"), [("standard", 4), ("rnn", 1), ("gru", 4), ("gru_v3", 3)])
def test_small_products_get_one_thread(cell, blocks):
    """2 FLOPs an arc and sample, of the largest product of a step."""
    spec = ll.Spec(9, (10, 100), 1, cell=cell)
    flops = 2 * blocks * 100 * (100 + 10 + 1)  # a sample, in layer 1
    below, above = int(SMALL_PRODUCT / flops), int(SMALL_PRODUCT / flops) + 1
    assert (threads_for(spec, below), threads_for(spec, above)) == (1, None)


def test_the_compiled_engine_divides_a_large_batch_among_threads_and_limits_the_products():
    """A share has 32 samples at least; on one thread, or with small batches, nothing is divided."""
    from threadpoolctl import threadpool_info, threadpool_limits

    rng = np.random.default_rng(0)
    x = rng.standard_normal((80, 6, 2)).astype("float32")
    spec = ll.Spec(2, (4,), 2)
    seen = {}

    def train(name, batch, threads, engine):
        def look(now):
            seen[name] = {pool["num_threads"] for pool in threadpool_info()}

        ready = Step.ready(spec, ll.Adam(), "float32", engine)
        params, state = ll.init_params(spec), ready.optimizer.init(ll.init_params(spec))
        with threadpool_limits(2), ready.threads(batch, threads) as used:
            for first in range(0, 80, batch):
                step = ready(params, state, x[first : first + batch], x[first : first + batch, -1])
                seen.setdefault(f"{name} shares", len(step.trace.shares))
            look(None)
        assert ready.work.threads == 1
        return params, used

    two, used = train("two", 80, 2, "compiled")
    one, _ = train("one", 80, 1, "compiled")
    train("narrow", 40, 2, "compiled")
    _, plain = train("plain", 80, 2, "plain")
    assert (seen["two"], seen["two shares"], used) == ({1}, 2, 2)
    assert (seen["one"], seen["one shares"]) == ({1}, 1)
    assert (seen["narrow shares"], seen["plain shares"]) == (1, 1)
    assert (max(seen["plain"]), plain) == (2, 2)
    same(two, one)


def test_without_threadpoolctl_threads_are_not_known(monkeypatch):
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    record = fit(threads=1)
    assert record.config["threads"] is None
    equal_but_for_time(record, fit())


def test_nothing_is_compiled_once_the_clock_has_started(monkeypatch):
    fresh = dataclasses.replace(CELLS["rnn"], name="fresh")
    monkeypatch.setitem(CELLS, "fresh", fresh)
    compiled, spec = [], ll.Spec(1, (3,), 1, cell="fresh")

    def look(done):
        found = loops(fresh, np.dtype("float32"))
        compiled.append((len(found.forward.signatures), len(found.backward.signatures)))
        return 1.0

    gate = ll.zone(spec, layer=0, matrix="Wh", unit=[0, 2])
    for depth, span in (("hold", None), ("skip", 2), ("cut", None)):
        fit(spec, isolation=ll.isolate(spec, gate, depth, span), rate=look)
    fit(spec, isolation=ll.isolate(spec, ~ll.zone(spec, layer="head"), "cache"), rate=look)
    assert set(compiled) == {(1, 1)}


def test_compiling_is_announced_once_on_a_machine(tmp_path):
    code = """
import numpy as np, lstm_lib as ll
for dtype in ("float32", "float64"):
    x = np.ones((4, 3, 1), dtype)
    ll.fit(ll.Spec(1, (3,), 1, "rnn"), (x, x[:, 0]), epochs=1, progress=True)
"""
    said = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "LSTM_LIB_ENGINE": "compiled"},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        said.append(done.stderr.count(COMPILING))
    assert said == [2, 0]  # for each dtype
    kept = [path.name for path in tmp_path.rglob("*.nbc")]
    assert len(kept) == 8  # forward, backward and two products
    assert all(name.endswith(".1.nbc") for name in kept)  # code for one kind of arrays under each name


@pytest.mark.parametrize("progress", [False, True])
def test_compiling_is_announced_to_who_wants_progress(progress, monkeypatch):
    asked = []
    monkeypatch.setattr(step, "announced", lambda: asked.append(1) or contextlib.nullcontext())
    monkeypatch.setenv("LSTM_LIB_ENGINE", "compiled")
    fit(progress=progress)
    assert len(asked) == progress


# ----------------------------------------------------------------------------------------------- the record


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("name", ["run", "run.npz", "rate-0.001"])
def test_a_record_is_read_as_it_was_written(name, plan, tmp_path):
    record = fit(isolation=PLANS[plan], epochs=np.int64(2), batch=np.int64(5), seed=np.int64(1))
    path = record.save(str(tmp_path / name))
    assert path == tmp_path / (name if name.endswith(".npz") else f"{name}.npz")
    again = ll.Record.load(path)
    equal_but_for_time(again, record)
    assert again.config == record.config
    pd.testing.assert_frame_equal(again.history, record.history, check_exact=True)
    stopped = fit(train=interrupting(TRAIN, 1))
    assert ll.Record.load(stopped.save(path)).interrupted
    assert not len(ll.Record.load(path).history)


@pytest.mark.parametrize("samples", [VALID, VALID[0], Arrays(*VALID)], ids=["a pair", "x alone", "samples"])
def test_a_record_predicts_with_the_best_parameters_or_the_last(samples):
    record = fit(epochs=12, optimizer=ll.Adam(0.3))  # overshoots
    best, last = (ll.predict(SPEC, params, VALID) for params in (record.best_params, record.params))
    assert (best != last).any()
    identical(record.predict(samples), best)
    identical(record.predict(samples, params="best"), best)
    identical(record.predict(samples, params="last"), last)


def test_names_with_a_dot_do_not_overwrite_each_other(tmp_path):
    record = fit(epochs=1)
    assert record.save(tmp_path / "rate-0.1") != record.save(tmp_path / "rate-0.01")


# ------------------------------------------------------------------------------------------------- refusals


def with_gap(a):
    a = a.copy()
    a[2, 0] = np.nan
    return a


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, r"epochs must be a whole number of at least 1, got 0"),
        ({"epochs": 1.5}, r"epochs must be .* got 1.5"),
        ({"batch": 0}, r"batch must be a whole number of at least 1, got 0"),
        ({"batch": True}, r"batch must be .* got True"),
        (
            {"rate": "linear"},
            r"rate is 'linear'; the choices are constant, cosine, step, or a function of 0..1",
        ),
        (
            {"isolation": ll.isolate(ll.Spec(2, (1,), 1), ll.nothing(ll.Spec(2, (1,), 1)))},
            r"the isolation plan was made for",
        ),
        ({"train": (TRAIN[0][:0], TRAIN[1][:0])}, r"train holds no sample"),
        ({"train": (TRAIN[0], TRAIN[1][:-1])}, r"x holds 22 samples but y 21"),
        ({"train": (with_gap(TRAIN[0]), TRAIN[1])}, r"x holds 1 missing or infinite values; drop them first"),
        ({"train": (TRAIN[0], with_gap(TRAIN[1]))}, r"y holds 1 missing or infinite values"),
        ({"valid": (with_gap(VALID[0]), VALID[1])}, r"x holds 1 missing"),
        (
            {"params": ll.init_params(ll.Spec(1, (2,), 1))},
            r"params\['0/Wx'\] has shape \(8, 1\); the spec expects",
        ),
        ({"seed": -1}, "seed must be a whole number of at least 0, got -1"),
        ({"seed": 1.5}, "seed must be a whole number of at least 0, got 1.5"),
        ({"threads": 0}, "threads must be a whole number of at least 1, got 0"),
        ({"train": (TRAIN[0], TRAIN[1][:, 0])}, r"yhat has shape \(5, 1\) but y has shape \(5,\)"),
    ],
)
def test_fit_refuses(change, message):
    with pytest.raises(ValueError, match=message):
        fit(**change)


# ------------------------------------------------------------------------------------- over random settings


@settings(max_examples=settings.default.max_examples // 4)
@given(
    n=st.integers(1, 12),
    batch=st.integers(1, 13),
    epochs=st.integers(1, 3),
    seed=st.integers(0, 2**32),
    form=st.sampled_from([*FORMS]),
    rate=st.sampled_from([*RATES]),
    share=st.floats(0, 1),
)
def test_any_run_can_be_interrupted_and_resumed(n, batch, epochs, seed, form, rate, share):
    train = arrays(n)
    optimizer = ll.Adam(0.05, form=form)
    same_each_time = {
        "batch": batch,
        "epochs": epochs,
        "seed": seed,
        "optimizer": optimizer,
        "rate": rate,
    }
    at = 1 + int(share * (epochs * -(-n // batch) - 1))
    stopped = fit(train=interrupting(train, at), **same_each_time)
    equal_but_for_time(fit(train=train, resume=stopped, **same_each_time), fit(train=train, **same_each_time))


def test_trainings_that_take_turns_are_those_that_run_alone(rng):
    spec, x = ll.Spec(2, (3,), 1), rng.standard_normal((12, 5, 2)).astype("float32")
    data = x, x[:, -1, :1]
    how = {"epochs": 2, "batch": 4, "progress": False}
    lanes, records = [in_steps(spec, data, data, seed=seed, **how) for seed in (0, 1)], {}
    while len(records) < 2:
        for seed, steps in enumerate(lanes):
            try:
                next(steps)
            except StopIteration as end:
                records[seed] = end.value
    for seed, record in records.items():
        alone = ll.fit(spec, data, data, seed=seed, **how)
        assert all(np.array_equal(record.params[name], alone.params[name]) for name in alone.params)
        assert record.history.drop(columns="seconds").equals(alone.history.drop(columns="seconds"))


def test_seconds_are_those_of_the_clock_that_is_given(rng):
    """What passes between two steps is not counted, whatever the clock counts."""
    x, ticks = rng.standard_normal((12, 5, 2)).astype("float32"), [0.0]
    data = x, x[:, -1, :1]

    def clock() -> float:
        ticks[0] += 1
        return ticks[0]

    steps, seconds = (
        in_steps(ll.Spec(2, (3,), 1), data, data, epochs=2, batch=4, progress=False, clock=clock),
        [],
    )
    for now in steps:
        ticks[0] += 1000
        seconds.append(now.seconds)
    assert len(seconds) == 6 and seconds == sorted(seconds) and now.record.seconds < 50


def test_a_training_that_is_left_between_two_steps_keeps_what_it_has_learned(rng):
    spec, x = ll.Spec(2, (3,), 1), rng.standard_normal((12, 5, 2)).astype("float32")
    steps = in_steps(spec, (x, x[:, -1, :1]), epochs=2, batch=4, progress=False)
    now = [next(steps) for _ in range(4)][-1]
    with pytest.raises(StopIteration) as end:
        steps.throw(KeyboardInterrupt)
    assert end.value.value is now.record and now.record.interrupted and len(now.record.history) == 1


def test_ctrl_c_before_the_first_step_is_passed_on(rng, monkeypatch):
    def pressed(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(Step, "ready", pressed)
    x = rng.standard_normal((12, 5, 2)).astype("float32")
    with pytest.raises(KeyboardInterrupt):  # nothing was learned that could be kept
        ll.fit(ll.Spec(2, (3,), 1), (x, x[:, -1, :1]), epochs=2, batch=4, progress=False)
