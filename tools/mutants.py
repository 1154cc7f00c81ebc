"""Mutation run: plant one fault at a time in the equations and see whether the tests notice.

    python tools/mutants.py [network/cells isolation/plan training/adam …] [--most N] [--jobs 2]

Every fault is a small change of the syntax tree: a sign, an operation, a factor, a wrong gate, a wrong index, a
dropped term or line, a turned condition. The module with the fault is put into a copy of the project, and the fast
tests of that module run against it, on the plain engine but for the compiled one's own faults. What no test notices is
compared with the sound module on a set of probe networks: if any number differs the tests have a hole, the fault is
printed and the run fails; if none does, it is harmless (a block size, a tie in a comparison) and is listed as such.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

# Before NumPy and Numba are loaded; code that runs for a second need not be compiled well.
os.environ.update(OPENBLAS_NUM_THREADS="1", NUMBA_OPT="1", PYTHONDONTWRITEBYTECODE="1")
sys.dont_write_bytecode = True

import hypothesis.strategies  # noqa: F401  # these are loaded here so that every fork has them
import numba  # noqa: F401
import numpy as np  # noqa: F401
import pandas as pd  # noqa: F401
import pytest
import scipy.linalg.cython_blas  # noqa: F401
from tqdm import tqdm

ROOT = Path(__file__).resolve().parent.parent
PROBE = Path(__file__).with_name("probe.py")
VERDICTS = ("caught", "harmless", "MISSED")
PYTEST = ["-x", "-q", "--hypothesis-profile=mutants", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
PYTEST += [f"-pno:{plugin}" for plugin in ("cacheprovider", "nbval", "xdist", "xdist.looponfail", "anyio")]
# Without TensorFlow, which is slow to start; without what only the compiled engine promises; a third of the networks.
SKIPPED = ("compiled", "autograd", "large_to_allocate", "linear-every", "softmax-last", "-3-")
PLAIN = ["-k", " and ".join(f"not {name}" for name in SKIPPED)]
COMPILED = ["-k", "not plain and not both_engines_give_the_same"]  # what needs few cells, each compiled anew
SECONDS = 300  # a test run that takes longer has met an endless loop: the fault counts as caught

# Module -> the files of the tests that must notice its faults, and the functions that only check or describe.
EXACT, COST = "laws/law_3_exactness", "laws/law_5_cost"
ENGINES = "network/errors laws/law_7_engines network/cells"
PLANS, ZONES = f"isolation/plan {COST} {EXACT}", "isolation/zones laws/law_4_algebra"
CHECKS = {"__repr__", "__post_init__", "__eq__", "describe", "_check", "_check_choices", "_checked"}
TARGETS = {
    "network/cells": ("network/cells", {"get_cell", "_known"}),
    "network/spec": ("network/spec network/cells", CHECKS | {"check_params"}),
    "network/layout": (f"network/network {PLANS}", set()),
    "network/work": (f"{PLANS} network/network", CHECKS),
    "network/trace": ("network/network", {"check"}),
    "network/forward": ("network/network training/states", {"_check_inputs"}),
    "network/backward": (f"{EXACT} network/network {COST}", {"_check_error"}),
    "network/errors": (f"network/errors {EXACT} network/network {COST}", set()),
    "network/losses": ("network/losses", set()),
    "network/step": ("network/cells", set()),
    "network/compiled": (f"network/compiled {ENGINES}", {"_installed"}),
    "network/compiled_loops": (f"network/compiled {ENGINES}", set()),
    "isolation/text": (ZONES, set()),
    "isolation/zones": (ZONES, CHECKS),
    "isolation/partition": (ZONES, CHECKS),
    "isolation/products": (PLANS, set()),
    "isolation/cost": (f"isolation/cost isolation/plan {COST}", set()),
    "isolation/plan": (PLANS, CHECKS),
    "training/adam": ("training/adam training/adam_options laws/law_2_isolated_arcs", CHECKS),
    "training/schedules": ("training/schedules", CHECKS),
    "training/states": ("training/states", set()),
    "forecasting/arrays": ("project/forecaster", set()),
    "forecasting/bands": ("forecasting/forecast", set()),
    "forecasting/drivers": ("forecasting/drivers", {"_asked"}),
    "forecasting/recipe": (
        "forecasting/forecast forecasting/store series/series_known",
        {"check", "_why_not"},
    ),
    "forecasting/store": ("forecasting/store", set()),
    "command/preparing": ("command/command command/wrong_turns", {"say"}),
    "command/running": ("command/command command/report", set()),
    "lora/airtime": ("lora/airtime", set()),
    "lora/codes": ("lora/codes", set()),
    "lora/deltas": ("lora/codes", set()),
    "lora/dual": ("lora/dual", CHECKS),
    "lora/forecasts": ("lora/dual", set()),
    "lora/fragments": ("lora/fragments", set()),
    "lora/sending": ("lora/sending", set()),
    "convolution/layers": ("convolution/layers convolution/network", CHECKS),
    "convolution/network": ("convolution/network", CHECKS),
    "convolution/training": ("convolution/network", CHECKS | {"_check_targets"}),
}

# What may be mistaken for what: a word becomes the next one of its row, the last one the first.
NAMES = """
f i o g tanh_c | z r u g | z_f z_i z_o z_g | z_z z_r z_g u | df di dg do | dz_f dz_i dz_g dz_o | dz_z dz_r dz_g
p_f p_i p_o | act_f act_o act_i act_g | act_z act_g act_r | slope_f slope_o slope_i slope_g | slope_z slope_g slope_r
c c_prev h_prev | dh dc | m v v_max | root rate eps | yhat y | before after values blocks | given direct | unit source
rows columns sources | start stop first last | reached arrives has_row | below receivers units | kept used
some_rows some_columns | own_rows blocks | covered everything | into across | steps back batch | lowest highest
T B H D n P S O | t k | a b c d
"""
ATTRIBUTES = """
start stop | rows columns | any all | max min | argmax argmin | zeros ones | add multiply | sqrt square | tanh sin
dh dc | B H | D H | h x
"""
WORDS = """
f i o g | z r u | sigmoid tanh | h c | Wx Wh | b bh p | last every | beta1 beta2 | hold skip cut | unit gate
"""
OPERATIONS = """
Add Sub | Mult Add | Div Mult | FloorDiv Mult | Pow Mult | Mod FloorDiv | BitOr BitAnd | And Or | Lt GtE | Gt LtE
Eq NotEq | Is IsNot | In NotIn
"""
SAYS = ("annotation", "returns", "exc", "msg")  # parts of the tree that make no number
WRITERS = ("_kernel", "_loop", "_arguments")  # functions of compiled_loops.py whose text is code too
TEXT = {" + ": " - ", " - ": " + ", " >= ": " < ", " == ": " != ", " = 0": " = 1", " and ": " or "}


class Fault(NamedTuple):
    """One planted fault: where it is, what it is, and the module's text with it."""

    line: int
    kind: str
    text: str
    source: str


def faults(source: str, skip: set[str]) -> Iterator[Fault]:
    """Every single fault that can be planted in a module's functions and tables."""
    tree = ast.parse(source)
    for function in _functions(tree, skip):
        names = {n.id for n in ast.walk(function) if isinstance(n, ast.Name)}
        names |= {n.arg for n in ast.walk(function) if isinstance(n, ast.arg)}
        writes = getattr(function, "name", "").endswith(WRITERS)
        for node in _walk(function):
            for kind, change in [*_changes(node, names), *(_texts(node) if writes else [])]:
                yield _planted(tree, node, kind, change)


def _functions(tree: ast.Module, skip: set[str]) -> Iterator[ast.AST]:
    """Functions and tables at the top of the module or of a class, without those that only check or describe."""
    for node in tree.body:
        for inner in node.body if isinstance(node, ast.ClassDef) else [node]:
            is_table = isinstance(getattr(inner, "value", None), ast.Dict | ast.DictComp)
            if is_table or (isinstance(inner, ast.FunctionDef) and inner.name not in skip):
                yield inner


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """A node and all in it, but for annotations and refusals, which make no number, and docstrings."""
    yield node
    for field, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            says = isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
            if isinstance(child, ast.AST) and field not in SAYS and not says:
                yield from _walk(child)


def _changes(node: ast.AST, names: set[str]) -> Iterator[tuple[str, object]]:
    """The faults one node can carry, as a name and a function from the copied node to its replacement."""
    op = node.ops[0] if isinstance(node, ast.Compare) else getattr(node, "op", None)
    if (word := _next(type(op).__name__, OPERATIONS)) and not isinstance(node, ast.AugAssign):
        new = getattr(ast, word)()
        yield "operation", lambda n: _set(n, **({"ops": [new]} if hasattr(n, "ops") else {"op": new}))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub | ast.BitAnd | ast.BitOr):
        yield "dropped term", lambda n: n.left
        yield "dropped term", lambda n: n.right
    elif isinstance(node, ast.UnaryOp):
        yield "sign", lambda n: n.operand
    elif isinstance(node, ast.IfExp):
        yield "branch", lambda n: n.body
        yield "branch", lambda n: n.orelse
    elif isinstance(node, ast.If) and isinstance(node.test, ast.Name | ast.Attribute | ast.Call):
        yield "condition", lambda n: _set(n, test=ast.UnaryOp(ast.Not(), n.test))
    elif isinstance(node, ast.Constant):
        if type(node.value) is bool:
            yield "constant", lambda n: _set(n, value=not n.value)
        elif type(node.value) in (int, float):
            yield "constant", lambda n: _set(n, value=n.value + 1)
            less = node.value / 2 if isinstance(node.value, float) else node.value - 1
            if node.value:
                yield "factor", lambda n: _set(n, value=less)
        elif word := _next(node.value, WORDS):
            yield "wrong word", lambda n: _set(n, value=word)
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        if word := _next(node.id, NAMES, names):
            yield "wrong variable", lambda n: _set(n, id=word)
    elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
        if word := _next(node.attr, ATTRIBUTES):
            yield "wrong attribute", lambda n: _set(n, attr=word)
        if node.attr == "T" and not ast.unparse(node.value).endswith(("layer", "buffers", "self")):
            yield "not transposed", lambda n: n.value
    elif isinstance(node, ast.AugAssign | ast.Expr) or _writes(node):
        yield "dropped line", lambda n: ast.copy_location(ast.Pass(), n)


def _writes(node: ast.AST) -> bool:
    return isinstance(node, ast.Assign | ast.Delete) and isinstance(node.targets[0], ast.Subscript)


def _next(word: object, table: str, known: set[str] | None = None) -> str | None:
    """What this word may be mistaken for, among the known ones."""
    for row in (row.split() for row in table.replace("|", "\n").splitlines()):
        if word in row:
            k = row.index(str(word))
            if found := [other for other in row[k + 1 :] + row[:k] if known is None or other in known]:
                return found[0]
    return None


def _texts(node: ast.AST) -> Iterator[tuple[str, object]]:
    """The faults of a piece of text that will be run."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        for old, new in TEXT.items():
            for k in range(node.value.count(old)):
                parts = node.value.split(old)
                text = old.join(parts[: k + 1]) + new + old.join(parts[k + 1 :])
                yield "text", lambda n, text=text: _set(n, value=text)


def _set(node: ast.AST, **fields: object) -> ast.AST:
    for name, value in fields.items():
        setattr(node, name, value)
    return node


def _planted(tree: ast.Module, node: ast.AST, kind: str, change: object) -> Fault:
    """Copy the tree, change the copy of `node`, and write it out."""
    node.planted = True  # type: ignore[attr-defined]
    changed = copy.deepcopy(tree)
    del node.planted  # type: ignore[attr-defined]

    class Replace(ast.NodeTransformer):
        def visit(self, n: ast.AST) -> ast.AST:
            return change(n) if getattr(n, "planted", False) else super().generic_visit(n)  # type: ignore[operator]

    source = ast.unparse(ast.fix_missing_locations(Replace().visit(changed)))
    texts = [ast.unparse(n).split("\n")[0] for n in (node, change(copy.deepcopy(node)))]  # type: ignore[operator]
    alike = max(0, next((k for k, pair in enumerate(zip(*texts, strict=False)) if len({*pair}) > 1), 0) - 20)
    said = "  ->  ".join(text[alike : alike + 70] for text in texts)
    return Fault(node.lineno, kind, said, source)  # type: ignore[attr-defined]


def judge(module: str, fault: Fault, tests: list[str], sound: str) -> int:
    """Fork a process, which has the libraries already, that plants the fault and ends with its verdict as exit code."""
    child = os.fork()
    if child:
        return child
    verdict = VERDICTS.index("caught")  # also if the tests end in any other way than by passing
    try:
        signal.alarm(SECONDS)
        with tempfile.TemporaryDirectory() as folder:
            _copy_project(Path(folder))
            (Path(folder) / "lstm_lib" / f"{module}.py").write_text(fault.source)
            os.chdir(folder)
            sys.path.insert(0, folder)
            silent = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silent, 1)
            os.dup2(silent, 2)
            if pytest.main([*PYTEST, *tests]) == 0:
                signal.alarm(0)
                same = _run(["probe.py", module], folder).stdout == sound
                verdict = VERDICTS.index("harmless" if same else "MISSED")
    finally:
        os._exit(verdict)


def judge_all(module: str, planted: list[Fault], tests: list[str], sound: str, jobs: int) -> list[str]:
    """The verdicts on all faults, `jobs` of them at a time."""
    verdicts, running = [""] * len(planted), dict[int, int]()

    def collect() -> None:
        child, status = os.wait()
        ended_itself = os.WIFEXITED(status)  # else the alarm did, in an endless loop
        k = running.pop(child)
        verdicts[k] = VERDICTS[os.WEXITSTATUS(status)] if ended_itself else "caught"
        if verdicts[k] != "caught":
            line, kind, text, _ = planted[k]
            tqdm.write(f"  {verdicts[k]}: {module}.py:{line} {kind}: {text}")

    for k, fault in enumerate(tqdm(planted, desc=module)):
        if len(running) == jobs:
            collect()
        running[judge(module, fault, tests, sound)] = k
    while running:
        collect()
    return verdicts


def _copy_project(folder: Path) -> None:
    for name in ("lstm_lib", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for file in (ROOT / "pyproject.toml", PROBE):
        shutil.copy(file, folder)
    (folder / "data").symlink_to(ROOT / "data")


def _run(command: list[str], folder: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": folder}
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def run(module: str, most: int | None, jobs: int) -> bool:
    """Plant the faults of one module; True when the tests caught every one that changes a number."""
    files, skip = TARGETS[module]
    planted = list(faults((ROOT / "lstm_lib" / f"{module}.py").read_text(encoding="utf-8"), skip))
    if most:
        planted = planted[:: max(1, -(-len(planted) // most))]
    tests = [f"tests/{file.replace('/', '/test_')}.py" for file in files.split()]
    os.environ["LSTM_LIB_ENGINE"] = engine = "compiled" if "compiled" in module else "plain"
    tests += PLAIN if engine == "plain" else COMPILED
    with tempfile.TemporaryDirectory() as folder:
        _copy_project(Path(folder))
        for command in (["-m", "pytest", *PYTEST, *tests], ["probe.py", module]):
            sound = _run(command, folder)
            if sound.returncode:
                said = sound.stdout[-2000:] + sound.stderr[-2000:]
                raise SystemExit(f"{command[0]} {command[1]} fails without any fault:\n{said}")
    verdicts = judge_all(module, planted, tests, sound.stdout, jobs)
    counts = Counter(verdicts)
    told = ", ".join(f"{counts[word]} {word}" for word in VERDICTS)
    print(f"{module}: {len(planted)} faults; {told}", flush=True)
    return not counts["MISSED"]


def main() -> None:
    """Run the modules named on the command line, or those of the network."""
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=shape)
    network = [name for name in TARGETS if name.startswith("network/")]
    parser.add_argument("modules", nargs="*", choices=[*TARGETS, []], default=network)
    parser.add_argument("--most", type=int, help="at most about this many faults a module, evenly spread")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args()
    pytest.main(["--version"])  # loads its plugins, for every fork
    sound = [run(module, args.most, args.jobs) for module in args.modules]
    sys.exit(0 if all(sound) else 1)


if __name__ == "__main__":
    main()
