#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From a fresh clone to generated text and a check against Hugging Face: installs what is missing
# (apt, as root or through sudo; Debian 12 or Ubuntu 24.04), builds build/ember, lets the bundled model
# write, and compares its numbers with the committed references. Run it again at any time: it is quick.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\n== %s\n' "$*" >&2; }

started=$SECONDS
say "packages"
ci/deps.sh >&2

say "build"
if [ ! -e build/CMakeCache.txt ]; then
  # The binary alone, for the CPU: what this script runs. ci/test.sh adds the tests to the same folder.
  cmake -S . -B build -DCMAKE_BUILD_TYPE=Release -DEMBER_CUDA=OFF -DEMBER_TESTS=OFF >&2
fi
cmake --build build --parallel "$(nproc)" --target ember >&2

model=golden/models/tiny
say "build/ember -m $model -p 'Hello, my name is' --devices cpu"
build/ember -m "$model" -p "Hello, my name is" --devices cpu
echo

say "build/ember golden run -m $model -g golden/refs/tiny --devices cpu"
build/ember golden run -m "$model" -g golden/refs/tiny --devices cpu

say "done in $((SECONDS - started)) s; next:"
cat >&2 <<TEXT
  build/ember -m $model -p "Once upon a time" -n 64
  build/ember chat -m $model
  build/ember -m DIR -p TEXT        DIR: any Qwen3 checkpoint (dense) from Hugging Face
  build/ember --help
TEXT
