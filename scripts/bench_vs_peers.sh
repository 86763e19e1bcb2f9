#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Ember beside llama.cpp and transformers in one run; scripts/bench_vs_peers.sh --help says how. Needs
# Python 3.8 or newer.
exec python3 "$(dirname "$0")/bench_vs_peers.py" "$@"
