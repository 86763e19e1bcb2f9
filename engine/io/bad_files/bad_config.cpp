// SPDX-License-Identifier: Apache-2.0
#include <filesystem>

#include "engine/io/bad_files/good_model.h"

namespace ember {
using namespace bad_files;
namespace {

// config.json with one field set; the message must name the field.
BadFile field(const std::string& name, const std::string& key, const json& value,
              const std::string& message) {
  return {"config_" + name,
          false,
          [key, value](const std::string& dir) {
            json config = good_config();
            config[key] = value;
            write_json(dir + "/config.json", config);
          },
          {"config.json", key, "byte ", message}};
}

BadFile yarn(const std::string& name, const json& change, const std::string& message) {
  json rope = {{"rope_type", "yarn"}, {"factor", 4.0}, {"original_max_position_embeddings", 16}};
  rope.merge_patch(change);
  return field("yarn_" + name, "rope_scaling", rope, message);
}

}  // namespace

std::vector<BadFile> bad_config_files() {
  const std::string file = "config.json";
  std::vector<BadFile> out = {
      text_file("config_empty", file, "", {"byte 0"}),
      text_file("config_cut", file, "{\"model_type\": \"qwen3\"", {"byte "}),
      text_file("config_list", file, "[1]", {"expected an object"}),
      text_file("config_deep", file, std::string(100000, '['), {"nested"}),
      text_file("config_not_utf8", file, "{\"model_type\": \"\xc3\x28\"}", {"UTF-8", "byte "}),
      text_file("config_huge_number", file, "{\"model_type\": \"qwen3\", \"hidden_size\": 1e999}",
                {"out of range"}),
      text_file("config_without_type", file, "{}", {"no field 'model_type'"}),
      text_file("config_duplicate_key", file,
                "{\"model_type\": \"qwen3\", \"hidden_size\": 8, \"hidden_size\": 16}",
                {"duplicate key 'hidden_size'", "byte "}),
      field("moe", "model_type", "qwen3_moe", "'qwen3_moe' is not supported"),
      field("llama", "model_type", "llama", "'llama' is not supported"),
      field("type_number", "model_type", 3, "expected a string"),
      field("architecture", "architectures", json::array({"Qwen3ForSequenceClassification"}),
            "'Qwen3ForSequenceClassification' is not supported"),
      field("activation", "hidden_act", "gelu", "'gelu' is not supported"),
      field("bias", "attention_bias", true, "not supported"),
      field("sliding", "use_sliding_window", true, "not supported"),
      field("layer_types", "layer_types", json::array({"sliding_attention"}),
            "'sliding_attention'"),
      field("layer_count", "layer_types", {"full_attention", "full_attention"},
            "num_hidden_layers is 1"),
      field("quantised", "quantization_config", {{"bits", 4}}, "quantised"),
      field("other_weights", "transformers_weights", "x.safetensors", "not supported"),
      field("tied_text", "tie_word_embeddings", "yes", "expected true or false"),
      field("kv_heads", "num_key_value_heads", 3, "multiple"),
      field("odd_head", "head_dim", 5, "odd"),
      field("wide_head", "head_dim", 258, "got 258"),
      field("head_null", "head_dim", nullptr, "got null"),
      field("deep_model", "num_hidden_layers", 5000, "got 5000"),
      field("eps_zero", "rms_norm_eps", 0, "above 0"),
      field("eps_negative", "rms_norm_eps", -1e-6, "above 0"),
      field("eps_text", "rms_norm_eps", "1e-6", "expected a number"),
      field("theta_zero", "rope_theta", 0, "above 1"),
      field("theta_negative", "rope_theta", -1e4, "above 1"),
      field("theta_null", "rope_theta", nullptr, "expected a number"),
      field("theta_huge", "rope_theta", 1e300, "at most"),
      field("partial_rotary", "partial_rotary_factor", 0.5, "a part of the head"),
      field("dtype_float8", "dtype", "float8_e4m3fn", "not supported"),
      field("torch_dtype_number", "dtype", 16, "expected a string"),
      field("eos_text", "eos_token_id", "2", "expected an integer"),
      field("eos_negative", "eos_token_id", {1, -2}, "got -2"),
      field("eos_float", "eos_token_id", 1.5, "expected an integer"),
      field("rope_nested", "rope_parameters", {{"full_attention", {{"rope_theta", 1e4}}}},
            "layer type"),
      field("rope_number", "rope_scaling", 4, "expected an object"),
      yarn("no_factor", {{"factor", nullptr}}, "no field 'factor'"),
      yarn("factor_zero", {{"factor", 0}}, "above 0"),
      yarn("factor_negative", {{"factor", -2.0}}, "above 0"),
      yarn("factor_text", {{"factor", "4"}}, "expected a number"),
      yarn("original_zero", {{"original_max_position_embeddings", 0}}, "got 0"),
      yarn("original_float", {{"original_max_position_embeddings", 16.5}}, "expected an integer"),
      yarn("beta_negative", {{"beta_fast", -1}}, "above 0"),
      yarn("attention_zero", {{"attention_factor", 0}}, "above 0"),
      yarn("mscale", {{"mscale", -100.0}, {"mscale_all_dim", 1.0}}, "attention factor"),
      yarn("truncate_text", {{"truncate", "no"}}, "expected true or false"),
  };
  for (const char* type : {"linear", "dynamic", "llama3", "longrope", "proportional"}) {
    out.push_back(field(std::string("rope_") + type, "rope_scaling",
                        {{"type", type}, {"factor", 2.0}}, std::string("'") + type + "'"));
  }
  for (const char* key :
       {"hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
        "num_key_value_heads", "head_dim", "vocab_size", "max_position_embeddings"}) {
    out.push_back(field(std::string(key) + "_zero", key, 0, "got 0"));
    out.push_back(field(std::string(key) + "_negative", key, -8, "got -8"));
    out.push_back(field(std::string(key) + "_float", key, 8.0, "expected an integer"));
    out.push_back(field(std::string(key) + "_text", key, "8", "expected an integer"));
    out.push_back(field(std::string(key) + "_huge", key, int64_t{1} << 31, "got 2147483648"));
  }
  out.push_back(
      {"config_of_other_weights",
       false,
       [](const std::string& dir) {
         json config = good_config();
         config["hidden_size"] = 16;
         write_json(dir + "/config.json", config);
       },
       {"do not fit config.json", "(300, 8)", "(300, 16)", "tensors of a wrong shape (11)"}});
  out.push_back({"config_missing",
                 false,
                 [](const std::string& dir) { std::filesystem::remove(dir + "/config.json"); },
                 {"config.json", "cannot open"}});
  out.push_back({"config_too_large_model",
                 false,
                 [](const std::string& dir) {
                   json config = good_config();
                   config["hidden_size"] = config["vocab_size"] = 2147483647;
                   write_json(dir + "/config.json", config);
                 },
                 {"config.json", "parameters, expected at most"}});
  return out;
}

std::vector<BadFile> bad_generation_files() {
  const std::string file = "generation_config.json";
  return {
      text_file("generation_empty", file, "", {"byte 0"}),
      text_file("generation_list", file, "[]", {"expected an object"}),
      text_file("generation_duplicate", file, "{\"top_k\": 1, \"top_k\": 2}",
                {"duplicate key 'top_k'"}),
      text_file("generation_eos_text", file, "{\"eos_token_id\": \"2\"}",
                {"eos_token_id", "expected an integer", "byte "}),
      text_file("generation_eos_list", file, "{\"eos_token_id\": [1, null]}",
                {"eos_token_id[1]", "got null"}),
      text_file("generation_temperature", file, "{\"temperature\": \"hot\"}",
                {"temperature", "expected a number"}),
      text_file("generation_cold", file, "{\"temperature\": -1}", {"temperature", "got -1"}),
      text_file("generation_top_p", file, "{\"top_p\": 1.5}", {"top_p", "got 1.5"}),
      text_file("generation_top_k", file, "{\"top_k\": -1}", {"top_k", "got -1"}),
      text_file("generation_penalty", file, "{\"repetition_penalty\": 0}", {"repetition_penalty"}),
      text_file("generation_do_sample", file, "{\"do_sample\": \"yes\"}",
                {"do_sample", "expected true or false"}),
  };
}

}  // namespace ember
