// SPDX-License-Identifier: Apache-2.0
// The benches that load a model.
#pragma once

#include "suites/bench/p2p_command.h"

namespace ember {

BenchCommand add_bench_e2e(CLI::App& bench);     // ember bench e2e
BenchCommand add_bench_phases(CLI::App& bench);  // ember bench phases

}  // namespace ember
