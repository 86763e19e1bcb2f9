// SPDX-License-Identifier: Apache-2.0
#include "reports/gate/policy.h"

#include <gtest/gtest.h>

#include "kernels/base/error.h"

namespace ember::report {
namespace {

std::string refusal(const std::string& fields) {
  try {
    parse_policy("{\"schema\":\"ember.policy/1\"" + fields + "}", "p.json");
  } catch (const Error& e) {
    EXPECT_EQ(exit_code(e.kind()), 2);
    return e.what();
  }
  return "accepted";
}

TEST(Policy, ReadsWhatItNames) {
  const Policy p = parse_policy(
      R"({"schema":"ember.policy/1","alpha":0.005,"confirm_processes":12,"floors":{"e2e":0.01,"bandwidth":0.015},
          "rename":{"a":"b"},"ignore":["kernel/old/*","x"]})",
      "p.json");
  EXPECT_EQ(p.alpha, 0.005);
  EXPECT_EQ(p.confirm_processes, 12);
  EXPECT_EQ(p.rename.at("a"), "b");
  EXPECT_TRUE(p.ignores("kernel/old/M=1"));
  EXPECT_TRUE(p.ignores("x"));
  EXPECT_FALSE(p.ignores("x/y"));
  EXPECT_EQ(p.floor_of(make_case(Kind::kE2e, "a", {}, Metric::kTpot)), 0.01);
  EXPECT_EQ(p.floor_of(make_case(Kind::kE2e, "a", {}, Metric::kTtft)), 0.03);
  EXPECT_EQ(p.floor_of(make_case(Kind::kP2p, "a", {}, Metric::kBandwidth)), 0.015);
}

TEST(Policy, RefusesWhatItDoesNotKnow) {
  EXPECT_NE(refusal(",\"alfa\":0.1").find("alfa"), std::string::npos);
  EXPECT_NE(refusal(",\"alpha\":0.9").find("alpha"), std::string::npos);
  EXPECT_NE(refusal(",\"floors\":{\"speed\":0.1}").find("speed"), std::string::npos);
  EXPECT_NE(refusal(",\"extend_processes\":3").find("extend"), std::string::npos);
  EXPECT_THROW(parse_policy("{", "p.json"), Error);
}

TEST(Policy, LooseningIsNamedTighteningIsNot) {
  Policy p;
  EXPECT_TRUE(loosenings(p).empty());
  p.alpha = 0.001;  // fewer alarms: easier to pass
  EXPECT_EQ(loosenings(p).size(), 1u);
  p.alpha = 0.05;
  p.floors["kernel"] = 0.01;
  p.screen_fraction = 0.5;
  EXPECT_TRUE(loosenings(p).empty());
  p.floors["kernel"] = 0.05;
  p.allow_dirty = true;
  p.ignore = {"*"};
  EXPECT_EQ(loosenings(p).size(), 3u);
}

}  // namespace
}  // namespace ember::report
