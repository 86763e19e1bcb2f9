// SPDX-License-Identifier: Apache-2.0
// `ember tokenize` as other tools call it: exact bytes on stdout, exit codes, messages.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "kernels/base/temporary_directory.h"

namespace ember {
namespace {

const std::string kModel = EMBER_SOURCE_DIR "/golden/tokenizers/qwen3";

struct Result {
  int code;
  std::string out, err;
};

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

class TokenizeCli : public ::testing::Test {
 protected:
  std::string file(const std::string& name, const std::string& bytes) const {
    std::ofstream(dir_ + "/" + name, std::ios::binary) << bytes;
    return dir_ + "/" + name;
  }

  Result run(const std::string& args, const std::string& input = "") const {
    const std::string in = file("stdin", input);
    const std::string command = std::string("\"") + EMBER_BINARY + "\" tokenize " + args + " <" +
                                in + " >" + dir_ + "/out 2>" + dir_ + "/err";
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_file(dir_ + "/out"),
            read_file(dir_ + "/err")};
  }

  const TemporaryDirectory directory_;
  const std::string dir_ = directory_.path();
};

TEST_F(TokenizeCli, IdsOfATextFromEverySource) {
  const std::string want = "{\"ids\":[9707,11,847,829,374]}\n";
  const std::string text = "Hello, my name is";
  for (const Result& r : {run("-m " + kModel + " --json -p '" + text + "'"),
                          run("-m " + kModel + " --json -p -", text),
                          run("-m " + kModel + " --json -f " + file("text", text)),
                          run("-m " + kModel + "/tokenizer.json --json -f -", text)}) {
    EXPECT_EQ(r.code, 0) << r.err;
    EXPECT_EQ(r.out, want);
    EXPECT_EQ(r.err, "");
  }
}

TEST_F(TokenizeCli, SpecialTokensAreParsedUnlessToldNotTo) {
  const std::string args = "-m " + kModel + " --json -p '<think>'";
  EXPECT_EQ(run(args).out, "{\"ids\":[151667]}\n");
  EXPECT_EQ(run(args + " --special parse").out, "{\"ids\":[151667]}\n");
  EXPECT_EQ(run(args + " --special text").out, "{\"ids\":[13708,766,29]}\n");
}

TEST_F(TokenizeCli, DecodesToTheExactBytes) {
  EXPECT_EQ(run("-m " + kModel + " --decode --ids 9707,11,847").out, "Hello, my");
  EXPECT_EQ(run("-m " + kModel + " --decode --ids 151644,9707 --skip-special").out, "Hello");
  const std::string odd(
      "a\xFF\0\xE4\xBD"
      "b\n",
      7);
  const Result ids = run("-m " + kModel + " --json -p -", odd);
  EXPECT_EQ(run("-m " + kModel + " --decode -f " + file("ids.json", ids.out)).out, odd);
}

TEST_F(TokenizeCli, OneJsonLineAtATime) {
  const Result r = run("-m " + kModel + " --jsonl", "\"Hello\"\n\"\"\n\"\\u4f60\\n\"\n");
  EXPECT_EQ(r.code, 0) << r.err;
  EXPECT_EQ(r.out, "{\"ids\":[9707]}\n{\"ids\":[]}\n{\"ids\":[56568,198]}\n");
  EXPECT_EQ(run("-m " + kModel + " --jsonl --decode", r.out).out,
            "{\"text\":\"Hello\"}\n{\"text\":\"\"}\n{\"text\":\"你\\n\"}\n");
  const Result bad = run("-m " + kModel + " --jsonl", "\"a\"\n{\n");
  EXPECT_EQ(bad.code, 4);
  EXPECT_NE(bad.err.find("line 2"), std::string::npos) << bad.err;
}

TEST_F(TokenizeCli, Conversations) {
  const std::string chat = file("chat.json", R"([{"role":"user","content":"<|im_end|>"}])");
  const Result r = run("-m " + kModel + " --chat " + chat + " --json --no-think");
  EXPECT_EQ(r.code, 0) << r.err;
  EXPECT_EQ(r.err, "");
  const auto json = nlohmann::json::parse(r.out);
  const std::string text =
      "<|im_start|>user\n<|im_end|><|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n";
  EXPECT_EQ(json["text"], text);
  EXPECT_EQ(run("-m " + kModel + " --no-think --chat " + chat).out, text);
  const auto count = [](const nlohmann::json& ids) {
    return std::count(ids.begin(), ids.end(), 151645);
  };
  EXPECT_EQ(count(json["ids"]), 1);  // the one that ends the turn
  const Result parsed = run("-m " + kModel + " --chat " + chat + " --json --special parse");
  EXPECT_EQ(count(nlohmann::json::parse(parsed.out)["ids"]), 2);
}

TEST_F(TokenizeCli, BadInputIsExitCode4) {
  const std::string broken = file("tokenizer.json", "{\"version\":\"1.0\"");
  const std::pair<std::string, std::string> cases[] = {
      {"-m /does/not/exist -p x", "/does/not/exist"},
      {"-m " + dir_ + " -p x", "tokenizer.json: not valid JSON at byte"},
      {"-m " + kModel + " -f /does/not/exist", "/does/not/exist"},
      {"-m " + kModel + " --chat " + broken, "not valid JSON"},
      {"-m " + kModel + " --decode -f " + broken, "not valid JSON"},
      {"-m " + kModel + " --decode -f " + file("neg.json", "[-1]"), "token ids"},
  };
  for (const auto& [args, message] : cases) {
    const Result r = run(args);
    EXPECT_EQ(r.code, 4) << args << ": " << r.err;
    EXPECT_EQ(r.out, "") << args;
    EXPECT_NE(r.err.find(message), std::string::npos) << message << " not in: " << r.err;
  }
}

TEST_F(TokenizeCli, WrongUseIsExitCode2) {
  const std::string m = "-m " + kModel;
  for (const std::string& args :
       {std::string("-p x"), m, m + " -p x -f y", m + " --ids 1", m + " --decode", m + " --bogus",
        m + " --decode --ids 9999999", m + " --decode --ids x", m + " -p x --special maybe",
        m + " -p x --no-think", m + " --jsonl -p x", m + " -p x --skip-special",
        std::string("-m random:nothing -p x")}) {
    const Result r = run(args);
    EXPECT_EQ(r.code, 2) << args << ": " << r.err;
    EXPECT_EQ(r.out, "") << args;
    EXPECT_NE(r.err, "") << args;
  }
}

TEST_F(TokenizeCli, WarnsOfAnotherChatTemplate) {
  file("tokenizer.json", read_file(kModel + "/tokenizer.json"));
  file("tokenizer_config.json", R"({"chat_template":"{{ messages }}"})");
  const std::string chat = file("chat.json", R"([{"role":"user","content":"x"}])");
  const Result r = run("-m " + dir_ + " --chat " + chat);
  EXPECT_EQ(r.code, 0);
  EXPECT_NE(r.err.find("chat template is not the one of Qwen3"), std::string::npos) << r.err;
  EXPECT_EQ(r.out, "<|im_start|>user\nx<|im_end|>\n<|im_start|>assistant\n");
}

TEST_F(TokenizeCli, RandomModelsReadBytes) {
  EXPECT_EQ(run("-m random:qwen3-0.6b --json -p Hi").out, "{\"ids\":[72,105]}\n");
}

}  // namespace
}  // namespace ember
