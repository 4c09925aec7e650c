# Two commands on a fresh machine with Python 3.11 and make:
#   make demo   the whole pipeline on simulated careers: PostgreSQL -> search -> bundle
#   make test   lint, types and the fast tests
# `make test-all` runs the slow tests, which `make test` leaves out. `make docs` builds the documentation as a site.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo test test-all coverage docs lint format typecheck clean

demo: $(INSTALLED)
	$(BIN)/trajtune demo

# Two processes, because tests also wait for servers. All tests of a file run in the same process, because they
# share fixtures. tests/conftest.py decides the order.
PYTEST := $(BIN)/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

# About five minutes on two cores. Each process starts at most one Ray and one PostgreSQL.
test: $(INSTALLED) lint typecheck
	$(PYTEST)

# The other tests, about half an hour: searches that are killed, stopped and moved, servers that fail, several hosts, a browser,
# every command in the documentation and an installation from scratch. Property tests run again with more examples.
test-all: $(INSTALLED)
	$(PYTEST) -m 'slow or hypothesis' --hypothesis-profile many --timeout 900

# Builds site/. A broken link or anchor, or a docstring that does not fit its signature, is an error.
docs: $(INSTALLED)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# Coverage of all tests. Code in Ray's workers and in killed searches is not counted.
coverage: $(INSTALLED)
	$(PYTEST) -m '' --timeout 900 --cov --cov-report=term:skip-covered --cov-report=html

lint: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/python tools/prose.py

typecheck: $(INSTALLED)
	$(BIN)/mypy

format: $(INSTALLED)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The marker is written last, so an interrupted installation is done again.
$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test,docs]'
	touch $@

clean:
	rm -rf $(VENV) site .mypy_cache .ruff_cache .pytest_cache .coverage htmlcov
