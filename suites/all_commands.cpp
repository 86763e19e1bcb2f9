// SPDX-License-Identifier: Apache-2.0
// The one list of subcommands: those of the engine and those of the suites.
#include "engine/cli/command.h"
#include "harness/commands.h"
#include "suites/bench/bench_command.h"
#include "suites/golden_logits/golden_command.h"
#include "suites/report/report_command.h"
#include "suites/suite/suite_command.h"

namespace ember {

std::vector<CommandEntry> all_commands() {
  return {
      {"generate", "continue a prompt; the default", add_generate},
      {"chat", "hold a conversation", add_chat},
      {"tokenize", "text to token ids, ids to text, conversations to both", add_tokenize},
      {"inspect", "list the config and the tensors of a model and check them", add_inspect},
      {"logits", "write logits and hidden states of given token ids", add_logits},
      {"golden", "check the engine against Hugging Face's reference and its own spread",
       add_golden},
      {"report", "validate, show, merge, compare and export reports of benches", add_report},
      {"bench", "measure kernels, generation and the device's limits, and write a report",
       add_bench},
      {"suite", "run every check and bench of a profile, and write one report", add_suite},
      {"devices", "list the CPU and the CUDA devices that this build can use", add_devices},
  };
}

}  // namespace ember
