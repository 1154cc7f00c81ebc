"""What isolation saves: backward pass and training step under many plans, beside what each plan predicts.

Plans take turns with the dense step in one process, on one workspace, as `fit` runs them; a turn is three steps, of
which the first is not counted. Each share is of active units: all arcs that lead to the other units are isolated.
Before anything is timed, "hold" and "skip" must give active arcs the dense gradient; for "cut" the distance to it is
shown. Beside it stands what can be done without this project: Keras with `trainable=False` and with a constraint
that puts isolated weights back, PyTorch with a gradient hook (where it is installed), each against its own dense step.

    python -m benchmarks.isolation [--rounds 15] [--shape 32,96,8,256] [--csv benchmarks/isolation.csv]
    python -m benchmarks.isolation --png docs/isolation.png   (a figure of the CSV's first shape; times nothing)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd

import lstm_lib as ll
from benchmarks.engine import FIT_BATCHES, SHAPES, command_line, machine
from lstm_lib.network import backward
from lstm_lib.network.forward import hidden_states
from lstm_lib.network.spec import Params
from lstm_lib.training.step import Step
from lstm_lib.training.timing import interleave, speed_up

SHARES = (1.0, 0.75, 0.5, 0.25, 0.12)
DEPTHS = ("hold", "skip", "cut")
COUNTED = 2  # steps of a turn that are timed, after one that isn't
PARTS = ("weights", "backward", "step")  # the weight gradients, the backward pass with them, the whole step
Rivals = Callable[[ll.Spec, np.ndarray, np.ndarray], dict[str, Callable[[], object]]]


WEIGHTS: list[float] = []  # seconds of the weight gradients of the layers in the step that is running


def time_weights() -> None:
    """Have every backward pass note the seconds of its weight gradients."""
    run = backward.weight_gradients

    def timed(*args: object) -> None:
        began = time.perf_counter()
        run(*args)
        WEIGHTS.append(time.perf_counter() - began)

    backward.weight_gradients = timed


def plans(spec: ll.Spec, T: int) -> Iterator[tuple[str, str, float, int | None, ll.Plan]]:
    """Name, depth, share, span and plan: every share at every depth over both spans, and the head alone."""
    H = spec.units[0]
    for span in (None, T // 4):
        for share in SHARES:
            for depth in DEPTHS:
                active = round(share * H)
                zone = ll.zone(spec, layer=0, unit=slice(active, H)) if active < H else ll.nothing(spec)
                if share < 1 or depth == "skip":
                    name = f"{depth} {share:.0%}" if share < 1 else "nothing isolated"
                    plan = ll.isolate(spec, zone, depth, span)
                    yield f"{name}{f', span {span}' if span else ''}", depth, share, span, plan
    rng = np.random.default_rng(0)
    some = np.sort(rng.choice(H, H - H // 4, replace=False))
    yield "cut 25%, any units", "cut", 0.25, None, ll.isolate(spec, ll.zone(spec, layer=0, unit=some), "cut")
    head = ~ll.zone(spec, layer="head")
    for depth in ("skip", "cache"):
        yield f"head alone, {depth}", depth, 0.0, None, ll.isolate(spec, head, depth)


def stepper(
    spec: ll.Spec,
    plan_of: Callable[[int], ll.Plan | None],
    x: np.ndarray,
    y: np.ndarray,
    work: ll.Workspace,
) -> Callable[[], np.ndarray]:
    """A turn: the median seconds of PARTS over COUNTED steps, after one that isn't counted."""
    params, optimizer = ll.init_params(spec), ll.Adam()
    state, made = optimizer.init(params), [0]
    first = plan_of(0)
    if first is not None and first.cached:  # what `States` would remember
        x = np.ascontiguousarray(hidden_states(spec, params, x, first.cached)[:, -1:])

    def step() -> tuple[float, float, float]:
        WEIGHTS.clear()
        began = time.perf_counter()
        plan = plan_of(made[0])
        made[0] += 1
        yhat, trace = ll.forward(spec, params, x, work, known=0 if plan is None else plan.cached)
        _, dy = ll.mse(yhat, y)
        before = time.perf_counter()
        grads = ll.backward(spec, params, trace, dy, plan)
        after = time.perf_counter()
        optimizer.step(params, grads, state, plan)
        return sum(WEIGHTS), after - before, time.perf_counter() - began

    def turn() -> np.ndarray:
        return np.median([step() for _ in range(COUNTED + 1)][1:], axis=0)

    return turn


def distance(spec: ll.Spec, params: Params, x: np.ndarray, y: np.ndarray, plan: ll.Plan) -> float:
    """Of the active arcs' gradient from the dense one under the same span, relative to its norm."""
    yhat, trace = ll.forward(spec, params, x)
    dy = ll.mse(yhat, y)[1]
    dense = ll.backward(spec, params, trace, dy, ll.isolate(spec, ll.nothing(spec), span=plan.span))
    skipped = ll.isolate(spec, plan.zone, "skip", plan.span) if plan.cached else plan
    ours = ll.backward(spec, params, trace, dy, skipped)
    active = {k: ~plan.zone.mask(k) for k in params}
    apart = sum(float(((ours[k] - dense[k])[active[k]] ** 2).sum()) for k in params)
    return float(np.sqrt(apart / sum(float((dense[k][active[k]] ** 2).sum()) for k in params)))


def compare(shape: tuple[int, int, int, int], rounds: int) -> pd.DataFrame:
    """One row a plan: measured and predicted speed-up of the backward pass and of the step."""
    B, T, D, H = shape
    spec, rng = ll.Spec(D, (H,), 1), np.random.default_rng(0)
    x, y = rng.standard_normal((B, T, D)).astype("float32"), rng.standard_normal((B, 1)).astype("float32")
    step = Step.ready(spec, ll.Adam(), x.dtype)
    chosen, params, work = list(plans(spec, T)), ll.init_params(spec), step.work
    apart = {name: distance(spec, params, x, y, plan) for name, *_, plan in chosen}
    for name, depth, *_ in chosen:
        if depth != "cut" and not apart[name] < 1e-5:
            raise SystemExit(f"{name} is {apart[name]:.1e} from the dense gradient; nothing was timed")
    redraw = ll.schedules.redraw(spec, 0.75, every=1, depth="cut")
    turns = {"dense": stepper(spec, lambda _: None, x, y, work)}
    turns |= {name: stepper(spec, lambda _, plan=plan: plan, x, y, work) for name, *_, plan in chosen}
    turns["cut 25%, redrawn every step"] = stepper(
        spec, lambda step: redraw.plan_at(ll.schedules.Moment(1, 1, step)), x, y, work
    )
    with step.threads(B) as threads:  # as `fit` does
        measured = {name: np.empty((rounds, len(PARTS))) for name in turns}
        for k in range(-1, rounds):
            for name, turn in turns.items():
                measured[name][max(k, 0)] = turn()
    print(
        f"\nbatch {B}, steps {T}, inputs {D}, units {H}, {threads} threads; {rounds} rounds of {COUNTED} steps"
    )
    about = {name: (depth, share, span, plan) for name, depth, share, span, plan in chosen}
    dense = ll.isolate(spec, ll.nothing(spec)).cost(T, B)
    rows = []
    for name, seconds in measured.items():
        with np.errstate(divide="ignore"):  # weight gradients that are left out altogether take no time
            ratio = measured["dense"] / seconds
        row = {"shape": ",".join(map(str, shape)), "plan": name}
        if name in about:
            depth, share, span, plan = about[name]
            cost = plan.cost(T, B)
            row |= {"depth": depth, "active": share, "span": span or T, "arcs": 1 - plan.zone.share}
            row |= {"apart": apart[name]}
            row |= {"weights by FLOPs": dense.weights / cost.weights if depth != "cache" else np.inf}
            row |= {"backward by FLOPs": dense.backward / cost.backward if cost.backward else np.inf}
            row |= {"step by FLOPs": dense.total / cost.total, "step predicted": cost.speed_up(dense)}
        for k, part in enumerate(PARTS):
            row |= {f"{part} ms": 1e3 * np.median(seconds[:, k])}
            with np.errstate(invalid="ignore"):  # between two infinities
                low, middle, high = np.quantile(ratio[:, k], [0.25, 0.5, 0.75])
            row |= {f"{part} measured": middle, f"{part} 25 %": low, f"{part} 75 %": high}
        rows.append(row)
    return pd.DataFrame(rows)


# -------------------------------------------------------------------------------------- what can be done without it


def keras_rivals(spec: ll.Spec, x: np.ndarray, y: np.ndarray) -> dict[str, Callable[[], object]]:
    """Keras's own fit: dense, with the LSTM not trainable, and with constraints that put isolated rows back."""
    from lstm_lib.keras import keras, to_keras

    params = ll.init_params(spec)

    class PutBack(keras.constraints.Constraint):
        """Give the columns of the isolated units their start value again."""

        def __init__(self, start: np.ndarray) -> None:
            isolated = np.tile(np.arange(spec.units[0]) >= spec.units[0] // 4, 4)
            self.start, self.active = keras.ops.convert_to_tensor(start), (~isolated).astype("float32")

        def __call__(self, w: object) -> object:
            return self.start + (w - self.start) * self.active

    def fitting(change: Callable[[object], None]) -> Callable[[], object]:
        model = to_keras(spec, params)
        change(model)
        model.compile(keras.optimizers.Adam(1e-3), "mse")
        many = [np.concatenate([a] * FIT_BATCHES) for a in (x, y)]
        return lambda: model.fit(*many, batch_size=len(x), verbose=0, shuffle=False)

    def lstm(model: object) -> object:
        return next(layer for layer in model.layers if isinstance(layer, keras.layers.LSTM))

    def not_trainable(model: object) -> None:
        lstm(model).trainable = False

    def constrained(model: object) -> None:
        cell = lstm(model).cell
        for variable in (cell.kernel, cell.recurrent_kernel, cell.bias):
            variable.constraint = PutBack(np.asarray(variable))

    return {
        "Keras fit, dense": fitting(lambda model: None),
        "Keras fit, constraint, 25% of units active": fitting(constrained),
        "Keras fit, trainable=False": fitting(not_trainable),
    }


def torch_rivals(spec: ll.Spec, x: np.ndarray, y: np.ndarray) -> dict[str, Callable[[], object]]:
    """PyTorch's LSTM and Adam: dense, with gradient hooks that set isolated rows to 0, with the LSTM frozen."""
    try:
        import torch
    except ImportError:
        return {}
    H = spec.units[0]

    def training(hooked: bool, frozen: bool) -> Callable[[], object]:
        lstm, head = torch.nn.LSTM(spec.inputs, H, batch_first=True), torch.nn.Linear(H, 1)
        active = (torch.arange(H) < H // 4).float().repeat(4)
        for weight in lstm.parameters():
            weight.requires_grad_(not frozen)
            if hooked:
                weight.register_hook(lambda g: g * (active[:, None] if g.ndim == 2 else active))
        optimizer = torch.optim.Adam(
            [w for m in (lstm, head) for w in m.parameters() if w.requires_grad], 1e-3
        )
        xt, yt = torch.from_numpy(x), torch.from_numpy(y)

        def step() -> None:
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(head(lstm(xt)[0][:, -1]), yt).backward()
            optimizer.step()

        return step

    return {
        "PyTorch, dense": training(False, False),
        "PyTorch, gradient hook, 25% of units active": training(True, False),
        "PyTorch, requires_grad=False": training(False, True),
    }


def compare_rivals(shape: tuple[int, int, int, int], rounds: int) -> pd.DataFrame:
    """How many times as fast as its own dense step each of the others gets; each library in a process of its own."""
    tables = []
    for library in (keras_rivals, torch_rivals):  # one after the other loaded into one process, they crash it
        with ProcessPoolExecutor(1, get_context("spawn")) as alone:
            tables.append(alone.submit(time_rivals, library, shape, rounds).result())
    table = pd.concat([found for found in tables if not found.empty])
    table.insert(0, "shape", ",".join(map(str, shape)))
    return table.rename_axis("plan").reset_index()


def time_rivals(library: Rivals, shape: tuple[int, int, int, int], rounds: int) -> pd.DataFrame:
    """The contestants of one library beside its dense step; empty where it isn't installed."""
    B, T, D, H = shape
    spec, rng = ll.Spec(D, (H,), 1), np.random.default_rng(0)
    x, y = rng.standard_normal((B, T, D)).astype("float32"), rng.standard_normal((B, 1)).astype("float32")
    if not (contestants := library(spec, x, y)):
        return pd.DataFrame()
    seconds = interleave(contestants, rounds) / (FIT_BATCHES if library is keras_rivals else 1)
    return speed_up(seconds, next(iter(contestants)))


SHOWN = {
    "plan": "{}",
    "arcs": "{:.0%}",
    "apart": "{:.1e}",
    "backward ms": "{:.2f}",
    "backward by FLOPs": "{:.2f}",
    "backward measured": "{:.2f}",
    "step ms": "{:.2f}",
    "step by FLOPs": "{:.2f}",
    "step predicted": "{:.2f}",
    "step measured": "{:.2f}",
}


def show(table: pd.DataFrame) -> None:
    text = {c: table[c].map(lambda v, f=form: "" if pd.isna(v) else f.format(v)) for c, form in SHOWN.items()}
    for part in ("backward", "step"):
        spread = table[f"{part} 25 %"].map("{:.2f}".format) + "–" + table[f"{part} 75 %"].map("{:.2f}".format)
        text[f"{part} measured"] += " (" + spread + ")"
    print(pd.DataFrame(text).to_string(index=False))


def findings(table: pd.DataFrame) -> None:
    """The figures that the project holds itself to, each computed from the table."""
    at = table.set_index("plan")

    def measured(plan: str, part: str = "step") -> str:
        low, middle, high = (at.loc[plan, f"{part} {q}"] for q in ("25 %", "measured", "75 %"))
        return f"{middle:.2f} ({low:.2f}–{high:.2f})"

    def kept(part: str) -> str:
        saved, promised = (1 - 1 / at.loc["skip 25%", f"{part} {by}"] for by in ("measured", "by FLOPs"))
        return f"{saved:.0%} of its {part} ({saved / promised:.0%} of what its FLOPs promise)"

    span = next(name for name in at.index if name.startswith("nothing isolated, span"))
    quarter = span.replace("nothing isolated", "cut 25%")
    redrawn = at["step ms"]["cut 25%, redrawn every step"] - at["step ms"]["cut 25%, any units"]
    print(f"nothing isolated: step {measured('nothing isolated')}; hold 25%: step {measured('hold 25%')}")
    print(f"skip 25% saves {', '.join(map(kept, PARTS))}")
    print(f"cut 25%: backward {measured('cut 25%', 'backward')}, step {measured('cut 25%')}")
    print(f"{span}: step {measured(span)}; {quarter}: step {measured(quarter)}")
    print(f"another plan at every step costs {redrawn:.2f} ms a step")


def draw(csv: Path, png: Path) -> None:
    """A figure of what is predicted and measured for the first shape of a table that --csv wrote."""
    from lstm_lib import plots

    table = pd.read_csv(csv)
    table = table[(table["shape"] == table["shape"][0]) & table["step by FLOPs"].notna()].set_index("plan")
    table = table[table["active"].isin([1, 0.5, 0.25, 0])]
    columns = {"step by FLOPs": "FLOPs", "step predicted": "FLOPs, bytes, calls", "step measured": "measured"}
    spread = table["step 25 %"].to_numpy(), table["step 75 %"].to_numpy()
    fig = plots.predicted_and_measured(table[list(columns)].rename(columns=columns), spread, most=4)
    fig.savefig(png, dpi=110)


def main() -> None:
    """Parse the command line and run every shape."""
    parser = command_line(__doc__)
    parser.add_argument("--csv", type=Path, help="write the tables here as one CSV file")
    parser.add_argument("--png", type=Path, help="draw the figure of benchmarks/isolation.csv here")
    parser.add_argument("--ours", action="store_true", help="leave Keras and PyTorch out")
    args = parser.parse_args()
    if args.png:
        draw(args.csv or Path(__file__).with_suffix(".csv"), args.png)
        return
    print(machine())
    time_weights()
    tables = []
    for shape in [args.shape] if args.shape else SHAPES:
        tables.append(compare(shape, args.rounds))
        show(tables[-1])
        findings(tables[-1])
        if not args.ours:
            tables.append(compare_rivals(shape, args.rounds))
            print(tables[-1].drop(columns="shape").round(2).to_string(index=False))
    if args.csv:
        pd.concat(tables).to_csv(args.csv, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
