// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/stage.h"

#include <cmath>
#include <vector>

#include "engine/backend/backend.h"
#include "engine/model/rope.h"

namespace ember {
namespace {

// Hands out 256-byte aligned slices of one allocation; with a null base it only adds them up. The
// memory plan and the allocation walk the same code, so they cannot disagree.
class Slicer {
 public:
  Slicer(void* base, DeviceId device) : base_(static_cast<char*>(base)), device_(device) {}

  TensorView take(DType dtype, const Shape& shape) {
    TensorView v(base_ ? base_ + used_ : nullptr, dtype, shape, device_);
    used_ += (v.bytes() + 255) / 256 * 256;
    return v;
  }
  int64_t used() const { return used_; }

 private:
  char* base_;
  DeviceId device_;
  int64_t used_ = 0;
};

void lay_out(StageWorkspace& w, Slicer& s, const ModelShape& m, DType a, int64_t tokens,
             int64_t logit_rows, bool first, bool last) {
  if (first) {
    w.ids = s.take(DType::kI32, {tokens});
  }
  w.x = s.take(DType::kF32, {tokens, m.D});
  w.normed = s.take(a, {tokens, m.D});
  w.qkv = s.take(a, {tokens, m.q_dim() + 2 * m.kv_dim()});
  w.q = s.take(a, {tokens, m.q_dim()});
  w.attn = s.take(a, {tokens, m.q_dim()});
  w.gate_up = s.take(a, {tokens, 2 * m.F});
  w.act = s.take(a, {tokens, m.F});
  if (last) {
    w.logits = s.take(DType::kF32, {logit_rows, m.V});
  }
}

}  // namespace

int64_t StageWorkspace::bytes(const ModelShape& shape, DType activation, int64_t tokens,
                              int64_t logit_rows, bool first, bool last) {
  StageWorkspace w;
  Slicer s(nullptr, {});
  lay_out(w, s, shape, activation, tokens, logit_rows, first, last);
  return s.used();
}

StageWorkspace StageWorkspace::make(IBackend& backend, const ModelShape& shape, int64_t tokens,
                                    int64_t logit_rows, bool first, bool last) {
  StageWorkspace w;
  const DType a = backend.activation_dtype();
  w.memory = backend.allocate(bytes(shape, a, tokens, logit_rows, first, last));
  Slicer s(w.memory.get(), backend.device());
  lay_out(w, s, shape, a, tokens, logit_rows, first, last);
  return w;
}

int64_t RopeTable::bytes(const ModelShape& shape, int64_t capacity) {
  return 2 * capacity * (shape.E / 2) * dtype_bytes(DType::kF32);
}

RopeTable RopeTable::make(IBackend& backend, const ModelConfig& config, int64_t capacity) {
  const int64_t half = config.shape.E / 2;
  const std::vector<float> inv_freq = rope_inv_freq(config.rope, config.shape.E);
  const float factor = static_cast<float>(config.rope.attention_factor);
  std::vector<float> cos(capacity * half), sin(capacity * half);
  for (int64_t p = 0; p < capacity; ++p) {
    for (int64_t i = 0; i < half; ++i) {
      const float phase = static_cast<float>(p) * inv_freq[i];
      cos[p * half + i] = std::cos(phase) * factor;
      sin[p * half + i] = std::sin(phase) * factor;
    }
  }
  RopeTable t;
  t.memory = backend.allocate(bytes(config.shape, capacity));
  float* base = static_cast<float*>(t.memory.get());
  t.cos = TensorView(base, DType::kF32, {capacity, half}, backend.device());
  t.sin = TensorView(base + capacity * half, DType::kF32, {capacity, half}, backend.device());
  backend.upload(t.cos, cos.data());
  backend.upload(t.sin, sin.data());
  return t;
}

}  // namespace ember
