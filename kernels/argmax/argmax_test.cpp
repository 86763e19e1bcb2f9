// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "kernels/argmax/argmax_cases.h"
#include "kernels/common/testing.h"

namespace ember::k::testing {
namespace {

TEST(Argmax, FindsThePlantedMaximum) {
  for (const ArgmaxCase& c : argmax_cases()) {
    SCOPED_TRACE(c.name + " T " + std::to_string(c.T) + " V " + std::to_string(c.V));
    TestTensor x(c.x, {c.T, c.V}, 1);
    x.randomise(c.seed);
    std::vector<int32_t> want;
    for (int64_t t = 0; t < c.T; ++t) {
      const int64_t at = static_cast<int64_t>((c.seed * 7919 + t * 31) % c.V);
      const float top = 2.0f;
      from_f32(&top, c.x, row_ptr(x, t) + at * dtype_bytes(c.x), 1);
      if (at + 1 < c.V) {  // the same value again, later: the first one counts
        from_f32(&top, c.x, row_ptr(x, t) + (c.V - 1) * dtype_bytes(c.x), 1);
      }
      want.push_back(static_cast<int32_t>(at));
    }
    for_each_isa([&] {
      for (const Impl<ArgmaxParams>& impl : argmax_impls()) {
        const TestTensor ids(DType::kI32, {c.T});
        impl.run({ids, x}, {});
        const int32_t* p = ids.view().as<int32_t>();
        EXPECT_EQ(std::vector<int32_t>(p, p + c.T), want) << impl.name;
        EXPECT_TRUE(ids.guards_intact()) << impl.name;
      }
    });
  }
}

int32_t argmax_of(std::vector<float> x) {
  int32_t id = -7;
  argmax_cpu({TensorView(&id, DType::kI32, {1}),
              TensorView(x.data(), DType::kF32, {1, static_cast<int64_t>(x.size())})});
  return id;
}

TEST(Argmax, SpecialValues) {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::nanf("");
  EXPECT_EQ(argmax_of({-inf, -inf}), 0);
  EXPECT_EQ(argmax_of({1, inf, inf}), 1);
  EXPECT_EQ(argmax_of({-0.0f, 0.0f}), 0);
  EXPECT_EQ(argmax_of({1, nan, 3}), -1);
  EXPECT_EQ(argmax_of({nan}), -1);
  EXPECT_EQ(argmax_of({5, 4, nan}), -1);
}

TEST(Argmax, ContractViolationsThrow) {
  const TestTensor x(DType::kF32, {2, 8}), ids(DType::kI32, {2}), three(DType::kI32, {3}),
      empty(DType::kF32, {2, 0}), wrong(DType::kF32, {2});
  const auto expect = [](ErrorKind kind, const char* words, const ArgmaxParams& p) {
    EXPECT_TRUE(throws(kind, words, [&] { validate(p); }));
    EXPECT_TRUE(throws(kind, words, [&] { argmax_cpu(p); }));
  };
  expect(ErrorKind::kDtype, "argmax: ids:", {wrong, x});
  expect(ErrorKind::kShape, "argmax: ids:", {three, x});
  expect(ErrorKind::kShape, "argmax: V:", {ids, empty});
  expect(ErrorKind::kShape, "argmax: x:", {ids, wrong});
}

}  // namespace
}  // namespace ember::k::testing
