// SPDX-License-Identifier: Apache-2.0
#include "engine/text/tokenizer_sax.h"

#include <algorithm>

#include "kernels/base/error.h"

namespace ember {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaxDepth = 64;

// nlohmann's parser calls one method for each event; a throw ends the parse.
class Reader {
 public:
  using number_integer_t = Json::number_integer_t;
  using number_unsigned_t = Json::number_unsigned_t;
  using number_float_t = Json::number_float_t;
  using string_t = Json::string_t;
  using binary_t = Json::binary_t;

  Reader(const std::string& where, RawTokenizer* out) : where_(where), out_(out) {}

  bool null() { return value(Json(nullptr), "null"); }
  bool boolean(bool v) { return value(Json(v), "a boolean"); }
  bool number_integer(number_integer_t v) { return value(Json(v), "a negative number"); }
  bool number_float(number_float_t v, const string_t&) { return value(Json(v), "a fraction"); }
  bool binary(binary_t&) { return false; }
  bool number_unsigned(number_unsigned_t v) {
    if (mode_ != Mode::kVocab) {
      return value(Json(v), "a number");
    }
    out_->ids.push_back(v);
    return true;
  }
  bool string(string_t& v) {
    if (mode_ == Mode::kMerges) {
      return merge(v);
    }
    return value(Json(std::move(v)), "a string");
  }
  bool start_object(size_t) {
    if (mode_ == Mode::kDocument && in_model() && key_ == "vocab") {
      once(&out_->has_vocab, "vocab");
      mode_ = Mode::kVocab;
      return true;
    }
    refuse_container("an object");
    return push(Json::object());
  }
  bool key(string_t& v) {
    if (mode_ == Mode::kVocab) {
      out_->tokens.add(v);
      return true;
    }
    if (!stack_.back()->is_object() || stack_.back()->contains(v)) {
      fail(ErrorKind::kBadInput, where_, ": the key \"", v, "\" stands twice in one object");
    }
    key_ = std::move(v);
    return true;
  }
  bool end_object() {
    if (mode_ == Mode::kVocab) {
      mode_ = Mode::kDocument;
      return true;
    }
    stack_.pop_back();
    return true;
  }
  bool start_array(size_t) {
    if (mode_ == Mode::kMerges && pair_ < 0) {
      pair_ = 0;
      return true;
    }
    if (mode_ == Mode::kDocument && in_model() && key_ == "merges") {
      once(&out_->has_merges, "merges");
      mode_ = Mode::kMerges;
      return true;
    }
    refuse_container("an array");
    return push(Json::array());
  }
  bool end_array() {
    if (mode_ != Mode::kMerges) {
      stack_.pop_back();
      return true;
    }
    if (pair_ < 0) {
      mode_ = Mode::kDocument;
      return true;
    }
    if (pair_ != 2) {
      refuse("a list of " + std::to_string(pair_));
    }
    pair_ = -1;
    return true;
  }
  bool parse_error(size_t position, const std::string& token, const Json::exception& e) {
    std::string what = e.what();
    const size_t colon = what.find("parse error");
    fail(ErrorKind::kBadInput, where_, ": not valid JSON at byte ",
         position == 0 ? 0 : position - 1, ", near \"", token.substr(0, 40),
         "\": ", colon == std::string::npos ? what : what.substr(colon));
  }

 private:
  enum class Mode { kDocument, kVocab, kMerges };

  bool in_model() const { return stack_.size() == 2 && in_model_; }

  void once(bool* seen, const char* name) {
    if (*seen || stack_.back()->contains(name)) {
      fail(ErrorKind::kBadInput, where_, ": the key \"", name, "\" stands twice in one object");
    }
    *seen = true;
  }

  [[noreturn]] void refuse(const std::string& got) {
    if (mode_ == Mode::kVocab) {
      const size_t n = out_->tokens.size();
      fail(ErrorKind::kBadInput, where_, ": model.vocab[\"", n == 0 ? "" : out_->tokens[n - 1],
           "\"]: expected a token id (a whole number), found ", got);
    }
    fail(ErrorKind::kBadInput, where_, ": model.merges[", merge_index(),
         "]: expected \"left right\" or [\"left\", \"right\"], found ", got);
  }

  size_t merge_index() const {
    return (out_->merges.size() - static_cast<size_t>(std::max(pair_, 0))) / 2;
  }

  void refuse_container(const char* got) {
    if (mode_ != Mode::kDocument) {
      refuse(got);
    }
  }

  bool merge(const std::string& text) {
    if (pair_ >= 0) {
      if (pair_ == 2) {
        refuse("a list of more than 2");
      }
      out_->merges.add(text);
      ++pair_;
      return true;
    }
    const size_t space = text.find(' ');
    if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos) {
      refuse("\"" + text + "\"");
    }
    out_->merges.add(std::string_view(text).substr(0, space));
    out_->merges.add(std::string_view(text).substr(space + 1));
    return true;
  }

  // Puts a value where the document stands; returns its place.
  Json* place(Json&& v) {
    if (stack_.empty()) {
      out_->rest = std::move(v);
      return &out_->rest;
    }
    Json& parent = *stack_.back();
    if (parent.is_array()) {
      parent.push_back(std::move(v));
      return &parent.back();
    }
    return &(parent[key_] = std::move(v));
  }

  bool value(Json&& v, const char* got) {
    if (mode_ != Mode::kDocument) {
      refuse(got);
    }
    place(std::move(v));
    return true;
  }

  bool push(Json&& v) {
    if (stack_.size() >= kMaxDepth) {
      fail(ErrorKind::kBadInput, where_, ": nested deeper than ", kMaxDepth, " levels");
    }
    if (stack_.size() == 1) {
      in_model_ = v.is_object() && key_ == "model";
    }
    stack_.push_back(place(std::move(v)));
    return true;
  }

  const std::string& where_;
  RawTokenizer* out_;
  Mode mode_ = Mode::kDocument;
  std::vector<Json*> stack_;
  std::string key_;
  bool in_model_ = false;
  int pair_ = -1;  // strings seen of a merge written as a list; -1 outside one
};

}  // namespace

RawTokenizer read_tokenizer_json(std::string_view json, const std::string& where) {
  RawTokenizer out;
  Reader reader(where, &out);
  // An array's elements move when it grows, but only its last one can still be open.
  // The library takes a NUL for the end of the text and would ignore what follows.
  const size_t nul = json.find('\0');
  if (nul != std::string_view::npos) {
    fail(ErrorKind::kBadInput, where, ": not valid JSON at byte ", nul, ": a NUL byte");
  }
  Json::sax_parse(json.begin(), json.end(), &reader);
  return out;
}

}  // namespace ember
