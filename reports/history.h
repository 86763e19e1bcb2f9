// SPDX-License-Identifier: Apache-2.0
// The medians of many runs, one line of JSON a run (schema ember.history/1), only ever appended to.
#pragma once

#include <iosfwd>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "reports/report.h"

namespace ember::report {

struct HistoryPoint {
  double median = 0, mad = 0;
  Metric metric = Metric::kTime;
  Kind kind = Kind::kKernel;
};

struct HistoryEntry {
  std::string run, started, commit, fingerprint;
  bool dirty = false;
  std::map<std::string, HistoryPoint> cases;  // by id; what was measured alone
};

HistoryEntry history_entry(const Report& r);
Json to_json(const HistoryEntry& e);

// Throws Error{kBadInput} naming the line.
std::vector<HistoryEntry> parse_history(std::string_view text, const std::string& where);
std::vector<HistoryEntry> read_history(const std::string& path);

// Appends one line in one write, under a lock on the file, which is made when it is not there.
// Throws Error{kUsage} when the run is in it already.
void append_history(const std::string& path, const HistoryEntry& e);

// Floors that the noise of this history supports: three times the robust deviation between runs of
// the same commit on the same machine, by kind of case; a kind needs three such pairs.
struct NoiseFloor {
  std::string kind;
  double floor = 0;
  int64_t pairs = 0;
};
std::vector<NoiseFloor> noise_floors(const std::vector<HistoryEntry>& entries);

void print(std::ostream& out, const std::vector<HistoryEntry>& entries, const std::string& filter);

}  // namespace ember::report
