// SPDX-License-Identifier: Apache-2.0
#include "reports/gate/ab.h"

#include <cstdio>

#include "engine/io/mmap_file.h"
#include "kernels/base/error.h"
#include "reports/gate/process.h"
#include "reports/merge.h"
#include "reports/reader.h"
#include "reports/writer.h"

namespace ember::report {
namespace {

std::string replaced(std::string text, const std::string& what, const std::string& with,
                     bool* found) {
  for (size_t at = text.find(what); at != std::string::npos;
       at = text.find(what, at + with.size())) {
    text.replace(at, what.size(), with);
    *found = true;
  }
  return text;
}

class Session {
 public:
  explicit Session(const AbOptions& o) : o_(o) { group_ = "ab-" + std::to_string(o.seed); }

  // `pairs` more processes a side. `ids`: what to measure, or nothing for all.
  void run(int64_t pairs, const std::string& stage, const std::vector<std::string>& ids) {
    std::string wanted = ids.empty() ? "*\n" : "";
    for (const std::string& id : ids) {
      wanted += id + "\n";
    }
    const std::string list = o_.dir + "/" + stage + ".ids";
    write_file_atomically(list, wanted);
    for (const bool first : interleaved_order(pairs, o_.seed, pairs_)) {
      run_one(first, stage, list);
    }
    pairs_ += pairs;
  }

  AbResult compared(double alpha) const {
    AbResult out;
    out.a = side(a_);
    out.b = side(b_);
    out.comparison = compare(out.a, out.b, o_.policy, alpha);
    return out;
  }

 private:
  void run_one(bool first, const std::string& stage, const std::string& ids) {
    char number[16];
    std::snprintf(number, sizeof number, "%03lld", static_cast<long long>(slot_));
    const std::string stem = o_.dir + "/" + number + (first ? "-a" : "-b");
    const std::string out = stem + ".json";
    std::remove(out.c_str());
    o_.progress(stage + ": process " + std::to_string(slot_ + 1) + ", " + (first ? "A" : "B"));
    const int code = run_process(command_of(o_, first, out, ids), stem + ".log", o_.limit_s);
    if (!file_exists(out)) {
      fail(ErrorKind::kInconclusive, first ? o_.a : o_.b, " left no report (exit code ", code,
           "); its output is in ", stem, ".log");
    }
    Report r = read_report(out);
    for (Case& c : r.cases) {
      if (c.samples.size() > 1) {
        fail(ErrorKind::kInconclusive, out, ": holds several processes, one was started");
      }
      for (Samples& s : c.samples) {
        s.process = 0;
        s.order = slot_;
      }
    }
    (first ? a_ : b_).push_back(std::move(r));
    ++slot_;
  }

  Report side(const std::vector<Report>& runs) const {
    Report r = merge(runs, true);
    r.run.group = group_;
    return r;
  }

  const AbOptions& o_;
  std::string group_;
  int64_t slot_ = 0, pairs_ = 0;
  std::vector<Report> a_, b_;
};

// What was flagged in either direction and has no verdict yet.
std::vector<std::string> open_ids(const Comparison& c) {
  std::vector<std::string> ids;
  for (const CaseVerdict& v : c.cases) {
    if (v.flagged && v.verdict == Verdict::kInconclusive) {
      ids.push_back(v.id);
    }
  }
  return ids;
}

// The second look decides what the first left open, and nothing else.
void keep_first_look(const Comparison& first, Comparison* second) {
  for (size_t i = 0; i < first.cases.size(); ++i) {
    if (first.cases[i].verdict != Verdict::kInconclusive) {
      second->cases[i] = first.cases[i];
    }
  }
}

}  // namespace

std::vector<std::string> command_of(const AbOptions& o, bool first, const std::string& out,
                                    const std::string& ids) {
  std::vector<std::string> command = {first ? o.a : o.b};
  bool has_out = false, has_ids = false;
  for (const std::string& argument : o.args) {
    command.push_back(replaced(replaced(argument, "{out}", out, &has_out), "{ids}", ids, &has_ids));
  }
  if (!has_out) {
    command.push_back("--json");
    command.push_back(out);
  }
  return command;
}

std::vector<bool> interleaved_order(int64_t pairs, uint64_t seed, int64_t block) {
  std::vector<bool> out;
  bool first = false;
  for (int64_t i = 0; i < pairs; ++i) {
    if (i % 2 == 0) {  // splitmix64 of seed and block: which side opens A B B A
      uint64_t z = seed * 0x9e3779b97f4a7c15u + static_cast<uint64_t>(block + i + 1);
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
      z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
      first = ((z >> 40) & 1) != 0;
    } else {
      first = !first;
    }
    out.push_back(first);
    out.push_back(!first);
  }
  return out;
}

AbResult run_ab(const AbOptions& o) {
  const Policy& policy = o.policy;
  Session session(o);
  session.run(policy.screen_processes, "screen", {});
  AbResult result = session.compared(policy.alpha);
  std::vector<std::string> open = open_ids(result.comparison);
  if (open.empty() || !result.comparison.refusals.empty()) {
    return result;
  }
  session.run(policy.confirm_processes, "confirm", open);
  result = session.compared(policy.alpha * policy.first_look_share);
  open = open_ids(result.comparison);
  const int64_t more = policy.extend_processes - policy.confirm_processes;
  if (open.empty() || more <= 0 || !result.comparison.refusals.empty()) {
    return result;
  }
  session.run(more, "extend", open);
  AbResult last = session.compared(policy.alpha * (1 - policy.first_look_share));
  keep_first_look(result.comparison, &last.comparison);
  last.comparison.notes.push_back("the confirming rounds were extended once, as planned");
  return last;
}

}  // namespace ember::report
