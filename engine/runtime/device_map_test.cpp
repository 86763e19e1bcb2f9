// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/device_map.h"

#include <gtest/gtest.h>

#include "kernels/base/error.h"

namespace ember {
namespace {

const DeviceId kCpu{DeviceKind::kCpu, 0};
DeviceId gpu(int i) {
  return {DeviceKind::kCuda, i};
}

std::vector<int64_t> counts(const DeviceMap& map) {
  std::vector<int64_t> n;
  for (const StageMap& s : map.stages) {
    n.push_back(s.layers);
  }
  return n;
}

TEST(DeviceMap, OneStageHoldsAll) {
  const DeviceMap map = DeviceMap::balance({10, {5, 5, 5}, 10}, {kCpu}, {100});
  ASSERT_EQ(map.stages.size(), 1u);
  EXPECT_TRUE(map.stages[0].first && map.stages[0].last);
  EXPECT_EQ(map.stages[0].layers, 3);
}

TEST(DeviceMap, BalancesByBytes) {
  // 8 layers of 10, a head of 40: the head's stage holds 2 layers, (60 | 20 + 40).
  const DeviceMap map =
      DeviceMap::balance({0, std::vector<int64_t>(8, 10), 40}, {gpu(0), gpu(1)}, {1000, 1000});
  EXPECT_EQ(counts(map), (std::vector<int64_t>{6, 2}));
  EXPECT_EQ(map.stages[1].first_layer, 6);
  EXPECT_FALSE(map.stages[0].last);
  EXPECT_FALSE(map.stages[1].first);
}

TEST(DeviceMap, FollowsFreeMemory) {
  const DeviceMap map =
      DeviceMap::balance({0, std::vector<int64_t>(9, 10), 0}, {gpu(0), gpu(1)}, {200, 100});
  EXPECT_EQ(counts(map), (std::vector<int64_t>{6, 3}));
}

TEST(DeviceMap, OneDeviceTwiceSharesItsMemory) {
  const DeviceMap map = DeviceMap::balance({0, std::vector<int64_t>(12, 10), 0},
                                           {gpu(0), gpu(0), gpu(1)}, {100, 100, 100});
  EXPECT_EQ(counts(map), (std::vector<int64_t>{3, 3, 6}));
}

TEST(DeviceMap, EveryStageGetsALayer) {
  const DeviceMap map = DeviceMap::balance({1000, {1, 1, 1}, 1000}, {kCpu, kCpu, kCpu}, {9, 9, 9});
  EXPECT_EQ(counts(map), (std::vector<int64_t>{1, 1, 1}));
  EXPECT_THROW(DeviceMap::balance({0, {1}, 0}, {kCpu, kCpu}, {9, 9}), Error);
}

TEST(DeviceMap, ExplicitSplitIsChecked) {
  EXPECT_EQ(counts(DeviceMap::explicit_split(4, {kCpu, kCpu}, {1, 3})),
            (std::vector<int64_t>{1, 3}));
  for (const std::vector<int64_t>& bad :
       std::vector<std::vector<int64_t>>{{4}, {2, 1}, {0, 4}, {5, -1}, {1, 1, 2}}) {
    EXPECT_THROW(DeviceMap::explicit_split(4, {kCpu, kCpu}, bad), Error);
  }
}

TEST(DeviceMap, PrintsEveryStage) {
  EXPECT_EQ(DeviceMap::explicit_split(4, {kCpu, gpu(1)}, {1, 3}).str(),
            "stage 0: cpu, layers 0-0, embedding; stage 1: device 1, layers 1-3, head");
}

}  // namespace
}  // namespace ember
