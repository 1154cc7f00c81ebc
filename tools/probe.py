"""A fingerprint of the numbers the package computes, for `mutants.py`: the same text means the same numbers.

Numbers are printed to ten digits in float64 and four in float32, so that another order of the same sum doesn't count as
another number. The engine is the one that LSTM_LIB_ENGINE names.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import sys
import tempfile
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

import lstm_lib as ll
from lstm_lib import convolution as conv
from lstm_lib.command import main as command
from lstm_lib.forecasting.drivers import drivers, permuted
from lstm_lib.isolation import products
from lstm_lib.network import cells, step
from lstm_lib.network.losses import LOSSES
from lstm_lib.network.spec import Params
from lstm_lib.training.adam import FORMS
from lstm_lib.training.rates import RATES

Group = Iterator[tuple[str, Params]]


def case(spec: ll.Spec, T: int, dtype: str, work: ll.Workspace | None = None) -> tuple[Params, Any, Any, Any]:
    """Parameters without a zero, forecast and trace from a random start, and the error of the loss that fits."""
    rng, B = np.random.default_rng(5), 4
    params = {
        k: p + rng.normal(0, 0.1 if k.endswith("/p") else 0.4, p.shape).astype(dtype)
        for k, p in ll.init_params(spec, dtype=dtype).items()
    }
    x = rng.standard_normal((B, T, spec.inputs)).astype(dtype)
    start = [tuple(rng.standard_normal((len(spec.row.states), B, H)).astype(dtype)) for H in spec.units]
    yhat, trace = ll.forward(spec, params, x, work, initial=start)
    y = np.abs(rng.standard_normal(yhat.shape)).astype(dtype)
    return params, yhat, trace, LOSSES[spec.head](yhat, y / y.sum(axis=-1, keepdims=True))


def steps() -> Group:
    """The plain pair."""
    rng, widths = np.random.default_rng(6), {"Wx": (2,), "Wh": (3,)}
    for cell in cells.CELLS.values():
        sizes = {m: (3 * len(gates), *widths.get(m, ())) for m, gates in cell.matrices.items()}
        weights = {m: rng.standard_normal(size) for m, size in sizes.items()}
        x, *states = (rng.standard_normal(s) for s in ((2, 4), *[(3, 4)] * 2 * len(cell.states)))
        n = len(cell.states)
        trace = step.step_forward(cell, weights, x, *states[:n])
        back = step.step_backward(cell, weights, trace, *states[n:])
        yield cell.name, {f"forward {k}": a for k, a in trace._asdict().items()} | back._asdict()


def networks() -> Group:
    """Forecast, loss, trace, errors and gradients of small networks of every cell, long and short, both dtypes."""
    shapes = (((3,), "linear", "last"), ((2, 4), "softmax", "every"))
    for cell, (units, head, output), T, dtype in product(
        cells.CELLS, shapes, (3, 40), ("float64", "float32")
    ):
        spec, work = ll.Spec(2, units, 3, cell, head, output), ll.Workspace()
        for turn in range(2):  # the second on arrays that have been used
            params, yhat, trace, (loss, dy) = case(spec, T, dtype, work)
            name = f"{spec} {T} {dtype} {turn}"
            yield name, {"yhat": yhat, "loss": np.array(loss)} | trace.layer(0)._asdict()
            yield f"{name} back", ll.backward(spec, params, trace, dy, also=("x", "state"))
            yield f"{name} dz", {str(k): trace.dz(k) for k in range(spec.layers)}
            for zone in (
                ll.zone(spec, layer="head"),
                ll.zone(spec, layer=0, gate=spec.row.gates[-1], unit=1),
            ):
                for depth in ("skip", "cut"):
                    plan = ll.isolate(spec, zone if depth == "cut" else ~zone, depth, span=2)
                    yield f"{name} isolated", ll.backward(spec, params, trace, dy, plan)
        yield "initial", ll.init_params(spec, seed=3)


# G, R: the last and the first gate of a cell
ZONES = ("nothing", "0/*/G", "0/Wh", "0[1] | 1/Wx/G", "1/Wh[:;0] | head/W[0]", "0/Wx/G[0:2;1] | 0/b/R", "0 | head/b",
         "0[0,2]", "0/*/R[0] | 1/Wh/G[1;0]", "1 | head/W", "head/W[:;1]")  # fmt: skip


def plans() -> Group:
    """What plans of every depth are, cost and leave of the gradients, and what partitions and texts say."""
    kinds = product(cells.CELLS, (((3, 4), "last"), ((5, 3, 2), "every")))
    for cell, (units, output) in kinds:
        spec = ll.Spec(2, units, 2, cell, output=output)
        params, yhat, trace, (_, dy) = case(spec, 20, "float64")
        for text, depth, span in product(ZONES, ("hold", "skip", "cut"), (None, 5)):
            zone = ll.read_zone(spec, text.replace("G", spec.row.gates[-1]).replace("R", spec.row.gates[0]))
            for products.COPY, products.SCATTERED in ((100, 1.2), (0, 0), (1e9, 1e9))[: 1 if span else 3]:
                plan = ll.isolate(spec, zone, depth, span)
                cost = plan.cost(20, 3)
                counts = [cost.forward, cost.error, cost.weights, cost.update, *vars(cost.bytes).values()]
                name = f"{units} {output} {plan!r} {plan.unreached} {plan.work.updates} {zone.sizes} {~zone}"
                grads = ll.backward(spec, params, trace, dy, plan)
                dz = {f"dz {k}": trace.dz(k) for k in range(spec.layers)}
                yield name, grads | dz | {"cost": np.array(counts, float)}
            if depth == "cut":
                yield f"x {name}", ll.backward(spec, params, trace, dy, plan, also=("x", "state"))
        cuts = ((2, "gate", None), (2, "gate", 2), (2, "unit", None), (None, "gate", None))
        for blocks, by, sources in cuts:
            cut = ll.partition(spec, blocks, by, sources)
            yield f"{list(cut)} {[block.sizes for block in cut.values()]} {cut.sums(params)}", {}
    big, scattered = ll.Spec(8, (128,), 1), ",".join(map(str, range(0, 128, 2)))
    zones = ("0[0:100]", f"0[{scattered}]", "0/Wh/f[:;0:32] | 0/Wh/o[:;64:128]", "0/Wh[0:20] | 0/b/f[7]")
    for text, depth in product(zones, ("skip", "cut")):
        plan = ll.isolate(big, ~ll.read_zone(big, text), depth)
        layer = plan.work.layers[0]
        yield f"{layer.units.size} {layer.blocks} {[r.size for r in layer.weights]} {plan} {plan.notes}", {}


def schedules() -> Group:
    """The zones that schedules isolate, and a network on remembered states."""
    from lstm_lib.training.samples import Arrays
    from lstm_lib.training.schedules import Moment, alternate, from_epoch, redraw, thaw_last
    from lstm_lib.training.states import States

    spec = ll.Spec(2, (4, 3), 1)
    drawn = redraw(spec, 0.5, every=2, seed=1)
    turns = alternate([drawn, from_epoch(2, drawn)], 3)
    for schedule in (drawn, thaw_last(1, drawn), from_epoch(2, thaw_last(1, drawn)), turns):
        moments = [Moment(epoch, 3, (epoch - 1) * 4 + k) for epoch in (1, 2, 3) for k in range(4)]
        held = [str(schedule.plan_at(moment).zone) for moment in moments]
        yield f"{schedule.describe()} {sorted(schedule.needs)} {held}", {}
    x = np.random.default_rng(3).standard_normal((600, 5, 2))
    for known, memory in ((1, 2**20), (2, 2**20), (2, 200), (2, 10000)):
        states = States(spec, ll.init_params(spec, dtype="float64"), Arrays(x, x[:, -1, :1]), known, memory)
        h, y = states.take(np.array([519, 3, 3, 300, 255, 256]))
        yield f"states {states.kept} {states.bytes_needed}", {"h": h, "y": y}


def decay() -> Group:
    """Long float32 sequences whose error dies out, arrives tiny, or arrives anew long after it has died out."""
    for cell, output in product(("standard", "gru"), ("last", "every")):
        spec = ll.Spec(1, (4,), 1, cell, output=output)
        params = ll.init_params(spec, forget_bias=-1.0)
        yhat, trace = ll.forward(spec, params, np.ones((2, 400, 1), "float32"))
        for size, at in product((1.0, 1e-30), ([-1], [10, -1])):
            dy = np.zeros_like(yhat)
            dy[:, at if output == "every" else [-1]] = size
            grads = ll.backward(spec, params, trace, dy, also=("x", "state"))
            dz = np.abs(trace.dz(0))
            subnormal = np.count_nonzero((dz != 0) & (dz < np.finfo("float32").tiny))
            yield f"{cell} {size} {at} {subnormal}", {k: g / dy.max() for k, g in grads.items()}


def convolutions() -> Group:
    """Layers of every padding, both poolings, and networks with filters and layers isolated."""
    rng, g = np.random.default_rng(8), conv.Geometry
    flat = (
        conv.Conv(4, g((3, 2), (1, 2), (2, 1), "same"), "tanh"),
        conv.Pool(g((2, 3), 1)),
        conv.Conv(3, g((2, 1))),
    )
    line = conv.Conv(4, g(3, 2, 1, "causal")), conv.Pool(g(2, 2), "mean"), conv.Conv(2, g(2, 1, 2), "linear")
    pairs = conv.Conv(4, g((3, 2), (2, 1), padding=((2, 0), (0, 1)))), flat[1], flat[2]
    for inputs, layers in (((2, 7, 8), flat), ((2, 19), line), ((2, 8, 7), pairs)):
        for head in ("linear", "softmax"):
            net = conv.Net(inputs, layers, 3, head)
            drawn = conv.init_params(net, 1, "float64")
            params = {k: p + 0.1 * rng.standard_normal(p.shape) for k, p in drawn.items()}
            yhat, trace = conv.forward(net, params, rng.standard_normal((6, *inputs)))
            dy = rng.standard_normal(yhat.shape)
            yield (
                f"{net.sizes} {net.shapes}",
                {"yhat": yhat} | conv.backward(net, params, trace, dy, down=True),
            )
            rests = (
                (0, {0: (1,)}),
                (0, {0: (0, 1, 2, 3)}),
                (1, {2: (1,)}),
                (2, {}),
                (0, {0: (1,), 2: (0,)}, "cut"),
            )
            for rest in (conv.Isolated(*some) for some in rests):
                x = rng.standard_normal((6, *net.sizes[rest.below]))
                yhat, trace = conv.forward(net, params, x, rest.below)
                counted = net.flops(rest), net.remembered(rest, 6)
                yield f"{rest} {counted}", conv.backward(net, params, trace, yhat, rest)
                x, y = rng.standard_normal((7, *inputs)), rng.dirichlet(np.ones(3), 7)
                fitted, history = conv.fit(net, x, y, epochs=2, batch=3, isolated=rest, params=params)
                made = {"loss": history["loss"].to_numpy(), "yhat": conv.predict(net, fitted, x, batch=4)}
                yield f"fit {rest} {list(history)}", fitted | made


OPTIONS: tuple[dict[str, Any], ...] = (
    {}, {"amsgrad": True, "weight_decay": 0.1}, {"clip_norm": 1e-6}, {"eps": 1e-7, "amsgrad": True}
)  # fmt: skip


def optimisers() -> Group:
    """A few steps of every form of Adam and its options, with and without isolation, and the report of them."""
    spec = ll.Spec(1, (2,), 1)
    zones = (ll.nothing(spec), ll.zone(spec, layer=0, gate="f") | ll.zone(spec, layer="head"))
    for form, options, zone in product(FORMS, OPTIONS, zones):
        params, rng = ll.init_params(spec, dtype="float64"), np.random.default_rng(7)
        opt, plan = ll.Adam(0.1, form=form, **options), ll.isolate(spec, zone)
        tracked = ll.isolate(spec, zone, "hold", moments="tracked")
        state = opt.init(params)
        for k, plan_now in enumerate((plan, None, plan, tracked, None)):
            grads = {n: rng.standard_normal(p.shape) * 1e-6 / (1 + k) for n, p in params.items()}
            opt.step(params, grads, state, plan_now, scale=0.5)
            parts = {"m": state.m, "v": state.v, "v_max": state.v_max or {}, "t": state.t}
            kept = {f"{n}/{k}": np.array(a, float) for k, named in parts.items() for n, a in named.items()}
            yield f"{form} {options}", params | kept
            table = opt.report(state, scale=0.5)
            places = table[["layer", "matrix", "gate"]].to_numpy().tolist()
            yield f"report {list(table.columns)} {places}", {"report": table.iloc[:, 3:].to_numpy(float)}
    for name, rate in RATES.items():
        yield name, {"factor": np.array([rate(done) for done in np.linspace(0, 1, 17)])}


def links() -> Group:
    """Frames, changes of arcs, fragments, exchanges with and without losses, deltas and codes."""
    from lstm_lib import lora

    rng = np.random.default_rng(8)
    for rate in lora.DATA_RATES:
        yield (
            f"{rate} {lora.payloads(700, rate)}",
            {"s": np.array([lora.airtime(n, rate) for n in range(300)])},
        )
    spec = ll.Spec(2, (4,), 1)
    base = ll.init_params(spec)
    masks = {name: rng.random(shape) < 0.3 for name, shape in spec.shapes.items()}
    for zone, form in product((ll.zone(spec, layer="head"), ll.Zone(spec, masks)), lora.FORMS):
        moved = {k: p + zone.mask(k) * rng.normal(size=p.shape).astype("float32") for k, p in base.items()}
        change = lora.pack(zone, base, moved, form)
        yield f"{form} {lora.size(zone, form)} {change.hex()}", lora.unpack(spec, base, change)
    for share, rate in product((0, 0.3, 0.95), (0, 5)):
        sent = lora.deliver(rng.bytes(3000), rate, rng.random(1000) < share)
        yield f"{sent} {sent.seconds(rate)}", {}
    inbox, parts = lora.Inbox(0), lora.fragments(rng.bytes(500), 0)
    answers = [inbox.hear(parts[k]) for k in rng.permutation(len(parts)) for _ in "ab"]
    yield f"{answers} {inbox.missing} {inbox.message().hex()}", {}
    values = 1 + np.abs(rng.normal(size=400).cumsum())
    for forecast, share in product((lora.last_value, lora.yesterday), (0, 0.2)):
        log = lora.exchange(values, values[:24], forecast, lora.Rule(0.7), rng.random(2000) < share)
        rows = {"known": log.known, "flags": np.array([log.in_step, log.same, log.sent], float)}
        yield f"{log.frames} {log.asked} {log.seconds(5)}", rows
    packed, last = lora.delta_pack(100 * values, 0.0, 0.3)
    yield packed.hex(), {"last": np.array(last), "again": lora.delta_unpack(packed, 0.0, 0.3)}
    days = rng.standard_normal((20, 6, 1))
    model = lora.fit_code(days, 2, units=3, epochs=3, batch=8)
    yield model.encode(days).tobytes().hex(), {"again": model.decode(model.encode(days), 6)}


def newest() -> Group:
    """The hours after the last row, with intervals, from windows and from one pass, and what they depend on."""
    index = pd.date_range("2021-03-01", periods=500, freq="h", tz="UTC")
    frame = pd.DataFrame({"load": rng_walk(500, 1), "air": rng_walk(500, 2)}, index)
    series = ll.Series("probe", frame, "load", "kW", timezone="Europe/Paris").with_calendar("hour")
    how = {"horizon": 3, "steps": "all", "known": ["air", "weekday"], "lookback": 12}
    for cut, levels in product((ll.windows, ll.sequences), ((), (0.05, 0.5, 0.95))):
        split = cut(series, **how | ({"length": 24, "warmup": 6} if cut is ll.sequences else {}))
        model = ll.Forecaster(units=3, epochs=1, levels=levels).fit(split)
        for adaptive in (False, True):
            table = model.forecast(series, level=0.9, at=index[-4], adaptive=adaptive)
            yield f"{list(table.index)}", {name: table[name].to_numpy() for name in table}
        found = {
            "moves": drivers(model, split.test).to_numpy(),
            "needs": permuted(model, split.test).to_numpy(),
        }
        yield f"{len(model.backtest(series))}", found
    x, y = rng_walk(600, 3).reshape(20, 15, 2), rng_walk(20, 4)
    yield "arrays", {"yhat": ll.Forecaster(units=3, epochs=1).fit(x, y).predict(x)}


def typed() -> Group:
    """What the commands say of a file, and write."""
    with tempfile.TemporaryDirectory() as folder:
        file, model = f"{folder}/a.csv", f"{folder}/m.npz"
        index = pd.date_range("2021-03-01", periods=500, freq="h", tz="UTC")
        pd.DataFrame({"load": rng_walk(500, 1).round(3)}, index).to_csv(file, index_label="time")
        for words in (
            ["check", file],
            ["train", file, "-o", model],
            ["forecast", model, file],
            ["compare", file],
        ):
            more = ["--units", "3", "--epochs", "1"] if words[0] in ("train", "compare") else []
            out = io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
                code = command([*words, *more])
            yield f"{words[0]} {code} {out.getvalue().replace(folder, '')}", {}


def rng_walk(n: int, seed: int) -> Any:
    """A rhythm of a day with noise."""
    return 5 + np.sin(np.arange(n) * np.pi / 12) + np.random.default_rng(seed).normal(0, 0.2, n)


GROUPS = {
    "forecasting": (newest,),
    "command": (typed,),
    "network/cells": (steps, networks),
    "network/step": (steps,),
    "network/compiled": (networks, decay),
    "network/compiled_loops": (networks, decay),
    "network": (networks, plans, decay),
    "isolation": (plans,),
    "training": (schedules, optimisers),
    "lora": (links,),
    "convolution": (convolutions,),
}


def main() -> None:
    """Print one line a group of numbers, of all that a fault in the module named can touch."""
    module = sys.argv[1]
    for group in GROUPS.get(module, ()) or GROUPS[module.split("/")[0]]:
        for name, arrays in group():
            sizes = {k: 10 if a.dtype == "float64" else 4 for k, a in arrays.items()}
            digits = {k: [f"{v:.{sizes[k]}g}" for v in np.ravel(a)] for k, a in arrays.items()}
            print(name, hashlib.sha256(repr(sorted(digits.items())).encode()).hexdigest()[:16])


if __name__ == "__main__":
    main()
