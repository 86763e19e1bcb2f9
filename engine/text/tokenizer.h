// SPDX-License-Identifier: Apache-2.0
// Text to token ids and back, for tokenizer.json files with Qwen's pipeline. Ids equal those of
// Hugging Face `tokenizers` for every valid UTF-8 text (scripts/tokenizer_diff.py).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ember {

enum class SpecialTokens {
  kParse,  // an added token spelled in the text becomes that token, as in Hugging Face
  kText,   // it stays ordinary text: nobody can forge a control token, special or not
};

struct TextPart {
  std::string_view text;
  SpecialTokens mode;
};

class Tokenizer {
 public:
  // Throws kBadInput where the file cannot be read or steps outside the supported pipeline.
  static std::shared_ptr<const Tokenizer> load(const std::string& tokenizer_json_path);
  // The same from memory; `where` names the source in messages.
  static std::shared_ptr<const Tokenizer> parse(std::string_view json, const std::string& where);
  // For models without a tokenizer: ids 0 to 255 are the bytes, a larger id N reads "⟨N⟩" and is
  // never made by encode. `vocab` >= 256 (kUsage).
  static std::shared_ptr<const Tokenizer> bytes(int64_t vocab);

  ~Tokenizer();
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  // Any bytes. Valid UTF-8 is brought to NFC first. A byte outside it becomes the token of that
  // byte, and what stands between such bytes is encoded as texts of their own.
  // Safe to call from several threads.
  std::vector<int32_t> encode(std::string_view text,
                              SpecialTokens mode = SpecialTokens::kParse) const;
  void append(std::string_view text, SpecialTokens mode, std::vector<int32_t>* out) const;
  // One text out of parts. Added tokens are found inside the kParse parts alone; between them the
  // text is encoded as a whole, so that where a part ends leaves no trace in the ids.
  std::vector<int32_t> encode_parts(const std::vector<TextPart>& parts) const;

  // The exact bytes of the ids, which need not be whole characters. skip_special leaves out added
  // tokens flagged special. kUsage for an id outside [0, vocab_size()).
  std::string decode(const int32_t* ids, int64_t n, bool skip_special = false) const;
  std::string decode(const std::vector<int32_t>& ids, bool skip_special = false) const;
  // The same with U+FFFD for each broken character, as Hugging Face decodes.
  std::string decode_text(const int32_t* ids, int64_t n, bool skip_special = false) const;
  std::string decode_text(const std::vector<int32_t>& ids, bool skip_special = false) const;

  // The id of an added token by its content, or of the vocabulary entry with just these bytes.
  std::optional<int32_t> find(std::string_view token_text) const;
  // The bytes of one id; kUsage outside [0, vocab_size()).
  std::string token(int32_t id) const;

  int64_t vocab_size() const;         // ids 0 .. vocab_size() - 1 exist
  bool is_special(int32_t id) const;  // an added token flagged special
  bool is_added(int32_t id) const;    // an added token of either kind

 private:
  struct Impl;
  explicit Tokenizer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace ember
