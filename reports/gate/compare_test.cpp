// SPDX-License-Identifier: Apache-2.0
#include "reports/gate/compare.h"

#include <gtest/gtest.h>

#include <sstream>

#include "reports/testing/sample_report.h"

namespace ember::report {
namespace {

Report side(uint64_t seed, double slowdown = 1, int processes = 14) {
  Report r = kernel_report(seed, 4, processes, {}, slowdown, 2);
  r.run.group = "g";
  return r;
}

const CaseVerdict& of(const Comparison& c, const std::string& id) {
  for (const CaseVerdict& v : c.cases) {
    if (v.id == id) {
      return v;
    }
  }
  throw std::runtime_error("no case " + id);
}

bool refuses(const Comparison& c, const std::string& part) {
  for (const std::string& why : c.refusals) {
    if (why.find(part) != std::string::npos) {
      return c.exit_code() == 3;
    }
  }
  return false;
}

TEST(Compare, SameCodePassesAndASlowdownDoesNot) {
  const Comparison same = compare(side(1), side(2), {});
  EXPECT_EQ(same.exit_code(), 0);
  EXPECT_EQ(same.count(Verdict::kSame), 4);
  const Comparison slow = compare(side(1), side(2, 1.05), {});
  EXPECT_EQ(slow.exit_code(), 1);
  const CaseVerdict& v = of(slow, "kernel/op2/M=1");
  EXPECT_EQ(v.verdict, Verdict::kWorse);
  EXPECT_NEAR(*v.shift, 0.05, 0.02);
  EXPECT_LT(*v.p_adjusted, 0.01);
  EXPECT_NEAR(*slow.attainable, 2.0 / 48620, 1e-9);
  EXPECT_EQ(slow.count(Verdict::kSame), 3);
  const Comparison fast = compare(side(1), side(2, 0.95), {});
  EXPECT_EQ(fast.exit_code(), 0);
  EXPECT_EQ(fast.count(Verdict::kBetter), 1);
}

TEST(Compare, HigherIsBetterTurnsTheSign) {
  Report a = side(1), b = side(2, 1.05);
  for (Report* r : {&a, &b}) {
    for (Case& c : r->cases) {
      c.metric = Metric::kBandwidth;
      c.better = Better::kHigher;
    }
  }
  EXPECT_EQ(compare(a, b, {}).count(Verdict::kBetter), 1);
  const Comparison worse = compare(b, a, {});
  EXPECT_EQ(worse.exit_code(), 1);
  EXPECT_LT(*of(worse, "kernel/op2/M=1").shift, 0);
}

// A gate that cannot reject must not pass what it flagged.
TEST(Compare, TooFewProcessesAreInconclusive) {
  const Comparison screened = compare(side(1, 1, 5), side(2, 1.05, 5), {});
  EXPECT_EQ(screened.exit_code(), 3);
  EXPECT_EQ(of(screened, "kernel/op2/M=1").verdict, Verdict::kInconclusive);
  EXPECT_EQ(compare(side(1, 1, 5), side(2, 1, 5), {}).exit_code(), 0);
  const Comparison single = compare(side(1, 1, 1), side(2, 1, 1), {});
  EXPECT_EQ(single.exit_code(), 3);
  EXPECT_EQ(single.count(Verdict::kInconclusive), 4);
  // 5 + 3: three against three reach 0.1 at the least.
  const Comparison few = compare(side(1, 1, 8), side(2, 1.05, 8), {});
  EXPECT_EQ(few.exit_code(), 3);
  EXPECT_NEAR(*few.attainable, 0.1, 1e-9);
}

// 5 + 4 processes a side: each id alone could reach 0.029 at best, and twenty flagged ones never.
TEST(Compare, ManyFlaggedIdsRaiseWhatMustBeReached) {
  Report a = kernel_report(1, 260, 14, {}), b = kernel_report(1, 260, 14, {});
  a.run.group = b.run.group = "g";
  for (Case& c : b.cases) {
    for (Samples& s : c.samples) {
      for (double& v : s.values) {
        v *= 1.1;
      }
    }
  }
  const Comparison c = compare(a, b, {});
  EXPECT_EQ(c.flagged, 260);
  EXPECT_GT(*c.attainable, 0.01);
  EXPECT_EQ(c.exit_code(), 3);
  EXPECT_EQ(c.count(Verdict::kSame), 0);
}

TEST(Compare, WhatIsGoneFails) {
  Report missing = side(2);
  missing.cases.erase(missing.cases.begin());
  EXPECT_EQ(compare(side(1), missing, {}).exit_code(), 1);
  EXPECT_EQ(compare(missing, side(1), {}).exit_code(), 0);  // added
  Report skipped = side(2);
  skip(skipped.cases[0], "no room");
  EXPECT_EQ(of(compare(side(1), skipped, {}), "kernel/op0/M=1").verdict, Verdict::kLost);
  EXPECT_EQ(compare(skipped, skipped, {}).exit_code(), 0);
  Report unverified = side(2);
  unverified.cases[1].verified = std::nullopt;
  EXPECT_EQ(compare(side(1), unverified, {}).exit_code(), 1);
  Report ungated = side(2);
  ungated.cases[1].gate = false;
  EXPECT_EQ(compare(side(1), ungated, {}).exit_code(), 1);
  Report work = side(2);
  work.cases[1].work = Work{1.0, std::nullopt, std::nullopt};
  EXPECT_EQ(compare(side(1), work, {}).exit_code(), 1);
  Report failed = side(2);
  fail_case(failed.cases[1], "wrong output");
  EXPECT_EQ(compare(failed, failed, {}).exit_code(), 1);
  Policy policy;
  policy.ignore = {"kernel/op1*"};
  EXPECT_EQ(compare(side(1), failed, policy).exit_code(), 0);
}

TEST(Compare, ARenamedIdIsFollowed) {
  Report b = side(2);
  b.cases[0].id = "kernel/new/M=1";
  EXPECT_EQ(compare(side(1), b, {}).exit_code(), 1);
  Policy policy;
  policy.rename["kernel/op0/M=1"] = "kernel/new/M=1";
  EXPECT_EQ(compare(side(1), b, policy).exit_code(), 0);
}

TEST(Compare, RefusesWhatIsNotComparable) {
  const auto with = [](void (*change)(Report*)) {
    Report r = side(2, 1.05);
    change(&r);
    return compare(side(1), r, {});
  };
  EXPECT_TRUE(refuses(with([](Report* r) { r->env.profiler_attached = true; }), "profiler"));
  EXPECT_TRUE(refuses(with([](Report* r) { r->subject.dirty = true; }), "uncommitted"));
  EXPECT_TRUE(refuses(with([](Report* r) { r->subject.build_type = "Debug"; }), "Debug"));
  EXPECT_TRUE(refuses(with([](Report* r) { r->subject.sanitizers = {"address"}; }), "sanitizers"));
  EXPECT_TRUE(refuses(with([](Report* r) { r->env.host.cpu = "Another"; }), "another cpu"));
  EXPECT_TRUE(refuses(with([](Report* r) { r->env.slow_link = "1 GB/s, 0 us"; }),
                      "another link between stages: none in BASE, 1 GB/s"));
  EXPECT_TRUE(refuses(with([](Report* r) { r->run.status = "interrupted"; }), "interrupted"));
  EXPECT_TRUE(refuses(with([](Report* r) { r->cases[0].excluded_throttled = 400; }), "throttled"));
  EXPECT_TRUE(refuses(with([](Report* r) { r->cases.clear(); }), "") ||
              with([](Report* r) { r->cases.clear(); }).exit_code() == 1);
  const auto unjudged = [](Report* r) {
    skip(r->cases.emplace_back(make_case(Kind::kCheck, "golden", {}, Metric::kCount)),
         kGoldenLeftOut);
  };
  EXPECT_TRUE(refuses(with(unjudged), "--no-golden"));
  Report judged = side(2), base = side(1);
  for (Report* r : {&judged, &base}) {  // by a suite, in another process
    unjudged(r);
    Case& c = r->cases.emplace_back(make_case(Kind::kGolden, "all", {}, Metric::kError));
    c.golden = GoldenVerdict{true, "kl", {}, {}, {}, {}, {}};
  }
  EXPECT_FALSE(refuses(compare(base, judged, {}), "--no-golden"));
  const auto gpu = [](void (*change)(Gpu*)) {
    Report a = sample_report(1), b = sample_report(2);
    change(&b.env.gpus[1]);
    return compare(a, b, {});
  };
  EXPECT_TRUE(refuses(gpu([](Gpu* g) { g->name = "Other GPU"; }), "another gpu 1 name"));
  EXPECT_TRUE(refuses(gpu([](Gpu* g) { g->other_processes = 1; }), "shared"));
  EXPECT_TRUE(refuses(gpu([](Gpu* g) { g->throttle->thermal = 0.2; }), "heat"));
  EXPECT_TRUE(refuses(gpu([](Gpu* g) { g->throttle->hardware = 0.2; }), "brake"));
  EXPECT_FALSE(refuses(gpu([](Gpu* g) { g->throttle->thermal = 0.04; }), "heat"));
  // Usual under large products, whose clocks differ from other cases' in every run.
  EXPECT_FALSE(refuses(gpu([](Gpu* g) { g->throttle->power = 0.9; }), "power"));
  EXPECT_FALSE(refuses(gpu([](Gpu* g) { g->sm_mhz->min = 1200; }), "clock"));
  EXPECT_TRUE(refuses(gpu([](Gpu* g) { g->clock_policy = "app"; }), "clock policy"));
  const auto clocks = [](double one) {
    return [one](Report* r) {
      for (Samples& s : r->cases[1].samples) {
        s.clock_mhz = s.process == 0 ? one : 1980;
      }
    };
  };
  Report moved = side(2, 1.05), steady = side(2, 1.05);
  clocks(1800)(&moved);
  clocks(1900)(&steady);
  EXPECT_TRUE(refuses(compare(side(1), moved, {}), "clock changed by 9.1 % between processes of " +
                                                       moved.cases[1].id + " (1800 to 1980 MHz)"));
  EXPECT_FALSE(refuses(compare(side(1), steady, {}), "clock"));
  EXPECT_TRUE(refuses(gpu([](Gpu* g) { g->power_limit_w = 500; }), "power limit"));
  Policy policy;
  policy.allow_dirty = true;
  Report dirty = side(2);
  dirty.subject.dirty = true;
  EXPECT_EQ(compare(side(1), dirty, policy).exit_code(), 0);
}

TEST(Compare, NothingToJudgeIsNoPass) {
  Report a = side(1);
  for (Case& c : a.cases) {
    c.gate = false;
  }
  EXPECT_TRUE(refuses(compare(a, a, {}), "no case"));
}

// A slower clock stretches the time and leaves the cycles as they were.
TEST(Compare, ASlowerClockIsNoRegression) {
  Report a = side(1), b = side(2, 1.05);
  const auto clock = [](Report* r, double mhz) {
    for (Case& c : r->cases) {
      for (Samples& s : c.samples) {
        s.clock_mhz = mhz;
      }
    }
  };
  clock(&a, 1980);
  clock(&b, 1980 / 1.05);
  const Comparison slow = compare(a, b, {});
  EXPECT_EQ(slow.exit_code(), 3);
  EXPECT_EQ(of(slow, "kernel/op2/M=1").explanation.substr(0, 6), "clock:");
  clock(&b, 1980);
  EXPECT_EQ(compare(a, b, {}).exit_code(), 1);
}

TEST(Compare, AnUnsteadyBaseIsNotComparable) {
  Report a = side(1);
  for (Case& c : a.cases) {
    for (Samples& s : c.samples) {
      for (double& v : s.values) {
        v *= s.order < 7 ? 1 : 1.4;
      }
    }
  }
  EXPECT_TRUE(refuses(compare(a, side(2, 2), {}), "differs from itself"));
}

TEST(Compare, StoredBaselinesNeedTwiceTheShift) {
  Report a = side(1), b = side(2, 1.03);
  EXPECT_EQ(compare(a, b, {}).exit_code(), 1);
  a.run.group.reset();
  const Comparison c = compare(a, b, {});
  EXPECT_FALSE(c.interleaved);
  EXPECT_EQ(c.exit_code(), 0);
}

TEST(Compare, SizesAreComparedWithoutATest) {
  const auto with = [](double bytes) {
    Report r = side(1);
    Case c = make_case(Kind::kE2e, "memory", {}, Metric::kBytes);
    c.samples = {{0, 99, std::nullopt, {bytes}}};
    r.cases = {c};
    return r;
  };
  EXPECT_EQ(compare(with(1e9), with(1e9), {}).exit_code(), 0);
  EXPECT_EQ(compare(with(1e9), with(1.01e9), {}).exit_code(), 1);
}

TEST(Compare, PrintsAndWritesItsVerdicts) {
  const Comparison c = compare(side(1), side(2, 1.05), {});
  std::ostringstream out;
  print(out, c, false);
  EXPECT_NE(out.str().find("worse  kernel/op2/M=1"), std::string::npos) << out.str();
  EXPECT_NE(out.str().find("smallest adjusted p within reach: 4.1e-05"), std::string::npos)
      << out.str();
  const Json j = to_json(c);
  EXPECT_EQ(j["exit_code"], 1);
  EXPECT_EQ(j["cases"].size(), 4u);
}

}  // namespace
}  // namespace ember::report
