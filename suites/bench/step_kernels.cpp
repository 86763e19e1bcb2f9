// SPDX-License-Identifier: Apache-2.0
#include "suites/bench/step_kernels.h"

#include <algorithm>
#include <cmath>
#include <deque>

#include "kernels/argmax/argmax.h"
#include "kernels/attention/attention.h"
#include "kernels/base/cuda_memory.h"
#include "kernels/embed/embed.h"
#include "kernels/linear/linear.h"
#include "kernels/qk_norm_rope/qk_norm_rope.h"
#include "kernels/random_weights/random_weights.h"
#include "kernels/rmsnorm/rmsnorm.h"
#include "kernels/swiglu/swiglu.h"

namespace ember {
namespace {

constexpr int64_t kMaxCopies = 64;

// Device memory filled from streams of random weights, so that the host can make the same values.
class Operands {
 public:
  Operands(DeviceId device, Stream stream) : device_(device), stream_(stream) {}

  TensorView empty(const Shape& shape, DType dtype) {
    const int64_t bytes = shape.numel() * dtype_bytes(dtype);
    memory_.emplace_back(bytes, Buffer::Fill::kZero, device_, "operand");
    return memory_.back().view(dtype, shape);
  }
  TensorView random(const Shape& shape, DType dtype, k::RandomKind kind = k::RandomKind::kMatrix) {
    const TensorView v = empty(shape, dtype);
    k::RandomWeightsParams p;
    p.y = v;
    p.stream = static_cast<uint64_t>(memory_.size());
    p.kind = kind;
    if (device_.kind == DeviceKind::kCuda) {
      k::random_weights_cuda(p, stream_);
    } else {
      k::random_weights_cpu(p);
    }
    return v;
  }
  template <class T>
  TensorView values(const std::vector<T>& v) {
    const TensorView out = empty({static_cast<int64_t>(v.size())}, DTypeOf<T>::value);
    if (device_.kind == DeviceKind::kCuda) {
      cuda::upload(out, v.data(), stream_);
    } else {
      std::copy(v.begin(), v.end(), out.template as<T>());
    }
    return out;
  }
  bool cuda() const { return device_.kind == DeviceKind::kCuda; }

 private:
  DeviceId device_;
  Stream stream_;
  std::deque<Buffer> memory_;
};

// Host copies of views for the oracle.
class HostCopies {
 public:
  explicit HostCopies(Stream stream) : stream_(stream) {}

  TensorView operator()(const TensorView& from) {
    memory_.emplace_back(from.bytes(), Buffer::Fill::kNone);
    TensorView to = memory_.back().view(from.dtype, from.shape);
    if (from.device.kind == DeviceKind::kCuda) {
      cuda::download(from, to.data, stream_);
    } else {
      const int64_t row = from.shape.last() * dtype_bytes(from.dtype);
      for (int64_t r = 0; r < from.numel() / from.shape.last(); ++r) {
        const auto* at =
            static_cast<const std::byte*>(from.data) +
            r * (from.shape.rank() == 2 ? from.row_stride * dtype_bytes(from.dtype) : row);
        std::copy(at, at + row, static_cast<std::byte*>(to.data) + r * row);
      }
    }
    return to;
  }
  TensorView like(const TensorView& v, const Shape& shape) {
    memory_.emplace_back(shape.numel() * dtype_bytes(v.dtype), Buffer::Fill::kZero);
    return memory_.back().view(v.dtype, shape);
  }

 private:
  Stream stream_;
  std::deque<Buffer> memory_;
};

double element(const TensorView& v, int64_t i) {
  return v.dtype == DType::kF32   ? v.as<float>()[i]
         : v.dtype == DType::kF16 ? to_float(v.as<F16>()[i])
                                  : to_float(v.as<BF16>()[i]);
}

// Relative L2 of two dense host tensors within a few roundings of the coarsest type involved.
std::string judge(const TensorView& got, const TensorView& want, DType coarsest) {
  double error = 0, norm = 0;
  for (int64_t i = 0; i < got.numel(); ++i) {
    const double g = element(got, i), w = element(want, i);
    if (!std::isfinite(g)) {
      return "element " + std::to_string(i) + " is not finite";
    }
    error += (g - w) * (g - w);
    norm += w * w;
  }
  const double relative = std::sqrt(error / std::max(norm, 1e-300));
  // fp32 sums of up to 2e4 products of 16-bit values, in any order, err by some 1e-5.
  const double limit = coarsest == DType::kF32 ? 1e-4 : coarsest == DType::kF16 ? 2e-3 : 1.2e-2;
  if (relative <= limit) {
    return "";
  }
  return "relative L2 to the oracle " + std::to_string(relative) + ", limit " +
         std::to_string(limit);
}

int64_t copies_for(const Meter& meter, int64_t bytes) {
  return std::clamp<int64_t>(3 * meter.cache_bytes() / std::max<int64_t>(bytes, 1) + 1, 1,
                             kMaxCopies);
}

// An op by its three functions. `Params` of copy i are made once and kept.
template <class P>
class OpKernel : public StepKernel {
 public:
  using Op = void (*)(const P&, Stream);
  using HostOp = void (*)(const P&);

  OpKernel(Meter& meter, Op device, HostOp host)
      : operands(meter.device(), meter.stream()), device_(device), host_(host) {}

  Cost cost() const override { return k::cost(params.at(0)); }
  void run(int64_t copy, Stream stream) override {
    operands.cuda() ? device_(params[copy], stream) : host_(params[copy]);
  }
  std::string verify(Meter& meter) override { return check(params[0], meter); }

  Operands operands;
  std::vector<P> params;
  std::function<std::string(const P&, Meter&)> check;

 private:
  Op device_;
  HostOp host_;
};

template <class P>
std::unique_ptr<OpKernel<P>> kernel(Meter& meter, void (*device)(const P&, Stream),
                                    void (*host)(const P&), int64_t copies,
                                    const std::function<P(Operands&)>& make) {
  auto op = std::make_unique<OpKernel<P>>(meter, device, host);
  op->copies = copies;
  for (int64_t i = 0; i < copies; ++i) {
    op->params.push_back(make(op->operands));
  }
  return op;
}

void settle(const Meter& meter) {
  if (meter.device().kind == DeviceKind::kCuda) {
    synchronize(meter.stream());
  }
}

std::unique_ptr<StepKernel> make_linear(Meter& meter, const PassShape& s, int64_t rows, int64_t N,
                                        int64_t K, bool residual, DType out) {
  const int64_t copies = copies_for(meter, N * K * dtype_bytes(s.dtype));
  auto op = kernel<k::LinearParams>(meter, k::linear_cuda, k::linear_cpu, copies, [&](Operands& o) {
    k::LinearParams p;
    p.x = o.random({rows, K}, s.activation);
    p.w = o.random({N, K}, s.dtype);
    p.y = o.empty({rows, N}, residual ? DType::kF32 : out);
    p.accumulate = residual;
    return p;
  });
  op->check = [](const k::LinearParams& p, Meter& m) {
    HostCopies host(m.stream());
    const bool cuda = p.y.device.kind == DeviceKind::kCuda;
    k::LinearParams once = p;
    once.accumulate = false;
    cuda ? k::linear_cuda(once, m.stream()) : k::linear_cpu(once);
    settle(m);
    const int64_t t = std::min<int64_t>(p.x.shape[0], 2), n = std::min<int64_t>(p.w.shape[0], 256);
    k::LinearParams want;  // the last tokens, the last columns
    want.x = host(p.x.rows(p.x.shape[0] - t, t));
    want.w = host(p.w.rows(p.w.shape[0] - n, n));
    want.y = host.like(p.y, {t, n});
    k::linear_oracle(want);
    const TensorView got = host(p.y.rows(p.x.shape[0] - t, t).cols(p.w.shape[0] - n, n));
    return judge(got, want.y, p.y.dtype);
  };
  return op;
}

std::unique_ptr<StepKernel> make_rmsnorm(Meter& meter, const PassShape& s, int64_t rows) {
  const int64_t D = s.model.D;
  auto op = kernel<k::RmsNormParams>(meter, k::rmsnorm_cuda, k::rmsnorm_cpu, 1, [&](Operands& o) {
    k::RmsNormParams p;
    p.x = o.random({rows, D}, DType::kF32);
    p.w = o.random({D}, s.dtype, k::RandomKind::kGain);
    p.y = o.empty({rows, D}, s.activation);
    return p;
  });
  op->check = [](const k::RmsNormParams& p, Meter& m) {
    HostCopies host(m.stream());
    p.y.device.kind == DeviceKind::kCuda ? k::rmsnorm_cuda(p, m.stream()) : k::rmsnorm_cpu(p);
    settle(m);
    k::RmsNormParams want = p;
    want.x = host(p.x);
    want.w = host(p.w);
    want.y = host.like(p.y, p.y.shape);
    k::rmsnorm_cpu(want);
    return judge(host(p.y), want.y, p.y.dtype);
  };
  return op;
}

std::unique_ptr<StepKernel> make_attention(Meter& meter, const PassShape& s) {
  const ModelShape& m = s.model;
  const int64_t S = s.cached + s.tokens;
  const int64_t bytes = 2 * m.K * S * m.E * dtype_bytes(s.activation);
  const float scale = 1.0f / std::sqrt(static_cast<float>(m.E));
  auto op = kernel<k::AttentionParams>(meter, k::attention_cuda, k::attention_cpu,
                                       copies_for(meter, bytes), [&](Operands& o) {
                                         k::AttentionParams p;
                                         p.q = o.random({s.tokens, m.q_dim()}, s.activation);
                                         p.k_cache = o.random({m.K, S, m.E}, s.activation);
                                         p.v_cache = o.random({m.K, S, m.E}, s.activation);
                                         p.o = o.empty({s.tokens, m.q_dim()}, s.activation);
                                         p.scale = scale;
                                         p.pos = s.cached;
                                         return p;
                                       });
  op->check = [](const k::AttentionParams& p, Meter& m) {
    HostCopies host(m.stream());
    p.o.device.kind == DeviceKind::kCuda ? k::attention_cuda(p, m.stream()) : k::attention_cpu(p);
    settle(m);
    const int64_t last = p.q.shape[0] - 1;
    k::AttentionParams want = p;  // the last row sees the whole cache
    want.q = host(p.q.rows(last, 1));
    want.k_cache = host(p.k_cache);
    want.v_cache = host(p.v_cache);
    want.o = host.like(p.o, {1, p.o.shape[1]});
    want.pos = p.pos + last;
    k::attention_oracle(want);
    return judge(host(p.o.rows(last, 1)), want.o, p.o.dtype);
  };
  return op;
}

std::unique_ptr<StepKernel> make_rope(Meter& meter, const PassShape& s) {
  const ModelShape& m = s.model;
  const int64_t S = s.cached + s.tokens, width = m.q_dim() + 2 * m.kv_dim();
  auto op = kernel<k::QkNormRopeParams>(
      meter, k::qk_norm_rope_cuda, k::qk_norm_rope_cpu, 1, [&](Operands& o) {
        k::QkNormRopeParams p;
        const TensorView qkv = o.random({s.tokens, width}, s.activation);
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
      });
  op->check = [](const k::QkNormRopeParams& p, Meter& m) {
    HostCopies host(m.stream());
    p.q.device.kind == DeviceKind::kCuda ? k::qk_norm_rope_cuda(p, m.stream())
                                         : k::qk_norm_rope_cpu(p);
    settle(m);
    k::QkNormRopeParams want = p;
    for (TensorView* v : {&want.q, &want.k, &want.v, &want.q_norm, &want.k_norm, &want.cos,
                          &want.sin, &want.k_cache, &want.v_cache}) {
      *v = host(*v);
    }
    const TensorView got_k = want.k_cache;
    want.k_cache = host.like(p.k_cache, p.k_cache.shape);
    want.v_cache = host.like(p.v_cache, p.v_cache.shape);
    want.q_out = host.like(p.q_out, p.q_out.shape);
    k::qk_norm_rope_cpu(want);
    const std::string q = judge(host(p.q_out), want.q_out, p.q_out.dtype);
    return q.empty() ? judge(got_k, want.k_cache, p.k_cache.dtype) : q;
  };
  return op;
}

std::unique_ptr<StepKernel> make_swiglu(Meter& meter, const PassShape& s) {
  const int64_t F = s.model.F;
  auto op = kernel<k::SwigluParams>(meter, k::swiglu_cuda, k::swiglu_cpu, 1, [&](Operands& o) {
    k::SwigluParams p;
    const TensorView both = o.random({s.tokens, 2 * F}, s.activation);
    p.gate = both.cols(0, F);
    p.up = both.cols(F, F);
    p.y = o.empty({s.tokens, F}, s.activation);
    return p;
  });
  op->check = [](const k::SwigluParams& p, Meter& m) {
    HostCopies host(m.stream());
    p.y.device.kind == DeviceKind::kCuda ? k::swiglu_cuda(p, m.stream()) : k::swiglu_cpu(p);
    settle(m);
    k::SwigluParams want = p;
    want.gate = host(p.gate);
    want.up = host(p.up);
    want.y = host.like(p.y, p.y.shape);
    k::swiglu_cpu(want);
    return judge(host(p.y), want.y, p.y.dtype);
  };
  return op;
}

std::unique_ptr<StepKernel> make_embed(Meter& meter, const PassShape& s) {
  const ModelShape& m = s.model;
  auto op = kernel<k::EmbedParams>(meter, k::embed_cuda, k::embed_cpu, 1, [&](Operands& o) {
    std::vector<int32_t> ids;
    for (int64_t i = 0; i < s.tokens; ++i) {
      ids.push_back(static_cast<int32_t>(i * 7919 % m.V));
    }
    k::EmbedParams p;
    p.ids = o.values(ids);
    p.table = o.random({m.V, m.D}, s.dtype);
    p.y = o.empty({s.tokens, m.D}, DType::kF32);
    return p;
  });
  op->check = [](const k::EmbedParams& p, Meter& m) {
    HostCopies host(m.stream());
    p.y.device.kind == DeviceKind::kCuda ? k::embed_cuda(p, m.stream()) : k::embed_cpu(p);
    settle(m);
    const TensorView ids = host(p.ids), got = host(p.y);
    const int64_t last = p.ids.numel() - 1, D = p.y.shape[1];
    const TensorView row = host(p.table.rows(ids.as<int32_t>()[last], 1));
    for (int64_t i = 0; i < D; ++i) {
      if (element(got, last * D + i) != element(row, i)) {
        return "row of id " + std::to_string(ids.as<int32_t>()[last]) + " differs at " +
               std::to_string(i);
      }
    }
    return std::string();
  };
  return op;
}

std::unique_ptr<StepKernel> make_argmax(Meter& meter, const PassShape& s) {
  auto op = kernel<k::ArgmaxParams>(meter, k::argmax_cuda, k::argmax_cpu, 1, [&](Operands& o) {
    k::ArgmaxParams p;
    p.x = o.random({1, s.model.V}, DType::kF32);
    p.ids = o.empty({1}, DType::kI32);
    return p;
  });
  op->check = [](const k::ArgmaxParams& p, Meter& m) {
    HostCopies host(m.stream());
    p.x.device.kind == DeviceKind::kCuda ? k::argmax_cuda(p, m.stream()) : k::argmax_cpu(p);
    settle(m);
    const TensorView x = host(p.x), id = host(p.ids);
    const float* row = x.as<float>();
    const auto want = std::max_element(row, row + x.numel()) - row;
    return id.as<int32_t>()[0] == want ? std::string()
                                       : "id " + std::to_string(id.as<int32_t>()[0]) +
                                             ", the largest is " + std::to_string(want);
  };
  return op;
}

}  // namespace

std::vector<StepKernelInfo> step_kernels(const PassShape& s) {
  const ModelShape& m = s.model;
  const int64_t T = s.tokens, qkv = m.q_dim() + 2 * m.kv_dim();
  const bool many = T > 1;
  const auto linear = [&](const std::string& name, int64_t count, int64_t rows, int64_t N,
                          int64_t K, bool residual, DType out) {
    return StepKernelInfo{"linear." + name, count, rows > 1, [=](Meter& meter) {
                            return make_linear(meter, s, rows, N, K, residual, out);
                          }};
  };
  return {
      {"embed", 1, false, [=](Meter& meter) { return make_embed(meter, s); }},
      {"rmsnorm", 2 * m.L, false, [=](Meter& meter) { return make_rmsnorm(meter, s, T); }},
      linear("qkv", m.L, T, qkv, m.D, false, s.activation),
      {"qk_norm_rope", m.L, false, [=](Meter& meter) { return make_rope(meter, s); }},
      {"attention", m.L, many, [=](Meter& meter) { return make_attention(meter, s); }},
      linear("o", m.L, T, m.D, m.q_dim(), true, DType::kF32),
      linear("gate_up", m.L, T, 2 * m.F, m.D, false, s.activation),
      {"swiglu", m.L, false, [=](Meter& meter) { return make_swiglu(meter, s); }},
      linear("down", m.L, T, m.D, m.F, true, DType::kF32),
      {"rmsnorm.final", 1, false, [=](Meter& meter) { return make_rmsnorm(meter, s, 1); }},
      linear("head", 1, 1, m.V, m.D, false, DType::kF32),
      {"argmax", 1, false, [=](Meter& meter) { return make_argmax(meter, s); }},
  };
}

}  // namespace ember
