// SPDX-License-Identifier: Apache-2.0
// Faults of attention: mask, scale, head map, cache.
#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "engine/backend/fault_backend.h"
#include "engine/backend/fault_tensor.h"

namespace ember {
namespace {

constexpr int64_t kTile = 16;

enum class AttentionMistake {
  kScale,        // 1/E instead of 1/sqrt(E)
  kFuture,       // sees one key past its own
  kMissesSelf,   // the newest key is masked
  kHeadMap,      // kv head = h mod K instead of h / (H/K)
  kStaleSlot,    // the newest value is the one before it
  kDropsTile,    // keys of the last, partly filled tile are left out
  kFirstChunk,   // keys of earlier passes are lost
  kRoundedProb,  // probabilities rounded to bf16
};

class AttentionFault : public FaultBackend {
 public:
  AttentionFault(std::unique_ptr<IBackend> inner, AttentionMistake mistake)
      : FaultBackend(std::move(inner)), mistake_(mistake) {}

  void attention(const k::AttentionParams& p) override {
    const int64_t e = p.k_cache.shape[2], heads = p.q.shape[1] / e, kv = p.k_cache.shape[0];
    const double scale = mistake_ == AttentionMistake::kScale
                             ? static_cast<double>(p.scale) * p.scale
                             : static_cast<double>(p.scale);
    const int64_t written = p.pos + p.q.shape[0];
    const HostCopy q(inner(), p.q), keys(inner(), p.k_cache.plane_rows(0, written)),
        values(inner(), p.v_cache.plane_rows(0, written));
    HostCopy o(inner(), p.o);
    for (int64_t row = 0; row < p.q.shape[0]; ++row) {
      for (int64_t h = 0; h < heads; ++h) {
        const int64_t j = mistake_ == AttentionMistake::kHeadMap ? h % kv : h / (heads / kv);
        const std::vector<double>& out =
            one_head(p, {q, keys, values, row, p.pos + row, h, j}, scale);
        for (int64_t i = 0; i < e; ++i) {
          o.set(row, h * e + i, static_cast<float>(out[i]));
        }
      }
    }
    o.write_back();
  }

 private:
  struct Head {
    const HostCopy &q, &keys, &values;
    int64_t row, own;  // of the pass; position in the sequence
    int64_t query, kv;
  };

  // Keys [first, last] that row `own` (its position) attends to.
  std::pair<int64_t, int64_t> keys(const k::AttentionParams& p, int64_t own) const {
    const int64_t written = p.pos + p.q.shape[0];
    int64_t first = 0, last = own;
    switch (mistake_) {
      case AttentionMistake::kFuture:
        last = std::min(own + 1, written - 1);
        break;
      case AttentionMistake::kMissesSelf:
        last = std::max<int64_t>(own - 1, 0);
        break;
      case AttentionMistake::kDropsTile:
        if ((own + 1) % kTile != 0 && own + 1 > kTile) {
          last = (own + 1) / kTile * kTile - 1;
        }
        break;
      case AttentionMistake::kFirstChunk:
        first = p.pos;
        break;
      default:
        break;
    }
    return {first, last};
  }

  const std::vector<double>& one_head(const k::AttentionParams& p, const Head& h, double scale) {
    const int64_t e = p.k_cache.shape[2];
    const auto [first, last] = keys(p, h.own);
    prob_.assign(last - first + 1, 0.0);
    double top = -1e300, sum = 0;
    for (int64_t s = first; s <= last; ++s) {
      double dot = 0;
      for (int64_t i = 0; i < e; ++i) {
        dot += static_cast<double>(h.q.at(h.row, h.query * e + i)) * h.keys.at(h.kv, s, i);
      }
      prob_[s - first] = dot * scale;
      top = std::max(top, dot * scale);
    }
    for (double& x : prob_) {
      x = std::exp(x - top);
      sum += x;
    }
    out_.assign(e, 0.0);
    for (int64_t s = first; s <= last; ++s) {
      double w = prob_[s - first] / sum;
      if (mistake_ == AttentionMistake::kRoundedProb) {
        w = to_float(from_float<BF16>(static_cast<float>(w)));
      }
      const bool stale = mistake_ == AttentionMistake::kStaleSlot && s == h.own && s > 0;
      for (int64_t i = 0; i < e; ++i) {
        out_[i] += w * h.values.at(h.kv, stale ? s - 1 : s, i);
      }
    }
    return out_;
  }

  AttentionMistake mistake_;
  std::vector<double> prob_, out_;
};

Fault fault(const char* name, const char* about, AttentionMistake m) {
  return {name, about, Tap::kAttention, FaultLayer::kFirst,
          [m](std::unique_ptr<IBackend> inner) -> std::unique_ptr<IBackend> {
            return std::make_unique<AttentionFault>(std::move(inner), m);
          }};
}

}  // namespace

std::vector<Fault> attention_faults() {
  using M = AttentionMistake;
  std::vector<Fault> list = {
      fault("attention-scale", "scores times 1/E instead of 1/sqrt(E)", M::kScale),
      fault("attention-future", "the mask lets each token see the next one", M::kFuture),
      fault("attention-misses-self", "the mask hides each token from itself", M::kMissesSelf),
      fault("attention-head-map", "query head h reads kv head h mod K", M::kHeadMap),
      fault("attention-stale-slot", "the newest value is read one slot too early", M::kStaleSlot),
      fault("attention-drops-tile", "keys of the last, partly filled tile are left out",
            M::kDropsTile),
      fault("attention-first-chunk", "the cache is lost between two passes", M::kFirstChunk),
      fault("attention-rounded", "probabilities are rounded to bf16", M::kRoundedProb),
  };
  for (Fault& f : list) {
    if (f.name == "attention-head-map") {
      f.applies = [](const ModelConfig& c) { return c.shape.K > 1 && c.shape.groups() > 1; };
      f.applies_to = "models with several kv heads, each of several query heads";
    }
    if (f.name == "attention-rounded") {
      f.hidden = [](DType t) { return t == DType::kBF16; };
      f.hidden_by = "Hugging Face rounds probabilities to the computing type";
    }
  }
  return list;
}

}  // namespace ember
