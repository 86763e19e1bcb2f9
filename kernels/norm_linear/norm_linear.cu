// SPDX-License-Identifier: Apache-2.0
#include "kernels/norm_linear/norm_linear.h"

#include "kernels/base/contract.h"
#include "kernels/common/gemv_device.cuh"

namespace ember::k {

void norm_linear_cuda(const NormLinearParams& p, Stream stream) {
  const char* op = "norm_linear";
  validate(p);
  require_cuda(op, "y", p.y);
  if (!norm_linear_takes(p)) {
    fail(ErrorKind::kUnsupported, op, ": no kernel for w ", p.w.shape.str(),
         ": expected rows of whole 16-byte groups, K up to ", kGemvMaxNormK,
         ", rows in multiples of ", kGemvMinN, "; use rmsnorm, linear and swiglu");
  }
  const cuda::DeviceGuard guard(p.y.device);
  const GemvPlan plan = plan_gemv(p.w.shape[0], p.w.shape[1], device_limits(p.y.device).sm_count);
  dev::GemvArgs a{};
  a.w = p.w.data, a.x = p.x.data, a.gain = p.norm.data, a.y = p.y.data;
  a.gain_dtype = p.norm.dtype, a.y_dtype = p.y.dtype;
  a.w_stride = p.w.row_stride;
  a.N = dev::narrow(op, p.y.shape[1]), a.K = dev::narrow(op, p.w.shape[1]);
  a.alpha = p.scale, a.eps = p.eps, a.inverse_k = 1.0f / static_cast<float>(a.K);
  a.prefetch = p.prefetch;
  if (p.gated) {
    dev::launch_gemv<dev::GemvForm::kNormGated>(op, stream, plan, p.w.dtype, a);
  } else {
    dev::launch_gemv<dev::GemvForm::kNorm>(op, stream, plan, p.w.dtype, a);
  }
}

}  // namespace ember::k
