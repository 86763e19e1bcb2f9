// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "kernels/common/testing.h"
#include "kernels/sample/sample_cases.h"
#include "kernels/sample/selection.h"

namespace ember::k::testing {
namespace {

SampleSettings settings_of(const SampleCase& c, uint64_t counter = 0) {
  return make_sample_settings(c.temperature, c.top_k, c.top_p, c.min_p, c.seed, counter);
}

int32_t sample(std::vector<float> x, SampleSettings s, bool greedy = false, int64_t pos = 0,
               int32_t* pos_device = nullptr) {
  const TestTensor id(DType::kI32, {1});
  SampleParams p;
  p.id = id;
  p.x = TensorView(x.data(), DType::kF32, {1, static_cast<int64_t>(x.size())});
  p.settings = TensorView(&s, DType::kI32, {kSampleSettingsWords});
  p.greedy = greedy;
  p.pos = pos;
  p.pos_device = pos_device;
  for (const Impl<SampleParams>& impl : sample_impls()) {
    impl.run(p, {});
  }
  EXPECT_TRUE(id.guards_intact());
  return *id.view().as<int32_t>();
}

struct Exact {
  std::vector<int32_t> ids;  // kept, in order
  std::vector<uint64_t> sums;
};

// The definition in its plainest form: everything sorted, filters one after another.
Exact by_definition(const std::vector<float>& x, const SampleSettings& s) {
  Exact e;
  for (size_t i = 0; i < x.size(); ++i) {
    if (!std::isinf(x[i])) {
      e.ids.push_back(static_cast<int32_t>(i));
    }
  }
  std::stable_sort(e.ids.begin(), e.ids.end(), [&](int32_t a, int32_t b) { return x[a] > x[b]; });
  const double top = x[e.ids[0]];
  const auto drop = [&](int32_t id) { return (top - static_cast<double>(x[id])) * s.scale; };
  if (s.top_k > 0 && s.top_k < static_cast<int64_t>(x.size())) {
    size_t n = std::min(e.ids.size(), static_cast<size_t>(s.top_k));
    while (n < e.ids.size() && x[e.ids[n]] == x[e.ids[n - 1]]) {
      ++n;
    }
    e.ids.resize(n);
  }
  uint64_t total = 0, sum = 0;
  for (int32_t id : e.ids) {
    total += sample_weight(drop(id));
  }
  const uint64_t limit = sample_top_p_limit(s.top_p, total);
  size_t n = 0;
  while (n == 0 || (n < e.ids.size() && (s.top_p >= 1 || sum < limit))) {
    sum += sample_weight(drop(e.ids[n++]));
  }
  while (n > 1 && !(drop(e.ids[n - 1]) <= s.max_drop)) {
    --n;
  }
  e.ids.resize(n);
  sum = 0;
  for (int32_t id : e.ids) {
    e.sums.push_back(sum += sample_weight(drop(id)));
  }
  return e;
}

int32_t draw(const Exact& e, uint64_t random) {
  const uint64_t target = high_product(random, e.sums.back());
  return e.ids[std::upper_bound(e.sums.begin(), e.sums.end(), target) - e.sums.begin()];
}

TEST(Sample, MatchesTheDefinition) {
  for (const SampleCase& c : sample_cases()) {
    SCOPED_TRACE(c.name + " V " + std::to_string(c.V) + " seed " + std::to_string(c.seed));
    const std::vector<float> x = sample_case_logits(c);
    const Exact exact = by_definition(x, settings_of(c));
    for (int64_t step : {0, 1, 2}) {
      EXPECT_EQ(sample(x, settings_of(c), false, step),
                draw(exact, sample_random(c.seed, static_cast<uint64_t>(step))));
    }
    EXPECT_EQ(sample(x, {}, true),
              static_cast<int32_t>(std::max_element(x.begin(), x.end()) - x.begin()));
  }
}

// One selection reused, and every draw that can tell one token from the next.
TEST(Sample, EveryEdgeOfTheDistribution) {
  Selection selection;
  for (const SampleCase& c : sample_cases()) {
    if (c.V > 2000) {
      continue;
    }
    SCOPED_TRACE(c.name + " V " + std::to_string(c.V) + " seed " + std::to_string(c.seed));
    const std::vector<float> x = sample_case_logits(c);
    const std::vector<double> scores(x.begin(), x.end());
    const Exact exact = by_definition(x, settings_of(c));
    for (size_t i = 0; i < exact.ids.size(); ++i) {
      const double share = static_cast<double>(exact.sums[i]) / exact.sums.back();
      const uint64_t middle = static_cast<uint64_t>(share * 18446744073709549568.0);
      for (uint64_t random : {middle - 4096, middle, middle + 4096}) {
        selection.filter(scores.data(), c.V, settings_of(c));
        ASSERT_EQ(selection.total(), exact.sums.back());
        ASSERT_EQ(selection.draw(random), draw(exact, random)) << random;
      }
    }
    selection.filter(scores.data(), c.V, settings_of(c));
    EXPECT_EQ(selection.draw(0), exact.ids.front());
    selection.draw(~uint64_t{0});
    EXPECT_EQ(selection.kept().size(), exact.ids.size());
  }
}

TEST(Sample, WeightsAreExponentials) {
  EXPECT_EQ(sample_weight(0), uint64_t{1} << 44);
  EXPECT_EQ(sample_weight(kSampleDropUnit), uint64_t{1} << 43);
  EXPECT_EQ(sample_weight(45 * kSampleDropUnit), 0u);
  EXPECT_EQ(sample_weight(44.9 * kSampleDropUnit), 1u);
  EXPECT_EQ(sample_weight(std::numeric_limits<double>::infinity()), 0u);
  EXPECT_EQ(sample_weight(std::nan("")), 0u);
  uint64_t last = sample_weight(0);
  for (int i = 0; i < 450000; ++i) {
    const double drop = i * 1e-4 * kSampleDropUnit;
    const uint64_t w = sample_weight(drop);
    const double exact = std::ldexp(std::exp2(-drop / kSampleDropUnit), 44);
    ASSERT_NEAR(static_cast<double>(w), exact, 0.501 + 0.5 * exact / std::ldexp(1.0, 44)) << drop;
    ASSERT_LE(w, last);
    last = w;
  }
}

TEST(Sample, LimitsOfTopP) {
  EXPECT_EQ(sample_top_p_limit(0, 1000), 0u);
  EXPECT_EQ(sample_top_p_limit(0.5, 1000), 500u);
  EXPECT_EQ(sample_top_p_limit(0.5, 1001), 501u);
  EXPECT_EQ(sample_top_p_limit(1, 1001), 1001u);
  const uint64_t large = (uint64_t{1} << 63) - 1;  // rounds up as a double
  EXPECT_EQ(sample_top_p_limit(1, large), large);
  EXPECT_LE(sample_top_p_limit(std::nextafter(1.0, 0), large), large);
}

// Frequencies of 100 000 draws against softmax in double: a chi-square of 49 degrees of freedom.
TEST(Sample, DrawsFollowTheSoftmax) {
  const int n = 50, draws = 100000;
  std::vector<float> x(n);
  std::vector<double> p(n);
  for (int i = 0; i < n; ++i) {
    x[i] = 2 * noise(3, i);
    p[i] = std::exp(static_cast<double>(x[i]) / 0.8);
  }
  const double total = std::accumulate(p.begin(), p.end(), 0.0);
  std::vector<int> seen(n);
  for (int i = 0; i < draws; ++i) {
    ++seen[sample(x, make_sample_settings(0.8, 0, 1, 0, 17, 0), false, i)];
  }
  double chi2 = 0;
  for (int i = 0; i < n; ++i) {
    const double expected = p[i] / total * draws;
    chi2 += (seen[i] - expected) * (seen[i] - expected) / expected;
  }
  EXPECT_GT(chi2, 24);  // 0.1 % of honest runs lie below
  EXPECT_LT(chi2, 86);  // 0.1 % lie above
}

TEST(Sample, PositionCounterAndSeed) {
  SampleCase c{"", 1000};
  const std::vector<float> x = sample_case_logits(c);
  const auto at = [&](uint64_t counter, int64_t pos) {
    return sample(x, settings_of(c, counter), false, pos);
  };
  int32_t five = 5;
  EXPECT_EQ(at(5, 0), at(0, 5));
  EXPECT_EQ(at(~uint64_t{0}, 6), at(0, 5));  // a counter below zero: modulo 2^64
  EXPECT_EQ(sample(x, settings_of(c), false, 1234, &five), at(0, 5));
  std::map<int32_t, int> ids;
  for (int64_t i = 0; i < 50; ++i) {
    ++ids[at(0, i)];
  }
  EXPECT_GE(ids.size(), 8u);
}

TEST(Sample, SpecialValues) {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::nanf("");
  const SampleSettings s = make_sample_settings(1, 0, 1, 0, 1, 0);
  for (bool greedy : {false, true}) {
    EXPECT_EQ(sample({0, nan, 1, inf}, s, greedy), -2);
    EXPECT_EQ(sample({0, 1, inf, nan}, s, greedy), -3);
    EXPECT_EQ(sample({nan}, s, greedy), -1);
    EXPECT_EQ(sample({-inf, -inf}, s, greedy), kNothingToSample);
    EXPECT_EQ(sample({-inf, -3e38f, -inf}, s, greedy), 1);
    EXPECT_EQ(sample({-3e38f, 3e38f}, s, greedy), 1);  // their difference is no fp32 number
    EXPECT_EQ(sample({7}, s, greedy), 0);
  }
  EXPECT_EQ(sample({-0.0f, 0.0f}, s, true), 0);
  // One of two equals stays: the lower index, whichever zero it is.
  EXPECT_EQ(sample({-0.0f, 0.0f}, make_sample_settings(1, 0, 0.5, 0, 1, 0)), 0);
}

// Each row as it is by itself, and what ends a step.
TEST(Sample, RowsAreIndependent) {
  constexpr int64_t kRows = 7, kSlots = 4;
  for (int64_t V : {1, 333, 5001}) {
    const TestTensor x(DType::kF32, {kRows, V}, 3), id(DType::kI32, {kRows}),
        settings(DType::kI32, {kRows, kSampleSettingsWords}), ring(DType::kI32, {kRows, kSlots});
    std::vector<int32_t> at = {5, 0, 1, 1000, 2, 7, 40959}, want(kRows);
    const std::vector<int32_t> before = at;
    const uint32_t greedy = 0b0010010;
    for (int64_t b = 0; b < kRows; ++b) {
      SampleCase c{"", V};
      c.seed = static_cast<uint64_t>(b) + 1;
      c.top_k = b % 3 * 10;
      std::vector<float> row = sample_case_logits(c);
      row[0] = b == 5 ? std::nanf("") : row[0];
      std::copy(row.begin(), row.end(), x.view().as<float>() + b * x.view().row_stride);
      const SampleSettings s = settings_of(c, 3);
      std::memcpy(settings.view().as<int32_t>() + b * kSampleSettingsWords, &s, sizeof s);
      want[b] = sample(row, s, (greedy >> b & 1) != 0, at[b]);
    }
    for (const Impl<SampleParams>& impl : sample_impls()) {
      impl.run({id, x, settings, greedy, 0, at.data(), true, ring}, {});
      EXPECT_TRUE(x.guards_intact() && id.guards_intact() && ring.guards_intact());
      for (int64_t b = 0; b < kRows; ++b) {
        EXPECT_EQ(id.view().as<int32_t>()[b], want[b]) << b;
        EXPECT_EQ(at[b], before[b] + 1);
        for (int64_t r = 0; r < kSlots; ++r) {
          EXPECT_EQ(ring.view().as<int32_t>()[b * kSlots + r],
                    r == before[b] % kSlots ? want[b] : -1);
        }
      }
      impl.run({id, x, TensorView(), 0x7f, 6, nullptr, true, ring}, {});  // greedy, from a value
      EXPECT_EQ(ring.view().as<int32_t>()[2], id.view().as<int32_t>()[0]);
      EXPECT_EQ(at[0], before[0] + 1);
    }
  }
}

TEST(Sample, ContractViolationsThrow) {
  const TestTensor x(DType::kF32, {1, 8}), id(DType::kI32, {1}),
      settings(DType::kI32, {kSampleSettingsWords}), many(DType::kF32, {kSampleMaxRows + 1, 8}),
      pair(DType::kF32, {2, 8}), ring(DType::kI32, {2, 4}), wide(DType::kI32, {2, 4}, 1),
      both(DType::kI32, {2, kSampleSettingsWords}), half(DType::kF16, {1, 8}),
      none(DType::kF32, {1, 0}), ids(DType::kI32, {2});
  TensorView large = x, skew = settings;
  large.shape = Shape{1, kSampleMaxVocab + 1};
  large.row_stride = kSampleMaxVocab + 1;
  skew.data = static_cast<char*>(skew.data) + 4;
  const auto expect = [](ErrorKind kind, const char* words, const SampleParams& p) {
    EXPECT_TRUE(throws(kind, words, [&] { validate(p); }));
    EXPECT_TRUE(throws(kind, words, [&] { sample_cpu(p); }));
  };
  expect(ErrorKind::kDtype, "sample: x:", {id, half, settings});
  expect(ErrorKind::kDtype, "sample: id:", {x, x, settings});
  expect(ErrorKind::kDtype, "sample: settings:", {id, x, x});
  expect(ErrorKind::kShape, "rows of x", {id, many, settings});
  expect(ErrorKind::kShape, "sample: V:", {id, none, settings});
  expect(ErrorKind::kShape, "sample: V:", {id, large, settings});
  expect(ErrorKind::kShape, "sample: id:", {ids, x, settings});
  expect(ErrorKind::kShape, "sample: settings:", {id, x, ids});
  expect(ErrorKind::kAlign, "sample: settings:", {id, x, skew});
  expect(ErrorKind::kShape, "sample: id:", {id, pair, both});
  expect(ErrorKind::kShape, "sample: settings:", {ids, pair, settings});
  expect(ErrorKind::kDtype, "sample: settings:", {ids, pair, TensorView(), 1});
  expect(ErrorKind::kShape, "sample: pos:", {id, x, settings, 0, -1});
  expect(ErrorKind::kShape, "sample: ring:", {id, x, settings, 0, 0, nullptr, true, ring});
  expect(ErrorKind::kShape, "sample: ring:", {ids, pair, both, 0, 0, nullptr, true, wide});
  expect(ErrorKind::kDtype, "sample: ring:", {ids, pair, both, 0, 0, nullptr, true, pair});
  TensorView away = ring;
  away.device = {DeviceKind::kCuda, 0};
  expect(ErrorKind::kUnsupported, "sample: ring:", {ids, pair, both, 0, 0, nullptr, true, away});
  for (const auto& [t, k, p, m] : std::vector<std::tuple<double, int64_t, double, double>>{
           {0, 0, 1, 0}, {NAN, 0, 1, 0}, {1, -1, 1, 0}, {1, 0, 1.1, 0}, {1, 0, 1, -0.1}}) {
    EXPECT_TRUE(throws(ErrorKind::kUnsupported, "sample:", [&, t = t, k = k, p = p, m = m] {
      make_sample_settings(t, k, p, m, 0, 0);
    }));
  }
}

}  // namespace
}  // namespace ember::k::testing
