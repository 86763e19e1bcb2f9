// SPDX-License-Identifier: Apache-2.0
#include "engine/model/generation_config.h"

#include <gtest/gtest.h>

#include "engine/io/bad_files/bad_files_testing.h"
#include "kernels/base/error.h"

namespace ember {
namespace {

TEST(GenerationConfig, ReadsThePublishedForm) {
  const GenerationConfig c = parse_generation_config(
      R"({"bos_token_id": 151643, "do_sample": true, "eos_token_id": [151645, 151643],
          "pad_token_id": 151643, "temperature": 0.6, "top_k": 20, "top_p": 0.95,
          "transformers_version": "4.51.0"})",
      "generation_config.json");
  EXPECT_TRUE(c.present);
  EXPECT_EQ(c.eos_ids, (std::vector<int32_t>{151645, 151643}));
  EXPECT_EQ(c.bos_id, 151643);
  EXPECT_EQ(c.do_sample, true);
  EXPECT_EQ(c.temperature, 0.6);
  EXPECT_EQ(c.top_k, 20);
  EXPECT_EQ(c.top_p, 0.95);
  EXPECT_FALSE(c.min_p || c.repetition_penalty);
  EXPECT_EQ(c.ignored, std::vector<std::string>{"transformers_version"});
}

TEST(GenerationConfig, AMissingFileLeavesAllUnset) {
  const TemporaryDirectory dir;
  const GenerationConfig c = load_generation_config(dir.path());
  EXPECT_FALSE(c.present);
  EXPECT_TRUE(c.eos_ids.empty());
  EXPECT_FALSE(c.temperature || c.top_k || c.top_p || c.do_sample);
}

TEST(GenerationConfig, NullMeansUnset) {
  const GenerationConfig c =
      parse_generation_config(R"({"eos_token_id": null, "temperature": null, "top_k": null})", "g");
  EXPECT_TRUE(c.eos_ids.empty());
  EXPECT_FALSE(c.temperature || c.top_k);
}

TEST(GenerationConfig, RefusesEveryBadFile) {
  for (const BadFile& bad : bad_generation_files()) {
    EXPECT_TRUE(refuses(bad, load_generation_config)) << bad.name << " was accepted";
  }
}

}  // namespace
}  // namespace ember
