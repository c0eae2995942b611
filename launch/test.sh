#!/usr/bin/env bash
# Runs the tests in .venv, which it makes or completes first, in two processes, a file at a time, so that what a
# file sets up is set up once; in their order, as files of few but long tests would come last otherwise. Arguments
# go to pytest:
#     bash launch/test.sh tests/report -k metrics
set -euo pipefail
cd "$(dirname "$0")/.."

bash launch/environment.sh dev torch
exec .venv/bin/python -m pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder "$@"
