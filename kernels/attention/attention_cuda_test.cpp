// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention/attention_testing.h"
#include "kernels/common/device_info.h"
#include "kernels/common/device_testing.h"

namespace ember::k::testing {
namespace {

const std::vector<TensorView*> operands(AttentionParams& p) {
  return {&p.o, &p.q, &p.k_cache, &p.v_cache};
}

// A score's error scales with E and moves its weight by as much; values are below 1. The tensor
// core kernels round the weights to 16 bits: with values below 1 and weights that sum to 1 that
// moves a result by no more than one rounding.
void check_case(const AttentionCase& c) {
  SCOPED_TRACE(describe(c));
  const Inputs in(c);
  const TestTensor want(DType::kF32, {c.T, c.H * c.E});
  attention_oracle(in.params(c, want));
  const TestTensor o(c.o, {c.T, c.H * c.E}, c.padding), again(c.o, {c.T, c.H * c.E}, c.padding);
  run_on_device(attention_cuda, in.params(c, o), operands);
  run_on_device(attention_cuda, in.params(c, again), operands);
  const bool rounds = choose_attention_kernel(in.params(c, o)) != AttentionKernel::kRows;
  EXPECT_TRUE(
      close_within(o, doubles(want), 4 * c.E + c.pos + c.T, 1.0, rounds ? epsilon(c.cache) : 0.0));
  EXPECT_TRUE(o.guards_intact() && in.q.guards_intact() && in.k.guards_intact());
  EXPECT_TRUE(o.same_bytes(again));
}

AttentionCase make(int64_t T, int64_t H, int64_t K, int64_t E, int64_t pos, DType t) {
  return attention_case("case", T, H, K, E, pos, t);
}

void check_cases(const std::vector<AttentionCase>& cases) {
  for (const AttentionCase& c : cases) {
    check_case(c);
    if (::testing::Test::HasFailure()) {
      return;
    }
  }
}

// All that the kernels do, in few cases.
TEST(AttentionCuda, EveryPath) {
  EMBER_NEEDS_CUDA();
  check_cases(attention_few_cases(device_limits(DeviceMirror::device()).sm_count));
}

TEST(AttentionCudaLong, EdgesMatchTheOracle) {
  EMBER_NEEDS_CUDA();
  check_cases(attention_edge_cases());
}

TEST(AttentionCudaLong, TensorCoreEdges) {
  EMBER_NEEDS_CUDA();
  check_cases(attention_tensor_core_cases());
}

TEST(AttentionCudaLong, PresetShapes) {
  EMBER_NEEDS_CUDA();
  check_cases(attention_model_cases());
}

TEST(AttentionCudaLong, LongCache) {
  EMBER_NEEDS_CUDA();
  check_cases(attention_long_cases());
}

TEST(AttentionCudaLong, EveryDecodeLength) {
  EMBER_NEEDS_CUDA();
  check_cases(attention_length_cases());
}

// Scores of thousands: the maximum must be taken off first.
TEST(AttentionCuda, LargeScores) {
  EMBER_NEEDS_CUDA();
  for (int64_t T : {1, 40}) {
    const AttentionCase c = make(T, 2, 1, 64, 200, DType::kF16);
    const Inputs in(c);
    TestTensor q(DType::kF16, {c.T, c.H * c.E});
    q.randomise(7, 4000.0f);
    const TestTensor want(DType::kF32, {c.T, c.H * c.E}), o(DType::kF32, {c.T, c.H * c.E});
    AttentionParams p = in.params(c, want);
    p.q = q;
    attention_oracle(p);
    p.o = o;
    run_on_device(attention_cuda, p, operands);
    EXPECT_TRUE(close_within(o, doubles(want), 4 * c.E + 240, 4000.0, epsilon(c.cache)));
  }
}

// A row's bits depend neither on the rows beside it nor on the chunk it came in, as long as the
// same kernel serves them.
TEST(AttentionCuda, SameBitsForAnyChunksOfAPrompt) {
  EMBER_NEEDS_CUDA();
  const AttentionCase c = make(120, 8, 2, 128, 70, DType::kBF16);
  const Inputs in(c);
  const TestTensor whole(DType::kF32, {c.T, c.H * c.E}), parts(DType::kF32, {c.T, c.H * c.E});
  run_on_device(attention_cuda, in.params(c, whole), operands);
  for (int64_t begin = 0; begin < c.T; begin += 30) {
    AttentionParams p = in.params(c, parts.view().rows(begin, 30));
    p.q = p.q.rows(begin, 30);
    p.pos = c.pos + begin;
    run_on_device(attention_cuda, p, operands);
  }
  EXPECT_TRUE(whole.same_bytes(parts));
}

// The position from device memory gives the bits of the position from the host; one outside the
// cache writes nothing.
TEST(AttentionCuda, PositionInMemory) {
  EMBER_NEEDS_CUDA();
  Buffer pos(4, Buffer::Fill::kNone, DeviceMirror::device());
  for (int64_t T : {1, 40}) {
    for (DType t : {DType::kF32, DType::kBF16}) {
      const AttentionCase c = make(T, 4, 2, 128, 900, t);
      const Inputs in(c);
      for (int32_t at : {900, 0, 130, -1, 946}) {
        const TestTensor want(DType::kF32, {T, c.H * c.E}), got(DType::kF32, {T, c.H * c.E});
        AttentionParams p = in.params(c, want);
        p.pos = at;
        if (at >= 0 && at + T <= c.S) {
          run_on_device(attention_cuda, p, operands);
        }
        cuda::upload(pos.view(DType::kI32, {1}), &at, test_stream().get());
        p.o = got;
        p.pos = -1;
        p.pos_device = reinterpret_cast<const int32_t*>(pos.data());
        run_on_device(attention_cuda, p, operands);
        EXPECT_TRUE(got.same_bytes(want)) << T << " at " << at;
      }
    }
  }
}

TEST(AttentionCuda, NanInAVisibleRowShows) {
  EMBER_NEEDS_CUDA();
  for (int64_t T : {1, 40}) {
    const AttentionCase c = make(T, 2, 1, 64, 300, DType::kF16);
    for (bool in_k : {true, false}) {
      const Inputs in(c);
      (in_k ? in.k : in.v).view().as<F16>()[10 * 64 + 3].bits = 0x7e00;
      const TestTensor o(DType::kF32, {c.T, c.H * c.E});
      run_on_device(attention_cuda, in.params(c, o), operands);
      const std::vector<float> got = values(o);
      EXPECT_TRUE(std::isnan(got[3]));
      EXPECT_EQ(std::isnan(got.back()), in_k);
    }
  }
}

TEST(AttentionCuda, HostMemoryIsRefused) {
  const AttentionCase c = make(2, 4, 2, 8, 3, DType::kF32);
  const Inputs in(c);
  const TestTensor o(DType::kF32, {2, 32});
  EXPECT_TRUE(
      throws(ErrorKind::kUnsupported, "attention", [&] { attention_cuda(in.params(c, o), {}); }));
}

}  // namespace
}  // namespace ember::k::testing
