// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "engine/runtime/memory_plan.h"

namespace ember {

// Prints the plan: a table on stdout, or JSON to the file `json` names ("-": stdout). Throws
// Error{kOutOfMemory} afterwards when it does not fit.
int print_plan(const MemoryPlan& plan, const std::string& json);

}  // namespace ember
