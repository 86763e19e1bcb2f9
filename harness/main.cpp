// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include "engine/cli/dispatch.h"
#include "engine/io/mmap_file.h"
#include "harness/commands.h"

int main(int argc, char** argv) {
  ember::install_sigbus_handler();
  return ember::dispatch(ember::all_commands(), std::vector<std::string>(argv + 1, argv + argc));
}
