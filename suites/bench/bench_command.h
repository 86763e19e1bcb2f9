// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/cli/command.h"

namespace ember {

CommandFn add_bench(CLI::App& app);  // ember bench e2e|kernels|p2p|ceilings

}  // namespace ember
