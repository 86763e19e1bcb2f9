// SPDX-License-Identifier: Apache-2.0
// Distributions against the ones that transformers' processors give (testdata/sampler_golden.json,
// written by scripts/export_sampler_golden.py), draws against the distributions.
#include "engine/runtime/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "kernels/base/error.h"
#include "kernels/base/rng.h"

namespace ember {
namespace {

using Json = nlohmann::json;

struct GoldenCase {
  std::vector<float> logits;
  std::vector<int32_t> history;
  int64_t prompt_tokens;
  SamplingParams params;
  std::vector<Candidate> expected;
};

const Json& golden_file() {
  static const Json file = [] {
    std::ifstream in(EMBER_SOURCE_DIR "/engine/runtime/testdata/sampler_golden.json");
    return Json::parse(in);
  }();
  return file;
}

const std::vector<GoldenCase>& golden() {
  static const std::vector<GoldenCase> cases = [] {
    std::vector<GoldenCase> out;
    for (const Json& j : golden_file().at("cases")) {
      GoldenCase c;
      c.logits = j.at("logits").get<std::vector<float>>();
      c.history = j.at("history").get<std::vector<int32_t>>();
      c.prompt_tokens = j.at("prompt_tokens");
      c.params.temperature = j.at("temperature");
      c.params.top_k = j.at("top_k");
      c.params.top_p = j.at("top_p");
      c.params.min_p = j.at("min_p");
      c.params.repeat_penalty = j.at("repeat_penalty");
      c.params.presence_penalty = j.at("presence_penalty");
      for (size_t i = 0; i < j.at("ids").size(); ++i) {
        c.expected.push_back(
            {j.at("ids")[i].get<int32_t>(), j.at("probabilities")[i].get<double>()});
      }
      out.push_back(c);
    }
    return out;
  }();
  return cases;
}

bool same(const std::vector<Candidate>& a, const std::vector<Candidate>& b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](const Candidate& x, const Candidate& y) {
           return x.id == y.id &&
                  std::fabs(x.probability - y.probability) <= 1e-12 + 1e-10 * y.probability;
         });
}

std::vector<Candidate> distribution(const GoldenCase& c, const SamplingParams& params) {
  Sampler sampler(params, static_cast<int64_t>(c.logits.size()));
  return sampler.filtered_distribution(c.logits.data(), {c.history, c.prompt_tokens});
}

TEST(Sampler, DistributionsEqualTransformers) {
  ASSERT_GE(golden().size(), 400u);
  for (size_t i = 0; i < golden().size(); ++i) {
    EXPECT_TRUE(same(distribution(golden()[i], golden()[i].params), golden()[i].expected))
        << "case " << i;
  }
}

// Each of these must be told apart by many of the cases above.
TEST(Sampler, GoldenCasesTellWrongSettings) {
  std::map<std::string, std::function<void(SamplingParams&)>> mutants = {
      {"top-k + 1", [](SamplingParams& p) { p.top_k += p.top_k > 0; }},
      {"top-p ignored", [](SamplingParams& p) { p.top_p = 1; }},
      {"min-p ignored", [](SamplingParams& p) { p.min_p = 0; }},
      {"repeat penalty ignored", [](SamplingParams& p) { p.repeat_penalty = 1; }},
      {"presence sign", [](SamplingParams& p) { p.presence_penalty *= -1; }},
      {"temperature inverted", [](SamplingParams& p) { p.temperature = 1 / p.temperature; }},
  };
  for (const auto& [name, mutate] : mutants) {
    int killed = 0;
    for (const GoldenCase& c : golden()) {
      SamplingParams p = c.params;
      mutate(p);
      killed += !same(distribution(c, p), c.expected);
    }
    EXPECT_GE(killed, 15) << name << ": the golden cases hardly notice";
  }
  int killed = 0;  // presence penalty over the prompt too
  for (const GoldenCase& c : golden()) {
    Sampler sampler(c.params, static_cast<int64_t>(c.logits.size()));
    killed += !same(sampler.filtered_distribution(c.logits.data(), {c.history, 0}), c.expected);
  }
  EXPECT_GE(killed, 15);
}

// The steps one by one in the plainest form, so that their order can be permuted.
std::vector<Candidate> by_steps(const GoldenCase& c, const std::vector<std::string>& order) {
  constexpr double kOut = -std::numeric_limits<double>::infinity();
  std::vector<double> x(c.logits.begin(), c.logits.end());
  const auto probabilities = [&x] {
    const double top = *std::max_element(x.begin(), x.end());
    std::vector<double> p(x.size());
    std::transform(x.begin(), x.end(), p.begin(), [top](double v) { return std::exp(v - top); });
    const double sum = std::accumulate(p.begin(), p.end(), 0.0);
    std::for_each(p.begin(), p.end(), [sum](double& v) { v /= sum; });
    return p;
  };
  const auto distinct = [&c](int64_t begin) {
    std::vector<int32_t> ids(c.history.begin() + begin, c.history.end());
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    return ids;
  };
  std::map<std::string, std::function<void()>> steps;
  steps["repeat"] = [&] {
    for (int32_t id : distinct(0)) {
      double& v = x[static_cast<size_t>(id)];
      v = v < 0 ? v * c.params.repeat_penalty : v / c.params.repeat_penalty;
    }
  };
  steps["presence"] = [&] {
    for (int32_t id : distinct(c.prompt_tokens)) {
      x[static_cast<size_t>(id)] -= c.params.presence_penalty;
    }
  };
  steps["temperature"] = [&] {
    std::for_each(x.begin(), x.end(), [&](double& v) { v /= c.params.temperature; });
  };
  steps["top_k"] = [&] {
    std::vector<double> sorted = x;
    std::sort(sorted.rbegin(), sorted.rend());
    const size_t k = std::min(static_cast<size_t>(c.params.top_k), x.size());
    for (double& v : x) {
      v = k > 0 && v < sorted[k - 1] ? kOut : v;
    }
  };
  steps["top_p"] = [&] {
    if (c.params.top_p >= 1) {
      return;
    }
    const std::vector<double> p = probabilities();
    std::vector<size_t> ascending(x.size());
    std::iota(ascending.begin(), ascending.end(), size_t{0});
    std::sort(ascending.begin(), ascending.end(),
              [&](size_t a, size_t b) { return x[a] != x[b] ? x[a] < x[b] : a > b; });
    double below = 0;
    for (size_t i = 0; i + 1 < ascending.size(); ++i) {
      below += p[ascending[i]];
      if (below <= 1 - c.params.top_p) {
        x[ascending[i]] = kOut;
      }
    }
  };
  steps["min_p"] = [&] {
    const std::vector<double> p = probabilities();
    const double least = c.params.min_p * *std::max_element(p.begin(), p.end());
    for (size_t i = 0; i < x.size(); ++i) {
      x[i] = p[i] < least ? kOut : x[i];
    }
  };
  for (const std::string& name : order) {
    steps.at(name)();
  }
  std::vector<Candidate> out;
  const std::vector<double> p = probabilities();
  for (size_t i = 0; i < p.size(); ++i) {
    if (p[i] > 0) {
      out.push_back({static_cast<int32_t>(i), p[i]});
    }
  }
  return out;
}

TEST(Sampler, OrderIsTheOneStatedAndWrongOrdersShow) {
  const std::vector<std::string> right = {"repeat", "presence", "temperature",
                                          "top_k",  "top_p",    "min_p"};
  ASSERT_EQ(golden_file().at("order"), right);
  const std::map<std::string, std::vector<std::string>> wrong = {
      {"min_p before top_p", {"repeat", "presence", "temperature", "top_k", "min_p", "top_p"}},
      {"top_p before top_k", {"repeat", "presence", "temperature", "top_p", "top_k", "min_p"}},
      {"temperature last", {"repeat", "presence", "top_k", "top_p", "min_p", "temperature"}},
      {"presence before repeat", {"presence", "repeat", "temperature", "top_k", "top_p", "min_p"}},
  };
  std::map<std::string, int> differs;
  for (size_t i = 0; i < golden().size(); ++i) {
    const GoldenCase& c = golden()[i];
    const std::vector<Candidate> got = distribution(c, c.params);
    EXPECT_TRUE(same(got, by_steps(c, right))) << "case " << i;
    for (const auto& [name, order] : wrong) {
      differs[name] += !same(got, by_steps(c, order));
    }
  }
  for (const auto& [name, order] : wrong) {
    const int told = golden_file().at("cases_that_tell_a_wrong_order").at(name);
    EXPECT_GE(told, 15);
    EXPECT_EQ(differs[name], told) << name;
  }
}

std::vector<float> wavy_logits(size_t vocab) {
  std::vector<float> logits(vocab);
  for (size_t i = 0; i < vocab; ++i) {
    logits[i] = static_cast<float>(8 * uniform(99, i) - 4);
  }
  return logits;
}

// Upper tail probability of the G statistic (2 sum O ln(O/E)) with the Wilson-Hilferty
// approximation of chi-square. Cells expected fewer than five times are merged.
double g_test_p(const std::vector<Candidate>& expected, const std::map<int32_t, int>& counts,
                int draws) {
  double g = 0, merged_expected = 0, merged_seen = 0;
  int cells = 0;
  for (const Candidate& c : expected) {
    const auto it = counts.find(c.id);
    const double seen = it == counts.end() ? 0.0 : it->second;
    const double e = c.probability * draws;
    if (e < 5) {
      merged_expected += e;
      merged_seen += seen;
      continue;
    }
    ++cells;
    g += seen > 0 ? 2 * seen * std::log(seen / e) : 0.0;
  }
  if (merged_expected > 0) {
    ++cells;
    g += merged_seen > 0 ? 2 * merged_seen * std::log(merged_seen / merged_expected) : 0.0;
  }
  const double k = cells - 1;
  if (k < 1) {
    return 1;
  }
  const double z = (std::cbrt(std::max(g, 0.0) / k) - (1 - 2 / (9 * k))) / std::sqrt(2 / (9 * k));
  return 0.5 * std::erfc(z / std::sqrt(2.0));
}

constexpr int kDraws = 200000;

std::map<int32_t, int> draw_many(const SamplingParams& p, const std::vector<float>& logits) {
  Sampler sampler(p, static_cast<int64_t>(logits.size()));
  const std::vector<int32_t> history = {1, 2, 3, 3};
  std::map<int32_t, int> counts;
  for (int i = 0; i < kDraws; ++i) {
    ++counts[sampler.sample(logits.data(), {history, 2})];
  }
  return counts;
}

// 200 000 draws for each of five settings: p above 1e-4 (fixed seeds, so this is not a lottery),
// nothing outside the support, and a wrong temperature gives p below 1e-12.
TEST(Sampler, DrawsFollowTheDistribution) {
  const std::vector<float> logits = wavy_logits(211);
  const std::vector<int32_t> history = {1, 2, 3, 3};
  std::vector<SamplingParams> settings(5);
  settings[1].top_k = 0, settings[1].top_p = 1, settings[1].temperature = 1;
  settings[2].min_p = 0.1, settings[2].repeat_penalty = 1.3;
  settings[3].top_k = 0, settings[3].top_p = 0.95, settings[3].temperature = 0.6;
  settings[4].presence_penalty = 1.5, settings[4].top_k = 20;
  for (size_t i = 0; i < settings.size(); ++i) {
    SamplingParams p = settings[i];
    p.seed = 1000 + i;
    Sampler exact(p, static_cast<int64_t>(logits.size()));
    const auto expected = exact.filtered_distribution(logits.data(), {history, 2});
    const auto counts = draw_many(p, logits);
    int inside = 0;
    for (const Candidate& c : expected) {
      const auto it = counts.find(c.id);
      inside += it == counts.end() ? 0 : it->second;
    }
    EXPECT_EQ(inside, kDraws) << "setting " << i << ": drew outside the support";
    EXPECT_GT(g_test_p(expected, counts, kDraws), 1e-4) << "setting " << i;

    SamplingParams wrong = p;
    wrong.temperature *= 1.5;
    Sampler other(wrong, static_cast<int64_t>(logits.size()));
    const auto shifted = other.filtered_distribution(logits.data(), {history, 2});
    EXPECT_LT(g_test_p(shifted, counts, kDraws), 1e-12) << "setting " << i;
  }
}

TEST(Sampler, GreedyTakesTheLowestIdOnTies) {
  SamplingParams p;
  p.temperature = 0;
  Sampler sampler(p, 5);
  const std::vector<float> logits = {1, 3, 2, 3, -1};
  EXPECT_EQ(sampler.sample(logits.data(), {{}, 0}), 1);
  p.temperature = 0.7;
  p.greedy = true;
  EXPECT_EQ(Sampler(p, 5).sample(logits.data(), {{}, 0}), 1);
  p.repeat_penalty = 2;  // 3 becomes 1.5
  const std::vector<int32_t> history = {1, 3};
  EXPECT_EQ(Sampler(p, 5).sample(logits.data(), {history, 2}), 2);
}

TEST(Sampler, SeedDecidesEverything) {
  const std::vector<float> logits = wavy_logits(1000);
  const auto draw = [&](uint64_t seed) {
    SamplingParams p;
    p.seed = seed;
    Sampler sampler(p, 1000);
    std::vector<int32_t> ids;
    for (int i = 0; i < 12; ++i) {
      ids.push_back(sampler.sample(logits.data(), {{}, 0}));
    }
    return ids;
  };
  EXPECT_EQ(draw(1), draw(1));
  EXPECT_NE(draw(1), draw(2));
  // Frozen: a change here changes every user's seeded text.
  EXPECT_EQ(draw(42),
            (std::vector<int32_t>{343, 202, 526, 526, 317, 22, 928, 661, 496, 665, 526, 748}));
}

TEST(Sampler, BadLogitsAreNamed) {
  SamplingParams p;
  Sampler sampler(p, 3);
  const auto message = [&](std::vector<float> logits) -> std::string {
    try {
      sampler.sample(logits.data(), {{}, 0});
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::kWrong);
      return e.what();
    }
    return "no error";
  };
  const float inf = std::numeric_limits<float>::infinity();
  EXPECT_NE(message({0, NAN, 0}).find("token 1 is nan"), std::string::npos);
  EXPECT_NE(message({0, 0, inf}).find("token 2 is inf"), std::string::npos);
  EXPECT_NE(message({-inf, -inf, -inf}).find("-inf"), std::string::npos);
  EXPECT_EQ(message({-inf, 0, -inf}), "no error");
}

TEST(Sampler, MaskedTokensAreNeverDrawn) {
  const float inf = std::numeric_limits<float>::infinity();
  std::vector<float> logits(64, -inf);
  logits[5] = 0;
  logits[9] = 0;
  SamplingParams p;
  p.top_k = 0, p.top_p = 1;
  Sampler sampler(p, 64);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(sampler.sample(logits.data(), {{}, 0}) % 4, 1);  // 5 or 9
  }
}

TEST(Sampler, SettingsOutOfRangeAreUsageErrors) {
  const auto refuses = [](auto&& change) {
    SamplingParams p;
    change(p);
    try {
      validate(p);
    } catch (const Error& e) {
      return e.kind() == ErrorKind::kUsage;
    }
    return false;
  };
  EXPECT_TRUE(refuses([](SamplingParams& p) { p.temperature = -0.1; }));
  EXPECT_TRUE(refuses([](SamplingParams& p) { p.temperature = 1e-9; }));
  EXPECT_TRUE(refuses([](SamplingParams& p) { p.top_k = -1; }));
  EXPECT_TRUE(refuses([](SamplingParams& p) { p.top_p = NAN; }));
  EXPECT_TRUE(refuses([](SamplingParams& p) { p.min_p = -0.1; }));
  EXPECT_TRUE(refuses([](SamplingParams& p) { p.repeat_penalty = 0; }));
  EXPECT_TRUE(refuses([](SamplingParams& p) { p.presence_penalty = INFINITY; }));
  EXPECT_FALSE(refuses([](SamplingParams&) {}));
}

// Large vocabularies: top-p alone sorts in pieces, and a k beyond the heap's limit selects.
TEST(Sampler, LargeVocabularyEqualsThePlainForm) {
  GoldenCase c;
  c.logits = wavy_logits(20000);
  c.prompt_tokens = 0;
  for (const auto& [k, p] : std::vector<std::pair<int64_t, double>>{
           {0, 0.9}, {0, 0.999}, {0, 0.01}, {5000, 0.9}, {4096, 1.0}, {4097, 1.0}, {40, 0.9}}) {
    c.params.top_k = k;
    c.params.top_p = p;
    EXPECT_TRUE(
        same(distribution(c, c.params), by_steps(c, {"temperature", "top_k", "top_p", "min_p"})))
        << "top-k " << k << " top-p " << p;
  }
}

}  // namespace
}  // namespace ember
