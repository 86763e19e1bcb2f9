// SPDX-License-Identifier: Apache-2.0
// The plain form, for operands that neither the GEMV kernel nor the library takes: mixed dtypes,
// rows that are not whole 16-byte groups. One warp an element of y; each weight row is read once a
// token. No product path runs it on a large model.
#include "kernels/common/launch.cuh"
#include "kernels/linear/linear_plan.h"

namespace ember::k {
namespace {

constexpr int kWarps = 8;

__global__ void linear_rows_kernel(dev::Rows y, dev::Rows x, dev::Rows w, int N, int K, float alpha,
                                   bool accumulate) {
  dev::let_next_start();
  dev::wait_for_previous();
  const int n = blockIdx.x * kWarps + threadIdx.x / 32;
  if (n >= N) {
    return;
  }
  const void* x_row = x.row(blockIdx.y);
  const void* w_row = w.row(n);
  float sum = 0.0f;
  for (int k = threadIdx.x % 32; k < K; k += 32) {
    sum = fmaf(dev::load1(x_row, x.dtype, k), dev::load1(w_row, w.dtype, k), sum);
  }
  sum = alpha * dev::warp_sum(sum);
  if (threadIdx.x % 32 == 0) {
    void* y_row = y.row(blockIdx.y);
    dev::store1(y_row, y.dtype, n, accumulate ? dev::load1(y_row, y.dtype, n) + sum : sum);
  }
}

}  // namespace

void linear_rows_cuda(const LinearParams& p, Stream stream) {
  constexpr int64_t kMaxTokens = 65535;  // of one launch
  const int N = dev::narrow("linear", p.w.shape[0]), K = dev::narrow("linear", p.w.shape[1]);
  for (int64_t t = 0; t < p.x.shape[0]; t += kMaxTokens) {
    const int64_t tokens = std::min(kMaxTokens, p.x.shape[0] - t);
    dev::launch(
        "linear", stream, linear_rows_kernel,
        dim3(static_cast<unsigned>(dev::ceil_div(N, kWarps)), static_cast<unsigned>(tokens)),
        dim3(32 * kWarps), 0, dev::rows(p.y.rows(t, tokens)), dev::rows(p.x.rows(t, tokens)),
        dev::rows(p.w), N, K, p.alpha, p.accumulate);
  }
}

}  // namespace ember::k
