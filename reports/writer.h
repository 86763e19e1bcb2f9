// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "reports/report.h"

namespace ember::report {

// The document of schema.json, with the summaries that the samples give. Throws Error{kInternal}
// naming the field when the report is not one: a value that is not finite, an id used twice. Text
// that is not UTF-8 (a device's name, say) gets U+FFFD.
Json to_json(const Report& r);

// `document` as text: one line a case, so that a diff shows what changed.
std::string dump_report(const Json& document);

// Written to a temporary name beside `path` and renamed: readers see the old file or the new one.
// "-" is not special. Throws Error{kUsage} when the file cannot be written.
void write_file_atomically(const std::string& path, const std::string& text);
void write_report(const std::string& path, const Report& r);

}  // namespace ember::report
