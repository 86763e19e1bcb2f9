// SPDX-License-Identifier: Apache-2.0
// From the spread of Hugging Face's own variants to pass or fail. No tolerance is typed in: every
// limit is a ratio that some variant reaches when it is judged by the others.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "golden/figures.h"

namespace ember::golden {

// Errors of one layer's taps when each layer starts from the truth: tap name -> by layer (one entry
// for taps outside layers).
using TapErrors = std::map<std::string, std::vector<double>>;

struct CaseBand {
  std::map<std::string, Figures> variants;
  std::map<std::string, TapErrors> local;  // deep cases; by variant
};

// The widest leave-one-out ratios, times the slack.
struct Limits {
  double figure[kFigures] = {};
  double residual = 0;
  std::map<std::string, double> local;  // by tap

  double operator[](Figure f) const { return figure[static_cast<int>(f)]; }
};

// Which variants judge together. In fp32 the order of summation is all that differs, and each kind
// of device has its own: "cpu" or "cuda", by how the variant's name begins. In 16 bits roundings
// decide, which all devices do at the same places, mostly to the very same figures: "all".
std::string band_group(const std::string& dtype, const std::string& variant);

// Hugging Face's spread in one computing precision, over all judged cases.
struct Band {
  std::string dtype;  // "fp32", "fp16", "bf16"
  std::string group;  // "cpu", "cuda", "all"
  double slack = 0;   // 1.25: room for an implementation that is not one of the variants
  std::map<std::string, CaseBand> cases;
  Limits limits;

  // The limits that follow from the variants' figures; the fixture refuses others.
  Limits derive() const;
};

// Centre of one figure over the variants of a case: the median for mean-type, else the largest.
double band_centre(const CaseBand& band, Figure f);
double band_residual(const CaseBand& band, int64_t layer);  // the largest
double band_local(const CaseBand& band, const std::string& tap, int64_t i);
// Flips count as real beyond this margin: four times the variants' median rms logit error.
double flip_margin(const CaseBand& band);

// One line of the judgement.
struct Verdict {
  std::string scope;   // a case's name, or "all cases"
  std::string figure;  // "rel_l2", "residual", "flips", …
  double value = 0;    // Ember's figure
  double ratio = 0;    // to the band
  double limit = 0;
  bool pass = false;
  std::string note;  // what failed, in words; the layer, the position
};

// Figures of Ember by case, all of one run mode.
using RunFigures = std::map<std::string, Figures>;

// Case by case: max-type figures and the residual stream.
std::vector<Verdict> judge_case(const Band& band, const std::string& name, const Figures& f);
// Over cases: mean-type figures by the upper end of a bootstrap interval of the mean ratio, bias
// and slope by whether their interval meets Hugging Face's range, near-tie flips by Hugging Face's
// rate.
std::vector<Verdict> judge_all(const Band& band, const RunFigures& run);

// Mean of the values and a 95 % bootstrap interval of it (2000 resamples, fixed seed). All infinite
// when a value is not finite.
struct Interval {
  double mean = 0, low = 0, high = 0;
};
Interval bootstrap_mean(const std::vector<double>& values);

// Upper 97.5 % bound (Wilson 1927) of a rate of `hits` in `n`.
double rate_upper_bound(int64_t hits, int64_t n);

}  // namespace ember::golden
