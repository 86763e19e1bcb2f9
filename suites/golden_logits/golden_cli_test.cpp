// SPDX-License-Identifier: Apache-2.0
// ember golden as its users call it: exit codes, and what stands on stdout.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "kernels/base/temporary_directory.h"

namespace ember {
namespace {

namespace fs = std::filesystem;
const std::string kSource = EMBER_SOURCE_DIR;
const std::string kOdd =
    " -m \"" + kSource + "/golden/models/odd\" -g \"" + kSource + "/golden/refs/odd\" ";

struct Result {
  int code;
  std::string out;
};

Result run(const std::string& args, const std::string& streams) {
  const std::string command = std::string("\"") + EMBER_BINARY + "\" golden " + args + streams;
  Result result{-1, ""};
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) {
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

TEST(GoldenCli, JsonOnStdoutAlone) {
  const Result r =
      run("run --level quick --case \"^ids_(1|2|17)$\" --json -" + kOdd, " 2>/dev/null");
  EXPECT_EQ(r.code, 0);
  const auto j = nlohmann::json::parse(r.out);
  EXPECT_EQ(j.at("schema"), "ember.golden.result/1");
  EXPECT_TRUE(j.at("pass"));
  EXPECT_EQ(j.at("cases"), 3);
  EXPECT_EQ(j.at("positions"), 20);
  // Proof of the path. Layers 3; 3 cases whole, 1 + 1 + 3 chunks, 1 + 2 + 17 tokens in decode.
  EXPECT_EQ(j.at("ops").at("embed"), 3 + 5 + 20);
  EXPECT_EQ(j.at("ops").at("qk_norm_rope"), 3 * (3 + 5 + 20));
  EXPECT_EQ(j.at("ops").at("swiglu"), 3 * (3 + 5 + 20));
}

TEST(GoldenCli, AFaultyEngineExitsWithOneAndNamesTheTap) {
  const Result r = run("run --level quick --plant qk-norm-skipped" + kOdd, " 2>/dev/null");
  EXPECT_EQ(r.code, 1);
  EXPECT_NE(r.out.find("First bad: layer 0, tap q_rope"), std::string::npos) << r.out;
  EXPECT_NE(r.out.find("FAILED"), std::string::npos);
}

TEST(GoldenCli, NanIsNamed) {
  const Result r = run("run --level quick --plant nan-activation" + kOdd, " 2>/dev/null");
  EXPECT_EQ(r.code, 1);
  EXPECT_NE(r.out.find("not finite"), std::string::npos) << r.out;
  EXPECT_NE(r.out.find("First bad: layer 1, tap mlp_norm"), std::string::npos) << r.out;
}

TEST(GoldenCli, OnTheEmulatedDevice) {
  const std::string flags = "run --emulate --level quick --dtype bf16";
  const Result right = run(flags + " --case \"^ids_(1|2|17)$\" --json -" + kOdd, " 2>/dev/null");
  EXPECT_EQ(right.code, 0) << right.out;
  const auto j = nlohmann::json::parse(right.out);
  EXPECT_EQ(j.at("compute_dtype"), "bf16");
  EXPECT_TRUE(j.at("emulated"));
  EXPECT_EQ(j.at("ops").at("linear"), j.at("ops").at("linear.bf16"));
  const Result wrong = run(flags + " --plant kv-swapped" + kOdd, " 2>/dev/null");
  EXPECT_EQ(wrong.code, 1);
  EXPECT_NE(wrong.out.find("First bad: layer 0, tap k_proj"), std::string::npos) << wrong.out;
  EXPECT_EQ(run("run --emulate" + kOdd, " 2>/dev/null >&2").code, 2);
}

TEST(GoldenCli, StaleHopShowsOnTwoStagesOnly) {
  EXPECT_EQ(run("run --level quick --plant hop-stale" + kOdd, " 2>/dev/null >&2").code, 0);
  const Result r =
      run("run --level quick --plant hop-stale --devices cpu,cpu" + kOdd, " 2>/dev/null");
  EXPECT_EQ(r.code, 1);
  EXPECT_NE(r.out.find("First bad: layer 2, tap attn_norm"), std::string::npos) << r.out;
}

TEST(GoldenCli, UsageAndBadInput) {
  EXPECT_EQ(run("run --mutate no-such-fault --case ids_1$" + kOdd, " 2>/dev/null >&2").code, 2);
  EXPECT_EQ(run("run --case \"(\"" + kOdd, " 2>/dev/null >&2").code, 2);
  EXPECT_EQ(run("run --case nothing-of-that-name" + kOdd, " 2>/dev/null >&2").code, 2);
  EXPECT_EQ(run("run -m nowhere -g \"" + kSource + "/golden/refs/odd\"", " 2>/dev/null >&2").code,
            4);
  EXPECT_EQ(run("run -m \"" + kSource + "/golden/models/odd\" -g nowhere", " 2>/dev/null >&2").code,
            4);
  EXPECT_EQ(run("verify-ref -g \"" + kSource + "/golden/refs/odd\"", " 2>/dev/null >&2").code, 0);
}

TEST(GoldenCli, AnotherModelIsRefused) {
  const TemporaryDirectory directory;
  const fs::path dir = directory.path();
  fs::copy(kSource + "/golden/models/odd", dir);
  std::ofstream(dir / "generation_config.json", std::ios::app) << "\n";
  const Result r = run("run -m \"" + dir.string() + "\" -g \"" + kSource + "/golden/refs/odd\"",
                       " 2>&1 >/dev/null");
  EXPECT_EQ(r.code, 4);
  EXPECT_NE(r.out.find("generation_config.json"), std::string::npos) << r.out;
}

}  // namespace
}  // namespace ember
