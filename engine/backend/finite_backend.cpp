// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/finite_backend.h"

#include <cmath>
#include <sstream>
#include <vector>

namespace ember {

void FiniteReport::add(const TapPoint& at, const TensorView& values) {
  const std::vector<float> v = tap_rows(values);
  int64_t bad = 0;
  Largest& largest = taps_[at.tap];
  for (float x : v) {
    if (!std::isfinite(x)) {
      ++bad;
    } else if (std::fabs(x) > largest.value) {
      largest.value = std::fabs(x);
      largest.layer = at.layer;
    }
  }
  largest.not_finite += bad;
  if (bad > 0 && first_.empty()) {
    std::ostringstream out;
    out << (at.layer >= 0 ? "layer " + std::to_string(at.layer) + ", " : "") << "tap "
        << name(at.tap) << ", position " << at.first_pos << ": " << bad << " of " << v.size()
        << " values are not finite";
    first_ = out.str();
  }
}

int64_t FiniteReport::not_finite() const {
  int64_t sum = 0;
  for (const auto& [tap, largest] : taps_) {
    sum += largest.not_finite;
  }
  return sum;
}

std::string FiniteReport::str() const {
  std::ostringstream out;
  out << (first_.empty() ? "all intermediates are finite" : "first: " + first_);
  for (const auto& [tap, largest] : taps_) {
    out << "\n  " << name(tap) << ": largest " << largest.value;
    if (largest.layer >= 0) {
      out << " in layer " << largest.layer;
    }
    if (largest.not_finite > 0) {
      out << ", " << largest.not_finite << " not finite";
    }
  }
  return out.str();
}

std::unique_ptr<IBackend> watch_finite(std::unique_ptr<IBackend> inner,
                                       std::shared_ptr<FiniteReport> report) {
  return std::make_unique<TapBackend>(
      std::move(inner),
      [report](const TapPoint& at, const TensorView& values) { report->add(at, values); });
}

}  // namespace ember
