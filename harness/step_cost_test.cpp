// SPDX-License-Identifier: Apache-2.0
#include "harness/step_cost.h"

#include <gtest/gtest.h>

namespace ember {
namespace {

ModelConfig preset(const char* name) {
  ModelConfig c;
  c.shape = find_preset(name)->shape;
  return c;
}

// Worked by hand from the published shapes: GB of 16-bit weights a step at an empty cache.
TEST(StepCost, DecodeBytesOfThePresets) {
  const auto gb = [](const char* name) {
    return decode_step_bytes(preset(name), DType::kBF16, DType::kBF16, 0) * 1e-9;
  };
  EXPECT_NEAR(gb("qwen3-0.6b"), 1.192, 0.001);
  EXPECT_NEAR(gb("qwen3-1.7b"), 3.441, 0.001);
  EXPECT_NEAR(gb("qwen3-4b"), 8.045, 0.001);
  EXPECT_NEAR(gb("qwen3-8b"), 15.136, 0.002);
  EXPECT_NEAR(gb("qwen3-14b"), 27.980, 0.002);
}

TEST(StepCost, EachCachedTokenAddsItsKeysAndValues) {
  const ModelConfig c = preset("qwen3-8b");
  const double at0 = decode_step_bytes(c, DType::kBF16, DType::kBF16, 0);
  const double at1k = decode_step_bytes(c, DType::kBF16, DType::kBF16, 1000);
  EXPECT_DOUBLE_EQ(at1k - at0, 1000 * 147456.0);
  const double four = decode_step_bytes(c, DType::kBF16, DType::kBF16, 1000, 4);
  EXPECT_DOUBLE_EQ(four - at1k, 3 * (1001 * 147456.0 + 4096 * 2));
}

TEST(StepCost, PrefillFlopsSplitAtAnyPoint) {
  const ModelConfig c = preset("qwen3-0.6b");
  const double head = 2.0 * 151936 * 1024;
  EXPECT_NEAR(prefill_flops(c, 300, 0) + prefill_flops(c, 700, 300) - head,
              prefill_flops(c, 1000, 0), 1.0);
  // 2 x 0.4404 G weights a token, and the attention of one token with itself.
  EXPECT_NEAR(prefill_flops(c, 1, 0) - head, 2 * 440401920.0 + 4.0 * 28 * 2048, 1.0);
}

}  // namespace
}  // namespace ember
