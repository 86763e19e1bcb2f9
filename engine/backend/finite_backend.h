// SPDX-License-Identifier: Apache-2.0
// Counts what is not finite in every tapped intermediate, to find where a forward pass overflows.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "engine/backend/dump_backend.h"

namespace ember {

// What the taps of one run held, over all stages and passes.
class FiniteReport {
 public:
  // values: (T, w) or (K, T, E), on the host.
  void add(const TapPoint& at, const TensorView& values);
  int64_t not_finite() const;
  // Where the first one stood in the order of the run: "layer 3, tap swiglu, position 17: 5 of 640
  // values are not finite", or that all were finite. Then the largest finite magnitude of each tap
  // with its layer, a line each.
  std::string str() const;

 private:
  struct Largest {
    float value = 0;
    int64_t layer = -1;
    int64_t not_finite = 0;
  };
  std::string first_;
  std::map<Tap, Largest> taps_;  // over the layers
};

// Reads every tap to the host: slow, and without CUDA graphs.
std::unique_ptr<IBackend> watch_finite(std::unique_ptr<IBackend> inner,
                                       std::shared_ptr<FiniteReport> report);

}  // namespace ember
