// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "engine/backend/backend.h"
#include "engine/backend/hop.h"

namespace ember {

// Between two CUDA backends, which may be of one device.
std::unique_ptr<Hop> make_cuda_hop(IBackend& sender, IBackend& receiver, int64_t bytes,
                                   bool staged);
// What it allocates on either side.
HopBytes cuda_hop_bytes(int64_t bytes);

// Empty when `from` can copy straight to `to`, tried with a copy of known bytes; else why not.
// Between streams of one device there is always a way.
std::string why_no_peer_copy(IBackend& from, IBackend& to);

}  // namespace ember
