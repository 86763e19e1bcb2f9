// SPDX-License-Identifier: Apache-2.0
// `ember chat` through the binary: piped input, and a terminal with keys.
#include <gtest/gtest.h>
#include <signal.h>

#include <nlohmann/json.hpp>

#include "engine/cli/testing/process.h"
#include "engine/cli/testing/temp_file.h"
#include "engine/text/unicode.h"

namespace ember {
namespace {

using Json = nlohmann::json;

const std::string kOdd = EMBER_SOURCE_DIR "/golden/models/odd";

const std::string kTiny = EMBER_SOURCE_DIR "/golden/models/tiny";

ProcessResult chat(const std::string& input, std::vector<std::string> extra = {}) {
  std::vector<std::string> args = {"chat", "-m", kOdd, "--devices", "cpu", "-s", "1", "-n", "8"};
  args.insert(args.end(), extra.begin(), extra.end());
  ProcessOptions options;
  options.input = input;
  return run_ember(args, options);
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// The messages that a conversation saved, after the given input.
Json saved(const std::string& input, std::vector<std::string> extra = {}) {
  TempFile file;
  const ProcessResult r = chat(input + "\n/save " + file.path + "\n", std::move(extra));
  EXPECT_EQ(r.exit_code, 0) << r.err;
  return Json::parse(file.read());
}

TEST(ChatCli, AnswersGoToStdoutAndStayInTheConversation) {
  TempFile file;
  const ProcessResult r = chat("Hello\nAnd again\n/save " + file.path + "\n");
  ASSERT_EQ(r.exit_code, 0) << r.err;
  const Json list = Json::parse(file.read());
  ASSERT_EQ(list.size(), 4u);
  EXPECT_EQ(list[0].at("role"), "user");
  EXPECT_EQ(list[0].at("content"), "Hello");
  EXPECT_EQ(list[1].at("role"), "assistant");
  EXPECT_EQ(list[2].at("content"), "And again");
  EXPECT_EQ(r.out, list[1].at("content").get<std::string>() + "\n" +
                       list[3].at("content").get<std::string>() + "\n");
}

TEST(ChatCli, InteractiveFlagIsChat) {
  ProcessOptions options;
  options.input = "Hello\n";
  const ProcessResult r =
      run_ember({"-m", kOdd, "--devices", "cpu", "-s", "1", "-n", "8", "-i"}, options);
  EXPECT_EQ(r.out, chat("Hello\n").out);
}

TEST(ChatCli, TheCacheIsKeptWhereThePrefixIsEqual) {
  const ProcessResult r = chat("Hello\nAnd again\n", {"--stats", "json"});
  std::vector<Json> stats;
  for (size_t at = r.err.find("{\"schema\""); at != std::string::npos;
       at = r.err.find("{\"schema\"", at + 1)) {
    stats.push_back(Json::parse(r.err.substr(at, r.err.find('\n', at) - at)));
  }
  ASSERT_EQ(stats.size(), 2u) << r.err;
  EXPECT_EQ(stats[0].at("cached_tokens"), 0);
  EXPECT_GE(stats[1].at("cached_tokens"), stats[0].at("prompt_tokens"));
}

// What the cache held must not change what is said: the same conversation in one go, loaded.
TEST(ChatCli, AReusedCacheGivesTheSameAnswer) {
  TempFile file;
  const std::vector<std::string> greedy = {"--temp", "0", "--no-think"};
  const ProcessResult both = chat("Hello\n/save " + file.path + "\nAnd again\n", greedy);
  const ProcessResult second = chat("/load " + file.path + "\nAnd again\n", greedy);
  ASSERT_EQ(second.exit_code, 0) << second.err;
  ASSERT_GT(second.out.size(), 1u);
  EXPECT_EQ(both.out.substr(both.out.size() - second.out.size()), second.out);
}

TEST(ChatCli, LinesJoin) {
  EXPECT_EQ(saved("one \\\ntwo")[0].at("content"), "one \ntwo");
  EXPECT_EQ(saved("\"\"\"\nfirst\n\nthird\n\"\"\"")[0].at("content"), "first\n\nthird");
  EXPECT_EQ(saved("\"\"\"just one\"\"\"")[0].at("content"), "just one");
  EXPECT_EQ(saved("//etc is a directory")[0].at("content"), "/etc is a directory");
}

TEST(ChatCli, ResetKeepsTheSystemMessage) {
  const Json list = saved("Hello\n/reset\nBye", {"--system", "Be brief."});
  ASSERT_EQ(list.size(), 3u);
  EXPECT_EQ(list[0].at("role"), "system");
  EXPECT_EQ(list[1].at("content"), "Bye");
}

TEST(ChatCli, ResetWithTheSameSeedSaysTheSame) {
  const std::string out = chat("Hello\n/reset\nHello\n").out;
  ASSERT_EQ(out.size() % 2, 0u);
  EXPECT_EQ(out.substr(0, out.size() / 2), out.substr(out.size() / 2));
}

TEST(ChatCli, MistakesDoNotEndTheConversation) {
  const ProcessResult r =
      chat("/foo\n/think maybe\n/load /nonexistent.json\n/save\n/think off\nHello\n");
  EXPECT_EQ(r.exit_code, 0);
  EXPECT_TRUE(contains(r.err, "no command /foo")) << r.err;
  EXPECT_TRUE(contains(r.err, "/think takes on or off; it is on")) << r.err;
  EXPECT_TRUE(contains(r.err, "/nonexistent.json")) << r.err;
  EXPECT_TRUE(contains(r.err, "/save needs a file name")) << r.err;
  EXPECT_GT(r.out.size(), 1u);
}

TEST(ChatCli, HelpNamesEveryCommand) {
  const std::string err = chat("/help\n").err;
  for (const char* word : {"/reset", "/think", "/stats", "/save", "/load", "/exit", "//"}) {
    EXPECT_TRUE(contains(err, word)) << word;
  }
}

TEST(ChatCli, ExitLeavesAtOnce) {
  const ProcessResult r = chat("/exit\nHello\n");
  EXPECT_EQ(r.exit_code, 0);
  EXPECT_EQ(r.out, "");
}

TEST(ChatCli, AFullContextIsSaidAndSurvived) {
  const std::string longer(300, 'x');
  const ProcessResult r = chat(longer + "\n/reset\nHi\n", {"-c", "40"});
  EXPECT_EQ(r.exit_code, 0);
  EXPECT_TRUE(contains(r.err, "the context holds 40")) << r.err;
  EXPECT_TRUE(contains(r.err, "/reset")) << r.err;
  EXPECT_GT(r.out.size(), 1u);
  ProcessOptions hi;
  hi.input = "Hi\n";
  const ProcessResult full =
      run_ember({"chat", "-m", kOdd, "--devices", "cpu", "-c", "30", "--ignore-eos"}, hi);
  EXPECT_EQ(full.exit_code, 0);
  EXPECT_TRUE(contains(full.err, "context of 30 tokens is full")) << full.err;
}

TEST(ChatCli, PipedChatStopsOnSignalWithValidText) {
  ProcessOptions options;
  options.input = "Hello\n";
  options.after_bytes = 30;
  options.during = [](int pid) { kill(pid, SIGINT); };
  const ProcessResult r = run_ember(
      {"chat", "-m", kOdd, "--devices", "cpu", "-n", "-1", "-c", "100000", "--ignore-eos"},
      options);
  EXPECT_EQ(r.exit_code, 130);
  EXPECT_EQ(utf8_valid_prefix(r.out), static_cast<int64_t>(r.out.size()));
}

// The bundled model thinks when it is let, and the switch provably works.
TEST(ThinkingCli, SwitchShowsInPromptAndAnswer) {
  const auto ask = [](std::vector<std::string> extra) {
    std::vector<std::string> args = {"-m", kTiny, "--devices", "cpu", "-p", "What is your name?",
                                     "-n", "200", "--temp",    "0"};
    args.insert(args.end(), extra.begin(), extra.end());
    const ProcessResult r = run_ember(args);
    EXPECT_EQ(r.exit_code, 0) << r.err;
    return r.out;
  };
  const std::string thought = ask({"--think"});
  EXPECT_EQ(thought.rfind("<think>\n", 0), 0u) << thought;
  const size_t close = thought.find("</think>\n\n");
  ASSERT_NE(close, std::string::npos) << thought;
  const std::string answer = thought.substr(close + std::string("</think>\n\n").size());
  EXPECT_FALSE(answer.empty());
  EXPECT_EQ(ask({"--think", "--hide-thinking"}), answer);
  EXPECT_FALSE(contains(ask({"--no-think"}), "<think>"));

  const Json report = Json::parse(ask({"--think", "--json", "-"}));
  EXPECT_EQ(report.at("text"), answer);
  EXPECT_EQ(report.at("thinking"), thought.substr(0, thought.size() - answer.size()));
  EXPECT_EQ(report.at("reason"), "eos");
  EXPECT_GT(report.at("thinking_tokens"), 5);

  const Json cut = Json::parse(ask({"--think", "--think-budget", "2", "--json", "-"}));
  EXPECT_EQ(cut.at("thinking_tokens"), 2);
  EXPECT_FALSE(cut.at("text").get<std::string>().empty());
}

TEST(ThinkingCli, ThoughtsAreSavedApartAndLeftOutOfLaterPrompts) {
  TempFile file;
  ProcessOptions options;
  options.input = "Hello!\nWhat is your name?\n/save " + file.path + "\n";
  const ProcessResult r = run_ember(
      {"chat", "-m", kTiny, "--devices", "cpu", "--temp", "0", "--stats", "json"}, options);
  ASSERT_EQ(r.exit_code, 0) << r.err;
  const Json list = Json::parse(file.read());
  ASSERT_EQ(list.size(), 4u);
  EXPECT_TRUE(list[1].contains("reasoning_content"));
  EXPECT_FALSE(contains(list[1].at("content").get<std::string>(), "think>"));
  const ProcessResult prompt = run_ember({"tokenize", "-m", kTiny, "--chat", file.path, "--json"});
  EXPECT_EQ(prompt.exit_code, 0) << prompt.err;
}

std::vector<std::string> terminal_args(const std::vector<std::string>& extra) {
  std::vector<std::string> args = {"chat", "-m", kOdd, "--devices", "cpu", "-s", "1"};
  args.insert(args.end(), extra.begin(), extra.end());
  return args;
}

TEST(ChatTerminal, LinesAreEdited) {
  TempFile file;
  // Types "Hellp", rubs out, and puts a character of three bytes in front with Ctrl-A.
  const auto r =
      run_ember_on_terminal(terminal_args({"-n", "4"}), {{"> ", "Hellp\x7Fo\x01\xE4\xBD\xA0\r"},
                                                         {"> ", "/save " + file.path + "\r"},
                                                         {"saved", "/exit\r"}});
  EXPECT_EQ(r.exit_code, 0) << r.out;
  EXPECT_EQ(Json::parse(file.read())[0].at("content"), "\xE4\xBD\xA0Hello");
}

// Typed before the editor reads: while the program starts, or with a message that is answered
// first.
TEST(ChatTerminal, CtrlDTypedAheadLeaves) {
  constexpr double kLimitSeconds = 20;
  for (int repeat = 0; repeat < 20; ++repeat) {
    const auto at_once =
        run_ember_on_terminal(terminal_args({"-n", "4"}), {{"", "\x04"}}, kLimitSeconds);
    EXPECT_EQ(at_once.exit_code, 0) << at_once.out;
    EXPECT_TRUE(contains(at_once.out, "> ")) << at_once.out;
    const auto loaded = run_ember_on_terminal(terminal_args({"-n", "4"}),
                                              {{"type a message", "\x04"}}, kLimitSeconds);
    EXPECT_EQ(loaded.exit_code, 0) << loaded.out;
  }
  const auto after =
      run_ember_on_terminal(terminal_args({"-n", "4"}), {{"", "Hi\r\x04"}}, kLimitSeconds);
  EXPECT_EQ(after.exit_code, 0) << after.out;
  EXPECT_TRUE(contains(after.out, "cut after -n 4 tokens")) << after.out;
}

TEST(ChatTerminal, HistoryBringsALineBack) {
  TempFile file, lines;
  const auto r = run_ember_on_terminal(terminal_args({"-n", "4", "--history", lines.path}),
                                       {{"> ", "First line\r"},
                                        {"> ", "\x1B[A\r"},
                                        {"> ", "/save " + file.path + "\r"},
                                        {"saved", "/exit\r"}});
  EXPECT_EQ(r.exit_code, 0) << r.out;
  EXPECT_EQ(Json::parse(file.read())[2].at("content"), "First line");
  EXPECT_TRUE(contains(lines.read(), "First")) << lines.read();
}

TEST(ChatTerminal, CtrlCStopsTheAnswerAndKeepsTheConversation) {
  TempFile file;
  const auto r = run_ember_on_terminal(
      terminal_args({"-n", "-1", "-c", "100000", "--ignore-eos", "--stop", "\x7F\x7F"}),
      {{"> ", "Go\r"},
       {"Go\r\n", ""},
       {" ", "\x03"},
       {"stopped", "/save " + file.path + "\r"},
       {"saved", "\x03"},
       {"leaves", "/exit\r"}});
  EXPECT_EQ(r.exit_code, 0) << r.out;
  const Json list = Json::parse(file.read());
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[1].at("role"), "assistant");
}

}  // namespace
}  // namespace ember
