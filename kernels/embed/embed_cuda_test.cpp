// SPDX-License-Identifier: Apache-2.0
#include "kernels/common/device_testing.h"
#include "kernels/embed/embed_cases.h"

namespace ember::k::testing {
namespace {

const std::vector<TensorView*> operands(EmbedParams& p) {
  return {&p.y, &p.ids, &p.table};
}

TEST(EmbedCuda, EqualsTheCpuToTheBit) {
  EMBER_NEEDS_CUDA();
  for (const EmbedCase& c : embed_cases()) {
    for (int64_t padding : {0, 3}) {
      SCOPED_TRACE(c.name + " T " + std::to_string(c.T) + " D " + std::to_string(c.D));
      TestTensor table(c.table, {c.V, c.D}, padding);
      table.randomise(c.seed);
      const TestTensor ids(DType::kI32, {c.T});
      for (int64_t t = 0; t < c.T; ++t) {
        ids.view().as<int32_t>()[t] = static_cast<int32_t>((t * 7 + c.V - 1) % c.V);
      }
      const TestTensor want(c.y, {c.T, c.D}, padding), y(c.y, {c.T, c.D}, padding);
      embed_cpu({want, ids, table});
      run_on_device(embed_cuda, {y, ids, table}, operands);
      EXPECT_TRUE(y.same_bytes(want));
    }
  }
}

TEST(EmbedCuda, IdsOutsideTheTableGiveNan) {
  EMBER_NEEDS_CUDA();
  TestTensor table(DType::kBF16, {5, 8});
  table.randomise(1);
  for (int32_t bad : {-1, 5, INT32_MAX, INT32_MIN}) {
    const TestTensor ids(DType::kI32, {3}), y(DType::kF32, {3, 8});
    int32_t* p = ids.view().as<int32_t>();
    p[0] = 0, p[1] = bad, p[2] = 4;
    run_on_device(embed_cuda, {y, ids, table}, operands);
    const std::vector<float> v = values(y);
    for (size_t i = 0; i < v.size(); ++i) {
      EXPECT_EQ(std::isnan(v[i]), i / 8 == 1) << bad << " " << i;
    }
    EXPECT_TRUE(y.guards_intact());
  }
}

TEST(EmbedCuda, HostMemoryIsRefused) {
  TestTensor table(DType::kF32, {5, 8});
  const TestTensor ids(DType::kI32, {0}), y(DType::kF32, {0, 8});
  EXPECT_TRUE(throws(ErrorKind::kUnsupported, "embed", [&] { embed_cuda({y, ids, table}, {}); }));
}

}  // namespace
}  // namespace ember::k::testing
