// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <numeric>
#include <ostream>

#include "engine/io/json.h"
#include "reports/format.h"
#include "reports/nsys/output.h"
#include "reports/stats.h"

namespace ember::report::nsys {
namespace {

constexpr size_t kMaxWidth = 60;  // of a name in a table

using Row = std::vector<std::string>;

// Words to the left, figures to the right.
void print_table(std::ostream& out, size_t words, const std::vector<Row>& rows) {
  std::vector<size_t> widths(rows.front().size(), 0);
  for (const Row& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  for (const Row& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string room(widths[i] - row[i].size(), ' ');
      line += (i == 0 ? "" : "  ") + (i < words ? row[i] + room : room + row[i]);
    }
    out << line.substr(0, line.find_last_not_of(' ') + 1) << "\n";
  }
}

std::string ns(double value) {
  return human(value / 1e9, "s");
}

std::string share(double part, double whole) {
  return whole > 0 ? percent(part / whole) : "";
}

double sum(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

void print_ranges(std::ostream& out, const Attribution& a, int32_t device, double total) {
  std::vector<Row> rows = {
      {"range", "ranges", "kernels", "time", "share", "median", "min", "max", "busy"}};
  for (const PathTimes& p : a.paths) {
    const auto found = p.devices.find(device);
    if (found == p.devices.end()) {
      continue;
    }
    const OnDevice& d = found->second;
    const std::string with = std::to_string(d.times.size());
    rows.push_back(
        {std::string(2 * static_cast<size_t>(p.depth), ' ') + printable(p.name, kMaxWidth) +
             (p.nests ? "" : " (start/end)"),
         d.times.size() == static_cast<size_t>(p.ranges) ? with
                                                         : with + " of " + std::to_string(p.ranges),
         std::to_string(d.kernels), ns(d.total), share(d.total, total), ns(median(d.times)),
         ns(*std::min_element(d.times.begin(), d.times.end())),
         ns(*std::max_element(d.times.begin(), d.times.end())), share(d.total, sum(d.spans))});
  }
  const auto outside = a.outside.devices.find(device);
  if (outside != a.outside.devices.end()) {
    const OnDevice& d = outside->second;
    rows.push_back({a.outside.name, "", std::to_string(d.kernels), ns(d.total),
                    share(d.total, total), "", "", "", ""});
  }
  print_table(out, 1, rows);
}

void add_kernels(const Trace& trace, const std::string& path, const PathTimes& p, int32_t device,
                 double total, std::vector<Row>* rows) {
  std::vector<std::pair<double, Row>> found;
  for (const auto& [key, times] : p.kernels) {
    if (key.first == device) {
      const double time = sum(times);
      found.push_back({time,
                       {path, printable(trace.names[static_cast<size_t>(key.second)], kMaxWidth),
                        std::to_string(times.size()), ns(time), share(time, total),
                        ns(median(times)), ns(*std::min_element(times.begin(), times.end())),
                        ns(*std::max_element(times.begin(), times.end()))}});
    }
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& x, const auto& y) { return x.first > y.first; });
  for (auto& [time, row] : found) {
    rows->push_back(std::move(row));
  }
}

void print_kernels(std::ostream& out, const Trace& trace, const Attribution& a, int32_t device,
                   double total) {
  std::vector<Row> rows = {
      {"innermost range", "kernel", "launches", "time", "share", "median", "min", "max"}};
  for (const PathTimes& p : a.paths) {
    if (!p.kernels.empty()) {
      add_kernels(trace, printable(a.path(p), kMaxWidth), p, device, total, &rows);
    }
  }
  add_kernels(trace, a.outside.name, a.outside, device, total, &rows);
  print_table(out, 2, rows);
}

}  // namespace

void print(std::ostream& out, const Trace& trace, const Attribution& a) {
  for (const Gpu& g : trace.gpus) {
    const double total = a.totals.at(static_cast<int32_t>(g.index));
    out << "device " << g.index << ": " << g.name << ", kernels " << ns(total) << "\n\n";
    print_ranges(out, a, static_cast<int32_t>(g.index), total);
    out << "\n";
    print_kernels(out, trace, a, static_cast<int32_t>(g.index), total);
    out << "\n";
  }
  std::string idle;
  for (const PathTimes& p : a.paths) {
    if (p.devices.empty()) {
      idle += (idle.empty() ? "" : ", ") + printable(a.path(p), kMaxWidth) + " (" +
              std::to_string(p.ranges) + ")";
    }
  }
  if (!idle.empty()) {
    out << "no kernels in: " << idle << "\n";
  }
}

}  // namespace ember::report::nsys
