// SPDX-License-Identifier: Apache-2.0
// Streams on the CPU, where every step is over when it was begun: the order of things.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "engine/backend/forwarding_backend.h"
#include "engine/runtime/decode_testing.h"
#include "kernels/base/error.h"

namespace ember {
namespace {

std::shared_ptr<const IWeightSource> tiny() {
  static const auto source = open_weights("random:tiny:bf16");
  return source;
}

RuntimeOptions options(size_t stages = 1) {
  RuntimeOptions o;
  o.devices.assign(stages, DeviceId{});
  o.context = 64;
  return o;
}

const std::vector<int32_t> kPrompt = {5, 17, 200, 3, 3, 91};

std::vector<SamplingParams> ways() {
  return {greedy_params(), sampled_params(1), sampled_params(2, 0.7, 40, 0.9),
          sampled_params(3, 2.0, 0, 1.0, 0.05)};
}

ErrorKind kind_of(DecodeStream& stream, std::string* message = nullptr) {
  try {
    stream.next();
  } catch (const Error& e) {
    if (message != nullptr) {
      *message = e.what();
    }
    return e.kind();
  }
  ADD_FAILURE() << "nothing thrown";
  return ErrorKind::kInternal;
}

TEST(DecodeStream, SaysWhatTheHostWouldChoose) {
  for (size_t stages : {1, 2}) {
    const auto runtime = make_runtime(tiny(), options(stages));
    for (const SamplingParams& way : ways()) {
      Continued want(*runtime, kPrompt, way, 64), got(*runtime, kPrompt, way, 64);
      for (int i = 0; i < 40; ++i) {
        want.step();
      }
      const auto stream = got.stream();
      for (int i = 0; i < 40; ++i) {
        got.step(*stream);
        EXPECT_EQ(got.session->length(), static_cast<int64_t>(kPrompt.size()) + i + 1);
      }
      EXPECT_EQ(got.ids, want.ids);
      EXPECT_EQ(got.session->ids(), want.session->ids());
      EXPECT_EQ(got.sampler.draws(), want.sampler.draws());
      EXPECT_EQ(got.look(), want.look());
    }
  }
}

TEST(DecodeStream, StreamsTakeTurns) {
  const auto runtime = make_runtime(tiny(), options(2));
  std::vector<std::vector<int32_t>> want;
  for (const SamplingParams& way : ways()) {
    Continued c(*runtime, kPrompt, way, 40);
    for (int i = 0; i < 20; ++i) {
      c.step();
    }
    want.push_back(c.ids);
  }
  std::vector<std::unique_ptr<Continued>> turns;
  std::vector<std::unique_ptr<DecodeStream>> streams;
  for (const SamplingParams& way : ways()) {
    turns.push_back(std::make_unique<Continued>(*runtime, kPrompt, way, 40));
    streams.push_back(turns.back()->stream());
  }
  for (int i = 0; i < 20; ++i) {
    for (size_t s = 0; s < streams.size(); ++s) {
      turns[s]->step(*streams[s]);
    }
    Continued other(*runtime, kPrompt, greedy_params(), 40);  // a prompt in between
  }
  for (size_t s = 0; s < streams.size(); ++s) {
    EXPECT_EQ(turns[s]->ids, want[s]);
  }
}

TEST(DecodeStream, TheContextEnds) {
  const auto runtime = make_runtime(tiny(), options());
  Continued c(*runtime, kPrompt, greedy_params(), 8);
  const auto stream = c.stream();
  c.step(*stream);
  c.step(*stream);
  std::string message;
  EXPECT_EQ(kind_of(*stream, &message), ErrorKind::kUsage);
  EXPECT_NE(message.find("the context is full"), std::string::npos) << message;
  EXPECT_EQ(c.session->length(), 8);
}

// Steps that nobody reads write beyond the session's length alone, and end the stream.
TEST(DecodeStream, UnreadStepsLeaveNoTrace) {
  for (size_t stages : {1, 2}) {
    const auto runtime = make_runtime(tiny(), options(stages));
    Continued want(*runtime, kPrompt, greedy_params(), 64),
        got(*runtime, kPrompt, greedy_params(), 64);
    const auto first = want.stream(), other = got.stream();
    for (int i = 0; i < 4; ++i) {
      want.step(*first);
      got.step(*other);
    }
    const int64_t length = got.session->length();
    bool given = false;
    other->run_unread(20, [&] { given = true; });
    EXPECT_TRUE(given);
    EXPECT_EQ(got.session->length(), length);
    EXPECT_EQ(kind_of(*other), ErrorKind::kInternal);
    EXPECT_THROW(other->run_unread(1, [] {}), Error);
    const auto again = got.stream();
    for (int i = 0; i < 30; ++i) {
      want.step(*first);
      got.step(*again);
    }
    EXPECT_EQ(got.ids, want.ids);
    try {
      again->run_unread(60, [] {});
      ADD_FAILURE() << "more steps than the session has room for";
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::kUsage);
    }
    got.step(*again);  // refused as a whole: the stream goes on
  }
}

TEST(DecodeStream, ASessionThatWasChangedIsRefused) {
  const auto runtime = make_runtime(tiny(), options());
  Continued c(*runtime, kPrompt, greedy_params(), 32);
  const auto stream = c.stream();
  c.step(*stream);
  c.session->truncate(3);
  EXPECT_EQ(kind_of(*stream), ErrorKind::kInternal);
}

TEST(DecodeStream, AnIdOutsideTheVocabularyIsRefused) {
  const auto runtime = make_runtime(tiny(), options());
  Continued c(*runtime, kPrompt, greedy_params(), 32);
  c.ids.push_back(static_cast<int32_t>(runtime->config().shape.V));
  EXPECT_EQ(kind_of(*c.stream()), ErrorKind::kUsage);
  EXPECT_EQ(c.session->length(), static_cast<int64_t>(kPrompt.size()));
}

// Overwrites one logit at one position before the choice.
class BrokenHead : public ForwardingBackend {
 public:
  BrokenHead(std::unique_ptr<IBackend> inner, float value)
      : ForwardingBackend(std::move(inner)), value_(value) {}
  void sample(const k::SampleParams& p) override {
    if (p.pos == 8) {
      p.x.as<float>()[13] = value_;
    }
    ForwardingBackend::sample(p);
  }

 private:
  float value_;
};

TEST(DecodeStream, LogitsThatAreNoNumbersAreNamed) {
  for (float value : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    for (const SamplingParams& way : ways()) {
      RuntimeOptions o = options();
      o.decorate = [value](std::unique_ptr<IBackend> b, int64_t) -> std::unique_ptr<IBackend> {
        return std::make_unique<BrokenHead>(std::move(b), value);
      };
      const auto runtime = make_runtime(tiny(), o);
      Continued c(*runtime, kPrompt, way, 32);
      const auto stream = c.stream();
      c.step(*stream);
      c.step(*stream);
      std::string message;
      EXPECT_EQ(kind_of(*stream, &message), ErrorKind::kWrong);
      EXPECT_NE(message.find("token 13 at position 9"), std::string::npos) << message;
      EXPECT_EQ(c.session->length(), 8);
    }
  }
}

TEST(DecodeStream, TheFirstTokenIsTheHostsChoice) {
  for (size_t stages : {1, 2}) {
    const auto runtime = make_runtime(tiny(), options(stages));
    Continued other(*runtime, {9, 9, 1}, sampled_params(5), 64),
        undisturbed(other.runtime, {9, 9, 1}, sampled_params(5), 64);
    const auto stream = other.stream();
    for (const SamplingParams& way : ways()) {
      Continued want(*runtime, kPrompt, way, 64);
      want.step();
      const auto session = runtime->new_session(64);
      other.step(*stream);
      PrefillOptions passes;
      passes.chunk = 4;
      const auto id = first_choice(*runtime, *session, kPrompt, way, passes);
      EXPECT_EQ(id, want.ids[0]);
      EXPECT_EQ(session->ids(), kPrompt);
      DecodeParams params;
      params.greedy = way.is_greedy();
      Sampler sampler(way, runtime->config().shape.V);
      sampler.count_draw();
      params.settings = *sampler.device_settings(session->length());
      EXPECT_EQ(runtime->start_decode(*session, *id, params)->next(), want.ids[1]);
      undisturbed.step();
      EXPECT_EQ(other.ids.back(), undisturbed.ids.back());
      passes.stop = [] { return true; };
      EXPECT_EQ(first_choice(*runtime, *session, kPrompt, way, passes), std::nullopt);
    }
  }
}

TEST(DecodeStream, AFirstTokenWithoutANumberIsNamed) {
  RuntimeOptions o = options();
  o.decorate = [](std::unique_ptr<IBackend> b, int64_t) -> std::unique_ptr<IBackend> {
    return std::make_unique<BrokenHead>(std::move(b), std::nanf(""));
  };
  const auto runtime = make_runtime(tiny(), o);
  const auto session = runtime->new_session(64);
  const std::vector<int32_t> prompt = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  for (const SamplingParams& way : ways()) {
    try {
      first_choice(*runtime, *session, prompt, way);
      FAIL() << "nothing thrown";
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::kWrong);
      EXPECT_NE(std::string(e.what()).find("token 13 at position 9"), std::string::npos)
          << e.what();
    }
    EXPECT_EQ(session->length(), 0);
  }
}

}  // namespace
}  // namespace ember
