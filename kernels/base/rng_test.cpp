// SPDX-License-Identifier: Apache-2.0
#include "kernels/base/rng.h"

#include <gtest/gtest.h>

#include <cmath>

namespace ember {
namespace {

void expect_words(const Philox4& got, uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
  EXPECT_EQ(got.x[0], a);
  EXPECT_EQ(got.x[1], b);
  EXPECT_EQ(got.x[2], c);
  EXPECT_EQ(got.x[3], d);
}

// The known answers that the authors of Random123 publish for philox4x32-10.
TEST(Rng, PhiloxKnownAnswers) {
  expect_words(philox(0, 0, 0), 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8);
  expect_words(philox(~0ULL, ~0ULL, ~0ULL), 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd);
  expect_words(philox(0x299f31d0a4093822ULL, 0x85a308d3243f6a88ULL, 0x0370734413198a2eULL),
               0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1);
}

TEST(Rng, UniformStaysBelowOne) {
  EXPECT_EQ(uniform53(0, 0), 0.0);
  EXPECT_LT(uniform53(~0U, ~0U), 1.0);
  EXPECT_EQ(uniform53(~0U, ~0U), 1.0 - std::ldexp(1.0, -53));
}

TEST(Rng, IsConstexpr) {
  static_assert(philox(0, 0).x[0] == 0x6627e8d5, "usable at compile time");
  static_assert(uniform(1, 2) != uniform(1, 3), "index matters");
  static_assert(uniform(1, 2) != uniform(2, 2), "seed matters");
  static_assert(uniform(1, 2, 0) != uniform(1, 2, 1), "stream matters");
}

// Mean and variance of 1e6 draws within five standard errors of 1/2 and 1/12.
TEST(Rng, UniformMoments) {
  const int n = 1000000;
  double sum = 0, squares = 0;
  for (int i = 0; i < n; ++i) {
    const double u = uniform(7, static_cast<uint64_t>(i)) - 0.5;
    sum += u;
    squares += u * u;
  }
  EXPECT_LT(std::fabs(sum / n), 5 * std::sqrt(1.0 / 12 / n));
  EXPECT_LT(std::fabs(squares / n - 1.0 / 12), 5 * std::sqrt(1.0 / 180 / n));
}

}  // namespace
}  // namespace ember
