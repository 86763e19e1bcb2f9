// SPDX-License-Identifier: Apache-2.0
// Reads reports with suspicion. Refused with file, field and byte offset (Error{kBadInput}): what
// engine/io/json.h refuses, what reports/schema.json refuses, and what no schema can say: ids that
// occur twice, a reference to a ceiling that is not there, a summary that its samples contradict.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "reports/report.h"

namespace ember::report {

inline constexpr int64_t kMaxReportBytes = int64_t{256} << 20;

Report parse_report(std::string_view text, const std::string& where);
Report read_report(const std::string& path);  // a regular file of at most kMaxReportBytes

// The checked document itself, with its x_ fields, which Report does not hold.
nlohmann::json read_report_document(const std::string& path);

}  // namespace ember::report
