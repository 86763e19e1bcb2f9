// SPDX-License-Identifier: Apache-2.0
// Cases of sample for tests and benches on every device.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "kernels/base/impl.h"
#include "kernels/base/model_shape.h"
#include "kernels/base/rng.h"
#include "kernels/sample/sample.h"

namespace ember::k {

enum class SampleLogits {
  kNormal,   // as of a model without an opinion
  kPeaked,   // a few tokens far above the others, as of a trained model
  kTies,     // quarters: large groups of equal values, also at the edge of every filter
  kMasked,   // four in five are -infinity
  kEqual,    // one value
  kOutlier,  // one token far above all others, and one far below
  kSorted,   // falling with the id: all that count lie side by side
};

struct SampleCase {
  std::string name;
  int64_t V;
  SampleLogits logits = SampleLogits::kNormal;
  double temperature = 0.7;
  int64_t top_k = 40;
  double top_p = 0.9;
  double min_p = 0;
  uint64_t seed = 1;
};

inline const std::vector<Impl<SampleParams>>& sample_impls() {
  static const std::vector<Impl<SampleParams>> impls = {
      {"cpu", DeviceKind::kCpu, [](const SampleParams& p, Stream) { sample_cpu(p); }},
  };
  return impls;
}

inline std::vector<float> sample_case_logits(const SampleCase& c) {
  std::vector<float> x(static_cast<size_t>(c.V));
  for (size_t i = 0; i < x.size(); ++i) {
    const double u = 1 - uniform(c.seed, i, 7), v = uniform(c.seed, i, 8);
    const double normal = std::sqrt(-2 * std::log(u)) * std::cos(6.283185307179586 * v);
    const double pick = uniform(c.seed, i, 9);
    double value = 2.5 * normal;
    switch (c.logits) {
      case SampleLogits::kNormal:
      case SampleLogits::kSorted:
        break;
      case SampleLogits::kPeaked:
        value += pick < 40.0 / static_cast<double>(c.V) ? 17 : 0;
        break;
      case SampleLogits::kTies:
        value = std::floor(4 * value) / 4;
        break;
      case SampleLogits::kMasked:
        value = i != 0 && pick < 0.8 ? -std::numeric_limits<double>::infinity() : value;
        break;
      case SampleLogits::kEqual:
        value = -3.25;
        break;
      case SampleLogits::kOutlier:
        value += i == x.size() / 2 ? 60 : i == x.size() / 3 ? -1e30 : 0;
        break;
    }
    x[i] = static_cast<float>(value);
  }
  if (c.logits == SampleLogits::kSorted) {
    std::sort(x.begin(), x.end(), std::greater<float>());
  }
  return x;
}

inline std::vector<SampleCase> sample_cases() {
  std::vector<SampleCase> cases;
  const auto add = [&cases](SampleCase c) {
    c.seed = cases.size() + 1;
    cases.push_back(c);
  };
  for (const ModelPreset& m : model_presets()) {
    add({m.name, m.shape.V, SampleLogits::kPeaked, 0.6, 20, 0.95, 0, 0});
  }
  constexpr int64_t kVocab = 151936;
  using L = SampleLogits;
  for (L logits : {L::kNormal, L::kPeaked, L::kTies, L::kMasked, L::kOutlier, L::kSorted}) {
    add({"defaults", kVocab, logits, 0.7, 40, 0.9, 0, 0});
    add({"all of them", kVocab, logits, 1.0, 0, 1.0, 0, 0});
    add({"top-p alone", kVocab, logits, 1.3, 0, 0.95, 0, 0});
    add({"nearly all", kVocab, logits, 5.0, 100000, 0.9999, 1e-6, 0});
    add({"min-p", kVocab, logits, 1.0, 0, 1.0, 0.05, 0});
    add({"cold", kVocab, logits, 1e-3, 40, 0.9, 0, 0});
    add({"hot", kVocab, logits, 1e6, 5000, 0.5, 0, 0});
    add({"top one", kVocab, logits, 1.0, 1, 1.0, 0, 0});
    add({"top 148", kVocab + 1, logits, 1.0, 148, 0.9, 0, 0});  // tiles: 149
    add({"top 150", kVocab + 1, logits, 1.0, 150, 0.9, 0, 0});
    add({"top 1500", kVocab, logits, 2.0, 1500, 1.0, 0, 0});
    add({"tiny top-p", kVocab, logits, 1.0, 40, 1e-9, 0, 0});
  }
  for (int64_t V : {1, 2, 3, 31, 255, 1023, 1024, 1025, 4099, 50257}) {
    for (L logits : {L::kNormal, L::kTies, L::kMasked, L::kEqual}) {
      add({"edge", V, logits, 0.7, 40, 0.9, 0, 0});
      add({"edge", V, logits, 1.0, 0, 1.0, 0.01, 0});
      add({"edge", V, logits, 1.5, 7, 0.3, 0.2, 0});
      add({"edge", V, logits, 1.0, V, 0.0, 1.0, 0});
    }
  }
  add({"largest", kSampleMaxVocab, L::kNormal, 1.0, 0, 0.99, 0, 0});
  return cases;
}

}  // namespace ember::k
