// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "kernels/common/few_cases.h"
#include "kernels/common/testing.h"
#include "kernels/common/vec_test_kernels.h"

namespace ember::k::testing {
namespace {

// Distance between neighbours of the fp32 number nearest to x.
double spacing(double x) {
  const float f = static_cast<float>(std::fabs(x));
  return static_cast<double>(std::nextafter(f, std::numeric_limits<float>::infinity())) - f;
}

TEST(Vec, ExpIsWithinTwoUnits) {
  std::vector<float> x, y;
  for (uint32_t bits = 0; bits < 0x43000000u; bits += 997) {  // 0 to 128, both signs
    x.push_back(bits_to_float(bits));
    x.push_back(-bits_to_float(bits));
  }
  y.resize(x.size());
  for_each_isa([&] {
    EMBER_PICK_ISA(vec_test_kernels).exp(x.data(), y.data(), x.size());
    double worst = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      const double want = std::exp(static_cast<double>(x[i]));
      if (want > std::numeric_limits<float>::max()) {
        ASSERT_TRUE(std::isinf(y[i])) << x[i];
        continue;
      }
      worst = std::max(worst, std::fabs(y[i] - want) / spacing(want));
    }
    EXPECT_LE(worst, 2.0);
  });
}

TEST(Vec, ExpOfSpecialValues) {
  const float inf = std::numeric_limits<float>::infinity();
  for_each_isa([&] {
    const float x[] = {inf, -inf, std::nanf(""), 0.0f, -0.0f};
    float y[5];
    EMBER_PICK_ISA(vec_test_kernels).exp(x, y, 5);
    EXPECT_EQ(y[0], inf);
    EXPECT_EQ(y[1], 0.0f);
    EXPECT_TRUE(std::isnan(y[2]));
    EXPECT_EQ(y[3], 1.0f);
    EXPECT_EQ(y[4], 1.0f);
  });
}

TEST(Vec, SumAddsEveryLane) {
  for_each_isa([&] {
    for (int lane = 0; lane < EMBER_PICK_ISA(vec_test_kernels).width; ++lane) {
      float x[16] = {};
      x[lane] = 3;
      EXPECT_EQ(EMBER_PICK_ISA(vec_test_kernels).sum(x), 3) << lane;
    }
  });
}

// Every 16-bit pattern one way, and fp32 patterns with every interesting rounding the other way.
TEST(Convert, AgreesWithTheScalarForm) {
  std::vector<F16> half(0x10000);
  std::vector<BF16> brain(0x10000);
  for (uint32_t i = 0; i < 0x10000; ++i) {
    half[i].bits = brain[i].bits = static_cast<uint16_t>(i);
  }
  std::vector<float> wide;
  for (uint64_t bits = 0; bits < (uint64_t{1} << 32); bits += 4093) {
    wide.push_back(bits_to_float(static_cast<uint32_t>(bits)));
    wide.push_back(bits_to_float(static_cast<uint32_t>(bits) & 0xfffff000u));
    wide.push_back(bits_to_float((static_cast<uint32_t>(bits) & 0xffff0000u) | 0x8000u));
  }
  const auto same = [](float a, float b) {
    return std::isnan(a) ? std::isnan(b) : float_to_bits(a) == float_to_bits(b);
  };
  for_each_isa([&] {
    std::vector<float> out(0x10000);
    to_f32(DType::kF16, half.data(), out.data(), 0x10000);
    for (uint32_t i = 0; i < 0x10000; ++i) {
      ASSERT_TRUE(same(to_float(half[i]), out[i])) << i;
    }
    to_f32(DType::kBF16, brain.data(), out.data(), 0x10000);
    for (uint32_t i = 0; i < 0x10000; ++i) {
      ASSERT_TRUE(same(to_float(brain[i]), out[i])) << i;
    }
    const int64_t n = static_cast<int64_t>(wide.size());
    std::vector<F16> narrow_half(n);
    std::vector<BF16> narrow_brain(n);
    from_f32(wide.data(), DType::kF16, narrow_half.data(), n);
    from_f32(wide.data(), DType::kBF16, narrow_brain.data(), n);
    for (int64_t i = 0; i < n; ++i) {
      ASSERT_TRUE(same(to_float(from_float<F16>(wide[i])), to_float(narrow_half[i]))) << wide[i];
      ASSERT_TRUE(same(to_float(from_float<BF16>(wide[i])), to_float(narrow_brain[i]))) << wide[i];
    }
  });
}

TEST(CheapestOfEach, TakesTheCheapestCaseOfEveryFeature) {
  const std::vector<int> all = {30, 12, 10, 20, 15, 5};
  const auto features = [](int n) {
    return std::vector<std::string>{n % 2 == 0 ? "even" : "odd", n % 3 == 0 ? "threes" : "-",
                                    n >= 20 ? "large" : "small"};
  };
  const std::vector<int> few =
      cheapest_of_each(all, features, [](int n) { return static_cast<int64_t>(n); });
  EXPECT_EQ(few, (std::vector<int>{5, 10, 12, 20}));
  EXPECT_EQ(all_features(few, features), all_features(all, features));
  EXPECT_EQ(up_to(2, 3), "2");
  EXPECT_EQ(up_to(3, 3), "3+");
  EXPECT_EQ(up_to(9, 3), "3+");
}

TEST(Isa, OverrideIsChecked) {
  EXPECT_FALSE(usable_isas().empty());
  for (CpuIsa isa : usable_isas()) {
    force_cpu_isa(isa);
    EXPECT_EQ(cpu_isa(), isa);
  }
  force_cpu_isa(std::nullopt);
  setenv("EMBER_CPU_ISA", "mmx", 1);
  EXPECT_TRUE(throws(ErrorKind::kUsage, "EMBER_CPU_ISA", [] { cpu_isa(); }));
  setenv("EMBER_CPU_ISA", "plain", 1);
  EXPECT_EQ(cpu_isa(), CpuIsa::kPlain);
  unsetenv("EMBER_CPU_ISA");
  force_cpu_isa(std::nullopt);
  EXPECT_EQ(cpu_isa(), usable_isas().back());
}

}  // namespace
}  // namespace ember::k::testing
