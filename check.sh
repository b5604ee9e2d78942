#!/usr/bin/env bash
# What `make test` runs: fast checks first, then unit tests, then everything that needs a real LLM server.
set -euo pipefail
bin=$1/bin
start=$(date +%s)
say() { printf '\n== %4d s  %s\n' $(($(date +%s) - start)) "$*"; }

say "lint"
"$bin/ruff" check .
"$bin/ruff" format --check .
say "import rule"
"$bin/lint-imports" --no-cache | tail -n 4
say "types"
"$bin/pyright" --pythonpath "$bin/python"
say "tests without an engine"
"$bin/python" -m pytest -q -m "not engine and not labelstudio and not ray and not mlflow" tests
say "the engine (installed and started where it is not up)"
"$bin/thresher" engine up
say "tests on the real engine"
"$bin/python" -m pytest -q -m engine tests
say "done"
