// SPDX-License-Identifier: Apache-2.0
#include "suites/suite/selftest.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <ostream>

#include "kernels/base/error.h"
#include "suites/suite/selftest_checks.h"

namespace ember {
namespace {

std::string code_list(const std::vector<int>& codes) {
  std::vector<int> kinds = codes;
  std::sort(kinds.begin(), kinds.end());
  kinds.erase(std::unique(kinds.begin(), kinds.end()), kinds.end());
  std::string text;
  for (const int code : kinds) {
    const auto n = std::count(codes.begin(), codes.end(), code);
    text += (text.empty() ? "" : ", ") + (codes.size() > 1 ? std::to_string(n) + " x " : "") +
            std::to_string(code);
  }
  return text.empty() ? "-" : text;
}

const char* verdict(const SelftestCheck& c) {
  return c.pass ? "ok" : c.inconclusive ? "inconclusive" : c.codes.empty() ? "skipped" : "DEVIATES";
}

void print_check(std::ostream& out, const SelftestCheck& c) {
  char line[200];
  std::snprintf(line, sizeof line, "%-46s %-22s %-18s %6.1f s  %s", c.name.c_str(),
                c.expected.c_str(), code_list(c.codes).c_str(), c.seconds, verdict(c));
  out << line << (c.note.empty() ? "" : "  ") << c.note << "\n";
}

bool deviates(const SelftestCheck& c) {
  return !c.pass && !c.inconclusive && !c.codes.empty();
}

}  // namespace

int SelftestResult::exit_code() const {
  if (std::any_of(checks.begin(), checks.end(), deviates)) {
    return ember::exit_code(ErrorKind::kWrong);
  }
  const bool open = std::any_of(checks.begin(), checks.end(),
                                [](const SelftestCheck& c) { return c.inconclusive; });
  return open ? ember::exit_code(ErrorKind::kInconclusive) : 0;
}

SelftestResult run_selftest(const SelftestOptions& options, std::ostream& progress) {
  SelftestRun run(options, [&](const SelftestCheck& c) { print_check(progress, c); });
  check_golden(&run);
  check_compare(&run);
  check_hostile(&run);
  check_ab(&run);
  return {run.checks()};
}

void print(std::ostream& out, const SelftestResult& result) {
  char head[200];
  std::snprintf(head, sizeof head, "%-46s %-22s %-18s %8s  %s\n", "check", "expected", "exit code",
                "time", "verdict");
  out << head;
  int64_t ok = 0, bad = 0, open = 0, skipped = 0;
  for (const SelftestCheck& c : result.checks) {
    print_check(out, c);
    ok += c.pass;
    bad += deviates(c);
    open += c.inconclusive;
    skipped += !c.pass && !c.inconclusive && c.codes.empty();
  }
  out << result.checks.size() << " checks: " << ok << " ok, " << bad << " deviate, " << open
      << " inconclusive, " << skipped << " skipped\n";
}

std::vector<report::Case> report_cases(const SelftestResult& result) {
  std::vector<report::Case> cases;
  for (const SelftestCheck& c : result.checks) {
    report::Case out =
        report::make_case(report::Kind::kCheck, "selftest/" + c.name, {}, report::Metric::kCount);
    out.verified = c.pass;
    if (deviates(c)) {
      report::fail_case(out, "expected exit code " + c.expected + ", got " + code_list(c.codes) +
                                 (c.note.empty() ? "" : "; " + c.note));
    } else if (c.inconclusive) {
      out.status = report::Status::kNoisy;
      out.reason = "exit codes " + code_list(c.codes) + ", expected " + c.expected;
    } else if (c.codes.empty()) {
      report::skip(out, c.note);
    }
    cases.push_back(std::move(out));
  }
  return cases;
}

}  // namespace ember
