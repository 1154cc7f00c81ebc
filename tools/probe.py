"""A fingerprint of the numbers the package computes, for `mutants.py`: the same text means the same numbers.

Numbers are printed to ten digits in float64 and four in float32, so that another order of the same sum
doesn't count as another number.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np

import lstm_lib as ll
from lstm_lib import cell
from lstm_lib.network.network import LOSSES
from lstm_lib.network.spec import Params


def networks() -> Iterator[tuple[str, Params]]:
    """Forecast, loss and gradients of small networks of every kind, long and short, both dtypes."""
    rng = np.random.default_rng(5)
    kinds = product(
        ("standard", "brief"),
        ((3,), (2, 4)),
        ("linear", "softmax"),
        ("last", "every"),
        (3, 40),
        ("float64", "float32"),
    )
    for name, units, head, output, T, dtype in kinds:
        spec = ll.Spec(2, units, 3, cell=name, head=head, output=output)
        params = {
            k: p + rng.normal(0, 0.4, p.shape).astype(dtype)
            for k, p in ll.init_params(spec, dtype=dtype).items()
        }
        x, B = rng.standard_normal((4, T, 2)).astype(dtype), 4
        start = [tuple(rng.standard_normal((2, B, H)).astype(dtype)) for H in units]
        work = ll.Workspace()
        yhat, trace = ll.forward(spec, params, x, work, initial=start)
        y = np.abs(rng.standard_normal(yhat.shape)).astype(dtype)
        loss, dy = LOSSES[head](yhat, y / y.sum(axis=-1, keepdims=True))
        yield (
            f"{spec} {T} {dtype}",
            {"yhat": yhat, "loss": np.array(loss)}
            | ll.backward(spec, params, trace, dy, also=("x", "state")),
        )
        for zone in (
            ll.zone(spec, layer="head"),
            ll.zone(spec, layer=0, matrix="Wh", gate="fo", unit=1, source=0),
        ):
            plan = ll.isolate(spec, ~zone, span=2)
            yield f"{spec} {T} {dtype} isolated", ll.backward(spec, params, trace, dy, plan)
        yield "initial", ll.init_params(spec, seed=3)


ZONES = (
    "nothing",
    "0/*/f",
    "0/Wh",
    "0[1] | 1/Wx/io",
    "1/Wh[:;0] | head/W[0]",
    "0/Wx/g[0:2;1] | 0/b/i",
    "0 | head/b",
    "0[0,2]",
)


def plans() -> Iterator[tuple[str, Params]]:
    """What plans of every depth are, cost and leave of the gradients, and what partitions and texts say."""
    rng = np.random.default_rng(8)
    for units, output in product(((3, 4), (5, 3, 2)), ("last", "every")):
        spec = ll.Spec(2, units, 2, output=output)
        params = {k: rng.standard_normal(shape) for k, shape in spec.shapes.items()}
        yhat, trace = ll.forward(spec, params, rng.standard_normal((3, 20, 2)))
        for text, depth, span in product(ZONES, ("hold", "skip", "cut"), (None, 5)):
            plan = ll.isolate(spec, ll.read_zone(spec, text), depth, span)
            cost = plan.cost(20, 3)
            counts = [cost.forward, cost.error, cost.weights, cost.update, *vars(cost.bytes).values()]
            name = f"{units} {output} {plan!r} {plan.unreached} {sorted(plan.updates)}"
            yield name, ll.backward(spec, params, trace, yhat, plan) | {"cost": np.array(counts, float)}
            if depth == "cut":
                yield f"x {name}", ll.backward(spec, params, trace, yhat, plan, also=("x", "state"))
        for blocks, by, sources in (
            (2, "gate", None),
            (2, "gate", 2),
            (2, "unit", None),
            (None, "gate", None),
        ):
            cut = ll.partition(spec, blocks, by, sources)
            yield f"{list(cut)} {[block.sizes for block in cut.values()]}", {}
    big = ll.Spec(8, (128,), 1)
    for text in (
        "0[0:100]",
        f"0[{','.join(map(str, range(0, 128, 2)))}]",
        "0/Wh/f[:;0:32] | 0/Wh/o[:;64:128]",
    ):
        for depth in ("skip", "cut"):
            plan = ll.isolate(big, ~ll.read_zone(big, text), depth)
            yield f"{plan.works[0].kept} {[r.size for r in plan.works[0].weights]} {plan.notes}", {}


def schedules() -> Iterator[tuple[str, Params]]:
    """The zones that schedules isolate, and a network on remembered states."""
    from lstm_lib.training.loop import Arrays
    from lstm_lib.training.schedules import Moment, alternate, from_epoch, redraw, thaw_last
    from lstm_lib.training.states import States

    spec = ll.Spec(2, (4, 3), 1)
    drawn = redraw(spec, 0.5, every=2, seed=1)
    for schedule in (
        drawn,
        thaw_last(1, drawn),
        from_epoch(2, drawn),
        alternate([drawn, from_epoch(2, drawn)], 3),
    ):
        moments = [Moment(epoch, 3, (epoch - 1) * 4 + k) for epoch in (1, 2, 3) for k in range(4)]
        yield f"{schedule.describe()} {[str(schedule.plan_at(moment).zone) for moment in moments]}", {}
    x = np.random.default_rng(3).standard_normal((20, 5, 2))
    for known, memory in ((1, 2**20), (2, 2**20), (2, 200)):
        states = States(spec, ll.init_params(spec, dtype="float64"), Arrays(x, x[:, -1, :1]), known, memory)
        h, y = states.take(np.array([19, 3, 3]))
        yield f"states {states.kept} {states.bytes_needed}", {"h": h, "y": y}


def decay() -> Iterator[tuple[str, Params]]:
    """A long float32 sequence whose error dies out, and one whose error arrives tiny."""
    spec = ll.Spec(1, (4,), 1)
    params = ll.init_params(spec, forget_bias=-1.0)
    yhat, trace = ll.forward(spec, params, np.ones((2, 400, 1), "float32"))
    for size in (1.0, 1e-30):
        dy = np.full_like(yhat, size)
        yield f"decay {size}", {k: g / dy.max() for k, g in ll.backward(spec, params, trace, dy).items()}
        dz = trace.dz(0)
        yield (
            f"subnormal {size}",
            {"count": np.count_nonzero((dz != 0) & (np.abs(dz) < np.finfo("float32").tiny))[None]},
        )


def silence() -> Iterator[tuple[str, Params]]:
    """An error that arrives long after a first one has died out, at a network with an output every step."""
    spec = ll.Spec(1, (4,), 1, output="every")
    params = ll.init_params(spec, forget_bias=-1.0)
    yhat, trace = ll.forward(spec, params, np.ones((2, 400, 1), "float32"))
    dy = np.zeros_like(yhat)
    dy[:, [10, -1]] = 1
    yield "silence", ll.backward(spec, params, trace, dy)


def steps() -> Iterator[tuple[str, Params]]:
    """The plain pair."""
    rng = np.random.default_rng(6)
    for kind in cell.CELLS.values():
        Wx, Wh, b, x, h, c, dh, dc = (
            rng.standard_normal(s) for s in ((12, 2), (12, 3), 12, (2, 4), *[(3, 4)] * 4)
        )
        trace = cell.step_forward(kind, Wx, Wh, b, x, h, c)
        yield kind.name, trace._asdict() | cell.step_backward(kind, Wx, Wh, trace, dh, dc)._asdict()


OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"amsgrad": True, "weight_decay": 0.1},
    {"clip_norm": 1e-6},
    {"eps": 1e-7, "amsgrad": True},
)


def optimisers() -> Iterator[tuple[str, Params]]:
    """A few steps of every form of Adam and its options, with and without isolation, and the report of them."""
    spec = ll.Spec(1, (2,), 1)
    zones = (ll.nothing(spec), ll.zone(spec, layer=0, gate="f") | ll.zone(spec, layer="head"))
    for form, options, zone in product(ll.adam.FORMS, OPTIONS, zones):
        params, rng = ll.init_params(spec, dtype="float64"), np.random.default_rng(7)
        opt, plan = ll.Adam(0.1, form=form, **options), ll.isolate(spec, zone)
        state = opt.init(params)
        for k, plan_now in enumerate((plan, None, plan, None)):
            grads = {n: rng.standard_normal(p.shape) * 1e-6 / (1 + k) for n, p in params.items()}
            opt.step(params, grads, state, plan_now, scale=0.5)
            parts = {"m": state.m, "v": state.v, "v_max": state.v_max or {}, "t": state.t}
            kept = {
                f"{n}/{part}": np.array(a, float) for part, named in parts.items() for n, a in named.items()
            }
            yield f"{form} {options}", params | kept
            table = opt.report(state, scale=0.5)
            yield (
                f"report {list(table.columns)} {table[['layer', 'matrix', 'gate']].to_numpy().tolist()}",
                {"report": table.iloc[:, 3:].to_numpy(float)},
            )
    for name, schedule in ll.adam.SCHEDULES.items():
        yield name, {"factor": np.array([schedule(done) for done in np.linspace(0, 1, 17)])}


def main() -> None:
    """Print one line a group of numbers."""
    for group in (steps, networks, plans, schedules, decay, silence, optimisers):
        for name, arrays in group():
            digits = {
                k: [f"{v:.{10 if a.dtype == 'float64' else 4}g}" for v in np.ravel(a)]
                for k, a in arrays.items()
            }
            print(name, hashlib.sha256(repr(sorted(digits.items())).encode()).hexdigest()[:16])


if __name__ == "__main__":
    main()
