// SPDX-License-Identifier: Apache-2.0
// Every environment variable that Ember reads, in one table; no other file calls getenv.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ember {

enum class EnvVar {
  kThreads,
  kCpuIsa,
  kPoison,
  kNoColor,
  kSync,
  kNoPeer,
  kLink,
  kPlantDelay,
  kPrintPlan,
  kDecodeLayers
};

struct EnvDoc {
  EnvVar id;
  const char* name;
  const char* default_text;
  const char* doc;
};

const std::vector<EnvDoc>& env_table();
// Unset or empty gives nullopt. Read each time: callers keep what they need.
std::optional<std::string> env_text(EnvVar id);
// Throws Error{kUsage} naming variable and value unless it is an integer from lo to hi.
std::optional<int64_t> env_int(EnvVar id, int64_t lo, int64_t hi);
// 1 or 0; throws Error{kUsage} for anything else. Unset is false.
bool env_flag(EnvVar id);
// The table as text, for --help-env.
std::string env_help();

}  // namespace ember
