// SPDX-License-Identifier: Apache-2.0
// EMBER_PRINT_PLAN: how each kernel is cut for the shapes that it meets, once a shape.
#pragma once

#include <string>

namespace ember::k {

// Asked before the text of a plan is made.
bool plans_wanted();
// One line on stderr, "plan: OP SHAPE: PLAN", the first time for this text. From any thread.
void note_plan(const std::string& op, const std::string& shape, const std::string& plan);

}  // namespace ember::k
