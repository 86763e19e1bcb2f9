// SPDX-License-Identifier: Apache-2.0
// The golden check of one model: every case in every mode, judged by Hugging Face's own spread.
#pragma once

#include <memory>
#include <regex>
#include <string>
#include <vector>

#include "golden/fixture/fixture.h"
#include "suites/golden_logits/engine_run.h"
#include "suites/golden_logits/localise.h"

namespace ember::golden {

enum class Level {
  kQuick,  // the judged cases, their greedy paths, repeatability
  kFull,   // and the greedy prompts
  kDeep,   // and every tap of the deep cases, each layer fed with the truth
};

struct GoldenOptions {
  std::vector<DeviceId> devices = {DeviceId{}};
  std::string dtype = "auto";
  bool emulate = false;
  Level level = Level::kFull;
  std::string case_regex;  // empty: all
  const Fault* fault = nullptr;
};

// A case with its reference, loaded once.
struct LoadedCase {
  CaseInfo info;
  Reference ref;
};
std::vector<LoadedCase> load_cases(const Fixture& fixture, const std::string& regex, bool greedy);
// Capacity that every case fits in.
int64_t needed_context(const std::vector<LoadedCase>& cases);

struct Localisation {
  std::string mode, case_name;
  std::vector<TapError> taps;
};

struct GoldenResult {
  std::string compute_dtype;
  std::vector<std::string> mode_of;  // of each verdict: "whole", …, or "-"
  std::vector<Verdict> verdicts;
  std::vector<Localisation> localised;  // on failure, and at level deep
  OpCounts ops;
  int64_t cases = 0, positions = 0, greedy_steps = 0, greedy_equal = 0;
  double seconds = 0;

  bool pass() const;
  void add(const std::string& mode, Verdict v);
};

GoldenResult run_golden(const Fixture& fixture, std::shared_ptr<const IWeightSource> source,
                        const GoldenOptions& options);

// Verdicts of one case's run in one mode, Ember's figures against the band. Shared with mutation.
std::vector<Verdict> judge_run(const Band& band, const std::string& name, const CaseRun& run);

}  // namespace ember::golden
