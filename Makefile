# The two commands that matter: `make demo` and `make test`. Both need only python3 (3.11 or newer) with venv and pip;
# they build .venv from requirements.lock once, and again whenever the lock or pyproject.toml changes.

PYTHON ?= python3
VENV ?= .venv
OUT ?= out
PYTEST_ARGS ?=

BIN := $(VENV)/bin
STAMP := $(VENV)/.complete
BUILDING := $(VENV)/.building
# One BLAS thread per process: the tests and the simulator run two processes side by side.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input

.DEFAULT_GOAL := help
.PHONY: help venv demo test unit packaging notebooks docs bench lint format types wheel lock clean distclean

help: ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

venv: $(STAMP) ## build the locked environment

# $(BUILDING) is there from the first command to the last: finding it means that a build was cut off, and its
# half-made environment is thrown away. An environment that someone made by hand is brought to the locked versions.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "hdsym needs Python 3.11 or newer; name one with: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@if [ -e $(BUILDING) ] || ! $(BIN)/python -m pip --version >/dev/null 2>&1 || \
	    ! $(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
	  echo "making $(VENV) with $(PYTHON)"; $(PYTHON) -m venv --clear $(VENV); fi
	@rm -f $@ && touch $(BUILDING)
	$(PIP) install --quiet --requirement requirements.lock
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@rm -f $(BUILDING) && touch $@

demo: $(STAMP) ## derive, solve, simulate, compare: phase retrieval, then real data; results in out/
	$(ONE_THREAD) $(BIN)/hdsym run hdsym/models/phase_retrieval.toml --out $(OUT)/phase_retrieval
	$(ONE_THREAD) $(BIN)/hdsym run hdsym/models/digits.toml --out $(OUT)/digits

test: $(STAMP) ## the full test suite, with the wheel built, installed and used
	$(ONE_THREAD) $(BIN)/python -m pytest -n 2 $(PYTEST_ARGS)

unit: $(STAMP) ## the quick part of the test suite
	$(ONE_THREAD) $(BIN)/python -m pytest -n 2 -m "not slow and not packaging and not notebook and not nightly" $(PYTEST_ARGS)

packaging: $(STAMP) ## build the wheel and the source distribution, install them, use them
	$(ONE_THREAD) $(BIN)/python -m pytest -m packaging $(PYTEST_ARGS)

notebooks: $(STAMP) ## execute every notebook
	$(ONE_THREAD) $(BIN)/python -m pytest -m notebook $(PYTEST_ARGS)

docs: $(STAMP) ## build the documentation into site/, warnings being errors; it needs no network, nor does reading it
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

bench: $(STAMP) ## run every benchmark
	@set -e; for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script; done

lint: $(STAMP) ## ruff: rules and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(STAMP) ## apply ruff's fixes and formatting
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(STAMP) ## mypy --strict
	$(BIN)/mypy

wheel: $(STAMP) ## build the wheel and the source distribution into dist/
	$(BIN)/python -m build --no-isolation --outdir dist .

lock: $(STAMP) ## resolve requirements.lock anew
	$(BIN)/uv pip compile --quiet --python-platform linux --python-version 3.11 --upgrade \
	  --extra dev --extra data --extra docs --extra jax --extra notebook --extra sweep --no-header --no-annotate --no-emit-index-url \
	  --output-file requirements.lock pyproject.toml

clean: ## remove what builds and runs left behind, except the environment
	rm -rf build dist site $(OUT) .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find hdsym tests benchmarks notebooks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

distclean: clean ## remove the environment too
	rm -rf $(VENV)
