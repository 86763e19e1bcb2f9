// SPDX-License-Identifier: Apache-2.0
#include "suites/mutation/mutation.h"

#include <algorithm>

#include "engine/core/clock.h"

namespace ember::golden {
namespace {

class Mutation {
 public:
  Mutation(const Fixture& fixture, std::shared_ptr<const IWeightSource> source,
           const std::vector<LoadedCase>& cases, const GoldenOptions& golden, const Fault& fault)
      : cases_(cases), layers_(fixture.shape().L) {
    result_.fault = &fault;
    if (fault.applies && !fault.applies(source->config())) {
      result_.why_not = "does not apply: only to " + fault.applies_to;
    } else if (fault.two_stages && layers_ < 2) {
      result_.why_not = "does not apply: it needs two layers or more";
    }
    result_.applies = result_.why_not.empty();
    if (!result_.applies) {
      return;
    }
    EngineOptions options;
    options.devices.assign(fault.two_stages ? 2 : 1, golden.devices.at(0));
    options.dtype = golden.dtype;
    options.emulate = golden.emulate;
    options.context = needed_context(cases);
    options.fault = &fault;
    engine_ = std::make_unique<Engine>(std::move(source), options);
    if (fault.hidden && fault.hidden(engine_->compute())) {
      result_.why_not = "hidden in " + engine_->compute_dtype() + ": " + fault.hidden_by;
      result_.applies = false;
    }
    band_ = &fixture.band(engine_->compute_dtype(), golden.devices[0].kind);
    result_.expected_tap = fault.first_tap;
    result_.expected_layer = fault.layer(layers_, engine_->stage_begin(1));
  }

  MutationResult run() {
    if (!result_.applies) {
      return result_;
    }
    const double start = now_seconds();
    for (Mode mode : all_modes()) {
      if (!result_.killed) {
        hunt(mode);
      }
    }
    for (Mode mode : all_modes()) {
      if (!result_.killed) {
        hunt_taps(mode);
      }
    }
    result_.seconds = now_seconds() - start;
    return result_;
  }

 private:
  // Cases from the shortest up; the figures over all cases where no single case sees the fault.
  void hunt(Mode mode) {
    RunFigures figures;
    for (const LoadedCase& c : cases_) {
      if (!c.ref.judged()) {
        continue;
      }
      const std::string& name = c.info.name;
      const CaseRun run = run_case(*engine_, c.ref, mode, flip_margin(band_->cases.at(name)), true);
      figures[name] = run.figures;
      if (seen(mode, name, judge_run(*band_, name, run))) {
        return;
      }
    }
    seen(mode, "all cases", judge_all(*band_, figures));
  }

  // What level deep judges: in 16 bits a small fault can hide in the figures of the whole model.
  void hunt_taps(Mode mode) {
    for (const LoadedCase& c : cases_) {
      if (!c.ref.deep() || result_.killed) {
        continue;
      }
      const std::vector<TapError> taps =
          run_fed(*engine_, c.ref, band_->cases.at(c.info.name), band_->limits, mode);
      if (const TapError* bad = first_bad(taps)) {
        seen(mode, c.info.name,
             {{c.info.name, "taps", bad->error, bad->ratio, bad->limit, false, bad->note}});
      }
    }
  }

  bool seen(Mode mode, const std::string& where, std::vector<Verdict> verdicts) {
    verdicts.erase(
        std::remove_if(verdicts.begin(), verdicts.end(), [](const Verdict& v) { return v.pass; }),
        verdicts.end());
    if (verdicts.empty()) {
      return false;
    }
    result_.killed = true;
    result_.mode = name(mode);
    result_.case_name = where;
    result_.by = std::move(verdicts);
    locate(mode);
    return true;
  }

  // In the mode that saw it; in the others where the deep cases are too short to show it there.
  void locate(Mode seen_in) {
    result_.found = "none";
    std::vector<Mode> order = {seen_in};
    for (Mode mode : all_modes()) {
      if (mode != seen_in) {
        order.push_back(mode);
      }
    }
    for (Mode mode : order) {
      for (const LoadedCase& c : cases_) {
        if (c.ref.deep() && locate_in(c, mode)) {
          return;
        }
      }
    }
  }

  bool locate_in(const LoadedCase& c, Mode mode) {
    const std::vector<TapError> taps =
        run_fed(*engine_, c.ref, band_->cases.at(c.info.name), band_->limits, mode);
    const TapError* bad = first_bad(taps);
    if (bad != nullptr) {
      result_.found = bad->where();
      result_.located = is_expected(*bad);
    }
    return bad != nullptr;
  }

  // In 16 bits the place where a fault first stands out of the noise may be the same tap of another
  // layer, where the fault is in every layer, or the tap that reads the wrong one.
  bool is_expected(const TapError& bad) const {
    const bool wide = engine_->compute() != DType::kF32;
    const bool layer = bad.layer == result_.expected_layer ||
                       (wide && bad.layer >= 0 && result_.fault->first_layer == FaultLayer::kFirst);
    const int step = static_cast<int>(bad.tap) - static_cast<int>(result_.expected_tap);
    return layer && (step == 0 || (wide && step == 1));
  }

  const std::vector<LoadedCase>& cases_;
  int64_t layers_;
  std::unique_ptr<Engine> engine_;
  const Band* band_ = nullptr;
  MutationResult result_;
};

}  // namespace

MutationResult run_mutation(const Fixture& fixture, std::shared_ptr<const IWeightSource> source,
                            const std::vector<LoadedCase>& cases, const GoldenOptions& options,
                            const Fault& fault) {
  return Mutation(fixture, std::move(source), cases, options, fault).run();
}

}  // namespace ember::golden
