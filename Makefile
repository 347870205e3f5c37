# Everything is run from a virtual environment in .venv, made from the lock file on the first call and again when that changes.
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13 python3.14; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
LOCK := $(BIN)/uv pip compile pyproject.toml --extra sandbox --universal --python-version 3.11 \
	--generate-hashes --no-strip-extras --no-emit-index-url --no-header --quiet

.DEFAULT_GOAL := help
.PHONY: help setup demo test crash check format wheel lock clean

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

setup: $(READY) ## make .venv from the lock file (the other targets do it by themselves)

$(READY): requirements-dev.txt pyproject.toml
	$(if $(PYTHON),,$(error No Python 3.11 or newer was found. Install one, or name it: make PYTHON=/path/to/python3.11))
	@echo "Setting up $(VENV) with $(PYTHON); this takes a minute."
	@$(PYTHON) -m venv $(VENV)
	@# --no-deps: the lock is complete, and pip before 23.3 loses the pins of packages with extras in hash mode
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(READY) ## rehearse everything against simulated systems; SEED=n picks another cast
	@$(BIN)/onboard demo $(if $(SEED),--seed $(SEED))

test: $(READY) ## run the tests; ARGS="-k ledger" picks some
	$(BIN)/python -m pytest $(ARGS)

crash: $(READY) ## kill every command at every write and request; ARGS="--minutes 10"
	@$(BIN)/python -m tests.crash.matrix $(ARGS)

check: $(READY) ## formatting, lint, types, dependency direction, starter policies
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/onboard policy check
	$(BIN)/onboard policy test --strict

format: $(READY) ## format and correct what can be corrected by itself
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

wheel: $(READY) ## build dist/onboard-….whl
	$(BIN)/python -m hatchling build -t wheel

lock: $(READY) ## resolve the dependencies anew into requirements.txt and requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(LOCK) --upgrade -o requirements.txt
	$(LOCK) --upgrade --group dev -c requirements.txt -o requirements-dev.txt

clean: ## remove .venv, caches, the demo's data and built files
	rm -rf $(VENV) .demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
