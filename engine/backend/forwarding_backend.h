// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <utility>

#include "engine/backend/backend.h"

namespace ember {

// Base of decorators: passes every primitive on to the backend it wraps. Composite ops keep their
// default bodies, so that each primitive of them passes through the decorator.
class ForwardingBackend : public IBackend {
 public:
  explicit ForwardingBackend(std::unique_ptr<IBackend> inner) : inner_(std::move(inner)) {}

  std::string name() const override { return inner_->name(); }
  DeviceId device() const override { return inner_->device(); }
  DType activation_dtype() const override { return inner_->activation_dtype(); }
  DType cache_dtype() const override { return inner_->cache_dtype(); }
  Memory allocate(int64_t bytes) override { return inner_->allocate(bytes); }
  int64_t placed_bytes(int64_t elements, int64_t stored, bool matrix) const override {
    return inner_->placed_bytes(elements, stored, matrix);
  }
  std::vector<MemoryItem> stage_memory(const ModelShape& shape, DType stored,
                                       int64_t batch) const override {
    return inner_->stage_memory(shape, stored, batch);
  }
  std::vector<MemoryItem> device_memory() const override { return inner_->device_memory(); }
  void expect_weights(int64_t bytes) override { inner_->expect_weights(bytes); }
  TensorView place(const TensorView& host) override { return inner_->place(host); }
  Linear place_linear(const std::vector<TensorView>& blocks) override {
    return inner_->place_linear(blocks);
  }
  void upload(const TensorView& to, const void* host) override { inner_->upload(to, host); }
  void download(const TensorView& from, void* host) override { inner_->download(from, host); }
  void receive(const TensorView& to, Hop& hop) override { inner_->receive(to, hop); }
  void synchronize() override { inner_->synchronize(); }
  Stream queue() const override { return inner_->queue(); }
  void embed(const k::EmbedParams& p) override { inner_->embed(p); }
  void rmsnorm(const k::RmsNormParams& p) override { inner_->rmsnorm(p); }
  void linear(const k::LinearParams& p) override { inner_->linear(p); }
  void qk_norm_rope(const k::QkNormRopeParams& p) override { inner_->qk_norm_rope(p); }
  void attention(const k::AttentionParams& p) override { inner_->attention(p); }
  void swiglu(const k::SwigluParams& p) override { inner_->swiglu(p); }
  void sample(const k::SampleParams& p) override { inner_->sample(p); }
  void advance(const k::AdvanceParams& p) override { inner_->advance(p); }
  bool wants_taps() const override { return inner_->wants_taps(); }
  void tap(const TapPoint& at, const TensorView& v) override { inner_->tap(at, v); }

 protected:
  IBackend& inner() { return *inner_; }
  const IBackend& inner() const { return *inner_; }

 private:
  std::unique_ptr<IBackend> inner_;
};

// Adds nothing: the default bodies over a backend's own ops, fused ones too.
class EagerBackend : public ForwardingBackend {
 public:
  using ForwardingBackend::ForwardingBackend;
  bool norm_linear(const k::NormLinearParams& p) override { return inner().norm_linear(p); }
  bool attention_step(const k::AttentionStepParams& p, const ModelShape& shape) override {
    return inner().attention_step(p, shape);
  }
  bool decode_layers(const k::DecodeLayersParams& p, const ModelShape& shape) override {
    return inner().decode_layers(p, shape);
  }
  k::Prefetch ahead_of(const Linear& w, int64_t bytes) const override {
    return inner().ahead_of(w, bytes);
  }
};

}  // namespace ember
