// SPDX-License-Identifier: Apache-2.0
#include "kernels/advance/advance_cases.h"
#include "kernels/common/testing.h"

namespace ember::k::testing {
namespace {

TEST(Advance, WritesOneEntryAndMovesThePosition) {
  for (const AdvanceCase& c : advance_cases()) {
    for (const Impl<AdvanceParams>& impl : advance_impls()) {
      SCOPED_TRACE("R " + std::to_string(c.R) + " pos " + std::to_string(c.pos));
      const TestTensor id(DType::kI32, {1}), ring(DType::kI32, {c.R});
      *id.view().as<int32_t>() = 4711;
      int32_t position = static_cast<int32_t>(c.pos);
      AdvanceParams p{id, ring, 99, &position, {}};
      impl.run(p, {});
      EXPECT_EQ(position, c.pos + 1);
      p.pos_device = nullptr;
      p.pos = c.pos;
      const int32_t* entries = ring.view().as<int32_t>();
      for (int i = 0; i < 2; ++i) {
        for (int64_t r = 0; r < c.R; ++r) {
          EXPECT_EQ(entries[r], r == c.pos % c.R ? 4711 : -1) << r;
        }
        impl.run(p, {});  // the same again from a position that is a value
      }
      EXPECT_TRUE(ring.guards_intact() && id.guards_intact());
    }
  }
}

TEST(Advance, WithoutAnIdOnlyThePositionMoves) {
  int32_t position = 5;
  AdvanceParams p;
  advance_cpu(p);
  p.pos_device = &position;
  advance_cpu(p);
  EXPECT_EQ(position, 6);
}

TEST(Advance, ContractViolationsThrow) {
  const TestTensor id(DType::kI32, {1}), ring(DType::kI32, {4}), two(DType::kI32, {2}),
      floats(DType::kF32, {1}), matrix(DType::kI32, {2, 2});
  TensorView away = id, none = ring;
  away.device = {DeviceKind::kCuda, 0};
  none.shape = Shape{0};
  const auto expect = [](ErrorKind kind, const char* words, const AdvanceParams& p) {
    EXPECT_TRUE(throws(kind, words, [&] { validate(p); }));
    EXPECT_TRUE(throws(kind, words, [&] { advance_cpu(p); }));
  };
  expect(ErrorKind::kUnsupported, "both", {id, TensorView(), 0, nullptr, {}});
  expect(ErrorKind::kUnsupported, "both", {TensorView(), ring, 0, nullptr, {}});
  expect(ErrorKind::kShape, "advance: pos:", {id, ring, -1, nullptr, {}});
  expect(ErrorKind::kDtype, "advance: id:", {floats, ring, 0, nullptr, {}});
  expect(ErrorKind::kShape, "advance: id:", {two, ring, 0, nullptr, {}});
  expect(ErrorKind::kDtype, "advance: ring:", {id, floats, 0, nullptr, {}});
  expect(ErrorKind::kShape, "advance: ring:", {id, matrix, 0, nullptr, {}});
  expect(ErrorKind::kShape, "advance: R:", {id, none, 0, nullptr, {}});
  expect(ErrorKind::kUnsupported, "advance: id:", {away, ring, 0, nullptr, {}});
  EXPECT_TRUE(throws(ErrorKind::kUnsupported, "advance", [&] {
    advance_cpu({away, ring, 0, nullptr, away.device});
  }));
}

}  // namespace
}  // namespace ember::k::testing
