// SPDX-License-Identifier: Apache-2.0
#include "engine/text/json_value.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "kernels/base/error.h"

namespace ember {
namespace {

using Json = nlohmann::json;
using Kind = JsonValue::Kind;

constexpr size_t kMaxDepth = 64;

// nlohmann's parser calls one method for each event; a throw ends the parse.
class Builder {
 public:
  using number_integer_t = Json::number_integer_t;
  using number_unsigned_t = Json::number_unsigned_t;
  using number_float_t = Json::number_float_t;
  using string_t = Json::string_t;
  using binary_t = Json::binary_t;

  Builder(const std::string& where, JsonValue* root) : where_(where), root_(root) {}

  bool null() { return leaf(Kind::kNull, "null"); }
  bool boolean(bool v) { return leaf(Kind::kBoolean, v ? "true" : "false"); }
  bool number_integer(number_integer_t v) { return leaf(Kind::kNumber, std::to_string(v)); }
  bool number_unsigned(number_unsigned_t v) { return leaf(Kind::kNumber, std::to_string(v)); }
  // A whole number too long for 64 bits comes here as well; Python keeps all its digits.
  bool number_float(number_float_t v, const string_t& spelled) {
    const bool whole = spelled.find_first_of(".eE") == std::string::npos;
    return leaf(Kind::kNumber, whole ? spelled : python_float(v));
  }
  bool string(string_t& v) { return leaf(Kind::kString, std::move(v)); }
  bool binary(binary_t&) { return false; }
  bool start_object(size_t) { return open(Kind::kObject); }
  bool start_array(size_t) { return open(Kind::kArray); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  bool key(string_t& v) {
    if (stack_.back()->find(v) != nullptr) {
      fail(ErrorKind::kBadInput, where_, ": the member \"", v, "\" stands twice in one object");
    }
    key_ = std::move(v);
    return true;
  }
  bool parse_error(size_t position, const std::string& token, const Json::exception& e) {
    const std::string what = e.what();
    const size_t colon = what.find("parse error");
    fail(ErrorKind::kBadInput, where_, ": not valid JSON at byte ",
         position == 0 ? 0 : position - 1, ", near \"", token.substr(0, 40),
         "\": ", colon == std::string::npos ? what : what.substr(colon));
  }

 private:
  JsonValue* place(Kind kind) {
    JsonValue* at = root_;
    if (!stack_.empty()) {
      JsonValue& parent = *stack_.back();
      if (parent.kind == Kind::kArray) {
        at = &parent.items.emplace_back();
      } else {
        at = &parent.members.emplace_back(std::move(key_), JsonValue()).second;
      }
    }
    at->kind = kind;
    return at;
  }
  bool leaf(Kind kind, std::string text) {
    place(kind)->text = std::move(text);
    return true;
  }
  bool open(Kind kind) {
    if (stack_.size() >= kMaxDepth) {
      fail(ErrorKind::kBadInput, where_, ": nested deeper than ", kMaxDepth, " levels");
    }
    stack_.push_back(place(kind));
    return true;
  }
  bool close() {
    stack_.pop_back();
    return true;
  }

  const std::string& where_;
  JsonValue* root_;
  std::vector<JsonValue*> stack_;  // open containers; only the last element of one is ever open
  std::string key_;
};

void append_string(const std::string& text, std::string* out) {
  static const char kHex[] = "0123456789abcdef";
  out->push_back('"');
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const size_t named = std::string_view("\"\\\n\r\t\b\f").find(c);
    if (named != std::string_view::npos) {
      out->push_back('\\');
      out->push_back("\"\\nrtbf"[named]);
    } else if (byte < 0x20) {
      out->append("\\u00");
      out->push_back(kHex[byte >> 4]);
      out->push_back(kHex[byte & 15]);
    } else {
      out->push_back(c);
    }
  }
  out->push_back('"');
}

void append_value(const JsonValue& v, std::string* out) {
  switch (v.kind) {
    case Kind::kString:
      append_string(v.text, out);
      break;
    case Kind::kArray:
      out->push_back('[');
      for (size_t i = 0; i < v.items.size(); ++i) {
        out->append(i == 0 ? "" : ", ");
        append_value(v.items[i], out);
      }
      out->push_back(']');
      break;
    case Kind::kObject:
      out->push_back('{');
      for (size_t i = 0; i < v.members.size(); ++i) {
        out->append(i == 0 ? "" : ", ");
        append_string(v.members[i].first, out);
        out->append(": ");
        append_value(v.members[i].second, out);
      }
      out->push_back('}');
      break;
    default:
      out->append(v.text);
  }
}

}  // namespace

const JsonValue* JsonValue::find(std::string_view name) const {
  for (const auto& member : members) {
    if (member.first == name) {
      return &member.second;
    }
  }
  return nullptr;
}

const char* JsonValue::kind_name() const {
  switch (kind) {
    case Kind::kNull:
      return "null";
    case Kind::kBoolean:
      return "a boolean";
    case Kind::kNumber:
      return "a number";
    case Kind::kString:
      return "a string";
    case Kind::kArray:
      return "a list";
    case Kind::kObject:
      return "an object";
  }
  return "";
}

JsonValue parse_json_value(std::string_view json, const std::string& where) {
  JsonValue root;
  Builder builder(where, &root);
  // The library takes a NUL for the end of the text and would ignore what follows.
  const size_t nul = json.find('\0');
  if (nul != std::string_view::npos) {
    fail(ErrorKind::kBadInput, where, ": not valid JSON at byte ", nul, ": a NUL byte");
  }
  Json::sax_parse(json.begin(), json.end(), &builder);
  return root;
}

std::string python_json(const JsonValue& value) {
  std::string out;
  append_value(value, &out);
  return out;
}

// to_chars gives the shortest digits; Python writes them plainly for exponents -4 to 15.
std::string python_float(double value) {
  char buffer[64];
  const auto end =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr;
  const std::string text(buffer, end);
  const size_t e = text.find('e');
  if (e == std::string::npos) {
    return text;
  }
  const int exponent = std::stoi(text.substr(e + 1));
  if (exponent < -4 || exponent >= 16) {
    return text;
  }
  const std::string sign = text[0] == '-' ? "-" : "";
  std::string digits = text.substr(sign.size(), e - sign.size());
  if (digits.size() > 1) {
    digits.erase(1, 1);
  }
  if (exponent < 0) {
    return sign + "0." + std::string(static_cast<size_t>(-exponent - 1), '0') + digits;
  }
  const auto whole = static_cast<size_t>(exponent) + 1;
  if (digits.size() <= whole) {
    return sign + digits + std::string(whole - digits.size(), '0') + ".0";
  }
  return sign + digits.substr(0, whole) + "." + digits.substr(whole);
}

}  // namespace ember
