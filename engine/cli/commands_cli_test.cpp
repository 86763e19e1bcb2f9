// SPDX-License-Identifier: Apache-2.0
// The commands beside generate and chat, and what holds for all of them.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "engine/cli/testing/process.h"
#include "engine/cli/testing/temp_file.h"
#include "engine/io/safetensors.h"

namespace ember {
namespace {

using Json = nlohmann::json;

const std::string kOdd = EMBER_SOURCE_DIR "/golden/models/odd";

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

ProcessResult logits(const std::string& out, std::vector<std::string> extra,
                     const std::string& devices = "cpu") {
  std::vector<std::string> args = {"logits", "-m", kOdd, "-o", out, "--devices", devices};
  args.insert(args.end(), extra.begin(), extra.end());
  return run_ember(args);
}

// sqrt(sum (a-b)^2 / sum b^2)
double relative_l2(const TensorView& a, const TensorView& b) {
  double difference = 0, size = 0;
  for (int64_t i = 0; i < b.numel(); ++i) {
    const double x = a.as<float>()[i], y = b.as<float>()[i];
    difference += (x - y) * (x - y);
    size += y * y;
  }
  return std::sqrt(difference / size);
}

TEST(LogitsCli, WritesLogitsAndHiddenStates) {
  TempFile out;
  const ProcessResult r = logits(out.path, {"--ids", "5,17,900,0,33", "--hidden"});
  ASSERT_EQ(r.exit_code, 0) << r.err;
  EXPECT_EQ(r.out, "");
  const auto file = SafetensorsFile::open(out.path);
  ASSERT_NE(file->find("logits"), nullptr);
  EXPECT_EQ(file->find("logits")->view.shape, (Shape{5, 1021}));
  EXPECT_EQ(file->tensors().size(), 5u);  // logits and hidden.0 to hidden.3
  for (int l = 0; l <= 3; ++l) {
    const TensorEntry* hidden = file->find("hidden." + std::to_string(l));
    ASSERT_NE(hidden, nullptr) << l;
    EXPECT_EQ(hidden->view.shape, (Shape{5, 168}));
  }
}

// Whole, in chunks, token by token and in two stages: one answer up to rounding; stages change
// nothing at all.
TEST(LogitsCli, TheWayOfFeedingDoesNotMatter) {
  std::string ids;
  for (int i = 0; i < 70; ++i) {
    ids += (i > 0 ? "," : "") + std::to_string(i * 37 % 1021);
  }
  TempFile whole, stages, chunks, steps, mixed;
  ASSERT_EQ(logits(whole.path, {"--ids", ids, "--hidden"}).exit_code, 0);
  ASSERT_EQ(logits(stages.path, {"--ids", ids, "--hidden"}, "cpu,cpu").exit_code, 0);
  ASSERT_EQ(logits(chunks.path, {"--ids", ids, "--hidden", "--chunk", "16"}).exit_code, 0);
  ASSERT_EQ(logits(steps.path, {"--ids", ids, "--hidden", "--decode-from", "0"}).exit_code, 0);
  ASSERT_EQ(logits(mixed.path, {"--ids", ids, "--hidden", "--decode-from", "50"}).exit_code, 0);
  EXPECT_EQ(whole.read(), stages.read());
  const auto reference = SafetensorsFile::open(whole.path);
  for (const TempFile* other : {&chunks, &steps, &mixed}) {
    const auto file = SafetensorsFile::open(other->path);
    for (const TensorEntry& t : reference->tensors()) {
      EXPECT_LT(relative_l2(file->find(t.name)->view, t.view), 1e-5) << t.name;
    }
  }
}

TEST(LogitsCli, IdsFromAFile) {
  TempFile a, b, list("[1,2,3]"), object("{\"ids\": [1, 2, 3]}");
  EXPECT_EQ(logits(a.path, {"-f", list.path}).exit_code, 0);
  EXPECT_EQ(logits(b.path, {"-f", object.path}).exit_code, 0);
  EXPECT_EQ(a.read(), b.read());
}

TEST(LogitsCli, BadIdsAreNamedByPosition) {
  TempFile out, list("[1, 2, 1021]"), negative("[1, -2]"), word("[1, \"x\"]"), empty("[]");
  const ProcessResult flag = logits(out.path, {"--ids", "3,1021"});
  EXPECT_EQ(flag.exit_code, 2);
  EXPECT_TRUE(contains(flag.err, "1021 at position 1")) << flag.err;
  EXPECT_EQ(logits(out.path, {"--ids", "3,-1"}).exit_code, 2);
  EXPECT_EQ(logits(out.path, {"--ids", "3,x"}).exit_code, 2);
  const ProcessResult file = logits(out.path, {"-f", list.path});
  EXPECT_EQ(file.exit_code, 4);
  EXPECT_TRUE(contains(file.err, "1021 at position 2")) << file.err;
  EXPECT_EQ(logits(out.path, {"-f", negative.path}).exit_code, 4);
  EXPECT_EQ(logits(out.path, {"-f", word.path}).exit_code, 4);
  EXPECT_EQ(logits(out.path, {"-f", empty.path}).exit_code, 4);
  EXPECT_EQ(logits(out.path, {}).exit_code, 2);
  EXPECT_EQ(logits(out.path, {"--ids", "1", "--decode-from", "2"}).exit_code, 2);
  EXPECT_EQ(logits("/nonexistent/out", {"--ids", "1"}).exit_code, 4);
}

TEST(LogitsCli, InterruptionLeavesNoFile) {
  TempFile out;
  std::remove(out.path.c_str());
  std::string ids = "1";
  for (int i = 0; i < 4000; ++i) {
    ids += ",1";
  }
  ProcessOptions options;
  options.during = [](int pid) {
    usleep(300000);
    kill(pid, SIGINT);
  };
  const ProcessResult r = run_ember({"logits", "-m", "random:tiny", "--devices", "cpu", "--ids",
                                     ids, "-o", out.path, "--decode-from", "1"},
                                    options);
  EXPECT_EQ(r.exit_code, 130) << r.err;
  EXPECT_NE(access(out.path.c_str(), F_OK), 0);
}

TEST(DevicesCli, JsonNamesTheCpu) {
  const ProcessResult r = run_ember({"devices", "--json"});
  ASSERT_EQ(r.exit_code, 0);
  const Json j = Json::parse(r.out);
  EXPECT_GE(j.at("cpu").at("cores").get<int>(), 1);
  EXPECT_GE(j.at("cpu").at("threads").get<int>(), 1);
  EXPECT_GT(j.at("cpu").at("memory_bytes").get<int64_t>(), 1 << 28);
  EXPECT_TRUE(j.at("cuda").is_array());
  EXPECT_TRUE(contains(run_ember({"devices"}).out, "cpu"));
  ProcessOptions one;
  one.environment = {"EMBER_THREADS=1"};
  EXPECT_EQ(Json::parse(run_ember({"devices", "--json"}, one).out).at("cpu").at("threads"), 1);
}

TEST(MainCli, HelpVersionAndTables) {
  const ProcessResult help = run_ember({"--help"});
  EXPECT_EQ(help.exit_code, 0);
  for (const char* word : {"generate", "chat", "tokenize", "logits", "devices", "--help-env"}) {
    EXPECT_TRUE(contains(help.out, word)) << word;
  }
  EXPECT_EQ(run_ember({}).out, help.out);
  const ProcessResult version = run_ember({"--version"});
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_EQ(version.out.rfind("ember ", 0), 0u);
  EXPECT_TRUE(contains(version.out, "commit ")) << version.out;
  EXPECT_TRUE(contains(run_ember({"--help-env"}).out, "EMBER_THREADS"));
  const Json presets = Json::parse(run_ember({"--list-presets"}).out);
  EXPECT_GE(presets.size(), 6u);
  EXPECT_EQ(presets[0].at("name"), "qwen3-0.6b");
}

TEST(MainCli, EveryCommandHasHelp) {
  for (const char* command : {"generate", "chat", "tokenize", "logits", "devices"}) {
    const ProcessResult a = run_ember({command, "--help"});
    EXPECT_EQ(a.exit_code, 0) << command;
    EXPECT_TRUE(contains(a.out, "Usage: ember " + std::string(command))) << a.out;
    EXPECT_EQ(run_ember({"help", command}).out, a.out);
  }
}

TEST(MainCli, UnknownCommandsAreHinted) {
  const ProcessResult r = run_ember({"genrate", "-m", "x"});
  EXPECT_EQ(r.exit_code, 2);
  EXPECT_TRUE(contains(r.err, "did you mean 'generate'?")) << r.err;
  EXPECT_EQ(run_ember({"devices", "extra"}).exit_code, 2);
}

}  // namespace
}  // namespace ember
