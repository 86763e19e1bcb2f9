// SPDX-License-Identifier: Apache-2.0
// A slowdown that is planted to see whether the gate finds it. It is real time, spent inside what
// is timed; the kernels know nothing of it.
#pragma once

#include <string>

namespace ember {

// The share of its own time by which the case is slowed: from EMBER_PLANT_DELAY, TEXT=SHARE, where
// the id contains TEXT; else 0. Throws Error{kUsage} for a value that is neither.
double planted_delay(const std::string& id);
// EMBER_PLANT_DELAY=… as a report's command shows it; "" when nothing is planted.
std::string planted_delay_text();

}  // namespace ember
