// SPDX-License-Identifier: Apache-2.0
// Counter-based random numbers: a pure function of (key, counter), so any element of any stream is
// had without the ones before it, and every device computes the same numbers.
// Philox4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3"
// (SC 2011). constexpr throughout: usable in device code compiled with relaxed constexpr.
#pragma once

#include <cstdint>

namespace ember {

struct Philox4 {
  uint32_t x[4];
};

// Ten rounds over a 128-bit counter (two 64-bit halves, low words first) under a 64-bit key.
constexpr Philox4 philox(uint64_t key, uint64_t counter_lo, uint64_t counter_hi = 0) {
  uint32_t k0 = static_cast<uint32_t>(key);
  uint32_t k1 = static_cast<uint32_t>(key >> 32);
  Philox4 c{{static_cast<uint32_t>(counter_lo), static_cast<uint32_t>(counter_lo >> 32),
             static_cast<uint32_t>(counter_hi), static_cast<uint32_t>(counter_hi >> 32)}};
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = 0xD2511F53ULL * c.x[0];
    const uint64_t p1 = 0xCD9E8D57ULL * c.x[2];
    c = Philox4{{static_cast<uint32_t>(p1 >> 32) ^ c.x[1] ^ k0, static_cast<uint32_t>(p1),
                 static_cast<uint32_t>(p0 >> 32) ^ c.x[3] ^ k1, static_cast<uint32_t>(p0)}};
    k0 += 0x9E3779B9U;
    k1 += 0xBB67AE85U;
  }
  return c;
}

// Uniform in [0, 1) with 53 random bits, from two words.
constexpr double uniform53(uint32_t lo, uint32_t hi) {
  const uint64_t bits = (static_cast<uint64_t>(hi) << 32 | lo) >> 11;
  return static_cast<double>(bits) * (1.0 / 9007199254740992.0);  // 2^-53
}

// Uniform in [0, 1): element `index` of stream `stream` under `seed`.
constexpr double uniform(uint64_t seed, uint64_t index, uint64_t stream = 0) {
  const Philox4 r = philox(seed, index, stream);
  return uniform53(r.x[0], r.x[1]);
}

}  // namespace ember
