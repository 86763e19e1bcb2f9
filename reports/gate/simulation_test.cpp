// SPDX-License-Identifier: Apache-2.0
// What the gate promises, tried on simulated runs: log-normal noise between processes, an
// autoregressive walk within each (correlation 0.9 from value to value), and slow drift between one
// process and the next. The counts are printed.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>

#include "reports/gate/compare.h"
#include "reports/testing/sample_report.h"

namespace ember::report {
namespace {

struct Outcome {
  int runs = 0, alarms = 0, inconclusive = 0, found = 0;
};

// `runs` interleaved pairs of `cases` kernels; the last one is `slowdown` times slower in NEW.
Outcome simulate(int runs, int cases, const NoiseModel& model, double slowdown,
                 const Policy& policy, uint64_t seed) {
  Outcome out;
  const int processes = static_cast<int>(policy.screen_processes + policy.confirm_processes);
  for (int i = 0; i < runs; ++i) {
    const uint64_t at = seed + 2 * static_cast<uint64_t>(i);
    Report a = kernel_report(at << 20, cases, processes, model);
    Report b = kernel_report((at + 1) << 20, cases, processes, model, slowdown, cases - 1);
    a.run.group = b.run.group = "simulated";
    const Comparison c = compare(a, b, policy);
    bool alarm = false;
    for (const CaseVerdict& v : c.cases) {
      const bool planted = slowdown != 1 && v.id == a.cases.back().id;
      out.found += planted && v.verdict == Verdict::kWorse && c.refusals.empty();
      alarm = alarm || (!planted && v.verdict == Verdict::kWorse);
    }
    ++out.runs;
    out.alarms += alarm && c.refusals.empty();
    out.inconclusive += c.exit_code() == 3;
  }
  std::printf("[ figures  ] %d runs of %d cases: %d false alarms, %d inconclusive, %d found\n",
              out.runs, cases, out.alarms, out.inconclusive, out.found);
  return out;
}

// The bound of the policy is 1 %; three deviations of a binomial of 2000 are 0.67 %.
TEST(GateSimulation, FalseAlarmsStayUnderAlpha) {
  const Outcome quiet = simulate(2000, 20, {}, 1, {}, 1);
  EXPECT_LE(quiet.alarms, 33);
  EXPECT_LE(quiet.inconclusive, 40);
  NoiseModel rough;
  rough.between = 0.02;
  rough.within = 0.02;
  EXPECT_LE(simulate(1000, 20, rough, 1, {}, 50001).alarms, 19);
}

// With every threshold at zero the test and Holm's correction stand alone. At alpha 0.2 the rate
// must stay under 20 %, and not at nothing, or this simulation could not fail.
TEST(GateSimulation, TheCorrectionAloneHoldsItsLevel) {
  Policy bare;
  bare.alpha = 0.2;
  bare.screen_fraction = 0;
  bare.noise_factor = 0;
  bare.time_floor_s = 0;
  for (auto& [kind, floor] : bare.floors) {
    floor = 0;
  }
  const Outcome out = simulate(1000, 20, {}, 1, bare, 90001);
  EXPECT_LE(out.alarms, 238);
  EXPECT_GE(out.alarms, 10);
}

TEST(GateSimulation, FivePercentAreFound) {
  const Outcome out = simulate(500, 20, {}, 1.05, {}, 200001);
  EXPECT_GE(out.found, 495);
  EXPECT_LE(out.alarms, 5);
  const Outcome three = simulate(500, 20, {}, 1.03, {}, 300001);
  EXPECT_GE(three.found, 400);
}

// One walk over the whole session, of 1 % and slow. Run A B B A, both sides share it; run A and
// then B, it looks like a change. That is why ab interleaves, and why stored baselines need more.
Outcome drifting(int runs, bool interleaved) {
  Outcome out;
  NormalNoise noise(interleaved ? 5 : 6);
  for (int i = 0; i < runs; ++i) {
    Report a = kernel_report(uint64_t(400001 + 2 * i) << 20, 1, 14, {});
    Report b = kernel_report(uint64_t(400002 + 2 * i) << 20, 1, 14, {});
    a.run.group = b.run.group = "simulated";
    double walk = noise.next();
    for (int slot = 0; slot < 28; ++slot) {
      const bool first = interleaved ? (slot % 4 == 0 || slot % 4 == 3) : slot < 14;
      const size_t process = static_cast<size_t>(interleaved ? slot / 2 : slot % 14);
      for (double& v : (first ? a : b).cases[0].samples[process].values) {
        v *= std::exp(0.01 * walk);
      }
      walk = 0.95 * walk + std::sqrt(1 - 0.95 * 0.95) * noise.next();
    }
    const Comparison c = compare(a, b, {});
    ++out.runs;
    out.alarms += c.exit_code() == 1;
    out.inconclusive += c.exit_code() == 3;
  }
  std::printf("[ figures  ] drift, %s: %d runs, %d false alarms, %d inconclusive\n",
              interleaved ? "A B B A" : "A then B", out.runs, out.alarms, out.inconclusive);
  return out;
}

TEST(GateSimulation, InterleavingStandsDrift) {
  const Outcome woven = drifting(2000, true), apart = drifting(2000, false);
  EXPECT_LE(woven.alarms, 33);
  EXPECT_GT(apart.alarms, woven.alarms);
}

}  // namespace
}  // namespace ember::report
