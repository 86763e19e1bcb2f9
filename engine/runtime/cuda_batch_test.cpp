// SPDX-License-Identifier: Apache-2.0
// Several sessions in one step on CUDA devices.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "engine/runtime/decode_testing.h"
#include "kernels/base/error.h"
#include "kernels/common/cuda_testing.h"

namespace ember {
namespace {

const DeviceId kGpu{DeviceKind::kCuda, 0};

std::vector<std::shared_ptr<const IWeightSource>> sources() {
  static const auto tiny = open_weights("random:tiny:bf16");
  static const auto odd = open_weights(std::string(EMBER_SOURCE_DIR) + "/golden/models/odd");
  return {tiny, odd};
}

std::vector<SamplingParams> ways() {
  return {greedy_params(), sampled_params(1), sampled_params(2, 0.7, 40, 0.9)};
}

struct Outcome {
  std::vector<int32_t> ids;
  std::vector<float> after;  // logits of one more token: they depend on every row of the cache
  bool operator==(const Outcome& o) const { return ids == o.ids && after == o.after; }
};

// Several sessions in one step: a token's sums run in another order than alone, so its text may
// part from the one it would have alone, but only where two logits are all but equal.
struct BatchWay {
  int64_t count;
  size_t stages;
  bool graph;
};

std::unique_ptr<IRuntime> batch_runtime(const std::shared_ptr<const IWeightSource>& source,
                                        const BatchWay& way) {
  RuntimeOptions o;
  o.devices.assign(std::min<size_t>(way.stages, source->config().shape.L), kGpu);
  o.context = 400;
  o.graph = way.graph;
  o.batch = way.count;
  return make_runtime(source, o);
}

// Feeds a session's own text to a fresh one, token by token: each token that the batch chose
// greedily stands at the top there, and the logits at the end agree.
void expect_as_alone(IRuntime& runtime, Continued& got) {
  const std::vector<int32_t>& said = got.ids;
  const std::vector<int32_t> fed = got.session->ids();
  const auto fresh = runtime.new_session(400);
  runtime.prefill(*fresh, fed.data(), static_cast<int64_t>(fed.size() - said.size()) + 1);
  std::vector<float> row;
  double rms = 0;
  for (size_t n = 0; n < said.size(); ++n) {
    const TensorView logits = runtime.decode(*fresh, said[n]);
    row.assign(logits.as<float>(), logits.as<float>() + logits.numel());
    rms = 0;
    for (float v : row) {
      rms += static_cast<double>(v) * v / static_cast<double>(row.size());
    }
    rms = std::sqrt(rms);
    if (got.sampler.params().is_greedy() && n + 1 < said.size()) {
      const float largest = *std::max_element(row.begin(), row.end());
      EXPECT_GE(row[said[n + 1]], largest - 0.05 * rms) << "token " << n + 1;
    }
  }
  const std::vector<float> after = got.look();
  double error = 0;
  for (size_t v = 0; v < row.size(); ++v) {
    error = std::max(error, std::fabs(static_cast<double>(after[v]) - row[v]));
  }
  EXPECT_LE(error, 0.1 * rms);
}

TEST(CudaBatch, SessionsInOneStepSayWhatTheyWouldAlone) {
  EMBER_NEEDS_CUDA();
  for (const auto& source : sources()) {
    for (const BatchWay& how : std::vector<BatchWay>{
             {2, 1, true}, {3, 1, false}, {5, 2, true}, {8, 1, true}, {16, 2, true}}) {
      SCOPED_TRACE(source->description() + " batch " + std::to_string(how.count));
      const auto runtime = batch_runtime(source, how);
      Together together(*runtime, ways(), how.count, 200);
      const auto stream = together.stream();
      for (int step = 0; step < 40; ++step) {
        together.step(*stream);
      }
      for (int64_t i = 0; i < how.count; ++i) {
        SCOPED_TRACE("session " + std::to_string(i));
        expect_as_alone(*runtime, together[i]);
      }
    }
  }
}

// Streams say what the host would choose from the logits of the same step, to the last bit.
TEST(CudaBatch, StreamsSayWhatTheHostWouldChoose) {
  EMBER_NEEDS_CUDA();
  for (const auto& source : sources()) {
    for (int64_t count : {2, 7, 16}) {
      const auto runtime = batch_runtime(source, {count, 1, true});
      Together by_stream(*runtime, ways(), count, 200), by_host(*runtime, ways(), count, 200);
      const auto stream = by_stream.stream();
      for (int step = 0; step < 50; ++step) {
        by_stream.step(*stream);
        by_host.step();
      }
      for (int64_t i = 0; i < count; ++i) {
        EXPECT_EQ(by_stream[i].ids, by_host[i].ids) << i << " of " << count;
        EXPECT_EQ(by_stream[i].look(), by_host[i].look()) << i << " of " << count;
      }
    }
  }
}

// The same sessions by recorded graphs and launch by launch, on one stage and on two: the same
// bits.
TEST(CudaBatch, ABatchHasTheSameBitsInEveryWay) {
  EMBER_NEEDS_CUDA();
  for (int64_t count : {4, 12}) {
    std::vector<std::vector<Outcome>> outcomes;
    for (const BatchWay& how : std::vector<BatchWay>{
             {count, 1, true}, {count, 1, false}, {count, 2, true}, {count, 1, true}}) {
      const auto runtime = batch_runtime(sources()[0], how);
      Together together(*runtime, ways(), count, 200);
      const auto stream = together.stream();
      for (int step = 0; step < 60; ++step) {
        together.step(*stream);
      }
      std::vector<Outcome>& all = outcomes.emplace_back();
      for (int64_t i = 0; i < count; ++i) {
        all.push_back({together[i].ids, together[i].look()});
      }
      EXPECT_TRUE(all == outcomes[0]) << count << " way " << outcomes.size();
    }
  }
}

// Sessions leave while the next step is under way, others decode alone in between.
TEST(CudaBatch, SessionsLeaveABatch) {
  EMBER_NEEDS_CUDA();
  for (size_t stages : {1, 2}) {
    const auto runtime = batch_runtime(sources()[0], {6, stages, true});
    Together together(*runtime, ways(), 6, 200);
    const auto stream = together.stream();
    for (int64_t out : {2, 0, 3, 1, 0}) {
      for (int step = 0; step < 5; ++step) {
        together.step(*stream);
      }
      Continued& gone = together.member(out);
      together.leave(*stream, out);
      const size_t said = gone.ids.size();
      gone.step();
      EXPECT_EQ(gone.ids.size(), said + 1);
    }
    together.step(*stream);
    for (int64_t i = 0; i < 6; ++i) {
      SCOPED_TRACE("session " + std::to_string(i) + ", stages " + std::to_string(stages));
      expect_as_alone(*runtime, together[i]);
    }
  }
}

// The same in few steps, for tools under which a step takes seconds.
TEST(CudaBatch, AFewStepsOfABatchThatShrinks) {
  EMBER_NEEDS_CUDA();
  const auto runtime = batch_runtime(sources()[0], {3, 2, true});
  Together together(*runtime, ways(), 3, 64);
  const auto stream = together.stream();
  together.step(*stream);
  together.step(*stream);
  together.leave(*stream, 1);
  together.step(*stream);
  for (int64_t i = 0; i < 3; ++i) {
    SCOPED_TRACE("session " + std::to_string(i));
    expect_as_alone(*runtime, together[i]);
  }
}

}  // namespace
}  // namespace ember
