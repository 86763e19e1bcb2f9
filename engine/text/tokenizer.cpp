// SPDX-License-Identifier: Apache-2.0
#include "engine/text/tokenizer.h"

#include <atomic>
#include <unordered_map>

#include "engine/io/mmap_file.h"
#include "engine/text/added_tokens.h"
#include "engine/text/bpe.h"
#include "engine/text/pretokenize.h"
#include "engine/text/string_index.h"
#include "engine/text/tokenizer_file.h"
#include "engine/text/unicode.h"
#include "engine/text/word_cache.h"
#include "kernels/base/error.h"
#include "kernels/base/profile.h"

namespace ember {
namespace {

enum Flags : uint8_t { kAdded = 1, kSpecial = 2 };

std::atomic<uint64_t> next_serial{1};

constexpr int64_t kMaxFileBytes = int64_t{1} << 30;  // the largest published ones have 40 MB

std::vector<AddedToken> select_added(const std::vector<AddedToken>& all, bool normalized,
                                     bool nfc) {
  std::vector<AddedToken> out;
  for (AddedToken token : all) {
    if (token.normalized == normalized) {
      std::string buffer;
      if (normalized && nfc) {
        token.content = std::string(normalize_nfc(token.content, &buffer));
      }
      out.push_back(std::move(token));
    }
  }
  return out;
}

}  // namespace

struct Tokenizer::Impl {
  Impl(TokenizerFile file, int64_t size)
      : vocab_size(size),
        nfc(file.nfc),
        bpe(file.byte_ids, file.merges),
        raw_added(select_added(file.added, false, file.nfc)),
        normalized_added(select_added(file.added, true, file.nfc)),
        all_added(file.added),
        flags(file.spellings.size(), 0) {
    std::copy(std::begin(file.byte_ids), std::end(file.byte_ids), byte_ids);
    for (const AddedToken& token : file.added) {
      flags[static_cast<size_t>(token.id)] |= kAdded | (token.special ? kSpecial : 0);
      added_by_content.emplace(token.content, token.id);
    }
    fill_bytes(file.spellings);
    fill_unforged(file.merges);
  }

  void fill_bytes(const std::vector<std::string>& spellings) {
    ends.reserve(spellings.size());
    for (const std::string& spelling : spellings) {
      bytes += token_bytes(spelling);
      ends.push_back(bytes.size());
    }
  }

  // An added token that merges can also make: in text that must stay text its parts stand for it,
  // none of them an added token. Merges only ever make longer tokens, so this ends.
  void fill_unforged(const std::vector<Merge>& merges) {
    std::unordered_map<int32_t, Merge> made;
    for (const Merge& m : merges) {
      if ((flags[static_cast<size_t>(m.result)] & kAdded) != 0) {
        made.emplace(m.result, m);
      }
    }
    for (const auto& entry : made) {
      std::vector<int32_t> parts, open = {entry.first};
      while (!open.empty()) {
        const int32_t id = open.back();
        open.pop_back();
        const auto merge = made.find(id);
        if (merge == made.end()) {
          parts.push_back(id);
        } else {
          open.push_back(merge->second.right);
          open.push_back(merge->second.left);
        }
      }
      unforged.emplace(entry.first, std::move(parts));
    }
  }

  std::string_view token_view(int32_t id) const {
    const auto i = static_cast<size_t>(id);
    const size_t begin = i == 0 ? 0 : ends[i - 1];
    return std::string_view(bytes).substr(begin, ends[i] - begin);
  }

  void append_decoded(int32_t id, bool skip_special, std::string* out) const {
    if (id < 0 || id >= vocab_size) {
      fail(ErrorKind::kUsage, "token id ", id, " does not exist; the tokenizer has ids 0 to ",
           vocab_size - 1);
    }
    if (id >= static_cast<int64_t>(ends.size())) {
      out->append("\u27E8").append(std::to_string(id)).append("\u27E9");
    } else if (!skip_special || (flags[static_cast<size_t>(id)] & kSpecial) == 0) {
      out->append(token_view(id));
    }
  }

  int64_t vocab_size;
  bool nfc;
  Bpe bpe;
  AddedTokenMatcher raw_added, normalized_added, all_added;
  std::vector<uint8_t> flags;
  std::string bytes;         // of all tokens, by id
  std::vector<size_t> ends;  // token id ends here in `bytes`
  std::unordered_map<std::string, int32_t> added_by_content;
  std::unordered_map<int32_t, std::vector<int32_t>> unforged;
  int32_t byte_ids[256];
  uint64_t serial = next_serial++;
};

namespace {

// One call of encode: the steps of the pipeline, each handing spans to the next.
template <class Impl>
class Encoding {
 public:
  Encoding(const Impl& impl, SpecialTokens mode, std::vector<int32_t>* out)
      : impl_(impl), mode_(mode), out_(out), classes_(code_classes()), cache_(thread_cache()) {
    cache_.use(impl.serial);
  }

  void text(std::string_view text) {
    if (mode_ == SpecialTokens::kText || impl_.raw_added.empty()) {
      any_bytes(text);
      return;
    }
    std::vector<TextSpan> spans;
    impl_.raw_added.split(text, &spans);
    for (const TextSpan& span : spans) {
      if (span.id >= 0) {
        out_->push_back(span.id);
      } else {
        any_bytes(span.text);
      }
    }
  }

 private:
  static WordCache& thread_cache() {
    thread_local WordCache cache;
    return cache;
  }

  void any_bytes(std::string_view text) {
    while (!text.empty()) {
      const auto valid = static_cast<size_t>(utf8_valid_prefix(text));
      if (valid > 0) {
        characters(text.substr(0, valid));
        text.remove_prefix(valid);
      }
      if (!text.empty()) {
        out_->push_back(impl_.byte_ids[static_cast<uint8_t>(text[0])]);
        text.remove_prefix(1);
      }
    }
  }

  void characters(std::string_view text) {
    if (impl_.nfc) {
      text = normalize_nfc(text, &buffer_);
    }
    if (mode_ == SpecialTokens::kText || impl_.normalized_added.empty()) {
      pieces(text);
      return;
    }
    std::vector<TextSpan> spans;
    impl_.normalized_added.split(text, &spans);
    for (const TextSpan& span : spans) {
      if (span.id >= 0) {
        out_->push_back(span.id);
      } else {
        pieces(span.text);
      }
    }
  }

  void pieces(std::string_view text) {
    const char* at = text.data();
    const char* end = at + text.size();
    const bool unforge = mode_ == SpecialTokens::kText && !impl_.unforged.empty();
    const size_t first = out_->size();
    while (at < end) {
      const char* stop = piece_end(at, end, classes_);
      cache_.append(at, stop - at, out_,
                    [this](const char* bytes, int64_t size, std::vector<int32_t>* out) {
                      impl_.bpe.encode(bytes, size, out);
                    });
      at = stop;
    }
    if (unforge) {
      take_apart(first);
    }
  }

  void take_apart(size_t first) {
    std::vector<int32_t> kept;
    for (size_t i = first; i < out_->size(); ++i) {
      const auto parts = impl_.unforged.find((*out_)[i]);
      if (parts == impl_.unforged.end()) {
        kept.push_back((*out_)[i]);
      } else {
        kept.insert(kept.end(), parts->second.begin(), parts->second.end());
      }
    }
    out_->resize(first);
    out_->insert(out_->end(), kept.begin(), kept.end());
  }

  const Impl& impl_;
  SpecialTokens mode_;
  std::vector<int32_t>* out_;
  const uint8_t* classes_;
  WordCache& cache_;
  std::string buffer_;
};

}  // namespace

Tokenizer::Tokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::~Tokenizer() = default;

std::shared_ptr<const Tokenizer> Tokenizer::load(const std::string& tokenizer_json_path) {
  return parse(read_text_file(tokenizer_json_path, kMaxFileBytes), tokenizer_json_path);
}

std::shared_ptr<const Tokenizer> Tokenizer::parse(std::string_view json, const std::string& where) {
  TokenizerFile file = parse_tokenizer_file(json, where);
  const auto size = static_cast<int64_t>(file.spellings.size());
  return std::shared_ptr<const Tokenizer>(
      new Tokenizer(std::make_unique<Impl>(std::move(file), size)));
}

std::shared_ptr<const Tokenizer> Tokenizer::bytes(int64_t vocab) {
  if (vocab < 256) {
    fail(ErrorKind::kUsage, "a byte tokenizer needs a vocabulary of 256 or more, not ", vocab);
  }
  TokenizerFile file;
  file.nfc = false;
  for (int b = 0; b < 256; ++b) {
    std::string letter;
    append_utf8(byte_level_code(static_cast<uint8_t>(b)), &letter);
    file.spellings.push_back(letter);
    file.byte_ids[b] = b;
  }
  return std::shared_ptr<const Tokenizer>(
      new Tokenizer(std::make_unique<Impl>(std::move(file), vocab)));
}

std::vector<int32_t> Tokenizer::encode(std::string_view text, SpecialTokens mode) const {
  std::vector<int32_t> out;
  out.reserve(text.size() / 3 + 8);
  append(text, mode, &out);
  return out;
}

std::vector<int32_t> Tokenizer::encode_parts(const std::vector<TextPart>& parts) const {
  std::vector<int32_t> out;
  std::string run;  // text since the last added token
  std::vector<TextSpan> spans;
  for (const TextPart& part : parts) {
    spans.clear();
    if (part.mode == SpecialTokens::kParse) {
      impl_->all_added.split(part.text, &spans);
    } else {
      spans.push_back({part.text, -1});
    }
    for (const TextSpan& span : spans) {
      run += span.text;
      if (span.id >= 0) {
        append(run, SpecialTokens::kText, &out);
        run.clear();
        out.push_back(span.id);
      }
    }
  }
  append(run, SpecialTokens::kText, &out);
  return out;
}

void Tokenizer::append(std::string_view text, SpecialTokens mode, std::vector<int32_t>* out) const {
  const ProfileRange range(RangeKind::kTokenize, static_cast<int64_t>(text.size()));
  Encoding<Impl>(*impl_, mode, out).text(text);
}

std::string Tokenizer::decode(const int32_t* ids, int64_t n, bool skip_special) const {
  std::string out;
  for (int64_t i = 0; i < n; ++i) {
    impl_->append_decoded(ids[i], skip_special, &out);
  }
  return out;
}

std::string Tokenizer::decode(const std::vector<int32_t>& ids, bool skip_special) const {
  return decode(ids.data(), static_cast<int64_t>(ids.size()), skip_special);
}

std::string Tokenizer::decode_text(const int32_t* ids, int64_t n, bool skip_special) const {
  return utf8_lossy(decode(ids, n, skip_special));
}

std::string Tokenizer::decode_text(const std::vector<int32_t>& ids, bool skip_special) const {
  return utf8_lossy(decode(ids, skip_special));
}

std::optional<int32_t> Tokenizer::find(std::string_view token_text) const {
  const auto added = impl_->added_by_content.find(std::string(token_text));
  if (added != impl_->added_by_content.end()) {
    return added->second;
  }
  for (size_t id = 0; id < impl_->ends.size(); ++id) {
    if (impl_->token_view(static_cast<int32_t>(id)) == token_text && !token_text.empty()) {
      return static_cast<int32_t>(id);
    }
  }
  return std::nullopt;
}

std::string Tokenizer::token(int32_t id) const {
  return decode(&id, 1);
}

int64_t Tokenizer::vocab_size() const {
  return impl_->vocab_size;
}

bool Tokenizer::is_special(int32_t id) const {
  return id >= 0 && id < static_cast<int64_t>(impl_->flags.size()) &&
         (impl_->flags[static_cast<size_t>(id)] & kSpecial) != 0;
}

bool Tokenizer::is_added(int32_t id) const {
  return id >= 0 && id < static_cast<int64_t>(impl_->flags.size()) &&
         (impl_->flags[static_cast<size_t>(id)] & kAdded) != 0;
}

}  // namespace ember
