.DEFAULT_GOAL := help
BIN    := .venv/bin
STAMP  := .venv/.installed
PYTHON ?= python3
HOST   ?= 127.0.0.1
PORT   ?= 5000
# What a script starts in the background ignores SIGINT; the server shall end by it there too.
ON_CTRL_C = $(BIN)/python -c 'import os, signal, sys; \
  signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])'

.PHONY: help setup run test test-matrix lint format check reference bench bench-requests clean

help:           ## print these lines
	@grep -E '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 16

setup: $(STAMP) ## make .venv with all that running, testing and the embedded engine need

run: $(STAMP)   ## serve http://HOST:PORT until Ctrl-C (make run PORT=8000); data stays in instance/
	@echo "In a new database the first page makes the first admin; so does, in another terminal:"
	@echo "  $(BIN)/flask users create-admin --email you@example.org --name You"
	@$(ON_CTRL_C) $(BIN)/flask --app wsgi run --reload --host "$(HOST)" --port "$(PORT)"

test: $(STAMP)  ## run every test
	$(BIN)/pytest -n auto

lint: $(STAMP)  ## ruff, mypy --strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP) ## rewrite the code in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

check: lint test ## lint and test: what CI runs

reference: $(STAMP) ## write docs/reference/ anew from the docstrings
	$(BIN)/python docs/build_reference.py

test-matrix: $(STAMP) ## the mappers' tests on each Python, oldest and newest PyMongo (nox; minutes)
	$(BIN)/nox

bench: $(STAMP) ## what a document costs, beside other mappers (minutes; each gets an environment)
	$(BIN)/python -m benchmarks

bench-requests: $(STAMP) ## what a request costs, beside a bare Flask app on the raw driver (minutes)
	$(BIN)/python -m benchmarks.requests

clean:          ## remove .venv and caches (data in instance/ stays)
	rm -rf .venv benchmarks/.envs .nox .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): pyproject.toml packages/mongokit/pyproject.toml packages/flask-mongokit/pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	  "Python 3.11 or newer is needed; name one: make PYTHON=python3.12 ...")'
	@echo "making .venv, once: this takes about a minute"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
	  --editable packages/mongokit --editable packages/flask-mongokit --editable ".[dev]"
	@touch $@
