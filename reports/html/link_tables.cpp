// SPDX-License-Identifier: Apache-2.0
// What the p2p cases say, as tables of devices against devices.
#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "reports/format.h"
#include "reports/html/markup.h"
#include "reports/html/plots.h"
#include "reports/stats.h"

namespace ember::report {
namespace {

std::string param(const Case& c, const char* name) {
  const auto it = c.params.find(name);
  return it == c.params.end() ? "" : text(it->second);
}

std::optional<double> number_param(const Case& c, const char* name) {
  const auto it = c.params.find(name);
  if (it == c.params.end() || !std::holds_alternative<double>(it->second)) {
    return std::nullopt;
  }
  return std::get<double>(it->second);
}

struct Cell {
  bool measured = false;
  double rank = 0, value = 0;  // of several cases the one of the highest rank stands for all
  std::string title;           // its id, or why there is none
};

// Of a report with more devices than any machine has, the first are shown.
constexpr size_t kMostRows = 512, kMostColumns = 72;

struct Table {
  std::vector<std::string> rows;  // in the order in which they came
  std::set<std::string> columns;
  std::map<std::pair<std::string, std::string>, Cell> cells;

  void add(const std::string& row, const std::string& column, const Case& c, double rank) {
    const bool new_row = std::find(rows.begin(), rows.end(), row) == rows.end();
    if ((new_row && rows.size() == kMostRows) ||
        (columns.size() == kMostColumns && columns.count(column) == 0)) {
      return;
    }
    if (new_row) {
      rows.push_back(row);
    }
    columns.insert(column);
    Cell& cell = cells[{row, column}];
    if (c.samples.empty()) {
      cell.title = cell.measured ? cell.title : c.reason;
      return;
    }
    if (!cell.measured || rank > cell.rank) {
      cell = {true, rank, summarise(c.samples).median, c.id};
    }
  }
  bool measured() const {
    return std::any_of(cells.begin(), cells.end(), [](const auto& e) { return e.second.measured; });
  }
};

// Better cells are darker.
std::string table(const Table& t, const std::string& about, const std::string& corner,
                  const std::string& unit, bool lower_is_better) {
  double most = 0, least = 1e300;
  for (const auto& entry : t.cells) {
    if (entry.second.measured) {
      most = std::max(most, entry.second.value);
      least = std::min(least, entry.second.value);
    }
  }
  std::string out = "<p class=\"muted\">" + about +
                    "</p>\n<div class=\"scroll\"><table><thead><tr><th>" + corner + "</th>";
  for (const std::string& column : t.columns) {
    out += "<th class=\"heat\">" + html_text(column) + "</th>";
  }
  out += "</tr></thead><tbody>";
  for (const std::string& row : t.rows) {
    out += "<tr><td>" + html_text(row) + "</td>";
    for (const std::string& column : t.columns) {
      const auto it = t.cells.find({row, column});
      if (it == t.cells.end()) {
        out += "<td class=\"heat muted\">–</td>";
        continue;
      }
      const Cell& cell = it->second;
      if (!cell.measured) {
        out += "<td class=\"heat skipped\" title=\"" + html_text(cell.title) + "\">skipped</td>";
        continue;
      }
      const double share = lower_is_better ? (cell.value > 0 ? least / cell.value : 1)
                                           : (most > 0 ? cell.value / most : 0);
      out += "<td class=\"heat\" title=\"" + html_text(cell.title) +
             "\" style=\"background:color-mix(in srgb,var(--accent) " +
             std::to_string(static_cast<int>(std::lround(45 * share))) + "%,transparent)\">" +
             human(cell.value, unit) + "</td>";
    }
    out += "</tr>";
  }
  return out + "</tbody></table></div>\n";
}

// Largest messages first; of those the quickest way.
Table bandwidths(const Report& r, bool both) {
  Table t;
  for (const Case& c : r.cases) {
    const auto bytes = number_param(c, "bytes");
    if (c.kind == Kind::kP2p && c.metric == Metric::kBandwidth && !param(c, "src").empty() &&
        !param(c, "dst").empty() && (param(c, "direction") == "both") == both &&
        (bytes || c.samples.empty())) {
      const double value = c.samples.empty() ? 0 : summarise(c.samples).median;
      t.add(param(c, "src"), param(c, "dst"), c, bytes.value_or(0) + value / (value + 1e15));
    }
  }
  return t;
}

Table latencies(const Report& r) {
  Table t;
  for (const Case& c : r.cases) {
    if (c.kind == Kind::kP2p && c.metric == Metric::kLatency && !number_param(c, "bytes") &&
        param(c, "direction") != "both" && param(c, "engine") != "load" && !c.samples.empty()) {
      t.add(param(c, "src"), param(c, "dst"), c, -summarise(c.samples).median);
    }
  }
  return t;
}

Table loads(const Report& r) {
  Table t;
  for (const Case& c : r.cases) {
    if (c.kind == Kind::kP2p && c.metric == Metric::kLatency && param(c, "engine") == "load") {
      t.add(param(c, "dst"), param(c, "src"), c, 0);
    }
  }
  return t;
}

Table hops(const Report& r) {
  Table t;
  for (const Case& c : r.cases) {
    const auto bytes = number_param(c, "bytes");
    if (c.kind == Kind::kP2p && c.metric == Metric::kLatency && bytes) {
      t.add(param(c, "src") + " → " + param(c, "dst") + ", " + human(*bytes, "B"), param(c, "path"),
            c, 0);
    }
  }
  return t;
}

}  // namespace

std::string heat_map(const Report& r) {
  std::string out;
  const Table one = bandwidths(r, false), both = bandwidths(r, true), latency = latencies(r),
              load = loads(r), hop = hops(r);
  if (!one.cells.empty()) {
    out += table(one,
                 "Bandwidth of the largest message by the quickest way, from the row's device to "
                 "the column's.",
                 "from \\ to", "B/s", false);
  }
  if (both.measured()) {
    out += table(both, "Both directions at the same time, together.", "from \\ to", "B/s", false);
  }
  if (latency.measured()) {
    out += table(latency, "Latency: what the time of a message tends to as it gets smaller.",
                 "from \\ to", "s", true);
  }
  if (load.measured()) {
    out += table(load, "One load by the row's device from the column's memory.", "by \\ from", "s",
                 true);
  }
  if (hop.measured()) {
    out += table(hop, "One message of the pipeline, by its path.", "message", "s", true);
  }
  return out;
}

}  // namespace ember::report
