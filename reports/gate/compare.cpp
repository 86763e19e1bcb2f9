// SPDX-License-Identifier: Apache-2.0
#include "reports/gate/compare.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <set>
#include <unordered_map>

#include "reports/gate/rank_sum.h"
#include "reports/stats.h"

namespace ember::report {
namespace {

std::string percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%+.2f %%", 100 * share);
  return text;
}

// One case of both sides, on its way to a verdict.
struct Judged {
  CaseVerdict out;
  const Case* base = nullptr;
  const Case* fresh = nullptr;
  // One value a process in the order of execution; cycles where every process noted its clock.
  std::vector<double> a, b, a_cycles, b_cycles;
  bool worse_direction = false;
};

std::vector<const Samples*> in_order(const Case& c) {
  std::vector<const Samples*> out;
  for (const Samples& s : c.samples) {
    out.push_back(&s);
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const Samples* x, const Samples* y) { return x->order < y->order; });
  return out;
}

std::vector<double> cycles(const Case& c) {
  std::vector<double> out;
  for (const Samples* s : in_order(c)) {
    if (!s->clock_mhz) {
      return {};
    }
    out.push_back(median(s->values) * *s->clock_mhz);
  }
  return out;
}

bool positive(const std::vector<double>& v) {
  return std::all_of(v.begin(), v.end(), [](double x) { return x > 0; });
}

std::vector<double> logs(const std::vector<double>& v, size_t from, size_t to) {
  std::vector<double> out;
  for (size_t i = from; i < std::min(to, v.size()); ++i) {
    out.push_back(std::log(v[i]));
  }
  return out;
}

// Relative shift of the medians of logarithms.
double ratio_shift(const std::vector<double>& a, const std::vector<double>& b) {
  return std::expm1(median(b) - median(a));
}

bool is_time(Metric m) {
  return std::string(unit(m)) == "s";
}

double sign_of(const Case& c) {
  return c.better == Better::kHigher ? -1 : 1;
}

class Gate {
 public:
  Gate(const Report& base, const Report& fresh, const Policy& policy, double alpha)
      : base_(base), fresh_(fresh), policy_(policy), alpha_(alpha) {
    interleaved_ = base.run.group && base.run.group == fresh.run.group;
  }

  Comparison run() {
    pair_up();
    for (Judged& j : judged_) {
      screen(&j);
    }
    confirm(true);
    confirm(false);
    Comparison out;
    out.interleaved = interleaved_;
    out.alpha = alpha_;
    out.flagged = flagged_;
    out.attainable = attainable_;
    out.refusals = std::move(unsteady_);
    out.notes = std::move(notes_);
    for (Judged& j : judged_) {
      out.cases.push_back(std::move(j.out));
    }
    return out;
  }

 private:
  void end(Judged* j, Verdict v, const std::string& why) {
    j->out.verdict = v;
    j->out.explanation = why;
  }

  void pair_up() {
    std::unordered_map<std::string, const Case*> ids;
    std::set<std::string> taken;
    for (const Case& c : fresh_.cases) {
      ids[c.id] = &c;
    }
    for (const Case& c : base_.cases) {
      Judged j;
      const auto renamed = policy_.rename.find(c.id);
      const std::string& id = renamed == policy_.rename.end() ? c.id : renamed->second;
      const auto found = ids.find(id);
      j.base = &c;
      j.fresh = found == ids.end() ? nullptr : found->second;
      j.out.id = c.id;
      j.out.kind = c.kind;
      j.out.metric = c.metric;
      taken.insert(id);
      judged_.push_back(std::move(j));
    }
    for (const Case& c : fresh_.cases) {
      if (taken.count(c.id) == 0) {
        Judged j;
        j.fresh = &c;
        j.out.id = c.id;
        j.out.kind = c.kind;
        j.out.metric = c.metric;
        judged_.push_back(std::move(j));
      }
    }
  }

  // Whether the statuses alone decide.
  bool decided_by_status(Judged* j) {
    const Case *a = j->base, *b = j->fresh;
    if (policy_.ignores(j->out.id)) {
      end(j, Verdict::kNotJudged, "ignored by the policy");
    } else if (b == nullptr) {
      end(j, Verdict::kLost, "missing in NEW");
    } else if (b->status == Status::kFailed) {
      end(j, Verdict::kFailed, b->reason);
    } else if (a == nullptr) {
      end(j, Verdict::kAdded, "only in NEW");
    } else if (b->status == Status::kSkipped && a->status != Status::kSkipped) {
      end(j, Verdict::kLost, "newly skipped: " + b->reason);
    } else if (a->verified == true && b->verified != true) {
      end(j, Verdict::kLost, "its output is no longer verified");
    } else if (b->status == Status::kSkipped) {
      end(j, Verdict::kNotJudged, "skipped: " + b->reason);
    } else if (a->metric != b->metric || a->better != b->better || a->kind != b->kind) {
      end(j, Verdict::kLost, "measures another thing now; what is new takes a new id");
    } else if (work_changed(*a, *b)) {
      end(j, Verdict::kLost, "its work changed; work that changed takes a new id");
    } else if (a->status == Status::kFailed || a->status == Status::kSkipped) {
      end(j, Verdict::kAdded, std::string(name(a->status)) + " in BASE");
    } else if (b->samples.empty() || a->samples.empty()) {
      end(j, Verdict::kSame, "passes");
    } else if (!a->gate || !b->gate || a->better == Better::kNone) {
      end(j, a->gate && !b->gate ? Verdict::kLost : Verdict::kNotJudged,
          a->gate && !b->gate ? "no longer gated" : "not gated");
    } else {
      return false;
    }
    return true;
  }

  static bool work_changed(const Case& a, const Case& b) {
    const Work x = a.work.value_or(Work{}), y = b.work.value_or(Work{});
    return x.bytes != y.bytes || x.flops != y.flops || x.tokens != y.tokens;
  }

  // What the kind of case allows, before its own noise is looked at.
  double floor(const Judged& j) const {
    double t = policy_.floor_of(*j.base);
    if (is_time(j.out.metric)) {
      t = std::max(t, policy_.time_floor_s / median(j.a));
    }
    return interleaved_ ? t : t * policy_.cross_session_factor;
  }

  // With the noise between the first `n` processes of A.
  double threshold(const Judged& j, size_t n) const {
    const double noise = policy_.noise_factor * mad(logs(j.a, 0, n));
    return std::max(floor(j), interleaved_ ? noise : noise * policy_.cross_session_factor);
  }

  void compare_sizes(Judged* j) {
    const double shift = median(j->b) / median(j->a) - 1;
    j->out.shift = shift;
    j->out.threshold = policy_.bytes_floor;
    const Verdict v = shift > policy_.bytes_floor    ? Verdict::kWorse
                      : shift < -policy_.bytes_floor ? Verdict::kBetter
                                                     : Verdict::kSame;
    end(j, v, "a size, compared without a test: " + percent(shift));
  }

  void screen(Judged* j) {
    if (decided_by_status(j)) {
      return;
    }
    if (j->base->output_sha256 && j->fresh->output_sha256 &&
        *j->base->output_sha256 != *j->fresh->output_sha256) {
      notes_.push_back(j->out.id + ": the output is not the same as in BASE");
    }
    j->a = process_medians(*j->base);
    j->b = process_medians(*j->fresh);
    CaseVerdict& out = j->out;
    out.base_median = median(j->a);
    out.new_median = median(j->b);
    out.base_processes = static_cast<int64_t>(j->a.size());
    out.new_processes = static_cast<int64_t>(j->b.size());
    if (!positive(j->a) || !positive(j->b)) {
      end(j, Verdict::kInconclusive, "values that are not above zero have no relative shift");
      return;
    }
    if (out.metric == Metric::kBytes) {
      compare_sizes(j);
      return;
    }
    // From the screening processes alone, so that what is flagged stays so when more have run.
    const size_t n = static_cast<size_t>(policy_.screen_processes);
    out.threshold = threshold(*j, n);
    const double shift = ratio_shift(logs(j->a, 0, n), logs(j->b, 0, n));
    out.shift = shift;
    out.flagged = std::fabs(shift) > policy_.screen_fraction * *out.threshold;
    j->worse_direction = shift * sign_of(*j->base) > 0;
    if (std::min(j->a.size(), j->b.size()) < n) {
      end(j, Verdict::kInconclusive,
          percent(shift) + ", but from " + std::to_string(std::min(j->a.size(), j->b.size())) +
              " processes; screening needs " + std::to_string(n) + " a side (ember report ab)");
    } else if (!out.flagged) {
      end(j, Verdict::kSame, "not flagged at screening: " + percent(shift));
    } else {
      end(j, Verdict::kInconclusive, "flagged");
    }
  }

  // Tests what was flagged in one direction; the two directions are families of their own.
  void confirm(bool worse) {
    const size_t screened = static_cast<size_t>(policy_.screen_processes);
    std::vector<Judged*> family;
    for (Judged& j : judged_) {
      if (j.out.flagged && j.worse_direction == worse &&
          std::min(j.a.size(), j.b.size()) >= screened) {
        family.push_back(&j);
      }
    }
    if (family.empty()) {
      return;
    }
    std::vector<double> p, unsteady;
    double least = 0;
    for (Judged* j : family) {
      const auto a = logs(j->a, screened, j->a.size()), b = logs(j->b, screened, j->b.size());
      const bool some = !a.empty() && !b.empty();
      p.push_back(some ? rank_test_p(a, b) : 1);
      least = std::max(least, attainable_p(int64_t(a.size()), int64_t(b.size())));
      const size_t half = j->a.size() / 2;
      unsteady.push_back(rank_test_p(logs(j->a, 0, half), logs(j->a, half, j->a.size())));
    }
    const std::vector<double> adjusted = holm(p), steady = holm(unsteady);
    least = std::min(1.0, least * static_cast<double>(family.size()));
    if (worse) {
      flagged_ = static_cast<int64_t>(family.size());
      attainable_ = least;
    }
    for (size_t i = 0; i < family.size(); ++i) {
      family[i]->out.threshold = threshold(*family[i], family[i]->a.size());
      check_steady(*family[i], steady[i]);
      judge(family[i], p[i], adjusted[i], least);
    }
  }

  // A against itself: where its own halves differ, nothing can be said about B. The noise of A is
  // no excuse here, for a jump between the halves is part of that noise.
  void check_steady(const Judged& j, double p) {
    const size_t half = j.a.size() / 2;
    const double shift = ratio_shift(logs(j.a, 0, half), logs(j.a, half, j.a.size()));
    if (p < alpha_ && std::fabs(shift) > floor(j)) {
      unsteady_.push_back(j.out.id + ": BASE differs from itself, its later processes by " +
                          percent(shift) + "; the machine is not steady");
    }
  }

  void judge(Judged* j, double p, double adjusted, double least) {
    const size_t from = static_cast<size_t>(policy_.screen_processes);
    const auto a = logs(j->a, from, j->a.size()), b = logs(j->b, from, j->b.size());
    CaseVerdict& out = j->out;
    if (least >= alpha_) {
      end(j, Verdict::kInconclusive,
          "flagged at screening: " + percent(*out.shift) + "; " +
              std::to_string(std::min(a.size(), b.size())) +
              " confirming processes a side cannot show it (adjusted p " + short_number(least) +
              " at the least, " + short_number(alpha_) + " is needed): run ember report ab");
      return;
    }
    const Shift s = shift_of(a, b);
    out.shift = std::expm1(s.shift);
    out.ci_low = std::expm1(s.low);
    out.ci_high = std::expm1(s.high);
    out.p = p;
    out.p_adjusted = adjusted;
    // In the direction of harm, whatever the metric.
    const double sign = sign_of(*j->base) * (j->worse_direction ? 1 : -1);
    const double shift = sign * *out.shift;
    const double low = std::min(sign * *out.ci_low, sign * *out.ci_high);
    const double high = std::max(sign * *out.ci_low, sign * *out.ci_high);
    const std::string figures = percent(*out.shift) + " [" + percent(*out.ci_low) + ", " +
                                percent(*out.ci_high) + "], adjusted p " + short_number(adjusted);
    if (adjusted < alpha_ && shift > *out.threshold && low > 0 && s.attained) {
      if (!confirmed_in_cycles(*j, sign)) {
        end(j, Verdict::kInconclusive, "clock: " + figures + ", yet not in cycles of the clock");
      } else {
        end(j, j->worse_direction ? Verdict::kWorse : Verdict::kBetter, figures);
      }
    } else if (high < *out.threshold) {
      end(j, Verdict::kSame, "cleared: " + figures);
    } else {
      end(j, Verdict::kInconclusive, "neither shown nor cleared: " + figures);
    }
  }

  // A slower clock is no slower code: a time that grew must have grown in cycles too.
  bool confirmed_in_cycles(const Judged& j, double sign) const {
    if (!is_time(j.out.metric)) {
      return true;
    }
    const std::vector<double> a = cycles(*j.base), b = cycles(*j.fresh);
    if (a.empty() || b.empty()) {
      return true;
    }
    const size_t from = static_cast<size_t>(policy_.screen_processes);
    const Shift s = shift_of(logs(a, from, a.size()), logs(b, from, b.size()));
    return sign * std::expm1(s.shift) > *j.out.threshold;
  }

  static std::string short_number(double v) {
    char text[32];
    std::snprintf(text, sizeof text, "%.2g", v);
    return text;
  }

  const Report& base_;
  const Report& fresh_;
  const Policy& policy_;
  double alpha_;
  bool interleaved_ = false;
  std::vector<Judged> judged_;
  std::vector<std::string> unsteady_, notes_;
  int64_t flagged_ = 0;
  std::optional<double> attainable_;
};

}  // namespace

Comparison compare(const Report& base, const Report& fresh, const Policy& policy,
                   std::optional<double> alpha) {
  Comparison out = Gate(base, fresh, policy, alpha.value_or(policy.alpha)).run();
  const std::vector<std::string> why = refusals(base, fresh, policy);
  out.refusals.insert(out.refusals.begin(), why.begin(), why.end());
  if (std::all_of(out.cases.begin(), out.cases.end(),
                  [](const CaseVerdict& c) { return c.verdict == Verdict::kNotJudged; })) {
    out.refusals.push_back("there is no case that the gate could judge");
  }
  const std::vector<std::string> loose = loosenings(policy);
  for (const std::string& line : loose) {
    out.notes.push_back("the policy is looser than the defaults: " + line);
  }
  out.base_commit = base.subject.commit;
  out.new_commit = fresh.subject.commit;
  out.base_fingerprint = fingerprint(base);
  out.new_fingerprint = fingerprint(fresh);
  return out;
}

int64_t Comparison::count(Verdict v) const {
  return std::count_if(cases.begin(), cases.end(),
                       [v](const CaseVerdict& c) { return c.verdict == v; });
}

int Comparison::exit_code() const {
  if (!refusals.empty()) {
    return 3;
  }
  if (count(Verdict::kWorse) + count(Verdict::kFailed) + count(Verdict::kLost) > 0) {
    return 1;
  }
  return count(Verdict::kInconclusive) > 0 ? 3 : 0;
}

}  // namespace ember::report
