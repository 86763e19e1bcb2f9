// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/fp16_guard.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/backend/dump_backend.h"
#include "engine/core/log.h"
#include "engine/model/weight_schema.h"

namespace ember {
namespace {

constexpr float kLargestHalf = 65504.0f;

// The largest magnitude; infinity when any value is NaN or infinite.
float largest(const std::vector<float>& values) {
  float most = 0;
  for (float x : values) {
    most = std::isfinite(x) ? std::max(most, std::fabs(x)) : std::numeric_limits<float>::infinity();
    if (std::isinf(most)) {
      break;
    }
  }
  return most;
}

std::vector<float> device_values(IBackend& backend, const TensorView& v) {
  std::vector<std::byte> host(static_cast<size_t>(v.bytes()));
  backend.synchronize();
  backend.download(v, host.data());
  return tap_rows(TensorView(host.data(), v.dtype, v.shape));
}

}  // namespace

int fp16_shift(float most) {
  int shift = 0;
  while (std::isfinite(most) && most * kFp16Margin > kLargestHalf) {
    most /= 2;
    ++shift;
  }
  return shift;
}

std::vector<std::string> check_norm_gains(const IWeightSource& source, int64_t first,
                                          int64_t layers, bool last) {
  std::vector<std::string> warnings;
  const auto check = [&](WeightRole role, int64_t layer) {
    const TensorView gain = source.tensor(role, layer);
    const int64_t width = gain.shape.last();
    const float most = largest(tap_rows(TensorView(gain.data, gain.dtype, Shape{1, width})));
    const float bound = most * std::sqrt(static_cast<float>(width));
    if (!(bound <= kLargestHalf)) {
      warnings.push_back(concat(weight_name(role, layer), ": gains up to ", most, " can give ",
                                bound, ", and fp16 ends at 65504; use --dtype bf16"));
    }
  };
  for (int64_t l = first; l < first + layers; ++l) {
    for (WeightRole role :
         {WeightRole::kInputNorm, WeightRole::kQNorm, WeightRole::kKNorm, WeightRole::kPostNorm}) {
      check(role, l);
    }
  }
  if (last) {
    check(WeightRole::kFinalNorm, -1);
  }
  return warnings;
}

void Fp16Calibration::check(const TapPoint& at, const std::vector<float>& values) {
  const float most = largest(values);
  if (most * kFp16Margin <= kLargestHalf) {
    return;
  }
  warnings_.push_back(concat("layer ", at.layer, ": ", name(at.tap),
                             std::isinf(most) ? std::string(" overflows fp16")
                                              : concat(" reaches ", most, " of fp16's 65504"),
                             "; use --dtype bf16"));
}

void Fp16Calibration::see(const TapPoint& at, const TensorView& v) {
  switch (at.tap) {
    case Tap::kQProj:
    case Tap::kKProj:
    case Tap::kVProj:
      check(at, device_values(backend_, v));
      break;
    case Tap::kGate:
      gate_ = device_values(backend_, v);
      check(at, gate_);
      break;
    case Tap::kUp: {
      const std::vector<float> up = device_values(backend_, v);
      check(at, up);
      float most = 0;
      for (size_t i = 0; i < up.size(); ++i) {
        const float g = gate_[i];
        const float h = std::fabs(g / (1.0f + std::exp(-g)) * up[i]);
        most = h > most ? h : most;  // what is not finite was reported above
      }
      weights_.layers[static_cast<size_t>(at.layer - weights_.first_layer)].act_shift =
          fp16_shift(most);
      break;
    }
    default:
      break;
  }
}

std::string Fp16Calibration::shifts() const {
  std::string text;
  for (size_t i = 0; i < weights_.layers.size(); ++i) {
    if (weights_.layers[i].act_shift > 0) {
      text +=
          concat(text.empty() ? "" : ", ", "layer ", weights_.first_layer + static_cast<int64_t>(i),
                 ": 2^-", weights_.layers[i].act_shift);
    }
  }
  return text;
}

}  // namespace ember
