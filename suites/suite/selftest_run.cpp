// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

#include "engine/core/clock.h"
#include "engine/io/mmap_file.h"
#include "kernels/base/error.h"
#include "reports/gate/process.h"
#include "reports/writer.h"
#include "suites/suite/selftest_checks.h"

namespace ember {

using Strings = SelftestRun::Strings;

namespace {
constexpr double kLimitSeconds = 600;
}

std::string read_file(const std::string& path) {
  return std::string(MappedFile::open(path)->text());
}

void write_json(const std::string& path, const report::Json& j) {
  report::write_file_atomically(path, j.dump(1) + "\n");
}

int SelftestRun::ember(const Strings& args, const Strings& environment) {
  Strings command;
  command.push_back("env");
  command.insert(command.end(), options_.environment.begin(), options_.environment.end());
  command.insert(command.end(), environment.begin(), environment.end());
  command.push_back(options_.binary);
  command.insert(command.end(), args.begin(), args.end());
  char log[32];
  std::snprintf(log, sizeof log, "%03lld.log", static_cast<long long>(++processes_));
  try {
    return report::run_process(command, path(log), kLimitSeconds);
  } catch (const Error& e) {
    return exit_code(e.kind());
  }
}

void SelftestRun::expect(const std::string& name, int code, const Strings& args) {
  SelftestCheck c;
  c.name = name;
  c.expected = std::to_string(code);
  const double start = now_seconds();
  c.codes = {ember(args)};
  c.seconds = now_seconds() - start;
  c.pass = c.codes[0] == code;
  if (!c.pass) {
    c.note = "see " + std::to_string(processes_) + ".log";
  }
  add(std::move(c));
}

void SelftestRun::add(SelftestCheck check) {
  checks_.push_back(std::move(check));
  done_(checks_.back());
}

void SelftestRun::skip(const std::string& name, const std::string& expected,
                       const std::string& why) {
  SelftestCheck c;
  c.name = name;
  c.expected = expected;
  c.note = why;
  add(std::move(c));
}

SelftestRun::Strings SelftestRun::bench() const {
  Strings args = {"bench", "kernels", "--devices", options_.devices, "--no-ceilings"};
  args.insert(args.end(), options_.bench.begin(), options_.bench.end());
  return args;
}

}  // namespace ember
