// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "engine/cli/command.h"

namespace ember {

struct BenchCommand {
  CLI::App* app;
  std::function<int()> run;  // exit code
};

BenchCommand add_bench_p2p(CLI::App& bench);  // ember bench p2p

}  // namespace ember
