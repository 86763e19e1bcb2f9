// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "reports/report.h"

namespace ember::report {

// One report of several runs of one binary on one machine. Cases with the same id put their samples
// together, each run's processes under new numbers; runs count as executed in the order given,
// unless `interleaved`, where their own order numbers are shared already. Throws
// Error{kInconclusive} when binary or machine differ, Error{kBadInput} when a case's metric or work
// does.
Report merge(const std::vector<Report>& runs, bool interleaved = false);

// The same for files, their x_ fields kept (the first file that has one wins).
Json merge_files(const std::vector<std::string>& paths);

}  // namespace ember::report
