// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>

#include "engine/core/clock.h"
#include "engine/core/version.h"
#include "kernels/base/error.h"
#include "reports/writer.h"
#include "suites/suite/selftest_checks.h"

namespace ember {

using report::Json;
using Strings = SelftestRun::Strings;
namespace fs = std::filesystem;

namespace {

// The binary with a delay planted, as a program of its own: A and B get the same arguments.
std::string slowed(SelftestRun* run) {
  const SelftestOptions& o = run->options();
  char share[32];
  std::snprintf(share, sizeof share, "%g", o.share);
  const std::string path = run->path("slowed.sh");
  report::write_file_atomically(path, "#!/bin/sh\nEMBER_PLANT_DELAY='" + o.planted + "=" + share +
                                          "' exec '" + o.binary + "' \"$@\"\n");
  fs::permissions(path, fs::perms::owner_all);
  return path;
}

SelftestCheck ab_rounds(SelftestRun* run, const std::string& name, const std::string& b,
                        uint64_t seed) {
  const SelftestOptions& o = run->options();
  SelftestCheck c;
  c.name = name;
  const double start = now_seconds();
  for (int64_t i = 0; i < o.rounds; ++i) {
    Strings args = {"report",   "ab",
                    "--a",      o.binary,
                    "--b",      b,
                    "--policy", run->path("ab.json"),
                    "-s",       std::to_string(seed + static_cast<uint64_t>(i)),
                    "-o",       run->path("ab-" + std::to_string(seed + static_cast<uint64_t>(i))),
                    "--"};
    const Strings bench = run->bench();
    args.insert(args.end(), bench.begin(), bench.end());
    c.codes.push_back(run->ember(args));
  }
  c.seconds = now_seconds() - start;
  return c;
}

// Whether the gate could not see the delay: it demands more than the delay of a machine whose own
// processes differ by so much.
bool beyond_sight(const SelftestRun& run, uint64_t seed) {
  const Json j = Json::parse(read_file(run.path("ab-" + std::to_string(seed)) + "/compare.json"));
  for (const Json& c : j["cases"]) {
    const bool planted =
        c["id"].get<std::string>().find(run.options().planted) != std::string::npos;
    if (planted && c["threshold"].is_number() &&
        c["threshold"].get<double>() < run.options().share) {
      return false;
    }
  }
  return true;
}

int64_t count(const std::vector<int>& codes, int code) {
  return std::count(codes.begin(), codes.end(), code);
}

}  // namespace

void check_ab(SelftestRun* run) {
  const SelftestOptions& o = run->options();
  const int64_t n = o.rounds;
  char slower[64];
  std::snprintf(slower, sizeof slower, "ab: one kernel %g %% slower", 100 * o.share);
  const int64_t needed = static_cast<int64_t>(std::ceil(0.95 * static_cast<double>(n)));
  const std::string found =
      needed < n ? "1 in " + std::to_string(needed) + " of " + std::to_string(n) : "1";
  const std::string build = version().build;
  std::string why;
  if (n == 0) {
    why = "--rounds 0";
  } else if (!version().sanitizers.empty() || (build != "Release" && build != "RelWithDebInfo")) {
    why = "a debug or sanitizer build is never compared";
  }
  if (!why.empty()) {
    run->skip("ab: the same binary twice", "0", why);
    run->skip(slower, found, why);
    return;
  }
  write_json(run->path("ab.json"), Json({{"schema", "ember.policy/1"}, {"allow_dirty", true}}));
  SelftestCheck same = ab_rounds(run, "ab: the same binary twice", o.binary, o.seed);
  same.expected = "0";
  // 3 says that nobody can tell: the machine's fault. 1 would be a false alarm.
  const int64_t open = count(same.codes, exit_code(ErrorKind::kInconclusive)),
                zeros = count(same.codes, 0);
  same.pass = zeros == n;
  same.inconclusive = !same.pass && zeros + open == n;
  run->add(std::move(same));
  SelftestCheck slow = ab_rounds(run, slower, slowed(run), o.seed + 1000);
  slow.expected = found;
  const int64_t ones = count(slow.codes, exit_code(ErrorKind::kWrong));
  int64_t missed = 0, blind = 0;
  for (size_t i = 0; i < slow.codes.size(); ++i) {
    const bool noise = slow.codes[i] == 0 && beyond_sight(*run, o.seed + 1000 + i);
    missed += slow.codes[i] == 0 && !noise;
    blind += noise;
  }
  if (blind > 0) {
    slow.note = "in " + std::to_string(blind) + " the noise was above the delay";
  }
  slow.pass = ones >= needed;
  // A pass where something is slower is a miss; more than one in twenty is a gate that sleeps.
  slow.inconclusive =
      !slow.pass && missed <= n - needed &&
      ones + missed + blind + count(slow.codes, exit_code(ErrorKind::kInconclusive)) == n;
  run->add(std::move(slow));
}

}  // namespace ember
