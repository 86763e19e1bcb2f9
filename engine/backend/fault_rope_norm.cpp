// SPDX-License-Identifier: Apache-2.0
// Faults of RoPE, of the q/k norm and of RMSNorm.
#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "engine/backend/fault_backend.h"
#include "engine/backend/fault_tensor.h"
#include "engine/model/rope.h"

namespace ember {
namespace {

// What a plain qk_norm_rope gets wrong.
struct QkMistake {
  bool interleaved = false;  // pairs (2i, 2i+1) instead of (i, i + E/2)
  bool sign = false;         // rotates the other way
  bool skip_norm = false;
  bool norm_last = false;    // norm after the rotation
  bool partial = false;      // rotates the first half of each head only, as some models do
  int64_t query_offset = 0;  // added to the position of queries
};

void normalise(std::vector<double>& x, const HostCopy& gain, double eps) {
  double square = 0;
  for (double v : x) {
    square += v * v;
  }
  const double scale = 1 / std::sqrt(square / static_cast<double>(x.size()) + eps);
  for (size_t i = 0; i < x.size(); ++i) {
    x[i] *= scale * gain.at(static_cast<int64_t>(i));
  }
}

class QkFault : public FaultBackend {
 public:
  QkFault(std::unique_ptr<IBackend> inner, QkMistake mistake)
      : FaultBackend(std::move(inner)), m_(mistake) {}

  void qk_norm_rope(const k::QkNormRopeParams& p) override {
    inner().qk_norm_rope(p);  // writes v; q and k are done again below
    const int64_t e = p.q_norm.shape.last(), t = p.q.shape[0];
    const HostCopy q(inner(), p.q), k(inner(), p.k);
    const HostCopy q_gain(inner(), p.q_norm), k_gain(inner(), p.k_norm);
    const int64_t angles = std::min(p.pos + t + m_.query_offset, p.cos.shape[0]) - p.pos;
    const HostCopy cos(inner(), p.cos.rows(p.pos, angles)), sin(inner(), p.sin.rows(p.pos, angles));
    HostCopy q_out(inner(), p.q_out), k_out(inner(), p.k_cache.plane_rows(p.pos, t));
    std::vector<double> x(e);
    for (int64_t row = 0; row < t; ++row) {
      for (int64_t h = 0; h < p.q.shape[1] / e; ++h) {
        head(q, q_gain, {cos, sin, std::min(row + m_.query_offset, angles - 1)}, row, h, p.eps, x);
        for (int64_t i = 0; i < e; ++i) {
          q_out.set(row, h * e + i, static_cast<float>(x[i]));
        }
      }
      for (int64_t h = 0; h < p.k.shape[1] / e; ++h) {
        head(k, k_gain, {cos, sin, row}, row, h, p.eps, x);
        for (int64_t i = 0; i < e; ++i) {
          k_out.set(h, row, i, static_cast<float>(x[i]));
        }
      }
    }
    q_out.write_back();
    k_out.write_back();
  }

 private:
  struct Angles {
    const HostCopy &cos, &sin;
    int64_t row;
  };

  void head(const HostCopy& from, const HostCopy& gain, const Angles& angles, int64_t row,
            int64_t h, double eps, std::vector<double>& x) const {
    const int64_t e = static_cast<int64_t>(x.size());
    for (int64_t i = 0; i < e; ++i) {
      x[i] = from.at(row, h * e + i);
    }
    if (!m_.skip_norm && !m_.norm_last) {
      normalise(x, gain, eps);
    }
    rotate(x, angles);
    if (m_.norm_last) {
      normalise(x, gain, eps);
    }
  }

  void rotate(std::vector<double>& x, const Angles& angles) const {
    const int64_t pairs = static_cast<int64_t>(x.size()) / (m_.partial ? 4 : 2);
    for (int64_t i = 0; i < pairs; ++i) {
      const int64_t ia = m_.interleaved ? 2 * i : i, ib = m_.interleaved ? 2 * i + 1 : i + pairs;
      const int64_t angle = m_.partial ? 2 * i : i;
      const double c = angles.cos.at(angles.row, angle);
      const double s = angles.sin.at(angles.row, angle) * (m_.sign ? -1 : 1);
      const double a = x[ia], b = x[ib];
      x[ia] = a * c - b * s;
      x[ib] = b * c + a * s;
    }
  }

  QkMistake m_;
};

// Replaces the cos/sin tables by wrong ones.
class TableFault : public FaultBackend {
 public:
  enum class Mistake { kTheta, kNoYarn, kRounded, kDecodeLate };
  TableFault(std::unique_ptr<IBackend> inner, Mistake mistake)
      : FaultBackend(std::move(inner)), mistake_(mistake) {}

  void qk_norm_rope(const k::QkNormRopeParams& right) override {
    k::QkNormRopeParams p = right;
    const bool late = p.q.shape[0] == 1 && p.pos > 0;
    if (mistake_ != Mistake::kDecodeLate || late) {
      if (p.cos.shape != made_for_) {
        make(p.cos.shape);
      }
      p.cos = cos_;
      p.sin = sin_;
    }
    inner().qk_norm_rope(p);
  }

 private:
  void make(const Shape& shape) {
    RopeConfig rope = args().config.rope;
    if (mistake_ == Mistake::kTheta) {
      rope.theta = 1e4;
    } else if (mistake_ == Mistake::kNoYarn) {
      rope.yarn = false;
      rope.attention_factor = 1;
    }
    const int64_t rows = shape[0], half = shape[1];
    const std::vector<float> freq = rope_inv_freq(rope, 2 * half);
    std::vector<float> cos(rows * half), sin(rows * half);
    for (int64_t pos = 0; pos < rows; ++pos) {
      const float at = static_cast<float>(mistake_ == Mistake::kDecodeLate ? pos + 1 : pos);
      for (int64_t i = 0; i < half; ++i) {
        const float c = std::cos(at * freq[i]) * static_cast<float>(rope.attention_factor);
        const float s = std::sin(at * freq[i]) * static_cast<float>(rope.attention_factor);
        const bool rounded = mistake_ == Mistake::kRounded;
        cos[pos * half + i] = rounded ? to_float(from_float<BF16>(c)) : c;
        sin[pos * half + i] = rounded ? to_float(from_float<BF16>(s)) : s;
      }
    }
    cos_ = cos_memory_.put(inner(), cos.data(), DType::kF32, shape);
    sin_ = sin_memory_.put(inner(), sin.data(), DType::kF32, shape);
    made_for_ = shape;
  }

  Mistake mistake_;
  Shape made_for_{0, 0};
  TensorView cos_, sin_;
  DeviceScratch cos_memory_, sin_memory_;
};

class NormFault : public FaultBackend {
 public:
  enum class Mistake { kEps, kNoGain, kCentred, kNoFinalGain, kSwapQk };
  NormFault(std::unique_ptr<IBackend> inner, Mistake mistake)
      : FaultBackend(std::move(inner)), mistake_(mistake) {}

  void rmsnorm(const k::RmsNormParams& right) override {
    k::RmsNormParams p = right;
    const bool drop = mistake_ == Mistake::kNoGain
                          ? in_layer() && p.w.data == weights().input_norm.data
                          : mistake_ == Mistake::kNoFinalGain && in_head();
    if (mistake_ == Mistake::kEps) {
      p.eps = other(p.eps);
    } else if (drop) {
      const std::vector<float> ones(p.w.numel(), 1.0f);
      p.w = scratch_.put(inner(), ones.data(), DType::kF32, p.w.shape);
    } else if (mistake_ == Mistake::kCentred) {
      p.x = centred(p.x);
    }
    inner().rmsnorm(p);
  }

  void qk_norm_rope(const k::QkNormRopeParams& right) override {
    k::QkNormRopeParams p = right;
    if (mistake_ == Mistake::kEps) {
      p.eps = other(p.eps);
    } else if (mistake_ == Mistake::kSwapQk) {
      std::swap(p.q_norm, p.k_norm);
    }
    inner().qk_norm_rope(p);
  }

 private:
  static float other(float eps) { return eps < 5e-6f ? 1e-5f : 1e-6f; }

  TensorView centred(const TensorView& x) {
    HostCopy rows(inner(), x);
    const int64_t d = x.shape[1];
    for (int64_t r = 0; r < x.shape[0]; ++r) {
      double mean = 0;
      for (int64_t i = 0; i < d; ++i) {
        mean += rows.at(r, i) / static_cast<double>(d);
      }
      for (int64_t i = 0; i < d; ++i) {
        rows.set(r, i, static_cast<float>(rows.at(r, i) - mean));
      }
    }
    return scratch_.put(inner(), rows.bytes().data(), x.dtype, x.shape);
  }

  Mistake mistake_;
  DeviceScratch scratch_;
};

template <class Backend, class Mistake>
auto with(Mistake mistake) {
  return [mistake](std::unique_ptr<IBackend> inner) -> std::unique_ptr<IBackend> {
    return std::make_unique<Backend>(std::move(inner), mistake);
  };
}

Fault qk(const char* name, const char* about, QkMistake m) {
  return {name, about, Tap::kQRope, FaultLayer::kFirst, with<QkFault>(m)};
}

Fault table(const char* name, const char* about, TableFault::Mistake m) {
  return {name, about, Tap::kQRope, FaultLayer::kFirst, with<TableFault>(m)};
}

Fault norm(const char* name, const char* about, Tap tap, FaultLayer layer, NormFault::Mistake m) {
  return {name, about, tap, layer, with<NormFault>(m)};
}

}  // namespace

std::vector<Fault> rope_and_norm_faults() {
  std::vector<Fault> list;
  const auto mistake = [](bool QkMistake::*what) {
    QkMistake m;
    m.*what = true;
    return m;
  };
  using T = TableFault::Mistake;
  using N = NormFault::Mistake;
  list.push_back(norm("norm-eps", "RMSNorm with 1e-5 for 1e-6, or the reverse", Tap::kAttnNorm,
                      FaultLayer::kFirst, N::kEps));
  list.back().hidden = [](DType t) { return t != DType::kF32; };
  list.back().hidden_by = "it moves a norm by parts in a million, and rounding by hundreds";
  list.push_back(norm("norm-gain-dropped", "the gain before attention is left out", Tap::kAttnNorm,
                      FaultLayer::kFirst, N::kNoGain));
  list.push_back(norm("norm-centred", "LayerNorm's mean is subtracted", Tap::kAttnNorm,
                      FaultLayer::kFirst, N::kCentred));
  list.push_back(
      qk("qk-norm-skipped", "queries and keys are not normalised", mistake(&QkMistake::skip_norm)));
  list.push_back(qk("qk-norm-after-rope", "queries and keys are rotated before the norm",
                    mistake(&QkMistake::norm_last)));
  list.push_back(norm("qk-norm-swapped", "the key's gain on queries, the query's on keys",
                      Tap::kQRope, FaultLayer::kFirst, N::kSwapQk));
  list.push_back(qk("rope-interleaved", "RoPE pairs neighbours instead of halves",
                    mistake(&QkMistake::interleaved)));
  list.push_back(qk("rope-sign", "RoPE rotates the other way, on the rotated half only",
                    mistake(&QkMistake::sign)));
  list.push_back(qk("rope-partial", "RoPE turns the first half of each head only",
                    mistake(&QkMistake::partial)));
  QkMistake late;
  late.query_offset = 1;
  list.push_back(qk("rope-query-position", "queries stand one position later than keys", late));
  list.push_back(table("rope-theta", "theta 1e4, the default of other models", T::kTheta));
  list.push_back(table("rope-rounded", "cos and sin rounded to bf16", T::kRounded));
  list.back().hidden = [](DType t) { return t == DType::kBF16; };
  list.back().hidden_by = "Hugging Face rounds cos and sin to the computing type";
  list.push_back(
      table("rope-decode-position", "decoding counts positions one too far", T::kDecodeLate));
  Fault yarn = table("rope-no-yarn", "the rope scaling of config.json is ignored", T::kNoYarn);
  yarn.applies = [](const ModelConfig& c) { return c.rope.yarn; };
  yarn.applies_to = "models with rope scaling";
  list.push_back(yarn);
  list.push_back(norm("final-norm-gain-dropped", "the gain before the head is left out",
                      Tap::kFinalNorm, FaultLayer::kOutside, N::kNoFinalGain));
  return list;
}

}  // namespace ember
