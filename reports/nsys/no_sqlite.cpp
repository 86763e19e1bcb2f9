// SPDX-License-Identifier: Apache-2.0
// Stands in for read_trace.cpp and database.cpp in a build without SQLite.
#include "kernels/base/error.h"
#include "reports/nsys/trace.h"

namespace ember::report::nsys {

Trace read_trace(const std::string& path, const TraceOptions&) {
  fail(ErrorKind::kUsage, path,
       ": this ember was built without SQLite and cannot read exports of Nsight Systems; install "
       "libsqlite3-dev (ci/deps.sh does), configure and build again");
}

}  // namespace ember::report::nsys
