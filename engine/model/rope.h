// SPDX-License-Identifier: Apache-2.0
// Rotary frequencies, equal to the bit to what transformers computes in fp32 on a CPU
// (modeling_rope_utils.py and Qwen3RotaryEmbedding). Equality matters: a frequency that differs in
// its last bit turns a head by 2e-3 rad more at position 32768.
// yarn: Peng et al., "YaRN: Efficient Context Window Extension of Large Language Models", 2023.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/model/config.h"

namespace ember {

// E/2 inverse frequencies: the angle of pair i at position p is float(p) * inv_freq[i]. E is even.
// cos and sin of the angle are then multiplied by rope.attention_factor (1 without yarn).
std::vector<float> rope_inv_freq(const RopeConfig& rope, int64_t E);

// The attention factor that yarn takes where config.json gives none. 0 stands for an absent mscale.
double yarn_attention_factor(double factor, double mscale, double mscale_all_dim);

}  // namespace ember
