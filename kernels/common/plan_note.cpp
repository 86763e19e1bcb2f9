// SPDX-License-Identifier: Apache-2.0
#include "kernels/common/plan_note.h"

#include <cstdio>
#include <mutex>
#include <set>

#include "kernels/base/env.h"

namespace ember::k {

bool plans_wanted() {
  static const bool wanted = env_flag(EnvVar::kPrintPlan);
  return wanted;
}

void note_plan(const std::string& op, const std::string& shape, const std::string& plan) {
  static std::mutex mutex;
  static std::set<std::string> seen;
  const std::string line = "plan: " + op + " " + shape + ": " + plan + "\n";
  const std::lock_guard<std::mutex> lock(mutex);
  if (seen.insert(line).second) {
    std::fputs(line.c_str(), stderr);
  }
}

}  // namespace ember::k
