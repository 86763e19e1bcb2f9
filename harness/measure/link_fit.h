// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace ember {

// The line t(n) = latency + n / bandwidth through the times of messages of n bytes.
struct LinkFit {
  double latency = 0;    // s, never negative
  double bandwidth = 0;  // B/s
  double error = 0;      // root mean square of (fitted - measured) / measured
};

// Least squares of the relative residuals: each point weighs 1 / t^2, so that a millionth of a
// second counts as much at 256 bytes as a thousandth at a gibibyte. `points` are (bytes, seconds),
// all positive. Absent with fewer than three different sizes, or when larger messages do not take
// longer: no bandwidth can be told then.
std::optional<LinkFit> fit_link(const std::vector<std::pair<int64_t, double>>& points);

}  // namespace ember
