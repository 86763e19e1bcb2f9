// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdio>

#include "engine/io/json.h"
#include "reports/gate/compare.h"
#include "reports/stats.h"

namespace ember::report {
namespace {

std::string percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%", 100 * share);
  return text;
}

void check_gpu(const std::string& at, const Gpu& g, const Policy& policy,
               std::vector<std::string>* out) {
  const std::string where = at + ": gpu " + std::to_string(g.index) + " ";
  if (g.other_processes.value_or(0) > 0) {
    out->push_back(where + "was shared with " + std::to_string(*g.other_processes) +
                   " other processes");
  }
  if (g.throttle) {
    // Not the power limit: large products always meet it. What it does to the clock is judged case
    // by case, here and in cycles of the clock.
    const std::pair<const char*, std::optional<double>> reasons[] = {
        {"heat", g.throttle->thermal}, {"the hardware's brake", g.throttle->hardware}};
    for (const auto& [what, share] : reasons) {
      if (share.value_or(0) > policy.max_throttled_share) {
        out->push_back(where + "was slowed by " + what + " in " + percent(*share) +
                       " of the samples, " + percent(policy.max_throttled_share) + " are allowed");
      }
    }
  }
}

// Of one case: cases that ask much of a card run at lower clocks than others, every time. While
// bytes move over a link the SMs may idle.
void check_clocks(const std::string& at, const Report& r, const Policy& policy,
                  std::vector<std::string>* out) {
  const Case* worst = nullptr;
  double most = policy.max_clock_spread, low = 0, high = 0;
  for (const Case& c : r.cases) {
    std::vector<double> clocks;
    if (!c.gate || c.kind == Kind::kP2p) {
      continue;
    }
    for (const Samples& s : c.samples) {
      if (s.clock_mhz) {
        clocks.push_back(*s.clock_mhz);
      }
    }
    if (clocks.empty()) {
      continue;
    }
    const auto [least, greatest] = std::minmax_element(clocks.begin(), clocks.end());
    const double spread = (*greatest - *least) / median(clocks);
    if (spread > most) {
      worst = &c, most = spread, low = *least, high = *greatest;
    }
  }
  if (worst != nullptr) {
    char range[64];
    std::snprintf(range, sizeof range, "%.0f to %.0f MHz", low, high);
    out->push_back(at + ": the clock changed by " + percent(most) + " between processes of " +
                   printable(worst->id, 100) + " (" + range + "), " +
                   percent(policy.max_clock_spread) + " are allowed; lock the clocks");
  }
}

void check_throttled_samples(const std::string& at, const Report& r, const Policy& policy,
                             std::vector<std::string>* out) {
  double kept = 0, lost = 0;
  for (const Case& c : r.cases) {
    lost += static_cast<double>(c.excluded_throttled);
    for (const Samples& s : c.samples) {
      kept += static_cast<double>(s.values.size());
    }
  }
  if (lost > policy.max_throttled_share * (kept + lost)) {
    out->push_back(at + ": " + percent(lost / (kept + lost)) + " of the samples were throttled, " +
                   percent(policy.max_throttled_share) + " are allowed");
  }
}

// The golden check was left out, and none of its cases came from elsewhere, as in a suite.
bool rates_unjudged(const Report& r) {
  bool left_out = false, judged = false;
  for (const Case& c : r.cases) {
    left_out = left_out || (c.kind == Kind::kCheck && c.reason == kGoldenLeftOut);
    judged = judged || c.kind == Kind::kGolden;
  }
  return left_out && !judged;
}

void check_side(const std::string& at, const Report& r, const Policy& policy,
                std::vector<std::string>* out) {
  if (r.run.status != "complete") {
    out->push_back(at + ": the run was " + r.run.status);
  }
  if (r.env.profiler_attached) {
    out->push_back(at + ": a profiler was attached");
  }
  if (r.subject.dirty && !policy.allow_dirty) {
    out->push_back(at +
                   ": built with uncommitted changes (\"allow_dirty\" in the policy allows it)");
  }
  if (!r.subject.sanitizers.empty()) {
    out->push_back(at + ": built with sanitizers");
  }
  const std::string& build = r.subject.build_type;
  if (build != "Release" && build != "RelWithDebInfo") {
    out->push_back(at + ": a " + (build.empty() ? "debug" : printable(build, 40)) +
                   " build, an optimised one is needed");
  }
  if (rates_unjudged(r)) {
    out->push_back(at + ": rates of an engine that was not judged (--no-golden)");
  }
  for (const Gpu& g : r.env.gpus) {
    check_gpu(at, g, policy, out);
  }
  check_clocks(at, r, policy, out);
  check_throttled_samples(at, r, policy, out);
}

}  // namespace

std::vector<std::string> refusals(const Report& base, const Report& fresh, const Policy& policy) {
  std::vector<std::string> out;
  check_side("BASE", base, policy, &out);
  check_side("NEW", fresh, policy, &out);
  const auto a = comparable_facts(base), b = comparable_facts(fresh);
  const auto fact = [](const std::map<std::string, std::string>& facts, const std::string& key) {
    const auto it = facts.find(key);
    return it == facts.end() ? std::string("none") : printable(it->second, 80);
  };
  std::map<std::string, std::string> keys = a;
  keys.insert(b.begin(), b.end());
  for (const auto& [key, ignored] : keys) {
    if (fact(a, key) != fact(b, key)) {
      out.push_back("another " + key + ": " + fact(a, key) + " in BASE, " + fact(b, key) +
                    " in NEW");
    }
  }
  return out;
}

}  // namespace ember::report
