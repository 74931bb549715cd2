# Every command a contributor needs. `make help` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The interpreter that .venv is built with; any from 3.11 on.
PYTHON ?= python3
# The port of the product under `make run`.
PORT ?= 8000

LOCKS := requirements/uv.txt requirements/runtime.txt requirements/dev.txt
VENV_PYTHON := .venv/bin/python
# Where HOME can't be written to, uv works without a cache.
UV := $(shell mkdir -p "$${XDG_CACHE_HOME:-$${HOME:-/nonexistent}/.cache}/uv" 2>/dev/null && test -w "$${XDG_CACHE_HOME:-$$HOME/.cache}/uv" || echo UV_NO_CACHE=1) .venv/bin/uv
COMPILE := pip compile --quiet --generate-hashes --no-emit-index-url --no-header --universal --python-version 3.11

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z.-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | while IFS=$$'\t' read -r name text; do printf '  make %-9s %s\n' "$$name" "$$text"; done

.venv: requirements/uv.txt requirements/dev.txt ## Build or refresh the virtual environment from the hash-locked sets
	@is_new_enough() { "$$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }; \
	candidates="$(PYTHON)"; \
	if [ "$(origin PYTHON)" = file ]; then candidates="$(PYTHON) python3.13 python3.12 python3.11"; fi; \
	chosen=; \
	for candidate in $$candidates; do if is_new_enough "$$candidate"; then chosen=$$candidate; break; fi; done; \
	if [ -z "$$chosen" ]; then \
	  echo "tallyhook needs Python 3.11 or newer, and none of these is one: $$candidates. Install one, or name it: make PYTHON=/path/to/python3.12" >&2; exit 1; \
	fi; \
	if ! { [ -x $(VENV_PYTHON) ] && is_new_enough $(VENV_PYTHON); }; then rm -rf .venv; "$$chosen" -m venv .venv; fi
	@$(VENV_PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@$(UV) pip sync --quiet --python $(VENV_PYTHON) --require-hashes requirements/uv.txt requirements/dev.txt
	@$(UV) pip install --quiet --python $(VENV_PYTHON) --no-deps --no-build-isolation --editable .
	@touch .venv

.PHONY: lock
lock: .venv ## Lock requirements/*.in anew (add UPGRADE=--upgrade for the newest versions)
	@for set in uv runtime dev; do $(UV) $(COMPILE) $(UPGRADE) requirements/$$set.in -o requirements/$$set.txt > /dev/null; done
	@$(MAKE) .venv
