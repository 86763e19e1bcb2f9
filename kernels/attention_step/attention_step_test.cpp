// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "kernels/attention_step/attention_step_device_cases.h"
#include "kernels/attention_step/attention_step_testing.h"

namespace ember::k::testing {
namespace {

int64_t terms(const AttentionStepCase& c) {
  return 8 * c.E + *std::max_element(c.pos.begin(), c.pos.end());
}

::testing::AssertionResult close_to(const TensorView& got, const TensorView& want, int64_t terms,
                                    double extra) {
  const std::vector<float> g = values(got), w = values(want);
  for (size_t i = 0; i < g.size(); ++i) {
    const double allowed = tolerance(got.dtype, w[i], terms, 1.0) + extra;
    if (!(std::fabs(g[i] - w[i]) <= allowed)) {
      return ::testing::AssertionFailure()
             << "element " << i << ": " << g[i] << ", expected " << w[i] << " +- " << allowed;
    }
  }
  return ::testing::AssertionSuccess();
}

void check_case(const AttentionStepCase& c) {
  SCOPED_TRACE(describe(c));
  const StepInputs in(c);
  const StepState want(c, DType::kF32);
  attention_step_oracle(want.params(c, in));
  for_each_isa([&] {
    for (const Impl<AttentionStepParams>& impl : attention_step_impls()) {
      const StepState got(c);
      impl.run(got.params(c, in), {});
      EXPECT_TRUE(close_to(got.o, want.o, terms(c), query_rounding(c.cache))) << impl.name;
      for (size_t b = 0; b < c.pos.size(); ++b) {
        EXPECT_TRUE(same_cache(got.k[b], want.k[b], c.pos[b])) << impl.name;
        EXPECT_TRUE(same_cache(got.v[b], want.v[b], c.pos[b])) << impl.name;
      }
      EXPECT_TRUE(guards_intact(got, in)) << impl.name;
    }
  });
}

TEST(AttentionStep, EdgesMatchTheOracle) {
  for (const AttentionStepCase& c : attention_step_edge_cases()) {
    check_case(c);
    if (HasFailure()) {
      return;
    }
  }
}

TEST(AttentionStep, PresetShapesMatchTheOracle) {
  for (const AttentionStepCase& c : attention_step_preset_cases({700}, DType::kBF16)) {
    check_case(c);
  }
  for (const AttentionStepCase& c : attention_step_preset_cases({40, 0, 333}, DType::kF32)) {
    check_case(c);
  }
}

// By hand: one position, so that o is the new value whatever the scores, and the new key is known.
TEST(AttentionStep, OracleOnAClosedForm) {
  float q[] = {5, -1}, k[] = {3, 4}, v[] = {7, 9}, gain[] = {1, 1}, cos[] = {0}, sin[] = {1};
  float k_cache[2] = {}, v_cache[2] = {}, o[2] = {};
  AttentionStepParams p;
  const auto view = [](float* x, const Shape& s) { return TensorView(x, DType::kF32, s); };
  p.o = view(o, {1, 2}), p.q = view(q, {1, 2}), p.k = view(k, {1, 2}), p.v = view(v, {1, 2});
  p.q_norm = p.k_norm = view(gain, {2});
  p.cos = view(cos, {1, 1}), p.sin = view(sin, {1, 1});
  p.eps = 0;
  p.count = 1;
  p.slots[0] = {view(k_cache, {1, 1, 2}), view(v_cache, {1, 1, 2}), 0, nullptr};
  attention_step_oracle(p);
  EXPECT_EQ(o[0], 7);
  EXPECT_EQ(o[1], 9);
  EXPECT_EQ(v_cache[1], 9);
  // A quarter turn of (3, 4) over its root mean square sqrt(12.5).
  EXPECT_NEAR(k_cache[0], -4 / std::sqrt(12.5), 1e-6);
  EXPECT_NEAR(k_cache[1], 3 / std::sqrt(12.5), 1e-6);
}

TEST(AttentionStep, PositionInMemory) {
  AttentionStepCase c = attention_step_case("case", 4, 2, 64, {30, 5}, DType::kBF16);
  const StepInputs in(c);
  const StepState want(c), got(c), untouched(c);
  attention_step_cpu(want.params(c, in));
  AttentionStepParams p = got.params(c, in);
  int32_t pos[] = {30, 5};
  for (int b : {0, 1}) {
    p.slots[b].pos = -1;
    p.slots[b].pos_device = &pos[b];
  }
  attention_step_cpu(p);
  EXPECT_TRUE(same_bytes(got, want));
  // A bad position of the last sequence is found before the first is written.
  const StepState later(c);
  AttentionStepParams bad = later.params(c, in);
  pos[1] = static_cast<int32_t>(StepInputs::room(c, 1));
  bad.slots[1].pos_device = &pos[1];
  EXPECT_TRUE(throws(ErrorKind::kShape, "pos", [&] { attention_step_cpu(bad); }));
  EXPECT_TRUE(same_bytes(later, untouched));
}

TEST(AttentionStep, ContractViolationsThrow) {
  const AttentionStepCase c = attention_step_case("case", 4, 2, 8, {3, 5}, DType::kF32);
  const StepInputs in(c);
  const StepState state(c);
  const TestTensor half(DType::kF16, {2, 40, 8}), other(DType::kF32, {1, 40, 8}),
      long_cache(DType::kF32, {2, 40, 8}), odd(DType::kF32, {2, 24}), ids(DType::kI32, {2, 32});
  const auto expect = [&](ErrorKind kind, const char* words, const auto& change) {
    AttentionStepParams p = state.params(c, in);
    change(p);
    EXPECT_TRUE(throws(kind, words, [&] { validate(p); }));
    EXPECT_TRUE(throws(kind, words, [&] { attention_step_cpu(p); }));
  };
  using P = AttentionStepParams;
  expect(ErrorKind::kShape, "count", [](P& p) { p.count = 0; });
  expect(ErrorKind::kShape, "count", [](P& p) { p.count = 17; });
  expect(ErrorKind::kShape, ": q:", [](P& p) { p.count = 1; });
  expect(ErrorKind::kShape, "pos", [](P& p) { p.slots[1].pos = -1; });
  expect(ErrorKind::kShape, "pos", [](P& p) { p.slots[0].pos = 4; });
  expect(ErrorKind::kDtype, "slot.k", [&](P& p) { p.slots[1].k = half; });
  expect(ErrorKind::kShape, "slot.k", [&](P& p) { p.slots[1].k = other; });
  expect(ErrorKind::kShape, "S:", [&](P& p) { p.slots[1].k = p.slots[1].v = long_cache; });
  expect(ErrorKind::kShape, "slot.v", [&](P& p) { p.slots[1].v = p.slots[0].v; });
  expect(ErrorKind::kUnsupported, "another slot", [](P& p) { p.slots[1] = p.slots[0]; });
  expect(ErrorKind::kUnsupported, "overlap", [](P& p) { p.slots[1].v = p.slots[1].k; });
  expect(ErrorKind::kShape, ": q:", [&](P& p) { p.q = odd; });
  expect(ErrorKind::kDtype, ": q:", [&](P& p) { p.q = ids; });
  expect(ErrorKind::kShape, ": k:", [](P& p) { p.k = p.q; });
  expect(ErrorKind::kUnsupported, "overlap", [](P& p) { p.o = p.q; });
  expect(ErrorKind::kUnsupported, "eps", [](P& p) { p.eps = -1; });
}

TEST(AttentionStep, CostAddsUpTheTwoOps) {
  const AttentionStepCase c = attention_step_case("case", 4, 2, 8, {3, 5}, DType::kBF16);
  const StepInputs in(c);
  const StepState state(c);
  AttentionStepParams p = state.params(c, in);
  const Cost got = cost(p);
  const int64_t row = 2 * 2 * 8 * 2;  // of both caches
  EXPECT_EQ(got.bytes_read, 2 * 64 * 2 + 2 * 8 * 4 + 2 * 8 * 2 + (3 + 5) * row);
  EXPECT_EQ(got.bytes_written, 2 * 32 * 2 + 2 * row);
  EXPECT_EQ(got.flops, 7 * 2 * 48 + 4 * (4 + 6) * 32);
  const int32_t pos = 0;
  p.slots[0].pos_device = &pos;  // unknown to the host: as if the cache were full
  EXPECT_EQ(cost(p).bytes_read, got.bytes_read);
}

// ---- The plan ----

// Views alone: the plan never looks at memory.
AttentionStepParams plan_params(int64_t H, int64_t K, int64_t E, int64_t S, int64_t B, DType t) {
  AttentionStepParams p;
  const auto view = [](int64_t at, DType dtype, const Shape& s) {
    return TensorView(reinterpret_cast<void*>(at << 40), dtype, s, {DeviceKind::kCuda, 0});
  };
  p.o = view(1, t, {B, H * E}), p.q = view(2, t, {B, H * E});
  p.k = view(3, t, {B, K * E}), p.v = view(4, t, {B, K * E});
  p.q_norm = view(5, t, {E}), p.k_norm = view(6, t, {E});
  p.cos = view(7, DType::kF32, {S, E / 2}), p.sin = view(8, DType::kF32, {S, E / 2});
  p.count = B;
  for (int64_t b = 0; b < B; ++b) {
    p.slots[b] = {view(100 + 2 * b, t, {K, S, E}), view(101 + 2 * b, t, {K, S, E}), 0, nullptr};
  }
  return p;
}

TEST(AttentionStepPlan, KernelByDeviceAndShape) {
  for (const ModelPreset& m : model_presets()) {
    const AttentionStepParams p =
        plan_params(m.shape.H, m.shape.K, m.shape.E, 40960, 1, DType::kBF16);
    for (int sm_count : {80, 84, 108, 128, 132}) {
      // Of compute capability 8.6, 8.0 and 9.0.
      for (int kilobytes : {99, 163, 227}) {
        const AttentionStepPlan plan = plan_attention_step(p, sm_count, kilobytes * 1024);
        EXPECT_EQ(plan.kernel, AttentionStepKernel::kFused) << plan.str();
        EXPECT_EQ(plan.warps, kilobytes == 99 ? 4 : 8) << plan.str();
        EXPECT_EQ(plan.stages, kilobytes == 227 && m.shape.groups() < 8 ? 3 : 2) << plan.str();
        EXPECT_LE(plan.ranks * m.shape.K, sm_count);
        EXPECT_GT((plan.ranks + 1) * m.shape.K, sm_count);
        EXPECT_LT(plan.shared_bytes, kilobytes * 1024);
      }
    }
  }
  constexpr int kHopper = 227 * 1024;
  EXPECT_EQ(plan_attention_step(plan_params(32, 8, 128, 1000, 16, DType::kF16), 132, kHopper).ranks,
            16);
  EXPECT_EQ(plan_attention_step(plan_params(32, 8, 128, 1000, 1, DType::kF16), 84, kHopper).ranks,
            10);
  const auto kernel = [](AttentionStepParams p) {
    return plan_attention_step(p, 132, kHopper).kernel;
  };
  EXPECT_EQ(kernel(plan_params(8, 8, 128, 100, 1, DType::kF32)), AttentionStepKernel::kPrimitives);
  EXPECT_EQ(kernel(plan_params(8, 8, 80, 100, 1, DType::kF16)), AttentionStepKernel::kPrimitives);
  EXPECT_EQ(kernel(plan_params(18, 2, 64, 100, 1, DType::kF16)), AttentionStepKernel::kPrimitives);
  AttentionStepParams p = plan_params(8, 8, 128, 100, 2, DType::kF16);
  p.slots[1].v.data = static_cast<std::byte*>(p.slots[1].v.data) + 8;
  EXPECT_EQ(kernel(p), AttentionStepKernel::kPrimitives);
  p = plan_params(8, 8, 128, 100, 2, DType::kF16);
  p.q.row_stride += 1;
  EXPECT_EQ(kernel(p), AttentionStepKernel::kPrimitives);
  p = plan_params(8, 8, 128, int64_t{1} << 26, 16, DType::kF16);
  EXPECT_EQ(kernel(p), AttentionStepKernel::kPrimitives);
}

// Shares cover the list once, are even, and a group's share is the one it is in.
TEST(AttentionStepPlan, SharesCoverTheGroups) {
  for (int ranks : {1, 5, 10, 16, 33, 128}) {
    for (int sequences : {1, 2, 7, 16}) {
      for (int groups = sequences; groups < 9000; groups += 1 + groups / 7) {
        for (const auto& [alone, least] : {std::pair{32, 16}, std::pair{16, 8}}) {
          const int shares = step_shares(groups, sequences, ranks, alone, least);
          ASSERT_GE(shares, 1);
          ASSERT_LE(shares, std::min(ranks, groups));
          if (groups <= alone * sequences) {
            ASSERT_LE(shares, sequences);
          }
          EXPECT_EQ(step_cut(0, groups, shares), 0);
          EXPECT_EQ(step_cut(shares, groups, shares), groups);
          for (int i = 0; i < shares; ++i) {
            const int lo = step_cut(i, groups, shares), hi = step_cut(i + 1, groups, shares);
            ASSERT_LT(lo, hi);
            ASSERT_LE(hi - lo, (groups + shares - 1) / shares);
            ASSERT_EQ(step_share_of(lo, groups, shares), i);
            ASSERT_EQ(step_share_of(hi - 1, groups, shares), i);
          }
        }
      }
    }
  }
  // Sixteen sequences of one length: one block each, none is cut.
  EXPECT_EQ(step_shares(16 * 100, 16, 16, 32, 16), 16);
  EXPECT_EQ(step_cut(5, 16 * 100, 16), 500);
  // One sequence: one block up to 512 positions; then a block for each 256.
  EXPECT_EQ(step_shares(32, 1, 16, 32, 16), 1);
  EXPECT_EQ(step_shares(33, 1, 16, 32, 16), 3);
  EXPECT_EQ(step_shares(128, 1, 16, 32, 16), 8);
  EXPECT_EQ(step_shares(256, 1, 16, 32, 16), 16);
  // The largest list does not overflow.
  constexpr int kMost = (1 << 27) / kStepKeys;
  EXPECT_EQ(step_cut(128, kMost, 128), kMost);
  EXPECT_EQ(step_share_of(kMost - 1, kMost, 128), 127);
}

TEST(AttentionStepPlan, PiecesOfSharedMemoryAreApartAndAligned) {
  for (int group = 1; group <= kStepRows; ++group) {
    for (int E : {64, 128}) {
      for (int warps : {4, 8}) {
        const StepLayout l = step_layout(group, E, warps, 3);
        const int at[] = {l.ring, l.q, l.fresh, l.parts, l.tails, l.end};
        for (int i = 1; i < 6; ++i) {
          EXPECT_GT(at[i], at[i - 1]);
          EXPECT_EQ(at[i] % (i <= 2 ? 256 : 8), 0) << i;
        }
        EXPECT_EQ(l.fresh % 16, 0);
      }
    }
  }
}

// What a sanitizer sees of the device's kernel: needs no GPU.
TEST(AttentionStepFewCases, RunWhatAllRun) {
  constexpr int64_t kShared = 227 * 1024;
  const std::vector<AttentionStepCase> all = attention_step_device_cases();
  for (int sms : {84, 132}) {
    for (int64_t shared : {int64_t{99} * 1024, kShared}) {
      const auto features = [&](const AttentionStepCase& c) {
        return attention_step_features(c, sms, shared);
      };
      EXPECT_EQ(all_features(attention_step_few_cases(sms, shared), features),
                all_features(all, features));
    }
  }
  const std::vector<AttentionStepCase> few = attention_step_few_cases(132, kShared);
  const std::set<std::string> run = all_features(
      few, [](const AttentionStepCase& c) { return attention_step_features(c, 132, kShared); });
  for (const char* name :
       {"fp16 64 warps 8 stages 3", "fp16 128 warps 8 stages 3", "fp16 128 warps 8 stages 2",
        "bf16 64 warps 8 stages 3", "bf16 128 warps 8 stages 3", "bf16 128 warps 8 stages 2"}) {
    for (const char* way : {"whole ring once", "whole ring wraps", "in 2-16 parts ring once",
                            "in 17+ parts ring once", "whole sequences of a share 1",
                            "in 2-16 parts sequences of a share 2", "ragged idle warps"}) {
      EXPECT_EQ(run.count(std::string(name) + " " + way), 1u) << name << " " << way;
    }
  }
  const auto work = [](const std::vector<AttentionStepCase>& cases) {
    int64_t sum = 0;
    for (const AttentionStepCase& c : cases) {
      sum += attention_step_work(c);
    }
    return sum;
  };
  EXPECT_LE(10 * work(few), work(all)) << few.size() << " of " << all.size();
}

}  // namespace
}  // namespace ember::k::testing
