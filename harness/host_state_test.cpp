// SPDX-License-Identifier: Apache-2.0
#include "harness/host_state.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "kernels/base/temporary_directory.h"

namespace ember {
namespace {

namespace fs = std::filesystem;

// A machine's files under a folder of its own.
class HostState : public ::testing::Test {
 protected:
  void put(const std::string& path, const std::string& text) {
    fs::create_directories(fs::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text;
  }
  const TemporaryDirectory directory_;
  const std::string root_ = directory_.path();
};

TEST_F(HostState, WhatNobodySaysIsAbsent) {
  EXPECT_FALSE(cpu_governor(root_).has_value());
  EXPECT_FALSE(numa_nodes(root_).has_value());
  EXPECT_FALSE(in_container(root_).has_value());
  put("/proc/1/cgroup", "0::/\n");
  EXPECT_FALSE(in_container(root_).has_value());
}

TEST_F(HostState, GovernorsOfAllCores) {
  const std::string cpus = "/sys/devices/system/cpu/";
  put(cpus + "cpu0/cpufreq/scaling_governor", "powersave\n");
  put(cpus + "cpu11/cpufreq/scaling_governor", "powersave\n");
  put(cpus + "cpufreq/scaling_governor", "none\n");
  EXPECT_EQ(cpu_governor(root_), "powersave");
  put(cpus + "cpu2/cpufreq/scaling_governor", "performance\n");
  EXPECT_EQ(cpu_governor(root_), "performance, powersave");
}

TEST_F(HostState, NumaNodes) {
  for (const char* name : {"node0/cpulist", "node1/cpulist", "power/state", "nodes/x"}) {
    put(std::string("/sys/devices/system/node/") + name, "");
  }
  EXPECT_EQ(numa_nodes(root_), 2);
}

TEST_F(HostState, ContainersByTheirMarks) {
  put("/run/systemd/system/x", "");
  EXPECT_EQ(in_container(root_), false);
  put("/proc/1/cgroup", "0::/init.scope\n");
  EXPECT_EQ(in_container(root_), false);
  put("/proc/1/cgroup", "0::/kubepods.slice/pod1\n");
  EXPECT_EQ(in_container(root_), true);
  put("/proc/1/cgroup", "0::/\n");
  EXPECT_EQ(in_container(root_), false);
  put("/.dockerenv", "");
  EXPECT_EQ(in_container(root_), true);
}

}  // namespace
}  // namespace ember
