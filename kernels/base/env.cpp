// SPDX-License-Identifier: Apache-2.0
#include "kernels/base/env.h"

#include <cerrno>
#include <cstdlib>

#include "kernels/base/error.h"

namespace ember {
namespace {

const EnvDoc& row(EnvVar id) {
  for (const EnvDoc& d : env_table()) {
    if (d.id == id) {
      return d;
    }
  }
  fail(ErrorKind::kInternal, "environment variable ", static_cast<int>(id), " has no row");
}

}  // namespace

const std::vector<EnvDoc>& env_table() {
  static const std::vector<EnvDoc> table = {
      {EnvVar::kThreads, "EMBER_THREADS", "all CPUs allowed",
       "threads of the CPU backend, 1 to 256"},
      {EnvVar::kCpuIsa, "EMBER_CPU_ISA", "best the CPU has",
       "instruction set of the CPU kernels: plain, avx2 or avx512"},
      {EnvVar::kPoison, "EMBER_POISON", "0",
       "1 fills fresh buffers with NaN, so that reads of unwritten memory show"},
      {EnvVar::kNoColor, "NO_COLOR", "unset",
       "any value turns coloured messages off (no-color.org)"},
      {EnvVar::kSync, "EMBER_SYNC", "0",
       "1 waits for every CUDA kernel, so that an error names the op that had it"},
      {EnvVar::kPrintPlan, "EMBER_PRINT_PLAN", "0",
       "1 prints on stderr how each CUDA kernel is cut for the shapes that it meets"},
      {EnvVar::kDecodeLayers, "EMBER_DECODE_LAYERS", "1",
       "0 runs the layers of a decode step op by op also where the device has one kernel for all"},
      {EnvVar::kNoPeer, "EMBER_NO_PEER", "0",
       "1 refuses copies straight between GPUs, as on machines where they fail: hops are staged"},
      {EnvVar::kLink, "EMBER_LINK", "unset",
       "GB/s[,us]: each hop between pipeline stages takes as much longer as its bytes need over a "
       "link of that rate and latency, to see what a slow link does to a pipeline"},
      {EnvVar::kPlantDelay, "EMBER_PLANT_DELAY", "unset",
       "TEXT=SHARE: `ember bench kernels` spends SHARE of its time again on each case whose id "
       "contains TEXT, to test the gate (`ember suite selftest`)"},
  };
  return table;
}

std::optional<std::string> env_text(EnvVar id) {
  const char* value = std::getenv(row(id).name);
  if (value == nullptr || *value == '\0') {
    return std::nullopt;
  }
  return value;
}

std::optional<int64_t> env_int(EnvVar id, int64_t lo, int64_t hi) {
  const auto text = env_text(id);
  if (!text) {
    return std::nullopt;
  }
  char* end = nullptr;
  errno = 0;
  const long long value = std::strtoll(text->c_str(), &end, 10);
  if (errno != 0 || *end != '\0' || value < lo || value > hi) {
    fail(ErrorKind::kUsage, row(id).name, ": expected an integer from ", lo, " to ", hi, ", got '",
         *text, "'");
  }
  return value;
}

bool env_flag(EnvVar id) {
  return env_int(id, 0, 1).value_or(0) == 1;
}

std::string env_help() {
  std::string s;
  for (const EnvDoc& d : env_table()) {
    s += std::string(d.name) + "\n    " + d.doc + "\n    default: " + d.default_text + "\n";
  }
  return s;
}

}  // namespace ember
