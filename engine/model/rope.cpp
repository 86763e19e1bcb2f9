// SPDX-License-Identifier: Apache-2.0
// Every line rounds where torch rounds: fp32 tensors, fp64 scalars turned to fp32 when they meet a
// tensor. The build keeps the compiler from fusing multiplications and additions here.
#include "engine/model/rope.h"

#include <algorithm>
#include <cmath>

#include "engine/model/fp32_pow.h"

namespace ember {
namespace {

constexpr double kPi = 3.141592653589793;

// The (fractional) dimension whose wave turns `rotations` times within the original context.
double correction_dim(double rotations, const RopeConfig& rope, int64_t E) {
  const double waves = static_cast<double>(rope.original_max_position) / (rotations * 2 * kPi);
  return (static_cast<double>(E) * std::log(waves)) / (2 * std::log(rope.theta));
}

// 1 where a frequency is interpolated in full, 0 where it is left alone.
std::vector<float> interpolation_share(const RopeConfig& rope, int64_t E) {
  double low = correction_dim(rope.beta_fast, rope, E);
  double high = correction_dim(rope.beta_slow, rope, E);
  if (rope.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, static_cast<double>(E - 1));
  if (low == high) {
    high += 0.001;
  }
  std::vector<float> share(static_cast<size_t>(E / 2));
  for (size_t i = 0; i < share.size(); ++i) {
    const float t =
        (static_cast<float>(i) - static_cast<float>(low)) / static_cast<float>(high - low);
    share[i] = std::min(std::max(t, 0.0f), 1.0f);
  }
  return share;
}

}  // namespace

std::vector<float> rope_inv_freq(const RopeConfig& rope, int64_t E) {
  const int64_t n = E / 2;
  std::vector<float> exponents(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) {
    exponents[i] = static_cast<float>(2 * i) / static_cast<float>(E);
  }
  const std::vector<float> wave = fp32_pow(static_cast<float>(rope.theta), exponents);
  std::vector<float> inv_freq(static_cast<size_t>(n));
  if (!rope.yarn) {
    for (int64_t i = 0; i < n; ++i) {
      inv_freq[i] = 1.0f / wave[i];
    }
    return inv_freq;
  }
  const std::vector<float> share = interpolation_share(rope, E);
  const float factor = static_cast<float>(rope.factor);
  for (int64_t i = 0; i < n; ++i) {
    const float extrapolated = 1.0f / wave[i];
    const float interpolated = 1.0f / (factor * wave[i]);
    const float keep = 1.0f - share[i];
    inv_freq[i] = interpolated * (1.0f - keep) + extrapolated * keep;
  }
  return inv_freq;
}

double yarn_attention_factor(double factor, double mscale, double mscale_all_dim) {
  const auto scale = [factor](double m) {
    return factor <= 1.0 ? 1.0 : 0.1 * m * std::log(factor) + 1.0;
  };
  if (mscale != 0.0 && mscale_all_dim != 0.0) {
    return scale(mscale) / scale(mscale_all_dim);
  }
  return scale(1.0);
}

}  // namespace ember
