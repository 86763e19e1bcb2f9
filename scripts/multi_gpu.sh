#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What only a machine with several GPUs can show; scripts/multi_gpu.sh --help says what and how. Needs
# Python 3.8 or newer.
exec python3 "$(dirname "$0")/multi_gpu.py" "$@"
