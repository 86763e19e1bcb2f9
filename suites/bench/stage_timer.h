// SPDX-License-Identifier: Apache-2.0
// How long each stage of a pipeline was at work. The passes of a stage stay as they are, recorded
// graphs included: on a CUDA device timing events stand around each in the stage's queue, on the
// CPU it is the host's clock.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/backend/backend.h"

namespace ember {

struct StageTime {
  DeviceId device;
  double busy = 0;               // seconds in its passes
  std::vector<double> receives;  // Hop::seconds() of each hop into it, where there are such
};

class StageTimer {
 public:
  // For RuntimeOptions::decorate. Costs a comparison a pass while it is stopped.
  std::unique_ptr<IBackend> decorate(std::unique_ptr<IBackend> inner, int64_t stage);

  void start();
  // Waits for all stages; what they did since start(), in order.
  std::vector<StageTime> stop();

 private:
  class Stage;
  class Backend;
  std::vector<std::shared_ptr<Stage>> stages_;
};

}  // namespace ember
