// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace ember {

// The forms of bandwidth.h for the CPU, on all threads.
void read_host_memory(const void* from, int64_t bytes, void* sink);
void write_host_memory(void* to, int64_t bytes);
void copy_host_memory(void* to, const void* from, int64_t bytes);

}  // namespace ember
