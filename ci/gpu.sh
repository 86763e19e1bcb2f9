#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Everything that needs a GPU: the tests of the CUDA kernels and of the engine on a device, the golden
# references, the planted faults that must turn them red, and compute-sanitizer over the same tests.
# Writes one JSON file of results.
#
#   ci/gpu.sh [--build DIR] [--out FILE] [--quick]
#     --build DIR   a finished build with CUDA (default build-gpu, made when it is missing)
#     --out FILE    the result file (default gpu.json)
#     --quick       sanitizer runs on the tests of edges alone
# Exit code 0 when all passed; 1 when a test, a reference or a sanitizer found something; 5 without a GPU.
set -uo pipefail
cd "$(dirname "$0")/.."

build=build-gpu
out=gpu.json
quick=0
while [ $# -gt 0 ]; do
  case "$1" in
    --build) build=$2; shift 2 ;;
    --out) out=$2; shift 2 ;;
    --quick) quick=1; shift ;;
    -h | --help) sed -n '3,11s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "ci/gpu.sh: unknown option $1" >&2; exit 2 ;;
  esac
done

card=$(nvidia-smi --query-gpu=name --format=csv,noheader -i 0 2>/dev/null) || card=
if [ -z "$card" ]; then
  echo "ci/gpu.sh: no GPU on this machine" >&2
  exit 5
fi
driver=$(nvidia-smi --query-gpu=driver_version --format=csv,noheader -i 0)

if [ ! -x "$build/ember" ]; then
  cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DEMBER_CUDA=ON \
    -DCMAKE_CUDA_ARCHITECTURES="${CUDA_ARCHITECTURES:-native}" || exit 1
  cmake --build "$build" -j "$(nproc)" || exit 1
fi

rows=$(mktemp)
log=$(mktemp)
trap 'rm -f "$rows" "$log"' EXIT
failed=0

# record NAME EXIT_CODE SECONDS DETAIL
record() {
  printf '%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" >>"$rows"
  if [ "$2" = 0 ]; then
    echo "== $1: passed ($3 s) $4"
  else
    failed=$((failed + 1))
    echo "== $1: FAILED with $2 ($3 s) $4"
    tail -n 40 "$log"
  fi
}

# A test binary in which a skipped test counts as a failure: there is a GPU.
gtest() {
  local name=$1 at=$SECONDS code
  shift
  "$build/$name" "$@" >"$log" 2>&1
  code=$?
  local ok skips
  ok=$(grep -c '^\[       OK' "$log")
  skips=$(grep -c '^\[  SKIPPED \] .*ms' "$log")
  [ "$code" = 0 ] && [ "$skips" != 0 ] && code=77
  record "$name" "$code" $((SECONDS - at)) "$ok tests, $skips skipped"
}

sanitize() {
  local tool=$1 name=$2 filter=$3 at=$SECONDS
  compute-sanitizer --tool "$tool" --error-exitcode 9 "$build/$name" --gtest_filter="$filter" \
    >"$log" 2>&1
  record "$tool $name" $? $((SECONDS - at)) "$(grep -o 'SUMMARY: .*' "$log" | tail -n 1)"
}

ops="copy embed rmsnorm swiglu argmax advance sample qk_norm_rope random_weights linear attention"
gtest base_test
gtest measure_test
for op in $ops; do
  gtest "${op}_cuda_test"
done
gtest cuda_runtime_test
# Once more on memory full of NaN: what is read before it is written shows.
at=$SECONDS
EMBER_POISON=1 "$build/cuda_runtime_test" >"$log" 2>&1
record "cuda_runtime_test on poisoned memory" $? $((SECONDS - at)) ""

golden() {
  local name=$1 model=$2 at=$SECONDS
  shift 2
  "$build/ember" golden run -m "golden/models/$model" -g "golden/refs/$model" --devices 0 "$@" \
    >"$log" 2>&1
  record "$name" $? $((SECONDS - at)) "$(tail -n 1 "$log" | tr '\t' ' ')"
}

for model_dtype in "tiny bf16" "tiny fp16" "odd bf16" "odd fp16"; do
  model=${model_dtype% *} dtype=${model_dtype#* }
  golden "golden $model $dtype" "$model" --dtype "$dtype" --level deep
  golden "faults $model $dtype" "$model" --dtype "$dtype" --level quick --mutate all
done
# Without the taps: Hugging Face's fp32 variants on a GPU share their kernels, so that the band of a
# single op has no width.
golden "golden odd fp32" odd --dtype fp32 --level full

for tool in memcheck racecheck synccheck initcheck; do
  for op in $ops; do
    filter='*'
    case "$quick $op" in
      "1 linear") filter='*GemvShapes*:*ColumnSlice*:*Nan*' ;;
      "1 sample") filter='*SpecialValues*:*PositionInMemory*' ;;
      "1 attention") filter='*TensorCoreEdges*:*PositionInMemory*:*LargeScores*' ;;
    esac
    # The library's own kernels read the padding of their tiles: not ours to judge.
    [ "$tool $op" = "initcheck linear" ] && filter='*GemvShapes*'
    sanitize "$tool" "${op}_cuda_test" "$filter"
  done
done
# The tool takes memory of the device itself, so what a run takes is not to be told.
sanitize memcheck cuda_runtime_test \
  '-CudaRuntime.PlanCoversWhatIsUsed:CudaDecode.Says*:CudaDecode.Poisoned*'
# The steps that the host does not wait for, with graphs and without.
for tool in racecheck synccheck; do
  sanitize "$tool" cuda_runtime_test 'CudaDecode.TheContext*:CudaDecode.Logits*'
done

# The commit that the binary was built from: a carried build need not be that of this tree.
commit=$("$build/ember" --version | grep -oE '[0-9a-f]{40}' | head -n 1)
python3 - "$rows" "$out" "$card" "$driver" "${commit:-unknown}" "$failed" <<'PYTHON' || exit 1
import json
import sys

rows, out, card, driver, commit, failed = sys.argv[1:7]
steps = []
for line in open(rows):
    name, code, seconds, detail = line.rstrip("\n").split("\t")
    steps.append({"name": name, "status": "passed" if code == "0" else "failed",
                  "exit_code": int(code), "seconds": int(seconds), "detail": detail})
with open(out, "w") as f:
    json.dump({"schema": "ember.gpu_ci/1", "card": card, "driver": driver, "commit": commit,
               "failed": int(failed), "steps": steps}, f, indent=1)
    f.write("\n")
PYTHON
echo "$(wc -l <"$rows") steps on $card, $failed failed; $out"
[ "$failed" = 0 ]
