#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs Nsight Compute (ncu) or Nsight Systems (nsys) on a kernel's test cases or on a window of decode
# steps, and leaves the report in a folder. docs/profiling.md shows what to read in it.
#
#   scripts/profile.sh ncu|nsys OP [FILTER] [options]          cases of OP_cuda_test whose name matches
#   scripts/profile.sh ncu|nsys --decode MODEL [options]       decode steps of `ember -m MODEL`
#   scripts/profile.sh ncu|nsys --list [OP]                    the ops, or the cases of one
#     --build DIR     a build with CUDA (default build)
#     --out DIR       where the report goes (default out/profile)
#     --window S:N    with --decode: N steps from step S (default 32:4)
#     --prompt TEXT   with --decode (default "Hello, my name is")
#     --kernel RE     ncu: only kernels whose name matches
#     --set NAME      ncu: the metrics, as ncu's --set (default full)
#     --dry-run       print the command and stop
#     -- ARG…         further arguments, for `ember` or the test
# FILTER is a googletest filter: Gemv matches every case with Gemv in its name; one with a "*", "?",
# ":" or "." is taken as it stands. ncu profiles --decode with --no-graph, so that kernels stand in
# layers; nsys leaves the CUDA graph as it runs, unless -- --no-graph follows.
# Exit code: the tool's; 2 for a wrong call, 4 without the build, 5 without the tool.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() { sed -n '3,22s/^# \{0,1\}//p' "$0"; }
die() {
  echo "profile.sh: $2" >&2
  exit "$1"
}

case "${1:-}" in
  ncu | nsys) tool=$1; shift ;;
  -h | --help) usage; exit 0 ;;
  *) usage >&2; exit 2 ;;
esac

build=build
out=out/profile
window=32:4
prompt="Hello, my name is"
kernel=
set=full
model=
list=0
dry=0
names=()
more=()
while [ $# -gt 0 ]; do
  case "$1" in
    --decode | --build | --out | --window | --prompt | --kernel | --set)
      [ $# -ge 2 ] || die 2 "$1 needs a value"
      case "$1" in
        --decode) model=$2 ;;
        --build) build=$2 ;;
        --out) out=$2 ;;
        --window) window=$2 ;;
        --prompt) prompt=$2 ;;
        --kernel) kernel=$2 ;;
        --set) set=$2 ;;
      esac
      shift 2
      ;;
    --list) list=1; shift ;;
    --dry-run) dry=1; shift ;;
    -h | --help) usage; exit 0 ;;
    --) shift; more=("$@"); break ;;
    -*) die 2 "unknown option $1" ;;
    *) names+=("$1"); shift ;;
  esac
done

ops() { for test in "$build"/*_cuda_test; do [ -x "$test" ] && basename "$test" _cuda_test; done; }

if [ "$list" = 1 ]; then
  [ -n "$(ops)" ] || die 4 "no *_cuda_test in $build: build with -DEMBER_CUDA=ON, or name one with --build"
  if [ "${#names[@]}" = 0 ]; then
    ops
  else
    [ -x "$build/${names[0]}_cuda_test" ] || die 2 "no op ${names[0]}; there are: $(ops | tr '\n' ' ')"
    "$build/${names[0]}_cuda_test" --gtest_list_tests
  fi
  exit 0
fi

program=()
if [ -n "$model" ]; then
  [ "${#names[@]}" = 0 ] || die 2 "--decode takes a model alone, not ${names[*]}"
  [[ $window =~ ^([0-9]{1,9}):([1-9][0-9]{0,8})$ ]] || die 2 "--window: expected S:N as in 32:4, got $window"
  [ -x "$build/ember" ] || die 4 "$build/ember is missing: build it, or name a build with --build"
  # The first token comes from the prompt's pass, so that n tokens take n - 1 steps.
  tokens=$((10#${BASH_REMATCH[1]} + 10#${BASH_REMATCH[2]} + 1))
  program=("$build/ember" -m "$model" -p "$prompt" -n "$tokens" --ignore-eos --temp 0 --profile-window "$window")
  [ "$tool" = ncu ] && program+=(--no-graph)
  name=decode
else
  [ "${#names[@]}" -ge 1 ] || die 2 "name an op, or --decode MODEL (--list shows the ops)"
  [ "${#names[@]}" -le 2 ] || die 2 "expected OP [FILTER], got ${names[*]}"
  op=${names[0]}
  filter=${names[1]:-*}
  case "$filter" in
    *[*?:.]*) ;;
    *) filter="*$filter*" ;;
  esac
  [ -x "$build/${op}_cuda_test" ] || die 4 "$build/${op}_cuda_test is missing: build with -DEMBER_CUDA=ON, or name a build with --build"
  "$build/${op}_cuda_test" --gtest_list_tests --gtest_filter="$filter" | grep -q '^  ' ||
    die 2 "no case of $op matches '$filter'; scripts/profile.sh $tool --list $op shows them"
  program=("$build/${op}_cuda_test" --gtest_filter="$filter")
  name=$op
fi
program+=(${more[@]+"${more[@]}"})

report=$out/$name-$(date -u +%Y%m%dT%H%M%SZ)
if [ "$tool" = ncu ]; then
  command=(ncu --set "$set" --nvtx --import-source yes -o "$report")
  [ -n "$kernel" ] && command+=(-k "regex:$kernel")
  [ -n "$model" ] && command+=(--profile-from-start off)
else
  command=(nsys profile --trace cuda,nvtx,cublas --cuda-graph-trace node -o "$report")
  [ -n "$model" ] && command+=(-c cudaProfilerApi --capture-range-end stop)
fi
command+=("${program[@]}")

printf 'profile.sh:' >&2
printf ' %q' "${command[@]}" >&2
echo >&2
[ "$dry" = 1 ] && exit 0
if ! command -v "$tool" >/dev/null; then
  case "$tool" in
    ncu) die 5 "ncu is not on PATH: install Nsight Compute (part of the CUDA toolkit, package nsight-compute)" ;;
    nsys) die 5 "nsys is not on PATH: install Nsight Systems (part of the CUDA toolkit, package nsight-systems)" ;;
  esac
fi
mkdir -p "$out"
"${command[@]}"
