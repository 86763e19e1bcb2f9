// SPDX-License-Identifier: Apache-2.0
// The one list of subcommands: those of the engine and those of the suites.
#include "engine/cli/command.h"
#include "harness/commands.h"

namespace ember {

std::vector<CommandEntry> all_commands() {
  return {
      {"tokenize", "text to token ids, ids to text, conversations to both", add_tokenize},
      {"inspect", "list the config and the tensors of a model and check them", add_inspect},
      {"devices", "list the CPU and the CUDA devices that this build can use", add_devices},
  };
}

}  // namespace ember
