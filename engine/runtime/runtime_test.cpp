// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/runtime.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "engine/backend/forwarding_backend.h"
#include "engine/core/clock.h"
#include "engine/core/log.h"
#include "engine/runtime/logits_testing.h"

namespace ember {
namespace {

const DeviceId kCpu{};

RuntimeOptions options(int stages = 1, int64_t chunk = 512) {
  RuntimeOptions o;
  o.devices.assign(stages, kCpu);
  o.context = 256;
  o.chunk = chunk;
  return o;
}

TEST(Runtime, ChunksAndDecodeAgreeWithOnePass) {
  const auto ids = prompt(70, tiny()->config().shape.V);
  const auto whole = all_logits(tiny(), options(), ids, 70);
  EXPECT_TRUE(relative_l2(all_logits(tiny(), options(1, 32), ids, 70), whole) <= 1e-5);
  EXPECT_TRUE(relative_l2(all_logits(tiny(), options(1, 7), ids, 70), whole) <= 1e-5);
  EXPECT_TRUE(relative_l2(all_logits(tiny(), options(), ids, 1), whole) <= 1e-5);
}

TEST(Runtime, StagesAreBitEqual) {
  const auto ids = prompt(40, tiny()->config().shape.V);
  const auto one = all_logits(tiny(), options(1), ids, 33);
  for (int stages : {2, 3, 4}) {
    EXPECT_EQ(all_logits(tiny(), options(stages), ids, 33), one) << stages << " stages";
  }
  RuntimeOptions split = options(2);
  split.split = {1, 3};
  EXPECT_EQ(all_logits(tiny(), split, ids, 33), one);
}

// More passes than a hop carries messages, and logits of every row on their way.
TEST(Runtime, StagesOverASlowLinkAreBitEqual) {
  const auto ids = prompt(40, tiny()->config().shape.V);
  for (int64_t chunk : {33, 8, 3}) {
    const auto one = all_logits(tiny(), options(1, chunk), ids, 33);
    setenv("EMBER_LINK", "0.05,300", 1);
    for (int stages : {2, 4}) {
      EXPECT_EQ(all_logits(tiny(), options(stages, chunk), ids, 33), one)
          << stages << ", " << chunk;
    }
    unsetenv("EMBER_LINK");
  }
}

// While a pass is on the link, the stage before it computes the next: of the time that the link
// takes in all, only that of one pass is seen.
TEST(Runtime, PassesOverlapASlowLink) {
  constexpr int64_t kPasses = 12;
  const auto ids = prompt(240, tiny()->config().shape.V);
  const auto seconds = [&](const std::string& link) {
    if (!link.empty()) {
      setenv("EMBER_LINK", link.c_str(), 1);
    }
    const auto runtime = make_runtime(tiny(), options(2, 240 / kPasses));
    unsetenv("EMBER_LINK");
    const auto session = runtime->new_session(256);
    double best = 1e9;
    for (int i = 0; i < 4; ++i) {
      session->truncate(0);
      const double start = now_seconds();
      runtime->prefill(*session, ids.data(), 240);
      best = std::min(best, now_seconds() - start);
    }
    return best;
  };
  double ratio = 1e9;
  for (int tries = 0; tries < 4 && ratio > 0.5; ++tries) {  // other users of the CPU
    const double plain = seconds(""), hop = 0.5 * plain / kPasses;
    const double slow = seconds(concat("1e6,", hop * 1e6));
    EXPECT_GT(slow, plain / 2 + hop);
    ratio = std::min(ratio, (slow - plain) / (kPasses * hop));
  }
  EXPECT_LE(ratio, 0.5) << "of the link's time is not hidden";
}

TEST(Runtime, AnErrorOrAStopLeavesNoMessageBehind) {
  const auto ids = prompt(60, tiny()->config().shape.V);
  const auto runtime = make_runtime(tiny(), options(3, 6));
  const auto whole = runtime->new_session(64);
  const auto want = copy(runtime->prefill(*whole, ids.data(), 60));
  const auto session = runtime->new_session(64);
  PrefillOptions p;
  p.on_progress = [&](int64_t done, int64_t) {
    if (done == 12) {
      throw Error(ErrorKind::kWrong, "planted");
    }
  };
  EXPECT_THROW(runtime->prefill(*session, ids.data(), 60, p), Error);
  EXPECT_EQ(session->length(), 0);
  int64_t fed = 0;
  p.on_progress = [&](int64_t done, int64_t) { fed = done; };
  p.stop = [&] { return fed == 18; };
  EXPECT_EQ(runtime->prefill(*session, ids.data(), 60, p).data, nullptr);
  EXPECT_EQ(session->length(), 18);
  EXPECT_EQ(copy(runtime->prefill(*session, ids.data() + 18, 42)), want);
}

TEST(Runtime, TwoRunsAreBitEqual) {
  const auto ids = prompt(50, tiny()->config().shape.V);
  EXPECT_EQ(all_logits(tiny(), options(), ids, 40), all_logits(tiny(), options(), ids, 40));
}

TEST(Runtime, LogitRowsDoNotChangeTheResult) {
  const auto ids = prompt(20, tiny()->config().shape.V);
  RuntimeOptions many = options();
  many.logit_rows = 8;
  EXPECT_TRUE(relative_l2(all_logits(tiny(), many, ids, 20),
                          all_logits(tiny(), options(), ids, 20)) <= 1e-6);
}

TEST(Runtime, SessionsDoNotDisturbEachOther) {
  expect_sessions_apart(*make_runtime(tiny(), options()));
}

TEST(Runtime, TruncateForgets) {
  const auto runtime = make_runtime(tiny(), options());
  const auto ids = prompt(30, runtime->config().shape.V, 3);
  const auto other = prompt(30, runtime->config().shape.V, 4);
  const auto fresh = runtime->new_session(64);
  runtime->prefill(*fresh, ids.data(), 20);
  const auto want = copy(runtime->prefill(*fresh, ids.data() + 20, 10));
  const auto reused = runtime->new_session(64);
  runtime->prefill(*reused, ids.data(), 20);
  runtime->prefill(*reused, other.data(), 30);
  reused->truncate(20);
  EXPECT_EQ(copy(runtime->prefill(*reused, ids.data() + 20, 10)), want);
  EXPECT_EQ(reused->ids(), ids);
  EXPECT_THROW(reused->truncate(31), Error);
}

TEST(Runtime, UnusedMemoryMayHoldNaN) {
  const auto ids = prompt(45, tiny()->config().shape.V);
  const auto clean = all_logits(tiny(), options(2), ids, 37);
  setenv("EMBER_POISON", "1", 1);
  const auto poisoned = all_logits(tiny(), options(2), ids, 37);
  unsetenv("EMBER_POISON");
  EXPECT_EQ(poisoned, clean);
}

TEST(Runtime, StopEndsAPromptBetweenPasses) {
  const auto ids = prompt(50, tiny()->config().shape.V);
  const auto runtime = make_runtime(tiny(), options(2, 16));
  const auto session = runtime->new_session(64);
  int64_t passes = 0;
  PrefillOptions p;
  p.stop = [&] { return passes == 2; };
  p.on_progress = [&](int64_t, int64_t) { ++passes; };
  EXPECT_EQ(runtime->prefill(*session, ids.data(), 50, p).data, nullptr);
  EXPECT_EQ(session->length(), 32);
  const auto rest = copy(runtime->prefill(*session, ids.data() + 32, 18));
  const auto whole = runtime->new_session(64);
  EXPECT_EQ(copy(runtime->prefill(*whole, ids.data(), 50)), rest);
}

TEST(Runtime, RefusesBadIdsAndFullContextUnchanged) {
  const auto runtime = make_runtime(tiny(), options());
  const int32_t vocab = static_cast<int32_t>(runtime->config().shape.V);
  const auto session = runtime->new_session(4);
  const int32_t good[] = {1, 2, 3}, bad[] = {1, vocab}, negative[] = {-1};
  runtime->prefill(*session, good, 3);
  EXPECT_THROW(runtime->prefill(*session, bad, 1 + 1), Error);
  EXPECT_THROW(runtime->prefill(*session, negative, 1), Error);
  EXPECT_EQ(session->length(), 3);
  runtime->decode(*session, 5);
  try {
    runtime->decode(*session, 5);
    FAIL() << "the context is full";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kUsage);
    EXPECT_NE(std::string(e.what()).find("context is full"), std::string::npos) << e.what();
  }
  EXPECT_EQ(session->length(), 4);
}

// Counts what passes through allocate().
class CountingBackend : public ForwardingBackend {
 public:
  CountingBackend(std::unique_ptr<IBackend> inner, int64_t* bytes)
      : ForwardingBackend(std::move(inner)), bytes_(bytes) {}
  Memory allocate(int64_t bytes) override {
    *bytes_ += bytes;
    return ForwardingBackend::allocate(bytes);
  }

 private:
  int64_t* bytes_;
};

TEST(MemoryPlan, EqualsWhatIsAllocated) {
  for (int stages : {1, 2, 3}) {
    for (int64_t batch : {1, 5}) {
      RuntimeOptions o = options(stages, 48);
      o.logit_rows = 3;
      o.batch = batch;
      std::vector<int64_t> allocated(stages, 0);
      o.decorate = [&](std::unique_ptr<IBackend> inner, int64_t stage) {
        return std::make_unique<CountingBackend>(std::move(inner), &allocated[stage]);
      };
      const MemoryPlan before = plan_runtime(*tiny(), o);
      const auto runtime = make_runtime(tiny(), o);
      std::vector<std::unique_ptr<Session>> sessions;
      for (int64_t i = 0; i < batch; ++i) {
        sessions.push_back(runtime->new_session(o.context));
      }
      for (int s = 0; s < stages; ++s) {
        const StagePlan& p = runtime->memory_plan().stages[s];
        EXPECT_EQ(p.total() - p.weights, allocated[s]) << s << " of " << stages << ", " << batch;
        EXPECT_EQ(p.total(), before.stages[s].total());
      }
    }
  }
}

// A device that takes memory of its own, as a GPU does.
class HungryBackend : public ForwardingBackend {
 public:
  using ForwardingBackend::ForwardingBackend;
  std::vector<MemoryItem> stage_memory(const ModelShape&, DType, int64_t) const override {
    return {{"workspace of a library", 1000}, {"partial sums", 234}};
  }
  std::vector<MemoryItem> device_memory() const override { return {{"loaded code", 5000}}; }
  // Matrices are kept in twice their size.
  int64_t placed_bytes(int64_t, int64_t stored, bool matrix) const override {
    return matrix ? 2 * stored : stored;
  }
};

TEST(MemoryPlan, ItemisesWhatABackendTakesByItself) {
  RuntimeOptions o = options(2);
  const MemoryPlan plain = plan_runtime(*tiny(), o);
  o.decorate = [](std::unique_ptr<IBackend> inner, int64_t) {
    return std::make_unique<HungryBackend>(std::move(inner));
  };
  const MemoryPlan plan = make_runtime(tiny(), o)->memory_plan();
  int64_t more_weights = 0;
  for (size_t s = 0; s < 2; ++s) {
    EXPECT_EQ(plan.stages[s].scratch_bytes(), 1234);
    EXPECT_GT(plan.stages[s].weights, plain.stages[s].weights * 19 / 10);
    EXPECT_LT(plan.stages[s].weights, plain.stages[s].weights * 2);
    more_weights += plan.stages[s].weights - plain.stages[s].weights;
  }
  EXPECT_EQ(plan.needed(), plain.needed() + more_weights + 2 * 1234 + 5000);
  const std::string text = plan.str();
  for (const char* part : {"scratch of stage 1: workspace of a library 1000 B, partial sums 234 B",
                           "loaded code 4.88 KiB"}) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  }
}

TEST(MemoryPlan, NamesTheLimitAndAShorterChunk) {
  RuntimeOptions o = options(1, 256);
  o.mem_limit = plan_runtime(*tiny(), o).needed() - 1;
  EXPECT_EQ(plan_runtime(*tiny(), o).largest_chunk, 128);
  try {
    make_runtime(tiny(), o);
    FAIL() << "does not fit";
  } catch (const Error& e) {
    for (const char* part : {"(--mem-limit)", "--chunk 128 fits", "needs ", "may use "}) {
      EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << e.what();
    }
  }
}

TEST(Runtime, SaysHowTheWeightsWerePlaced) {
  int64_t last = 0, total = 0;
  RuntimeOptions o = options(2);
  o.on_load = [&](int64_t done, int64_t all) {
    EXPECT_GT(done, last);
    last = done;
    total = all;
  };
  const LoadStats load = make_runtime(tiny(), o)->load_stats();
  EXPECT_EQ(load.bytes, total);
  EXPECT_EQ(last, total);
  EXPECT_EQ(load.copied_bytes, 0);  // the CPU uses them where they lie
  EXPECT_EQ(load.gb_s(), 0);
}

TEST(MemoryPlan, RefusesBeforeLoadingAndSaysWhatFits) {
  RuntimeOptions o = options();
  const MemoryPlan plan = plan_runtime(*tiny(), o);
  EXPECT_TRUE(plan.fits());
  o.mem_limit = plan.needed();
  EXPECT_TRUE(plan_runtime(*tiny(), o).fits());
  EXPECT_EQ(plan_runtime(*tiny(), o).largest_context, o.context);
  o.mem_limit = plan.needed() - 1;
  EXPECT_EQ(plan_runtime(*tiny(), o).largest_context, o.context - 1);
  try {
    make_runtime(tiny(), o);
    FAIL() << "does not fit";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kOutOfMemory);
    EXPECT_NE(std::string(e.what()).find("A context of 255 tokens fits"), std::string::npos)
        << e.what();
  }
  o.mem_limit = 1000;
  EXPECT_EQ(plan_runtime(*tiny(), o).largest_context, 0);
}

TEST(MemoryPlan, HumanBytes) {
  EXPECT_EQ(human_bytes(512), "512 B");
  EXPECT_EQ(human_bytes(1536), "1.50 KiB");
  EXPECT_EQ(human_bytes(int64_t{5} << 30), "5.00 GiB");
}

}  // namespace
}  // namespace ember
