// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "kernels/base/error.h"
#include "kernels/base/temporary_directory.h"
#include "reports/nsys/attribution.h"
#include "reports/nsys/output.h"
#include "reports/writer.h"

// An export is refused as bad input, or printed, and gives a report that its own schema takes.
// SQLite opens files by name.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace nsys = ember::report::nsys;
  static const ember::TemporaryDirectory dir;
  const std::string path = dir / "export.sqlite";
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  try {
    nsys::Trace trace = nsys::read_trace(path, {std::nullopt, {"linear"}});
    const nsys::Attribution times = nsys::attribute(&trace);
    std::ostringstream out;
    nsys::print(out, trace, times);
    const ember::report::Report report = nsys::to_report(trace, times, {"fuzz"});
    ember::report::to_json(report);
  } catch (const ember::Error& e) {
    if (e.kind() != ember::ErrorKind::kBadInput) {
      std::abort();
    }
  }
  return 0;
}
