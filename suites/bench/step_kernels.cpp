// SPDX-License-Identifier: Apache-2.0
#include "suites/bench/step_kernels.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/attention/attention.h"
#include "kernels/attention_step/attention_step.h"
#include "kernels/common/convert.h"
#include "kernels/embed/embed.h"
#include "kernels/linear/linear.h"
#include "kernels/norm_linear/norm_linear.h"
#include "kernels/qk_norm_rope/qk_norm_rope.h"
#include "kernels/rmsnorm/rmsnorm.h"
#include "kernels/sample/sample.h"
#include "kernels/swiglu/swiglu.h"
#include "suites/bench/attention_step_kernel.h"
#include "suites/bench/decode_layers_kernel.h"
#include "suites/bench/operands.h"

namespace ember {
namespace {

constexpr int64_t kMaxCopies = 64;

// What a check calls to run the op on the operands it was given, once, to the end.
using Launch = std::function<void()>;
// Judges one launch against the oracle: empty, or what is wrong.
template <class P>
using Check = std::string (*)(const P&, const Launch&, HostCopies&);

// An op by its two functions, what makes the operands of one copy, and its check. `bytes` of one
// copy must be cold (weights, cache); 0: what it reads is where its predecessor left it.
template <class P>
class OpKernel : public StepKernel {
 public:
  OpKernel(Meter& meter, void (*device)(const P&, Stream), void (*host)(const P&),
           const std::function<P(Operands&)>& make, Check<P> check, int64_t bytes)
      : operands_(meter.device(), meter.stream()), device_(device), host_(host), check_(check) {
    if (bytes > 0) {
      copies = std::clamp<int64_t>(3 * meter.cache_bytes() / bytes + 1, 1, kMaxCopies);
    }
    for (int64_t i = 0; i < copies; ++i) {
      params_.push_back(make(operands_));
    }
  }

  Cost cost() const override { return k::cost(params_[0]); }
  void run(int64_t copy, Stream stream) override {
    operands_.cuda() ? device_(params_[copy], stream) : host_(params_[copy]);
  }
  std::string verify(Meter& meter) override {
    HostCopies host(meter.stream());
    return check_(
        params_[0], [&] { run(0, meter.stream()); }, host);
  }

 private:
  Operands operands_;
  std::vector<P> params_;
  void (*device_)(const P&, Stream);
  void (*host_)(const P&);
  Check<P> check_;
};

template <class P>
std::unique_ptr<StepKernel> op(Meter& meter, void (*device)(const P&, Stream),
                               void (*host)(const P&), const std::function<P(Operands&)>& make,
                               Check<P> check, int64_t bytes = 0) {
  return std::make_unique<OpKernel<P>>(meter, device, host, make, check, bytes);
}

// The last tokens, the last columns.
std::string check_linear(const k::LinearParams& p, const Launch& launch, HostCopies& host) {
  const int64_t T = p.x.shape[0], t = std::min<int64_t>(T, 2);
  const int64_t N = p.w.shape[0], n = std::min<int64_t>(N, 256);
  const TensorView y = p.y.rows(T - t, t).cols(N - n, n);
  k::LinearParams want = p;
  want.x = host(p.x.rows(T - t, t));
  want.w = host(p.w.rows(N - n, n));
  want.y = host(y);  // before the launch: it may be added to
  launch();
  k::linear_oracle(want);
  return judge(host(y), want.y);
}

std::unique_ptr<StepKernel> make_linear(Meter& meter, const PassShape& s, int64_t rows, int64_t N,
                                        int64_t K, bool residual, DType out) {
  const auto make = [&](Operands& o) {
    k::LinearParams p;
    p.x = o.random({rows, K}, s.activation);
    p.w = o.random({N, K}, s.dtype);
    p.y = residual ? o.random({rows, N}, DType::kF32) : o.empty({rows, N}, out);
    p.accumulate = residual;
    return p;
  };
  return op<k::LinearParams>(meter, k::linear_cuda, k::linear_cpu, make, check_linear,
                             N * K * dtype_bytes(s.dtype));
}

std::string check_rmsnorm(const k::RmsNormParams& p, const Launch& launch, HostCopies& host) {
  launch();
  k::RmsNormParams want = p;
  host.replace({&want.x, &want.w});
  want.y = host.like(p.y);
  k::rmsnorm_oracle(want);
  return judge(host(p.y), want.y);
}

std::unique_ptr<StepKernel> make_rmsnorm(Meter& meter, const PassShape& s, int64_t rows) {
  const auto make = [&](Operands& o) {
    k::RmsNormParams p;
    p.x = o.random({rows, s.model.D}, DType::kF32);
    p.w = o.random({s.model.D}, s.dtype, k::RandomKind::kGain);
    p.y = o.empty({rows, s.model.D}, s.activation);
    return p;
  };
  return op<k::RmsNormParams>(meter, k::rmsnorm_cuda, k::rmsnorm_cpu, make, check_rmsnorm);
}

// The last columns.
std::string check_norm_linear(const k::NormLinearParams& p, const Launch& launch,
                              HostCopies& host) {
  launch();
  const int64_t N = p.y.shape[1], n = std::min<int64_t>(N, 256);
  k::NormLinearParams want = p;
  host.replace({&want.x, &want.norm});
  if (p.gated) {  // the rows of both halves that meet
    want.w = host.like(p.w, {2 * n, p.w.shape[1]});
    const TensorView gate = host(p.w.rows(N - n, n)), up = host(p.w.rows(2 * N - n, n));
    std::memcpy(want.w.data, gate.data, gate.bytes());
    std::memcpy(k::row_ptr(want.w, n), up.data, up.bytes());
  } else {
    want.w = host(p.w.rows(N - n, n));
  }
  want.y = host.like(p.y, {1, n});
  k::norm_linear_cpu(want);
  return judge(host(p.y.cols(N - n, n)), want.y);
}

std::unique_ptr<StepKernel> make_norm_linear(Meter& meter, const PassShape& s, int64_t rows,
                                             bool gated, DType out) {
  const auto make = [&](Operands& o) {
    k::NormLinearParams p;
    p.x = o.random({1, s.model.D}, DType::kF32);
    p.norm = o.random({s.model.D}, s.dtype, k::RandomKind::kGain);
    p.w = o.random({rows, s.model.D}, s.dtype);
    p.y = o.empty({1, gated ? rows / 2 : rows}, out);
    p.gated = gated;
    return p;
  };
  return op<k::NormLinearParams>(meter, k::norm_linear_cuda, k::norm_linear_cpu, make,
                                 check_norm_linear, rows * s.model.D * dtype_bytes(s.dtype));
}

// The last row, which sees the whole cache.
std::string check_attention(const k::AttentionParams& p, const Launch& launch, HostCopies& host) {
  launch();
  const int64_t last = p.q.shape[0] - 1;
  k::AttentionParams want = p;
  want.q = host(p.q.rows(last, 1));
  host.replace({&want.k_cache, &want.v_cache});
  want.o = host.like(p.o, {1, p.o.shape[1]});
  want.pos = p.pos + last;
  k::attention_oracle(want);
  return judge(host(p.o.rows(last, 1)), want.o);
}

std::unique_ptr<StepKernel> make_attention(Meter& meter, const PassShape& s) {
  const ModelShape& m = s.model;
  const int64_t S = s.cached + s.tokens;
  const auto make = [&](Operands& o) {
    k::AttentionParams p;
    p.q = o.random({s.tokens, m.q_dim()}, s.activation);
    p.k_cache = o.random({m.K, S, m.E}, s.activation);
    p.v_cache = o.random({m.K, S, m.E}, s.activation);
    p.o = o.empty({s.tokens, m.q_dim()}, s.activation);
    p.scale = 1.0f / std::sqrt(static_cast<float>(m.E));
    p.pos = s.cached;
    return p;
  };
  return op<k::AttentionParams>(meter, k::attention_cuda, k::attention_cpu, make, check_attention,
                                2 * m.K * S * m.E * dtype_bytes(s.activation));
}

std::string check_rope(const k::QkNormRopeParams& p, const Launch& launch, HostCopies& host) {
  launch();
  k::QkNormRopeParams want = p;
  host.replace({&want.q, &want.k, &want.v, &want.q_norm, &want.k_norm, &want.cos, &want.sin});
  want.q_out = host.like(p.q_out);
  want.k_cache = host.like(p.k_cache);
  want.v_cache = host.like(p.v_cache);
  k::qk_norm_rope_oracle(want);
  for (const auto& [got, expected] :
       {std::pair(p.q_out, want.q_out), std::pair(p.k_cache, want.k_cache),
        std::pair(p.v_cache, want.v_cache)}) {
    const std::string wrong = judge(host(got), expected);
    if (!wrong.empty()) {
      return wrong;
    }
  }
  return "";
}

std::unique_ptr<StepKernel> make_rope(Meter& meter, const PassShape& s) {
  const ModelShape& m = s.model;
  const int64_t S = s.cached + s.tokens;
  const auto make = [&](Operands& o) {
    k::QkNormRopeParams p;
    const TensorView qkv = o.random({s.tokens, m.q_dim() + 2 * m.kv_dim()}, s.activation);
    p.q = qkv.cols(0, m.q_dim());
    p.k = qkv.cols(m.q_dim(), m.kv_dim());
    p.v = qkv.cols(m.q_dim() + m.kv_dim(), m.kv_dim());
    p.q_norm = o.random({m.E}, s.dtype, k::RandomKind::kGain);
    p.k_norm = o.random({m.E}, s.dtype, k::RandomKind::kGain);
    p.cos = o.random({S, m.E / 2}, DType::kF32);
    p.sin = o.random({S, m.E / 2}, DType::kF32);
    p.q_out = o.empty({s.tokens, m.q_dim()}, s.activation);
    p.k_cache = o.empty({m.K, S, m.E}, s.activation);
    p.v_cache = o.empty({m.K, S, m.E}, s.activation);
    p.pos = s.cached;
    return p;
  };
  return op<k::QkNormRopeParams>(meter, k::qk_norm_rope_cuda, k::qk_norm_rope_cpu, make,
                                 check_rope);
}

std::string check_swiglu(const k::SwigluParams& p, const Launch& launch, HostCopies& host) {
  launch();
  k::SwigluParams want = p;
  host.replace({&want.gate, &want.up});
  want.y = host.like(p.y);
  k::swiglu_oracle(want);
  return judge(host(p.y), want.y);
}

std::unique_ptr<StepKernel> make_swiglu(Meter& meter, const PassShape& s) {
  const int64_t F = s.model.F;
  const auto make = [&](Operands& o) {
    k::SwigluParams p;
    const TensorView both = o.random({s.tokens, 2 * F}, s.activation);
    p.gate = both.cols(0, F);
    p.up = both.cols(F, F);
    p.y = o.empty({s.tokens, F}, s.activation);
    return p;
  };
  return op<k::SwigluParams>(meter, k::swiglu_cuda, k::swiglu_cpu, make, check_swiglu);
}

std::string check_embed(const k::EmbedParams& p, const Launch& launch, HostCopies& host) {
  launch();
  const int64_t last = p.ids.numel() - 1;
  const int32_t id = host(p.ids).as<int32_t>()[last];
  const TensorView got = host(p.y.rows(last, 1)), row = host(p.table.rows(id, 1));
  std::vector<float> want(p.y.shape[1]);
  k::to_f32(row.dtype, row.data, want.data(), row.numel());
  return std::equal(want.begin(), want.end(), got.as<float>())
             ? ""
             : "the row of id " + std::to_string(id) + " differs from the table's";
}

std::unique_ptr<StepKernel> make_embed(Meter& meter, const PassShape& s) {
  const ModelShape& m = s.model;
  const auto make = [&](Operands& o) {
    std::vector<int32_t> ids;
    for (int64_t i = 0; i < s.tokens; ++i) {
      ids.push_back(static_cast<int32_t>(i * 7919 % m.V));
    }
    k::EmbedParams p;
    p.ids = o.values(ids);
    p.table = o.random({m.V, m.D}, s.dtype);
    p.y = o.empty({s.tokens, m.D}, DType::kF32);
    return p;
  };
  return op<k::EmbedParams>(meter, k::embed_cuda, k::embed_cpu, make, check_embed);
}

std::string check_sample(const k::SampleParams& p, const Launch& launch, HostCopies& host) {
  launch();
  const int32_t id = host(p.id).as<int32_t>()[0];
  k::SampleParams want = p;
  want.id = host.like(p.id);
  host.replace({&want.x, &want.settings});
  k::sample_cpu(want);
  const int32_t expected = want.id.as<int32_t>()[0];
  return id == expected ? "" : "id " + std::to_string(id) + ", not " + std::to_string(expected);
}

// Random logits deviate by 0.02: at this temperature they are as flat as those of random weights.
std::unique_ptr<StepKernel> make_sample(Meter& meter, const PassShape& s, bool greedy,
                                        int64_t top_k, double top_p) {
  const auto make = [&](Operands& o) {
    const k::SampleSettings settings = k::make_sample_settings(0.02, top_k, top_p, 0, 1, 0);
    std::vector<int32_t> words(k::kSampleSettingsWords);
    std::memcpy(words.data(), &settings, sizeof settings);
    k::SampleParams p;
    p.x = o.random({1, s.model.V}, DType::kF32);
    p.id = o.empty({1}, DType::kI32);
    p.settings = o.values(words);
    p.greedy = greedy;
    return p;
  };
  return op<k::SampleParams>(meter, k::sample_cuda, k::sample_cpu, make, check_sample);
}

StepKernelInfo linear_info(const PassShape& s, const std::string& name, int64_t count, int64_t rows,
                           int64_t N, int64_t K, bool residual, DType out) {
  return {"linear." + name, count, rows > 1,
          [=](Meter& meter) { return make_linear(meter, s, rows, N, K, residual, out); }};
}

StepKernelInfo norm_linear_info(const PassShape& s, const std::string& name, int64_t count,
                                int64_t rows, bool gated, DType out) {
  return {"norm_linear." + name, count, false,
          [=](Meter& meter) { return make_norm_linear(meter, s, rows, gated, out); }};
}

// The ops of a layer, as often as there are layers.
std::vector<StepKernelInfo> layer_kernels(const PassShape& s) {
  const ModelShape& m = s.model;
  const int64_t T = s.tokens, qkv = m.q_dim() + 2 * m.kv_dim();
  if (s.resident) {
    return {
        {"decode_layers", 1, false, [=](Meter& meter) { return make_decode_layers(meter, s); }}};
  }
  std::vector<StepKernelInfo> all;
  const auto add = [&](std::vector<StepKernelInfo> more) {
    all.insert(all.end(), more.begin(), more.end());
  };
  if (s.fused) {
    add({norm_linear_info(s, "qkv", m.L, qkv, false, s.activation)});
  } else {
    add({{"rmsnorm", 2 * m.L, false, [=](Meter& meter) { return make_rmsnorm(meter, s, T); }},
         linear_info(s, "qkv", m.L, T, qkv, m.D, false, s.activation)});
  }
  if (s.fused && k::attention_step_pays(1, m.D)) {
    add({{"attention_step", m.L, false,
          [=](Meter& meter) { return make_attention_step(meter, s); }}});
  } else {
    add({{"qk_norm_rope", m.L, false, [=](Meter& meter) { return make_rope(meter, s); }},
         {"attention", m.L, T > 1, [=](Meter& meter) { return make_attention(meter, s); }}});
  }
  add({linear_info(s, "o", m.L, T, m.D, m.q_dim(), true, DType::kF32)});
  if (s.fused) {
    add({norm_linear_info(s, "gate_up", m.L, 2 * m.F, true, s.activation)});
  } else {
    add({linear_info(s, "gate_up", m.L, T, 2 * m.F, m.D, false, s.activation),
         {"swiglu", m.L, false, [=](Meter& meter) { return make_swiglu(meter, s); }}});
  }
  add({linear_info(s, "down", m.L, T, m.D, m.F, true, DType::kF32)});
  return all;
}

}  // namespace

std::vector<StepKernelInfo> step_kernels(const PassShape& s) {
  const ModelShape& m = s.model;
  std::vector<StepKernelInfo> all = {
      {"embed", 1, false, [=](Meter& meter) { return make_embed(meter, s); }}};
  const auto add = [&](std::vector<StepKernelInfo> more) {
    all.insert(all.end(), more.begin(), more.end());
  };
  add(layer_kernels(s));
  if (s.fused) {
    add({norm_linear_info(s, "head", 1, m.V, false, DType::kF32)});
  } else {
    add({{"rmsnorm.final", 1, false, [=](Meter& meter) { return make_rmsnorm(meter, s, 1); }},
         linear_info(s, "head", 1, 1, m.V, m.D, false, DType::kF32)});
  }
  add({{"sample.greedy", 1, false, [=](Meter& meter) { return make_sample(meter, s, true, 0, 1); }},
       // In place of the greedy choice, not beside it.
       {"sample.top_k", 0, false,
        [=](Meter& meter) { return make_sample(meter, s, false, 20, 0.8); }},
       {"sample.top_p", 0, false,
        [=](Meter& meter) { return make_sample(meter, s, false, 0, 0.95); }},
       {"sample.all", 0, false, [=](Meter& meter) { return make_sample(meter, s, false, 0, 1); }}});
  return all;
}

}  // namespace ember
