# Everything a fresh machine needs is Python >= 3.11 with venv, git and make:
#   make test     set up, then formatting, lint, types, tests and coverage
#   make demo     set up, then examples/demo.py: tables, demo/sweep.nc, demo/curves.png

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# The kernel in C is compiled by the installation.
BUILT_OF := pyproject.toml hatch_build.py $(wildcard src/runcube/readers/kernel/*.[ch])
# Some tests start processes of their own.
PYTEST := $(BIN)/python -m pytest --numprocesses=logical --maxprocesses=4

.DEFAULT_GOAL := test
.PHONY: help setup test lint lint-js format quick check fuzz baseline docs demo bench clean distclean

help: ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

# Stamps: each is what was installed, made again when what it was made of changes.
$(VENV)/.base:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "runcube needs Python >= 3.11; set PYTHON=python3.x")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/.dev: $(VENV)/.base $(BUILT_OF)
	$(PIP) install --quiet --editable '.[all]' --group dev
	@touch $@

$(VENV)/.user: $(VENV)/.base $(BUILT_OF)
	$(PIP) install --quiet --editable '.[plot]'
	@touch $@

$(VENV)/.bench: $(VENV)/.base $(BUILT_OF)
	$(PIP) install --quiet --editable '.[all]' --group bench
	@touch $@

setup: $(VENV)/.dev ## make the developers' environment in .venv

lint: $(VENV)/.dev ## formatting, ruff, mypy
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --strict src

lint-js: $(VENV)/.dev ## eslint on the script of report pages; needs npm
	$(BIN)/python -c 'from runcube.report.page import script; print(script())' \
		| npx --yes eslint@10 --config eslint.config.mjs --stdin

format: $(VENV)/.dev ## format and repair what ruff can repair
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

quick: $(VENV)/.dev ## tests of plan, curves, readers and cube, in under a minute
	$(PYTEST) $(foreach part,plan curves readers cube,src/runcube/$(part) tests/$(part)) -m 'not slow'

check: $(VENV)/.dev ## tests and doctests alone, without coverage
	$(PYTEST)

baseline: $(VENV)/.dev ## draw anew the pictures that figures are compared with
	$(BIN)/python tests/plot_pictures.py

docs: $(VENV)/.dev ## build the documentation into docs/_build/html, notebooks executed
	$(BIN)/python -m sphinx -b html -W --keep-going -q docs docs/_build/html

fuzz: $(VENV)/.dev ## look for new examples that fail, 1,000 a property test, an hour on the kernel: hours
	RUNCUBE_FUZZ_SECONDS=3600 HYPOTHESIS_PROFILE=thorough $(PYTEST) tests

test: lint ## lint, then tests and doctests with coverage
	$(PYTEST) --cov --cov-report=term

demo: $(VENV)/.user ## run examples/demo.py on examples/logs
	$(BIN)/python examples/demo.py

bench: $(VENV)/.bench ## time the loading of large sweeps
	$(BIN)/python -m benchmarks.load

clean: ## remove what was made, except the environment
	rm -rf build dist demo htmlcov .coverage .coverage.* .hypothesis docs/_build docs/api/generated
	rm -rf .pytest_cache .mypy_cache .ruff_cache
	find src tests examples benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## remove the environment too
	rm -rf $(VENV)
