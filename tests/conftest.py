"""What every test starts from: one thread, silent libraries, the same seeds, Hypothesis as CI runs it."""

from __future__ import annotations

import os
import tempfile

# Read by the libraries once, when they are imported: so they are set here, before any test module is. One
# thread, since threads that share a small product wait for each other, for long if the machine is busy.
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
os.environ.update(TF_NUM_INTRAOP_THREADS="1", TF_NUM_INTEROP_THREADS="1")
os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0", CUDA_VISIBLE_DEVICES="-1")
os.environ.update(MPLBACKEND="agg", JUPYTER_PLATFORM_DIRS="1")
# Tests don't wait for a study that is timed on this machine, nor does it for them.
os.environ["LSTM_LIB_MOST_LOAD"] = "inf"  # other tests run beside
os.environ["LSTM_LIB_TIMED_LOCK"] = os.path.join(tempfile.gettempdir(), f"lstm_lib-tests-{os.getpid()}.lock")

import random
import sys

import hypothesis
import numpy as np
import pytest

# "ci" tries the same examples in every run: a red run is a changed program. "soak" looks for new ones (`make soak`);
# "mutants" is for planted faults, which show up soon or not at all. The laws of isolation are tried on five times as
# many: 500, 10,000 and 100.
hypothesis.settings.register_profile("ci", max_examples=100, derandomize=True, deadline=None, print_blob=True)
hypothesis.settings.register_profile("soak", max_examples=2000, deadline=None, print_blob=True)
hypothesis.settings.register_profile(
    "mutants", max_examples=20, derandomize=True, deadline=None, database=None
)
hypothesis.settings.load_profile("ci")


@pytest.fixture(autouse=True)
def rng() -> np.random.Generator:
    """A Generator that is the same at the start of every test; the global seeds are reset as well."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002  # whatever a library still draws from the global state
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(0)
    return np.random.default_rng(0)
