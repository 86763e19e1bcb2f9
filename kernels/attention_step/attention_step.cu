// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention_step/attention_step_kernel.cuh"
#include "kernels/base/cuda_scratch.cuh"
#include "kernels/common/plan_note.h"

namespace ember::k {
namespace {

constexpr const char* kOp = "attention_step";
using Kernel = void (*)(step::Args);

template <class T, int E>
Kernel kernel_of(const AttentionStepPlan& plan) {
  if (plan.warps == 8) {
    return plan.stages == 3 ? step::attention_step_kernel<T, E, 8, 3>
                            : step::attention_step_kernel<T, E, 8, 2>;
  }
  return step::attention_step_kernel<T, E, 4, 2>;
}

Kernel kernel_for(const AttentionStepPlan& plan, const TensorView& cache) {
  const bool small = cache.shape[2] == 64;
  if (cache.dtype == DType::kF16) {
    return small ? kernel_of<dev::f16, 64>(plan) : kernel_of<dev::f16, 128>(plan);
  }
  return small ? kernel_of<dev::bf16, 64>(plan) : kernel_of<dev::bf16, 128>(plan);
}

step::Args kernel_args(const AttentionStepParams& p, const AttentionStepPlan& plan) {
  const int64_t E = p.slots[0].k.shape[2], K = p.slots[0].k.shape[0];
  step::Args a{};
  a.o = dev::rows(p.o), a.q = dev::rows(p.q), a.k = dev::rows(p.k), a.v = dev::rows(p.v);
  a.q_norm = dev::rows(p.q_norm), a.k_norm = dev::rows(p.k_norm);
  a.cos = dev::rows(p.cos), a.sin = dev::rows(p.sin);
  a.count = dev::narrow(kOp, p.count);
  a.group = dev::narrow(kOp, p.q.shape[1] / E / K);
  a.alone = plan.alone, a.least = plan.least;
  a.eps = p.eps, a.scale_log2 = p.scale * 1.4426950408889634f;
  a.settled = p.settled;
  for (int64_t b = 0; b < p.count; ++b) {
    const CacheSlot& from = p.slots[b];
    const int64_t S = from.k.shape[1];
    const int pos = from.pos_device != nullptr ? 0 : dev::narrow(kOp, from.pos);
    a.slots[b] = {from.k.data, from.v.data, S * E, from.pos_device, pos, dev::narrow(kOp, S)};
  }
  return a;
}

void run_fused(const AttentionStepParams& p, const AttentionStepPlan& plan, Stream stream) {
  const int64_t E = p.slots[0].k.shape[2], K = p.slots[0].k.shape[0];
  const int device = p.o.device.index;
  step::Args a = kernel_args(p, plan);
  const Kernel kernel = kernel_for(plan, p.slots[0].k);
  a.partials = reinterpret_cast<float*>(
      cuda::scratch(device, stream, cuda::ScratchUser::kAttentionStepPartials,
                    step_partial_bytes(K, plan.ranks, a.group, E)));
  a.tickets = reinterpret_cast<unsigned*>(cuda::scratch(
      device, stream, cuda::ScratchUser::kAttentionStepTickets, step_ticket_bytes(K)));
  dev::launch(kOp, stream, kernel, dim3(static_cast<unsigned>(K), plan.ranks),
              dim3(32 * plan.warps), plan.shared_bytes, a);
}

void run_primitives(const AttentionStepParams& p, Stream stream) {
  const DType dtype = p.slots[0].k.dtype;
  const int64_t width = p.q.shape[1];
  std::byte* memory =
      cuda::scratch(p.o.device.index, stream, cuda::ScratchUser::kAttentionStepQueries,
                    p.count * width * dtype_bytes(dtype));
  const TensorView q(memory, dtype, {p.count, width}, p.o.device);
  for (int64_t b = 0; b < p.count; ++b) {
    qk_norm_rope_cuda(step_rope(p, b, q.rows(b, 1)), stream);
    attention_cuda(step_attention(p, b, q.rows(b, 1)), stream);
  }
}

}  // namespace

void attention_step_cuda(const AttentionStepParams& p, Stream stream) {
  validate(p);
  require_cuda(kOp, "o", p.o);
  const cuda::DeviceGuard guard(p.o.device);
  const DeviceLimits& limits = device_limits(p.o.device);
  const AttentionStepPlan plan = plan_attention_step(p, limits.sm_count, limits.shared_bytes);
  if (plans_wanted()) {
    note_plan(kOp, std::to_string(p.count) + " x " + p.slots[0].k.shape.str(), plan.str());
  }
  if (plan.kernel == AttentionStepKernel::kPrimitives) {
    run_primitives(p, stream);
  } else {
    run_fused(p, plan, stream);
  }
}

}  // namespace ember::k
