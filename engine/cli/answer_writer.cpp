// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/answer_writer.h"

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>

#include "engine/cli/run_report.h"
#include "engine/core/log.h"
#include "engine/text/unicode.h"
#include "kernels/base/error.h"

namespace ember {
namespace {

using Json = nlohmann::ordered_json;

// "text" when the token's bytes are UTF-8 by themselves, else "bytes" as numbers.
void put_token(Json& out, const Tokenizer& tokenizer, int32_t id) {
  out["id"] = id;
  const std::string bytes = id < tokenizer.vocab_size() ? tokenizer.token(id) : std::string();
  if (utf8_valid_prefix(bytes) == static_cast<int64_t>(bytes.size())) {
    out["text"] = bytes;
    return;
  }
  out["bytes"] = Json::array();
  for (const char c : bytes) {
    out["bytes"].push_back(static_cast<unsigned char>(c));
  }
}

}  // namespace

void add_output_flags(CLI::App& app, OutputFlags& flags) {
  const std::string group = "Output";
  app.add_option("--stats", flags.stats, "statistics on stderr: text, json or none")
      ->check(CLI::IsMember({"text", "json", "none"}))
      ->type_name("HOW")
      ->capture_default_str()
      ->group(group);
  app.add_option("--json", flags.json,
                 "write a report of the run to a file; - makes it all that stdout carries")
      ->type_name("FILE")
      ->group(group);
  CLI::Option* logprobs =
      app.add_option("--logprobs", flags.logprobs,
                     "a JSON line a token with the K likeliest, on stdout in place of the text");
  logprobs->check(CLI::Range(int64_t{1}, int64_t{1000}))->type_name("K")->group(group);
  app.add_option("--logprobs-file", flags.logprobs_file, "write these lines to a file instead")
      ->type_name("FILE")
      ->needs(logprobs)
      ->group(group);
  app.add_flag("--jsonl", flags.jsonl,
               "stdout carries a JSON line a piece of text, then the report")
      ->group(group);
  app.add_flag("--no-stream", flags.no_stream, "print the text at the end, at once")->group(group);
  CLI::Option* show = app.add_flag_callback(
      "--show-thinking", [&flags] { flags.hide_thinking = false; }, "print the thinking (default)");
  CLI::Option* hide =
      app.add_flag("--hide-thinking", flags.hide_thinking, "print the answer alone");
  show->group(group)->excludes(hide);
  hide->group(group);
}

AnswerWriter::AnswerWriter(const OutputFlags& flags, const Tokenizer& tokenizer)
    : flags_(flags), tokenizer_(tokenizer) {
  const bool logprobs_on_stdout = flags.logprobs > 0 && flags.logprobs_file.empty();
  if ((flags.json == "-") + flags.jsonl + logprobs_on_stdout > 1) {
    fail(ErrorKind::kUsage,
         "--json -, --jsonl and --logprobs without --logprobs-file each want stdout: give one");
  }
  form_ = flags.json == "-"    ? Form::kJson
          : flags.jsonl        ? Form::kJsonl
          : logprobs_on_stdout ? Form::kLogprobs
                               : Form::kText;
  if (!flags.logprobs_file.empty()) {
    logprobs_ = std::fopen(flags.logprobs_file.c_str(), "wb");
    if (logprobs_ == nullptr) {
      fail(ErrorKind::kBadInput, flags.logprobs_file,
           ": cannot be written: ", std::strerror(errno));
    }
  }
}

AnswerWriter::~AnswerWriter() {
  if (logprobs_ != nullptr) {
    std::fclose(logprobs_);
  }
}

void AnswerWriter::out(std::string_view bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) != bytes.size() ||
      std::fflush(stdout) != 0) {
    fail(ErrorKind::kBadInput, "stdout cannot be written: ", std::strerror(errno));
  }
}

void AnswerWriter::text(std::string_view piece, TextKind kind) {
  const bool thinking = kind == TextKind::kThinking;
  (thinking ? thinking_ : answer_) += piece;
  if (thinking && flags_.hide_thinking) {
    return;
  }
  if (form_ == Form::kJsonl) {
    out(dump_json(Json{{"type", thinking ? "thinking" : "text"}, {"text", std::string(piece)}}) +
        "\n");
  } else if (form_ == Form::kText && flags_.no_stream) {
    waiting_ += piece;
  } else if (form_ == Form::kText) {
    if (thinking != dim_ && stdout_is_tty() && log_color()) {
      out(thinking ? "\033[2m" : "\033[0m");
      dim_ = thinking;
    }
    out(piece);
  }
}

void AnswerWriter::token(const GeneratedToken& token) {
  if (flags_.logprobs == 0) {
    return;
  }
  Json line;
  put_token(line, tokenizer_, token.id);
  line["logprob"] = token.logprob;
  line["top"] = Json::array();
  for (const TokenLogprob& t : token.top) {
    Json entry;
    put_token(entry, tokenizer_, t.id);
    entry["logprob"] = t.logprob;
    line["top"].push_back(entry);
  }
  const std::string text = dump_json(line) + "\n";
  if (form_ == Form::kLogprobs) {
    out(text);
  } else if (std::fwrite(text.data(), 1, text.size(), logprobs_) != text.size()) {
    fail(ErrorKind::kBadInput, flags_.logprobs_file, ": cannot be written: ", std::strerror(errno));
  }
}

void AnswerWriter::finish() {
  out(waiting_);
  waiting_.clear();
  if (dim_) {
    out("\033[0m");
    dim_ = false;
  }
  if (form_ == Form::kText && stdout_is_tty()) {
    out("\n");
  }
  if (logprobs_ != nullptr && std::fflush(logprobs_) != 0) {
    fail(ErrorKind::kBadInput, flags_.logprobs_file, ": cannot be written: ", std::strerror(errno));
  }
}

}  // namespace ember
