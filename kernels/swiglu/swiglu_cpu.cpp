// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "kernels/base/contract.h"
#include "kernels/base/parallel.h"
#include "kernels/common/convert.h"
#include "kernels/common/isa.h"
#include "kernels/swiglu/swiglu.h"
#include "kernels/swiglu/swiglu_kernels.h"

namespace ember::k {
namespace {

bool same_view(const TensorView& a, const TensorView& b) {
  return a.data == b.data && a.dtype == b.dtype && a.row_stride == b.row_stride;
}

}  // namespace

void validate(const SwigluParams& p) {
  const Arg y{"swiglu", "y", p.y}, gate{"swiglu", "gate", p.gate}, up{"swiglu", "up", p.up};
  for (const Arg& a : {y, gate, up}) {
    require_float(a);
    require_same_device(y, a);
  }
  require_rank(gate, 2);
  require_shape(up, p.gate.shape);
  require_shape(y, p.gate.shape);
  // y over one half of a gate|up buffer interleaves with the other half without harm.
  const bool in_place = same_view(p.y, p.gate) || same_view(p.y, p.up);
  if (!in_place) {
    require_disjoint(y, gate);
    require_disjoint(y, up);
  }
}

Cost cost(const SwigluParams& p) {
  return {p.gate.bytes() + p.up.bytes(), p.y.bytes(), 5 * p.y.numel()};
}

void swiglu_cpu(const SwigluParams& p) {
  validate(p);
  require_cpu({"swiglu", "y", p.y});
  const int64_t T = p.y.shape[0], F = p.y.shape[1];
  const SwigluKernel kernel = EMBER_PICK_ISA(swiglu_kernel);
  const int64_t grain = std::max<int64_t>(1, 16384 / std::max<int64_t>(1, F));
  parallel_for(T, grain, [&](int64_t begin, int64_t end) {
    thread_local Scratch scratch;
    float* gate_row = scratch.floats(3 * F);
    float* up_row = gate_row + F;
    float* y_row = up_row + F;
    for (int64_t t = begin; t < end; ++t) {
      const float* gate = f32_row(p.gate, t, gate_row);
      const float* up = f32_row(p.up, t, up_row);
      if (p.y.dtype == DType::kF32) {
        kernel(gate, up, reinterpret_cast<float*>(row_ptr(p.y, t)), p.scale, F);
      } else {
        kernel(gate, up, y_row, p.scale, F);
        from_f32(y_row, p.y.dtype, row_ptr(p.y, t), F);
      }
    }
  });
}

}  // namespace ember::k
