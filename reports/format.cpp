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

using Facts = std::vector<std::pair<std::string, std::string>>;

std::string whole(double v) {
  char text[32];
  std::snprintf(text, sizeof text, "%.0f", v);
  return text;
}

std::string range(const GpuClock& c) {
  return whole(c.min) + " to " + whole(c.max) + " MHz, median " + whole(c.median);
}

void add_clocks(const std::string& at, const Gpu& g, Facts* out) {
  std::string sm = g.sm_mhz ? range(*g.sm_mhz) : "";
  const std::pair<const char*, std::optional<double>> settings[] = {
      {"asked for ", g.sm_mhz_requested}, {"at most ", g.sm_mhz_limit}};
  for (const auto& [what, mhz] : settings) {
    if (mhz) {
      sm += (sm.empty() ? "" : ", ") + (what + whole(*mhz)) + " MHz";
    }
  }
  if (!sm.empty()) {
    out->emplace_back(at + "SM clock", sm);
  }
  if (g.mem_mhz_seen) {
    out->emplace_back(at + "memory clock", range(*g.mem_mhz_seen));
  }
}

void add_gpu(const Gpu& g, Facts* out) {
  const std::string at = "gpu " + std::to_string(g.index) + " ";
  add_clocks(at, g, out);
  if (g.throttle) {
    std::string slowed;
    const std::pair<const char*, std::optional<double>> reasons[] = {
        {"power limit ", g.throttle->power},
        {"heat ", g.throttle->thermal},
        {"hardware's brake ", g.throttle->hardware},
        {"clock setting ", g.throttle->setting}};
    for (const auto& [what, share] : reasons) {
      if (share) {
        slowed += (slowed.empty() ? "" : ", ") + (what + percent(*share));
      }
    }
    out->emplace_back(at + "slowed, share of samples", slowed);
  }
  if (g.temp_max_c) {
    const std::string start = g.temp_start_c ? whole(*g.temp_start_c) + " C at first, " : "";
    out->emplace_back(at + "temperature", start + whole(*g.temp_max_c) + " C at most");
  }
  if (g.power_default_w) {
    out->emplace_back(at + "power limit of the card", whole(*g.power_default_w) + " W");
  }
  if (g.persistence) {
    out->emplace_back(at + "persistence", *g.persistence ? "on" : "off");
  }
  if (g.other_processes) {
    out->emplace_back(at + "other processes", std::to_string(*g.other_processes));
  }
  if (g.pcie) {
    out->emplace_back(at + "PCIe", "generation " + std::to_string(g.pcie->gen) + " of " +
                                       std::to_string(g.pcie->gen_max) + ", " +
                                       std::to_string(g.pcie->width) + " lanes");
  }
  if (g.nvlink) {
    out->emplace_back(
        at + "NVLink",
        std::to_string(g.nvlink->links) + " links of generation " + std::to_string(g.nvlink->gen) +
            (g.nvlink->bytes_per_s ? ", " + human(*g.nvlink->bytes_per_s, "B/s") + " each way"
                                   : ""));
  }
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
    Facts facts;
    add_gpu(g, &facts);
    for (const auto& [key, value] : facts) {
      out << key << ": " << value << "\n";
    }
  }
  if (r.env.profiler_attached) {
    out << "a profiler was attached: for shares, not for comparison\n";
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

Facts run_facts(const Report& r) {
  Facts facts;
  const Host& h = r.env.host;
  facts.emplace_back("memory", human(static_cast<double>(h.mem_bytes), "B"));
  const std::pair<const char*, std::optional<std::string>> texts[] = {
      {"system", h.os}, {"kernel", h.kernel}, {"cpu governor", h.governor}};
  for (const auto& [key, text] : texts) {
    if (text) {
      facts.emplace_back(key, *text);
    }
  }
  if (h.numa_nodes) {
    facts.emplace_back("NUMA nodes", std::to_string(*h.numa_nodes));
  }
  if (h.container) {
    facts.emplace_back("container", *h.container ? "yes" : "no");
  }
  if (h.load_1m) {
    facts.emplace_back("load at the start", human(*h.load_1m, "1"));
  }
  if (r.env.cuda) {
    facts.emplace_back("driver", r.env.cuda->driver);
    facts.emplace_back("CUDA runtime", r.env.cuda->runtime);
    if (r.env.cuda->cublas) {
      facts.emplace_back("cuBLAS", *r.env.cuda->cublas);
    }
  }
  for (const Gpu& g : r.env.gpus) {
    add_gpu(g, &facts);
  }
  return facts;
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
