#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a CI job runs to measure and to judge; ci/github and ci/gitlab show it in a workflow.
#
#   ci/bench.sh suite [OPTIONS]          builds, runs `ember suite`, leaves report, page, exports, JUnit
#   ci/bench.sh gate BASE_REF [OPTIONS]  builds BASE_REF beside this tree, judges this tree by it with
#                                        `ember report ab`: interleaved fresh processes
#     --out DIR        results (default out/suite, out/gate)
#     --build DIR      build folder of this tree (default build, for the gate build-gate; made when it
#                      is missing, and brought up to date by the gate)
#     --profile NAME   of the suite (default ci-quick)
#     --model MODEL    of the suite (default golden/models/tiny)
#     --devices LIST   default cpu
#     -- ARGUMENTS     of the gate: what both sides run (default: bench kernels of preset tiny)
# Writes the job summary to $GITHUB_STEP_SUMMARY and annotations to stdout where GitHub runs it.
# Exit codes are those of `ember suite` and `ember report ab` (docs/reports.md): 1 the code is worse or
# wrong, 3 nobody can tell. The gate is run once more after a 3, never after a 1.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() { sed -n '3,19s/^# \{0,1\}//p' "$0"; }

action=${1:-}
case "$action" in
  suite) shift ;;
  gate)
    [ $# -ge 2 ] || { usage >&2; exit 2; }
    base=$2
    shift 2
    ;;
  -h | --help) usage; exit 0 ;;
  *) usage >&2; exit 2 ;;
esac

# Both sides of the gate are built alike: another generator or another set of targets lays code out in
# another way, and that alone can move a kernel of a microsecond by a third.
out=out/$action build=$([ "$action" = gate ] && echo build-gate || echo build) profile=ci-quick model=golden/models/tiny devices=cpu
arguments=()
while [ $# -gt 0 ]; do
  case "$1" in
    --out | --build | --profile | --model | --devices)
      [ $# -ge 2 ] || { echo "ci/bench.sh: $1 needs a value" >&2; exit 2; }
      printf -v "${1#--}" %s "$2"
      shift 2
      ;;
    --) shift; arguments=("$@"); break ;;
    *) echo "ci/bench.sh: unknown option $1" >&2; exit 2 ;;
  esac
done

# build_ember SOURCE BUILD  a release build of `ember` alone, without tests.
build_ember() {
  local options=(-DCMAKE_BUILD_TYPE=Release -DEMBER_TESTS=OFF)
  [ "$devices" != cpu ] || options+=(-DEMBER_CUDA=OFF)
  [ -z "${CUDA_ARCHITECTURES:-}" ] || options+=("-DCMAKE_CUDA_ARCHITECTURES=$CUDA_ARCHITECTURES")
  cmake -S "$1" -B "$2" "${options[@]}" >&2
  cmake --build "$2" --target ember --parallel "$(nproc)" >&2
}

summary() {
  if [ -n "${GITHUB_STEP_SUMMARY:-}" ] && [ -f "$1" ]; then
    cat "$1" >>"$GITHUB_STEP_SUMMARY"
  fi
}

ci/deps.sh >&2
[ "$action" = suite ] && [ -x "$build/ember" ] || build_ember . "$build"
mkdir -p "$out"

if [ "$action" = suite ]; then
  code=0
  "$build/ember" suite --profile "$profile" -m "$model" --devices "$devices" -o "$out" || code=$?
  summary "$out/exports/summary.md"
  if [ -n "${GITHUB_ACTIONS:-}" ] && [ -f "$out/exports/annotations.txt" ]; then
    cat "$out/exports/annotations.txt"
  fi
  exit "$code"
fi

before=$(mktemp -d)
trap 'git worktree remove --force "$before/tree" 2>/dev/null || true; rm -rf "$before"' EXIT
git worktree add --quiet --detach "$before/tree" "$base"
build_ember "$before/tree" "$before/build"
if [ "${#arguments[@]}" = 0 ]; then
  arguments=(bench kernels --preset tiny --devices "$devices" -t "1,16" -d 256 --case-cap 0.2
    --time-cap 0.1)
fi
judge() {
  "$build/ember" report ab --a "$before/build/ember" --b "$build/ember" -o "$out" -s "$1" \
    --junit "$out/junit.xml" --summary "$out/summary.md" -- "${arguments[@]}"
}
code=0
judge 1 || code=$?
if [ "$code" = 3 ]; then
  echo "ci/bench.sh: inconclusive; once more" >&2
  code=0
  judge 2 || code=$?
fi
summary "$out/summary.md"
if [ -f "$out/b.json" ] && [ -f "$out/a.json" ]; then
  "$build/ember" report html "$out/b.json" --base "$out/a.json" -o "$out/report.html"
fi
exit "$code"
