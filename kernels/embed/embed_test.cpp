// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "kernels/common/testing.h"
#include "kernels/embed/embed_cases.h"

namespace ember::k::testing {
namespace {

TEST(Embed, CopiesRows) {
  for (const EmbedCase& c : embed_cases()) {
    SCOPED_TRACE(c.name + " T " + std::to_string(c.T) + " D " + std::to_string(c.D));
    TestTensor table(c.table, {c.V, c.D}, 1);
    table.randomise(c.seed);
    const TestTensor ids(DType::kI32, {c.T});
    for (int64_t t = 0; t < c.T; ++t) {
      ids.view().as<int32_t>()[t] = static_cast<int32_t>((t * 7 + c.V - 1) % c.V);
    }
    const std::vector<float> rows = values(table);
    std::vector<double> want;
    for (int64_t t = 0; t < c.T; ++t) {
      const int64_t id = ids.view().as<int32_t>()[t];
      want.insert(want.end(), rows.begin() + id * c.D, rows.begin() + (id + 1) * c.D);
    }
    for_each_isa([&] {
      for (const Impl<EmbedParams>& impl : embed_impls()) {
        const TestTensor y(c.y, {c.T, c.D}, 3);
        impl.run({y, ids, table}, {});
        EXPECT_TRUE(close(y, want, 0, 0.0)) << impl.name;
        EXPECT_TRUE(y.guards_intact()) << impl.name;
        if (c.y == c.table || c.y == DType::kF32) {
          EXPECT_EQ(doubles(y), want) << impl.name;
        }
      }
    });
  }
}

TEST(Embed, RefusesIdsOutsideTheTable) {
  TestTensor table(DType::kBF16, {5, 8});
  table.randomise(1);
  const TestTensor ids(DType::kI32, {3}), y(DType::kF32, {3, 8});
  for (int32_t bad : {-1, 5, INT32_MAX, INT32_MIN}) {
    int32_t* p = ids.view().as<int32_t>();
    p[0] = 0;
    p[1] = bad;
    p[2] = 4;
    const std::string words = "embed: ids[1]: expected 0 to 4, got " + std::to_string(bad);
    EXPECT_TRUE(throws(ErrorKind::kBadInput, words, [&] { embed_cpu({y, ids, table}); }));
    EXPECT_TRUE(std::isnan(values(y)[0]));  // nothing was written
  }
}

TEST(Embed, ContractViolationsThrow) {
  const TestTensor table(DType::kF32, {5, 8}), ids(DType::kI32, {3}), y(DType::kF32, {3, 8}),
      wide(DType::kF32, {3, 9}), none(DType::kF32, {0, 8});
  const auto expect = [](ErrorKind kind, const char* words, const EmbedParams& p) {
    EXPECT_TRUE(throws(kind, words, [&] { validate(p); }));
    EXPECT_TRUE(throws(kind, words, [&] { embed_cpu(p); }));
  };
  expect(ErrorKind::kDtype, "embed: ids:", {y, y, table});
  expect(ErrorKind::kDtype, "embed: table:", {y, ids, ids});
  expect(ErrorKind::kShape, "embed: y:", {wide, ids, table});
  expect(ErrorKind::kShape, "embed: V:", {y, ids, none});
  expect(ErrorKind::kUnsupported, "overlap", {table.view().rows(0, 3), ids, table});
}

}  // namespace
}  // namespace ember::k::testing
