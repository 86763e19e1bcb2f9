// SPDX-License-Identifier: Apache-2.0
#include "suites/golden_logits/localise.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <sstream>

#include "golden/compare.h"

namespace ember::golden {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

using TapKey = std::pair<Tap, int64_t>;

// Rows of one tap at the tapped positions, (positions, w); a row never given stays unseen.
struct TapRows {
  std::vector<float> values;
  std::vector<char> seen;
  int64_t width = 0;
};

class Recorder {
 public:
  explicit Recorder(const Reference& ref) : ref_(ref) {}

  // Keeps the wanted rows, then feeds the truth to what comes next.
  void operator()(const TapPoint& at, const TensorView& v) {
    const int64_t count = v.shape[v.shape.rank() - 2];
    const std::vector<float> rows = tap_rows(v);
    const int64_t width = count > 0 ? static_cast<int64_t>(rows.size()) / count : 0;
    TapRows& kept = rows_[{at.tap, at.layer}];
    kept.width = width;
    kept.seen.resize(ref_.tap_pos.size());
    kept.values.resize(ref_.tap_pos.size() * width);
    for (size_t i = 0; i < ref_.tap_pos.size(); ++i) {
      const int64_t r = ref_.tap_pos[i] - at.first_pos;
      if (r >= 0 && r < count && !kept.seen[i]) {
        kept.seen[i] = 1;
        std::copy_n(rows.begin() + r * width, width,
                    kept.values.begin() + static_cast<int64_t>(i) * width);
      }
    }
    if (at.tap == Tap::kEmbedding || at.tap == Tap::kLayerOut) {
      feed(at, v, count);
    }
  }

  const TapRows* find(Tap tap, int64_t layer) const {
    const auto it = rows_.find({tap, layer});
    return it == rows_.end() ? nullptr : &it->second;
  }

 private:
  void feed(const TapPoint& at, const TensorView& v, int64_t count) const {
    const int64_t layer = at.tap == Tap::kEmbedding ? 0 : at.layer + 1;
    for (int64_t r = 0; r < count; ++r) {
      const float* truth =
          ref_.residual.data() + (layer * ref_.tokens() + at.first_pos + r) * ref_.D;
      std::memcpy(v.as<float>() + r * v.row_stride, truth, ref_.D * sizeof(float));
    }
  }

  const Reference& ref_;
  std::map<TapKey, TapRows> rows_;
};

// (positions, w) of the truth.
std::vector<float> truth_of(const Reference& ref, Tap tap, int64_t layer) {
  const int64_t n = static_cast<int64_t>(ref.tap_pos.size());
  std::vector<float> out;
  if (tap == Tap::kEmbedding || tap == Tap::kLogits) {
    for (int32_t pos : ref.tap_pos) {
      const int64_t row = tap == Tap::kEmbedding
                              ? pos
                              : std::lower_bound(ref.full_pos.begin(), ref.full_pos.end(), pos) -
                                    ref.full_pos.begin();
      const auto& from = tap == Tap::kEmbedding ? ref.residual : ref.full_logits;
      const int64_t width = tap == Tap::kEmbedding ? ref.D : ref.V;
      out.insert(out.end(), from.begin() + row * width, from.begin() + (row + 1) * width);
    }
    return out;
  }
  const std::vector<float>& all = ref.taps.at(name(tap));
  if (layer < 0) {
    return all;
  }
  const int64_t width = static_cast<int64_t>(all.size()) / (ref.L * n);
  return {all.begin() + layer * n * width, all.begin() + (layer + 1) * n * width};
}

// Says where the error sits: one position, one head or block of columns, or a constant factor.
std::string pattern(const std::vector<float>& e, const std::vector<float>& t, int64_t rows,
                    int64_t block) {
  const int64_t width = static_cast<int64_t>(t.size()) / rows, blocks = (width + block - 1) / block;
  std::vector<double> by_row(rows), by_block(blocks);
  double total = 0, ee = 0, tt = 0, et = 0;
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < width; ++c) {
      const double a = e[r * width + c], b = t[r * width + c], err = (a - b) * (a - b);
      by_row[r] += err;
      by_block[c / block] += err;
      total += err;
      ee += a * a;
      tt += b * b;
      et += a * b;
    }
  }
  std::ostringstream out;
  const auto worst_row = std::max_element(by_row.begin(), by_row.end()) - by_row.begin();
  const auto worst = std::max_element(by_block.begin(), by_block.end()) - by_block.begin();
  if (tt > 0 && ee > 0 && 1 - et / std::sqrt(ee * tt) < 1e-3 * total / tt) {
    out << "scaled by " << std::sqrt(ee / tt);
  } else if (blocks > 1 && by_block[worst] > 0.95 * total) {
    out << "all in columns " << worst * block << ".." << std::min(width, (worst + 1) * block) - 1;
  } else if (rows > 1 && by_row[worst_row] > 0.95 * total) {
    out << "all at one position, the " << (worst_row == 0 ? "first" : "last") << " tapped";
  } else {
    out << "spread over the whole tensor";
  }
  return out.str();
}

int64_t block_of(Tap tap, const ModelShape& shape) {
  switch (tap) {
    case Tap::kQProj:
    case Tap::kKProj:
    case Tap::kVProj:
    case Tap::kQRope:
    case Tap::kKRope:
    case Tap::kAttention:
      return shape.E;
    default:
      return 128;
  }
}

TapError judge_tap(const Recorder& seen, const Reference& ref, const ModelShape& shape,
                   const CaseBand& band, double limit, Tap tap, int64_t layer) {
  TapError out;
  out.tap = tap;
  out.layer = layer;
  out.limit = limit;
  out.error = out.ratio = kInfinity;
  const TapRows* rows = seen.find(tap, layer);
  if (rows == nullptr || std::count(rows->seen.begin(), rows->seen.end(), 0) > 0) {
    out.note = "never computed";
    return out;
  }
  const std::vector<float> truth = truth_of(ref, tap, layer);
  if (truth.size() != rows->values.size()) {
    out.note = "width " + std::to_string(rows->width) + ", the reference has another";
    return out;
  }
  const Diff d = compare(rows->values.data(), truth.data(), static_cast<int64_t>(truth.size()));
  if (d.non_finite > 0) {
    out.note = "not finite from element " + std::to_string(d.first_bad);
    return out;
  }
  const double base = band_local(band, name(tap), std::max<int64_t>(layer, 0));
  out.error = d.rel_l2;
  out.ratio = d.rel_l2 == 0 ? 0 : base > 0 ? d.rel_l2 / base : kInfinity;
  out.pass = within(out.ratio, limit);
  if (!out.pass) {
    out.note = pattern(rows->values, truth, static_cast<int64_t>(ref.tap_pos.size()),
                       block_of(tap, shape));
  }
  return out;
}

}  // namespace

std::string TapError::where() const {
  return (layer < 0 ? std::string() : "layer " + std::to_string(layer) + ", ") + "tap " +
         ember::name(tap);
}

std::vector<TapError> run_fed(Engine& engine, const Reference& ref, const CaseBand& band,
                              const Limits& limits, Mode mode) {
  Recorder recorder(ref);
  engine.run(
      ref.ids, mode, [](int64_t, const float*) {},
      [&](const TapPoint& at, const TensorView& v) { recorder(at, v); });
  const ModelShape& shape = engine.config().shape;
  std::vector<TapError> out;
  const auto judge = [&](Tap tap, int64_t layer) {
    out.push_back(judge_tap(recorder, ref, shape, band, limits.local.at(name(tap)), tap, layer));
  };
  judge(Tap::kEmbedding, -1);
  for (int64_t layer = 0; layer < shape.L; ++layer) {
    for (int tap = static_cast<int>(Tap::kAttnNorm); tap <= static_cast<int>(Tap::kLayerOut);
         ++tap) {
      judge(static_cast<Tap>(tap), layer);
    }
  }
  judge(Tap::kFinalNorm, -1);
  judge(Tap::kLogits, -1);
  return out;
}

const TapError* first_bad(const std::vector<TapError>& taps) {
  const auto it = std::find_if(taps.begin(), taps.end(), [](const TapError& t) { return !t.pass; });
  return it == taps.end() ? nullptr : &*it;
}

const TapError& nearest_to_limit(const std::vector<TapError>& taps) {
  return *std::max_element(taps.begin(), taps.end(), [](const TapError& a, const TapError& b) {
    return a.ratio / a.limit < b.ratio / b.limit;
  });
}

std::string hint(Tap tap) {
  switch (tap) {
    case Tap::kEmbedding:
      return "row index, or the embedding's dtype";
    case Tap::kAttnNorm:
      return "eps, gain or mean of the norm; in a later layer also the input: hop, split, layer "
             "order";
    case Tap::kQProj:
    case Tap::kKProj:
    case Tap::kVProj:
      return "weight of that projection, its rows or its place in the fused matrix";
    case Tap::kQRope:
    case Tap::kKRope:
      return "head norm (gain, eps, order) or RoPE (pairing, sign, theta, position, scaling)";
    case Tap::kAttention:
      return "scale, mask, kv head map, cache slots, softmax";
    case Tap::kAttnResidual:
      return "output projection or the residual add";
    case Tap::kMlpNorm:
      return "eps, gain or mean of the norm after attention";
    case Tap::kGate:
    case Tap::kUp:
      return "weight of that projection, or gate and up exchanged";
    case Tap::kSwiGlu:
      return "activation function, or gate and up exchanged";
    case Tap::kLayerOut:
      return "down projection or the residual add";
    case Tap::kFinalNorm:
      return "final gain or eps, or the row that the head reads";
    case Tap::kLogits:
      return "head weights, tied or not, vocabulary tiles";
  }
  return "";
}

}  // namespace ember::golden
