// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention_step/attention_step_device_cases.h"
#include "kernels/attention_step/attention_step_testing.h"
#include "kernels/base/cuda_graph.h"
#include "kernels/common/device_info.h"
#include "kernels/common/device_testing.h"

namespace ember::k::testing {
namespace {

const std::vector<TensorView*> operands(AttentionStepParams& p) {
  std::vector<TensorView*> all = {&p.o, &p.q, &p.k, &p.v, &p.q_norm, &p.k_norm, &p.cos, &p.sin};
  for (int64_t b = 0; b < p.count; ++b) {
    all.push_back(&p.slots[b].k);
    all.push_back(&p.slots[b].v);
  }
  return all;
}

// Scores err with E, weights are rounded to 16 bits by the tensor cores, and q and the new key may
// round the other way.
void check_result(const AttentionStepCase& c, const StepState& got, const StepState& want) {
  const int64_t longest = *std::max_element(c.pos.begin(), c.pos.end());
  const double extra = c.cache == DType::kF32 ? 0.0 : 2 * epsilon(c.cache);
  EXPECT_TRUE(close_within(got.o, doubles(want.o), 8 * c.E + longest, 1.0, extra));
  for (size_t b = 0; b < c.pos.size(); ++b) {
    EXPECT_TRUE(same_cache(got.k[b], want.k[b], c.pos[b])) << "k of " << b;
    EXPECT_TRUE(same_cache(got.v[b], want.v[b], c.pos[b])) << "v of " << b;
  }
}

void check_case(const AttentionStepCase& c) {
  SCOPED_TRACE(describe(c));
  const StepInputs in(c);
  const StepState want(c, DType::kF32), got(c), again(c);
  attention_step_oracle(want.params(c, in));
  run_on_device(attention_step_cuda, got.params(c, in), operands);
  run_on_device(attention_step_cuda, again.params(c, in), operands);
  check_result(c, got, want);
  EXPECT_TRUE(guards_intact(got, in));
  EXPECT_TRUE(same_bytes(got, again));
}

AttentionStepCase make(int64_t H, int64_t K, const std::vector<int64_t>& pos, DType t,
                       int64_t E = 128) {
  return attention_step_case("case", H, K, E, pos, t);
}

void check_cases(const std::vector<AttentionStepCase>& cases) {
  for (const AttentionStepCase& c : cases) {
    check_case(c);
    if (::testing::Test::HasFailure()) {
      return;
    }
  }
}

// All that the kernel does, in few cases.
TEST(AttentionStepCuda, EveryPath) {
  EMBER_NEEDS_CUDA();
  const DeviceLimits& limits = device_limits(DeviceMirror::device());
  check_cases(attention_step_few_cases(limits.sm_count, limits.shared_bytes));
}

TEST(AttentionStepCudaLong, EdgesMatchTheOracle) {
  EMBER_NEEDS_CUDA();
  check_cases(attention_step_edge_cases());
}

TEST(AttentionStepCudaLong, PresetShapes) {
  EMBER_NEEDS_CUDA();
  check_cases(attention_step_model_cases());
}

TEST(AttentionStepCudaLong, EveryLength) {
  EMBER_NEEDS_CUDA();
  check_cases(attention_step_length_cases());
}

TEST(AttentionStepCudaLong, LongCaches) {
  EMBER_NEEDS_CUDA();
  check_cases(attention_step_long_cases());
}

TEST(AttentionStepCudaLong, Batches) {
  EMBER_NEEDS_CUDA();
  check_cases(attention_step_batch_cases());
}

// The positions from device memory give the bits of those from the host; a row outside its cache
// writes nothing and leaves the others as they are.
TEST(AttentionStepCuda, PositionInMemory) {
  EMBER_NEEDS_CUDA();
  for (DType t : {DType::kF32, DType::kBF16}) {
    const AttentionStepCase c = make(4, 2, {900, 5, 130}, t);
    const StepInputs in(c);
    const StepState want(c), got(c);
    run_on_device(attention_step_cuda, want.params(c, in), operands);
    const int32_t right[] = {900, 5, 130};
    Buffer pos(sizeof right, Buffer::Fill::kNone, DeviceMirror::device());
    const auto run = [&](const StepState& state, const int32_t(&at)[3], bool settled) {
      cuda::upload(pos.view(DType::kI32, {3}), at, test_stream().get());
      AttentionStepParams p = state.params(c, in);
      p.settled = settled;
      for (int b = 0; b < 3; ++b) {
        p.slots[b].pos = -1;
        p.slots[b].pos_device = reinterpret_cast<const int32_t*>(pos.data()) + b;
      }
      run_on_device(attention_step_cuda, p, operands);
    };
    run(got, right, false);
    EXPECT_TRUE(same_bytes(got, want));
    const StepState settled(c), outside(c), before(c);
    run(settled, right, true);
    EXPECT_TRUE(same_bytes(settled, want));
    run(outside, {901, -1, 149}, true);  // each one past its cache, or before it
    EXPECT_TRUE(same_bytes(outside, before));
    const StepState some(c);
    run(some, {901, 5, -7}, true);
    EXPECT_TRUE(some.k[0].same_bytes(before.k[0]) && some.v[2].same_bytes(before.v[2]));
    EXPECT_TRUE(same_cache(some.k[1], want.k[1], 5) && same_cache(some.v[1], want.v[1], 5));
    EXPECT_TRUE(close_within(some.o.view().rows(1, 1), doubles(want.o.view().rows(1, 1)), 1200, 1.0,
                             2 * epsilon(t)));
    for (int b : {0, 2}) {
      for (float x : values(some.o.view().rows(b, 1))) {
        ASSERT_TRUE(std::isnan(x));
      }
    }
  }
}

// What comes out is what the two ops give one after the other, up to the order of sums.
TEST(AttentionStepCuda, AgreesWithThePrimitives) {
  EMBER_NEEDS_CUDA();
  const AttentionStepCase c = make(32, 8, {777}, DType::kBF16);
  const StepInputs in(c);
  const StepState fused(c), apart(c);
  run_on_device(attention_step_cuda, fused.params(c, in), operands);
  const TestTensor q(DType::kBF16, {1, c.H * c.E});
  AttentionStepParams p = apart.params(c, in);
  const std::vector<TensorView*> views = operands(p);
  std::vector<TensorView*> all = views;
  TensorView q_out = q;
  all.push_back(&q_out);
  DeviceMirror mirror(all);
  qk_norm_rope_cuda(step_rope(p, 0, q_out), test_stream().get());
  attention_cuda(step_attention(p, 0, q_out), test_stream().get());
  mirror.copy_back();
  // Norm and rotation are the same arithmetic: the new rows agree to the bit.
  EXPECT_TRUE(fused.k[0].same_bytes(apart.k[0]) && fused.v[0].same_bytes(apart.v[0]));
  EXPECT_TRUE(close_within(fused.o, doubles(apart.o), 2000, 1.0, 2 * epsilon(DType::kBF16)));
}

// Steps recorded in a graph, kernels overlapping, positions moving on in device memory: as one by
// one.
TEST(AttentionStepCuda, StepsOfAGraph) {
  EMBER_NEEDS_CUDA();
  const AttentionStepCase c = make(16, 8, {300, 20}, DType::kBF16);
  const StepInputs in(c);
  const StepState want(c), got(c);
  AttentionStepParams p = got.params(c, in);
  run_on_device(attention_step_cuda, want.params(c, in), operands);
  DeviceMirror mirror(operands(p));
  p.settled = true;
  Stream stream = test_stream().get();
  attention_step_cuda(p, stream);  // kernels loaded, scratch in place
  synchronize(stream);
  stream.overlap = device_limits(DeviceMirror::device()).cc >= 90;
  CudaGraph graph(stream, [&] {
    for (int i = 0; i < 20; ++i) {
      attention_step_cuda(p, stream);
    }
  });
  graph.launch(stream);
  graph.launch(stream);
  mirror.copy_back();
  EXPECT_TRUE(same_bytes(got, want));
}

// Scores of thousands: the maximum must be taken off first.
TEST(AttentionStepCuda, LargeScores) {
  EMBER_NEEDS_CUDA();
  const AttentionStepCase c = make(4, 2, {600}, DType::kF16);
  const StepInputs in(c);
  const StepState want(c, DType::kF32), got(c);
  AttentionStepParams p = want.params(c, in), q = got.params(c, in);
  p.scale = q.scale = 100.0f;
  attention_step_oracle(p);
  run_on_device(attention_step_cuda, q, operands);
  // Scores of up to 1e5 in steps of fp16 of q: nearly one position takes all.
  const std::vector<float> g = values(got.o), w = values(want.o);
  int far = 0;
  for (size_t i = 0; i < g.size(); ++i) {
    ASSERT_TRUE(std::isfinite(g[i]));
    far += std::fabs(g[i] - w[i]) > 0.01 ? 1 : 0;
  }
  EXPECT_LE(far, static_cast<int>(g.size() / 4));  // a head whose best two are close
}

TEST(AttentionStepCuda, NanInAVisibleRowShows) {
  EMBER_NEEDS_CUDA();
  const AttentionStepCase c = make(2, 1, {300}, DType::kF16, 64);
  for (bool in_k : {true, false}) {
    const StepInputs in(c);
    const StepState got(c);
    (in_k ? got.k : got.v)[0].view().as<F16>()[10 * 64 + 3].bits = 0x7e00;
    run_on_device(attention_step_cuda, got.params(c, in), operands);
    const std::vector<float> o = values(got.o);
    EXPECT_TRUE(std::isnan(o[3]));
    EXPECT_EQ(std::isnan(o.back()), in_k);
  }
}

TEST(AttentionStepCuda, HostMemoryIsRefused) {
  const AttentionStepCase c = make(4, 2, {3}, DType::kF32, 8);
  const StepInputs in(c);
  const StepState state(c);
  EXPECT_TRUE(throws(ErrorKind::kUnsupported, "attention_step",
                     [&] { attention_step_cuda(state.params(c, in), {}); }));
}

}  // namespace
}  // namespace ember::k::testing
