// SPDX-License-Identifier: Apache-2.0
// The least that one pass through a whole model must move and compute: the denominator of every
// end-to-end share. Weights and cache alone; activations stay on the chip.
#pragma once

#include <cstdint>

#include "engine/model/config.h"
#include "kernels/base/dtype.h"

namespace ember {

// Bytes of one decode step: every matrix once (a tied head counts once, the rows of the embedding
// that are read count as rows), norm gains at 2 bytes, and for each of `sequences` the keys and
// values of `cached` tokens read and of one written.
double decode_step_bytes(const ModelConfig& config, DType weights, DType cache, int64_t cached,
                         int64_t sequences = 1);

// Flops of a prefill of `tokens` after `cached` ones, the head for the last row alone: 2 a weight
// and token, and the visible pairs of causal attention.
double prefill_flops(const ModelConfig& config, int64_t tokens, int64_t cached);

}  // namespace ember
