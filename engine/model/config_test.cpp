// SPDX-License-Identifier: Apache-2.0
#include "engine/model/config.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/io/bad_files/bad_files_testing.h"
#include "kernels/base/error.h"

namespace ember {
namespace {

ModelConfig parse(const std::string& fields) {
  return parse_config("{\"model_type\": \"qwen3\"" + fields + "}", "config.json");
}

// The config.json of Qwen/Qwen3-0.6B as published.
const char* const kPublished = R"({
  "architectures": ["Qwen3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
  "bos_token_id": 151643, "eos_token_id": 151645, "head_dim": 128, "hidden_act": "silu",
  "hidden_size": 1024, "initializer_range": 0.02, "intermediate_size": 3072,
  "max_position_embeddings": 40960, "max_window_layers": 28, "model_type": "qwen3",
  "num_attention_heads": 16, "num_hidden_layers": 28, "num_key_value_heads": 8,
  "rms_norm_eps": 1e-06, "rope_scaling": null, "rope_theta": 1000000, "sliding_window": null,
  "tie_word_embeddings": true, "torch_dtype": "bfloat16", "transformers_version": "4.51.0",
  "use_cache": true, "use_sliding_window": false, "vocab_size": 151936})";

TEST(Config, ReadsThePublishedForm) {
  const ModelConfig c = parse_config(kPublished, "config.json");
  const ModelShape want = find_preset("qwen3-0.6b")->shape;
  EXPECT_EQ(c.shape.L, want.L);
  EXPECT_EQ(c.shape.D, want.D);
  EXPECT_EQ(c.shape.H, want.H);
  EXPECT_EQ(c.shape.K, want.K);
  EXPECT_EQ(c.shape.E, want.E);
  EXPECT_EQ(c.shape.F, want.F);
  EXPECT_EQ(c.shape.V, want.V);
  EXPECT_TRUE(c.shape.tied);
  EXPECT_EQ(c.rms_eps, 1e-6);
  EXPECT_EQ(c.rope.theta, 1e6);
  EXPECT_FALSE(c.rope.yarn);
  EXPECT_EQ(c.max_position, 40960);
  EXPECT_EQ(c.dtype, DType::kBF16);
  EXPECT_TRUE(c.dtype_given);
  EXPECT_EQ(c.eos_ids, std::vector<int32_t>{151645});
  EXPECT_EQ(c.bos_id, 151643);
  EXPECT_FALSE(c.pad_id);
  EXPECT_TRUE(c.notes.empty());
  EXPECT_EQ(c.ignored,
            (std::vector<std::string>{"attention_dropout", "initializer_range", "max_window_layers",
                                      "sliding_window", "transformers_version", "use_cache"}));
}

// What transformers' Qwen3Config() gives.
TEST(Config, AbsentFieldsTakeTransformersDefaults) {
  const ModelConfig c = parse("");
  EXPECT_EQ(c.shape.L, 32);
  EXPECT_EQ(c.shape.D, 4096);
  EXPECT_EQ(c.shape.H, 32);
  EXPECT_EQ(c.shape.K, 32);
  EXPECT_EQ(c.shape.E, 128);
  EXPECT_EQ(c.shape.F, 22016);
  EXPECT_EQ(c.shape.V, 151936);
  EXPECT_FALSE(c.shape.tied);
  EXPECT_EQ(c.rms_eps, 1e-6);
  EXPECT_EQ(c.rope.theta, 10000.0);
  EXPECT_EQ(c.max_position, 32768);
  EXPECT_TRUE(c.eos_ids.empty());
  EXPECT_FALSE(c.dtype_given);
  EXPECT_EQ(parse(R"(, "num_attention_heads": 12, "num_key_value_heads": null)").shape.K, 12);
}

TEST(Config, DtypeWinsOverTorchDtype) {
  EXPECT_EQ(parse(R"(, "torch_dtype": "float16")").dtype, DType::kF16);
  EXPECT_EQ(parse(R"(, "torch_dtype": "float16", "dtype": "float32")").dtype, DType::kF32);
  EXPECT_EQ(parse(R"(, "torch_dtype": "float16", "dtype": null)").dtype, DType::kF16);
}

TEST(Config, EosIsOneIdOrSeveral) {
  EXPECT_EQ(parse(R"(, "eos_token_id": [3, 0])").eos_ids, (std::vector<int32_t>{3, 0}));
  EXPECT_TRUE(parse(R"(, "eos_token_id": null)").eos_ids.empty());
  EXPECT_EQ(parse(R"(, "vocab_size": 10, "eos_token_id": 10)").notes.size(), 1u);
}

// Precedence as in transformers: inside the rope fields, then beside them; rope_scaling first.
TEST(Config, RopeInBothForms) {
  EXPECT_EQ(parse(R"(, "rope_theta": 5e5)").rope.theta, 5e5);
  EXPECT_EQ(parse(R"(, "rope_theta": 5e5, "rope_parameters": {"rope_type": "default"})").rope.theta,
            5e5);
  EXPECT_EQ(parse(R"(, "rope_theta": 5e5, "rope_parameters": {"rope_theta": 7e5})").rope.theta,
            7e5);
  EXPECT_EQ(
      parse(R"(, "rope_theta": 5e5, "rope_scaling": {}, "rope_parameters": {"rope_theta": 7e5})")
          .rope.theta,
      7e5);
  EXPECT_EQ(parse(R"(, "rope_scaling": {"rope_type": "default", "rope_theta": 6e5},
                      "rope_parameters": {"rope_theta": 7e5})")
                .rope.theta,
            6e5);
  EXPECT_FALSE(parse(R"(, "rope_scaling": {"type": "yarn", "rope_type": "default"})").rope.yarn);
}

TEST(Config, YarnDefaults) {
  const RopeConfig r = parse(R"(, "max_position_embeddings": 131072, "rope_theta": 1e6,
      "rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768})")
                           .rope;
  EXPECT_TRUE(r.yarn && r.truncate);
  EXPECT_EQ(r.factor, 4.0);
  EXPECT_EQ(r.original_max_position, 32768);
  EXPECT_EQ(r.beta_fast, 32.0);
  EXPECT_EQ(r.beta_slow, 1.0);
  EXPECT_EQ(r.attention_factor, 0.1 * std::log(4.0) + 1.0);
}

TEST(Config, YarnFields) {
  const ModelConfig c = parse(R"(, "max_position_embeddings": 4096, "rope_parameters": {
      "rope_type": "yarn", "factor": null, "original_max_position_embeddings": 1024,
      "attention_factor": 0.5, "beta_fast": 16, "beta_slow": 0, "truncate": false,
      "partial_rotary_factor": 1.0})");
  EXPECT_EQ(c.rope.factor, 4.0);
  EXPECT_EQ(c.rope.attention_factor, 0.5);
  EXPECT_EQ(c.rope.beta_fast, 16.0);
  EXPECT_EQ(c.rope.beta_slow, 1.0);  // 0 means the default
  EXPECT_FALSE(c.rope.truncate);
  EXPECT_TRUE(c.notes.empty());
  // The field beside the rope fields counts first; without any, the context length.
  EXPECT_EQ(parse(R"(, "original_max_position_embeddings": 512, "rope_scaling": {"type": "yarn",
      "factor": 2, "original_max_position_embeddings": 1024})")
                .rope.original_max_position,
            512);
  const ModelConfig bare = parse(R"(, "rope_scaling": {"type": "yarn", "factor": 2})");
  EXPECT_EQ(bare.rope.original_max_position, 32768);
  EXPECT_EQ(parse(R"(, "rope_scaling": {"type": "yarn", "factor": 2,
      "original_max_position_embeddings": 1000})")
                .notes.size(),
            1u);
}

TEST(Config, RefusesEveryBadConfig) {
  for (const BadFile& bad : bad_config_files()) {
    if (bad.name == "config_of_other_weights") {
      continue;  // a good config.json; weight_source_test.cpp judges it
    }
    EXPECT_TRUE(refuses(bad, load_config)) << bad.name << " was accepted";
  }
}

}  // namespace
}  // namespace ember
