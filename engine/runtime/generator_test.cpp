// SPDX-License-Identifier: Apache-2.0
// The loop around a runtime that says what the test tells it to.
#include "engine/runtime/generator.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <thread>

#include "engine/text/unicode.h"
#include "kernels/base/error.h"

namespace ember {
namespace {

constexpr int64_t kVocab = 300;  // ids 0..255 are bytes
constexpr int32_t kEos = 299, kOpen = 290, kClose = 291;

// Says the script, whatever it is fed; beyond its end, spaces.
class ScriptedRuntime : public IRuntime {
 public:
  explicit ScriptedRuntime(std::vector<int32_t> script) : script_(std::move(script)) {
    config_.shape.V = kVocab;
    plan_.chunk = 512;
    logits_.resize(kVocab);
  }
  const ModelConfig& config() const override { return config_; }
  const DeviceMap& device_map() const override { return map_; }
  const MemoryPlan& memory_plan() const override { return plan_; }
  DType activation_dtype() const override { return DType::kF32; }
  std::unique_ptr<Session> new_session(int64_t capacity) override {
    return std::make_unique<Session>(std::vector<KvCache>{}, capacity);
  }
  TensorView prefill(Session&, const int32_t* ids, int64_t n,
                     const PrefillOptions& options) override {
    const int64_t chunk = options.chunk > 0 ? options.chunk : plan_.chunk;
    for (int64_t done = 0; done < n;) {
      if (options.stop && options.stop()) {
        return TensorView();
      }
      const int64_t t = std::min(chunk, n - done);
      fed_.insert(fed_.end(), ids + done, ids + done + t);
      ++prefills_;
      done += t;
      if (options.on_progress) {
        options.on_progress(done, n);
      }
    }
    return next();
  }
  TensorView decode(Session&, int32_t id) override {
    fed_.push_back(id);
    ++said_;
    if (sleep_ms_ > 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(sleep_ms_));
    }
    return next();
  }

  std::vector<int32_t> fed_;
  int prefills_ = 0, sleep_ms_ = 0;

 private:
  TensorView next() {
    std::fill(logits_.begin(), logits_.end(), 0.0f);
    const int32_t id = said_ < script_.size() ? script_[said_] : ' ';
    logits_[static_cast<size_t>(id)] = 5.0f;
    return TensorView(logits_.data(), DType::kF32, Shape{1, kVocab});
  }

  ModelConfig config_;
  DeviceMap map_;
  MemoryPlan plan_;
  std::vector<int32_t> script_;
  std::vector<float> logits_;
  size_t said_ = 0;
};

std::vector<int32_t> bytes_of(const std::string& text) {
  std::vector<int32_t> ids;
  for (const char c : text) {
    ids.push_back(static_cast<unsigned char>(c));
  }
  return ids;
}

std::vector<int32_t> join(std::initializer_list<std::vector<int32_t>> parts) {
  std::vector<int32_t> all;
  for (const auto& p : parts) {
    all.insert(all.end(), p.begin(), p.end());
  }
  return all;
}

struct Outcome {
  GenerateResult result;
  std::string answer, thinking;
  std::vector<std::string> pieces;
  std::vector<GeneratedToken> tokens;
  std::vector<int32_t> fed;
  int prefills;
};

class GeneratorTest : public ::testing::Test {
 protected:
  Outcome run(const std::vector<int32_t>& script, const std::string& prompt = "ab",
              int64_t capacity = 100) {
    Outcome out;
    ScriptedRuntime runtime(script);
    runtime.sleep_ms_ = sleep_ms_;
    const auto session = runtime.new_session(capacity);
    const auto tokenizer = Tokenizer::bytes(kVocab);
    SamplingParams params;
    params.greedy = true;
    Sampler sampler(params, kVocab);
    options_.on_text = [&](std::string_view text, TextKind kind) {
      (kind == TextKind::kThinking ? out.thinking : out.answer) += text;
      out.pieces.emplace_back(text);
    };
    options_.on_token = [&](const GeneratedToken& t) { out.tokens.push_back(t); };
    out.result = generate(runtime, *session, *tokenizer, sampler, bytes_of(prompt), options_);
    out.fed = runtime.fed_;
    out.prefills = runtime.prefills_;
    return out;
  }

  GenerateOptions options_;
  int sleep_ms_ = 0;
};

TEST_F(GeneratorTest, LengthEndsTheText) {
  options_.max_tokens = 3;
  const Outcome o = run(bytes_of("hello"));
  EXPECT_EQ(o.answer, "hel");
  EXPECT_EQ(o.result.reason, StopReason::kLength);
  EXPECT_EQ(o.result.ids, bytes_of("hel"));
  EXPECT_EQ(o.tokens.size(), 3u);
  EXPECT_EQ(o.result.token_seconds.size(), 3u);
  EXPECT_EQ(o.fed, bytes_of("abhe"));  // the last token is never fed
  EXPECT_EQ(o.result.prompt_tokens, 2);
}

TEST_F(GeneratorTest, NoTokensAskedForGivesNone) {
  options_.max_tokens = 0;
  const Outcome o = run(bytes_of("hello"));
  EXPECT_TRUE(o.result.ids.empty());
  EXPECT_EQ(o.fed, bytes_of("ab"));
}

TEST_F(GeneratorTest, EndOfTextIsInTheIdsAndNotInTheText) {
  options_.eos_ids = {7, kEos};
  const Outcome o = run(join({bytes_of("hi"), {kEos}, bytes_of("more")}));
  EXPECT_EQ(o.answer, "hi");
  EXPECT_EQ(o.result.reason, StopReason::kEos);
  EXPECT_EQ(o.result.ids, (std::vector<int32_t>{'h', 'i', kEos}));
}

TEST_F(GeneratorTest, WithoutEosIdsItGoesOn) {
  options_.max_tokens = 4;
  const Outcome o = run(join({bytes_of("hi"), {kEos}, bytes_of("more")}));
  EXPECT_EQ(o.result.reason, StopReason::kLength);
  EXPECT_EQ(o.result.ids.size(), 4u);
}

TEST_F(GeneratorTest, StopStringSpansTokensAndIsNeverShown) {
  options_.stop = {"END", "zzz"};
  const Outcome o = run(bytes_of("say EN, then END and more"));
  EXPECT_EQ(o.answer, "say EN, then ");
  EXPECT_EQ(o.result.reason, StopReason::kStopString);
  EXPECT_EQ(o.result.stop_string, "END");
  for (const std::string& piece : o.pieces) {
    EXPECT_NE(piece, "E");  // held back until it could be told from the stop string
  }
}

TEST_F(GeneratorTest, TextThatOnlyBeganAStopStringIsShownAtTheEnd) {
  options_.stop = {"END"};
  options_.max_tokens = 4;
  EXPECT_EQ(run(bytes_of("goEN")).answer, "goEN");
}

TEST_F(GeneratorTest, CharactersAreNeverCut) {
  const std::string text = "h\xC3\xA9 \xE4\xBD\xA0\xE5\xA5\xBD \xF0\x9F\x94\xA5!";
  options_.max_tokens = static_cast<int64_t>(text.size());
  const Outcome o = run(bytes_of(text));
  EXPECT_EQ(o.answer, text);
  EXPECT_GE(o.pieces.size(), 8u);
  for (const std::string& piece : o.pieces) {
    EXPECT_EQ(utf8_valid_prefix(piece), static_cast<int64_t>(piece.size()));
  }
}

TEST_F(GeneratorTest, ATextCutInsideACharacterIsStillValid) {
  options_.max_tokens = 3;
  EXPECT_EQ(run(bytes_of("a\xF0\x9F\x94\xA5")).answer, "a\xEF\xBF\xBD");
}

TEST_F(GeneratorTest, ContextFullIsItsOwnReason) {
  options_.max_tokens = -1;
  const Outcome o = run(bytes_of("abcdefgh"), "ab", 6);
  EXPECT_EQ(o.result.reason, StopReason::kContextFull);
  EXPECT_EQ(o.answer, "abcd");
}

TEST_F(GeneratorTest, APromptThatLeavesNoRoomIsRefusedWithNumbers) {
  for (const std::string& prompt : {std::string("abcd"), std::string("abcdefg"), std::string()}) {
    try {
      run({}, prompt, 4);
      FAIL() << prompt;
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::kUsage);
      if (!prompt.empty()) {
        EXPECT_NE(std::string(e.what()).find(std::to_string(prompt.size()) + " tokens"),
                  std::string::npos);
        EXPECT_NE(std::string(e.what()).find("-c"), std::string::npos);
      }
    }
  }
}

TEST_F(GeneratorTest, InterruptionStopsAtAToken) {
  int asked = 0;
  options_.max_tokens = -1;
  options_.interrupted = [&asked] { return ++asked > 4; };
  const Outcome o = run(bytes_of("abcdefgh"));
  EXPECT_EQ(o.result.reason, StopReason::kInterrupted);
  EXPECT_EQ(o.answer, "abc");  // asked once in the prompt, then before each token
}

TEST_F(GeneratorTest, InterruptionInTheMiddleOfALongPrompt) {
  int asked = 0;
  options_.chunk = 10;
  options_.interrupted = [&asked] { return ++asked > 2; };
  const Outcome o = run(bytes_of("x"), std::string(50, 'p'));
  EXPECT_EQ(o.result.reason, StopReason::kInterrupted);
  EXPECT_EQ(o.fed.size(), 20u);
  EXPECT_TRUE(o.result.ids.empty());
}

TEST_F(GeneratorTest, LongPromptsGoInChunksWithProgress) {
  std::vector<int64_t> done;
  options_.chunk = 16;
  options_.max_tokens = 1;
  options_.on_prefill = [&done](int64_t d, int64_t total) {
    EXPECT_EQ(total, 40);
    done.push_back(d);
  };
  const Outcome o = run(bytes_of("x"), std::string(40, 'p'));
  EXPECT_EQ(o.prefills, 3);
  EXPECT_EQ(done, (std::vector<int64_t>{0, 16, 32, 40}));
}

TEST_F(GeneratorTest, TimeoutKeepsWhatWasSaid) {
  options_.max_tokens = -1;
  options_.timeout_seconds = 0.05;
  sleep_ms_ = 10;
  const Outcome o = run(bytes_of("abcdefghijklmnopqrstuvwxyz"));
  EXPECT_EQ(o.result.reason, StopReason::kTimeout);
  EXPECT_GE(o.answer.size(), 1u);
  EXPECT_LE(o.answer.size(), 7u);
}

TEST_F(GeneratorTest, LogprobsAreThoseOfTheModel) {
  options_.max_tokens = 1;
  options_.logprobs = 2;
  const Outcome o = run(bytes_of("x"));
  ASSERT_EQ(o.tokens.size(), 1u);
  const double total = std::log(std::exp(5.0) + (kVocab - 1));
  EXPECT_NEAR(o.tokens[0].logprob, 5.0 - total, 1e-12);
  ASSERT_EQ(o.tokens[0].top.size(), 2u);
  EXPECT_EQ(o.tokens[0].top[0].id, 'x');
  EXPECT_EQ(o.tokens[0].top[1].id, 0);  // all others tie: the lowest id
  EXPECT_NEAR(o.tokens[0].top[1].logprob, -total, 1e-12);
}

TEST_F(GeneratorTest, ThinkingIsToldFromTheAnswer) {
  options_.think = {kOpen, kClose};
  options_.stop = {"w"};
  options_.eos_ids = {kEos};
  const Outcome o =
      run(join({{kOpen}, bytes_of("\nhow?\n"), {kClose}, bytes_of("\n\nso w"), {kEos}}));
  EXPECT_EQ(o.answer, "so ");  // the w that ends the text is the answer's, not the thinking's
  EXPECT_EQ(o.result.reason, StopReason::kStopString);
  EXPECT_EQ(o.thinking,
            "\xE2\x9F\xA8"
            "290\xE2\x9F\xA9\nhow?\n\xE2\x9F\xA8"
            "291\xE2\x9F\xA9\n\n");
  EXPECT_EQ(o.result.thinking_tokens, 6);
}

TEST_F(GeneratorTest, ThinkBudgetClosesTheThought) {
  options_.think = {kOpen, kClose};
  options_.think_close = {'\n', kClose, '\n'};
  options_.max_tokens = 10;
  for (const int64_t budget : {0, 1, 3}) {
    options_.think_budget = budget;
    const Outcome o = run(join({{kOpen}, bytes_of("abcdefghijklmnop")}));
    std::vector<int32_t> expected = {kOpen};
    for (int64_t i = 0; i < budget; ++i) {
      expected.push_back("abc"[i]);
    }
    expected.insert(expected.end(), {'\n', kClose, '\n'});
    ASSERT_GE(o.result.ids.size(), expected.size());
    EXPECT_TRUE(std::equal(expected.begin(), expected.end(), o.result.ids.begin())) << budget;
    EXPECT_EQ(o.result.thinking_tokens, budget);
    EXPECT_EQ(o.result.ids.size(), 10u);
    EXPECT_FALSE(o.answer.empty());
  }
}

TEST_F(GeneratorTest, BadStopStringsAreRefused) {
  options_.stop = {""};
  EXPECT_THROW(run(bytes_of("x")), Error);
}

}  // namespace
}  // namespace ember
