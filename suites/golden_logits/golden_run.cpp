// SPDX-License-Identifier: Apache-2.0
#include "suites/golden_logits/golden_run.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>

#include "engine/core/clock.h"
#include "golden/compare.h"

namespace ember::golden {
namespace {

// Below this share of Hugging Face's 16-bit error a 16-bit engine is not believable: it compared
// the reference with itself, or computed in fp32.
constexpr double kTooGood = 0.1;

Verdict truth(const std::string& scope, const std::string& figure, bool pass,
              const std::string& note) {
  Verdict v{scope, figure, pass ? 0.0 : 1.0, pass ? 0.0 : 1.0, 0, pass, note};
  return v;
}

class GoldenRun {
 public:
  GoldenRun(const Fixture& fixture, std::shared_ptr<const IWeightSource> source,
            const GoldenOptions& options)
      : options_(options),
        source_(std::move(source)),
        cases_(load_cases(fixture, options.case_regex, options.level != Level::kQuick)) {
    engine_options_.devices = options.devices;
    engine_options_.dtype = options.dtype;
    engine_options_.emulate = options.emulate;
    engine_options_.context = needed_context(cases_);
    engine_options_.fault = options.fault;
    engine_ = std::make_unique<Engine>(source_, engine_options_);
    band_ = &fixture.band(engine_->compute_dtype(), options.devices.at(0).kind);
    result_.compute_dtype = engine_->compute_dtype();
  }

  GoldenResult run() {
    const double start = now_seconds();
    for (Mode mode : all_modes()) {
      judge_mode(*engine_, mode, golden::name(mode));
    }
    result_.ops = engine_->ops();
    if (options_.fault == nullptr) {
      EngineOptions plain = engine_options_;
      plain.tapped = false;
      plain_ = std::make_unique<Engine>(source_, plain);
      judge_mode(*plain_, Mode::kDecode, "steps");
    }
    check_plain();
    check_one_stage();
    check_greedy();
    const bool failed = !result_.pass();
    if (failed || options_.level == Level::kDeep) {
      check_taps(failed);
    }
    result_.seconds = now_seconds() - start;
    return std::move(result_);
  }

 private:
  // Without taps there is no residual stream to see.
  void judge_mode(Engine& engine, Mode mode, const std::string& label) {
    const bool tapped = &engine == engine_.get();
    RunFigures figures;
    int64_t flips = 0, positions = 0;
    for (const LoadedCase& c : cases_) {
      if (!c.ref.judged()) {
        continue;
      }
      const std::string& name = c.info.name;
      const CaseRun run = run_case(engine, c.ref, mode, flip_margin(band_->cases.at(name)), tapped);
      for (Verdict& v : judge_run(*band_, name, run)) {
        result_.add(label, std::move(v));
      }
      figures[name] = run.figures;
      flips += run.figures.flips;
      positions += static_cast<int64_t>(c.ref.top_pos.size());
      if (mode == Mode::kWhole) {
        whole_[name] = run.hashes;
        ++result_.cases;
        result_.positions += static_cast<int64_t>(c.ref.top_pos.size());
      }
    }
    for (Verdict& v : judge_all(*band_, figures)) {
      if (!tapped && v.figure == "slope") {
        continue;  // of two computations: the error drops where the steps begin
      }
      if (v.figure == golden::name(Figure::kRelL2)) {
        too_good(label, v);
      }
      result_.add(label, std::move(v));
    }
    near_ties(label, flips, positions);
  }

  void too_good(const std::string& mode, const Verdict& v) {
    if (result_.compute_dtype == "fp32" || v.ratio >= kTooGood) {
      return;
    }
    result_.add(mode,
                truth("all cases", "too-good", false,
                      "the error is under a tenth of Hugging Face's own in this precision: was the "
                      "reference compared with itself, or computed in fp32?"));
  }

  // Flips at near ties are no error, but may not be more frequent than among the variants.
  void near_ties(const std::string& mode, int64_t flips, int64_t positions) {
    std::map<std::string, int64_t> by_variant;
    for (const LoadedCase& c : cases_) {
      if (c.ref.judged()) {
        for (const auto& [variant, f] : band_->cases.at(c.info.name).variants) {
          by_variant[variant] += f.flips;
        }
      }
    }
    int64_t most = 0;
    for (const auto& [variant, n] : by_variant) {
      most = std::max(most, n);
    }
    Verdict v{"all cases", "near-tie flips", static_cast<double>(flips), 0, 0, false, ""};
    v.limit = rate_upper_bound(most, positions) * static_cast<double>(positions);
    v.ratio = static_cast<double>(flips);
    v.pass = within(v.ratio, v.limit);
    v.note = "of " + std::to_string(positions) + " positions; Hugging Face's variants up to " +
             std::to_string(most);
    result_.add(mode, v);
  }

  // Runs of `engine` must give the bits that the first run gave.
  void same_bits(Engine& engine, const std::string& figure, const std::string& otherwise) {
    std::string note;
    int64_t compared = 0;
    for (const LoadedCase& c : cases_) {
      if (!c.ref.judged() || !note.empty()) {
        continue;
      }
      engine.run(c.ref.ids, Mode::kWhole, [&](int64_t pos, const float* row) {
        ++compared;
        if (note.empty() &&
            hash_bytes(row, c.ref.V * sizeof(float)) != whole_.at(c.info.name).at(pos)) {
          note =
              c.info.name + " differs from position " + std::to_string(pos) + " on: " + otherwise;
        }
      });
    }
    const bool pass = note.empty() && compared > 0;
    result_.add("-", truth("all cases", figure, pass,
                           pass ? "every bit of " + std::to_string(compared) + " rows" : note));
  }

  // The runtime that users get, without taps, and twice the same runtime.
  void check_plain() {
    same_bits(*engine_, "repeatable", "two runs of one build must agree bit by bit");
    if (plain_ != nullptr) {
      same_bits(*plain_, "without taps", "taps change the result, so they do not show the product");
    }
  }

  void check_one_stage() {
    const auto& devices = options_.devices;
    const bool alike = std::all_of(devices.begin(), devices.end(),
                                   [&](const DeviceId& d) { return d.kind == devices[0].kind; });
    if (devices.size() < 2 || !alike) {
      return;
    }
    EngineOptions one = engine_options_;
    one.devices = {devices[0]};
    one.fault = nullptr;
    one.tapped = false;
    Engine engine(source_, one);
    same_bits(engine, "as one stage", "a hop between stages must not change a bit");
  }

  void check_greedy() {
    double widest = 0;
    for (const auto& [name, c] : band_->cases) {
      widest = std::max(widest, flip_margin(c));
    }
    Engine& engine = plain_ ? *plain_ : *engine_;
    for (const LoadedCase& c : cases_) {
      if (c.ref.greedy_ids.empty()) {
        continue;
      }
      const double margin = c.ref.judged() ? flip_margin(band_->cases.at(c.info.name)) : widest;
      const GreedyRun g = run_greedy(engine, c.ref, margin);
      result_.greedy_steps += g.steps;
      result_.greedy_equal += g.equal;
      Verdict v{c.info.name, "greedy", static_cast<double>(g.steps - g.equal),
                g.widest,    margin,   g.wide_differences == 0 && g.steps > 0,
                ""};
      std::ostringstream note;
      if (g.first_difference < 0) {
        note << g.steps << " steps equal";
      } else {
        note << (v.pass ? "near-tie" : "other text") << " at step " << g.first_difference
             << ", margin " << g.margin << ", band " << margin;
      }
      v.note = note.str();
      result_.add("-", v);
    }
  }

  // The mode that failed first, or every mode at level deep.
  void check_taps(bool failed) {
    for (Mode mode : all_modes()) {
      for (const LoadedCase& c : cases_) {
        if (!c.ref.deep()) {
          continue;
        }
        Localisation l{golden::name(mode), c.info.name,
                       run_fed(*engine_, c.ref, band_->cases.at(c.info.name), band_->limits, mode)};
        const TapError* bad = first_bad(l.taps);
        Verdict v{c.info.name, "taps", 0, 0, 0, bad == nullptr, ""};
        const TapError& worst = bad != nullptr ? *bad : nearest_to_limit(l.taps);
        v.value = worst.error;
        v.ratio = worst.ratio;
        v.limit = worst.limit;
        v.note = (bad != nullptr ? "first bad: " : "worst ") + worst.where() +
                 (bad != nullptr ? " (" + bad->note + ")" : "");
        result_.add(l.mode, v);
        result_.localised.push_back(std::move(l));
        if (failed && bad != nullptr) {
          return;
        }
      }
    }
  }

  GoldenOptions options_;
  std::shared_ptr<const IWeightSource> source_;
  std::vector<LoadedCase> cases_;
  EngineOptions engine_options_;
  std::unique_ptr<Engine> engine_, plain_;
  const Band* band_;
  std::map<std::string, std::map<int64_t, uint64_t>> whole_;
  GoldenResult result_;
};

}  // namespace

std::vector<LoadedCase> load_cases(const Fixture& fixture, const std::string& regex, bool greedy) {
  std::regex wanted;
  try {
    wanted = std::regex(regex.empty() ? ".*" : regex);
  } catch (const std::regex_error&) {
    fail(ErrorKind::kUsage, "--case: \"", regex, "\" is not a regular expression");
  }
  std::vector<LoadedCase> out;
  bool judged = false;
  for (const CaseInfo& info : fixture.cases()) {
    if (std::regex_search(info.name, wanted) && (greedy || info.tier == "quick")) {
      out.push_back({info, fixture.load(info)});
      judged = judged || out.back().ref.judged();
    }
  }
  if (!judged) {
    fail(ErrorKind::kUsage, "--case: no judged case of ", fixture.dir(), " matches \"", regex,
         "\"");
  }
  std::stable_sort(out.begin(), out.end(), [](const LoadedCase& a, const LoadedCase& b) {
    return a.info.tokens < b.info.tokens;
  });
  return out;
}

int64_t needed_context(const std::vector<LoadedCase>& cases) {
  int64_t n = 1;
  for (const LoadedCase& c : cases) {
    n = std::max(n, c.ref.tokens() + static_cast<int64_t>(c.ref.greedy_ids.size()));
  }
  return n;
}

bool GoldenResult::pass() const {
  return !verdicts.empty() &&
         std::all_of(verdicts.begin(), verdicts.end(), [](const Verdict& v) { return v.pass; });
}

void GoldenResult::add(const std::string& mode, Verdict v) {
  mode_of.push_back(mode);
  verdicts.push_back(std::move(v));
}

std::vector<Verdict> judge_run(const Band& band, const std::string& name, const CaseRun& run) {
  std::vector<Verdict> out;
  if (run.first_non_finite >= 0) {
    out.push_back(
        truth(name, "finite", false,
              "logits of position " + std::to_string(run.first_non_finite) + " are not finite"));
  }
  if (run.missing_rows > 0) {
    out.push_back(truth(name, "complete", false,
                        std::to_string(run.missing_rows) + " rows of the reference never came"));
  }
  for (Verdict& v : judge_case(band, name, run.figures)) {
    out.push_back(std::move(v));
  }
  const size_t wide = run.wide_flips.size();
  std::string note;
  if (wide > 0) {
    note = "another largest logit at position " + std::to_string(run.wide_flips[0]) +
           (wide > 1 ? " and " + std::to_string(wide - 1) + " more" : "");
  }
  out.push_back(
      {name, "flips", static_cast<double>(wide), static_cast<double>(wide), 0, wide == 0, note});
  return out;
}

GoldenResult run_golden(const Fixture& fixture, std::shared_ptr<const IWeightSource> source,
                        const GoldenOptions& options) {
  return GoldenRun(fixture, std::move(source), options).run();
}

}  // namespace ember::golden
