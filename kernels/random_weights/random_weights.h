// SPDX-License-Identifier: Apache-2.0
// Weights out of nothing: element i of a tensor is a pure function of (stream, i), the same to the
// bit on every device, so that speed is measurable without a checkpoint.
//   h = mix(stream + (i + 1) * golden)      64 bits
//   s = sum of the four 16-bit fields of h - 131070      |s| <= 131070, deviation 65536 / sqrt(3)
//   matrix: s * 0.02 / (65536 / sqrt(3))    deviation 0.02, near normal
//   gain:   1 + s * 2^-19                   mean 1, deviation 0.072, in [0.75, 1.25]
// Everything before the last line is integer arithmetic; the last line rounds once to fp32 (the
// gain not at all, so it may be fused), then once to the dtype of y, to nearest even.
//
// y: any rank up to 4, F32|F16|BF16, dense. 0 elements are a no-op.
// Throws Error{kShape|kDtype|kAlign|kUnsupported}. Limited by: memory (writes).
#pragma once

#include <cstdint>
#include <string_view>

#include "kernels/base/cost.h"
#include "kernels/base/stream.h"
#include "kernels/base/tensor.h"

namespace ember::k {

enum class RandomKind { kMatrix, kGain };

struct RandomWeightsParams {
  TensorView y;
  uint64_t stream;  // random_weights_stream(seed, tensor name)
  RandomKind kind = RandomKind::kMatrix;
  int64_t first = 0;  // index of y's first element in the tensor, for a slice of rows; >= 0
};

// The 64-bit finaliser of Stafford's "Better bit mixing" (variant 13), as used by SplitMix64.
constexpr uint64_t random_weights_mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

constexpr int32_t random_weights_sum(uint64_t stream, uint64_t index) {
  const uint64_t h = random_weights_mix(stream + (index + 1) * 0x9e3779b97f4a7c15ULL);
  // Adds the fields in two lanes of 32 bits.
  const uint64_t pairs = (h & 0x0000ffff0000ffffULL) + ((h >> 16) & 0x0000ffff0000ffffULL);
  return static_cast<int32_t>((pairs & 0xffffffffULL) + (pairs >> 32)) - 131070;
}

constexpr float random_weights_matrix(int32_t sum) {
  return static_cast<float>(sum) * 5.2858001e-7f;
}

constexpr float random_weights_gain(int32_t sum) {
  return 1.0f + static_cast<float>(sum) * 1.9073486328125e-6f;  // 2^-19
}

// One stream a tensor: FNV-1a of its name, mixed with the seed.
constexpr uint64_t random_weights_stream(uint64_t seed, std::string_view name) {
  uint64_t h = 0xcbf29ce484222325ULL;
  for (const char c : name) {
    h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  }
  return random_weights_mix(h ^ random_weights_mix(seed + 0x9e3779b97f4a7c15ULL));
}

void validate(const RandomWeightsParams& p);
Cost cost(const RandomWeightsParams& p);
void random_weights_cpu(const RandomWeightsParams& p);
void random_weights_cuda(const RandomWeightsParams& p, Stream stream);

}  // namespace ember::k
