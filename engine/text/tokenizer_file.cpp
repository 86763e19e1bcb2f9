// SPDX-License-Identifier: Apache-2.0
#include "engine/text/tokenizer_file.h"

#include <algorithm>
#include <initializer_list>
#include <unordered_set>

#include "engine/text/pretokenize.h"
#include "engine/text/string_index.h"
#include "engine/text/tokenizer_sax.h"
#include "engine/text/unicode.h"
#include "kernels/base/error.h"

namespace ember {
namespace {

using Json = nlohmann::json;

std::string shown(const Json& v) {
  std::string text = v.dump(-1, ' ', false, Json::error_handler_t::replace);
  return text.size() <= 80 ? text : text.substr(0, 77) + "...";
}

// The members of one object, each with its name in the file, and what may be in them.
class Fields {
 public:
  Fields(const std::string& where, std::string path, const Json& object,
         std::initializer_list<const char*> known)
      : where_(where), path_(std::move(path)), object_(object) {
    if (!object.is_object()) {
      fail(ErrorKind::kBadInput, where_, ": ", path_.empty() ? "the file" : path_,
           ": expected an object, found ", shown(object));
    }
    for (const auto& item : object.items()) {
      const auto same = [&](const char* k) { return item.key() == k; };
      if (std::none_of(known.begin(), known.end(), same)) {
        fail(ErrorKind::kBadInput, where_, ": ", name(item.key()), ": unknown field; only the ",
             "pipeline of Qwen's tokenizer.json is supported");
      }
    }
  }

  std::string name(const std::string& key) const { return path_.empty() ? key : path_ + "." + key; }

  // nullptr where the field is absent.
  const Json* find(const char* key) const {
    const auto at = object_.find(key);
    return at == object_.end() ? nullptr : &*at;
  }

  const Json& need(const char* key) const {
    const Json* v = find(key);
    if (v == nullptr) {
      fail(ErrorKind::kBadInput, where_, ": ", name(key), " is missing");
    }
    return *v;
  }

  // Absent counts as `otherwise`, the default of Hugging Face.
  void expect(const char* key, const Json& otherwise, std::initializer_list<Json> allowed) const {
    const Json* found = find(key);
    const Json& v = found == nullptr ? otherwise : *found;
    for (const Json& a : allowed) {
      if (v == a && v.type() == a.type()) {
        return;
      }
    }
    refuse(key, "expected " + shown(*allowed.begin()), v);
  }

  [[noreturn]] void refuse(const char* key, const std::string& expected, const Json& got) const {
    fail(ErrorKind::kBadInput, where_, ": ", name(key), ": ", expected, ", found ", shown(got),
         "; only the pipeline of Qwen's tokenizer.json is supported");
  }

  bool flag(const char* key) const {
    const Json& v = need(key);
    if (!v.is_boolean()) {
      refuse(key, "expected true or false", v);
    }
    return v.get<bool>();
  }

 private:
  const std::string& where_;
  std::string path_;
  const Json& object_;
};

void check_byte_level(const std::string& where, const std::string& path, const Json& v) {
  const Fields f(where, path, v, {"type", "add_prefix_space", "trim_offsets", "use_regex"});
  f.expect("type", nullptr, {"ByteLevel"});
}

bool check_normalizer(const std::string& where, const Json& v) {
  if (v.is_null()) {
    return false;
  }
  Fields(where, "normalizer", v, {"type"}).expect("type", nullptr, {"NFC"});
  return true;
}

void check_pre_tokenizer(const std::string& where, const Json& v) {
  const Fields sequence(where, "pre_tokenizer", v, {"type", "pretokenizers"});
  sequence.expect("type", nullptr, {"Sequence"});
  const Json& parts = sequence.need("pretokenizers");
  if (!parts.is_array() || parts.size() != 2) {
    sequence.refuse("pretokenizers", "expected a Split and a ByteLevel", parts);
  }
  const Fields split(where, "pre_tokenizer.pretokenizers[0]", parts[0],
                     {"type", "pattern", "behavior", "invert"});
  split.expect("type", nullptr, {"Split"});
  split.expect("behavior", nullptr, {"Isolated"});
  split.expect("invert", nullptr, {false});
  const Fields pattern(where, "pre_tokenizer.pretokenizers[0].pattern", split.need("pattern"),
                       {"Regex"});
  pattern.expect("Regex", nullptr, {kQwenSplitPattern});
  const std::string path = "pre_tokenizer.pretokenizers[1]";
  check_byte_level(where, path, parts[1]);
  const Fields bytes(where, path, parts[1],
                     {"type", "add_prefix_space", "trim_offsets", "use_regex"});
  bytes.expect("add_prefix_space", nullptr, {false});
  bytes.expect("use_regex", true, {false});
}

void check_model(const std::string& where, const Json& v, const RawTokenizer& raw) {
  const Fields model(
      where, "model", v,
      {"type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix",
       "fuse_unk", "byte_fallback", "ignore_merges", "vocab", "merges"});
  model.expect("type", "BPE", {"BPE"});
  model.expect("dropout", nullptr, {nullptr});
  model.expect("unk_token", nullptr, {nullptr});
  model.expect("continuing_subword_prefix", nullptr, {"", nullptr});
  model.expect("end_of_word_suffix", nullptr, {"", nullptr});
  model.expect("fuse_unk", false, {false});
  model.expect("byte_fallback", false, {false});
  model.expect("ignore_merges", false, {false});
  if (!raw.has_vocab) {
    model.refuse("vocab", "expected an object of tokens and ids", v.value("vocab", Json()));
  }
  if (!raw.has_merges) {
    model.refuse("merges", "expected a list of pairs", v.value("merges", Json()));
  }
}

// ids of the vocabulary: whole numbers 0..n-1, each once, so that no hole can be sampled.
void fill_vocabulary(const std::string& where, const RawTokenizer& raw, TokenizerFile* out) {
  const size_t n = raw.ids.size();
  if (static_cast<int64_t>(n) >= Bpe::kMaxIds) {
    fail(ErrorKind::kBadInput, where, ": model.vocab has ", n, " entries; at most ",
         Bpe::kMaxIds - 1);
  }
  std::vector<bool> seen(n, false);
  out->spellings.resize(n);
  for (size_t i = 0; i < n; ++i) {
    const uint64_t id = raw.ids[i];
    if (id >= n) {
      fail(ErrorKind::kBadInput, where, ": model.vocab[\"", raw.tokens[i], "\"] is ", id, "; with ",
           n, " entries the ids must be 0 to ", n - 1, " without a hole");
    }
    if (seen[id]) {
      fail(ErrorKind::kBadInput, where, ": model.vocab: the id ", id, " stands twice, for \"",
           out->spellings[id], "\" and \"", raw.tokens[i], "\"");
    }
    seen[id] = true;
    out->spellings[id] = raw.tokens[i];
  }
  out->vocabulary = static_cast<int64_t>(n);
}

void fill_bytes(const std::string& where, const StringIndex& index, TokenizerFile* out) {
  for (int b = 0; b < 256; ++b) {
    std::string letter;
    append_utf8(byte_level_code(static_cast<uint8_t>(b)), &letter);
    out->byte_ids[b] = index.find(letter);
    if (out->byte_ids[b] < 0) {
      fail(ErrorKind::kBadInput, where, ": model.vocab has no token for the byte ", b, " (\"",
           letter, "\"); text with it could not be encoded");
    }
  }
}

void fill_merges(const std::string& where, const RawTokenizer& raw, const StringIndex& index,
                 TokenizerFile* out) {
  const size_t n = raw.merges.size() / 2;
  if (static_cast<int64_t>(n) >= Bpe::kMaxIds) {
    fail(ErrorKind::kBadInput, where, ": model.merges has ", n, " entries; at most ",
         Bpe::kMaxIds - 1);
  }
  std::string joined;
  const auto id_of = [&](size_t i, std::string_view text) {
    const int32_t id = index.find(text);
    if (id < 0) {
      fail(ErrorKind::kBadInput, where, ": model.merges[", i, "] names \"", text,
           "\", which model.vocab lacks");
    }
    return id;
  };
  out->merges.reserve(n);
  // Merges of one result in a chain: the same left part again means the same pair.
  std::vector<int32_t> latest(out->spellings.size(), -1), earlier(n, -1);
  for (size_t i = 0; i < n; ++i) {
    const std::string_view left = raw.merges[2 * i], right = raw.merges[2 * i + 1];
    if (left.empty() || right.empty()) {
      fail(ErrorKind::kBadInput, where, ": model.merges[", i, "]: one side is empty");
    }
    joined.assign(left).append(right);
    const Merge m = {id_of(i, left), id_of(i, right), id_of(i, joined)};
    int32_t* const last = &latest[static_cast<size_t>(m.result)];
    for (int32_t k = *last; k >= 0; k = earlier[static_cast<size_t>(k)]) {
      if (out->merges[static_cast<size_t>(k)].left == m.left) {
        fail(ErrorKind::kBadInput, where, ": model.merges[", i, "]: the pair \"", left, "\" \"",
             right, "\" stands twice");
      }
    }
    earlier[i] = *last;
    *last = static_cast<int32_t>(i);
    out->merges.push_back(m);
  }
}

AddedToken added_token(const std::string& where, size_t i, const Json& v) {
  const Fields f(where, "added_tokens[" + std::to_string(i) + "]", v,
                 {"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"});
  AddedToken token = {};
  const Json& id = f.need("id");
  if (!id.is_number_unsigned() || id.get<uint64_t>() >= static_cast<uint64_t>(Bpe::kMaxIds)) {
    f.refuse("id", "expected a token id", id);
  }
  token.id = id.get<int32_t>();
  const Json& content = f.need("content");
  if (!content.is_string() || content.get_ref<const std::string&>().empty()) {
    f.refuse("content", "expected a text that is not empty", content);
  }
  token.content = content.get<std::string>();
  f.need("single_word");
  f.expect("single_word", false, {false});
  token.lstrip = f.flag("lstrip");
  token.rstrip = f.flag("rstrip");
  token.normalized = f.flag("normalized");
  token.special = f.flag("special");
  return token;
}

// An added token is an entry of the vocabulary, or comes right after it in the order of the file:
// Hugging Face numbers new tokens so, whatever the file says.
void fill_added(const std::string& where, const Json* list, const StringIndex& index,
                TokenizerFile* out) {
  if (list == nullptr || list->is_null()) {
    return;
  }
  if (!list->is_array()) {
    fail(ErrorKind::kBadInput, where, ": added_tokens: expected a list, found ", shown(*list));
  }
  std::unordered_set<std::string> contents;
  for (size_t i = 0; i < list->size(); ++i) {
    AddedToken token = added_token(where, i, (*list)[i]);
    if (!contents.insert(token.content).second) {
      fail(ErrorKind::kBadInput, where, ": added_tokens[", i, "]: \"", token.content,
           "\" stands twice");
    }
    const int32_t known = index.find(token.content);
    const auto next = static_cast<int32_t>(out->spellings.size());
    const int32_t expected = known >= 0 ? known : next;
    if (token.id != expected) {
      fail(ErrorKind::kBadInput, where, ": added_tokens[", i, "].id is ", token.id, ", but \"",
           token.content, "\" ", known >= 0 ? "is in model.vocab as " : "as the next new token is ",
           expected);
    }
    if (known < 0) {
      out->spellings.push_back(token.content);
    }
    out->added.push_back(std::move(token));
  }
  std::sort(out->added.begin(), out->added.end(),
            [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
  for (const AddedToken& token : out->added) {
    const auto* begin = std::begin(out->byte_ids);
    if (token.special && std::find(begin, begin + 256, token.id) != begin + 256) {
      fail(ErrorKind::kBadInput, where, ": added_tokens: the special token \"", token.content,
           "\" is the token of a single byte; any text could forge it");
    }
  }
}

}  // namespace

uint32_t byte_level_code(uint8_t byte) {
  const auto printable = [](uint32_t b) {
    return (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || (b >= 0xAE && b <= 0xFF);
  };
  if (printable(byte)) {
    return byte;
  }
  uint32_t code = 256;
  for (uint32_t b = 0; b < byte; ++b) {
    code += printable(b) ? 0 : 1;
  }
  return code;
}

std::string token_bytes(std::string_view spelling) {
  static const auto kBytes = [] {
    std::vector<int16_t> table(256 + 68, -1);
    for (int b = 0; b < 256; ++b) {
      table[byte_level_code(static_cast<uint8_t>(b))] = static_cast<int16_t>(b);
    }
    return table;
  }();
  std::string out;
  out.reserve(spelling.size());
  for (size_t i = 0; i < spelling.size();) {
    const auto lead = static_cast<unsigned char>(spelling[i]);
    const int n = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    const uint32_t code = utf8_code(spelling.data() + i, n);
    if (code >= kBytes.size() || kBytes[code] < 0) {
      return std::string(spelling);
    }
    out.push_back(static_cast<char>(kBytes[code]));
    i += static_cast<size_t>(n);
  }
  return out;
}

TokenizerFile parse_tokenizer_file(std::string_view json, const std::string& where) {
  const RawTokenizer raw = read_tokenizer_json(json, where);
  const Fields top(where, "", raw.rest,
                   {"version", "truncation", "padding", "added_tokens", "normalizer",
                    "pre_tokenizer", "post_processor", "decoder", "model"});
  top.expect("version", nullptr, {"1.0"});
  top.expect("truncation", nullptr, {nullptr});
  top.expect("padding", nullptr, {nullptr});
  TokenizerFile out;
  out.nfc = check_normalizer(where, top.need("normalizer"));
  check_pre_tokenizer(where, top.need("pre_tokenizer"));
  const Json* post = top.find("post_processor");
  if (post != nullptr && !post->is_null()) {
    check_byte_level(where, "post_processor", *post);  // moves offsets only, never ids
  }
  check_byte_level(where, "decoder", top.need("decoder"));
  check_model(where, top.need("model"), raw);
  fill_vocabulary(where, raw, &out);
  StringIndex index(raw.tokens.size());
  for (size_t i = 0; i < raw.tokens.size(); ++i) {
    if (!index.insert(raw.tokens[i], static_cast<int32_t>(raw.ids[i]))) {
      fail(ErrorKind::kBadInput, where, ": model.vocab: \"", raw.tokens[i], "\" stands twice");
    }
  }
  fill_bytes(where, index, &out);
  fill_merges(where, raw, index, &out);
  fill_added(where, top.find("added_tokens"), index, &out);
  return out;
}

}  // namespace ember
