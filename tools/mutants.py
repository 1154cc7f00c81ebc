"""Mutation run: plant one fault at a time in the equations and see whether the tests notice.

    python tools/mutants.py [cell spec layer network adam zones plan …] [--most N] [--jobs 2]

Every fault is a small change of the syntax tree: a sign, an operation, a factor, a wrong gate, a wrong
index, a dropped term or line. The module with the fault is put into a copy of the project, and the fast
tests of that module run against it. A fault that no test notices is compared with the sound module on a set
of probe networks: if any number differs the tests have a hole, the fault is printed and the run fails;
if none does, the fault is harmless (a block size, a tie in a comparison) and is listed as such.
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

os.environ.update(OPENBLAS_NUM_THREADS="1", PYTHONDONTWRITEBYTECODE="1")  # before NumPy is loaded
sys.dont_write_bytecode = True

import hypothesis.strategies  # noqa: F401  # these are loaded here so that every fork has them
import numpy as np  # noqa: F401
import pandas as pd  # noqa: F401
import pytest
import threadpoolctl  # noqa: F401
from tqdm import tqdm

ROOT = Path(__file__).resolve().parent.parent
PROBE = Path(__file__).with_name("probe.py")
VERDICTS = ("caught", "harmless", "MISSED")
PYTEST = [
    "-x",
    "-q",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:nbval",
    "-W",
    "ignore::pytest.PytestAssertRewriteWarning",
    "--hypothesis-profile=mutants",
]
SECONDS = 120  # a test run that takes longer has met an endless loop: the fault counts as caught

# Module -> the tests that must notice its faults, and the functions that only check arguments or describe.
FAST = ["tests/test_cell.py", "tests/test_network.py"]
ISOLATION = ["tests/test_zones.py", "tests/test_plan.py", "tests/test_isolation.py"]
CHECKS = {"__repr__", "_check", "_check_choices", "__eq__", "describe"}
TARGETS = {
    "cell": (FAST, {"get_cell"}),
    "spec": (FAST, {"__post_init__", "check_params"}),
    "layer": (FAST, set()),
    "layer_backward": ([*FAST, *ISOLATION], set()),
    "network": ([*FAST, *ISOLATION, "tests/test_states.py"], {"check", "_check_inputs", "_check_error"}),
    "adam": (
        ["tests/test_adam.py", "tests/test_adam_options.py", "tests/test_isolation.py"],
        {"__post_init__"},
    ),
    "zones": (["tests/test_zones.py"], CHECKS),
    "work": (ISOLATION, set()),
    "plan": (ISOLATION, CHECKS),
    "cost": (ISOLATION, set()),
    "schedules": (["tests/test_schedules.py"], CHECKS),
    "states": (["tests/test_states.py"], set()),
}

NEIGHBOUR = {
    "f": "i", "i": "o", "o": "g", "g": "f", "dh": "dc", "dc": "dh", "df": "di", "di": "dg", "do": "df", "dg": "di",
    "c_prev": "c", "h_prev": "c_prev", "tanh_c": "c", "Wx": "Wh", "Wh": "Wx", "m": "v", "v": "m",
    "dz_fi": "dz_o", "dz_o": "dz_g", "dz_g": "dz_o", "p": "w", "first": "last", "last": "first",
    "root1": "rate", "row": "rows", "yhat": "y", "stop": "start", "t": "H",
    "rows": "columns", "columns": "rows", "kept": "units", "below": "receivers", "receivers": "below", "some": "kept",
    "lowest": "k", "reached": "arrives",
}  # fmt: skip
WORDS = {
    "sigmoid": "tanh",
    "tanh": "sigmoid",
    "f": "i",
    "i": "o",
    "o": "g",
    "g": "f",
    "beta1": "beta2",
    "beta2": "beta1",
}
CALLS = {
    "multiply": "add",
    "add": "multiply",
    "subtract": "add",
    "tanh": "sin",
    "sqrt": "square",
    "zeros": "ones",
}
OPERATORS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.Pow: ast.Mult,
    ast.MatMult: None,
}
COMPARISONS = {
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
}


class Fault(NamedTuple):
    """One planted fault: where it is, what it is, and the module's text with it."""

    line: int
    kind: str
    text: str
    source: str


def faults(source: str, skip: set[str]) -> Iterator[Fault]:
    """Every single fault that can be planted in a module's functions."""
    tree = ast.parse(source)
    for function in _functions(tree, skip):
        for node in ast.walk(function):
            for kind, change in _changes(node):
                yield _planted(source, tree, node, kind, change)


def _functions(tree: ast.Module, skip: set[str]) -> Iterator[ast.AST]:
    """Functions and tables at the top of the module or of a class, without those that only check or describe."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield from (n for n in node.body if isinstance(n, ast.FunctionDef) and n.name not in skip)
            continue
        is_function = isinstance(node, ast.FunctionDef) and node.name not in skip
        is_table = isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(
            node.value, ast.Dict | ast.DictComp
        )
        if is_function or is_table:
            yield node


def _changes(node: ast.AST) -> Iterator[tuple[str, object]]:
    """The faults one node can carry, as a name and a function from the copied node to its replacement."""
    if isinstance(node, ast.BinOp):
        other = OPERATORS.get(type(node.op))
        if other:
            yield "operation", lambda n, other=other: _set(n, op=other())
        if isinstance(node.op, ast.Add | ast.Sub):
            yield "dropped term", lambda n: n.left
            yield "dropped term", lambda n: n.right
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield "sign", lambda n: n.operand
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
        yield "constant", lambda n: _set(n, value=n.value + 1)
        if node.value:
            yield (
                "factor",
                lambda n: _set(n, value=n.value / 2 if isinstance(n.value, float) else n.value - 1),
            )
    elif isinstance(node, ast.Constant) and node.value in WORDS:
        yield "wrong name", lambda n: _set(n, value=WORDS[n.value])
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in NEIGHBOUR | CALLS:
        yield "wrong variable", lambda n: _set(n, id=(NEIGHBOUR | CALLS)[n.id])
    elif isinstance(node, ast.Attribute) and node.attr in CALLS:
        yield "wrong function", lambda n: _set(n, attr=CALLS[n.attr])
    elif (
        isinstance(node, ast.Attribute)
        and node.attr == "T"
        and not (isinstance(node.value, ast.Name) and node.value.id == "layer")
    ):
        yield "not transposed", lambda n: n.value
    elif isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARISONS:
        yield "comparison", lambda n: _set(n, ops=[COMPARISONS[type(n.ops[0])]()])
    elif isinstance(node, ast.AugAssign) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
        yield "dropped line", lambda n: ast.copy_location(ast.Pass(), n)


def _set(node: ast.AST, **fields: object) -> ast.AST:
    for name, value in fields.items():
        setattr(node, name, value)
    return node


def _planted(source: str, tree: ast.Module, node: ast.AST, kind: str, change: object) -> Fault:
    """Copy the tree, change the copy of `node`, and write it out."""
    node.planted = True  # type: ignore[attr-defined]
    changed = copy.deepcopy(tree)
    del node.planted  # type: ignore[attr-defined]

    class Replace(ast.NodeTransformer):
        def visit(self, n: ast.AST) -> ast.AST:
            return change(n) if getattr(n, "planted", False) else super().generic_visit(n)  # type: ignore[operator]

    before = ast.get_source_segment(source, node) or ""
    text = ast.unparse(ast.fix_missing_locations(Replace().visit(changed)))
    after = ast.unparse(change(copy.deepcopy(node)))  # type: ignore[operator]
    return Fault(node.lineno, kind, f"{' '.join(before.split())[:60]}  ->  {after[:60]}", text)  # type: ignore[attr-defined]


def judge(module: str, fault: Fault, tests: list[str], sound: str) -> int:
    """Fork a process that plants the fault and ends with its verdict as exit code; returns the process's number.

    A fork has the libraries loaded already, which takes longer than most of the tests.
    """
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
        verdicts[running.pop(child)] = VERDICTS[os.WEXITSTATUS(status)] if ended_itself else "caught"

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
    tests, skip = TARGETS[module]
    planted = list(faults((ROOT / "lstm_lib" / f"{module}.py").read_text(), skip))
    if most:
        planted = planted[:: max(1, -(-len(planted) // most))]
    with tempfile.TemporaryDirectory() as folder:
        _copy_project(Path(folder))
        if (check := _run(["-m", "pytest", *PYTEST, *tests], folder)).returncode:
            raise SystemExit(
                f"the tests fail without any fault:\n{check.stdout[-2000:]}{check.stderr[-2000:]}"
            )
        sound = _run(["probe.py", module], folder)
        if sound.returncode:
            raise SystemExit(f"the probe fails without any fault:\n{sound.stderr[-2000:]}")
    verdicts = judge_all(module, planted, tests, sound.stdout, jobs)
    counts = Counter(verdicts)
    for word in ("harmless", "MISSED"):
        for fault, found in zip(planted, verdicts, strict=True):
            if found == word:
                print(f"  {word}: {module}.py:{fault.line} {fault.kind}: {fault.text}")
    print(f"{module}: {len(planted)} faults;", ", ".join(f"{counts[word]} {word}" for word in VERDICTS))
    return not counts["MISSED"]


def main() -> None:
    """Run the modules named on the command line, or the engine's four."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "modules", nargs="*", choices=[*TARGETS, []], default=["cell", "spec", "layer", "network"]
    )
    parser.add_argument(
        "--most", type=int, help="plant at most about this many faults in a module, evenly spread"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args()
    sound = [run(module, args.most, args.jobs) for module in args.modules]
    sys.exit(0 if all(sound) else 1)


if __name__ == "__main__":
    main()
