// SPDX-License-Identifier: Apache-2.0
#include "kernels/base/launch_log.h"
#include "kernels/common/device_testing.h"
#include "kernels/rmsnorm/rmsnorm_cases.h"

namespace ember::k::testing {
namespace {

const std::vector<TensorView*> operands(RmsNormParams& p) {
  return {&p.y, &p.x, &p.w};
}

// The CPU's result in fp32 judges.
void check_case(const RmsNormCase& c) {
  SCOPED_TRACE(c.name + " T " + std::to_string(c.T) + " D " + std::to_string(c.D) + " x " +
               dtype_name(c.x) + " w " + dtype_name(c.w) + " y " + dtype_name(c.y));
  TestTensor x(c.x, {c.T, c.D}, c.padding), w(c.w, {c.D});
  x.randomise(c.seed * 2 + 1);
  w.randomise(c.seed * 2 + 2, 0.5f, 1.0f);
  const TestTensor want(DType::kF32, {c.T, c.D});
  const TestTensor y(c.y, {c.T, c.D}, c.padding), again(c.y, {c.T, c.D}, c.padding);
  rmsnorm_cpu({want, x, w, 1e-6f});
  run_on_device(rmsnorm_cuda, {y, x, w, 1e-6f}, operands);
  run_on_device(rmsnorm_cuda, {again, x, w, 1e-6f}, operands);
  EXPECT_TRUE(close(y, doubles(want), 4, 4.0));
  EXPECT_TRUE(y.guards_intact() && x.guards_intact() && w.guards_intact());
  EXPECT_TRUE(y.same_bytes(again));
}

TEST(RmsNormCuda, MatchesTheCpu) {
  EMBER_NEEDS_CUDA();
  for (const RmsNormCase& c : rmsnorm_cases()) {
    check_case(c);
  }
}

// More elements than the threads of a block keep in registers.
TEST(RmsNormCuda, LongRows) {
  EMBER_NEEDS_CUDA();
  for (int64_t D : {2049, 16392, 40000}) {
    for (DType t : kFloatDTypes) {
      check_case({"long", 2, D, t, DType::kBF16, DType::kF32, 0, 5});
    }
  }
}

TEST(RmsNormCuda, InPlace) {
  EMBER_NEEDS_CUDA();
  for (DType t : kFloatDTypes) {
    TestTensor x(t, {3, 136}, 8), w(DType::kF32, {136});
    x.randomise(1);
    w.randomise(2);
    const TestTensor y(t, {3, 136}, 8);
    run_on_device(rmsnorm_cuda, {y, x, w}, operands);
    run_on_device(rmsnorm_cuda, {x, x, w}, operands);
    EXPECT_TRUE(x.same_bytes(y));
  }
}

TEST(RmsNormCuda, LaunchLogSeesWhatRan) {
  EMBER_NEEDS_CUDA();
  TestTensor x(DType::kF32, {3, 1024}), w(DType::kF32, {1024});
  x.randomise(1);
  w.randomise(2);
  const TestTensor y(DType::kBF16, {3, 1024});
  LaunchLog log;
  run_on_device(rmsnorm_cuda, {y, x, w}, operands);
  const std::vector<KernelLaunch> launches = log.launches();
  ASSERT_EQ(launches.size(), 1u);
  EXPECT_EQ(launches[0].op, "rmsnorm");
  EXPECT_GE(launches[0].registers, 8);
  EXPECT_EQ(launches[0].local_bytes, 0);  // spills do not build
  EXPECT_EQ(launches[0].blocks, 3);
  EXPECT_EQ(launches[0].threads % 32, 0);
}

TEST(RmsNormCuda, NanStaysInItsRow) {
  EMBER_NEEDS_CUDA();
  TestTensor x(DType::kF32, {3, 24}), w(DType::kF32, {24});
  x.randomise(1);
  w.randomise(2);
  x.view().as<float>()[24 + 4] = std::nanf("");
  const TestTensor y(DType::kF32, {3, 24});
  run_on_device(rmsnorm_cuda, {y, x, w}, operands);
  const std::vector<float> v = values(y);
  for (size_t i = 0; i < v.size(); ++i) {
    EXPECT_EQ(std::isnan(v[i]), i / 24 == 1) << i;
  }
}

TEST(RmsNormCuda, HostMemoryIsRefused) {
  const TestTensor x(DType::kF32, {2, 8}), w(DType::kF32, {8}), y(DType::kF32, {2, 8});
  EXPECT_TRUE(throws(ErrorKind::kUnsupported, "rmsnorm", [&] { rmsnorm_cuda({y, x, w}, {}); }));
}

}  // namespace
}  // namespace ember::k::testing
