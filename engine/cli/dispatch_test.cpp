// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/dispatch.h"

#include <gtest/gtest.h>

#include <new>
#include <stdexcept>

#include "engine/cli/sampling_flags.h"
#include "kernels/base/error.h"

namespace ember {
namespace {

// The exit code of, and the message on stderr from, a command that does `run`.
std::pair<int, std::string> outcome(const CommandFn& run) {
  const std::vector<CommandEntry> commands = {{"x", "a test", [&](CLI::App&) { return run; }}};
  testing::internal::CaptureStderr();
  const int code = dispatch(commands, {"x"});
  return {code, testing::internal::GetCapturedStderr()};
}

TEST(Dispatch, EveryKindOfErrorHasItsExitCode) {
  const std::vector<std::pair<ErrorKind, int>> codes = {
      {ErrorKind::kWrong, 1},    {ErrorKind::kUsage, 2},     {ErrorKind::kInconclusive, 3},
      {ErrorKind::kBadInput, 4}, {ErrorKind::kNoDevice, 5},  {ErrorKind::kOutOfMemory, 6},
      {ErrorKind::kTimeout, 7},  {ErrorKind::kShape, 70},    {ErrorKind::kDtype, 70},
      {ErrorKind::kAlign, 70},   {ErrorKind::kInternal, 70}, {ErrorKind::kUnsupported, 70}};
  for (const auto& [kind, code] : codes) {
    const auto [got, err] = outcome([kind = kind]() -> int { fail(kind, "what ", 1); });
    EXPECT_EQ(got, code);
    EXPECT_EQ(err.rfind("ember: " + std::string(name(kind)) + ": what 1\n", 0), 0u) << err;
    EXPECT_EQ(err.find("report it") != std::string::npos, code == 70) << err;
  }
}

TEST(Dispatch, OtherExceptions) {
  EXPECT_EQ(outcome([]() -> int { throw std::bad_alloc(); }).first, 6);
  const auto [code, err] = outcome([]() -> int { throw std::runtime_error("odd"); });
  EXPECT_EQ(code, 70);
  EXPECT_NE(err.find("odd"), std::string::npos);
  EXPECT_NE(err.find("report it"), std::string::npos);
  EXPECT_EQ(outcome([]() -> int { throw 5; }).first, 70);
  EXPECT_EQ(outcome([] { return 42; }).first, 42);
}

TEST(Dispatch, NearestSuggestsOnlyWhatIsNear) {
  const std::vector<std::string> words = {"generate", "chat", "tokenize", "devices"};
  EXPECT_EQ(nearest("genrate", words), "generate");
  EXPECT_EQ(nearest("device", words), "devices");
  EXPECT_EQ(nearest("chta", words), "");
  EXPECT_EQ(nearest("cha", words), "chat");
  EXPECT_EQ(nearest("frobnicate", words), "");
  EXPECT_EQ(nearest("x", {}), "");
}

TEST(SamplingFlags, FlagThenPresetThenModelThenDefault) {
  GenerationConfig model;
  model.temperature = 0.5;
  model.top_k = 7;
  SamplingFlags flags;
  flags.seed = 3;
  EXPECT_EQ(resolve_sampling(flags, model).params.temperature, 0.5);
  EXPECT_EQ(resolve_sampling(flags, model).params.top_k, 7);
  EXPECT_EQ(resolve_sampling(flags, model).params.top_p, 0.9);
  flags.preset = "think";
  EXPECT_EQ(resolve_sampling(flags, model).params.temperature, 0.6);
  EXPECT_EQ(resolve_sampling(flags, model).params.top_k, 20);
  flags.temperature = 0.1;
  EXPECT_EQ(resolve_sampling(flags, model).params.temperature, 0.1);
  EXPECT_EQ(resolve_sampling(flags, model).params.seed, 3u);
}

TEST(SamplingFlags, GreedyByPresetAndByTheModelsWish) {
  SamplingFlags flags;
  GenerationConfig model;
  EXPECT_FALSE(resolve_sampling(flags, model).params.is_greedy());
  model.do_sample = false;
  EXPECT_TRUE(resolve_sampling(flags, model).params.is_greedy());
  flags.temperature = 0.9;
  EXPECT_FALSE(resolve_sampling(flags, model).params.is_greedy());
  flags.temperature.reset();
  model.do_sample.reset();
  flags.preset = "greedy";
  EXPECT_TRUE(resolve_sampling(flags, model).params.is_greedy());
}

TEST(SamplingFlags, UnseededRunsDiffer) {
  const SamplingFlags flags;
  const GenerationConfig model;
  int equal = 0;
  for (int i = 0; i < 4; ++i) {
    equal +=
        resolve_sampling(flags, model).params.seed == resolve_sampling(flags, model).params.seed;
  }
  EXPECT_LT(equal, 4);
}

}  // namespace
}  // namespace ember
