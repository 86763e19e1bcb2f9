// SPDX-License-Identifier: Apache-2.0
// Two binaries against each other in fresh processes, interleaved in blocks A B B A or B A A B
// drawn by a seed: first the screening rounds, then confirming rounds where something was flagged,
// then at most one extension. Each look spends its share of the policy's alpha.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "reports/gate/compare.h"

namespace ember::report {

struct AbOptions {
  std::string a, b;               // binaries
  std::vector<std::string> args;  // of both; see command_of
  Policy policy;
  std::string dir;       // reports and logs of every process, kept
  double limit_s = 600;  // of one process
  uint64_t seed = 1;     // of the order
  std::function<void(const std::string&)> progress = [](const std::string&) {};
};

struct AbResult {
  Report a, b;  // all processes of a side
  Comparison comparison;
};

// The arguments of one process: "{out}" is replaced by the path that its report must go to, or
// "--json PATH" is appended where no argument holds it; "{ids}" by a file that lists the wanted
// cases, one a line, or "*" for all.
std::vector<std::string> command_of(const AbOptions& o, bool first, const std::string& out,
                                    const std::string& ids);

// Which side runs in each of 2 * pairs slots; true: A. `block` numbers the first pair.
std::vector<bool> interleaved_order(int64_t pairs, uint64_t seed, int64_t block);

// Throws Error{kTimeout} when a process outlives the limit, Error{kInconclusive} when one leaves no
// report, Error{kBadInput} when its report is none.
AbResult run_ab(const AbOptions& o);

}  // namespace ember::report
