// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "reports/report.h"

namespace ember {

// DIR/report.json, DIR/report.html and DIR/exports/ with one file a format, each written whole or
// not at all.
void write_outputs(const std::string& dir, const report::Report& r);

}  // namespace ember
