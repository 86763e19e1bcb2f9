// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <set>

#include "engine/backend/cpu_backend.h"
#include "engine/backend/dump_backend.h"
#include "engine/backend/fault_backend.h"

namespace ember {
namespace {

TEST(TapRows, ColumnSliceAndPlanes) {
  std::vector<float> wide = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  const TensorView matrix(wide.data(), DType::kF32, Shape{3, 4});
  EXPECT_EQ(tap_rows(matrix.cols(1, 2)), std::vector<float>({2, 3, 6, 7, 10, 11}));
  const TensorView planes(wide.data(), DType::kF32, Shape{2, 3, 2});
  EXPECT_EQ(tap_rows(planes.plane_rows(1, 2)), std::vector<float>({3, 4, 9, 10, 5, 6, 11, 12}));
}

TEST(TapRows, HalfTypesWiden) {
  std::vector<BF16> values = {from_float<BF16>(1.5f), from_float<BF16>(-2)};
  const TensorView v(values.data(), DType::kBF16, Shape{1, 2});
  EXPECT_EQ(tap_rows(v), std::vector<float>({1.5f, -2}));
}

TEST(TapBackend, SeesAndReplaces) {
  std::vector<float> x = {1, 2};
  TapPoint seen{};
  TapBackend backend(
      make_cpu_backend(),
      [&](const TapPoint& at, const TensorView& v) {
        seen = at;
        v.as<float>()[0] = 7;
      },
      TapBackend::Access::kWrite);
  EXPECT_TRUE(backend.wants_taps());
  backend.tap({Tap::kGate, 3, 5}, TensorView(x.data(), DType::kF32, Shape{1, 2}));
  EXPECT_EQ(seen.tap, Tap::kGate);
  EXPECT_EQ(seen.layer, 3);
  EXPECT_EQ(seen.first_pos, 5);
  EXPECT_EQ(x[0], 7);
}

TEST(Faults, ListIsWellFormed) {
  EXPECT_GE(faults().size(), 24u);
  std::set<std::string> names;
  for (const Fault& f : faults()) {
    EXPECT_TRUE(names.insert(f.name).second) << f.name;
    EXPECT_FALSE(f.about.empty()) << f.name;
    EXPECT_EQ(f.applies != nullptr, !f.applies_to.empty()) << f.name;
    EXPECT_EQ(f.two_stages, f.first_layer == FaultLayer::kStage) << f.name;
    const bool outside = f.first_tap == Tap::kEmbedding || f.first_tap == Tap::kFinalNorm ||
                         f.first_tap == Tap::kLogits;
    EXPECT_EQ(outside, f.first_layer == FaultLayer::kOutside) << f.name;
    EXPECT_EQ(&find_fault(f.name), &f);
    EXPECT_EQ(plant_fault(f, make_cpu_backend())->name(), "cpu");
  }
}

TEST(Faults, AnUnknownNameListsTheKnownOnes) {
  try {
    find_fault("no-such-fault");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kUsage);
    EXPECT_NE(std::string(e.what()).find("rope-sign"), std::string::npos);
  }
}

TEST(Faults, LayersOfTheFirstWrongTap) {
  EXPECT_EQ(find_fault("rope-sign").layer(6, 3), 0);
  EXPECT_EQ(find_fault("weight-bit").layer(6, 3), 3);
  EXPECT_EQ(find_fault("layer-skipped").layer(6, 3), 5);
  EXPECT_EQ(find_fault("vocab-tile").layer(6, 3), -1);
  EXPECT_EQ(find_fault("hop-stale").layer(6, 4), 4);
}

TEST(Faults, HiddenOnesGiveAReasonAndNoneIsHiddenInFp32) {
  for (const Fault& f : faults()) {
    EXPECT_EQ(f.hidden != nullptr, !f.hidden_by.empty()) << f.name;
    EXPECT_FALSE(f.hidden && f.hidden(DType::kF32)) << f.name;
  }
}

}  // namespace
}  // namespace ember
