#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Tests the gate on kernels: with the flags that every CUDA source is compiled with, one whose
# registers spill and one with an array in local memory are refused, and a lean one is not.
#
#   ci/check_spills.sh NVCC FLAG…      FLAGs as cmake/EmberTargets.cmake sets them in EMBER_NVCC_FLAGS
# Exit code 0 when the gate holds, 1 when it does not, 2 for a wrong call.
set -euo pipefail

if [ $# -lt 2 ] || [ ! -x "$(command -v "$1")" ]; then
  sed -n '3,7s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
nvcc=$1
shift
flags=("$@")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failed=0

# compiles NAME ARCHITECTURE: whether folder/NAME.cu does; the log is then folder/NAME.log.
compiles() {
  "$nvcc" -std=c++17 -O3 -cubin -arch="sm_$2" "${flags[@]}" -o "$folder/$1.cubin" "$folder/$1.cu" \
    >"$folder/$1.log" 2>&1
}

refused() {
  if compiles "$1" "$2"; then
    echo "sm_$2: a kernel was built that must not be: $1" >&2
    failed=1
  elif ! grep -q "$3" "$folder/$1.log"; then
    echo "sm_$2: $1 was refused for another reason than '$3':" >&2
    cat "$folder/$1.log" >&2
    failed=1
  fi
}

# 64 sums at once with the 32 registers that 2048 threads leave to each.
cat >"$folder/spilling.cu" <<'CUDA'
__global__ void __launch_bounds__(1024, 2) spilling(float* y, const float* x, int n) {
  float sum[64] = {};
  for (int k = 0; k < n; ++k) {
#pragma unroll
    for (int i = 0; i < 64; ++i) {
      sum[i] += x[k] * x[n + i * k];
    }
  }
#pragma unroll
  for (int i = 0; i < 64; ++i) {
    y[i * 1024 + threadIdx.x] = sum[i];
  }
}
CUDA
cat >"$folder/indexed.cu" <<'CUDA'
__global__ void indexed(float* y, const float* x, const int* at) {
  float local[32];
  for (int i = 0; i < 32; ++i) {
    local[at[i]] = x[i];
  }
  y[threadIdx.x] = local[at[threadIdx.x]];
}
CUDA
cat >"$folder/lean.cu" <<'CUDA'
__global__ void lean(float* y, const float* x) { y[threadIdx.x] = 2.0f * x[threadIdx.x]; }
CUDA

for architecture in 80 90; do
  refused spilling "$architecture" 'Registers are spilled to local memory'
  refused indexed "$architecture" 'Local memory used'
  if ! compiles lean "$architecture"; then
    echo "sm_$architecture: a kernel without spills was refused:" >&2
    cat "$folder/lean.log" >&2
    failed=1
  fi
done
exit "$failed"
