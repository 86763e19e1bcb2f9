// SPDX-License-Identifier: Apache-2.0
#include "suites/suite/run_steps.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "engine/core/clock.h"
#include "engine/io/json.h"
#include "engine/io/mmap_file.h"
#include "harness/environment.h"
#include "kernels/base/error.h"
#include "reports/gate/process.h"
#include "reports/reader.h"
#include "reports/writer.h"

namespace ember {
namespace {

namespace fs = std::filesystem;
using report::Json;

constexpr const char* kStateSchema = "ember.suite/1";

// What suite.json remembers of a process that ended.
struct Done {
  std::vector<std::string> args;
  int exit_code = 0;
  double seconds = 0;
};

class Runner {
 public:
  Runner(std::vector<SuiteStep> steps, const RunOptions& o) : o_(o), binary_(binary_sha256()) {
    for (SuiteStep& s : steps) {
      StepResult r;
      r.step = std::move(s);
      result_.steps.push_back(std::move(r));
    }
    std::error_code error;
    fs::create_directories(fs::path(o.dir) / "parts", error);
    if (error) {
      fail(ErrorKind::kUsage, o.dir, ": cannot create the folder: ", error.message());
    }
    if (o.resume) {
      read_state();
    }
  }

  SuiteResult run() {
    write_state();
    int64_t rounds = 0;
    for (const StepResult& r : result_.steps) {
      rounds = std::max(rounds, r.step.processes);
    }
    for (int64_t round = 0; round < rounds; ++round) {
      for (StepResult& r : result_.steps) {
        const bool wanted = r.step.skipped.empty() && r.failure.empty() && round < r.step.processes;
        if (!wanted || result_.interrupted) {
          continue;
        }
        one(&r, round);
        if (r.step.judges && r.exit_code != 0) {
          stop_measuring(r.step.name);
        }
      }
    }
    return std::move(result_);
  }

 private:
  std::string stem(const StepResult& r, int64_t process) const {
    return o_.dir + "/parts/" + r.step.name + "-" + std::to_string(process + 1);
  }

  void one(StepResult* r, int64_t process) {
    const std::string stem = this->stem(*r, process), out = stem + ".json";
    const std::string key = fs::path(stem).filename().string();
    if (kept(r, key, out)) {
      return;
    }
    o_.progress(key + " of " + std::to_string(r->step.processes));
    std::remove(out.c_str());
    std::vector<std::string> command = {o_.binary};
    command.insert(command.end(), r->step.args.begin(), r->step.args.end());
    command.insert(command.end(), {r->step.report_flag, out});
    const double start = now_seconds();
    int code = 0;
    try {
      code = report::run_process(command, stem + ".log", r->step.limit_s, o_.stop);
    } catch (const Error& e) {
      code = exit_code(e.kind());
      r->failure = e.what();
    }
    const double seconds = now_seconds() - start;
    r->seconds += seconds;
    if (o_.stop()) {
      result_.interrupted = true;
      r->failure = "interrupted";
      return;
    }
    take(r, code, out, stem + ".log");
    done_[key] = {r->step.args, code, seconds};
    write_state();
  }

  void take(StepResult* r, int code, const std::string& out, const std::string& log) {
    if (r->exit_code == 0) {
      r->exit_code = code;
    }
    if (r->failure.empty() && file_exists(out)) {
      try {
        r->reports.push_back(report::read_report(out));
      } catch (const Error& e) {  // it stopped in the middle, or wrote nonsense: its own bug
        r->failure = e.what();
      }
    } else if (r->failure.empty()) {
      r->failure = "exit code " + std::to_string(code) + " and no report; its output is in " + log;
    }
    if (!r->failure.empty() && r->exit_code == 0) {
      r->exit_code = exit_code(ErrorKind::kInternal);
    }
  }

  bool kept(StepResult* r, const std::string& key, const std::string& out) {
    const auto done = done_.find(key);
    if (done == done_.end() || done->second.args != r->step.args || done->second.exit_code > 1 ||
        !file_exists(out)) {
      return false;
    }
    take(r, done->second.exit_code, out, "");
    r->seconds += done->second.seconds;
    ++r->kept;
    return true;
  }

  // A rate of an engine that computes something else says nothing.
  void stop_measuring(const std::string& judge) {
    for (StepResult& r : result_.steps) {
      if (r.step.measures_engine && r.step.skipped.empty()) {
        r.step.skipped = "`" + judge + "` failed: the rates of a wrong engine say nothing";
      }
    }
  }

  void read_state() {
    const std::string path = o_.dir + "/suite.json";
    if (!file_exists(path)) {
      return;
    }
    const auto file = MappedFile::open(path);
    const JsonDocument document(file->text(), path);
    const JsonNode root = document.root();
    if (root.at("schema").string() != kStateSchema) {
      root.at("schema").fail("expected \"", kStateSchema, "\"");
    }
    if (root.at("binary_sha256").string() != binary_) {
      fail(ErrorKind::kUsage, path,
           ": made by another binary; without --resume the suite starts anew");
    }
    const JsonNode processes = root.at("processes").object();
    for (const auto& [key, ignored] : processes.value().items()) {
      const JsonNode node = processes.at(key);
      Done d;
      for (size_t i = 0; i < node.at("args").array().size(); ++i) {
        d.args.push_back(node.at("args").item(i).string());
      }
      d.exit_code = static_cast<int>(node.at("exit_code").integer(0, 255));
      d.seconds = node.at("seconds").number();
      done_[key] = std::move(d);
    }
  }

  void write_state() const {
    Json processes = Json::object();
    for (const auto& [key, d] : done_) {
      processes[key] = {{"args", d.args}, {"exit_code", d.exit_code}, {"seconds", d.seconds}};
    }
    const Json j = {{"schema", kStateSchema}, {"binary_sha256", binary_}, {"processes", processes}};
    report::write_file_atomically(o_.dir + "/suite.json", j.dump(1) + "\n");
  }

  const RunOptions& o_;
  std::string binary_;
  SuiteResult result_;
  std::map<std::string, Done> done_;
};

}  // namespace

int SuiteResult::exit_code() const {
  int first = 0;
  for (const StepResult& r : steps) {
    const bool wrong = r.exit_code == ember::exit_code(ErrorKind::kWrong);
    if (wrong) {
      return r.exit_code;
    }
    if (first == 0 && r.exit_code != 0) {
      // By a signal: a crash is a bug of the binary.
      first = r.exit_code > 128 ? ember::exit_code(ErrorKind::kInternal) : r.exit_code;
    }
  }
  return first;
}

SuiteResult run_steps(std::vector<SuiteStep> steps, const RunOptions& options) {
  return Runner(std::move(steps), options).run();
}

}  // namespace ember
