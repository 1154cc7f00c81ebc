"""TensorFlow is imported in silence, and a package that lives without it says what is missing."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BACKEND = ROOT / "lstm_lib" / "keras" / "backend.py"


def run(code: str) -> subprocess.CompletedProcess[str]:
    """Code in a fresh interpreter, at the top of the project, without the settings of conftest.py."""
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, cwd=ROOT, env={"PATH": ""}, capture_output=True, text=True, timeout=120, check=False
    )


def test_importing_it_writes_nothing_and_does_not_ask_the_settings_file_of_keras(tmp_path):
    (tmp_path / "keras.json").write_text(json.dumps({"backend": "jax"}))
    code = """import os; os.environ['KERAS_HOME'] = {!r}
import lstm_lib.keras as k, tensorflow as tf; tf.constant(1.0) + 1; print(k.keras.config.backend())"""
    done = run(code.format(str(tmp_path)))
    assert (done.returncode, done.stdout, done.stderr) == (0, "tensorflow\n", "")


BLOCKED = "import sys; sys.modules.update(dict.fromkeys(['tensorflow', 'keras'])); "


def test_the_library_works_where_there_is_no_tensorflow():
    done = run(
        BLOCKED
        + """
import numpy as np, lstm_lib as ll
from lstm_lib.checks import gradient_check
spec = ll.Spec(1, (2,), 1)
x = np.ones((4, 3, 1))
record = ll.fit(spec, (x, x[:, 0]), epochs=1, progress=False)
print(gradient_check(spec, record.params, x, x[:, 0]).passed)
"""
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "True", "")


def test_it_says_what_is_missing():
    done = run(BLOCKED + "import lstm_lib.keras")
    assert 'ImportError: lstm_lib.keras needs TensorFlow: pip install "lstm_lib[keras]"' in done.stderr


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_another_backend_of_keras_is_refused_by_name(backend):
    done = run(f"import os; os.environ['KERAS_BACKEND'] = {backend!r}; import lstm_lib.keras")
    expected = f"ImportError: lstm_lib.keras needs Keras on TensorFlow, but its backend is {backend!r}; set"
    assert expected in done.stderr


def test_so_is_one_that_keras_has_already(monkeypatch):
    from lstm_lib.keras import keras

    monkeypatch.setattr(keras.config, "backend", lambda: "openvino")
    anew = importlib.util.spec_from_file_location("imported_anew", BACKEND)
    with pytest.raises(ImportError, match="needs Keras on TensorFlow, but its backend is 'openvino'"):
        anew.loader.exec_module(importlib.util.module_from_spec(anew))


def test_importing_the_library_starts_no_heavy_one():
    heavy = ["tensorflow", "keras", "matplotlib", "ipywidgets", "sklearn"]
    done = run(f"import sys, lstm_lib; print([name for name in {heavy} if name in sys.modules])")
    assert done.stdout.strip() == "[]"
