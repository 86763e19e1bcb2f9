// SPDX-License-Identifier: Apache-2.0
#include "suites/bench/attention_step_kernel.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/attention_step/attention_step.h"
#include "suites/bench/operands.h"

namespace ember {
namespace {

constexpr int64_t kMaxCopies = 64;

class AttentionStepKernel : public StepKernel {
 public:
  AttentionStepKernel(Meter& meter, const PassShape& s, int64_t sequences)
      : operands_(meter.device(), meter.stream()) {
    const ModelShape& m = s.model;
    const int64_t S = s.cached + 1, width = m.q_dim() + 2 * m.kv_dim();
    const int64_t bytes = 2 * sequences * m.kv_dim() * S * dtype_bytes(s.activation);
    copies = std::clamp<int64_t>(3 * meter.cache_bytes() / bytes + 1, 1, kMaxCopies);
    const TensorView qkv = operands_.random({sequences, width}, s.activation);
    k::AttentionStepParams p;
    p.q = qkv.cols(0, m.q_dim());
    p.k = qkv.cols(m.q_dim(), m.kv_dim());
    p.v = qkv.cols(m.q_dim() + m.kv_dim(), m.kv_dim());
    p.q_norm = operands_.random({m.E}, s.dtype, k::RandomKind::kGain);
    p.k_norm = operands_.random({m.E}, s.dtype, k::RandomKind::kGain);
    p.cos = operands_.random({S, m.E / 2}, DType::kF32);
    p.sin = operands_.random({S, m.E / 2}, DType::kF32);
    p.o = operands_.empty({sequences, m.q_dim()}, s.activation);
    p.scale = 1.0f / std::sqrt(static_cast<float>(m.E));
    p.count = sequences;
    p.settled = true;
    position_ = operands_.values(std::vector<int32_t>{static_cast<int32_t>(s.cached)});
    for (int64_t i = 0; i < copies; ++i) {
      for (int64_t b = 0; b < sequences; ++b) {
        p.slots[b].k = operands_.random({m.K, S, m.E}, s.activation);
        p.slots[b].v = operands_.random({m.K, S, m.E}, s.activation);
        p.slots[b].pos_device = position_.as<int32_t>();
      }
      params_.push_back(p);
    }
  }

  Cost cost() const override { return k::cost(params_[0]); }

  void run(int64_t copy, Stream stream) override {
    if (operands_.cuda()) {
      k::attention_step_cuda(params_[copy], stream);
    } else {
      k::attention_step_cpu(params_[copy]);
    }
  }

  // The last sequence, its cache too.
  std::string verify(Meter& meter) override {
    HostCopies host(meter.stream());
    run(0, meter.stream());
    const k::AttentionStepParams& p = params_[0];
    const int64_t last = p.count - 1;
    const k::CacheSlot& slot = p.slots[last];
    k::AttentionStepParams want = p;
    want.count = 1;
    want.q = host(p.q.rows(last, 1));
    want.k = host(p.k.rows(last, 1));
    want.v = host(p.v.rows(last, 1));
    host.replace({&want.q_norm, &want.k_norm, &want.cos, &want.sin});
    want.o = host.like(p.o, {1, p.o.shape[1]});
    const TensorView k_got = host(slot.k), v_got = host(slot.v);
    want.slots[0] = {host(slot.k), host(slot.v), slot.k.shape[1] - 1, nullptr};
    k::attention_step_oracle(want);
    for (const auto& [got, expected] :
         {std::pair(host(p.o.rows(last, 1)), want.o), std::pair(k_got, want.slots[0].k),
          std::pair(v_got, want.slots[0].v)}) {
      const std::string wrong = judge(got, expected);
      if (!wrong.empty()) {
        return wrong;
      }
    }
    return "";
  }

 private:
  Operands operands_;
  TensorView position_;
  std::vector<k::AttentionStepParams> params_;
};

}  // namespace

std::unique_ptr<StepKernel> make_attention_step(Meter& meter, const PassShape& shape,
                                                int64_t sequences) {
  return std::make_unique<AttentionStepKernel>(meter, shape, sequences);
}

}  // namespace ember
