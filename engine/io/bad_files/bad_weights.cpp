// SPDX-License-Identifier: Apache-2.0
#include <filesystem>

#include "engine/io/bad_files/good_model.h"

namespace ember {
using namespace bad_files;
namespace {

// A model.safetensors of these bytes.
BadFile raw(const std::string& name, const std::string& bytes, std::vector<std::string> message) {
  message.push_back("model.safetensors");
  return {name, false, [bytes](const std::string& dir) { write_file(dir + kWeights, bytes); },
          std::move(message)};
}

BadFile header(const std::string& name, const std::string& text, const std::string& data,
               std::vector<std::string> message) {
  return raw(name, safetensors_bytes(text, data), std::move(message));
}

// One F32 tensor "a" whose three fields are given as JSON text.
BadFile entry(const std::string& name, const std::string& dtype, const std::string& shape,
              const std::string& offsets, std::vector<std::string> message) {
  message.push_back("byte ");
  return header(
      name,
      "{\"a\":{\"dtype\":" + dtype + ",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}}",
      std::string(4, '\0'), std::move(message));
}

// The good tensors with one change.
BadFile tensors(const std::string& name, const std::function<void(Specs*)>& change,
                std::vector<std::string> message) {
  return {name, false,
          [change](const std::string& dir) {
            Specs specs = all_specs();
            change(&specs);
            write_tensors(dir + kWeights, specs);
          },
          std::move(message)};
}

SafetensorsWriter::Spec* find_spec(Specs* specs, const std::string& name) {
  for (auto& s : *specs) {
    if (s.name == name) {
      return &s;
    }
  }
  return nullptr;
}

std::string tensor_text(const std::string& name, int64_t begin, int64_t end) {
  return "\"" + name + "\":{\"dtype\":\"F32\",\"shape\":[" + std::to_string((end - begin) / 4) +
         "],\"data_offsets\":[" + std::to_string(begin) + "," + std::to_string(end) + "]}";
}

void add_header_cases(std::vector<BadFile>* out) {
  const std::string ok = "{" + tensor_text("a", 0, 4) + "}";
  const std::string four(4, '\0');
  std::string past_end = safetensors_bytes(ok, four);
  past_end[0] = static_cast<char>(past_end.size() - 7);  // one byte more than the file has
  std::string ff = safetensors_bytes(ok, four);
  ff.replace(0, 8, 8, '\xff');
  std::string top = safetensors_bytes(ok, four);
  top[7] = '\xff';
  std::string cap = safetensors_bytes(ok, four);
  cap.replace(0, 8, std::string("\x01\xe1\xf5\x05\0\0\0\0", 8));  // 100,000,001

  out->push_back(raw("empty_file", "", {"0 bytes", "header length"}));
  out->push_back(raw("seven_bytes", "1234567", {"7 bytes", "header length"}));
  out->push_back(raw("length_past_end", past_end, {"header length", "cut short"}));
  out->push_back(raw("length_all_ones", ff, {"18446744073709551615"}));
  out->push_back(raw("length_top_byte", top, {"header length", "100000000"}));
  out->push_back(raw("length_over_cap", cap, {"100000001"}));
  out->push_back(header("header_empty", "", "", {"byte 8"}));
  out->push_back(header("header_lone_brace", "{", "", {"byte 9"}));
  out->push_back(header("header_not_utf8", "{\"\xff\xfe\":1}", "", {"byte 10", "UTF-8"}));
  out->push_back(header("header_byte_order_mark", "\xef\xbb\xbf" + ok, four, {"byte order mark"}));
  out->push_back(header("header_nul", std::string("{}\0{}", 5), "", {"byte 10", "NUL"}));
  out->push_back(header("header_list", "[]", "", {"expected an object", "byte 8"}));
  out->push_back(header("header_garbage_after", "{} x", "", {"byte 11"}));
  out->push_back(header("header_deep", std::string(200000, '['), "", {"nested", "64"}));
  out->push_back(header("header_deep_object",
                        [] {
                          std::string text;
                          for (int i = 0; i < 50000; ++i) {
                            text += "{\"a\":";
                          }
                          return text;
                        }(),
                        "", {"nested", "64"}));
  out->push_back(header("duplicate_tensor",
                        "{" + tensor_text("a", 0, 4) + "," + tensor_text("a", 0, 4) + "}", four,
                        {"duplicate key 'a'", "byte "}));
  out->push_back(header("duplicate_field",
                        "{\"a\":{\"dtype\":\"F32\",\"dtype\":\"U8\",\"shape\":[1],"
                        "\"data_offsets\":[0,4]}}",
                        four, {"duplicate key 'dtype'", "byte "}));
  out->push_back(header("duplicate_metadata",
                        "{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}," + ok.substr(1), four,
                        {"duplicate key 'k'"}));
  out->push_back(header("metadata_number", "{\"__metadata__\":{\"k\":1}}", "",
                        {"__metadata__.k", "expected a string", "byte "}));
  out->push_back(
      header("metadata_list", "{\"__metadata__\":[]}", "", {"__metadata__", "expected an object"}));
  out->push_back(header("tensor_number", "{\"a\":1}", "", {"a (byte ", "expected an object"}));
  for (const char* missing : {"dtype", "shape", "data_offsets"}) {
    json t = {{"dtype", "F32"}, {"shape", {1}}, {"data_offsets", {0, 4}}};
    t.erase(missing);
    out->push_back(header(std::string("no_") + missing, json{{"a", t}}.dump(), four,
                          {"no field", missing, "byte "}));
  }
  out->push_back(header("unknown_field",
                        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],"
                        "\"strides\":[1]}}",
                        four, {"unknown field 'strides'"}));
}

void add_entry_cases(std::vector<BadFile>* out) {
  const std::string f32 = "\"F32\"";
  out->push_back(entry("dtype_unknown", "\"F7\"", "[1]", "[0,4]", {"a.dtype", "'F7'"}));
  out->push_back(entry("dtype_number", "32", "[1]", "[0,4]", {"a.dtype", "expected a string"}));
  out->push_back(entry("dtype_partial_byte", "\"F4\"", "[7]", "[0,4]", {"a.shape", "28 bits"}));
  const struct {
    const char *name, *shape, *message;
  } shapes[] = {
      {"shape_negative", "[-1]", "got -1"},
      {"shape_float", "[1.0]", "got 1.0"},
      {"shape_exponent", "[1e0]", "expected an integer"},
      {"shape_string", "[\"1\"]", "expected an integer"},
      {"shape_number", "1", "expected a list"},
      {"shape_null", "[null]", "got null"},
      {"shape_beyond_2_53", "[9007199254740993]", "9007199254740993"},
      {"shape_2_64_less_2_twice", "[2,18446744073709551614]", "18446744073709551614"},
      {"shape_2_63_less_1_twice", "[2,9223372036854775807]", "9223372036854775807"},
      {"shape_beyond_2_64", "[36893488147419103232]", "expected an integer"},
      {"shape_product_overflows", "[1099511627776,1099511627776]", "64 bits"},
      {"shape_product_wraps_to_0", "[4294967296,4294967296]", "64 bits"},
      {"shape_overflows_before_0", "[9007199254740992,9007199254740992,0]", "64 bits"},
  };
  for (const auto& s : shapes) {
    out->push_back(entry(s.name, f32, s.shape, "[0,4]", {"a.shape", s.message}));
  }
  out->push_back(entry("shape_disagrees", f32, "[2]", "[0,4]", {"a.data_offsets", "takes 8"}));
  out->push_back(entry("shape_is_empty", f32, "[0]", "[0,4]", {"a.data_offsets", "takes 0"}));
  const struct {
    const char *name, *offsets, *message;
  } offsets[] = {
      {"offsets_negative", "[-4,0]", "got -4"},
      {"offsets_float", "[0,4.0]", "got 4.0"},
      {"offsets_three", "[0,2,4]", "3 items"},
      {"offsets_one", "[0]", "1 items"},
      {"offsets_object", "{}", "expected a list"},
      {"offsets_reversed", "[4,0]", "takes 4"},
      {"offsets_beyond_2_53", "[9007199254740993,9007199254740997]", "9007199254740993"},
      {"offsets_beyond_2_64", "[0,18446744073709551620]", "expected an integer"},
  };
  for (const auto& o : offsets) {
    out->push_back(entry(o.name, f32, "[1]", o.offsets, {"a.data_offsets", o.message}));
  }
}

void add_span_cases(std::vector<BadFile>* out) {
  out->push_back(header("spans_start_late", "{" + tensor_text("a", 4, 8) + "}",
                        std::string(8, '\0'), {"tensor 'a'", "gap"}));
  out->push_back(header("spans_gap",
                        "{" + tensor_text("a", 0, 4) + "," + tensor_text("b", 8, 12) + "}",
                        std::string(12, '\0'), {"tensor 'b'", "gap"}));
  out->push_back(header("spans_overlap",
                        "{" + tensor_text("a", 0, 8) + "," + tensor_text("b", 4, 12) + "}",
                        std::string(12, '\0'), {"tensor 'b'", "overlapping"}));
  std::string ten = "{";
  for (int i = 0; i < 10; ++i) {
    ten += (i ? "," : "") + tensor_text("t" + std::to_string(i), 0, 4);
  }
  out->push_back(
      header("spans_ten_share_one", ten + "}", std::string(4, '\0'), {"'t1'", "overlapping"}));
  const std::string one = "{" + tensor_text("a", 0, 4) + "}";
  out->push_back(header("trailing_bytes", one, std::string(6, '\0'), {"2 bytes follow", "byte "}));
  out->push_back(header("two_bytes_missing", one, std::string(2, '\0'),
                        {"tensor 'a'", "needs 4", "cut short"}));
  out->push_back(header("data_far_past_end",
                        "{\"a\":{\"dtype\":\"U8\",\"shape\":[9007199254740992],"
                        "\"data_offsets\":[0,9007199254740992]}}",
                        "", {"tensor 'a'", "needs 9007199254740992"}));
  out->push_back(header("no_tensors", "{}", "", {"missing tensors"}));
}

void add_model_cases(std::vector<BadFile>* out) {
  out->push_back(tensors("tensor_missing", [](Specs* s) { s->pop_back(); },
                         {"missing tensors (1)", "model.layers.0.mlp.down_proj.weight"}));
  out->push_back(tensors("all_tensors_missing", [](Specs* s) { s->resize(1); },
                         {"missing tensors (12)", "and 2 more"}));
  out->push_back(
      tensors("tensor_unexpected",
              [](Specs* s) {
                s->push_back({"model.layers.1.mlp.up_proj.weight", DType::kBF16, {12, 8}});
                s->push_back({"model.layers.0.self_attn.q_proj.bias", DType::kBF16, {16}});
              },
              {"unexpected tensors (2)", "model.layers.1.mlp.up_proj.weight", "q_proj.bias"}));
  out->push_back(tensors("tensor_misshapen",
                         [](Specs* s) {
                           find_spec(s, "model.layers.0.self_attn.k_proj.weight")->shape = {8, 9};
                         },
                         {"k_proj.weight", "(8, 9)", "(8, 8)", "byte "}));
  out->push_back(tensors("tensor_empty",
                         [](Specs* s) { find_spec(s, "model.norm.weight")->shape = {0}; },
                         {"model.norm.weight", "(0)", "(8)"}));
  out->push_back(tensors("tensor_of_integers",
                         [](Specs* s) { find_spec(s, "model.norm.weight")->dtype = DType::kI32; },
                         {"model.norm.weight", "I32", "expected F32, F16 or BF16"}));
  out->push_back(tensors("tied_head_misshapen",
                         [](Specs* s) {
                           s->push_back({"lm_head.weight", DType::kBF16, {8, 8}});
                         },
                         {"lm_head.weight", "(8, 8)"}));
  out->push_back(tensors("name_with_control_characters",
                         [](Specs* s) {
                           s->push_back({"\x1b[31mred", DType::kBF16, {1}});
                         },
                         {"\\x1b[31mred"}));
  out->push_back({"no_weights",
                  false,
                  [](const std::string& dir) { std::filesystem::remove(dir + kWeights); },
                  {"neither model.safetensors nor model.safetensors.index.json"}});
  out->push_back({"pickle_weights",
                  false,
                  [](const std::string& dir) {
                    std::filesystem::remove(dir + kWeights);
                    write_file(dir + "/pytorch_model.bin", "x");
                  },
                  {"pytorch_model.bin is not supported"}});
  out->push_back({"weights_are_a_directory",
                  false,
                  [](const std::string& dir) {
                    std::filesystem::remove(dir + kWeights);
                    std::filesystem::create_directory(dir + kWeights);
                  },
                  {"model.safetensors", "not a regular file"}});
}

}  // namespace

std::vector<BadFile> bad_weight_files() {
  std::vector<BadFile> out;
  add_header_cases(&out);
  add_entry_cases(&out);
  add_span_cases(&out);
  add_model_cases(&out);
  return out;
}

}  // namespace ember
