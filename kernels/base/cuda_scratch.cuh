// SPDX-License-Identifier: Apache-2.0
// Device memory that an op needs between its own blocks: partial sums, tickets, library workspace.
// One piece for each (device, stream, user), so that ops on different streams never share one.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/base/stream.h"

namespace ember::cuda {

enum class ScratchUser {
  kAttentionPartials,
  kAttentionTickets,
  kAttentionStepPartials,
  kAttentionStepTickets,
  kAttentionStepQueries,
  kDecodeLayersExchange,
  kDecodeLayersCounters,
  kLinearLibrary,
  kSample,
};

// At least `bytes`, 256-byte aligned, zero when first handed out; whoever needs zeros later leaves
// zeros behind. Grows by waiting for the stream and allocating anew, so during a graph capture a
// growing request throws Error{kInternal}: run the op once with the largest size before capturing.
std::byte* scratch(int device, Stream stream, ScratchUser user, int64_t bytes);
// Frees what belongs to a stream that is about to be destroyed and has no work left.
void release_scratch(int device, Stream stream) noexcept;

}  // namespace ember::cuda
