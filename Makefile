# The chores of the project; `make` alone lists them. Every one makes the environment that it needs.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV ?= .venv
PYTHON ?= python3
JOBS ?= 2
LOWEST ?= .venv-lowest

BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest
PAGES = $(shell grep -rl --include='*.md' -F '[[[cog' README.md docs 2>/dev/null)

.PHONY: help test test-slow test-lowest lint docs demo bench reproduction clean

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z.-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' Makefile

.venv: $(READY)  ## make the environment, or bring it up to date

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed; name one: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $(READY)

test: $(READY)  ## the fast tests, a few minutes
	$(PYTEST) -n $(JOBS) --dist worksteal

test-slow: $(READY)  ## the slow tests: whole chains, faults over real processes
	$(PYTEST) -n $(JOBS) -m slow

test-lowest:  ## the fast tests with the lowest versions that pyproject.toml allows, in an environment of their own
	$(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet --constraint tests/lowest.txt --editable '.[test]'
	OMP_NUM_THREADS=1 $(LOWEST)/bin/python -m pytest -n $(JOBS) --dist worksteal

lint: $(READY)  ## style, types, and generated pages that are out of date
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(if $(PAGES),PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m cogapp --check --check-fail-msg='run: make docs' $(PAGES))

docs: $(READY)  ## write the generated parts of the pages anew
	$(if $(PAGES),PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m cogapp -r $(PAGES))

demo: $(READY)  ## from image tags to masks and a report, a few minutes
	PATH="$(abspath $(BIN)):$$PATH" examples/demo.sh

bench: $(READY)  ## all benchmarks; each prints ratios
	@for file in benchmarks/*.py benchmarks/*/*.py; do echo "== $$file"; $(BIN)/python "$$file"; done

reproduction: $(READY)  ## the method table of docs/method-table.md on msrc21, some hours; wants WSSTOOL_TEST_DATA
	OMP_NUM_THREADS=1 $(BIN)/python reproduction/method_table.py

clean:  ## remove the environment, the demo's files and those of the method table
	rm -rf $(VENV) $(LOWEST) .demo .reproduction
