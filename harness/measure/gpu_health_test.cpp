// SPDX-License-Identifier: Apache-2.0
// Against a library in NVML's place (nvml_fake.cpp).
#include "harness/measure/gpu_health.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "harness/measure/gpu_log.h"

namespace ember {
namespace {

constexpr DeviceId kCpu{DeviceKind::kCpu, 0}, kGpu{DeviceKind::kCuda, 0};

// Beside the test, wherever a build was carried to.
std::string fake() {
  return std::filesystem::read_symlink("/proc/self/exe").replace_filename(EMBER_NVML_FAKE).string();
}

TEST(GpuHealth, WhatTheLibrarySays) {
  const GpuHealth health(fake(), "0000:1b:00.0");
  const GpuState state = health.state();
  EXPECT_EQ(state.sm_mhz, 1755);
  EXPECT_EQ(state.memory_mhz, 2619);
  EXPECT_EQ(state.temperature_c, 41);
  EXPECT_EQ(state.throttle, Throttle::kPowerCap | 0x40);
  const GpuFacts facts = health.facts();
  EXPECT_EQ(facts.power_limit_w, 650);
  EXPECT_EQ(facts.power_default_w, 700);
  EXPECT_EQ(facts.ecc, true);
  EXPECT_EQ(facts.persistence, true);
  EXPECT_EQ(facts.sm_mhz_max, 1980);
  EXPECT_EQ(facts.sm_mhz_app, 1410);
  EXPECT_EQ(facts.sm_mhz_app_default, 1095);
  EXPECT_EQ(facts.pcie_generation, 4);
  EXPECT_EQ(facts.pcie_generation_max, 5);
  EXPECT_EQ(facts.pcie_width, 16);
  EXPECT_EQ(facts.other_processes, 2);  // besides this one
  EXPECT_EQ(facts.driver, "580.82.07");
  const std::vector<NvLink> links = health.nvlinks();
  ASSERT_EQ(links.size(), 2u);  // the active ones
  EXPECT_EQ(links[0].generation, 4);
}

TEST(GpuHealth, WhatItCannotSayIsAbsent) {
  EXPECT_FALSE(GpuHealth(fake(), "0000:1b:00.0").facts().mig.has_value());
  const std::vector<NvLink> links = GpuHealth(fake(), "0000:1b:00.0").nvlinks();
  ASSERT_FALSE(links.empty());
  EXPECT_EQ(links[0].bytes_per_s, 0);
  for (const GpuHealth& none : {GpuHealth(fake(), "0000:99:00.0"),
                                GpuHealth("no-such-library.so", "0000:1b:00.0"), GpuHealth(kCpu)}) {
    EXPECT_FALSE(none.state().sm_mhz.has_value());
    EXPECT_FALSE(none.state().throttle.has_value());
    EXPECT_FALSE(none.facts().power_limit_w.has_value());
    EXPECT_FALSE(none.facts().sm_mhz_app.has_value());
    EXPECT_TRUE(none.nvlinks().empty());
  }
}

TEST(GpuLog, RangesAndReasonsOfTheReadings) {
  GpuLog log;
  log.add(kGpu, {1980, 2619, 40, 0});
  log.add(kGpu, {1700, 2619, 61, Throttle::kPowerCap | Throttle::kSetting});
  log.add(kGpu, {1740, {}, 60, 0x8 | 0x40});
  log.add(kGpu, {});
  log.add(kCpu, {1, 1, 1, 1});
  EXPECT_EQ(log.find(kCpu), nullptr);
  EXPECT_EQ(log.find({DeviceKind::kCuda, 1}), nullptr);
  const GpuSeen* s = log.find(kGpu);
  ASSERT_NE(s, nullptr);
  EXPECT_EQ(s->sm_mhz, (std::vector<double>{1980, 1700, 1740}));
  EXPECT_EQ(s->memory_mhz.size(), 2u);
  EXPECT_EQ(s->first_c, 40);
  EXPECT_EQ(s->highest_c, 61);
  EXPECT_EQ(s->told, 3);
  EXPECT_EQ(s->power, 1);
  EXPECT_EQ(s->setting, 1);
  EXPECT_EQ(s->thermal, 1);
  EXPECT_EQ(s->hardware, 1);
}

TEST(GpuWatch, NothingToReadOnTheCpu) {
  GpuWatch watch({kCpu, kCpu});
  watch.read();
  EXPECT_FALSE(watch.clock_mhz().has_value());
}

}  // namespace
}  // namespace ember
