// SPDX-License-Identifier: Apache-2.0
// Every kernel of a decode step or a prefill by itself, beside the ceiling that limits it.
#pragma once

#include <string>
#include <vector>

#include "harness/measure/ceilings.h"
#include "reports/report.h"
#include "suites/bench/step_kernels.h"

namespace ember {

struct KernelsOptions {
  std::string filter, ids_file;          // CaseChoice
  std::vector<int64_t> tokens = {1};     // T of each pass
  std::vector<int64_t> depths = {1024};  // cached tokens before it
  bool cold = true, hot = false;
  MeasureOptions measure;
};

// Appends the cases kernel/NAME, each verified before it is timed, and for every complete pass the
// case kernel/sum: counts times medians.
void bench_kernels(Meter& meter, const std::string& model, const ModelShape& shape, DType dtype,
                   const Ceilings& ceilings, const KernelsOptions& options, report::Report* out);

}  // namespace ember
