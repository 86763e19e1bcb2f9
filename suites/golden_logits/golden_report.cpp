// SPDX-License-Identifier: Apache-2.0
#include "suites/golden_logits/golden_report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <ostream>

namespace ember::golden {
namespace {

std::string number(double x) {
  char text[32];
  if (!std::isfinite(x)) {
    return x > 0 ? "inf" : x < 0 ? "-inf" : "nan";
  }
  std::snprintf(text, sizeof text, x == 0 ? "%.0f" : x < 0.01 || x >= 1e5 ? "%.2e" : "%.3g", x);
  return text;
}

std::string pad(std::string text, size_t width) {
  text.resize(std::max(width, text.size()), ' ');
  return text;
}

void row(std::ostream& out, const std::string& mode, const Verdict& v) {
  out << "  " << pad(mode, 9) << pad(v.scope, 13) << pad(v.figure, 16) << pad(number(v.value), 11)
      << pad(number(v.ratio), 10) << pad(number(v.limit), 10) << (v.pass ? "ok    " : "FAILED")
      << (v.note.empty() ? "" : "  ") << v.note << "\n";
}

// The verdict nearest to failing, of one figure in one mode.
bool worse(const Verdict& a, const Verdict& b) {
  if (a.pass != b.pass) {
    return !a.pass;
  }
  const double sa = a.limit > 0 ? a.ratio / a.limit : a.ratio;
  const double sb = b.limit > 0 ? b.ratio / b.limit : b.ratio;
  return sa > sb;
}

void print_failures(std::ostream& out, const GoldenResult& r) {
  size_t failures = 0;
  for (const Verdict& v : r.verdicts) {
    failures += !v.pass;
  }
  if (failures == 0) {
    return;
  }
  out << "\nFailures (" << failures << "):\n";
  for (size_t i = 0, shown = 0; i < r.verdicts.size() && shown < 20; ++i) {
    if (!r.verdicts[i].pass) {
      row(out, r.mode_of[i], r.verdicts[i]);
      ++shown;
    }
  }
}

void print_localised(std::ostream& out, const GoldenResult& r) {
  for (const Localisation& l : r.localised) {
    const TapError* bad = first_bad(l.taps);
    if (bad == nullptr) {
      continue;
    }
    out << "\nFirst bad: " << bad->where() << " (case " << l.case_name << ", " << l.mode
        << ", each layer fed with the truth)\n  relative L2 " << number(bad->error) << ", "
        << number(bad->ratio) << " times Hugging Face's, limit " << number(bad->limit) << "; "
        << bad->note << "\n  look at: " << hint(bad->tap) << "\n  also bad:";
    int more = 0;
    for (const TapError& t : l.taps) {
      if (!t.pass && &t != bad && ++more <= 8) {
        out << (more > 1 ? "; " : " ") << t.where();
      }
    }
    out << (more == 0 ? " nothing else" : more > 8 ? "; …" : "") << "\n";
    return;
  }
  if (!r.pass()) {
    out << "\nNo tap of the deep cases is bad when each layer is fed with the truth: the fault is "
           "in what lies between passes, or shows at other lengths only.\n";
  }
}

}  // namespace

void print_result(std::ostream& out, const Fixture& fixture, const GoldenResult& r,
                  bool every_case) {
  out << "golden " << fixture.model_name() << ": computes in " << r.compute_dtype << ", " << r.cases
      << " cases, " << r.positions << " positions; truth fp64, transformers "
      << fixture.provenance().at("transformers") << "\n";
  out << "  ratio: Ember's error over that of Hugging Face's own " << r.compute_dtype
      << " variants; limit: the widest that one of them reaches when judged by the others, x "
      << number(kSlack) << "\n\n";
  out << "  " << pad("mode", 9) << pad("worst case", 13) << pad("figure", 16) << pad("error", 11)
      << pad("ratio", 10) << pad("limit", 10) << "verdict\n";
  std::map<std::pair<std::string, std::string>, const Verdict*> worst;
  std::vector<std::pair<std::string, std::string>> order;
  for (size_t i = 0; i < r.verdicts.size(); ++i) {
    const auto key = std::make_pair(r.mode_of[i], r.verdicts[i].figure);
    if (worst.count(key) == 0) {
      order.push_back(key);
      worst[key] = &r.verdicts[i];
    } else if (worse(r.verdicts[i], *worst[key])) {
      worst[key] = &r.verdicts[i];
    }
  }
  for (size_t i = 0; every_case && i < r.verdicts.size(); ++i) {
    row(out, r.mode_of[i], r.verdicts[i]);
  }
  for (size_t i = 0; !every_case && i < order.size(); ++i) {
    row(out, order[i].first, *worst[order[i]]);
  }
  print_failures(out, r);
  print_localised(out, r);
  out << "\ngreedy: " << r.greedy_equal << " of " << r.greedy_steps
      << " steps equal Hugging Face's; ops run:";
  for (const auto& [op, n] : r.ops) {
    out << " " << op << " " << n;
  }
  char seconds[32];
  std::snprintf(seconds, sizeof seconds, "%.1f", r.seconds);
  out << "\n" << (r.pass() ? "PASS" : "FAILED") << " in " << seconds << " s\n";
}

void print_mutations(std::ostream& out, const std::vector<MutationResult>& results) {
  out << "\n  " << pad("fault", 25) << pad("seen in", 22) << pad("by", 22) << pad("ratio", 10)
      << pad("first bad tap", 28) << "verdict\n";
  int64_t planted = 0, killed = 0, located = 0;
  for (const MutationResult& m : results) {
    out << "  " << pad(m.fault->name, 25);
    if (!m.applies) {
      out << m.why_not << "\n";
      continue;
    }
    ++planted;
    killed += m.killed;
    located += m.located;
    if (!m.killed) {
      out << pad("nowhere", 82) << "SURVIVED: " << m.fault->about << "\n";
      continue;
    }
    const auto most =
        std::max_element(m.by.begin(), m.by.end(),
                         [](const Verdict& a, const Verdict& b) { return a.ratio < b.ratio; });
    std::string by = most->figure;
    if (m.by.size() > 1) {
      by += " +" + std::to_string(m.by.size() - 1);
    }
    out << pad(m.mode + "/" + m.case_name, 22) << pad(by, 22) << pad(number(most->ratio), 10)
        << pad(m.found, 28) << (m.located ? "killed" : "WRONG TAP, expected ");
    if (!m.located) {
      TapError expected;
      expected.tap = m.expected_tap;
      expected.layer = m.expected_layer;
      out << expected.where();
    }
    out << "\n";
  }
  out << "\nfaults: " << planted << " planted, " << killed << " killed, " << located
      << " found where they were planted\n";
}

namespace {

// JSON has no infinity: null, and the reason beside it.
Json finite(double x) {
  return std::isfinite(x) ? Json(x) : Json(nullptr);
}

Json verdict_json(const std::string& mode, const Verdict& v) {
  Json j = {{"mode", mode},
            {"scope", v.scope},
            {"figure", v.figure},
            {"value", finite(v.value)},
            {"ratio", finite(v.ratio)},
            {"limit", finite(v.limit)},
            {"pass", v.pass}};
  if (!v.note.empty()) {
    j["note"] = v.note;
  }
  return j;
}

}  // namespace

Json to_json(const Fixture& fixture, const GoldenResult& r) {
  Json verdicts = Json::array(), localised = Json::array(), provenance = Json::object();
  for (size_t i = 0; i < r.verdicts.size(); ++i) {
    verdicts.push_back(verdict_json(r.mode_of[i], r.verdicts[i]));
  }
  for (const Localisation& l : r.localised) {
    Json taps = Json::array();
    for (const TapError& t : l.taps) {
      Json j = {{"tap", ember::name(t.tap)}, {"layer", t.layer},         {"error", finite(t.error)},
                {"ratio", finite(t.ratio)},  {"limit", finite(t.limit)}, {"pass", t.pass}};
      if (!t.note.empty()) {
        j["note"] = t.note;
      }
      taps.push_back(j);
    }
    localised.push_back({{"mode", l.mode}, {"case", l.case_name}, {"taps", taps}});
  }
  for (const auto& [key, value] : fixture.provenance()) {
    provenance[key] = value;
  }
  return {{"model", fixture.model_name()},
          {"manifest_sha256", fixture.hash()},
          {"provenance", provenance},
          {"compute_dtype", r.compute_dtype},
          {"cases", r.cases},
          {"positions", r.positions},
          {"greedy", {{"steps", r.greedy_steps}, {"equal", r.greedy_equal}}},
          {"ops", r.ops},
          {"pass", r.pass()},
          {"seconds", r.seconds},
          {"verdicts", verdicts},
          {"localised", localised}};
}

Json to_json(const std::vector<MutationResult>& results) {
  Json out = Json::array();
  for (const MutationResult& m : results) {
    Json by = Json::array();
    for (const Verdict& v : m.by) {
      by.push_back(verdict_json(m.mode, v));
    }
    out.push_back(
        {{"fault", m.fault->name},
         {"about", m.fault->about},
         {"applies", m.applies},
         {"why_not", m.why_not},
         {"killed", m.killed},
         {"located", m.located},
         {"mode", m.mode},
         {"case", m.case_name},
         {"expected", {{"tap", ember::name(m.expected_tap)}, {"layer", m.expected_layer}}},
         {"found", m.found},
         {"by", by}});
  }
  return out;
}

}  // namespace ember::golden
