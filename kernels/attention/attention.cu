// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention/attention_plan.h"
#include "kernels/base/cuda_check.cuh"
#include "kernels/common/device_info.h"

namespace ember::k {

void attention_cuda(const AttentionParams& p, Stream stream) {
  validate(p);
  require_cuda("attention", "o", p.o);
  if (p.o.numel() == 0) {
    return;
  }
  const cuda::DeviceGuard guard(p.o.device);
  switch (choose_attention_kernel(p)) {
    case AttentionKernel::kDecode:
      attention_decode_cuda(p, stream);
      return;
    case AttentionKernel::kPrefill:
      attention_prefill_cuda(p, stream);
      return;
    case AttentionKernel::kRows:
      attention_rows_cuda(p, stream);
      return;
  }
}

}  // namespace ember::k
