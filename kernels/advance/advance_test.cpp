// SPDX-License-Identifier: Apache-2.0
#include "kernels/advance/advance_cases.h"
#include "kernels/common/testing.h"

namespace ember::k::testing {
namespace {

// That each row of the ring holds its id at its position and nothing elsewhere.
void expect_entries(const AdvanceCase& c, const TestTensor& ring, bool one_position) {
  for (int64_t b = 0; b < c.count; ++b) {
    const int64_t slot = (one_position ? c.pos : c.pos - b) % c.R;
    for (int64_t r = 0; r < c.R; ++r) {
      EXPECT_EQ(ring.view().as<int32_t>()[b * c.R + r], r == slot ? 4711 + b : -1) << b << " " << r;
    }
  }
}

TEST(Advance, WritesOneEntryASequenceAndMovesThePositions) {
  for (const AdvanceCase& c : advance_cases()) {
    for (const Impl<AdvanceParams>& impl : advance_impls()) {
      SCOPED_TRACE("R " + std::to_string(c.R) + " pos " + std::to_string(c.pos) + " B " +
                   std::to_string(c.count));
      const TestTensor id(DType::kI32, {c.count}), ring(DType::kI32, {c.count, c.R}),
          same(DType::kI32, {c.count, c.R});
      std::vector<int32_t> positions;
      for (int64_t b = 0; b < c.count; ++b) {
        id.view().as<int32_t>()[b] = static_cast<int32_t>(4711 + b);
        positions.push_back(static_cast<int32_t>(c.pos - b));
      }
      AdvanceParams p{id, ring, 99, positions.data(), {}, c.count};
      impl.run(p, {});
      expect_entries(c, ring, false);
      for (int64_t b = 0; b < c.count; ++b) {
        EXPECT_EQ(positions[b], c.pos - b + 1) << b;
      }
      p.ring = same;
      p.pos_device = nullptr;
      p.pos = c.pos;
      for (int i = 0; i < 2; ++i) {  // from a position that is a value, which stays
        impl.run(p, {});
        expect_entries(c, same, true);
      }
      EXPECT_TRUE(ring.guards_intact() && same.guards_intact() && id.guards_intact());
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
  int32_t three[] = {7, 1, 4};
  p.pos_device = three;
  p.count = 3;
  advance_cpu(p);
  EXPECT_EQ(std::vector<int32_t>(three, three + 3), (std::vector<int32_t>{8, 2, 5}));
}

TEST(Advance, ContractViolationsThrow) {
  const TestTensor id(DType::kI32, {1}), ring(DType::kI32, {1, 4}), two(DType::kI32, {2}),
      floats(DType::kF32, {1}), matrix(DType::kI32, {2, 2}), line(DType::kI32, {4}),
      gaps(DType::kI32, {2, 4}, 4);
  TensorView away = id, none = ring;
  away.device = {DeviceKind::kCuda, 0};
  none.shape = Shape{1, 0};
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
  expect(ErrorKind::kShape, "advance: ring:", {id, line, 0, nullptr, {}});
  expect(ErrorKind::kShape, "advance: id:", {id, matrix, 0, nullptr, {}, 2});
  expect(ErrorKind::kUnsupported, "advance: ring:", {two, gaps, 0, nullptr, {}, 2});
  expect(ErrorKind::kShape, "advance: B:", {id, ring, 0, nullptr, {}, 0});
  expect(ErrorKind::kShape, "advance: B:", {id, ring, 0, nullptr, {}, kAdvanceMaxCount + 1});
  expect(ErrorKind::kShape, "advance: R:", {id, none, 0, nullptr, {}});
  expect(ErrorKind::kUnsupported, "advance: id:", {away, ring, 0, nullptr, {}});
  EXPECT_TRUE(throws(ErrorKind::kUnsupported, "advance", [&] {
    advance_cpu({away, ring, 0, nullptr, away.device});
  }));
}

}  // namespace
}  // namespace ember::k::testing
