// SPDX-License-Identifier: Apache-2.0
#include "harness/environment.h"

#include <gtest/gtest.h>

#include "kernels/base/error.h"
#include "reports/writer.h"

namespace ember {
namespace {

constexpr DeviceId kCpu{DeviceKind::kCpu, 0}, kGpu{DeviceKind::kCuda, 0};

Ceilings ceilings() {
  return Ceilings({{"mem_read", "B/s", 100e9, 99e9, 101e9, false}});
}

report::Case held(double rate, int64_t devices = 1, DeviceId device = kGpu) {
  report::Case c = report::make_case(report::Kind::kKernel, "op", {}, report::Metric::kTime);
  hold_against(&c, ceilings(), "mem_read", device, rate, devices);
  return c;
}

TEST(HoldAgainst, AShareBeyondTheSlackFailsTheCase) {
  EXPECT_EQ(held(50e9).status, report::Status::kOk);
  EXPECT_DOUBLE_EQ(held(50e9).ceiling->share, 0.5);
  EXPECT_EQ(held(50e9).ceiling->ref, "mem_read@cuda:0");
  EXPECT_EQ(held(101.9e9).status, report::Status::kOk);
  EXPECT_EQ(held(102.1e9).status, report::Status::kFailed);
  EXPECT_NE(held(102.1e9).reason.find("mem_read@cuda:0"), std::string::npos);
  EXPECT_EQ(held(202e9, 2).status, report::Status::kOk);
  EXPECT_EQ(held(205e9, 2).status, report::Status::kFailed);
}

// A CPU is shared: a little beyond its ceiling is noise, far beyond it a miscount.
TEST(HoldAgainst, ACpuThatWasBusyGivesANoisyCase) {
  EXPECT_EQ(held(101.9e9, 1, kCpu).status, report::Status::kOk);
  EXPECT_EQ(held(150e9, 1, kCpu).status, report::Status::kNoisy);
  EXPECT_NE(held(150e9, 1, kCpu).reason.find("mem_read@cpu"), std::string::npos);
  EXPECT_EQ(held(301e9, 1, kCpu).status, report::Status::kFailed);
}

// A report that holds either is one by its own schema.
TEST(HoldAgainst, TheSchemaAgrees) {
  report::Report r = start_report({"ember"}, {kCpu});
  add_ceilings(&r, kCpu, ceilings());
  for (const double rate : {101.9e9, 350e9}) {
    report::Case c = held(rate, 1, kCpu);
    c.id += "/rate=" + std::to_string(rate);
    c.samples.push_back({0, static_cast<int64_t>(rate), {}, {1.0, 2.0}});
    c.stop = "count";
    r.cases.push_back(c);
  }
  EXPECT_NO_THROW(report::to_json(r));
  r.cases[1].status = report::Status::kOk;
  r.cases[1].reason.clear();
  EXPECT_THROW(report::to_json(r), Error);
}

TEST(FinishReport, SaysWhatTheGpusWereSeenToDo) {
  GpuLog log;
  log.add(kGpu, {1980, 2619, 40, 0});
  log.add(kGpu, {1700, 2619, 61, Throttle::kPowerCap});
  log.add(kGpu, {1740, 1593, 60, Throttle::kSetting});
  log.add(kGpu, {1740, 2619, 60, Throttle::kHardware | 0x20});
  report::Report r = start_report({"ember"}, {kCpu});
  report::Gpu seen, idle;
  seen.name = idle.name = "GPU";
  idle.index = 1;
  r.env.gpus = {seen, idle};
  finish_report(&r, 2.5, log);
  EXPECT_EQ(r.run.wall_s, 2.5);
  const report::Gpu& g = r.env.gpus[0];
  EXPECT_EQ(g.sm_mhz->min, 1700);
  EXPECT_EQ(g.sm_mhz->median, 1740);
  EXPECT_EQ(g.sm_mhz->max, 1980);
  EXPECT_EQ(g.mem_mhz_seen->min, 1593);
  EXPECT_EQ(g.temp_start_c, 40);
  EXPECT_EQ(g.temp_max_c, 61);
  EXPECT_EQ(g.throttle->power, 0.25);
  EXPECT_EQ(g.throttle->setting, 0.25);
  EXPECT_EQ(g.throttle->thermal, 0.25);
  EXPECT_EQ(g.throttle->hardware, 0.25);
  const report::Gpu& other = r.env.gpus[1];
  EXPECT_FALSE(other.sm_mhz || other.mem_mhz_seen || other.temp_max_c || other.throttle);
  EXPECT_NO_THROW(report::to_json(r));
}

TEST(HoldAgainst, WhatWasNotMeasuredIsNoLimit) {
  report::Case c = report::make_case(report::Kind::kKernel, "op", {}, report::Metric::kTime);
  hold_against(&c, ceilings(), "gemm_bf16", kCpu, 1e30);
  hold_against(&c, Ceilings(), "mem_read", kCpu, 1e30);
  EXPECT_FALSE(c.ceiling.has_value());
  EXPECT_EQ(c.status, report::Status::kOk);
}

}  // namespace
}  // namespace ember
