// SPDX-License-Identifier: Apache-2.0
#include "kernels/common/gemv_device.cuh"
#include "kernels/linear/linear_plan.h"

namespace ember::k {

void linear_gemv_cuda(const LinearParams& p, Stream stream) {
  const GemvPlan plan = plan_gemv(p.w.shape[0], p.w.shape[1], device_limits(p.y.device).sm_count);
  dev::GemvArgs a{};
  a.w = p.w.data, a.x = p.x.data, a.y = p.y.data;
  a.x_dtype = p.x.dtype, a.y_dtype = p.y.dtype;
  a.w_stride = p.w.row_stride;
  a.N = dev::narrow("linear", p.w.shape[0]), a.K = dev::narrow("linear", p.w.shape[1]);
  a.alpha = p.alpha, a.accumulate = p.accumulate;
  a.prefetch = p.prefetch;
  dev::launch_gemv<dev::GemvForm::kPlain>("linear", stream, plan, p.w.dtype, a);
}

}  // namespace ember::k
