// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "engine/cli/flags.h"
#include "engine/cli/prompt.h"
#include "engine/cli/sampling_flags.h"

namespace ember {

struct ChatFlags {
  ModelFlags model;
  PromptFlags prompt;  // text: a first message; system, think, special
  LengthFlags length;
  SamplingFlags sampling;
  std::string stats = "none";
  bool hide_thinking = false;
  std::string history;  // file of typed lines; "": in memory only
};

// Reads messages until the end of input or /exit. Returns the exit code.
int run_chat(const ChatFlags& flags);

}  // namespace ember
