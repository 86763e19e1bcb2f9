#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The daily loop, without a GPU: sets the format, builds the cpu preset, runs layout and tests.
#
#   scripts/check.sh [REGEX]    only the tests whose name matches REGEX
set -euo pipefail
cd "$(dirname "$0")/.."

ci/check_format.sh --fix
ci/check_layout.py
if [ ! -e build-cpu/CMakeCache.txt ]; then
  cmake --preset cpu
fi
cmake --build build-cpu --parallel "$(nproc)"
ctest --test-dir build-cpu -j 2 --output-on-failure --no-tests=error ${1:+-R "$1"}
