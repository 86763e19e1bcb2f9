// SPDX-License-Identifier: Apache-2.0
// What an export of Nsight Systems (`nsys export --type sqlite`) says about ranges, the CUDA calls
// made in them, and the kernels that those calls launched. Times are ns of the recording's clock,
// which may be negative: the recording starts at 0, the process before it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "reports/report.h"

namespace ember::report::nsys {

struct Range {
  int64_t start = 0, end = 0;
  int64_t thread = 0;  // process and thread in one number, as the export has it
  int32_t name = 0;    // in Trace::names
  bool nests = true;   // push/pop; a start/end range may overlap others
};

struct Call {
  int64_t start = 0;
  int64_t thread = 0;
  int64_t process = 0;
  int64_t correlation = 0;  // of this call and what it launched, unique in its process
};

struct Kernel {
  int64_t start = 0, end = 0;
  int64_t process = 0;
  int64_t correlation = -1;  // -1: not recorded
  int32_t name = 0;
  int32_t device = 0;
};

struct Trace {
  std::vector<std::string> names;  // printable, valid UTF-8, at most kMaxName bytes
  std::vector<Range> ranges;
  std::vector<Call> calls;
  std::vector<Kernel> kernels;     // and graphs that were recorded whole
  std::vector<Gpu> gpus;           // those that ran kernels, by index
  std::optional<int64_t> started;  // of the recording: s since 1970, UTC
  std::vector<std::string> notes;  // what was found odd, or left out, for the user
};

inline constexpr size_t kMaxName = 200;
inline constexpr size_t kMaxDevices = 64;
inline constexpr int64_t kMaxTime = int64_t{1} << 53;  // 104 days either way

struct TraceOptions {
  std::optional<std::string> domain;  // NVTX domain of the ranges; unset: Ember's own
  std::vector<std::string> payload;  // names of ranges that their payload tells apart: linear[1024]
};

// Throws Error{kBadInput} naming file, table, column and row for a file that is no export, or one
// that lacks what is needed, and Error{kUsage} in a build without SQLite.
Trace read_trace(const std::string& path, const TraceOptions& options);

// A kernel's name without return type, parameters and anonymous namespaces.
std::string kernel_label(std::string_view demangled);
// `text` printable, valid UTF-8, and at most kMaxName bytes: what is longer ends in a hash of it.
std::string label(std::string_view text);

}  // namespace ember::report::nsys
