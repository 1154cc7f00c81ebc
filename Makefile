# The one way to set up, run and check the project. `make` or `make help` lists what there is.

PYTHON ?= python3
VENV   ?= .venv
PORT   ?= 8888
# More arguments for JupyterLab, e.g. make lab LAB_ARGS=--ip=0.0.0.0 to reach it from outside a container
LAB_ARGS ?=
# More arguments for Voilà, e.g. make app APP_ARGS=--ip=0.0.0.0
APP_ARGS ?=
APP_PORT ?= 8866
# "tested": the versions in requirements.txt; "newest": the newest ones within the ranges of pyproject.toml;
# "without-tensorflow": the newest ones but for TensorFlow, where it has no wheel
LOCK   ?= tested
# The chapter of `make reset`, as in make reset N=03
N ?=
# Where `make collect` finds a folder a student, and the table that it writes, if any
FROM ?= handed_in
TO   ?=
# Arguments for the study, e.g. make study STUDY_ARGS="my.csv --target load"
STUDY_ARGS ?=
# More arguments for pytest, e.g. make unit PYTEST_ARGS="-k adam"
PYTEST_ARGS ?=
# How many tests, or notebooks, are run at once
JOBS   ?= 2

# make and the shell would take such a name apart, and a part of it may be the name of another folder
SIGNS := ; & | " ' ( ) * ? < > ` \ $$
ifneq ($(words $(VENV))$(strip $(foreach sign,$(SIGNS),$(findstring $(sign),$(VENV)))),1)
  $(error VENV is "$(VENV)"; expected the name of one folder, without blanks and signs of the shell)
endif

RUN   := $(VENV)/bin/python
USED  := $(if $(wildcard $(RUN)),$(RUN),$(PYTHON))
PIP   := $(RUN) -m pip install --quiet --disable-pip-version-check
# A module (a notebook) stays in one process: what it prepares once is prepared once, and its cells run in order.
PYTEST := $(RUN) -m pytest -n $(JOBS) --dist loadscope
READY := $(VENV)/.installed-$(LOCK)
# One after the other; types and book side by side, since each keeps one core busy
STAGES := lint types+book unit check-notebooks
BENCHMARKS := $(filter-out __init__,$(basename $(notdir $(wildcard benchmarks/*.py))))

.DEFAULT_GOAL := help
.PHONY: help setup lab student reset collect app demo book test lint types unit check-notebooks notebooks format bench bench-engine study mutants soak data lock clean

help:  ## list the targets
	@echo "make TARGET, where TARGET is one of"
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */\1|/' \
	  | while IFS='|' read -r name what; do printf '  %-16s %s\n' "$$name" "$$what"; done
	@echo "Variables: PYTHON=$(PYTHON) VENV=$(VENV) PORT=$(PORT) LOCK=$(LOCK) LAB_ARGS= JOBS=$(JOBS) PYTEST_ARGS="

# ------------------------------------------------------------------------------------------------------ environment

setup: $(READY)  ## make the Python environment in .venv (every other target does so when it is needed)

# The stamp is made last, so that an interrupted set-up is taken up again; each way of installing removes the
# other's stamp, since both share one environment.
$(READY): requirements.txt pyproject.toml
	@command -v $(USED) >/dev/null || { echo "There is no $(USED). Name a Python that you have: make PYTHON=python3.13"; exit 1; }
	@$(USED) tools/which_python.py $(LOCK) "make $(MAKECMDGOALS)"
	@test -x $(RUN) || $(PYTHON) tools/new_venv.py "$(VENV)"
	@rm -f $(VENV)/.installed-*
	@echo "Installing the $(LOCK) versions into $(VENV): 1 to 5 minutes the first time, about 3 GB with TensorFlow ..."
ifeq ($(LOCK),newest)
	@$(PIP) --upgrade --upgrade-strategy eager -e '.[book,course,test]' || { \
	  echo "If TensorFlow has no wheel for this Python: make $(MAKECMDGOALS) LOCK=without-tensorflow"; exit 1; }
else ifeq ($(LOCK),without-tensorflow)
	@$(PIP) --prefer-binary -e '.[fast,study,lab]' jupyterlab
else
	@$(PIP) -r requirements.txt
	@$(PIP) --no-deps -e .
endif
	@touch $@

# ----------------------------------------------------------------------------------------------------------- course

lab: $(READY)  ## open the course in JupyterLab, the students' edition if there is one (PORT=8888, LAB_ARGS=...)
	@$(RUN) tools/lab.py notebooks/00_start_here.ipynb --port=$(PORT) $(LAB_ARGS)

student: $(READY)  ## the students' edition in student/: gaps in the place of solutions
	@$(RUN) tools/student.py

reset: $(READY)  ## a chapter of the students' edition anew; what was written in it is kept as a copy (N=03)
	@$(RUN) tools/student.py --reset "$(N)"

collect: $(READY)  ## who has which check right, run anew (FROM=handed_in, a folder a student; TO=table.csv)
	@$(RUN) tools/collect.py "$(FROM)" $(if $(TO),--csv "$(TO)")

app: $(READY)  ## the demonstrator of notebook 08 as an app in the browser (APP_PORT=8866, APP_ARGS=...)
	@$(RUN) tools/app.py notebooks/08_isolation_lab.ipynb --port=$(APP_PORT) $(APP_ARGS)

demo: $(READY)  ## a first look in the terminal
	@$(RUN) tools/demo.py

book: $(READY)  ## the course and the reference as a site to read, in build/book; links are checked
	@$(RUN) tools/book.py

notebooks: $(READY)  ## run all notebooks and store their outputs
	@$(RUN) tools/run_notebooks.py

# ------------------------------------------------------------------------------------------------------------ checks

test:  ## everything CI checks: lint, types, book, unit, check-notebooks
	@for stage in $(STAGES); do \
	  echo "== $$stage"; began=$$(date +%s); \
	  $(MAKE) --no-print-directory -j2 $$(echo $$stage | tr + ' ') || exit 1; \
	  echo "== $$stage took $$(($$(date +%s) - began)) s"; \
	done

lint: $(READY)  ## style and likely bugs (ruff)
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .

types: $(READY)  ## types of lstm_lib (mypy, strict)
	@$(RUN) -m mypy

unit: $(READY)  ## tests and the examples in docstrings
	@$(PYTEST) tests lstm_lib $(PYTEST_ARGS)

# One thread: nothing is timed here, and threads that share a small product lose much on a busy machine.
check-notebooks: $(READY)  ## run all notebooks and compare with their stored outputs
	@OPENBLAS_NUM_THREADS=1 $(PYTEST) --nbval --nbval-current-env --nbval-cell-timeout=600 -x notebooks $(PYTEST_ARGS)

mutants: $(READY)  ## plant faults in lstm_lib and see that the tests find them (long)
	@$(RUN) tools/mutants.py

# Laws, spellings of stamps and tables, Adam at the edge of a type; records and stores, damaged and killed
SOAKED := tests/laws tests/series/test_series_stamps.py tests/series/test_series_texts.py tests/training/test_edges.py \
  tests/training/test_record_files.py tests/project/test_replacing.py tests/experiments/test_store.py \
  tests/experiments/test_sweeping.py

soak: $(READY)  ## laws and spellings on 10,000 new cases each, damaged files and kills by the hundred (long)
	@$(RUN) -m pytest $(SOAKED) --hypothesis-profile=soak $(PYTEST_ARGS)

format: $(READY)  ## put the code into shape (ruff)
	@$(RUN) -m ruff check --fix-only .
	@$(RUN) -m ruff format .

# -------------------------------------------------------------------------------------------------------- benchmarks

bench: $(READY)  ## all benchmarks, one after the other (long)
	@for name in $(BENCHMARKS); do echo "== $$name"; $(RUN) -m benchmarks.$$name || exit 1; done

bench-engine: $(READY)  ## forward and backward pass beside Keras
	@$(RUN) -m benchmarks.engine

study: $(READY)  ## the study of isolation, a night; STUDY_ARGS="my.csv --quick" (lstm-lib study --help)
	@$(RUN) -m lstm_lib study $(STUDY_ARGS)

# ------------------------------------------------------------------------------------------------------- maintenance

data: $(READY)  ## make the embedded series again from their sources
	@$(RUN) data/make_sceaux.py
	@$(RUN) data/make_fontana.py

lock:  ## write requirements.txt and environment.yml anew from the newest versions that pyproject.toml allows
	@$(PYTHON) tools/lock.py

clean:  ## remove caches and .venv (an environment elsewhere is left alone)
	@rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
	@find . -name __pycache__ -prune -exec rm -rf {} + -o -name .ipynb_checkpoints -prune -exec rm -rf {} +
