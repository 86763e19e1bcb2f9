// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/chat_loop.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "engine/cli/answer_writer.h"
#include "engine/cli/line_reader.h"
#include "engine/cli/model.h"
#include "engine/cli/run_report.h"
#include "engine/cli/signals.h"
#include "engine/core/log.h"
#include "engine/text/chat_template.h"
#include "kernels/base/error.h"

namespace ember {
namespace {

constexpr const char* kHelp =
    "/reset         forget the conversation (the system message stays)\n"
    "/think on|off  let the model think before it answers\n"
    "/stats         tokens and speed of the last answer, room left in the context\n"
    "/save FILE     write the conversation as JSON messages\n"
    "/load FILE     go on with a conversation that /save wrote\n"
    "/exit          leave; Ctrl-D does the same\n"
    "A line that ends in \\ goes on in the next one; so does everything between lines of \"\"\".\n"
    "A message that starts with / is sent by doubling it: //etc is a directory.\n"
    "Ctrl-C stops an answer.\n";

class ChatLoop {
 public:
  explicit ChatLoop(const ChatFlags& flags)
      : flags_(flags),
        model_(open_model(flags.model.model)),
        thinking_(!flags.prompt.no_think),
        reader_(flags.history) {
    sampling_ = resolve_sampling(flags.sampling, model_.generation);
    print_sampling(sampling_);
    options_ = generate_options(flags.length, flags.model, model_.eos_ids(), *model_.tokenizer);
    reset();
    ChatRequest probe;
    probe.messages = {message("user", "")};
    encode_chat(*model_.tokenizer, probe);  // a tokenizer without chat tokens is refused here
    const RuntimeOptions runtime =
        runtime_options(flags.model, model_.weights->config().max_position);
    loaded_ = load_runtime(model_, runtime);
    session_ = loaded_.runtime->new_session(runtime.context);
    warn_greedy_thinking();
  }

  int run() {
    if (reader_.interactive()) {
      notice("type a message; /help lists the commands");
    }
    if (flags_.prompt.text) {
      answer(*flags_.prompt.text);
    }
    while (!leave_) {
      const std::optional<std::string> message = read_message();
      if (message) {
        handle(*message);
      } else if (!after_signal()) {
        break;
      }
    }
    return SignalGuard::pending() == SIGTERM ? 128 + SIGTERM : status_;
  }

 private:
  // After read_message() gave nothing: true when the loop goes on.
  bool after_signal() {
    const int signal = SignalGuard::pending();
    if (signal == SIGINT && reader_.interactive()) {
      SignalGuard::clear();
      std::fputs("\n", stderr);
      notice("/exit or Ctrl-D leaves");
      return true;
    }
    if (signal == SIGINT) {
      status_ = 128 + SIGINT;
    } else if (reader_.interactive()) {
      std::fputs("\n", stderr);
    }
    return false;
  }

  // One message of one or more lines.
  std::optional<std::string> read_message() {
    std::optional<std::string> line = reader_.read("> ");
    if (!line) {
      return std::nullopt;
    }
    std::string message = *line;
    const std::string quotes = "\"\"\"";
    if (message.rfind(quotes, 0) == 0) {
      message.erase(0, quotes.size());
      const auto closed = [&] {
        return message.size() >= quotes.size() &&
               message.compare(message.size() - quotes.size(), quotes.size(), quotes) == 0;
      };
      while (!closed()) {
        line = reader_.read(". ");
        if (!line) {
          return std::nullopt;
        }
        message += "\n" + *line;
      }
      message.resize(message.size() - quotes.size());
      if (!message.empty() && message[0] == '\n') {
        message.erase(0, 1);
      }
      if (!message.empty() && message.back() == '\n') {
        message.pop_back();
      }
    } else {
      while (!message.empty() && message.back() == '\\') {
        message.back() = '\n';
        line = reader_.read(". ");
        if (!line) {
          return std::nullopt;
        }
        message += *line;
      }
    }
    reader_.remember(message);
    return message;
  }

  // A mistake in a command or a message never ends the conversation.
  void handle(const std::string& message) {
    try {
      if (message.empty()) {
        return;
      }
      if (message[0] != '/') {
        answer(message);
      } else if (message.rfind("//", 0) == 0) {
        answer(message.substr(1));
      } else {
        command(message);
      }
    } catch (const Error& e) {
      if (e.kind() != ErrorKind::kUsage && e.kind() != ErrorKind::kBadInput) {
        throw;
      }
      warning(e.what());
    }
  }

  void command(const std::string& line) {
    const size_t space = line.find(' ');
    const std::string word = line.substr(0, space);
    const std::string rest = space == std::string::npos ? "" : line.substr(space + 1);
    if (word == "/exit" || word == "/quit") {
      leave_ = true;
    } else if (word == "/help") {
      std::fputs(kHelp, stderr);
    } else if (word == "/reset") {
      reset();
      notice("the conversation is forgotten");
    } else if (word == "/think") {
      set_thinking(rest);
    } else if (word == "/stats") {
      print_stats();
    } else if (word == "/save" && !rest.empty()) {
      save(rest);
    } else if (word == "/load" && !rest.empty()) {
      load(rest);
    } else if (word == "/save" || word == "/load") {
      fail(ErrorKind::kUsage, word, " needs a file name");
    } else {
      fail(ErrorKind::kUsage, "no command ", word, "; /help lists them, and // sends a message ",
           "that starts with /");
    }
  }

  void reset() {
    messages_.clear();
    if (flags_.prompt.system) {
      messages_.push_back(message("system", *flags_.prompt.system));
    }
    sampler_ = std::make_unique<Sampler>(sampling_.params, model_.weights->config().shape.V);
  }

  void set_thinking(const std::string& word) {
    if (word != "on" && word != "off") {
      fail(ErrorKind::kUsage, "/think takes on or off; it is ", thinking_ ? "on" : "off");
    }
    thinking_ = word == "on";
    notice("thinking is ", word);
    warn_greedy_thinking();
  }

  void warn_greedy_thinking() const {
    if (thinking_ && sampling_.params.is_greedy()) {
      warning(
          "greedy sampling with thinking on: Qwen3 tends to repeat itself without end; "
          "try --sampling think, or /think off");
    }
  }

  static ChatMessage message(const std::string& role, const std::string& content) {
    ChatMessage m;
    m.role = role;
    m.content = content;
    return m;
  }

  ChatRequest request() const {
    ChatRequest r;
    r.messages = messages_;
    r.enable_thinking = thinking_;
    return r;
  }

  void answer(const std::string& text) {
    messages_.push_back(message("user", text));
    try {
      const std::vector<int32_t> ids =
          encode_chat(*model_.tokenizer, request(), flags_.prompt.special_tokens());
      OutputFlags output;
      output.hide_thinking = flags_.hide_thinking;
      AnswerWriter writer(output, *model_.tokenizer);
      options_.on_text = [&writer](std::string_view t, TextKind kind) { writer.text(t, kind); };
      last_.result =
          generate(*loaded_.runtime, *session_, *model_.tokenizer, *sampler_, ids, options_);
      writer.finish();
      if (!stdout_is_tty()) {
        write_file("-", "\n");  // answers of a conversation are told apart by lines
      }
      keep(writer);
    } catch (const Error& e) {
      messages_.pop_back();
      if (e.kind() == ErrorKind::kUsage) {
        fail(ErrorKind::kUsage, e.what(), "; /reset starts anew");
      }
      throw;
    }
    after_answer();
  }

  void keep(const AnswerWriter& writer) {
    ChatMessage m = message("assistant", writer.answer());
    const std::string thought = inside_tags(writer.thinking());
    if (!thought.empty()) {
      m.reasoning_content = thought;
    }
    messages_.push_back(m);
    last_.text = writer.answer();
    last_.thinking = writer.thinking();
  }

  // What stands between the thinking tags, without the line breaks around it.
  static std::string inside_tags(std::string text) {
    const std::string open = "<think>", close = "</think>";
    if (const size_t at = text.find(open); at != std::string::npos) {
      text.erase(0, at + open.size());
    }
    if (const size_t at = text.rfind(close); at != std::string::npos) {
      text.resize(at);
    }
    const size_t first = text.find_first_not_of('\n');
    if (first == std::string::npos) {
      return "";
    }
    return text.substr(first, text.find_last_not_of('\n') - first + 1);
  }

  void after_answer() {
    switch (last_.result.reason) {
      case StopReason::kInterrupted:
        if (SignalGuard::pending() == SIGINT && reader_.interactive()) {
          SignalGuard::clear();
          notice("stopped; what was said stays in the conversation");
        } else {
          leave_ = true;
          status_ = 128 + SignalGuard::pending();
        }
        break;
      case StopReason::kTimeout:
        notice("stopped after --timeout ", flags_.length.timeout, " seconds");
        break;
      case StopReason::kContextFull:
        notice("the context of ", session_->capacity(),
               " tokens is full: /reset starts anew, a larger -c holds more");
        break;
      case StopReason::kLength:
        notice("cut after -n ", flags_.length.max_tokens, " tokens; -n -1 sets no limit");
        break;
      default:
        break;
    }
    if (flags_.stats == "text") {
      print_stats();
    } else if (flags_.stats == "json") {
      std::fprintf(stderr, "%s\n", dump_json(run_json(report())).c_str());
    }
  }

  RunReport report() const {
    RunReport r = last_;
    r.model = model_.weights->description();
    r.devices = loaded_.runtime->device_map().str();
    r.sampling = sampling_;
    r.load_seconds = loaded_.load_seconds;
    r.load = loaded_.runtime->load_stats();
    return r;
  }

  void print_stats() const {
    write_notice(stats_text(report()));
    notice("context: ", session_->length(), " of ", session_->capacity(), " tokens");
  }

  void save(const std::string& path) const {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const ChatMessage& m : messages_) {
      nlohmann::ordered_json j = {{"role", m.role}, {"content", m.content}};
      if (m.reasoning_content) {
        j["reasoning_content"] = *m.reasoning_content;
      }
      list.push_back(j);
    }
    write_file(path, dump_json(list, 2) + "\n");
    notice("saved ", messages_.size(), " messages to ", path);
  }

  void load(const std::string& path) {
    const ChatRequest loaded = parse_chat_json(read_text(path), path);
    messages_ = loaded.messages;
    notice("loaded ", messages_.size(), " messages from ", path);
  }

  ChatFlags flags_;
  Model model_;
  bool thinking_;
  LineReader reader_;
  EffectiveSampling sampling_;
  GenerateOptions options_;
  std::vector<ChatMessage> messages_;
  std::unique_ptr<Sampler> sampler_;
  LoadedRuntime loaded_;
  std::unique_ptr<Session> session_;
  RunReport last_;
  bool leave_ = false;
  int status_ = 0;
};

}  // namespace

int run_chat(const ChatFlags& flags) {
  const SignalGuard guard;
  return ChatLoop(flags).run();
}

}  // namespace ember
