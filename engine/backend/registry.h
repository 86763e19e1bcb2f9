// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/backend/backend.h"

namespace ember {

// The backend of a device. Throws Error{kNoDevice} saying why when this build or this machine has
// none for it, and Error{kUsage} when `dtype` ("auto", "fp32", "bf16", "fp16") is not one of its.
std::unique_ptr<IBackend> make_backend(DeviceId device, const std::string& dtype);

// Bytes that a new allocation on the device may use now: free memory on a GPU, available memory
// (the cgroup's limit counted) on the host.
int64_t available_bytes(DeviceId device);

}  // namespace ember
