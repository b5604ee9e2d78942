#!/usr/bin/env bash
# Makes the project's virtual environment and says what is missing where it cannot. Called by make; safe to call again.
set -euo pipefail
venv=$1
python=${PYTHON:-python3}
start=$(date +%s)
log=$(mktemp "${TMPDIR:-/tmp}/thresher-setup.XXXXXX")
free_needed_gib=4

say() { printf '%4d s  %s\n' $(($(date +%s) - start)) "$*"; }
stop() {
  printf 'error: %s\n' "$*" >&2
  exit 2
}

command -v "$python" >/dev/null || stop "there is no $python; install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
  || stop "$("$python" --version) is too old; Python 3.11 or newer is needed: make PYTHON=/path/to/python3"
"$python" -c 'import venv, ensurepip' 2>/dev/null || stop "$python lacks the venv module; install it (Debian: python3-venv)"
free=$(df -Pk . | awk 'NR==2 {print int($4 / 1048576)}')
((free >= free_needed_gib)) || stop "$free GiB are free here, $free_needed_gib are needed; make room"

fetch() { # fetch PIP-ARGUMENTS...: pip into the log; says now and then that it is still at it
  "$venv/bin/pip" install --disable-pip-version-check --progress-bar off --retries 2 --timeout 20 "$@" >"$log" 2>&1 &
  local pip=$! beats=0
  trap 'kill "$pip" 2>/dev/null; exit 130' INT TERM # what runs in the background hears no ^C
  while kill -0 "$pip" 2>/dev/null; do
    sleep 1
    beats=$((beats + 1))
    ((beats % 15)) || say "  still at it: $(tail -n 1 "$log" | cut -c 1-100)"
  done
  trap - INT TERM
  wait "$pip"
}

install() { # install WHAT PIP-ARGUMENTS...
  say "$1"
  shift
  if ! fetch "$@"; then
    tail -n 5 "$log" >&2
    tail -n 20 "$log" | grep -qiE 'connection|resolve|timed out|no matching distribution' \
      && stop "the package index did not give what is needed; check the network and pip's configuration (log: $log)"
    stop "pip could not install it (log: $log)"
  fi
}

if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -c '' 2>/dev/null; then
  say "making $venv with $("$python" --version)"
  rm -rf "$venv"
  "$python" -m venv "$venv"
fi
if ! "$venv/bin/python" -c 'import torch' 2>/dev/null; then
  # First a CPU build where pip's configuration offers one (plain `torch` pulls several GB of CUDA); else what the index has.
  say "installing torch (the student)"
  if command -v nvidia-smi >/dev/null && nvidia-smi -L 2>/dev/null | grep -q GPU; then
    install "a GPU is there: installing the build of torch that uses it (several GB)" 'torch>=2.4'
  else
    fetch 'torch==2.13.0+cpu' \
      || fetch --extra-index-url "${THRESHER_TORCH_INDEX:-https://download.pytorch.org/whl/cpu}" 'torch==2.13.0+cpu' \
      || install "pip got no CPU build of torch; trying the index's own (several GB)" 'torch>=2.4'
  fi
fi
install "installing thresher and its tools" -e '.[student,dev]'
rm -f "$log"
say "the environment is ready: $venv"
