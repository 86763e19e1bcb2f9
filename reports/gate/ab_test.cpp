// SPDX-License-Identifier: Apache-2.0
#include "reports/gate/ab.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace ember::report {
namespace {

TEST(Ab, OrderIsBalancedInBlocks) {
  int opened_by_a = 0;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const std::vector<bool> order = interleaved_order(10, seed, 0);
    ASSERT_EQ(order.size(), 20u);
    EXPECT_EQ(std::count(order.begin(), order.end(), true), 10);
    for (size_t i = 0; i < 20; i += 4) {  // A B B A or B A A B
      EXPECT_EQ(order[i], order[i + 3]);
      EXPECT_EQ(order[i + 1], order[i + 2]);
      EXPECT_NE(order[i], order[i + 1]);
    }
    opened_by_a += order[0];
  }
  EXPECT_GT(opened_by_a, 70);
  EXPECT_LT(opened_by_a, 130);
  EXPECT_EQ(interleaved_order(4, 7, 2), interleaved_order(4, 7, 2));
}

TEST(Ab, CommandsNameTheirFiles) {
  AbOptions o;
  o.a = "old";
  o.b = "new";
  o.args = {"bench", "kernels"};
  EXPECT_EQ(command_of(o, true, "r.json", "ids"),
            (std::vector<std::string>{"old", "bench", "kernels", "--json", "r.json"}));
  o.args = {"bench", "--out={out}", "{ids}"};
  EXPECT_EQ(command_of(o, false, "r.json", "ids"),
            (std::vector<std::string>{"new", "bench", "--out=r.json", "ids"}));
}

}  // namespace
}  // namespace ember::report
