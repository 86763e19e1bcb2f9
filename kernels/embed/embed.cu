// SPDX-License-Identifier: Apache-2.0
// One block a token copies (and converts) its row. Limited by latency: a row is a few kilobytes.
#include <cmath>

#include "kernels/common/launch.cuh"
#include "kernels/embed/embed.h"

namespace ember::k {
namespace {

template <int kWidth>
__global__ void embed_rows_kernel(dev::Rows y, const int32_t* ids, dev::Rows table, int vocab,
                                  int groups) {
  dev::let_next_start();
  dev::wait_for_previous();
  const int id = ids[blockIdx.x];
  const bool known = id >= 0 && id < vocab;
  void* to = y.row(blockIdx.x);
  const void* from = table.row(known ? id : 0);
  for (int g = threadIdx.x; g < groups; g += blockDim.x) {
    float v[kWidth];
#pragma unroll
    for (int i = 0; i < kWidth; ++i) {
      v[i] = NAN;
    }
    if constexpr (kWidth == 8) {
      if (known) {
        dev::load8(from, table.dtype, int64_t{g} * 8, v);
      }
      dev::store8(to, y.dtype, int64_t{g} * 8, v);
    } else {
      if (known) {
        v[0] = dev::load1(from, table.dtype, g);
      }
      dev::store1(to, y.dtype, g, v[0]);
    }
  }
}

template <int kWidth>
void run(const EmbedParams& p, Stream stream) {
  const int T = dev::narrow("embed", p.y.shape[0]);
  const int groups = dev::narrow("embed", p.y.shape[1] / kWidth);
  const int64_t threads = std::min<int64_t>(512, dev::ceil_div(groups, 32) * 32);
  dev::launch("embed", stream, embed_rows_kernel<kWidth>, dim3(T), dim3(threads), 0, dev::rows(p.y),
              static_cast<const int32_t*>(p.ids.data), dev::rows(p.table),
              dev::narrow("embed", p.table.shape[0]), groups);
}

}  // namespace

void embed_cuda(const EmbedParams& p, Stream stream) {
  validate(p);
  require_cuda("embed", "y", p.y);
  if (p.y.shape[0] == 0) {
    return;
  }
  const cuda::DeviceGuard guard(p.y.device);
  if (dev::fits8(p.y) && dev::fits8(p.table)) {
    run<8>(p, stream);
  } else {
    run<1>(p, stream);
  }
}

}  // namespace ember::k
