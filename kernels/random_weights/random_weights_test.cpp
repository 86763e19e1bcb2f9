// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "kernels/base/parallel.h"
#include "kernels/random_weights/random_weights_cases.h"

namespace ember::k {
namespace {

std::vector<float> make(uint64_t stream, int64_t n, RandomKind kind, int64_t first = 0) {
  std::vector<float> y(static_cast<size_t>(n));
  random_weights_cpu({TensorView(y.data(), DType::kF32, {n}), stream, kind, first});
  return y;
}

struct Moments {
  double mean, deviation, kurtosis;
};

Moments moments(const std::vector<float>& x) {
  double sum = 0.0, square = 0.0, fourth = 0.0;
  for (const float v : x) {
    sum += v;
  }
  const double n = static_cast<double>(x.size());
  const double mean = sum / n;
  for (const float v : x) {
    const double d = v - mean;
    square += d * d;
    fourth += d * d * d * d;
  }
  const double variance = square / n;
  return {mean, std::sqrt(variance), fourth / n / (variance * variance)};
}

double correlation(const std::vector<float>& a, const std::vector<float>& b) {
  const Moments ma = moments(a), mb = moments(b);
  double sum = 0.0;
  for (size_t i = 0; i < a.size(); ++i) {
    sum += (a[i] - ma.mean) * (b[i] - mb.mean);
  }
  return sum / static_cast<double>(a.size()) / (ma.deviation * mb.deviation);
}

constexpr int64_t kCount = 1 << 20;
// Five standard errors of a mean or a correlation over kCount independent values.
const double kFiveSigma = 5.0 / std::sqrt(static_cast<double>(kCount));

TEST(RandomWeights, MatrixHasMeanZeroAndDeviationTwoHundredths) {
  const Moments m = moments(make(random_weights_stream(1, "a"), kCount, RandomKind::kMatrix));
  EXPECT_LT(std::fabs(m.mean), 0.02 * kFiveSigma);
  EXPECT_NEAR(m.deviation / 0.02, 1.0, kFiveSigma);
  // Four uniforms: excess kurtosis -1.2 / 4; a single uniform would show 1.8, a normal 3.
  EXPECT_NEAR(m.kurtosis, 2.7, 0.03);
}

TEST(RandomWeights, GainHasMeanOne) {
  const std::vector<float> gains = make(random_weights_stream(1, "a"), kCount, RandomKind::kGain);
  const Moments m = moments(gains);
  const double deviation = 65536.0 / std::sqrt(3.0) / 524288.0;
  EXPECT_LT(std::fabs(m.mean - 1.0), deviation * kFiveSigma);
  EXPECT_NEAR(m.deviation / deviation, 1.0, kFiveSigma);
  for (const float g : gains) {
    ASSERT_TRUE(g >= 0.75f && g <= 1.25f);
  }
}

TEST(RandomWeights, NeighboursAndStreamsAreIndependent) {
  const std::vector<float> a = make(random_weights_stream(1, "a"), kCount, RandomKind::kMatrix);
  for (int lag : {1, 2, 3, 64, 1024}) {
    const std::vector<float> head(a.begin(), a.end() - lag), tail(a.begin() + lag, a.end());
    EXPECT_LT(std::fabs(correlation(head, tail)), 1.01 * kFiveSigma) << lag;
  }
  const std::vector<float> b = make(random_weights_stream(1, "b"), kCount, RandomKind::kMatrix);
  const std::vector<float> c = make(random_weights_stream(2, "a"), kCount, RandomKind::kMatrix);
  EXPECT_LT(std::fabs(correlation(a, b)), kFiveSigma);
  EXPECT_LT(std::fabs(correlation(a, c)), kFiveSigma);
}

// Any device must give these: a change here changes every random: model.
TEST(RandomWeights, ValuesAreFrozen) {
  static_assert(random_weights_stream(1, "model.norm.weight") == 0x22083b7e192301beULL);
  const uint64_t stream = random_weights_stream(1, "model.norm.weight");
  const int32_t sums[] = {17643, 4136, 51438, 4700};
  for (uint64_t i = 0; i < 4; ++i) {
    EXPECT_EQ(random_weights_sum(stream, i), sums[i]) << i;
    EXPECT_EQ(random_weights_gain(sums[i]), 1.0f + std::ldexp(static_cast<float>(sums[i]), -19));
  }
  EXPECT_EQ(random_weights_sum(stream, uint64_t{1} << 40), -14980);
  EXPECT_EQ(float_to_bits(random_weights_matrix(131070)), 0x3d8de330u);
  EXPECT_EQ(float_to_bits(random_weights_matrix(-12345)), 0xbbd5d25bu);
}

TEST(RandomWeights, SumMatchesItsDefinition) {
  for (uint64_t i = 0; i < 1000; ++i) {
    const uint64_t h = random_weights_mix(77 + (i + 1) * 0x9e3779b97f4a7c15ULL);
    int32_t sum = -131070;
    for (int field = 0; field < 4; ++field) {
      sum += static_cast<int32_t>((h >> (16 * field)) & 0xffff);
    }
    ASSERT_EQ(random_weights_sum(77, i), sum);
  }
}

// Bits, not values: every device must make the same weights.
TEST(RandomWeights, EveryImplementationIsTheDefinition) {
  for (const RandomWeightsCase& c : random_weights_cases()) {
    for (const Impl<RandomWeightsParams>& impl : random_weights_impls()) {
      SCOPED_TRACE(c.name + " " + impl.name + " " + dtype_name(c.y) + " " +
                   std::to_string(c.count));
      std::vector<uint32_t> memory(static_cast<size_t>(c.count) + 1, 0xdeadbeef);
      impl.run({TensorView(memory.data(), c.y, {c.count}), c.stream, c.kind, c.first}, {});
      const auto* half = reinterpret_cast<const uint16_t*>(memory.data());
      for (int64_t i = 0; i < c.count; ++i) {
        const int32_t sum =
            random_weights_sum(c.stream, static_cast<uint64_t>(c.first) + static_cast<uint64_t>(i));
        const float want =
            c.kind == RandomKind::kMatrix ? random_weights_matrix(sum) : random_weights_gain(sum);
        if (c.y == DType::kF32) {
          ASSERT_EQ(memory[static_cast<size_t>(i)], float_to_bits(want)) << i;
        } else {
          const uint16_t bits =
              c.y == DType::kF16 ? from_float<F16>(want).bits : from_float<BF16>(want).bits;
          ASSERT_EQ(half[i], bits) << i;
        }
      }
      EXPECT_EQ(memory.back(), 0xdeadbeefu);
    }
  }
}

TEST(RandomWeights, ThreadsAndSlicesDoNotMatter) {
  const std::vector<float> whole = make(5, 200000, RandomKind::kMatrix);
  set_thread_count(1);
  EXPECT_EQ(make(5, 200000, RandomKind::kMatrix), whole);
  set_thread_count(0);
  const std::vector<float> slice = make(5, 1000, RandomKind::kMatrix, 123457);
  EXPECT_EQ(slice, std::vector<float>(whole.begin() + 123457, whole.begin() + 124457));
}

TEST(RandomWeights, SixteenBitTypesAreTheRoundedValue) {
  const std::vector<float> want = make(9, 4096, RandomKind::kMatrix);
  std::vector<F16> half(4096);
  std::vector<BF16> brain(4096);
  random_weights_cpu({TensorView(half.data(), DType::kF16, {64, 64}), 9, RandomKind::kMatrix});
  random_weights_cpu({TensorView(brain.data(), DType::kBF16, {64, 64}), 9, RandomKind::kMatrix});
  for (size_t i = 0; i < want.size(); ++i) {
    ASSERT_EQ(half[i].bits, from_float<F16>(want[i]).bits);
    ASSERT_EQ(brain[i].bits, from_float<BF16>(want[i]).bits);
  }
}

TEST(RandomWeights, ViolationsThrow) {
  std::vector<float> y(64);
  const TensorView matrix(y.data(), DType::kF32, {8, 8});
  EXPECT_THROW(random_weights_cpu({matrix.cols(0, 4), 1}), Error);
  EXPECT_THROW(random_weights_cpu({TensorView(y.data(), DType::kI32, {8}), 1}), Error);
  EXPECT_THROW(random_weights_cpu({matrix, 1, RandomKind::kMatrix, -1}), Error);
  EXPECT_THROW(
      random_weights_cpu({TensorView(y.data(), DType::kF32, {8}, {DeviceKind::kCuda, 0}), 1}),
      Error);
  random_weights_cpu({TensorView(nullptr, DType::kF32, {0}), 1});
}

}  // namespace
}  // namespace ember::k
