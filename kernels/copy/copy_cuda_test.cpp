// SPDX-License-Identifier: Apache-2.0
#include "kernels/common/device_testing.h"
#include "kernels/copy/copy_cases.h"

namespace ember::k::testing {
namespace {

const std::vector<TensorView*> operands(CopyParams& p) {
  return {&p.dst, &p.src};
}

TEST(CopyCuda, EqualsTheCpuToTheBit) {
  EMBER_NEEDS_CUDA();
  for (const CopyCase& c : copy_cases()) {
    for (int64_t padding : {c.padding, int64_t{0}}) {
      SCOPED_TRACE(std::to_string(c.rows) + " x " + std::to_string(c.n) + " " + dtype_name(c.src) +
                   " to " + dtype_name(c.dst));
      TestTensor src(c.src, {c.rows, c.n}, padding);
      src.randomise(c.seed, 1e5f);  // part of it is too large for fp16
      const TestTensor want(c.dst, {c.rows, c.n}, padding), dst(c.dst, {c.rows, c.n}, padding);
      copy_cpu({want, src});
      run_on_device(copy_cuda, {dst, src}, operands);
      EXPECT_TRUE(dst.same_bytes(want));
    }
  }
}

TEST(CopyCuda, OtherRanksAndIntegers) {
  EMBER_NEEDS_CUDA();
  TestTensor src(DType::kF32, {2, 3, 5}), line(DType::kF32, {7});
  src.randomise(1);
  line.randomise(2);
  const TestTensor dst(DType::kF32, {2, 3, 5}), line16(DType::kBF16, {7});
  run_on_device(copy_cuda, {dst, src}, operands);
  EXPECT_EQ(values(dst), values(src));
  run_on_device(copy_cuda, {line16, line}, operands);
  EXPECT_TRUE(close(line16, doubles(line), 0, 0.0));
  const TestTensor a(DType::kI32, {3}), b(DType::kI32, {3});
  const int32_t ints[] = {1, -2, INT32_MAX};
  std::copy(ints, ints + 3, a.view().as<int32_t>());
  run_on_device(copy_cuda, {b, a}, operands);
  EXPECT_TRUE(a.same_bytes(b));
}

// The same rows of every plane, as of a key cache.
TEST(CopyCuda, PlanesApart) {
  EMBER_NEEDS_CUDA();
  TestTensor cache(DType::kBF16, {3, 10, 16});
  cache.randomise(4);
  const TensorView rows = cache.view().plane_rows(2, 4);
  const TestTensor dense(DType::kF32, {3, 4, 16});
  run_on_device(copy_cuda, {dense, rows}, operands);
  const std::vector<float> all = values(cache), got = values(dense);
  for (int64_t p = 0; p < 3; ++p) {
    for (int64_t i = 0; i < 4 * 16; ++i) {
      EXPECT_EQ(got[p * 64 + i], all[p * 160 + 32 + i]);
    }
  }
}

TEST(CopyCuda, HostMemoryIsRefused) {
  const TestTensor a(DType::kF32, {2, 8}), b(DType::kF32, {2, 8});
  EXPECT_TRUE(throws(ErrorKind::kUnsupported, "copy", [&] { copy_cuda({a, b}, {}); }));
}

}  // namespace
}  // namespace ember::k::testing
