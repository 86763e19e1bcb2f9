// SPDX-License-Identifier: Apache-2.0
#include "reports/format.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ostream>

#include "engine/io/json.h"
#include "reports/stats.h"

namespace ember::report {
namespace {

std::string padded(std::string text, size_t width) {
  text.resize(std::max(width, text.size()), ' ');
  return text;
}

std::string left_padded(const std::string& text, size_t width) {
  return std::string(text.size() < width ? width - text.size() : 0, ' ') + text;
}

// Registers a thread, shared memory a block, local memory a thread.
std::string resources(const Case& c) {
  const auto cell = [](const std::optional<int64_t>& v, size_t width) {
    return left_padded(v ? std::to_string(*v) : "", width);
  };
  const KernelResources k = c.kernel.value_or(KernelResources());
  if (c.kernel && !k.registers) {
    return left_padded("library", 21);
  }
  return cell(k.registers, 6) + cell(k.shared_bytes, 8) + cell(k.spill_bytes, 7);
}

void print_head(std::ostream& out, const Report& r) {
  const Host& h = r.env.host;
  out << "ember " << printable(r.subject.version) << ", commit "
      << printable(r.subject.commit.substr(0, 12)) << (r.subject.dirty ? " (dirty)" : "") << ", "
      << printable(r.subject.build_type) << ", " << printable(r.subject.compiler) << "\n"
      << "run " << printable(r.run.id) << " of " << printable(r.run.started) << ", "
      << human(r.run.wall_s, "s") << ", " << printable(r.run.status) << "\n"
      << printable(h.cpu) << ", " << h.cores << " cores, " << human(double(h.mem_bytes), "B")
      << "\n";
  for (const Gpu& g : r.env.gpus) {
    out << "gpu " << g.index << ": " << printable(g.name) << ", " << human(double(g.mem_bytes), "B")
        << ", clocks " << printable(g.clock_policy) << ", driver "
        << printable(r.env.cuda ? r.env.cuda->driver : "unknown") << "\n";
  }
  if (r.model) {
    out << "model " << printable(r.model->name) << ", " << printable(r.model->dtype) << "\n";
  }
  out << "fingerprint " << fingerprint(r) << "\n";
  for (const Ceiling& c : r.ceilings) {
    out << "ceiling " << printable(c.id) << "  " << human(c.value, c.unit) << "  "
        << printable(c.method) << "\n";
  }
}

// Of cases with a sample a token: percentiles, and stalls, which take over three medians.
void print_latencies(std::ostream& out, const Report& r, size_t width) {
  bool first = true;
  for (const Case& c : r.cases) {
    if (c.metric != Metric::kTpot || c.samples.empty()) {
      continue;
    }
    const Summary s = summarise(c.samples);
    if (s.n < 10) {
      continue;
    }
    int64_t stalls = 0;
    for (const Samples& samples : c.samples) {
      stalls += std::count_if(samples.values.begin(), samples.values.end(),
                              [&](double v) { return v > 3 * s.median; });
    }
    if (first) {
      out << "\n" << padded("latency", width);
      for (const char* head : {"p50", "p90", "p99", "max", "stalls"}) {
        out << left_padded(head, 12);
      }
      out << "\n";
      first = false;
    }
    out << padded(printable(c.id, 100), width);
    for (const double v : {s.median, s.p90, s.p99, s.max}) {
      out << left_padded(human(v, unit(c.metric)), 12);
    }
    out << left_padded(std::to_string(stalls), 12) << "\n";
  }
}

void print_stages(std::ostream& out, const Report& r, size_t width) {
  bool first = true;
  const auto share = [](const std::optional<double>& v) {
    return left_padded(v ? percent(*v) : "", 12);
  };
  for (const Case& c : r.cases) {
    for (const Stage& s : c.stages) {
      if (first) {
        out << "\n"
            << padded("stage", width) << left_padded("device", 16) << left_padded("busy", 12)
            << left_padded("bubble", 12) << left_padded("hop", 12) << "\n";
        first = false;
      }
      out << padded(printable(c.id, 100), width)
          << left_padded(std::to_string(s.stage) + " " + printable(s.device, 12), 16)
          << share(s.busy_share) << share(s.bubble_share)
          << left_padded(s.hop_s ? human(*s.hop_s, "s") : "", 12) << "\n";
    }
  }
}

}  // namespace

std::string human(double value, const std::string& unit) {
  static const char* const kPrefixes[] = {"p", "n", "u", "m", "", "k", "M", "G", "T", "P", "E"};
  int prefix = 4;
  double v = value;
  if (unit != "1" && unit != "1/s" && v != 0 && std::isfinite(v)) {
    const int thousands = static_cast<int>(std::floor(std::log10(std::fabs(v) * 1.0000001) / 3));
    prefix = std::clamp(thousands + 4, 0, 10);
    v /= std::pow(10, 3 * (prefix - 4));
  }
  char digits[48];
  std::snprintf(digits, sizeof digits, "%#.4g", v);
  std::string text = digits;
  if (text.back() == '.') {
    text.pop_back();
  }
  if (unit == "1") {
    return text;
  }
  return text + " " + (unit == "1/s" ? "" : kPrefixes[prefix]) + unit;
}

std::string percent(double share, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f %%", digits, 100 * share);
  return text;
}

void print(std::ostream& out, const Report& r) {
  print_head(out, r);
  size_t width = 4;
  for (const Case& c : r.cases) {
    width = std::max(width, std::min<size_t>(printable(c.id, 100).size(), 100));
  }
  const bool kernels = std::any_of(r.cases.begin(), r.cases.end(),
                                   [](const Case& c) { return c.kernel.has_value(); });
  out << "\n"
      << padded("case", width) << left_padded("median", 14) << left_padded("MAD", 13)
      << left_padded("samples", 12) << left_padded("ceiling", 10)
      << (kernels ? left_padded("regs", 6) + left_padded("shared", 8) + left_padded("spill", 7)
                  : "")
      << "  status\n";
  int64_t counts[4] = {};
  for (const Case& c : r.cases) {
    ++counts[static_cast<int>(c.status)];
    out << padded(printable(c.id, 100), width);
    if (c.samples.empty()) {
      out << std::string(39, ' ');
    } else {
      const Summary s = summarise(c.samples);
      out << left_padded(human(s.median, unit(c.metric)), 14)
          << left_padded("± " + human(s.mad, unit(c.metric)), 14)  // ± is two bytes
          << left_padded(std::to_string(s.processes) + " x " +
                             std::to_string(s.n / std::max<int64_t>(1, s.processes)),
                         12);
    }
    out << left_padded(c.ceiling ? percent(c.ceiling->share) : "", 10)
        << (kernels ? resources(c) : "") << "  " << name(c.status) << (c.reason.empty() ? "" : ": ")
        << printable(c.reason, 200) << "\n";
  }
  print_latencies(out, r, width);
  print_stages(out, r, width);
  out << "\n" << r.cases.size() << " cases";
  for (int s = 0; s < 4; ++s) {
    out << ", " << counts[s] << " " << name(static_cast<Status>(s));
  }
  out << "\n";
}

}  // namespace ember::report
