# Each target works alone on a machine with only Python 3.11+, pip and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/pip install -q -c constraints.txt

# Data sets laid beside the repository are found; any other place is named by ELBOWROOM_DATA.
ifneq ($(wildcard ../shared/data),)
ELBOWROOM_DATA ?= $(abspath ../shared/data)
export ELBOWROOM_DATA
endif

# One thread a test: small torch programs that share cores slow each other down.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest
# Neighbours share what they trained, so each process begins with a share of the tests in their order.
ABREAST := -n auto --maxprocesses 8 --dist worksteal

.PHONY: demo test test-slow bench reproduce gallery lint docs clean
.DEFAULT_GOAL := test

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# Stamps: what is installed, remade when the requirements change.
$(VENV)/.ok: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e .
	@touch $@

$(VENV)/.ok-%: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e '.[$*]'
	@touch $@ $(VENV)/.ok

demo: $(VENV)/.ok  ## fit real digits and write a report
	$(BIN)/elbowroom demo --out runs/demo --overwrite

test: $(VENV)/.ok-dev  ## the fast suite
	$(PYTEST) $(ABREAST)

test-slow: $(VENV)/.ok-dev $(VENV)/.ok-lightning  ## the minutes-long tests
	$(PYTEST) -m slow

bench: $(VENV)/.ok-bench  ## the table of speeds; leave the machine idle
	$(BIN)/python -m benchmarks

reproduce: $(VENV)/.ok-all  ## every experiment that has no results yet, into docs/results.md
	OMP_NUM_THREADS=1 $(BIN)/elbowroom reproduce all --results docs/results.md

gallery: $(VENV)/.ok-all  ## the same, and a page of all pictures
	OMP_NUM_THREADS=1 $(BIN)/elbowroom reproduce all --results docs/results.md --gallery runs/gallery.html

lint: $(VENV)/.ok-dev  ## style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright

docs: $(VENV)/.ok-docs  ## the site, every block executed, into docs/_build/html
	OMP_NUM_THREADS=1 $(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html

clean:  ## what the targets above made, the virtual environment excepted
	rm -rf build dist docs/_build docs/api .pytest_cache .ruff_cache
