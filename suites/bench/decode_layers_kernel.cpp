// SPDX-License-Identifier: Apache-2.0
#include "suites/bench/decode_layers_kernel.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/decode_layers/decode_layers.h"
#include "suites/bench/operands.h"

namespace ember {
namespace {

constexpr int64_t kMaxCopies = 64;

class DecodeLayersKernel : public StepKernel {
 public:
  DecodeLayersKernel(Meter& meter, const PassShape& s) : operands_(meter.device(), meter.stream()) {
    const ModelShape& m = s.model;
    const int64_t S = s.cached + 1;
    p_.x = operands_.random({1, m.D}, DType::kF32);
    p_.cos = operands_.random({S, m.E / 2}, DType::kF32);
    p_.sin = operands_.random({S, m.E / 2}, DType::kF32);
    p_.count = m.L;
    p_.scale = 1.0f / std::sqrt(static_cast<float>(m.E));
    position_ = operands_.values(std::vector<int32_t>{static_cast<int32_t>(s.cached)});
    p_.pos_device = position_.as<int32_t>();
    add_copy(s);
    copies = std::clamp<int64_t>(3 * meter.cache_bytes() / cost().bytes() + 1, 1, kMaxCopies);
    while (static_cast<int64_t>(layers_.size()) < copies) {
      add_copy(s);
    }
  }

  Cost cost() const override { return k::cost(params(0)); }

  void run(int64_t copy, Stream stream) override {
    if (operands_.cuda()) {
      k::decode_layers_cuda(params(copy), stream);
    } else {
      k::decode_layers_cpu(params(copy));
    }
  }

  // The stream after all layers, and the caches of the first and the last.
  std::string verify(Meter& meter) override {
    HostCopies host(meter.stream());
    std::vector<k::DecodeLayer> layers = layers_[0];
    for (k::DecodeLayer& l : layers) {
      host.replace({&l.input_norm, &l.qkv, &l.q_norm, &l.k_norm, &l.o, &l.post_norm, &l.gate_up,
                    &l.down, &l.k_cache, &l.v_cache});
    }
    k::DecodeLayersParams want = p_;
    host.replace({&want.x, &want.cos, &want.sin});  // before the launch, which adds to x
    want.layers = layers.data();
    want.pos = p_.cos.shape[0] - 1;
    want.pos_device = nullptr;
    run(0, meter.stream());
    k::decode_layers_cpu(want);
    // Whatever x is made of was rounded to the dtype of the weights.
    std::string wrong = judge(host(p_.x), want.x, layers[0].qkv.dtype);
    for (const size_t i : {size_t{0}, layers.size() - 1}) {
      const k::DecodeLayer& got = layers_[0][i];
      wrong += wrong.empty() ? judge(host(got.k_cache), layers[i].k_cache) : "";
      wrong += wrong.empty() ? judge(host(got.v_cache), layers[i].v_cache) : "";
    }
    return wrong;
  }

 private:
  void add_copy(const PassShape& s) {
    const ModelShape& m = s.model;
    const auto gain = [&](int64_t n) {
      return operands_.random({n}, s.dtype, k::RandomKind::kGain);
    };
    const auto cache = [&] { return operands_.random({m.K, s.cached + 1, m.E}, s.activation); };
    std::vector<k::DecodeLayer>& layers = layers_.emplace_back();
    for (int64_t i = 0; i < m.L; ++i) {
      k::DecodeLayer l;
      l.input_norm = gain(m.D);
      l.qkv = operands_.random({m.q_dim() + 2 * m.kv_dim(), m.D}, s.dtype);
      l.q_norm = gain(m.E);
      l.k_norm = gain(m.E);
      l.o = operands_.random({m.D, m.q_dim()}, s.dtype);
      l.post_norm = gain(m.D);
      l.gate_up = operands_.random({2 * m.F, m.D}, s.dtype);
      l.down = operands_.random({m.D, m.F}, s.dtype);
      l.k_cache = cache();
      l.v_cache = cache();
      layers.push_back(l);
    }
  }

  k::DecodeLayersParams params(int64_t copy) const {
    k::DecodeLayersParams p = p_;
    p.layers = layers_[static_cast<size_t>(copy)].data();
    return p;
  }

  Operands operands_;
  TensorView position_;
  k::DecodeLayersParams p_;                          // but for the layers
  std::vector<std::vector<k::DecodeLayer>> layers_;  // of each copy
};

}  // namespace

std::unique_ptr<StepKernel> make_decode_layers(Meter& meter, const PassShape& shape) {
  return std::make_unique<DecodeLayersKernel>(meter, shape);
}

}  // namespace ember
