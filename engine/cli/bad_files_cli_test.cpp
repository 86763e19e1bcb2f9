// SPDX-License-Identifier: Apache-2.0
// Every bad file through the binary: exit code 4, and a message that names the cause.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "engine/io/bad_files/bad_files_testing.h"

namespace ember {
namespace {

struct Result {
  int code;
  std::string out;
};

// Runs `ember ARGS` and keeps one of its two streams.
Result run(const std::string& args, bool keep_stderr) {
  const std::string command = std::string("\"") + EMBER_BINARY + "\" " + args +
                              (keep_stderr ? " 2>&1 >/dev/null" : " 2>/dev/null");
  FILE* pipe = popen(command.c_str(), "r");
  Result result{-1, ""};
  if (!pipe) {
    return result;
  }
  std::array<char, 4096> buffer;
  size_t n;
  while ((n = fread(buffer.data(), 1, buffer.size(), pipe)) > 0) {
    result.out.append(buffer.data(), n);
  }
  const int status = pclose(pipe);
  result.code = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  return result;
}

std::vector<BadFile> all_bad_files() {
  std::vector<BadFile> all = bad_weight_files();
  for (auto more : {bad_index_files(), bad_config_files(), bad_generation_files()}) {
    all.insert(all.end(), more.begin(), more.end());
  }
  return all;
}

void expect_refused(const std::vector<BadFile>& files, const std::string& args_before,
                    const std::string& args_after) {
  for (const BadFile& bad : files) {
    const TemporaryDirectory dir;
    write_good_model(dir.path(), bad.sharded);
    bad.spoil(dir.path());
    const Result r = run(args_before + dir.path() + args_after, true);
    EXPECT_EQ(r.code, 4) << bad.name << ": " << r.out;
    expect_message(bad, r.out);
  }
}

TEST(BadFilesCli, InspectRefusesEveryOne) {
  expect_refused(all_bad_files(), "inspect ", "");
}

TEST(BadFilesCli, TokenizeRefusesEveryBadTokenizer) {
  const TemporaryDirectory good;
  write_good_model(good.path());
  EXPECT_EQ(run("tokenize -m " + good.path() + " -p hi --json", false).out,
            "{\"ids\":[104,105]}\n");
  expect_refused(bad_tokenizer_files(), "tokenize -m ", " -p hi");
}

// The bare form, which loads the model and generates.
TEST(BadFilesCli, GenerateRefusesEveryOne) {
  std::vector<BadFile> all = all_bad_files();
  for (const BadFile& bad : bad_tokenizer_files()) {
    all.push_back(bad);
  }
  expect_refused(all, "--devices cpu -n 1 -p hi -m ", "");
}

TEST(BadFilesCli, GenerateAcceptsTheGoodOne) {
  for (const bool sharded : {false, true}) {
    const TemporaryDirectory dir;
    write_good_model(dir.path(), sharded);
    const Result r = run("--devices cpu -n 1 -p hi -m " + dir.path(), true);
    EXPECT_EQ(r.code, 0) << r.out;
  }
}

TEST(BadFilesCli, InspectAcceptsTheGoodOne) {
  for (const bool sharded : {false, true}) {
    const TemporaryDirectory dir;
    write_good_model(dir.path(), sharded);
    const Result r = run("inspect " + dir.path() + " --json --check-weights", false);
    EXPECT_EQ(r.code, 0);
    const auto json = nlohmann::json::parse(r.out);
    EXPECT_TRUE(json["ok"].get<bool>());
    EXPECT_EQ(json["tensors"].size(), 13u);
    EXPECT_EQ(json["totals"]["parameters"], 3104);
    EXPECT_EQ(json["totals"]["bytes"], 6208);
    EXPECT_EQ(json["config"]["head_dim"], 4);
    EXPECT_EQ(json["generation_config"]["top_k"], 20);
    EXPECT_EQ(run("inspect -v " + dir.path(), true).out, "");
  }
}

TEST(BadFilesCli, JsonListsTheProblems) {
  const TemporaryDirectory dir;
  write_good_model(dir.path());
  write_file(dir / "config.json", "{}");
  const Result r = run("inspect --json " + dir.path(), false);
  EXPECT_EQ(r.code, 4);
  const auto json = nlohmann::json::parse(r.out);
  EXPECT_FALSE(json["ok"].get<bool>());
  EXPECT_EQ(json["problems"].size(), 1u);
  EXPECT_EQ(json["tensors"].size(), 13u);
}

TEST(BadFilesCli, NothingThere) {
  EXPECT_EQ(run("inspect /no/such/place", true).code, 4);
  EXPECT_EQ(run("inspect", true).code, 2);
  EXPECT_EQ(run("inspect random:no-such-preset", true).code, 2);
}

}  // namespace
}  // namespace ember
