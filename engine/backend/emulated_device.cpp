// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/emulated_device.h"

#include <cstring>
#include <utility>
#include <vector>

#include "engine/backend/cpu_backend.h"
#include "kernels/copy/copy.h"

namespace ember {
namespace {

// Added to every address: no process has memory there. (x86-64 would map so far up only on request;
// AArch64 gives this bit to the kernel, and ignores those above it.)
constexpr uintptr_t kFar = uintptr_t{1} << 55;

void* far(void* host) {
  return reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(host) + kFar);
}

TensorView near(TensorView v) {
  const uintptr_t at = reinterpret_cast<uintptr_t>(v.data);
  if (v.device.kind == DeviceKind::kCpu || at < kFar) {
    fail(ErrorKind::kUnsupported, "a device op was given host memory: tensor ", v.shape.str());
  }
  v.data = reinterpret_cast<void*>(at - kFar);
  v.device = DeviceId{};
  return v;
}

class EmulatedDevice : public IBackend {
 public:
  EmulatedDevice(DType dtype, bool decode_layers) : dtype_(dtype), decode_layers_(decode_layers) {}

  std::string name() const override { return "emulated"; }
  DeviceId device() const override { return {DeviceKind::kCuda, 0}; }
  DType activation_dtype() const override { return dtype_; }
  DType cache_dtype() const override { return dtype_; }

  Memory allocate(int64_t bytes) override {
    const Memory host = cpu_->allocate(bytes);
    return Memory(host, far(host.get()));
  }
  int64_t placed_bytes(int64_t elements, int64_t stored, bool matrix) const override {
    return matrix ? elements * dtype_bytes(dtype_) : stored;
  }
  TensorView place(const TensorView& host) override {
    return place_rows({host}, host.shape, host.shape.rank() < 2 ? host.dtype : dtype_);
  }
  Linear place_linear(const std::vector<TensorView>& blocks) override {
    int64_t rows = 0;
    for (const TensorView& b : blocks) {
      rows += b.shape[0];
    }
    Linear w;
    w.blocks[w.count++] = place_rows(blocks, {rows, blocks.at(0).shape[1]}, dtype_);
    return w;
  }
  void upload(const TensorView& to, const void* host) override {
    may_copy();
    cpu_->upload(near(to), host);
  }
  void download(const TensorView& from, void* host) override {
    may_copy();
    cpu_->download(near(from), host);
  }
  void synchronize() override { may_copy(); }

  void embed(const k::EmbedParams& p) override {
    cpu_->embed({near(p.y), near(p.ids), near(p.table)});
  }
  void rmsnorm(const k::RmsNormParams& p) override {
    cpu_->rmsnorm({near(p.y), near(p.x), near(p.w), p.eps});
  }
  void linear(const k::LinearParams& p) override {
    k::LinearParams q = p;
    q.y = near(p.y);
    q.x = near(p.x);
    q.w = near(p.w);
    cpu_->linear(q);
  }
  void qk_norm_rope(const k::QkNormRopeParams& p) override {
    k::QkNormRopeParams q = p;
    for (TensorView* v : {&q.q_out, &q.k_cache, &q.v_cache, &q.q, &q.k, &q.v, &q.q_norm, &q.k_norm,
                          &q.cos, &q.sin}) {
      *v = near(*v);
    }
    cpu_->qk_norm_rope(q);
  }
  void attention(const k::AttentionParams& p) override {
    k::AttentionParams q = p;
    for (TensorView* v : {&q.o, &q.q, &q.k_cache, &q.v_cache}) {
      *v = near(*v);
    }
    cpu_->attention(q);
  }
  void swiglu(const k::SwigluParams& p) override {
    k::SwigluParams q = p;
    q.y = near(p.y);
    q.gate = near(p.gate);
    q.up = near(p.up);
    cpu_->swiglu(q);
  }
  void sample(const k::SampleParams& p) override {
    k::SampleParams q = p;
    q.id = near(p.id);
    q.x = near(p.x);
    q.settings = p.settings.data != nullptr ? near(p.settings) : p.settings;
    cpu_->sample(q);
  }
  void advance(const k::AdvanceParams& p) override {
    k::AdvanceParams q = p;
    q.id = p.id.data != nullptr ? near(p.id) : p.id;  // the ring is host memory
    q.device = DeviceId{};
    cpu_->advance(q);
  }

  bool decode_layers(const k::DecodeLayersParams& p, const ModelShape&) override {
    if (!decode_layers_) {
      return false;
    }
    std::vector<k::DecodeLayer> layers(p.layers, p.layers + p.count);
    for (k::DecodeLayer& l : layers) {
      for (TensorView* v : {&l.input_norm, &l.qkv, &l.q_norm, &l.k_norm, &l.o, &l.post_norm,
                            &l.gate_up, &l.down, &l.k_cache, &l.v_cache}) {
        *v = near(*v);
      }
    }
    k::DecodeLayersParams q = p;
    q.layers = layers.data();
    for (TensorView* v : {&q.x, &q.cos, &q.sin}) {
      *v = near(*v);
    }
    k::decode_layers_cpu(q);
    return true;
  }

  void run_stage(const StageArgs& a) override {
    const Recording recording(*this, a.tokens == 1);
    IBackend::run_stage(a);
  }

 private:
  struct Recording {
    Recording(EmulatedDevice& device, bool on) : device(device) { device.recording_ = on; }
    ~Recording() { device.recording_ = false; }
    EmulatedDevice& device;
  };

  void may_copy() const {
    if (recording_) {
      fail(ErrorKind::kUnsupported, "a copy to or from the host while a graph is recorded");
    }
  }

  TensorView place_rows(const std::vector<TensorView>& blocks, const Shape& shape, DType dtype) {
    placed_.push_back(cpu_->allocate(shape.numel() * dtype_bytes(dtype)));
    std::byte* at = static_cast<std::byte*>(placed_.back().get());
    const TensorView all(far(at), dtype, shape, device());
    for (const TensorView& b : blocks) {
      EMBER_CHECK(b.dense() && b.shape.last() == shape.last(), "weights ", b.shape.str(), " for ",
                  shape.str());
      k::copy_cpu({TensorView(at, dtype, b.shape), b});
      at += b.numel() * dtype_bytes(dtype);
    }
    return all;
  }

  DType dtype_;
  bool decode_layers_;
  std::unique_ptr<IBackend> cpu_ = make_cpu_backend();
  std::vector<Memory> placed_;
  bool recording_ = false;
};

}  // namespace

std::unique_ptr<IBackend> make_emulated_device(DType dtype, bool decode_layers) {
  return std::make_unique<EmulatedDevice>(dtype, decode_layers);
}

}  // namespace ember
