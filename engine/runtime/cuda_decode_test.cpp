// SPDX-License-Identifier: Apache-2.0
// Streams on CUDA devices, where each step is under way before the token before it is known here.
// They must say what the host would choose from the same device's logits, to the last token.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>

#include "engine/backend/forwarding_backend.h"
#include "engine/runtime/decode_testing.h"
#include "kernels/base/error.h"
#include "kernels/common/cuda_testing.h"

namespace ember {
namespace {

const DeviceId kGpu{DeviceKind::kCuda, 0};
constexpr int kSteps = 220;

std::vector<std::shared_ptr<const IWeightSource>> sources() {
  static const auto tiny = open_weights("random:tiny:bf16");
  static const auto odd = open_weights(std::string(EMBER_SOURCE_DIR) + "/golden/models/odd");
  return {tiny, odd};
}

std::unique_ptr<IRuntime> runtime_of(const std::shared_ptr<const IWeightSource>& source,
                                     size_t stages, bool graph = true,
                                     HopPath hop = HopPath::kAuto) {
  RuntimeOptions o;
  o.devices.assign(stages, kGpu);
  o.context = 400;
  o.hop = hop;
  o.graph = graph;
  return make_runtime(source, o);
}

std::vector<SamplingParams> ways() {
  return {greedy_params(), sampled_params(1), sampled_params(2, 0.7, 40, 0.9),
          sampled_params(3, 2.0, 0, 1.0, 0.05), sampled_params(4, 1.0, 0, 1.0)};
}

const std::vector<int32_t> kPrompt = {5, 17, 200, 3, 3, 91, 42};

struct Outcome {
  std::vector<int32_t> ids;
  std::vector<float> after;  // logits of one more token: they depend on every row of the cache
  bool operator==(const Outcome& o) const { return ids == o.ids && after == o.after; }
};

Outcome by_host(IRuntime& runtime, const SamplingParams& way) {
  Continued c(runtime, kPrompt, way, 300);
  for (int i = 0; i < kSteps; ++i) {
    c.step();
  }
  return {c.ids, c.look()};
}

Outcome by_stream(IRuntime& runtime, const SamplingParams& way) {
  Continued c(runtime, kPrompt, way, 300);
  const auto stream = c.stream();
  for (int i = 0; i < kSteps; ++i) {
    c.step(*stream);
  }
  EXPECT_EQ(c.session->length(), static_cast<int64_t>(kPrompt.size()) + kSteps);
  return {c.ids, c.look()};
}

struct Way {
  size_t stages;
  bool graph;
  HopPath hop;
};

TEST(CudaDecode, SaysWhatTheHostWouldChoose) {
  EMBER_NEEDS_CUDA();
  for (const auto& source : sources()) {
    const auto reference = runtime_of(source, 1);
    for (size_t w = 0; w < ways().size(); ++w) {
      const Outcome want = by_host(*reference, ways()[w]);
      for (const Way& how : std::vector<Way>{{1, true, HopPath::kAuto},
                                             {1, false, HopPath::kAuto},
                                             {2, true, HopPath::kAuto},
                                             {2, false, HopPath::kStaged},
                                             {4, true, HopPath::kAuto}}) {
        const size_t stages = std::min<size_t>(how.stages, source->config().shape.L);
        const auto runtime = runtime_of(source, stages, how.graph, how.hop);
        EXPECT_TRUE(by_stream(*runtime, ways()[w]) == want)
            << source->description() << " way " << w << " stages " << stages << " graph "
            << how.graph << " hop " << static_cast<int>(how.hop);
      }
    }
  }
}

TEST(CudaDecode, PoisonedMemoryChangesNothing) {
  EMBER_NEEDS_CUDA();
  for (const auto& source : sources()) {
    for (size_t stages : {1, 2}) {
      const auto clean = runtime_of(source, stages);
      std::vector<Outcome> want;
      for (const SamplingParams& way : ways()) {
        want.push_back(by_stream(*clean, way));
      }
      setenv("EMBER_POISON", "1", 1);
      const auto poisoned = runtime_of(source, stages);
      for (size_t w = 0; w < want.size(); ++w) {
        EXPECT_TRUE(by_stream(*poisoned, ways()[w]) == want[w]) << w << " of " << stages;
      }
      unsetenv("EMBER_POISON");
    }
  }
}

// Streams of several sessions, passes over logits and prompts in turns on one runtime.
TEST(CudaDecode, StreamsTakeTurns) {
  EMBER_NEEDS_CUDA();
  for (size_t stages : {1, 2}) {
    const auto runtime = runtime_of(sources()[0], stages);
    std::vector<Outcome> want;
    for (const SamplingParams& way : ways()) {
      want.push_back(by_host(*runtime, way));
    }
    std::vector<std::unique_ptr<Continued>> turns;
    std::vector<std::unique_ptr<DecodeStream>> streams;
    for (const SamplingParams& way : ways()) {
      turns.push_back(std::make_unique<Continued>(*runtime, kPrompt, way, 300));
      streams.push_back(turns.back()->stream());
    }
    Continued host(*runtime, kPrompt, ways()[2], 300);
    for (int i = 0; i < kSteps; ++i) {
      for (size_t s = 0; s < streams.size(); ++s) {
        // Sometimes several tokens of one stream, so that it is ahead when it is displaced.
        for (int n = i % 7 == 0 ? 4 : i % 7 == 3 ? 3 : 0; n > 0; --n) {
          if (turns[s]->ids.size() <= kSteps) {
            turns[s]->step(*streams[s]);
          }
        }
      }
      host.step();
      if (i % 50 == 0) {
        Continued other(*runtime, kPrompt, greedy_params(), 40);
      }
    }
    for (size_t s = 0; s < streams.size(); ++s) {
      while (turns[s]->ids.size() <= kSteps) {
        turns[s]->step(*streams[s]);
      }
      EXPECT_TRUE((Outcome{turns[s]->ids, turns[s]->look()} == want[s])) << s << " of " << stages;
    }
    EXPECT_TRUE((Outcome{host.ids, host.look()} == want[2])) << stages;
  }
}

// A stream that is dropped leaves a step behind that nobody asked for.
TEST(CudaDecode, AbandonedStreamsLeaveNoTrace) {
  EMBER_NEEDS_CUDA();
  for (size_t stages : {1, 2}) {
    const auto runtime = runtime_of(sources()[0], stages);
    for (const SamplingParams& way : ways()) {
      const Outcome want = by_host(*runtime, way);
      Continued c(*runtime, kPrompt, way, 300);
      while (c.ids.size() <= kSteps) {
        const auto stream = c.stream();
        for (size_t n = 1 + c.ids.size() % 5; n > 0 && c.ids.size() <= kSteps; --n) {
          c.step(*stream);
        }
        if (c.ids.size() % 3 == 0 && c.ids.size() <= kSteps) {
          c.step();  // over logits, at once
        }
      }
      EXPECT_TRUE((Outcome{c.ids, c.look()} == want)) << stages;
    }
  }
}

TEST(CudaDecode, TheContextAndTheTokensAskedForEnd) {
  EMBER_NEEDS_CUDA();
  const auto runtime = runtime_of(sources()[0], 1);
  Continued c(*runtime, kPrompt, greedy_params(), 12);
  const auto stream = c.stream(2);
  for (int i = 0; i < 5; ++i) {
    c.step(*stream);  // more than was said: slower, not wrong
  }
  try {
    stream->next();
    FAIL() << "nothing thrown";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kUsage) << e.what();
  }
  EXPECT_EQ(c.session->length(), 12);
}

// Lengths on either side of where other kernels take over, and a prompt in several passes.
TEST(CudaDecode, TheFirstTokenIsTheHostsChoice) {
  EMBER_NEEDS_CUDA();
  for (size_t stages : {1, 2}) {
    const auto runtime = runtime_of(sources()[0], stages);
    for (int64_t length : {1, 2, 16, 17, 100}) {
      std::vector<int32_t> prompt;
      for (int64_t i = 0; i < length; ++i) {
        prompt.push_back(static_cast<int32_t>(i * 37 % 251));
      }
      for (const SamplingParams& way : ways()) {
        const Continued want(*runtime, prompt, way, 200);
        const auto session = runtime->new_session(200);
        EXPECT_EQ(first_choice(*runtime, *session, prompt, way), want.ids[0]) << length;

        PrefillOptions passes;
        passes.chunk = 40;
        session->truncate(0);
        const TensorView logits = runtime->prefill(*session, prompt.data(), length, passes);
        Sampler host(way, runtime->config().shape.V);
        const int32_t id = host.sample(logits.as<float>(), {prompt, 0});
        session->truncate(0);
        EXPECT_EQ(first_choice(*runtime, *session, prompt, way, passes), id) << length;
      }
    }
  }
}

// Makes one logit a NaN at one position before the choice, on the device.
class BrokenHead : public ForwardingBackend {
 public:
  using ForwardingBackend::ForwardingBackend;
  void sample(const k::SampleParams& p) override {
    if (p.pos == 9) {
      const float nan = std::nanf("");
      TensorView one = p.x;
      one.data = static_cast<std::byte*>(one.data) + 13 * sizeof(float);
      one.shape = Shape{1};
      upload(one, &nan);
    }
    ForwardingBackend::sample(p);
  }
};

TEST(CudaDecode, LogitsThatAreNoNumbersAreNamed) {
  EMBER_NEEDS_CUDA();
  for (const SamplingParams& way : ways()) {
    RuntimeOptions o;
    o.devices = {kGpu};
    o.context = 64;
    o.decorate = [](std::unique_ptr<IBackend> b, int64_t) -> std::unique_ptr<IBackend> {
      return std::make_unique<BrokenHead>(std::move(b));
    };
    const auto runtime = make_runtime(sources()[0], o);
    Continued c(*runtime, kPrompt, way, 64);
    const auto stream = c.stream();
    c.step(*stream);
    c.step(*stream);
    for (int again = 0; again < 2; ++again) {
      try {
        stream->next();
        FAIL() << "nothing thrown";
      } catch (const Error& e) {
        EXPECT_EQ(e.kind(), ErrorKind::kWrong);
        EXPECT_NE(std::string(e.what()).find("token 13 at position 10"), std::string::npos)
            << e.what();
      }
    }
    EXPECT_EQ(c.session->length(), 9);
  }
}

}  // namespace
}  // namespace ember
