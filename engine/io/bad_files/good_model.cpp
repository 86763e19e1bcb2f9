// SPDX-License-Identifier: Apache-2.0
#include "engine/io/bad_files/good_model.h"

#include <cstdlib>
#include <fstream>

#include "kernels/base/half.h"

namespace ember {
namespace bad_files {
namespace {

constexpr int kVocabulary = 300;

}  // namespace

// Every byte is a token, in the byte-level alphabet; then the control tokens.
json good_tokenizer() {
  json vocab = json::object();
  int next = 256;
  for (int byte = 0; byte < 256; ++byte) {
    const bool plain = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    const int code = plain ? byte : next++;
    std::string text;
    if (code < 0x80) {
      text = static_cast<char>(code);
    } else {
      text = {static_cast<char>(0xc0 | code >> 6), static_cast<char>(0x80 | (code & 0x3f))};
    }
    vocab[text] = byte;
  }
  json added = json::array();
  int id = 256;
  for (const char* text : {"<|endoftext|>", "<|im_start|>", "<|im_end|>"}) {
    added.push_back({{"id", id++},
                     {"content", text},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", true}});
  }
  const char* const kSplit =
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+"
      "[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  const json byte_level = {{"type", "ByteLevel"},
                           {"add_prefix_space", false},
                           {"trim_offsets", false},
                           {"use_regex", false}};
  const json split = {{"type", "Split"},
                      {"pattern", {{"Regex", kSplit}}},
                      {"behavior", "Isolated"},
                      {"invert", false}};
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", added},
          {"normalizer", {{"type", "NFC"}}},
          {"pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", {split, byte_level}}}},
          {"post_processor", byte_level},
          {"decoder", byte_level},
          {"model",
           {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", nullptr},
            {"continuing_subword_prefix", ""},
            {"end_of_word_suffix", ""},
            {"fuse_unk", false},
            {"byte_fallback", false},
            {"ignore_merges", false},
            {"vocab", vocab},
            {"merges", json::array()}}}};
}

json good_config() {
  return {{"model_type", "qwen3"},
          {"architectures", json::array({"Qwen3ForCausalLM"})},
          {"dtype", "bfloat16"},
          {"hidden_act", "silu"},
          {"hidden_size", 8},
          {"intermediate_size", 12},
          {"num_hidden_layers", 1},
          {"num_attention_heads", 4},
          {"num_key_value_heads", 2},
          {"head_dim", 4},
          {"vocab_size", kVocabulary},
          {"max_position_embeddings", 64},
          {"rms_norm_eps", 1e-6},
          {"rope_theta", 10000.0},
          {"tie_word_embeddings", true},
          {"eos_token_id", 258}};
}

Specs layer_specs() {
  const std::string layer = "model.layers.0.";
  return {{layer + "input_layernorm.weight", DType::kBF16, {8}},
          {layer + "self_attn.q_proj.weight", DType::kBF16, {16, 8}},
          {layer + "self_attn.k_proj.weight", DType::kBF16, {8, 8}},
          {layer + "self_attn.v_proj.weight", DType::kBF16, {8, 8}},
          {layer + "self_attn.q_norm.weight", DType::kBF16, {4}},
          {layer + "self_attn.k_norm.weight", DType::kBF16, {4}},
          {layer + "self_attn.o_proj.weight", DType::kBF16, {8, 16}},
          {layer + "post_attention_layernorm.weight", DType::kBF16, {8}},
          {layer + "mlp.gate_proj.weight", DType::kBF16, {12, 8}},
          {layer + "mlp.up_proj.weight", DType::kBF16, {12, 8}},
          {layer + "mlp.down_proj.weight", DType::kBF16, {8, 12}}};
}

Specs outer_specs() {
  return {{"model.embed_tokens.weight", DType::kBF16, {kVocabulary, 8}},
          {"model.norm.weight", DType::kBF16, {8}}};
}

Specs all_specs() {
  Specs specs = outer_specs();
  const Specs layer = layer_specs();
  specs.insert(specs.end(), layer.begin(), layer.end());
  return specs;
}

void write_tensors(const std::string& path, const Specs& specs) {
  SafetensorsWriter writer(path, specs, {{"format", "pt"}});
  for (const auto& s : specs) {
    const int64_t bytes = s.shape.numel() * dtype_bytes(s.dtype);
    std::string data(static_cast<size_t>(bytes), '\0');
    if (s.dtype == DType::kBF16) {
      for (int64_t i = 0; i < bytes / 2; ++i) {
        const BF16 v = from_float<BF16>(0.01f * static_cast<float>(i % 37) - 0.18f);
        data[2 * i] = static_cast<char>(v.bits & 0xff);
        data[2 * i + 1] = static_cast<char>(v.bits >> 8);
      }
    }
    writer.append(s.name, data.data(), bytes);
  }
  writer.finish();
}

json good_index() {
  json map = json::object();
  for (const auto& s : outer_specs()) {
    map[s.name] = "model-00001-of-00002.safetensors";
  }
  for (const auto& s : layer_specs()) {
    map[s.name] = "model-00002-of-00002.safetensors";
  }
  return {{"metadata", {{"total_size", 6208}}}, {"weight_map", map}};
}

void write_json(const std::string& path, const json& value) {
  write_file(path, value.dump(2) + "\n");
}

BadFile text_file(const std::string& name, const std::string& file, const std::string& text,
                  std::vector<std::string> message, bool sharded) {
  message.push_back(file);
  return {name, sharded,
          [file, text](const std::string& dir) { write_file(dir + "/" + file, text); },
          std::move(message)};
}

}  // namespace bad_files

void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << bytes;
  if (!out.flush()) {
    fail(ErrorKind::kInternal, "cannot write ", path);
  }
}

std::string safetensors_bytes(const std::string& header, const std::string& data) {
  std::string bytes(8, '\0');
  for (int i = 0; i < 8; ++i) {
    bytes[i] = static_cast<char>(header.size() >> (8 * i) & 0xff);
  }
  return bytes + header + data;
}

void write_good_model(const std::string& dir, bool sharded) {
  using namespace bad_files;
  write_json(dir + "/config.json", good_config());
  write_json(dir + "/generation_config.json",
             {{"eos_token_id", {258, 256}}, {"temperature", 0.6}, {"top_k", 20}, {"top_p", 0.95}});
  write_json(dir + "/tokenizer.json", good_tokenizer());
  write_json(dir + "/tokenizer_config.json", {{"eos_token", "<|im_end|>"}});
  if (sharded) {
    write_tensors(dir + "/" + kFirst, outer_specs());
    write_tensors(dir + "/" + kSecond, layer_specs());
    write_json(dir + kIndex, good_index());
  } else {
    write_tensors(dir + kWeights, all_specs());
  }
}

}  // namespace ember
