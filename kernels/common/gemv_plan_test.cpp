// SPDX-License-Identifier: Apache-2.0
#include "kernels/common/gemv_plan.h"

#include <gtest/gtest.h>

namespace ember::k {
namespace {

// The cut of every matrix covers it and fits the limits of a block.
TEST(GemvPlan, CoversEveryShape) {
  for (int sms : {1, 46, 80, 84, 108, 128, 132}) {
    for (int64_t K = 8; K <= kGemvMaxK; K += 8) {
      for (int64_t N : {8, 1024, 151936}) {
        const GemvPlan p = plan_gemv(N, K, sms);
        ASSERT_GE(int64_t{p.vectors} * p.k_warps * 256, K) << p.str();
        ASSERT_LE(p.threads(), gemv_max_threads(p.vectors)) << p.str();
        ASSERT_EQ(p.rows, gemv_rows(p.vectors));
        ASSERT_GE(N, p.rows);
        ASSERT_TRUE(p.window >= 2 && p.window % 2 == 0) << p.str();
        const int partial = p.window * p.groups * p.rows * p.k_warps * 4;
        ASSERT_TRUE(K > kGemvMaxNormK || (partial % 16 == 0 && p.shared_bytes % 16 == 0));
        ASSERT_GE(p.shared_bytes, partial + p.k_warps * 4) << p.str();
        ASSERT_LE(p.shared_bytes, 48 * 1024) << p.str();
        ASSERT_LE(p.blocks, sms);
        ASSERT_TRUE(K > kGemvMaxNormK || p.vectors == 1) << p.str();
      }
    }
  }
}

// What is fetched ahead lies inside the matrix, whole 16-byte groups, and is no more than asked.
TEST(GemvPlan, PrefetchStaysInTheMatrix) {
  for (int64_t K : {8, 36, 1024, 2560, 4096, 5120, 17408}) {
    for (int64_t N : {8, 1024, 6144, 151936}) {
      for (int64_t bytes : {int64_t{0}, int64_t{1} << 10, int64_t{1} << 22, int64_t{1} << 32}) {
        const GemvPlan plan = plan_gemv(N, K, 132);
        const char* w = reinterpret_cast<const char*>(uintptr_t{1} << 40);
        const Prefetch p = prefetch_for(plan, w, N, K, bytes);
        ASSERT_TRUE(p.take >= 0 && p.take % 16 == 0 && p.stride % 16 == 0);
        ASSERT_LE(int64_t{p.take} * p.pieces, bytes);
        if (p.pieces > 0) {
          const char* end = static_cast<const char*>(p.data) + (p.pieces - 1) * p.stride + p.take;
          ASSERT_TRUE(p.data >= w && end <= w + N * K * 2);
        }
      }
    }
  }
}

}  // namespace
}  // namespace ember::k
