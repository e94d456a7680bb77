# One verb each. Everything is installed into .venv; nothing is asked of the machine but
# Python 3.11 or newer, make and git (and, for the browser tests, a Chromium).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := $(shell find pipeline services dashboard -name '*.py' -o -name '*.json' -o -name '*.js' -o -name '*.css') pyproject.toml README.md
PIP := $(BIN)/python -m pip --disable-pip-version-check
ARGS ?=

.PHONY: setup demo test lint types contracts unit bench soak clean

setup: $(VENV)/.installed ## create .venv and install the package with what the demo needs

$(VENV)/.installed: $(SOURCES) constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --constraint constraints.txt .
	touch $@

demo: setup ## a simulated experiment through everything; leaves the page up
	$(BIN)/lithoscope demo $(ARGS)

$(VENV)/.tools: $(VENV)/.installed
	$(PIP) install --quiet --constraint constraints.txt '.[beamline,bench,cluster,dev,echem,labels,notebook,openvino,peers,rtx,tables,train]'
	touch $@

test: $(VENV)/.tools ## lint, types, contracts and all tests against the built wheel
	sh tests/chromium.sh
	$(MAKE) --no-print-directory lint types contracts unit

lint:
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types:
	$(BIN)/mypy

contracts:
	$(BIN)/lint-imports

# Two at a time, a file's tests in one process: they share the services that they start. Long files
# come first as the folders are named; xdist would put those of a single test, the longest, last.
unit:
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

bench: $(VENV)/.tools ## measured comparisons; writes the tables in benchmarks/
	$(BIN)/python -m benchmarks $(ARGS)

soak: $(VENV)/.tools ## the full counts of the seeded tests; writes their tables into benchmarks/results
	$(BIN)/python -m pytest --soak $(ARGS)

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
