// SPDX-License-Identifier: Apache-2.0
// What keeps activations within fp16's range, 65504, where a model was made for bf16's. The
// residual stream, sums and norms are fp32 anyway, and attention averages values. Left are
//   silu(gate) * up   the product that overflows first: kept times 2^-s, s chosen a layer from a
//                     short pass at load, put back by the down projection. Powers of two are
//                     exact, and s is 0 where there is room, so that nothing changes there.
//   normed rows       bounded by sqrt(width) * |gain|: checked when the model is loaded
//   q, k, v, gate, up as the projections give them: looked at in that pass
// What cannot be helped is a warning that says to take bf16.
#pragma once

#include <string>
#include <vector>

#include "engine/backend/backend.h"
#include "engine/model/weight_source.h"

namespace ember {

// Factor between what the pass saw and fp16's largest number that counts as room enough.
inline constexpr float kFp16Margin = 4.0f;
// The smallest s >= 0 with kFp16Margin * largest * 2^-s <= 65504; 0 for what is not finite.
int fp16_shift(float largest);

// Norms of layers [first, first + layers) and, with `last`, the final norm, whose rows may leave
// fp16's range: a warning for each, naming the tensor.
std::vector<std::string> check_norm_gains(const IWeightSource& source, int64_t first,
                                          int64_t layers, bool last);

// Watches one pass over one stage (StageArgs::watch) and sets act_shift of each layer before the
// pass comes to use it.
class Fp16Calibration {
 public:
  Fp16Calibration(IBackend& backend, StageWeights& weights)
      : backend_(backend), weights_(weights) {}

  void see(const TapPoint& at, const TensorView& v);
  // A line for each tensor that came too near to the limit, or over it.
  const std::vector<std::string>& warnings() const { return warnings_; }
  // "layer 3: 2^-5, layer 7: 2^-1", or "" where no layer needs a shift.
  std::string shifts() const;

 private:
  void check(const TapPoint& at, const std::vector<float>& values);

  IBackend& backend_;
  StageWeights& weights_;
  std::vector<float> gate_;  // of the layer under way
  std::vector<std::string> warnings_;
};

}  // namespace ember
