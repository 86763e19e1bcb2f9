// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "engine/runtime/generator.h"

namespace ember {

// logits: (V) F32. Log-softmax in double of token `id`, and of the `top` likeliest.
GeneratedToken token_logprobs(const float* logits, int64_t vocab, int32_t id, int64_t top);

}  // namespace ember
