// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "kernels/base/launch_log.h"

namespace ember::cuda {

// `kernel` is the host's handle of a __global__ function.
void note_launch(LaunchLog* log, const char* op, const void* kernel, dim3 grid, dim3 block,
                 int64_t dynamic_shared_bytes);

}  // namespace ember::cuda
