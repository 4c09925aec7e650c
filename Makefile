# Two commands on a fresh machine with Python 3.11 and make:
#   make demo   the whole way on simulated careers: PostgreSQL -> search -> bundle
#   make test   lint, types, and the tests that are over in minutes
# And `make test-all`: the slow tests, which `make test` leaves out; `make docs`: the documentation as a site; `make coverage`.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo test test-all coverage docs lint format typecheck clean

demo: $(INSTALLED)
	$(BIN)/trajtune demo

# Two processes: the tests wait for real servers as much as they compute. A file stays in one of them, because its
# tests share what it has set up; tests/conftest.py decides the order.
PYTEST := $(BIN)/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

# Under three minutes on two cores. One Ray and one PostgreSQL in each process are enough for these tests.
test: $(INSTALLED) lint typecheck
	$(PYTEST)

# The rest, about twenty minutes: searches that are killed, stopped and moved, servers that fail, several hosts, a browser,
# every command of the documentation, an installation from nothing; and the properties again, with more examples.
test-all: $(INSTALLED)
	$(PYTEST) -m 'slow or hypothesis' --hypothesis-profile many --timeout 900

# Into site/. A broken link or anchor, or a docstring that does not fit its signature, is an error.
docs: $(INSTALLED)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# What all tests reach in their own processes; Ray's workers and killed searches are not counted.
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
