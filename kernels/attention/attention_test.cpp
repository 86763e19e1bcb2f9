// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "kernels/attention/attention_testing.h"

namespace ember::k::testing {
namespace {

// A score's error scales with E and moves its weight by as much; values are below 1.
constexpr double kLargestValue = 1.0;
int64_t terms(const AttentionCase& c) {
  return 4 * c.E + c.pos + c.T;
}

void check_case(const AttentionCase& c) {
  SCOPED_TRACE(describe(c));
  const Inputs in(c);
  const TestTensor want(DType::kF32, {c.T, c.H * c.E});
  attention_oracle(in.params(c, want));
  for_each_isa([&] {
    for (const Impl<AttentionParams>& impl : attention_impls()) {
      const TestTensor o(c.o, {c.T, c.H * c.E}, c.padding);
      impl.run(in.params(c, o), {});
      EXPECT_TRUE(close(o, doubles(want), terms(c), kLargestValue)) << impl.name;
      EXPECT_TRUE(o.guards_intact()) << impl.name;
    }
  });
}

AttentionCase plain_case(int64_t T, int64_t H, int64_t K, int64_t E, int64_t S, int64_t pos) {
  AttentionCase c;
  c.name = "case";
  c.T = T;
  c.H = H;
  c.K = K;
  c.E = E;
  c.S = S;
  c.pos = pos;
  return c;
}

TEST(Attention, OracleOnClosedForms) {
  // One token sees itself alone: the result is its value, whatever the scores.
  const AttentionCase one = plain_case(1, 2, 1, 4, 3, 0);
  const Inputs in(one);
  const TestTensor o(DType::kF32, {1, 8});
  attention_oracle(in.params(one, o));
  const std::vector<float> v = values(in.v), got = values(o);
  for (int64_t i = 0; i < 8; ++i) {
    EXPECT_EQ(got[i], v[i % 4]);
  }
  // Keys (0), (ln 3) and q = 1: weights 1/4 and 3/4 for the second token.
  float q[] = {1, 1}, k[] = {0, std::log(3.0f)}, w[] = {8, 4}, out[2];
  const AttentionParams p{TensorView(out, DType::kF32, {2, 1}), TensorView(q, DType::kF32, {2, 1}),
                          TensorView(k, DType::kF32, {1, 2, 1}),
                          TensorView(w, DType::kF32, {1, 2, 1})};
  attention_oracle(p);
  EXPECT_EQ(out[0], 8);
  EXPECT_NEAR(out[1], 8 * 0.25 + 4 * 0.75, 8 * epsilon(DType::kF32));
}

TEST(Attention, EdgesMatchTheOracle) {
  for (const AttentionCase& c : attention_edge_cases()) {
    check_case(c);
    if (HasFailure()) {
      return;
    }
  }
}

TEST(Attention, PresetShapesMatchTheOracle) {
  for (const AttentionCase& c : attention_preset_cases(1, 700, DType::kF32)) {
    check_case(c);
  }
  for (const AttentionCase& c : attention_preset_cases(37, 100, DType::kBF16)) {
    check_case(c);
  }
}

TEST(Attention, LongCache) {
  check_case(plain_case(1, 4, 2, 64, 32768, 32767));
  check_case(plain_case(20, 2, 1, 64, 8192, 8000));
}

// Scores near the limits of exp: the maximum must be taken off first.
TEST(Attention, LargeScores) {
  for (int64_t T : {1, 40}) {
    AttentionCase c = plain_case(T, 2, 1, 64, 300, 200);
    const Inputs in(c);
    TestTensor q(DType::kF32, {c.T, c.H * c.E});
    q.randomise(7, 4000.0f);
    const TestTensor want(DType::kF32, {c.T, c.H * c.E});
    AttentionParams p = in.params(c, want);
    p.q = q;
    attention_oracle(p);
    for_each_isa([&] {
      const TestTensor o(DType::kF32, {c.T, c.H * c.E});
      p.o = o;
      attention_cpu(p);
      // Scores of thousands carry errors of their own size times epsilon into the weights.
      EXPECT_TRUE(close(o, doubles(want), terms(c), 4000.0));
    });
  }
}

TEST(Attention, SameBitsForAnyThreadsAndChunks) {
  const AttentionCase c = plain_case(90, 6, 2, 64, 200, 70);
  const Inputs in(c);
  for_each_isa([&] {
    const TestTensor whole(DType::kF32, {c.T, c.H * c.E}), again(DType::kF32, {c.T, c.H * c.E}),
        parts(DType::kF32, {c.T, c.H * c.E});
    attention_cpu(in.params(c, whole));
    set_thread_count(3);
    attention_cpu(in.params(c, again));
    set_thread_count(0);
    EXPECT_TRUE(whole.same_bytes(again));
    for (int64_t begin = 0; begin < c.T; begin += 30) {
      AttentionParams p = in.params(c, parts);
      p.q = p.q.rows(begin, 30);
      p.o = p.o.rows(begin, 30);
      p.pos = c.pos + begin;
      attention_cpu(p);
    }
    EXPECT_TRUE(whole.same_bytes(parts));
  });
}

TEST(Attention, FewRowsSameBitsForAnyThreadsAndChunks) {
  const AttentionCase c = plain_case(3, 4, 2, 64, 1200, 1000);
  const Inputs in(c);
  for_each_isa([&] {
    const TestTensor whole(DType::kF32, {c.T, c.H * c.E}), parts(DType::kF32, {c.T, c.H * c.E});
    attention_cpu(in.params(c, whole));
    set_thread_count(5);
    for (int64_t t = 0; t < c.T; ++t) {
      AttentionParams p = in.params(c, parts);
      p.q = p.q.rows(t, 1);
      p.o = p.o.rows(t, 1);
      p.pos = c.pos + t;
      attention_cpu(p);
    }
    set_thread_count(0);
    EXPECT_TRUE(whole.same_bytes(parts));
  });
}

TEST(Attention, PositionInMemory) {
  const AttentionCase c = plain_case(2, 2, 1, 64, 80, 50);
  const Inputs in(c);
  const TestTensor by_value(DType::kF32, {c.T, c.H * c.E}), by_pointer(DType::kF32, {2, 128});
  attention_cpu(in.params(c, by_value));
  AttentionParams p = in.params(c, by_pointer);
  const int32_t pos = 50;
  p.pos = -1;
  p.pos_device = &pos;
  attention_cpu(p);
  EXPECT_TRUE(by_value.same_bytes(by_pointer));
  const int32_t beyond = 79;
  p.pos_device = &beyond;
  EXPECT_TRUE(throws(ErrorKind::kShape, "attention: pos:", [&] { attention_cpu(p); }));
}

TEST(Attention, NanInAVisibleRowShows) {
  for (int64_t T : {1, 40}) {
    const AttentionCase c = plain_case(T, 2, 1, 64, 400, 300);
    const Inputs in(c);
    for (const TestTensor* cache : {&in.k, &in.v}) {
      float& victim = cache->view().as<float>()[10 * 64 + 3];
      const float saved = victim;
      victim = std::nanf("");
      for_each_isa([&] {
        const TestTensor o(DType::kF32, {c.T, c.H * c.E});
        attention_cpu(in.params(c, o));
        const std::vector<float> got = values(o);
        EXPECT_TRUE(std::isnan(got[3]));
        EXPECT_TRUE(std::isnan(got.back()) == (cache == &in.k));
      });
      victim = saved;
    }
  }
}

TEST(Attention, ContractViolationsThrow) {
  const AttentionCase c = plain_case(2, 4, 2, 8, 10, 3);
  const Inputs in(c);
  const TestTensor o(DType::kF32, {2, 32}), k16(DType::kF16, {2, 10, 8}),
      flat(DType::kF32, {20, 8}), odd(DType::kF32, {2, 24}), ids(DType::kI32, {2, 32});
  const auto expect = [&](ErrorKind kind, const char* words, const auto& change) {
    AttentionParams p = in.params(c, o);
    change(p);
    EXPECT_TRUE(throws(kind, words, [&] { validate(p); }));
    EXPECT_TRUE(throws(kind, words, [&] { attention_cpu(p); }));
  };
  using P = AttentionParams;
  expect(ErrorKind::kShape, "attention: pos:", [](P& p) { p.pos = 9; });
  expect(ErrorKind::kShape, "attention: pos:", [](P& p) { p.pos = -1; });
  expect(ErrorKind::kDtype, "attention: v_cache:", [&](P& p) { p.v_cache = k16; });
  expect(ErrorKind::kShape, "attention: k_cache:", [&](P& p) { p.k_cache = flat; });
  expect(ErrorKind::kShape, "attention: q:", [&](P& p) { p.q = odd; });
  expect(ErrorKind::kDtype, "attention: q:", [&](P& p) { p.q = ids; });
  expect(ErrorKind::kShape, "attention: o:", [&](P& p) { p.o = odd; });
  expect(ErrorKind::kUnsupported, "overlap", [](P& p) { p.o = p.q; });
  expect(ErrorKind::kUnsupported, "attention: k_cache:", [](P& p) {
    p.k_cache.device = {DeviceKind::kCuda, 0};
  });
}

TEST(Attention, CostCountsVisiblePairs) {
  const AttentionCase c = plain_case(2, 4, 2, 8, 10, 3);
  const Inputs in(c);
  const TestTensor o(DType::kF32, {2, 32});
  const Cost got = cost(in.params(c, o));
  EXPECT_EQ(got.flops, 4 * (4 + 5) * 4 * 8);
  EXPECT_EQ(got.bytes_read, 2 * 32 * 4 + 2 * 2 * 5 * 8 * 4);
  EXPECT_EQ(got.bytes_written, 2 * 32 * 4);
}

// What a sanitizer sees of the device's kernels: needs no GPU.
TEST(AttentionFewCases, RunWhatAllRun) {
  for (int sms : {1, 84, 132}) {
    const auto features = [&](const AttentionCase& c) { return attention_features(c, sms); };
    const std::vector<AttentionCase> few = attention_few_cases(sms);
    EXPECT_EQ(all_features(few, features), all_features(attention_device_cases(), features));
  }
  const auto features = [](const AttentionCase& c) { return attention_features(c, 132); };
  const std::vector<AttentionCase> few = attention_few_cases(132);
  const std::set<std::string> run = all_features(few, features);
  std::vector<std::string> wanted = {"rows narrow", "rows wide", "rows narrow idle warps"};
  for (const char* kind : {"fp16 64", "fp16 128", "bf16 64", "bf16 128"}) {
    for (const char* way :
         {"decode # blocks 1 steps 1", "decode # blocks 1 steps 2", "decode # blocks 2-16 steps 2",
          "decode # blocks 17+ steps 3", "decode # blocks 17+ steps 4+",
          "decode # blocks 17+ ragged idle warps", "decode # rows whole", "decode # tokens 2+",
          "prefill # blocks 1 steps 1", "prefill # blocks 2+ steps 2",
          "prefill # blocks 2+ steps 3+", "prefill # steps 3+ keys ragged",
          "prefill # blocks 2+ rows ragged"}) {
      const std::string text = way;
      const size_t at = text.find('#');
      wanted.push_back(text.substr(0, at) + kind + text.substr(at + 1));
    }
  }
  for (const std::string& feature : wanted) {
    EXPECT_EQ(run.count(feature), 1u) << feature;
  }
  const auto work = [](const std::vector<AttentionCase>& cases) {
    int64_t sum = 0;
    for (const AttentionCase& c : cases) {
      sum += attention_work(c);
    }
    return sum;
  };
  EXPECT_LE(20 * work(few), work(attention_device_cases()));
}

}  // namespace
}  // namespace ember::k::testing
