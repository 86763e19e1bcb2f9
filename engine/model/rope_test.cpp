// SPDX-License-Identifier: Apache-2.0
#include "engine/model/rope.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/io/json.h"
#include "engine/io/mmap_file.h"
#include "kernels/base/half.h"

namespace ember {
namespace {

// Written by scripts/export_rope_table.py from transformers: both forms of config.json, with and
// without yarn and each of its fields.
TEST(Rope, EqualsTransformersToTheBit) {
  const std::string path = std::string(EMBER_SOURCE_DIR) + "/engine/model/testdata/rope.json";
  const std::string text = read_text_file(path, 1 << 24);
  const JsonDocument document(text, path);
  const JsonNode cases = document.root().at("cases");
  ASSERT_GE(cases.size(), 40u);
  int yarn = 0;
  for (size_t c = 0; c < cases.size(); ++c) {
    const std::string& json = cases.item(c).at("config").string();
    const ModelConfig config = parse_config(json, "config.json");
    const JsonNode bits = cases.item(c).at("inv_freq_bits");
    const std::vector<float> got = rope_inv_freq(config.rope, config.shape.E);
    ASSERT_EQ(got.size(), bits.size()) << json;
    for (size_t i = 0; i < got.size(); ++i) {
      EXPECT_EQ(float_to_bits(got[i]), static_cast<uint32_t>(bits.item(i).integer()))
          << json << " pair " << i;
    }
    EXPECT_EQ(config.rope.attention_factor, cases.item(c).at("attention_factor").number()) << json;
    yarn += config.rope.yarn ? 1 : 0;
  }
  EXPECT_GE(yarn, 20);
}

TEST(Rope, IsGeometricWithoutScaling) {
  RopeConfig rope;
  rope.theta = 1e6;
  const std::vector<float> f = rope_inv_freq(rope, 128);
  EXPECT_EQ(f[0], 1.0f);
  for (size_t i = 0; i < f.size(); ++i) {
    const double want = std::pow(1e6, -static_cast<double>(i) / 64);
    EXPECT_NEAR(f[i] / want, 1.0, 4e-7) << i;
  }
}

// High frequencies stay, low ones are divided by the factor, in between they fall together.
TEST(Rope, YarnInterpolatesLowFrequenciesOnly) {
  RopeConfig plain, yarn;
  plain.theta = yarn.theta = 1e6;
  yarn.yarn = true;
  yarn.factor = 4.0;
  yarn.original_max_position = 32768;
  const std::vector<float> a = rope_inv_freq(plain, 128), b = rope_inv_freq(yarn, 128);
  EXPECT_EQ(a[0], b[0]);
  EXPECT_NEAR(a[63] / b[63], 4.0, 1e-5);
  for (size_t i = 1; i < a.size(); ++i) {
    EXPECT_GE(a[i] / b[i], a[i - 1] / b[i - 1] * 0.999999f) << i;
  }
}

TEST(Rope, AttentionFactorOfThePaper) {
  EXPECT_DOUBLE_EQ(yarn_attention_factor(4.0, 0, 0), 0.1 * std::log(4.0) + 1.0);
  EXPECT_EQ(yarn_attention_factor(1.0, 0, 0), 1.0);
  EXPECT_EQ(yarn_attention_factor(4.0, 1.0, 1.0), 1.0);
  EXPECT_EQ(yarn_attention_factor(4.0, 1.0, 0.0), yarn_attention_factor(4.0, 0, 0));
}

}  // namespace
}  // namespace ember
