// SPDX-License-Identifier: Apache-2.0
// Faults of the embedding, the linear maps, the feed-forward, the residual stream, the head and the
// hop between stages.
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "engine/backend/fault_backend.h"
#include "engine/backend/fault_tensor.h"

namespace ember {
namespace {

class EmbeddingRow : public FaultBackend {
 public:
  using FaultBackend::FaultBackend;
  void embed(const k::EmbedParams& right) override {
    k::EmbedParams p = right;
    const int64_t n = p.ids.numel();
    const int32_t last = static_cast<int32_t>(p.table.shape[0] - 1);
    std::vector<int32_t> ids(n);
    inner().download(p.ids, ids.data());
    for (int32_t& id : ids) {
      id = id < last ? id + 1 : id - 1;
    }
    p.ids = scratch_.put(inner(), ids.data(), DType::kI32, p.ids.shape);
    inner().embed(p);
  }

 private:
  DeviceScratch scratch_;
};

class LinearFault : public FaultBackend {
 public:
  enum class Mistake { kWeightBit, kNoResidual, kKvSwapped, kTiedHead };
  LinearFault(std::unique_ptr<IBackend> inner, Mistake mistake)
      : FaultBackend(std::move(inner)), mistake_(mistake) {}

  void linear(const k::LinearParams& right) override {
    k::LinearParams p = right;
    const bool output = in_layer() && p.w.data == weights().o.blocks[0].data;
    if (mistake_ == Mistake::kWeightBit && output && layer() == args().config.shape.L / 2) {
      p.w = flipped(p.w);
    } else if (mistake_ == Mistake::kNoResidual && output) {
      p.accumulate = false;
    } else if (mistake_ == Mistake::kTiedHead && in_head()) {
      p.w = args().weights.embedding;
    } else if (mistake_ == Mistake::kKvSwapped && in_layer()) {
      swap_weights(p);
    }
    inner().linear(p);
    if (mistake_ == Mistake::kKvSwapped && in_layer()) {
      swap_columns(p);
    }
  }

 private:
  // One bit of one weight.
  TensorView flipped(const TensorView& w) {
    if (flipped_.data == nullptr) {
      HostCopy copy(inner(), w);
      flip(copy);
      flipped_ = scratch_.put(inner(), copy.bytes().data(), w.dtype, w.shape);
    }
    return flipped_;
  }

  // fp32: the top bit of the largest weight's mantissa. 16 bits, where that would drown: the bit
  // that changes a weight most while it stays within sixteen times the largest.
  static void flip(HostCopy& copy) {
    const int64_t n = copy.view().numel(), size = dtype_bytes(copy.view().dtype);
    const auto toggle = [&](int64_t i, int64_t bit) {
      copy.bytes()[i * size + bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
    };
    int64_t at = 0, bit_of = 22;
    for (int64_t i = 0; i < n; ++i) {
      at = std::fabs(copy.at(i)) > std::fabs(copy.at(at)) ? i : at;
    }
    const float range = 16 * std::fabs(copy.at(at));
    float most = 0;
    for (int64_t i = 0; size == 2 && i < n; ++i) {
      const float right = copy.at(i);
      for (int64_t bit = 0; bit < 16; ++bit) {
        toggle(i, bit);
        const float wrong = copy.at(i);
        toggle(i, bit);
        if (std::fabs(wrong) <= range && std::fabs(wrong - right) > most) {
          most = std::fabs(wrong - right);
          at = i;
          bit_of = bit;
        }
      }
    }
    toggle(at, bit_of);
  }

  // Where the three projections are matrices of their own.
  void swap_weights(k::LinearParams& p) const {
    const Linear& qkv = weights().qkv;
    if (qkv.count == 3 && p.w.data == qkv.blocks[1].data) {
      p.w = qkv.blocks[2];
    } else if (qkv.count == 3 && p.w.data == qkv.blocks[2].data) {
      p.w = qkv.blocks[1];
    }
  }

  // Where they are one matrix.
  void swap_columns(const k::LinearParams& p) {
    const Linear& qkv = weights().qkv;
    if (qkv.count == 1 && p.w.data == qkv.blocks[0].data) {
      const ModelShape& m = args().config.shape;
      const HostCopy keys(inner(), p.y.cols(m.q_dim(), m.kv_dim()));
      HostCopy values(inner(), p.y.cols(m.q_dim() + m.kv_dim(), m.kv_dim()));
      std::vector<std::byte> old_values = values.bytes();
      inner().upload(p.y.cols(m.q_dim(), m.kv_dim()), old_values.data());
      for (int64_t i = 0; i < keys.view().numel(); ++i) {
        values.set(i, keys.at(i));
      }
      values.write_back();
    }
  }

  Mistake mistake_;
  TensorView flipped_;
  DeviceScratch scratch_;
};

class SwigluFault : public FaultBackend {
 public:
  enum class Mistake { kSwapped, kGelu };
  SwigluFault(std::unique_ptr<IBackend> inner, Mistake mistake)
      : FaultBackend(std::move(inner)), mistake_(mistake) {}

  void swiglu(const k::SwigluParams& p) override {
    if (mistake_ == Mistake::kSwapped) {
      k::SwigluParams q = p;
      std::swap(q.gate, q.up);
      inner().swiglu(q);
      return;
    }
    const HostCopy gate(inner(), p.gate), up(inner(), p.up);
    HostCopy y(inner(), p.y);
    for (int64_t i = 0; i < p.y.numel(); ++i) {
      const double g = gate.at(i);
      const double gelu = g * 0.5 * (1 + std::erf(g / std::sqrt(2.0)));
      y.set(i, static_cast<float>(p.scale * gelu * up.at(i)));
    }
    y.write_back();
  }

 private:
  Mistake mistake_;
};

// Overwrites an intermediate just after it was computed.
class StreamFault : public FaultBackend {
 public:
  enum class Mistake { kRounded, kNan };
  StreamFault(std::unique_ptr<IBackend> inner, Mistake mistake)
      : FaultBackend(std::move(inner)), mistake_(mistake) {}

  bool wants_taps() const override { return true; }
  void tap(const TapPoint& at, const TensorView& v) override {
    if (mistake_ == Mistake::kRounded) {
      if (at.tap == Tap::kAttnResidual || at.tap == Tap::kLayerOut) {
        round(v);
      }
    } else if (at.tap == Tap::kMlpNorm && at.layer == args().config.shape.L / 2) {
      HostCopy last(inner(), v.rows(v.shape[0] - 1, 1));
      last.set(0, std::numeric_limits<float>::quiet_NaN());
      last.write_back();
    }
    if (inner().wants_taps()) {
      inner().tap(at, v);
    }
  }

 private:
  void round(const TensorView& v) {
    HostCopy x(inner(), v);
    for (int64_t i = 0; i < v.numel(); ++i) {
      x.set(i, to_float(from_float<BF16>(x.at(i))));
    }
    x.write_back();
  }

  Mistake mistake_;
};

class LayerFault : public FaultBackend {
 public:
  enum class Mistake { kSkipsLast, kSplitLate };
  LayerFault(std::unique_ptr<IBackend> inner, Mistake mistake)
      : FaultBackend(std::move(inner)), mistake_(mistake) {}

  void run_layer(const StageArgs& a, int64_t layer) override {
    const bool last = a.weights.first_layer + layer == a.config.shape.L - 1;
    const bool boundary = !a.first && layer == 0;
    if (mistake_ == Mistake::kSkipsLast ? last : boundary) {
      return;
    }
    FaultBackend::run_layer(a, layer);
  }

 private:
  Mistake mistake_;
};

class HeadFault : public FaultBackend {
 public:
  enum class Mistake { kTileUnwritten, kPreviousRow, kZero };
  HeadFault(std::unique_ptr<IBackend> inner, Mistake mistake)
      : FaultBackend(std::move(inner)), mistake_(mistake) {}

  void rmsnorm(const k::RmsNormParams& right) override {
    k::RmsNormParams p = right;
    if (mistake_ == Mistake::kPreviousRow && in_head()) {
      // Row r of the stream is read as row r - 1, the first row of the pass as itself.
      const TensorView x = args().work.x;
      for (int64_t r = 0; r < p.y.shape[0]; ++r) {
        k::RmsNormParams one = p;
        one.x = x.rows(std::max<int64_t>(first_row() + r - 1, 0), 1);
        one.y = p.y.rows(r, 1);
        inner().rmsnorm(one);
      }
      return;
    }
    inner().rmsnorm(p);
  }

  void linear(const k::LinearParams& p) override {
    inner().linear(p);
    if (!in_head() || mistake_ == Mistake::kPreviousRow) {
      return;
    }
    const int64_t v = p.y.shape[1], tile = 128;
    const int64_t begin = mistake_ == Mistake::kZero ? 0 : (v - 1) / tile * tile;
    const TensorView columns = p.y.cols(begin, v - begin);
    const std::vector<std::byte> zero(columns.bytes());
    inner().upload(columns, zero.data());
  }

 private:
  Mistake mistake_;
};

// The hop's buffer is read before the rows of this pass have arrived: it holds the pass before.
class StaleHop : public FaultBackend {
 public:
  using FaultBackend::FaultBackend;
  void run_stage(const StageArgs& a) override {
    if (!a.first) {
      const TensorView x = a.work.x.rows(0, a.tokens);
      HostCopy rows(inner(), x);
      std::vector<float> now(x.numel());
      for (int64_t i = 0; i < x.numel(); ++i) {
        now[i] = rows.at(i);
        if (a.pos > 0 && i < static_cast<int64_t>(before_.size())) {
          rows.set(i, before_[i]);
        }
      }
      rows.write_back();
      before_ = std::move(now);
    }
    FaultBackend::run_stage(a);
  }

 private:
  std::vector<float> before_;
};

template <class Backend, class... Mistake>
Fault fault(const char* name, const char* about, Tap tap, FaultLayer layer, Mistake... mistake) {
  return {name, about, tap, layer,
          [mistake...](std::unique_ptr<IBackend> inner) -> std::unique_ptr<IBackend> {
            return std::make_unique<Backend>(std::move(inner), mistake...);
          }};
}

}  // namespace

std::vector<Fault> dataflow_faults() {
  using L = FaultLayer;
  using Lin = LinearFault::Mistake;
  using Head = HeadFault::Mistake;
  std::vector<Fault> list = {
      fault<EmbeddingRow>("embedding-row", "every token reads its neighbour's row", Tap::kEmbedding,
                          L::kOutside),
      fault<LinearFault>("kv-swapped", "key and value projections swapped", Tap::kKProj, L::kFirst,
                         Lin::kKvSwapped),
      fault<LinearFault>("residual-dropped", "attention's output replaces the stream",
                         Tap::kAttnResidual, L::kFirst, Lin::kNoResidual),
      fault<LinearFault>("weight-bit", "one bit of one weight is flipped", Tap::kAttnResidual,
                         L::kMiddle, Lin::kWeightBit),
      fault<StreamFault>("residual-rounded", "the residual stream is rounded to bf16",
                         Tap::kAttnResidual, L::kFirst, StreamFault::Mistake::kRounded),
      fault<SwigluFault>("gate-up-swapped", "silu is applied to up instead of gate", Tap::kSwiGlu,
                         L::kFirst, SwigluFault::Mistake::kSwapped),
      fault<SwigluFault>("silu-gelu", "GELU instead of SiLU", Tap::kSwiGlu, L::kFirst,
                         SwigluFault::Mistake::kGelu),
      fault<StreamFault>("nan-activation", "one activation is NaN", Tap::kMlpNorm, L::kMiddle,
                         StreamFault::Mistake::kNan),
      fault<LayerFault>("layer-skipped", "the last layer is not run", Tap::kAttnNorm, L::kLast,
                        LayerFault::Mistake::kSkipsLast),
      fault<LinearFault>("head-tied", "the embedding serves as the head", Tap::kLogits, L::kOutside,
                         Lin::kTiedHead),
      fault<HeadFault>("vocab-tile", "the last tile of the vocabulary is not written", Tap::kLogits,
                       L::kOutside, Head::kTileUnwritten),
      fault<HeadFault>("previous-row", "the head reads the token before", Tap::kFinalNorm,
                       L::kOutside, Head::kPreviousRow),
      fault<HeadFault>("logits-zero", "all logits are zero", Tap::kLogits, L::kOutside,
                       Head::kZero),
      fault<StaleHop>("hop-stale", "the hop delivers the pass before", Tap::kAttnNorm, L::kStage),
      fault<LayerFault>("split-late", "the second stage starts one layer late", Tap::kAttnNorm,
                        L::kStage, LayerFault::Mistake::kSplitLate),
  };
  for (Fault& f : list) {
    f.two_stages = f.first_layer == L::kStage;
    if (f.name == "head-tied") {
      f.applies = [](const ModelConfig& c) { return !c.shape.tied; };
      f.applies_to = "models with an untied head";
    }
    if (f.name == "residual-rounded") {
      f.hidden = [](DType t) { return t == DType::kBF16; };
      f.hidden_by = "Hugging Face keeps the stream in the computing type";
    }
  }
  return list;
}

}  // namespace ember
