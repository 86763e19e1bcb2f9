// SPDX-License-Identifier: Apache-2.0
// Faults of RoPE, of the q/k norm and of RMSNorm.
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
  bool half_only = false;    // rotates the first half of the pairs only
  int64_t query_offset = 0;  // added to the position of queries
};

void normalise(std::vector<double>& x, const TensorView& gain, double eps) {
  double square = 0;
  for (double v : x) {
    square += v * v;
  }
  const double scale = 1 / std::sqrt(square / static_cast<double>(x.size()) + eps);
  for (size_t i = 0; i < x.size(); ++i) {
    x[i] *= scale * load_element(gain, static_cast<int64_t>(i));
  }
}

void rotate(std::vector<double>& x, const k::QkNormRopeParams& p, int64_t pos, const QkMistake& m) {
  const int64_t half = static_cast<int64_t>(x.size()) / 2;
  pos = std::min(pos, p.cos.shape[0] - 1);
  for (int64_t i = 0; i < (m.half_only ? half / 2 : half); ++i) {
    const int64_t ia = m.interleaved ? 2 * i : i, ib = m.interleaved ? 2 * i + 1 : i + half;
    const double c = load2(p.cos, pos, i), s = load2(p.sin, pos, i) * (m.sign ? -1 : 1);
    const double a = x[ia], b = x[ib];
    x[ia] = a * c - b * s;
    x[ib] = b * c + a * s;
  }
}

class QkFault : public FaultBackend {
 public:
  QkFault(std::unique_ptr<IBackend> inner, QkMistake mistake)
      : FaultBackend(std::move(inner)), m_(mistake) {}

  void qk_norm_rope(const k::QkNormRopeParams& p) override {
    inner().qk_norm_rope(p);  // writes v; q and k are done again below
    const int64_t e = p.q_norm.shape.last(), t = p.q.shape[0];
    std::vector<double> x(e);
    for (int64_t row = 0; row < t; ++row) {
      for (int64_t h = 0; h < p.q.shape[1] / e; ++h) {
        head(p, p.q, p.q_norm, row, h, p.pos + row + m_.query_offset, x);
        for (int64_t i = 0; i < e; ++i) {
          store2(p.q_out, row, h * e + i, static_cast<float>(x[i]));
        }
      }
      for (int64_t h = 0; h < p.k.shape[1] / e; ++h) {
        head(p, p.k, p.k_norm, row, h, p.pos + row, x);
        for (int64_t i = 0; i < e; ++i) {
          store3(p.k_cache, h, p.pos + row, i, static_cast<float>(x[i]));
        }
      }
    }
  }

 private:
  void head(const k::QkNormRopeParams& p, const TensorView& from, const TensorView& gain,
            int64_t row, int64_t h, int64_t pos, std::vector<double>& x) const {
    for (size_t i = 0; i < x.size(); ++i) {
      x[i] = load2(from, row, h * static_cast<int64_t>(x.size()) + static_cast<int64_t>(i));
    }
    if (!m_.skip_norm && !m_.norm_last) {
      normalise(x, gain, p.eps);
    }
    rotate(x, p, pos, m_);
    if (m_.norm_last) {
      normalise(x, gain, p.eps);
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
    const int64_t rows = p.cos.shape[0], half = p.cos.shape[1];
    cos_.resize(rows * half);
    sin_.resize(rows * half);
    fill(right, rows, half);
    p.cos = TensorView(cos_.data(), DType::kF32, p.cos.shape);
    p.sin = TensorView(sin_.data(), DType::kF32, p.sin.shape);
    inner().qk_norm_rope(p);
  }

 private:
  void fill(const k::QkNormRopeParams& p, int64_t rows, int64_t half) {
    RopeConfig rope = args().config.rope;
    if (mistake_ == Mistake::kTheta) {
      rope.theta = 1e4;
    } else if (mistake_ == Mistake::kNoYarn) {
      rope.yarn = false;
      rope.attention_factor = 1;
    }
    const std::vector<float> freq = rope_inv_freq(rope, 2 * half);
    const bool late = mistake_ == Mistake::kDecodeLate && p.q.shape[0] == 1 && p.pos > 0;
    for (int64_t pos = 0; pos < rows; ++pos) {
      const float at = static_cast<float>(late ? pos + 1 : pos);
      for (int64_t i = 0; i < half; ++i) {
        const float c = std::cos(at * freq[i]) * static_cast<float>(rope.attention_factor);
        const float s = std::sin(at * freq[i]) * static_cast<float>(rope.attention_factor);
        const bool rounded = mistake_ == Mistake::kRounded;
        cos_[pos * half + i] = rounded ? to_float(from_float<BF16>(c)) : c;
        sin_[pos * half + i] = rounded ? to_float(from_float<BF16>(s)) : s;
      }
    }
  }

  Mistake mistake_;
  std::vector<float> cos_, sin_;
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
      ones_.assign(p.w.numel(), 1.0f);
      p.w = TensorView(ones_.data(), DType::kF32, p.w.shape);
    } else if (mistake_ == Mistake::kCentred) {
      centre(p.x);
      p.x = TensorView(centred_.data(), DType::kF32, p.x.shape);
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

  void centre(const TensorView& x) {
    const int64_t rows = x.shape[0], d = x.shape[1];
    centred_.resize(rows * d);
    for (int64_t r = 0; r < rows; ++r) {
      double mean = 0;
      for (int64_t i = 0; i < d; ++i) {
        mean += load2(x, r, i) / static_cast<double>(d);
      }
      for (int64_t i = 0; i < d; ++i) {
        centred_[r * d + i] = static_cast<float>(load2(x, r, i) - mean);
      }
    }
  }

  Mistake mistake_;
  std::vector<float> ones_, centred_;
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
  list.push_back(qk("rope-half", "RoPE turns half of the pairs", mistake(&QkMistake::half_only)));
  QkMistake late;
  late.query_offset = 1;
  list.push_back(qk("rope-query-position", "queries stand one position later than keys", late));
  list.push_back(table("rope-theta", "theta 1e4, the default of other models", T::kTheta));
  list.push_back(table("rope-rounded", "cos and sin rounded to bf16", T::kRounded));
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
