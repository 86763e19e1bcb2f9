// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <cstdlib>
#include <sstream>

#include "kernels/base/error.h"
#include "reports/history.h"

// A log is refused as bad input, or printed, and its lines read again as they were written.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::vector<ember::report::HistoryEntry> entries;
  try {
    entries = ember::report::parse_history(text, "fuzz");
  } catch (const ember::Error& e) {
    if (e.kind() != ember::ErrorKind::kBadInput) {
      std::abort();
    }
    return 0;
  }
  std::ostringstream out;
  ember::report::print(out, entries, "");
  ember::report::noise_floors(entries);
  for (const ember::report::HistoryEntry& e : entries) {
    const ember::report::Json once = ember::report::to_json(e);
    const auto again = ember::report::parse_history(once.dump(), "fuzz");
    if (again.size() != 1 || ember::report::to_json(again[0]) != once) {
      std::abort();
    }
  }
  return 0;
}
