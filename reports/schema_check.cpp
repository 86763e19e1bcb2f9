// SPDX-License-Identifier: Apache-2.0
#include "reports/schema_check.h"

#include <cmath>
#include <regex>
#include <set>

#include "engine/io/json.h"
#include "kernels/base/error.h"
#include "reports/embedded.h"

namespace ember::report {
namespace {

using nlohmann::json;

bool integral(const json& v) {
  return v.is_number_integer() ||
         (v.is_number_float() && v.get<double>() == std::floor(v.get<double>()));
}

bool has_type(const json& v, const std::string& type) {
  return (type == "null" && v.is_null()) || (type == "boolean" && v.is_boolean()) ||
         (type == "string" && v.is_string()) || (type == "number" && v.is_number()) ||
         (type == "integer" && v.is_number() && integral(v)) || (type == "array" && v.is_array()) ||
         (type == "object" && v.is_object());
}

int64_t characters(const std::string& s) {
  int64_t n = 0;
  for (const char c : s) {
    n += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }
  return n;
}

std::string shown(const json& v) {
  return v.is_object()  ? "an object"
         : v.is_array() ? "a list of " + std::to_string(v.size())
                        : printable(v.dump(-1, ' ', true, json::error_handler_t::replace), 60);
}

std::string listed(const json& values) {
  std::string out;
  for (const json& v : values) {
    out += (out.empty() ? "" : ", ") + (v.is_string() ? v.get<std::string>() : v.dump());
  }
  return out;
}

class Checker {
 public:
  explicit Checker(const json& root) : root_(root) {}

  bool check(const json& v, const json& schema) {
    if (schema.is_boolean()) {
      return schema.get<bool>() || wrong("nothing is allowed here");
    }
    require_known(schema);
    const auto ref = schema.find("$ref");
    return (ref == schema.end() || check(v, resolve(ref->get_ref<const std::string&>()))) &&
           check_value(v, schema) && check_number(v, schema) && check_text(v, schema) &&
           check_array(v, schema) && check_object(v, schema) && check_combined(v, schema);
  }
  SchemaFault& fault() { return fault_; }

 private:
  // Every keyword that the functions below read, and those that only describe.
  void require_known(const json& schema) {
    if (!known_.insert(&schema).second) {
      return;
    }
    static const std::set<std::string> kKnown = {"$schema",
                                                 "$id",
                                                 "$defs",
                                                 "title",
                                                 "description",
                                                 "$ref",
                                                 "type",
                                                 "const",
                                                 "enum",
                                                 "minimum",
                                                 "maximum",
                                                 "exclusiveMinimum",
                                                 "minLength",
                                                 "maxLength",
                                                 "pattern",
                                                 "minItems",
                                                 "maxItems",
                                                 "items",
                                                 "properties",
                                                 "patternProperties",
                                                 "required",
                                                 "propertyNames",
                                                 "additionalProperties",
                                                 "allOf",
                                                 "anyOf",
                                                 "if",
                                                 "then",
                                                 "else"};
    for (const auto& [key, ignored] : schema.items()) {
      EMBER_CHECK(kKnown.count(key) == 1, "schema keyword ", key, " is not implemented");
    }
  }

  const json& resolve(const std::string& ref) const {
    EMBER_CHECK(ref.compare(0, 8, "#/$defs/") == 0, "reference ", ref);
    return root_.at("$defs").at(ref.substr(8));
  }

  bool wrong(const std::string& text) {
    fault_.path = path_;
    fault_.text = text;
    return false;
  }

  bool check_value(const json& v, const json& s) {
    if (const auto it = s.find("type"); it != s.end()) {
      bool fits = false;
      if (it->is_string()) {
        fits = has_type(v, it->get_ref<const std::string&>());
      } else {
        for (const json& t : *it) {
          fits = fits || has_type(v, t.get_ref<const std::string&>());
        }
      }
      if (!fits) {
        return wrong("expected " + (it->is_string() ? it->get<std::string>() : listed(*it)) +
                     ", got " + shown(v));
      }
    }
    if (const auto it = s.find("const"); it != s.end() && v != *it) {
      return wrong("expected " + shown(*it) + ", got " + shown(v));
    }
    if (const auto it = s.find("enum"); it != s.end()) {
      for (const json& e : *it) {
        if (v == e) {
          return true;
        }
      }
      return wrong("expected one of " + listed(*it) + ", got " + shown(v));
    }
    return true;
  }

  bool check_number(const json& v, const json& s) {
    if (!v.is_number()) {
      return true;
    }
    const double x = v.get<double>();
    if (const auto it = s.find("minimum"); it != s.end() && x < it->get<double>()) {
      return wrong("is " + shown(v) + ", the least is " + it->dump());
    }
    if (const auto it = s.find("exclusiveMinimum"); it != s.end() && x <= it->get<double>()) {
      return wrong("is " + shown(v) + ", it must be above " + it->dump());
    }
    if (const auto it = s.find("maximum"); it != s.end() && x > it->get<double>()) {
      return wrong("is " + shown(v) + ", the most is " + it->dump());
    }
    return true;
  }

  bool check_text(const json& v, const json& s) {
    if (!v.is_string()) {
      return true;
    }
    const std::string& text = v.get_ref<const std::string&>();
    const int64_t n = characters(text);
    if (const auto it = s.find("minLength"); it != s.end() && n < it->get<int64_t>()) {
      return wrong("is shorter than " + it->dump() + " characters");
    }
    if (const auto it = s.find("maxLength"); it != s.end() && n > it->get<int64_t>()) {
      return wrong("is longer than " + it->dump() + " characters");
    }
    if (const auto it = s.find("pattern"); it != s.end()) {
      // std::regex recurses once a character: a pattern is only tried on a bounded text.
      EMBER_CHECK(s.contains("maxLength") && s.at("maxLength").get<int64_t>() <= 256,
                  "a pattern without a small maxLength");
      if (!std::regex_search(text, std::regex(it->get<std::string>()))) {
        return wrong("does not match " + it->get<std::string>() + ": " + shown(v));
      }
    }
    return true;
  }

  bool check_array(const json& v, const json& s) {
    if (!v.is_array()) {
      return true;
    }
    if (const auto it = s.find("minItems"); it != s.end() && v.size() < it->get<size_t>()) {
      return wrong("has " + std::to_string(v.size()) + " items, the least is " + it->dump());
    }
    if (const auto it = s.find("maxItems"); it != s.end() && v.size() > it->get<size_t>()) {
      return wrong("has " + std::to_string(v.size()) + " items, the most is " + it->dump());
    }
    if (const auto it = s.find("items"); it != s.end()) {
      for (size_t i = 0; i < v.size(); ++i) {
        if (!step(i, v[i], *it)) {
          return false;
        }
      }
    }
    return true;
  }

  bool step(std::variant<std::string, size_t> key, const json& v, const json& s) {
    path_.push_back(std::move(key));
    const bool fine = check(v, s);
    path_.pop_back();
    return fine;
  }

  // Whether a patternProperties rule covers the key, and the value's verdict by it.
  bool covered(const std::string& key, const json& v, const json& s, bool* fine) {
    const auto patterns = s.find("patternProperties");
    if (patterns == s.end()) {
      return false;
    }
    for (const auto& [pattern, rule] : patterns->items()) {
      EMBER_CHECK(pattern == "^x_", "pattern of keys ", pattern, " is not implemented");
      if (key.compare(0, 2, "x_") == 0) {
        *fine = step(key, v, rule);
        return true;
      }
    }
    return false;
  }

  bool check_object(const json& v, const json& s) {
    if (!v.is_object()) {
      return true;
    }
    if (const auto it = s.find("required"); it != s.end()) {
      for (const json& key : *it) {
        if (!v.contains(key.get_ref<const std::string&>())) {
          return wrong("no field '" + key.get<std::string>() + "'");
        }
      }
    }
    const auto properties = s.find("properties");
    const auto names = s.find("propertyNames");
    const auto more = s.find("additionalProperties");
    for (const auto& [key, item] : v.items()) {
      if (names != s.end() && !check(json(key), *names)) {
        return wrong("key '" + printable(key, 60) + "': " + fault_.text);
      }
      bool fine = true;
      const bool own = properties != s.end() && properties->contains(key);
      if (own) {
        fine = step(key, item, properties->at(key));
      }
      const bool by_pattern = fine && covered(key, item, s, &fine);
      if (fine && !own && !by_pattern && more != s.end()) {
        fine = more->is_boolean()
                   ? more->get<bool>() || wrong("unknown field '" + printable(key) + "'")
                   : step(key, item, *more);
      }
      if (!fine) {
        return false;
      }
    }
    return true;
  }

  bool check_combined(const json& v, const json& s) {
    if (const auto it = s.find("allOf"); it != s.end()) {
      for (const json& part : *it) {
        if (!check(v, part)) {
          return false;
        }
      }
    }
    if (const auto it = s.find("anyOf"); it != s.end() && !any_of(v, s, *it)) {
      return false;
    }
    if (const auto it = s.find("if"); it != s.end()) {
      const auto branch = s.find(check(v, *it) ? "then" : "else");
      return branch == s.end() || check(v, *branch);
    }
    return true;
  }

  // Reports the fault of the alternative that got deepest, which is the one that was meant.
  bool any_of(const json& v, const json& s, const json& alternatives) {
    SchemaFault deepest;
    for (const json& part : alternatives) {
      if (check(v, part)) {
        return true;
      }
      if (deepest.text.empty() || fault_.path.size() > deepest.path.size()) {
        deepest = fault_;
      }
    }
    const auto about = s.find("description");
    if (about != s.end()) {
      return wrong("fits no alternative: " + about->get<std::string>());
    }
    fault_ = deepest;
    return false;
  }

  const json& root_;
  std::vector<std::variant<std::string, size_t>> path_;
  SchemaFault fault_;
  std::set<const json*> known_;  // schemas whose keywords were looked at
};

}  // namespace

std::optional<SchemaFault> check_schema(const json& value, const json& root) {
  Checker checker(root);
  if (checker.check(value, root)) {
    return std::nullopt;
  }
  return std::move(checker.fault());
}

const json& report_schema() {
  static const json schema = json::parse(kSchemaText);
  return schema;
}

}  // namespace ember::report
