// SPDX-License-Identifier: Apache-2.0
#include "harness/measure/link_fit.h"

#include <cmath>
#include <set>

namespace ember {

std::optional<LinkFit> fit_link(const std::vector<std::pair<int64_t, double>>& points) {
  // With u = 1/t and v = n/t, a + n/b = t becomes a u + v/b = 1: two unknowns, equal weights.
  double uu = 0, uv = 0, vv = 0, u1 = 0, v1 = 0;
  std::set<int64_t> sizes;
  for (const auto& [bytes, seconds] : points) {
    const double u = 1 / seconds, v = static_cast<double>(bytes) / seconds;
    uu += u * u;
    uv += u * v;
    vv += v * v;
    u1 += u;
    v1 += v;
    sizes.insert(bytes);
  }
  if (sizes.size() < 3) {
    return std::nullopt;
  }
  const double determinant = uu * vv - uv * uv;
  double latency = (u1 * vv - v1 * uv) / determinant;
  double slope = (v1 * uu - u1 * uv) / determinant;
  if (!(latency >= 0)) {  // the best line with none
    latency = 0;
    slope = v1 / vv;
  }
  if (!(slope > 0) || !std::isfinite(slope)) {
    return std::nullopt;
  }
  LinkFit fit{latency, 1 / slope, 0};
  for (const auto& [bytes, seconds] : points) {
    const double fitted = latency + static_cast<double>(bytes) * slope;
    fit.error += std::pow((fitted - seconds) / seconds, 2);
  }
  fit.error = std::sqrt(fit.error / static_cast<double>(points.size()));
  return fit;
}

}  // namespace ember
