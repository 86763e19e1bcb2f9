// SPDX-License-Identifier: Apache-2.0
// Times every op of a pass by itself. While the timer runs, composite ops are made of primitives,
// each between two clock readings; while it is stopped they go to the wrapped backend as they are,
// recorded graphs and fused kernels included. On a CUDA device the readings are events of the
// stage's queue, which is held behind a gate until a whole layer is in it: launches of the host are
// then not in the times, and what two events cost by themselves is taken off. Overlap between
// kernels is lost. On the CPU it is the host's clock.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/backend/backend.h"
#include "kernels/base/cost.h"

namespace ember {

// An op of one layer of the model (-1 outside layers) in one pass: "linear.qkv", "attention".
// Blocks of one matrix, and the sequences of a step, count as one.
struct OpTime {
  double seconds = 0;
  Cost cost;
};
using OpTimes = std::map<std::pair<std::string, int64_t>, OpTime>;

class OpTimer {
 public:
  // For RuntimeOptions::decorate.
  std::unique_ptr<IBackend> decorate(std::unique_ptr<IBackend> inner, int64_t stage);

  // A warm pass takes the way of the timed ones without a gate: kernels are loaded and scratch
  // memory is allocated in it, which would wait for the gate for ever.
  void warm();
  void start();
  void stop();
  // What the ops took since start() or the last take(); waits for all stages. Throws
  // Error{kInconclusive} where a gate gave up, so that launches were in the times.
  OpTimes take();
  // Names in the order in which the ops first ran.
  const std::vector<std::string>& order() const { return order_; }

 private:
  class Clock;
  class Backend;
  std::vector<std::shared_ptr<Clock>> clocks_;
  std::vector<IBackend*> backends_;  // wrapped; the runtime's, which outlives its measuring
  std::vector<std::string> order_;
};

}  // namespace ember
