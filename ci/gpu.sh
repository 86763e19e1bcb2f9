#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Everything that needs a GPU; ci/gpu.sh --help says what and how. Needs Python 3.8 or newer.
exec python3 "$(dirname "$0")/gpu_run.py" "$@"
