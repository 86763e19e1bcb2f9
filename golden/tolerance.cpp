// SPDX-License-Identifier: Apache-2.0
#include "golden/tolerance.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

#include "golden/compare.h"

namespace ember::golden {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// With fewer cases the upper end of the interval is the worst case alone; the median stands in.
constexpr size_t kFewCases = 8;

double largest(const std::vector<double>& v) {
  return v.empty() ? 0.0 : *std::max_element(v.begin(), v.end());
}

// Largest ratio of one value to the centre of the others; at least 1. Variants with the very same
// figure are the same computation: they are left out together, or a twin would vouch for itself.
template <class Centre>
double leave_one_out(const std::vector<double>& values, Centre centre) {
  double worst = 1;
  for (const double value : values) {
    std::vector<double> others;
    std::copy_if(values.begin(), values.end(), std::back_inserter(others),
                 [&](double x) { return x != value; });
    const double base = others.empty() ? 0.0 : centre(others);
    if (base > 0) {
      worst = std::max(worst, value / base);
    }
  }
  return worst;
}

std::vector<double> over_variants(const CaseBand& band, Figure f) {
  std::vector<double> v;
  for (const auto& [variant, figures] : band.variants) {
    v.push_back(figures[f]);
  }
  return v;
}

std::vector<double> residual_over_variants(const CaseBand& band, int64_t layer) {
  std::vector<double> v;
  for (const auto& [variant, figures] : band.variants) {
    v.push_back(figures.residual[layer]);
  }
  return v;
}

std::vector<double> local_over_variants(const CaseBand& band, const std::string& tap, int64_t i) {
  std::vector<double> v;
  for (const auto& [variant, taps] : band.local) {
    v.push_back(taps.at(tap).at(i));
  }
  return v;
}

// 0/0 is 0: exact where Hugging Face is exact. x/0 is infinite and passes nothing; so is NaN.
double ratio(double value, double base) {
  return value == 0 ? 0.0 : base > 0 && std::isfinite(value) ? value / base : kInfinity;
}

Verdict verdict(const std::string& scope, const std::string& figure, double value, double base,
                double limit) {
  Verdict v{scope, figure, value, ratio(value, base), limit, false, ""};
  v.pass = within(v.ratio, limit);
  return v;
}

uint64_t splitmix(uint64_t& state) {
  uint64_t z = (state += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

// Does the interval of Ember's mean meet the range of the variants' means, that range widened by
// its own width on each side?
Verdict systematic(const std::string& figure, const std::vector<double>& ember,
                   const std::vector<double>& variant_means) {
  const Interval ci = bootstrap_mean(ember);
  const auto [lo, hi] = std::minmax_element(variant_means.begin(), variant_means.end());
  const double width = *hi - *lo, middle = (*hi + *lo) / 2;
  Verdict v{"all cases", figure, ci.mean, 0, 1.5, false, ""};
  // Distance of the nearest end of the interval from the middle, in widths of the range.
  const double gap = std::max({0.0, ci.low - middle, middle - ci.high});
  v.ratio = ratio(gap, width);
  v.pass = std::isfinite(ci.mean) && within(v.ratio, v.limit);
  return v;
}

template <class Get>
void judge_systematic(const Band& band, const RunFigures& run, const std::string& figure, Get get,
                      std::vector<Verdict>& out) {
  std::vector<double> ember;
  std::map<std::string, std::vector<double>> by_variant;
  for (const auto& [name, f] : run) {
    const auto& variants = band.cases.at(name).variants;
    if (!get(variants.begin()->second)) {
      continue;
    }
    ember.push_back(get(f).value_or(kInfinity));
    for (const auto& [variant, g] : variants) {
      by_variant[variant].push_back(get(g).value_or(0));
    }
  }
  std::vector<double> means;
  for (const auto& [variant, values] : by_variant) {
    means.push_back(bootstrap_mean(values).mean);
  }
  if (!ember.empty() && !means.empty()) {
    out.push_back(systematic(figure, ember, means));
  }
}

}  // namespace

std::string band_group(const std::string& dtype, const std::string& variant) {
  return dtype != "fp32" ? "all" : variant.compare(0, 4, "cuda") == 0 ? "cuda" : "cpu";
}

double band_centre(const CaseBand& band, Figure f) {
  return mean_type(f) ? median(over_variants(band, f)) : largest(over_variants(band, f));
}

double band_residual(const CaseBand& band, int64_t layer) {
  return largest(residual_over_variants(band, layer));
}

double band_local(const CaseBand& band, const std::string& tap, int64_t i) {
  return largest(local_over_variants(band, tap, i));
}

double flip_margin(const CaseBand& band) {
  return 4 * band_centre(band, Figure::kTopRms);
}

Limits Band::derive() const {
  Limits out;
  std::fill(out.figure, out.figure + kFigures, slack);
  out.residual = slack;
  for (const auto& [case_name, c] : cases) {
    for (int i = 0; i < kFigures; ++i) {
      const Figure f = static_cast<Figure>(i);
      const std::vector<double> v = over_variants(c, f);
      const double loo = mean_type(f) ? leave_one_out(v, [](auto& o) { return median(o); })
                                      : leave_one_out(v, largest);
      out.figure[i] = std::max(out.figure[i], slack * loo);
    }
    for (size_t i = 0; i < c.variants.begin()->second.residual.size(); ++i) {
      const double loo = leave_one_out(residual_over_variants(c, static_cast<int64_t>(i)), largest);
      out.residual = std::max(out.residual, slack * loo);
    }
    if (c.local.empty()) {
      continue;
    }
    for (const auto& [tap, errors] : c.local.begin()->second) {
      double& limit = out.local.emplace(tap, slack).first->second;
      for (size_t i = 0; i < errors.size(); ++i) {
        const double loo =
            leave_one_out(local_over_variants(c, tap, static_cast<int64_t>(i)), largest);
        limit = std::max(limit, slack * loo);
      }
    }
  }
  return out;
}

std::vector<Verdict> judge_case(const Band& band, const std::string& name, const Figures& f) {
  const CaseBand& c = band.cases.at(name);
  std::vector<Verdict> out;
  for (int i = 0; i < kFigures; ++i) {
    const Figure figure = static_cast<Figure>(i);
    if (!mean_type(figure)) {
      out.push_back(verdict(name, golden::name(figure), f[figure], band_centre(c, figure),
                            band.limits[figure]));
    }
  }
  // The worst layer stands for the stream; the note names the first bad one.
  Verdict worst{name, "residual", 0, 0, band.limits.residual, true, ""};
  for (size_t i = 0; i < f.residual.size(); ++i) {
    const int64_t layer = static_cast<int64_t>(i);
    const Verdict v =
        verdict(name, "residual", f.residual[i], band_residual(c, layer), band.limits.residual);
    if (v.pass ? worst.pass && v.ratio > worst.ratio : worst.pass) {
      worst = v;
      worst.note = i == 0 ? "embedding" : "after layer " + std::to_string(layer - 1);
    }
  }
  if (!f.residual.empty()) {
    out.push_back(worst);
  }
  return out;
}

std::vector<Verdict> judge_all(const Band& band, const RunFigures& run) {
  std::vector<Verdict> out;
  if (run.empty()) {
    return out;
  }
  for (int i = 0; i < kFigures; ++i) {
    const Figure f = static_cast<Figure>(i);
    if (!mean_type(f)) {
      continue;
    }
    std::vector<double> ratios, values;
    for (const auto& [name, figures] : run) {
      values.push_back(figures[f]);
      ratios.push_back(ratio(figures[f], band_centre(band.cases.at(name), f)));
    }
    const Interval ci = bootstrap_mean(ratios);
    Verdict v{"all cases", golden::name(f), median(values), ci.mean, band.limits[f], false, ""};
    v.pass = within(ci.high, v.limit);
    if (ratios.size() < kFewCases) {
      v.ratio = median(ratios);
      v.pass = within(v.ratio, v.limit);
      v.note = "median of few cases";
    }
    out.push_back(v);
  }
  judge_systematic(
      band, run, "bias", [](const Figures& f) { return std::optional<double>(f.bias); }, out);
  judge_systematic(
      band, run, "slope", [](const Figures& f) { return f.slope; }, out);
  return out;
}

Interval bootstrap_mean(const std::vector<double>& values) {
  constexpr int kResamples = 2000;
  Interval out;
  if (values.empty()) {
    return out;
  }
  const double n = static_cast<double>(values.size());
  for (double x : values) {
    if (!std::isfinite(x)) {
      return {kInfinity, kInfinity, kInfinity};
    }
    out.mean += x / n;
  }
  uint64_t state = 20;
  std::vector<double> means(kResamples);
  for (double& mean : means) {
    mean = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      mean += values[splitmix(state) % values.size()] / n;
    }
  }
  std::sort(means.begin(), means.end());
  out.low = means[kResamples / 40];
  out.high = means[kResamples - 1 - kResamples / 40];
  return out;
}

double rate_upper_bound(int64_t hits, int64_t n) {
  if (n <= 0) {
    return 1;
  }
  const double z = 1.959964, p = static_cast<double>(hits) / static_cast<double>(n);
  const double nn = static_cast<double>(n), z2 = z * z;
  const double centre = p + z2 / (2 * nn);
  return (centre + z * std::sqrt(p * (1 - p) / nn + z2 / (4 * nn * nn))) / (1 + z2 / nn);
}

}  // namespace ember::golden
