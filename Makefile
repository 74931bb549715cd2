# Every command a contributor needs. `make help` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.NOTPARALLEL:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The interpreter that .venv is built with; any from 3.11 on.
PYTHON ?= python3
# How many processes share the tests; 0 runs them in one.
WORKERS ?= 2
# Further arguments for pytest, such as a path or -k.
PYTEST_ARGS ?=
# How long the simulation goes on, unless SEEDS says how many are played; further arguments such as --first 5000.
SECONDS ?= 300
SEEDS ?=
SIMULATE_ARGS ?=
# Further arguments for both benchmarks, such as --engine sqlite.
BENCH_ARGS ?=

VENV_PYTHON := .venv/bin/python
# Where HOME can't be written to, uv works without a cache.
UV := $(shell mkdir -p "$${XDG_CACHE_HOME:-$${HOME:-/nonexistent}/.cache}/uv" 2>/dev/null && test -w "$${XDG_CACHE_HOME:-$$HOME/.cache}/uv" || echo UV_NO_CACHE=1) .venv/bin/uv
COMPILE := pip compile --quiet --generate-hashes --no-emit-index-url --no-header --universal --python-version 3.11

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z.-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | while IFS=$$'\t' read -r name text; do printf '  make %-9s %s\n' "$$name" "$$text"; done

.venv: .venv/installed ## Build or refresh the virtual environment from the hash-locked sets

# The file is written last, so that a build that broke off is begun anew.
.venv/installed: requirements/uv.txt requirements/dev.txt
	@is_new_enough() { "$$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }; \
	candidates="$(PYTHON)"; \
	if [ "$(origin PYTHON)" = file ]; then candidates="$(PYTHON) python3.13 python3.12 python3.11"; fi; \
	chosen=; \
	for candidate in $$candidates; do if is_new_enough "$$candidate"; then chosen=$$candidate; break; fi; done; \
	if [ -z "$$chosen" ]; then \
	  echo "Tallyhook needs Python 3.11 or newer; none of these is: $$candidates. Name one that is: make PYTHON=/path/to/python3.12" >&2; \
	  exit 1; \
	fi; \
	if ! is_new_enough $(VENV_PYTHON); then rm -rf .venv; "$$chosen" -m venv .venv; fi
	@$(VENV_PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@$(UV) pip sync --quiet --python $(VENV_PYTHON) --require-hashes requirements/uv.txt requirements/dev.txt
	@$(UV) pip install --quiet --python $(VENV_PYTHON) --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: lock
lock: .venv ## Lock requirements/*.in anew; UPGRADE=--upgrade takes the newest versions
	@for set in uv runtime dev; do $(UV) $(COMPILE) $(UPGRADE) requirements/$$set.in -o requirements/$$set.txt > /dev/null; done
	@$(MAKE) .venv

.PHONY: run
run: .venv ## Try it: the sandbox, with its stand-in for GitHub; PORT=8000 sets the port
	@exec .venv/bin/tallyhook sandbox

.PHONY: test
test: .venv ## Run the tests; WORKERS=0 for one process, PYTEST_ARGS=... for a part
	@$(VENV_PYTHON) -m pytest -n $(WORKERS) $(PYTEST_ARGS)

.PHONY: simulate
simulate: .venv ## Hold the ledger to a naive model, seed after seed; SECONDS=600 or SEEDS=1000 says how long
	@$(VENV_PYTHON) -m tests.ledger.simulation $(if $(SEEDS),--seeds $(SEEDS),--seconds $(SECONDS)) $(SIMULATE_ARGS)

.PHONY: bench
bench: .venv ## Measure speed beside its ceilings, for half an hour; BENCH_ARGS='--pairs 2' is quicker
	@$(VENV_PYTHON) -m benchmarks.ledger $(BENCH_ARGS)
	@$(VENV_PYTHON) -m benchmarks.intake $(BENCH_ARGS)

.PHONY: check
check: format lint imports types unused covered ## Everything that holds before a change lands, in this order, `make test` in it
	@echo "make check: everything holds"

.PHONY: format
format: .venv
	@echo "== form: ruff format"
	@.venv/bin/ruff format --quiet --check . || { echo "run: .venv/bin/ruff format ." >&2; exit 1; }

.PHONY: lint
lint: .venv
	@echo "== habits: ruff check"
	@.venv/bin/ruff check --quiet .

.PHONY: imports
imports: .venv
	@echo "== imports go one way: import-linter"
	@.venv/bin/lint-imports --no-logo

.PHONY: types
types: .venv
	@echo "== types: mypy"
	@.venv/bin/mypy

.PHONY: unused
unused: .venv
	@echo "== nothing unused, nothing undeclared: deptry, vulture"
	@.venv/bin/deptry .
	@.venv/bin/vulture

.PHONY: covered
covered: .venv
	@echo "== tests: pytest, coverage"
	@$(MAKE) test PYTEST_ARGS="--cov --cov-report= --cov-fail-under=0 $(PYTEST_ARGS)"
	@.venv/bin/coverage report
	@.venv/bin/coverage report --include='billing/*' --fail-under=100
