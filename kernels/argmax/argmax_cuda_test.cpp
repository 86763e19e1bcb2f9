// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "kernels/argmax/argmax_cases.h"
#include "kernels/common/device_testing.h"

namespace ember::k::testing {
namespace {

const std::vector<TensorView*> operands(ArgmaxParams& p) {
  return {&p.ids, &p.x};
}

std::vector<int32_t> ids_of(const TestTensor& ids) {
  const int32_t* p = ids.view().as<int32_t>();
  return std::vector<int32_t>(p, p + ids.view().shape[0]);
}

TEST(ArgmaxCuda, MatchesTheCpu) {
  EMBER_NEEDS_CUDA();
  std::vector<ArgmaxCase> cases = argmax_cases();
  for (int64_t T : {31, 32, 33, 100}) {
    cases.push_back({"rows", T, 5000, DType::kF32, 9});
  }
  for (const ArgmaxCase& c : cases) {
    SCOPED_TRACE(c.name + " T " + std::to_string(c.T) + " V " + std::to_string(c.V));
    TestTensor x(c.x, {c.T, c.V}, 1);
    x.randomise(c.seed);  // a large vocabulary in 16 bits has many equal values at the top
    const TestTensor want(DType::kI32, {c.T}), ids(DType::kI32, {c.T}), again(DType::kI32, {c.T});
    argmax_cpu({want, x});
    run_on_device(argmax_cuda, {ids, x}, operands);
    run_on_device(argmax_cuda, {again, x}, operands);
    EXPECT_EQ(ids_of(ids), ids_of(want));
    EXPECT_EQ(ids_of(again), ids_of(want));
    EXPECT_TRUE(ids.guards_intact() && x.guards_intact());
  }
}

int32_t argmax_of(const std::vector<float>& x) {
  const TestTensor ids(DType::kI32, {1}), row(DType::kF32, {1, static_cast<int64_t>(x.size())});
  std::copy(x.begin(), x.end(), row.view().as<float>());
  run_on_device(argmax_cuda, {ids, row}, operands);
  return ids.view().as<int32_t>()[0];
}

TEST(ArgmaxCuda, SpecialValues) {
  EMBER_NEEDS_CUDA();
  const float inf = std::numeric_limits<float>::infinity(), nan = std::nanf("");
  EXPECT_EQ(argmax_of({-inf, -inf}), 0);
  EXPECT_EQ(argmax_of({1, inf, inf}), 1);
  EXPECT_EQ(argmax_of({-0.0f, 0.0f}), 0);
  EXPECT_EQ(argmax_of({-3, -2, -2.5f}), 1);
  EXPECT_EQ(argmax_of({1, nan, 3}), -1);
  EXPECT_EQ(argmax_of({nan}), -1);
  std::vector<float> many(9000, 1.0f);
  many[8999] = -nan;
  EXPECT_EQ(argmax_of(many), -1);
}

TEST(ArgmaxCuda, HostMemoryIsRefused) {
  const TestTensor x(DType::kF32, {2, 8}), ids(DType::kI32, {2});
  EXPECT_TRUE(throws(ErrorKind::kUnsupported, "argmax", [&] { argmax_cuda({ids, x}, {}); }));
}

}  // namespace
}  // namespace ember::k::testing
