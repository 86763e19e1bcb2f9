// SPDX-License-Identifier: Apache-2.0
// Several sessions in one step, on the CPU: each must say what it would say alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "engine/backend/forwarding_backend.h"
#include "engine/runtime/decode_testing.h"
#include "kernels/base/error.h"
#include "kernels/common/gemv_args.h"

namespace ember {
namespace {

// Up to so many tokens the CPU gives a token the same bits in any company.
constexpr int64_t kSameBits = k::kGemvTokens;

std::shared_ptr<const IWeightSource> tiny() {
  static const auto source = open_weights("random:tiny:bf16");
  return source;
}

RuntimeOptions options(size_t stages, int64_t batch) {
  RuntimeOptions o;
  o.devices.assign(stages, DeviceId{});
  o.context = 64;
  o.batch = batch;
  return o;
}

std::vector<SamplingParams> ways() {
  return {greedy_params(), sampled_params(1), sampled_params(2, 0.7, 40, 0.9)};
}

// All that a stream of one would have said, and the logits after it.
void expect_as_alone(IRuntime& runtime, Together& got, int64_t count, int64_t capacity,
                     bool same_bits) {
  Together alone(runtime, ways(), count, capacity);
  for (int64_t i = 0; i < count; ++i) {
    while (alone[i].ids.size() < got[i].ids.size()) {
      alone[i].step();
    }
    EXPECT_EQ(got[i].ids, alone[i].ids) << i << " of " << count;
    EXPECT_EQ(got[i].session->ids(), alone[i].session->ids()) << i;
    EXPECT_EQ(got[i].sampler.draws(), alone[i].sampler.draws()) << i;
    const std::vector<float> a = got[i].look(), b = alone[i].look();
    double worst = 0;
    for (size_t v = 0; v < a.size(); ++v) {
      worst = std::max(worst, std::fabs(static_cast<double>(a[v]) - b[v]));
    }
    EXPECT_LE(worst, same_bits ? 0.0 : 1e-4) << i << " of " << count;
  }
}

std::string message_of(ErrorKind kind, DecodeStream& stream) {
  std::vector<int32_t> ids(stream.size());
  try {
    stream.next(ids.data());
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), kind) << e.what();
    return e.what();
  }
  ADD_FAILURE() << "nothing thrown";
  return "";
}

TEST(DecodeBatch, EachSessionSaysWhatItWouldAlone) {
  for (size_t stages : {1, 2}) {
    for (int64_t count : {1, 2, 3, 6, 7, 16}) {
      const auto runtime = make_runtime(tiny(), options(stages, count));
      Together together(*runtime, ways(), count, 48);
      const auto stream = together.stream();
      EXPECT_EQ(stream->size(), count);
      for (int step = 0; step < 25; ++step) {
        together.step(*stream);
      }
      expect_as_alone(*runtime, together, count, 48, count <= kSameBits);
    }
  }
}

// Streams say what the host would choose from the logits of the same step, to the last bit.
TEST(DecodeBatch, StreamsSayWhatTheHostWouldChoose) {
  for (size_t stages : {1, 2}) {
    for (int64_t count : {2, 6, 9}) {
      const auto runtime = make_runtime(tiny(), options(stages, count));
      Together by_stream(*runtime, ways(), count, 48), by_host(*runtime, ways(), count, 48);
      const auto stream = by_stream.stream();
      for (int step = 0; step < 20; ++step) {
        by_stream.step(*stream);
        by_host.step();
      }
      for (int64_t i = 0; i < count; ++i) {
        EXPECT_EQ(by_stream[i].ids, by_host[i].ids) << i << " of " << count;
        EXPECT_EQ(by_stream[i].session->ids(), by_host[i].session->ids());
        EXPECT_EQ(by_stream[i].look(), by_host[i].look());
      }
    }
  }
}

// A chunk and rows of logits smaller than the batch.
TEST(DecodeBatch, NeedsNoLongPrefill) {
  RuntimeOptions o = options(1, 5);
  o.chunk = 2;
  const auto runtime = make_runtime(tiny(), o);
  Together together(*runtime, ways(), 5, 40);
  const auto stream = together.stream();
  for (int step = 0; step < 10; ++step) {
    together.step(*stream);
  }
  expect_as_alone(*runtime, together, 5, 40, true);
}

TEST(DecodeBatch, SessionsLeaveAndTheOthersGoOn) {
  for (size_t stages : {1, 2}) {
    const auto runtime = make_runtime(tiny(), options(stages, 6));
    Together together(*runtime, ways(), 6, 48);
    const auto stream = together.stream();
    for (int64_t out : {2, 0, 3, 1, 0}) {
      for (int step = 0; step < 4; ++step) {
        together.step(*stream);
      }
      Continued& gone = together.member(out);
      together.leave(*stream, out);
      gone.step();  // it is free again, in between
      EXPECT_EQ(stream->size(), together.size());
    }
    together.step(*stream);
    EXPECT_EQ(stream->size(), 1);
    expect_as_alone(*runtime, together, 6, 48, true);
    stream->leave(0);
    EXPECT_EQ(stream->size(), 0);
    EXPECT_NE(message_of(ErrorKind::kInternal, *stream).find("left"), std::string::npos);
  }
}

TEST(DecodeBatch, BatchesTakeTurns) {
  const auto runtime = make_runtime(tiny(), options(2, 4));
  Together a(*runtime, ways(), 4, 48), b(*runtime, ways(), 3, 48);
  const auto of_a = a.stream(), of_b = b.stream();
  for (int step = 0; step < 12; ++step) {
    a.step(*of_a);
    if (step % 3 != 1) {
      b.step(*of_b);
    }
    if (step == 5) {
      Continued other(*runtime, {9, 8, 7}, greedy_params(), 20);
      other.step();
    }
  }
  expect_as_alone(*runtime, a, 4, 48, true);
  expect_as_alone(*runtime, b, 3, 48, true);
}

// Capacities differ: the shortest ends first, is named, and goes.
TEST(DecodeBatch, AFullSessionIsNamedAndTheOthersGoOn) {
  const auto runtime = make_runtime(tiny(), options(1, 3));
  Together together(*runtime, ways(), 3, 14);
  const auto stream = together.stream();
  while (together[2].session->length() < together[2].session->capacity()) {
    together.step(*stream);
  }
  const std::vector<int32_t> before = together[0].session->ids();
  const std::string message = message_of(ErrorKind::kUsage, *stream);
  EXPECT_NE(message.find("sequence 2 of the batch: the context is full"), std::string::npos)
      << message;
  EXPECT_EQ(together[0].session->ids(), before);
  together.leave(*stream, 2);
  for (int step = 0; step < 2; ++step) {
    together.step(*stream);
  }
  Together alone(*runtime, ways(), 3, 14);
  for (int64_t i : {0, 1}) {
    while (alone[i].ids.size() < together[i].ids.size()) {
      alone[i].step();
    }
    EXPECT_EQ(together[i].ids, alone[i].ids) << i;
  }
}

// Overwrites one logit at one position before the choice.
class BrokenHead : public ForwardingBackend {
 public:
  using ForwardingBackend::ForwardingBackend;
  void sample(const k::SampleParams& p) override {
    if (p.pos == 12) {
      p.x.as<float>()[13] = std::nanf("");
    }
    ForwardingBackend::sample(p);
  }
};

TEST(DecodeBatch, LogitsThatAreNoNumbersNameTheirSequence) {
  RuntimeOptions o = options(1, 3);
  o.decorate = [](std::unique_ptr<IBackend> b, int64_t) -> std::unique_ptr<IBackend> {
    return std::make_unique<BrokenHead>(std::move(b));
  };
  const auto runtime = make_runtime(tiny(), o);
  Together together(*runtime, ways(), 3, 48);  // prompts of 3, 8 and 13 tokens
  const auto stream = together.stream();
  for (int step = 0; step < 4; ++step) {
    together.step(*stream);
  }
  for (int again = 0; again < 2; ++again) {
    const std::string message = message_of(ErrorKind::kWrong, *stream);
    EXPECT_NE(message.find("sequence 1 of the batch: the logit of token 13 at position 13"),
              std::string::npos)
        << message;
  }
  EXPECT_EQ(together[0].session->length(), 7);
  together.leave(*stream, 1);
  for (int step = 0; step < 3; ++step) {
    together.step(*stream);
  }
  const auto clean = make_runtime(tiny(), options(1, 3));
  Together alone(*clean, ways(), 3, 48);
  while (alone[2].ids.size() < together[2].ids.size()) {
    alone[2].step();
  }
  EXPECT_EQ(together[2].ids, alone[2].ids);
}

TEST(DecodeBatch, WhatCannotBeIsRefused) {
  const auto runtime = make_runtime(tiny(), options(1, 2));
  Together three(*runtime, ways(), 3, 32), two(*runtime, ways(), 2, 32);
  EXPECT_THROW(three.stream(), Error);
  EXPECT_THROW(runtime->start_batch({}), Error);
  EXPECT_THROW(runtime->start_batch({two[0].sequence(), two[0].sequence()}), Error);
  std::vector<Session*> both = {two[0].session.get(), two[1].session.get()};
  EXPECT_THROW(runtime->decode(both, {1}), Error);
  EXPECT_THROW(runtime->decode({both[0], both[0]}, {1, 2}), Error);
  try {
    runtime->decode(both, {1, -1});
    ADD_FAILURE() << "nothing thrown";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kUsage);
    EXPECT_NE(std::string(e.what()).find("sequence 1 of the batch: token id -1"), std::string::npos)
        << e.what();
  }
  const auto stream = two.stream();
  two.step(*stream);
  two[1].session->truncate(1);
  message_of(ErrorKind::kInternal, *stream);
  EXPECT_THROW(make_runtime(tiny(), options(1, 0)), Error);
  EXPECT_THROW(make_runtime(tiny(), options(1, kMaxBatch + 1)), Error);
}

TEST(DecodeBatch, ThePlanCountsEverySession) {
  const MemoryPlan one = plan_runtime(*tiny(), options(1, 1)),
                   eight = plan_runtime(*tiny(), options(1, 8));
  EXPECT_EQ(eight.stages[0].cache, 8 * one.stages[0].cache);
  EXPECT_GE(eight.stages[0].workspace - one.stages[0].workspace, 7 * 4 * tiny()->config().shape.V);
  EXPECT_NE(eight.str().find("8 sessions"), std::string::npos) << eight.str();
}

}  // namespace
}  // namespace ember
