// SPDX-License-Identifier: Apache-2.0
#include "kernels/base/contract.h"
#include "kernels/common/launch.cuh"
#include "kernels/linear/linear_plan.h"

namespace ember::k {

void linear_cuda(const LinearParams& p, Stream stream) {
  validate(p);
  require_cuda("linear", "y", p.y);
  if (p.y.numel() == 0) {
    return;
  }
  const cuda::DeviceGuard guard(p.y.device);
  const DeviceLimits& limits = device_limits(p.y.device);
  switch (choose_linear_kernel(p, limits.sm_count, limits.shared_bytes)) {
    case LinearKernel::kGemv:
      linear_gemv_cuda(p, stream);
      return;
    case LinearKernel::kFew:
      linear_few_cuda(p, stream);
      return;
    case LinearKernel::kLibrary:
      if (linear_library_cuda(p, stream)) {
        return;
      }
      break;
    case LinearKernel::kRows:
      break;
  }
  linear_rows_cuda(p, stream);
}

}  // namespace ember::k
