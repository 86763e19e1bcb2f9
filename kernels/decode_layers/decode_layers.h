// SPDX-License-Identifier: Apache-2.0
// Decoder layers of one new token, one after another in one pass:      limited by: memory, latency
//   for each layer:
//     q|k|v = rmsnorm(x, input_norm) qkv^T
//     attn  = attention_step(q, k, v)             new rows of the caches at pos, then attention
//     x    += attn o^T
//     act   = act_scale * silu(gate) * up         gate|up = rmsnorm(x, post_norm) gate_up^T
//     x    += (1 / act_scale) * act down^T
// what norm_linear, attention_step and linear compute one after another; their headers state the
// arithmetic. attn and act are rounded to the dtype of the weights, q to that of the caches, all
// else is fp32. Source: Qwen3DecoderLayer of transformers.
// x (1, D) F32, read and written. Of each layer: input_norm, post_norm (D), q_norm, k_norm (E), any
// float dtype; qkv ((H + 2K) E, D), o (D, H E), gate_up (2F, D) gate before up, down (D, F), dense,
// of one dtype F16|BF16; k_cache, v_cache (K, S, E) dense, of one dtype F16|BF16; act_scale a power
// of two. cos, sin (C, E/2) F32, row = position, S <= C. Shapes and dtypes are those of layer 0 in
// all layers. count >= 1. No two operands that are written may overlap, nor with one that is read.
// Position: *pos_device when not null (memory of the op's device), else pos; 0 <= pos < S. The host
// checks what it can see. With pos_device a CUDA kernel writes nothing, neither caches nor x, where
// the position is outside; the CPU throws before it writes anything.
// Of each cache only row pos is written, and no row after it is read: they may hold NaN.
// A device takes what decode_layers_takes() says; everything else is left to the three ops.
// Results repeat bit by bit; the order of summation depends on shapes, device and position.
// Throws Error{kShape|kDtype|kAlign|kUnsupported}.
#pragma once

#include "kernels/base/cost.h"
#include "kernels/base/model_shape.h"
#include "kernels/base/stream.h"
#include "kernels/base/tensor.h"
#include "kernels/common/prefetch.h"

namespace ember::k {

struct DecodeLayer {
  TensorView input_norm, qkv, q_norm, k_norm, o, post_norm, gate_up, down;
  TensorView k_cache, v_cache;
  float act_scale = 1.0f;
};

struct DecodeLayersParams {
  TensorView x, cos, sin;
  const DecodeLayer* layers = nullptr;  // read before a call returns
  int64_t count = 0;
  float eps = 1e-6f;
  float scale = 1.0f;  // of attention's scores
  int64_t pos = 0;
  const int32_t* pos_device = nullptr;
  Prefetch prefetch = {};  // a hint: what follows the last layer
};

void validate(const DecodeLayersParams& p);
// At pos; for pos_device, which the host cannot read, as if the caches were full.
Cost cost(const DecodeLayersParams& p);
// Whether decode_layers_cuda has a kernel for operands that are valid, on their device: compute
// capability 9.0, E = 128, at most 8 query heads a kv head, D <= 5120, D and F in multiples
// of 128, up to 64 layers, caches in the weights' dtype, and enough shared memory. Built without
// CUDA: false.
bool decode_layers_takes(const DecodeLayersParams& p);
// Whether one token of one sequence goes through this op, in a model of that shape with weights,
// activations and caches of `dtype` on that device: where it takes them, unless EMBER_DECODE_LAYERS
// says 0.
bool decode_layers_chosen(const ModelShape& shape, DType dtype, DeviceId device);
void decode_layers_cpu(const DecodeLayersParams& p);  // plain; judges the device
void decode_layers_cuda(const DecodeLayersParams& p,
                        Stream stream);  // asynchronous; built without CUDA: kUnsupported
// Device memory that decode_layers_cuda keeps for each stream it has run on, for a model of that
// shape (E = 128) on a device of that many SMs.
int64_t decode_layers_scratch_bytes(int64_t D, int64_t H, int64_t K, int64_t F, int sm_count);

}  // namespace ember::k
