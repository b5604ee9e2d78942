# Two commands do everything: `make demo` and `make test`. Each sets up what it needs, and is safe to call again.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
THRESHER := $(VENV)/bin/thresher
READY := $(VENV)/.ready

.PHONY: help setup engine demo serve stop test test-labelstudio test-ray test-mlflow lint types check clean

help:  ## show this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(READY)  ## make the project's virtual environment

$(READY): pyproject.toml setup.sh
	@PYTHON="$(PYTHON)" bash setup.sh "$(VENV)"
	@touch $@

engine: $(READY)  ## install, fetch and start the LLM server (left running)
	@$(THRESHER) engine up

demo: engine  ## run the main job on film sentences, beside the baselines
	@$(THRESHER) demo

serve: engine  ## start the service, with its pages and its HTTP operations (left running)
	@$(THRESHER) service up

stop: $(READY)  ## stop service and engine; what runs were at goes on with the next start
	@$(THRESHER) service down; $(THRESHER) engine down

test: $(READY)  ## lint, types, import rule, and all tests, on a real LLM server
	@bash check.sh "$(VENV)"

test-labelstudio: $(READY)  ## a run labelled in a real Label Studio, which is installed into the cache (1 GB)
	@$(VENV)/bin/python -m pytest -q -s -m labelstudio tests/e2e

test-ray: $(READY)  ## a study on a Ray cluster of this machine, with its state in PostgreSQL
	@$(VENV)/bin/pip install --quiet -e '.[ray]' && $(VENV)/bin/python -m pytest -q -m ray tests/integration

test-mlflow: $(READY)  ## a study and an ablation logged to a real MLflow store in a file
	@$(VENV)/bin/pip install --quiet -e '.[mlflow]' && $(VENV)/bin/python -m pytest -q -m mlflow tests/integration

lint: $(READY)  ## lint and formatting only
	@$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check .

types: $(READY)  ## strict types only
	@$(VENV)/bin/pyright

clean:  ## remove the virtual environment and build products (not the cache, not your runs)
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
