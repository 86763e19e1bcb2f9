// SPDX-License-Identifier: Apache-2.0
// ember tokenize: text to ids, ids to text, and conversations to the text and ids a model is given.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/cli/command.h"
#include "engine/text/chat_template.h"
#include "engine/text/tokenizer.h"
#include "kernels/base/error.h"
#include "kernels/base/model_shape.h"

namespace ember {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::string model, prompt, file, chat, special = "parse";
  std::vector<int32_t> ids;
  bool json = false, jsonl = false, decode = false, skip_special = false, no_think = false;
  bool no_generation_prompt = false, stats = false;
  CLI::Option* prompt_given = nullptr;
  CLI::Option* file_given = nullptr;
  CLI::Option* ids_given = nullptr;
  CLI::Option* chat_given = nullptr;
  CLI::Option* special_given = nullptr;
};

// What --stats reports; encoding alone, without reading and printing.
struct Stats {
  double load_s = 0, work_s = 0;
  int64_t bytes = 0, tokens = 0;
};

class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

std::string read_all(std::istream& in) {
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::string read_file(const std::string& path) {
  if (path == "-") {
    return read_all(std::cin);
  }
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    fail(ErrorKind::kBadInput, path, ": cannot open; is the path right?");
  }
  return read_all(in);
}

std::shared_ptr<const Tokenizer> open_tokenizer(const std::string& model) {
  if (model.rfind("random:", 0) == 0) {
    const ModelPreset* preset = find_preset(model.substr(7, model.find_first_of(",:", 7) - 7));
    if (preset == nullptr) {
      fail(ErrorKind::kUsage, model, ": no such preset; ember --list-presets names them");
    }
    return Tokenizer::bytes(preset->shape.V);
  }
  namespace fs = std::filesystem;
  return Tokenizer::load(fs::is_directory(model) ? (fs::path(model) / "tokenizer.json").string()
                                                 : model);
}

std::string dump(const Json& v) {
  return v.dump(-1, ' ', false, Json::error_handler_t::replace);
}

class Tokenize {
 public:
  explicit Tokenize(const Options& options) : options_(options) {
    const Stopwatch watch;
    tokenizer_ = open_tokenizer(options.model);
    stats_.load_s = watch.seconds();
    // Whole texts are encoded as Hugging Face does; a conversation's messages are only text.
    const bool parse = options.special_given->count() > 0 ? options.special == "parse" : !chat();
    mode_ = parse ? SpecialTokens::kParse : SpecialTokens::kText;
  }

  int run() {
    if (options_.jsonl) {
      lines();
    } else if (chat()) {
      warn_of_template();
      const Json out = conversation(read_file(options_.chat), options_.chat);
      options_.json ? print(out) : write(out["text"].get_ref<const std::string&>());
    } else if (options_.decode) {
      write(decode(given_ids()));
    } else {
      const std::vector<int32_t> ids = encode(given_text());
      options_.json ? print(Json{{"ids", ids}}) : table(ids);
    }
    if (options_.stats) {
      print_stats();
    }
    return 0;
  }

 private:
  bool chat() const { return options_.chat_given->count() > 0; }

  Json conversation(const std::string& json, const std::string& where) {
    ChatRequest request = parse_chat_json(json, where);
    request.enable_thinking = request.enable_thinking && !options_.no_think;
    request.add_generation_prompt = request.add_generation_prompt && !options_.no_generation_prompt;
    for (const std::string& warning : chat_warnings(request)) {
      std::fprintf(stderr, "ember: %s: %s\n", where.c_str(), warning.c_str());
    }
    const std::string text = render_chat(request);
    const Stopwatch watch;
    const std::vector<int32_t> ids = encode_chat(*tokenizer_, request, mode_);
    count(watch, text.size(), ids.size());
    return {{"text", text}, {"ids", ids}};
  }

  void warn_of_template() const {
    if (std::filesystem::is_directory(options_.model) &&
        classify_checkpoint_template(options_.model) == TemplateKind::kOther) {
      std::fprintf(stderr,
                   "ember: %s: the checkpoint's chat template is not the one of Qwen3 that Ember "
                   "renders; its model may expect other prompts\n",
                   options_.model.c_str());
    }
  }

  std::vector<int32_t> encode(const std::string& text) {
    const Stopwatch watch;
    std::vector<int32_t> ids = tokenizer_->encode(text, mode_);
    count(watch, text.size(), ids.size());
    return ids;
  }

  std::string decode(const std::vector<int32_t>& ids) {
    const Stopwatch watch;
    std::string text = tokenizer_->decode(ids, options_.skip_special);
    count(watch, text.size(), ids.size());
    return text;
  }

  void count(const Stopwatch& watch, size_t bytes, size_t tokens) {
    stats_.work_s += watch.seconds();
    stats_.bytes += static_cast<int64_t>(bytes);
    stats_.tokens += static_cast<int64_t>(tokens);
  }

  std::string given_text() const {
    if (options_.prompt_given->count() > 0) {
      return options_.prompt == "-" ? read_all(std::cin) : options_.prompt;
    }
    return read_file(options_.file);
  }

  std::vector<int32_t> given_ids() const {
    if (options_.ids_given->count() > 0) {
      return options_.ids;
    }
    return ids_of(parse(read_file(options_.file), options_.file), options_.file);
  }

  static Json parse(const std::string& text, const std::string& where) {
    try {
      return Json::parse(text);
    } catch (const Json::exception& e) {
      fail(ErrorKind::kBadInput, where, ": not valid JSON: ", e.what());
    }
  }

  // [1,2,3] or {"ids":[1,2,3]}
  static std::vector<int32_t> ids_of(const Json& v, const std::string& where) {
    const Json list = v.is_object() ? v.value("ids", Json()) : v;
    std::vector<int32_t> ids;
    bool good = list.is_array();
    for (size_t i = 0; good && i < list.size(); ++i) {
      good = list[i].is_number_unsigned() && list[i].get<uint64_t>() <= INT32_MAX;
      ids.push_back(good ? list[i].get<int32_t>() : 0);
    }
    if (!good) {
      fail(ErrorKind::kBadInput, where, ": expected a list of token ids, or {\"ids\": [...]}");
    }
    return ids;
  }

  // One JSON value a line in, one a line out.
  void lines() {
    std::ifstream file;
    const std::string& path = chat() ? options_.chat : options_.file;
    const bool from_file = !path.empty() && path != "-";
    if (from_file) {
      file.open(path, std::ios::binary);
      if (!file) {
        fail(ErrorKind::kBadInput, path, ": cannot open; is the path right?");
      }
    }
    if (chat()) {
      warn_of_template();
    }
    std::istream& in = from_file ? static_cast<std::istream&>(file) : std::cin;
    std::string line;
    for (int64_t n = 1; std::getline(in, line); ++n) {
      const std::string where =
          (from_file ? path : std::string("stdin")) + ", line " + std::to_string(n);
      if (chat()) {
        print(conversation(line, where));
        continue;
      }
      const Json v = parse(line, where);
      if (options_.decode) {
        print(Json{{"text", decode(ids_of(v, where))}});
        continue;
      }
      if (!v.is_string()) {
        fail(ErrorKind::kBadInput, where, ": expected a JSON string");
      }
      print(Json{{"ids", encode(v.get_ref<const std::string&>())}});
    }
  }

  static void write(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }
  static void print(const Json& v) { write(dump(v) + "\n"); }

  // For people: each id with its text.
  void table(const std::vector<int32_t>& ids) const {
    for (const int32_t id : ids) {
      std::printf("%7d  %s\n", id, dump(Json(tokenizer_->token(id))).c_str());
    }
  }

  void print_stats() const {
    std::fprintf(stderr, "%s\n",
                 dump(Json{{"load_s", stats_.load_s},
                           {"work_s", stats_.work_s},
                           {"bytes", stats_.bytes},
                           {"tokens", stats_.tokens}})
                     .c_str());
  }

  const Options& options_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  SpecialTokens mode_ = SpecialTokens::kParse;
  Stats stats_;
};

void check(const Options& o) {
  const int sources = (o.prompt_given->count() > 0 ? 1 : 0) + (o.file_given->count() > 0 ? 1 : 0) +
                      (o.ids_given->count() > 0 ? 1 : 0) + (o.chat_given->count() > 0 ? 1 : 0);
  if (o.chat_given->count() == 0 && (o.no_think || o.no_generation_prompt)) {
    fail(ErrorKind::kUsage, "--no-think and --no-generation-prompt go with --chat");
  }
  if (o.decode && o.chat_given->count() > 0) {
    fail(ErrorKind::kUsage, "--decode does not go with --chat");
  }
  if (o.ids_given->count() > 0 && !o.decode) {
    fail(ErrorKind::kUsage, "--ids goes with --decode");
  }
  if (o.decode && o.prompt_given->count() > 0) {
    fail(ErrorKind::kUsage, "--decode takes --ids 1,2,3 or -f IDS.json, not -p");
  }
  if (o.skip_special && !o.decode) {
    fail(ErrorKind::kUsage, "--skip-special goes with --decode");
  }
  if (o.jsonl && (o.prompt_given->count() > 0 || o.ids_given->count() > 0)) {
    fail(ErrorKind::kUsage, "--jsonl reads lines from -f FILE or stdin, not -p or --ids");
  }
  if (!o.jsonl && sources != 1) {
    fail(ErrorKind::kUsage, o.decode ? "--decode needs one of --ids 1,2,3 and -f IDS.json"
                                     : "give one of -p TEXT, -p -, -f FILE and --chat FILE");
  }
}

}  // namespace

CommandFn add_tokenize(CLI::App& app) {
  auto o = std::make_shared<Options>();
  app.add_option("-m,--model", o->model, "model directory, tokenizer.json, or random:PRESET")
      ->required();
  o->prompt_given = app.add_option("-p,--prompt", o->prompt, "the text; - reads stdin");
  o->file_given = app.add_option("-f,--file", o->file, "read the text from a file");
  app.add_flag("--json", o->json, "print {\"ids\":[...]}");
  app.add_flag("--jsonl", o->jsonl, "one JSON string a line in (-f or stdin), {\"ids\":[...]} out");
  o->chat_given = app.add_option("--chat", o->chat,
                                 "render a conversation: a JSON list of messages, or an object "
                                 "with messages and tools");
  app.add_flag("--no-think", o->no_think, "with --chat: end the prompt in an empty think block");
  app.add_flag("--no-generation-prompt", o->no_generation_prompt,
               "with --chat: do not start the assistant's turn");
  o->special_given =
      app.add_option("--special", o->special,
                     "added tokens spelled in the text: parse makes them tokens (default for "
                     "texts), text keeps them text (default inside the messages of --chat)")
          ->check(CLI::IsMember({"parse", "text"}));
  app.add_flag("--decode", o->decode, "the other way: print the bytes of --ids, or of -f IDS.json");
  o->ids_given = app.add_option("--ids", o->ids, "ids to decode: 1,2,3")->delimiter(',');
  app.add_flag("--skip-special", o->skip_special, "with --decode: leave out special tokens");
  app.add_flag("--stats", o->stats, "print load and encoding times as JSON on stderr");
  return [o] {
    check(*o);
    return Tokenize(*o).run();
  };
}

}  // namespace ember
