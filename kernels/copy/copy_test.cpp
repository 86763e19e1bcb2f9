// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "kernels/common/testing.h"
#include "kernels/copy/copy_cases.h"

namespace ember::k::testing {
namespace {

TEST(Copy, ConvertsEveryPairOfDTypes) {
  for (const CopyCase& c : copy_cases()) {
    SCOPED_TRACE(std::to_string(c.rows) + " x " + std::to_string(c.n) + " " + dtype_name(c.src) +
                 " to " + dtype_name(c.dst));
    TestTensor src(c.src, {c.rows, c.n}, c.padding + 1);
    src.randomise(c.seed, 100.0f);
    const std::vector<double> want = doubles(src);
    for_each_isa([&] {
      for (const Impl<CopyParams>& impl : copy_impls()) {
        const TestTensor dst(c.dst, {c.rows, c.n}, c.padding);
        impl.run({dst, src}, {});
        EXPECT_TRUE(close(dst, want, 0, 0.0)) << impl.name;
        EXPECT_TRUE(dst.guards_intact()) << impl.name;
      }
    });
  }
}

TEST(Copy, OtherRanksAndIntegers) {
  TestTensor src(DType::kF32, {2, 3, 5}), line(DType::kF32, {7});
  src.randomise(1);
  line.randomise(2);
  const TestTensor dst(DType::kF32, {2, 3, 5}, 3), line16(DType::kBF16, {7});
  copy_cpu({dst, src});
  EXPECT_EQ(values(dst), values(src));
  copy_cpu({line16, line});
  EXPECT_TRUE(close(line16, doubles(line), 0, 0.0));
  int32_t a[] = {1, -2, INT32_MAX}, b[3];
  copy_cpu({TensorView(b, DType::kI32, {3}), TensorView(a, DType::kI32, {3})});
  EXPECT_EQ(b[2], INT32_MAX);
}

TEST(Copy, ContractViolationsThrow) {
  const TestTensor a(DType::kF32, {2, 8}), b(DType::kF32, {2, 7}), ids(DType::kI32, {2, 8});
  const auto expect = [](ErrorKind kind, const char* words, const CopyParams& p) {
    EXPECT_TRUE(throws(kind, words, [&] { validate(p); }));
    EXPECT_TRUE(throws(kind, words, [&] { copy_cpu(p); }));
  };
  expect(ErrorKind::kShape, "copy: dst:", {a, b});
  expect(ErrorKind::kDtype, "copy: dst:", {a, ids});
  expect(ErrorKind::kDtype, "copy: dst:", {ids, a});
  expect(ErrorKind::kUnsupported, "overlap", {a, a});
}

}  // namespace
}  // namespace ember::k::testing
