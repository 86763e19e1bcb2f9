#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs a build to a prefix, moves the prefix, builds ci/consumer against it and runs it: the package
# must stand on its own, wherever it lies, and its program must write what `ember` writes.
#
#   ci/consumer/test.sh BUILD_DIR CMAKE [CMAKE_OPTION…]
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "$1" && pwd)
cmake=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$cmake" --install "$build" --prefix "$work/first" >"$work/install.log"
mv "$work/first" "$work/prefix"

for path in "$root" "$build" "$work/first"; do
  if grep -rnF "$path" "$work/prefix" --include='*.cmake' --include='*.h'; then
    echo "consumer: an installed file names $path" >&2
    exit 1
  fi
done
if find "$work/prefix/include" -name '*_test.*' -o -name '*_cases.h' | grep .; then
  echo "consumer: a file of the tests was installed" >&2
  exit 1
fi

"$cmake" -S "$root/ci/consumer" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/prefix" \
  -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS="-Wall -Wextra -Werror" "$@" >"$work/configure.log"
"$cmake" --build "$work/build"

model=$root/golden/models/odd
"$work/build/consumer" "$model" "Hello, my name is" 6 >"$work/consumer.txt"
cat "$work/consumer.txt"

# The installed binary, asked for the same tokens, must agree id for id.
"$work/prefix/bin/ember" -m "$model" -p "Hello, my name is" -n 6 --sampling greedy --ignore-eos \
  --devices cpu --json "$work/ember.json" >/dev/null
python3 - "$work/consumer.txt" "$work/ember.json" <<'PYTHON'
import json
import sys

ours = [int(line) for line in open(sys.argv[1])]
report = json.load(open(sys.argv[2]))
theirs = report["ids"]
if len(ours) != 6 or ours != theirs:
    sys.exit("consumer: %s, ember: %s" % (ours, theirs))
print("consumer: the same %d ids as the installed ember" % len(ours))
PYTHON
