// SPDX-License-Identifier: Apache-2.0
// What Linux says of the machine that a run had. `root` stands before every path.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace ember {

// Governors of the CPU's clock, each once, in alphabetical order: "performance". Absent where the
// kernel shows none, as in most virtual machines.
std::optional<std::string> cpu_governor(const std::string& root = "");
std::optional<int64_t> numa_nodes(const std::string& root = "");
// Whether this is a container: true by the marks that container managers leave, false on a system
// that systemd started and that has none, absent where nothing tells.
std::optional<bool> in_container(const std::string& root = "");

}  // namespace ember
