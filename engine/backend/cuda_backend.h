// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "engine/backend/backend.h"

namespace ember {

// One stream of one device. Activations, cache and matrices are of `dtype` (F16, BF16, or F32,
// which is exact and slow); matrices of another dtype are converted as they are placed. The
// residual stream, norms, softmax and logits are fp32. One token runs as a CUDA graph. Throws
// Error{kNoDevice} where the device cannot be used.
std::unique_ptr<IBackend> make_cuda_backend(DeviceId device, DType dtype);

}  // namespace ember
