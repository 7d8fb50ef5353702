# The one task runner. `make demo` and `make test` need Python 3.11 to 3.13 and the package registry, nothing else.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
DATA ?= $(if $(MIR_DATA),$(MIR_DATA),../shared/data)
DEMO := mir-demo/mir.duckdb
CATALOG ?= $(if $(MIR_CATALOG),$(MIR_CATALOG),$(DEMO))

.PHONY: help setup demo notebooks test lint bench train clean

help:  ## show this help
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

$(VENV)/.installed: pyproject.toml
	@test -n "$(PYTHON)" || { echo "mir needs Python 3.11, 3.12 or 3.13, and found none: make PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=24.1"
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch $@

setup: $(VENV)/.installed  ## make the virtual environment and install

demo: setup  ## a made-up library from audio to answers, with a report: mir-demo/report.html
	$(BIN)/mir demo -o mir-demo

notebooks: setup  ## execute the notebooks into notebooks/executed (CATALOG=… or MIR_CATALOG; else the demo's)
	@test -f "$(CATALOG)" || test "$(CATALOG)" != "$(DEMO)" || $(BIN)/mir demo -o mir-demo
	$(BIN)/python notebooks/run.py --catalog "$(CATALOG)"

test: setup  ## every test
	$(BIN)/python -m pytest

lint: setup  ## style, types and layering
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup  ## figures on real data (needs the data folder: DATA=… or MIR_DATA)
	$(BIN)/python -m benchmarks --data $(DATA)

train: setup  ## render bands out of MIDI, then train mir-4s as it ships (two hours on two cores; needs fluidsynth)
	$(BIN)/python -m pip install --quiet --editable ".[train]"
	$(BIN)/mir render $(DATA)/midi -o $(DATA)/rendered --minutes 90
	$(BIN)/mir train --config mir-4s --data $(DATA) -o runs/mir-4s

clean:  ## remove the virtual environment and what tools left behind
	rm -rf $(VENV) notebooks/executed .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
