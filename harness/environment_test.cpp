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

TEST(HoldAgainst, WhatWasNotMeasuredIsNoLimit) {
  report::Case c = report::make_case(report::Kind::kKernel, "op", {}, report::Metric::kTime);
  hold_against(&c, ceilings(), "gemm_bf16", kCpu, 1e30);
  hold_against(&c, Ceilings(), "mem_read", kCpu, 1e30);
  EXPECT_FALSE(c.ceiling.has_value());
  EXPECT_EQ(c.status, report::Status::kOk);
}

}  // namespace
}  // namespace ember
