// SPDX-License-Identifier: Apache-2.0
#include <filesystem>

#include "engine/io/bad_files/good_model.h"

namespace ember {
using namespace bad_files;
namespace {

BadFile tokenizer(const std::string& name, const std::function<void(json*)>& change,
                  std::vector<std::string> message) {
  message.push_back("tokenizer.json");
  return {"tokenizer_" + name, false,
          [change](const std::string& dir) {
            json value = good_tokenizer();
            change(&value);
            write_json(dir + "/tokenizer.json", value);
          },
          std::move(message)};
}

}  // namespace

std::vector<BadFile> bad_tokenizer_files() {
  const std::string file = "tokenizer.json";
  std::string nul = good_tokenizer().dump();
  nul += std::string("\0{}", 3);
  std::vector<BadFile> out = {
      text_file("tokenizer_empty", file, "", {"not valid JSON at byte 0"}),
      text_file("tokenizer_cut", file, good_tokenizer().dump().substr(0, 2000), {"byte 2000"}),
      text_file("tokenizer_list", file, "[]", {"expected an object"}),
      text_file("tokenizer_deep", file, std::string(100000, '['), {"nested deeper"}),
      text_file("tokenizer_not_utf8", file, "{\"version\": \"\xff\"}", {"byte 13"}),
      text_file("tokenizer_duplicate_key", file, "{\"version\": \"1\", \"version\": \"1\"}",
                {"\"version\" stands twice"}),
      text_file("tokenizer_nul_then_more", file, nul, {"byte "}),
      tokenizer("without_model", [](json* t) { t->erase("model"); }, {"model is missing"}),
      tokenizer("other_model", [](json* t) { (*t)["model"]["type"] = "WordPiece"; },
                {"model.type", "WordPiece"}),
      tokenizer("vocab_list", [](json* t) { (*t)["model"]["vocab"] = json::array(); },
                {"model.vocab"}),
      tokenizer("vocab_negative", [](json* t) { (*t)["model"]["vocab"]["a"] = -1; },
                {"model.vocab[\"a\"]", "negative"}),
      tokenizer("vocab_huge_id", [](json* t) { (*t)["model"]["vocab"]["a"] = 1LL << 40; },
                {"model.vocab"}),
      tokenizer("vocab_id_twice", [](json* t) { (*t)["model"]["vocab"]["a"] = 98; },
                {"model.vocab", "98 stands twice"}),
      tokenizer("byte_missing", [](json* t) { (*t)["model"]["vocab"].erase("a"); },
                {"model.vocab"}),
      tokenizer("merge_of_unknown",
                [](json* t) { (*t)["model"]["merges"] = json::array({"a zz"}); },
                {"model.merges[0]", "zz"}),
      tokenizer("merge_of_three",
                [](json* t) {
                  (*t)["model"]["merges"] = json::array({json::array({"a", "b", "c"})});
                },
                {"model.merges[", "more than 2"}),
      tokenizer("added_number", [](json* t) { (*t)["added_tokens"] = 3; }, {"added_tokens"}),
      tokenizer("normalizer", [](json* t) { (*t)["normalizer"]["type"] = "Lowercase"; },
                {"normalizer", "Lowercase"}),
  };
  out.push_back({"tokenizer_missing",
                 false,
                 [](const std::string& dir) { std::filesystem::remove(dir + "/tokenizer.json"); },
                 {"tokenizer.json", "cannot open"}});
  return out;
}

}  // namespace ember
