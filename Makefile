# Two commands on a fresh machine with Python 3.11 and make:
#   make demo   the whole way on simulated careers: PostgreSQL -> search -> bundle
#   make test   lint, types, tests
# And `make docs`: the documentation as a site; `make test-fire`: a search killed ten times, and the wheel installed into an
# empty environment, for minutes; `make coverage`.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo test test-fire coverage docs lint format typecheck clean

demo: $(INSTALLED)
	$(BIN)/trajtune demo

# Two processes: the tests wait for real servers as much as they compute. A file stays together, as it shares
# what it has set up.
test: $(INSTALLED) lint typecheck
	$(BIN)/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

test-fire: $(INSTALLED)
	$(BIN)/pytest -m fire

# Into site/. A broken link or anchor, or a docstring that does not fit its signature, is an error.
docs: $(INSTALLED)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# What the tests reach in their own processes; Ray's workers and killed searches are not counted.
coverage: $(INSTALLED)
	$(BIN)/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder --cov --cov-report=term:skip-covered --cov-report=html

lint: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

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
