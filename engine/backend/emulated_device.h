// SPDX-License-Identifier: Apache-2.0
// The CPU as a device apart, for proofs without a GPU: it computes as the CUDA backend does
// (activations, cache and matrices in `dtype`, fp32 sums and residual stream, q|k|v and gate|up in
// one matrix each), and its memory cannot be read or written by the host. What it hands out are
// addresses outside every process's space: an access other than by upload() and download() ends
// the process, and an op given host memory throws. One token runs as if recorded into a graph: a
// copy meanwhile throws, as on a device. Ops stay apart, so that each can be looked at, but with
// `decode_layers` (16-bit types alone) the layers of a step of one token are one op.
#pragma once

#include <memory>

#include "engine/backend/backend.h"

namespace ember {

std::unique_ptr<IBackend> make_emulated_device(DType dtype, bool decode_layers = false);

}  // namespace ember
