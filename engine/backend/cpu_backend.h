// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "engine/backend/backend.h"

namespace ember {

// fp32 activations and cache on all cores; weights stay as they are in host memory, 16-bit or not.
std::unique_ptr<IBackend> make_cpu_backend();

}  // namespace ember
