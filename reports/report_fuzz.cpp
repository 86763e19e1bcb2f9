// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <cstdlib>

#include "kernels/base/error.h"
#include "reports/reader.h"
#include "reports/writer.h"

// A report is refused as bad input, or can be written again and then reads the same.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  ember::report::Report report;
  try {
    report = ember::report::parse_report(text, "fuzz");
  } catch (const ember::Error& e) {
    if (e.kind() != ember::ErrorKind::kBadInput) {
      std::abort();
    }
    return 0;
  }
  const std::string once = ember::report::dump_report(ember::report::to_json(report));
  const ember::report::Report again = ember::report::parse_report(once, "fuzz");
  if (ember::report::dump_report(ember::report::to_json(again)) != once) {
    std::abort();
  }
  return 0;
}
