// SPDX-License-Identifier: Apache-2.0
// Reports for tests, made from a seed. Their figures are invented.
#pragma once

#include <cstdint>
#include <vector>

#include "reports/report.h"

namespace ember::report {

// Normal numbers from a seed, the same on every machine.
class NormalNoise {
 public:
  explicit NormalNoise(uint64_t seed) : state_(seed) {}
  double next();

 private:
  double uniform();
  uint64_t state_;
};

struct NoiseModel {
  double between = 0.008, within = 0.004;  // relative deviations
  double correlation = 0.9;                // between successive values of one process
};

// `values` of one process around `center`: one log-normal offset for the process, then an
// autoregressive walk within it.
std::vector<double> noisy_values(NormalNoise& noise, const NoiseModel& model, double center,
                                 int values);

// One case of every kind and status, on an invented card; fills every field of the schema.
Report sample_report(uint64_t seed = 1);

// A CPU run of `cases` kernels, `processes` fresh processes each.
Report kernel_report(uint64_t seed, int cases, int processes, const NoiseModel& model,
                     double slowdown = 1, int slow_case = 0);

}  // namespace ember::report
