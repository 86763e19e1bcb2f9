#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Everything that must hold before a change lands: installs what is missing, checks format and layout,
# builds, runs every test. The last line counts: `N passed, N failed, N skipped`.
#
#   ci/test.sh           optimised build in build/
#   ci/test.sh --asan    AddressSanitizer and UndefinedBehaviorSanitizer, in build-asan/
#   ci/test.sh --fuzz    each libFuzzer target for 60 s (FUZZ_SECONDS), in build-fuzz/
# A second run is quick: only what changed is installed and built.
set -euo pipefail
cd "$(dirname "$0")/.."

mode=test
for argument in "$@"; do
  case "$argument" in
    --asan) mode=asan ;;
    --fuzz) mode=fuzz ;;
    -h | --help) sed -n '3,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "ci/test.sh: unknown option $argument" >&2; exit 2 ;;
  esac
done

cores=$(nproc)
passed=0
failed=0
skipped=0
started=$SECONDS

# step NAME COMMAND…  runs one step and records how it ended; a step that must succeed uses `need`.
step() {
  local name=$1 at=$SECONDS
  shift
  echo "== $name"
  if "$@"; then
    passed=$((passed + 1))
    echo "== $name: passed ($((SECONDS - at)) s)"
  else
    failed=$((failed + 1))
    echo "== $name: FAILED ($((SECONDS - at)) s)"
    return 1
  fi
}
need() {
  step "$@" || finish
}
finish() {
  echo "== total $((SECONDS - started)) s"
  echo "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" = 0 ]
  exit
}

configure() {
  case "$mode" in
    test)
      local options=(-DCMAKE_BUILD_TYPE=Release -DEMBER_TESTS=ON)
      # One GPU architecture is enough to see that the CUDA sources compile.
      if command -v nvcc >/dev/null || [ -x /usr/local/cuda/bin/nvcc ]; then
        options+=(-DCMAKE_CUDA_ARCHITECTURES="${CUDA_ARCHITECTURES:-90}")
      fi
      cmake -S . -B build "${options[@]}"
      ;;
    asan) cmake --preset asan ;;
    fuzz)
      cmake -S . -B build-fuzz -DCMAKE_BUILD_TYPE=RelWithDebInfo -DEMBER_CUDA=OFF -DEMBER_TESTS=OFF \
        -DEMBER_FUZZ=ON -DEMBER_SANITIZE=ON -DCMAKE_CXX_COMPILER="${CXX:-clang++}"
      ;;
  esac
}

# tests BUILD_DIR COMMAND…  runs CTest and adds its counts to ours. Its own lines stay on the terminal.
tests() {
  local log=$1/Testing/run.log at=$SECONDS
  shift
  echo "== tests"
  mkdir -p "$(dirname "$log")"
  "$@" --output-on-failure -j 2 --no-tests=error 2>&1 | tee "$log" || true
  local summary total bad idle
  summary=$(grep -E '^[0-9]+% tests passed, [0-9]+ tests failed out of [0-9]+' "$log" || true)
  if [ -z "$summary" ]; then
    echo "== tests: FAILED, ctest did not finish" >&2
    failed=$((failed + 1))
    return
  fi
  bad=$(sed 's/.*passed, \([0-9]*\) tests.*/\1/' <<<"$summary")
  total=$(sed 's/.*out of //' <<<"$summary")
  idle=$(grep -cE '^[[:space:]]+[0-9]+ - .*\((Skipped|Disabled)\)$' "$log" || true)
  passed=$((passed + total - bad - idle))
  failed=$((failed + bad))
  skipped=$((skipped + idle))
  echo "== tests: $summary, $idle skipped ($((SECONDS - at)) s)"
}

fuzz_target() {
  local target=$1 name corpus
  name=$(basename "$target")
  corpus=build-fuzz/corpus/$name
  mkdir -p "$corpus"
  local seeds=()
  [ -d "ci/corpus/$name" ] && seeds=("ci/corpus/$name")
  local log=build-fuzz/$name.log
  if "$target" -max_total_time="${FUZZ_SECONDS:-60}" -timeout=10 -rss_limit_mb=4096 \
    -print_final_stats=1 -artifact_prefix="build-fuzz/$name-" "$corpus" "${seeds[@]}" >"$log" 2>&1; then
    grep -E '^(Done|stat::)' "$log"
  else
    grep -v '^#' "$log" | tail -n 80
    return 1
  fi
}

if [ "$mode" = fuzz ]; then
  need "packages" ci/deps.sh --tests --fuzz
  need "configure" configure
  need "build" cmake --build build-fuzz --parallel "$cores" --target fuzz_targets
  found=0
  for target in build-fuzz/*_fuzz; do
    [ -x "$target" ] || continue
    found=1
    step "$(basename "$target")" fuzz_target "$target" || true
  done
  [ "$found" = 1 ] || { echo "no fuzz target was built" >&2; failed=$((failed + 1)); }
  finish
fi

need "packages" ci/deps.sh --tests
need "configure" configure
if [ "$mode" = asan ]; then
  need "build" cmake --build build-asan --parallel "$cores"
  tests build-asan ctest --preset asan
else
  step "format" ci/check_format.sh || true
  need "build" cmake --build build --parallel "$cores"
  tests build ctest --test-dir build
fi
finish
