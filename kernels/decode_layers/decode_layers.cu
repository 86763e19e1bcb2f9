// SPDX-License-Identifier: Apache-2.0
#include "kernels/base/cuda_scratch.cuh"
#include "kernels/common/plan_note.h"
#include "kernels/decode_layers/decode_layers_kernel.cuh"

namespace ember::k {
namespace {

constexpr const char* kOp = "decode_layers";

DecodeLayersPlan plan_for(const DecodeLayersParams& p, const DeviceLimits& limits) {
  const DecodeLayer& l = p.layers[0];
  const int64_t K = l.k_cache.shape[0];
  return plan_decode_layers(p.x.shape[1], l.o.shape[1] / kLayersHeadDim, K, l.down.shape[1],
                            limits.sm_count, limits.shared_bytes);
}

layers::Args kernel_args(const DecodeLayersParams& p, const DecodeLayersPlan& plan) {
  const DecodeLayer& first = p.layers[0];
  layers::Args a{};
  a.x = p.x.as<float>(), a.cos = p.cos.as<float>(), a.sin = p.sin.as<float>();
  a.pos_device = p.pos_device;
  a.pos = p.pos_device != nullptr ? 0 : dev::narrow(kOp, p.pos);
  a.limit = dev::narrow(kOp, first.k_cache.shape[1]);
  a.count = dev::narrow(kOp, p.count);
  a.D = dev::narrow(kOp, p.x.shape[1]);
  a.H = dev::narrow(kOp, first.o.shape[1] / kLayersHeadDim);
  a.K = dev::narrow(kOp, first.k_cache.shape[0]);
  a.group = a.H / a.K;
  a.F = dev::narrow(kOp, first.down.shape[1]);
  a.columns = plan.columns, a.stage_bytes = layers_stage_bytes(plan.columns);
  a.ranks = plan.ranks, a.stages = plan.stages, a.in_flight = plan.in_flight;
  a.layout = layers_layout(a.D, a.H, a.K, a.F, plan.blocks, plan.stages);
  a.at = layers_exchange(a.D, a.H, a.K, a.F, plan.ranks);
  a.gain = first.input_norm.dtype;
  a.prefetch = p.prefetch;
  const int columns[] = {a.D, a.H * kLayersHeadDim, a.D, a.F};
  for (int m = 0; m < 4; ++m) {
    const int stages = (columns[m] + plan.columns - 1) / plan.columns;
    a.product[m] = {columns[m], m % 2 == 0 ? kLayersPlanes : 1, stages, (1u << 20) / stages + 1};
  }
  a.inverse_D = 1.0f / static_cast<float>(a.D);
  a.eps = p.eps, a.scale_log2 = p.scale * 1.4426950408889634f;
  for (int64_t i = 0; i < p.count; ++i) {
    const DecodeLayer& l = p.layers[i];
    const auto bytes = [](const TensorView& v) { return static_cast<const char*>(v.data); };
    a.layer[i] = {l.input_norm.data, l.post_norm.data, l.q_norm.data,    l.k_norm.data,
                  bytes(l.qkv),      bytes(l.o),       bytes(l.gate_up), bytes(l.down),
                  l.k_cache.data,    l.v_cache.data,   l.act_scale,      1.0f / l.act_scale};
  }
  return a;
}

template <class T>
auto kernel_for(bool wide) -> void (*)(layers::Args) {
  return wide ? layers::decode_layers_kernel<T, kLayersWideColumns>
              : layers::decode_layers_kernel<T, kLayersColumns>;
}

}  // namespace

bool decode_layers_takes(const DecodeLayersParams& p) {
  if (p.x.device.kind != DeviceKind::kCuda || !layers_fit_kernel(p)) {
    return false;
  }
  const DeviceLimits& limits = device_limits(p.x.device);
  return limits.cc == 90 && plan_for(p, limits).stages > 0;
}

void decode_layers_cuda(const DecodeLayersParams& p, Stream stream) {
  validate(p);
  require_cuda(kOp, "x", p.x);
  if (!decode_layers_takes(p)) {
    fail(ErrorKind::kUnsupported, kOp,
         ": no kernel for these operands on this device: see decode_layers_takes(); use "
         "norm_linear, "
         "attention_step and linear");
  }
  const cuda::DeviceGuard guard(p.x.device);
  const DecodeLayersPlan plan = plan_for(p, device_limits(p.x.device));
  layers::Args a = kernel_args(p, plan);
  if (plans_wanted()) {
    note_plan(kOp, std::to_string(p.count) + " layers of " + p.layers[0].qkv.shape.str(),
              plan.str());
  }
  const int device = p.x.device.index;
  a.exchange = reinterpret_cast<char*>(
      cuda::scratch(device, stream, cuda::ScratchUser::kDecodeLayersExchange, a.at.end));
  a.counters = reinterpret_cast<unsigned*>(
      cuda::scratch(device, stream, cuda::ScratchUser::kDecodeLayersCounters, kLayersCounterBytes));
  const bool wide = plan.columns == kLayersWideColumns;
  const auto kernel = p.layers[0].qkv.dtype == DType::kF16 ? kernel_for<dev::f16>(wide)
                                                           : kernel_for<dev::bf16>(wide);
  dev::launch_resident(kOp, stream, kernel, dim3(plan.blocks), dim3(32 * (kLayersWarps + 1)),
                       plan.shared_bytes, a);
}

}  // namespace ember::k
