// SPDX-License-Identifier: Apache-2.0
// id[b] = one token drawn from the logits x[b, :], after temperature, top-k, top-p and min-p in the
// order of transformers' generate(); or, greedy, the lowest index of the largest logit. On request
// also what ends a step of decoding (kernels/advance/advance.h).        limited by: latency
//
// The draw is defined in integers, so that every device and any order of summation gives the same
// id. With M the largest logit, drop(i) = (M - x[i]) * scale in double, in units of 2^-46 of a
// power of two (scale = 2^46 log2(e) / temperature), and the weight
//   W[i] = 2^44 * 2^-(drop(i) / 2^46) = 2^44 exp((x[i] - M) / temperature), rounded by
// sample_weight() below: 0 from drop = 45 * 2^46 on, which is a probability below 3e-14.
// Tokens are put in order: larger logit first, lower index first among equals (-0 equals +0). Each
// filter keeps a beginning of that order:
//   top-k   the first k and all that tie with the k-th               0: off
//   top-p   the shortest beginning whose W sum to p times what top-k left, rounded up; never
//           less than one token                                      1: off
//   min-p   those with drop <= max_drop                              infinity: off
// The first token whose running sum of W exceeds floor(r * total / 2^64) is drawn, where total is
// the sum over what is left and r the 64 random bits of sample_random(seed, counter + position).
//
// B rows, each with settings and a position of its own: x (B, V) F32, B from 1 to 32, V from 1 to
// 2^19; id (B) I32; settings (B, 12) I32, or (12) for one row, each the bytes of a SampleSettings,
// in the device's memory, so that a recorded graph serves any settings. Bit b of `greedy` makes row
// b greedy; its settings are left unread, and with all rows greedy settings may be a view with null
// data. Positions: pos_device (B) when not null (memory of the op's device), else all are pos.
// With `advance`, afterwards and for every row: ring[b, position[b] mod R] = id[b], unless ring is
// a view with null data, and position[b] += 1 where pos_device holds the positions. ring (B, R)
// I32, dense, or (R) for one row: host memory, pinned for a CUDA device.
// A row that holds a NaN or +infinity gives -1 - (index of the first such), a row of -infinity
// alone kNothingToSample: no caller mistakes either for a token. -infinity is never drawn. Throws
// Error{kShape|kDtype|kAlign|kUnsupported}. On CUDA several blocks work on one row; a choice takes
// a few microseconds, one with thousands of equal logits among the likeliest up to milliseconds, as
// those are sorted by one block.
#pragma once

#include <cstdint>

#include "kernels/base/cost.h"
#include "kernels/base/rng.h"
#include "kernels/base/stream.h"
#include "kernels/base/tensor.h"

namespace ember::k {

constexpr int32_t kNothingToSample = INT32_MIN;
constexpr int64_t kSampleMaxVocab = int64_t{1} << 19;
constexpr int64_t kSampleMaxRows = 32;
constexpr double kSampleDropUnit = 70368744177664.0;  // 2^46 of drop are one power of two

struct SampleSettings {
  double scale = 0;     // kSampleDropUnit * log2(e) / temperature
  double top_p = 1;     // [0, 1]
  double max_drop = 0;  // -log2(min_p) * kSampleDropUnit
  uint64_t seed = 0;
  uint64_t counter = 0;  // plus the position: number of the draw under the seed, modulo 2^64
  int64_t top_k = 0;
};
constexpr int64_t kSampleSettingsWords = sizeof(SampleSettings) / sizeof(int32_t);

// temperature > 0, top_k >= 0, 0 <= top_p <= 1, 0 <= min_p <= 1; kUnsupported otherwise.
SampleSettings make_sample_settings(double temperature, int64_t top_k, double top_p, double min_p,
                                    uint64_t seed, uint64_t counter);

struct SampleParams {
  TensorView id, x, settings;
  uint32_t greedy = 0;  // bit b: row b
  int64_t pos = 0;
  int32_t* pos_device = nullptr;
  bool advance = false;
  TensorView ring = {};

  int64_t rows() const { return x.shape[0]; }
  bool all_greedy() const { return static_cast<uint64_t>(~greedy) << (64 - rows()) == 0; }
};

void validate(const SampleParams& p);
Cost cost(const SampleParams& p);
void sample_cpu(const SampleParams& p);
void sample_cuda(const SampleParams& p,
                 Stream stream);  // asynchronous; built without CUDA: kUnsupported

// Device memory that sample_cuda takes once a stream, for the largest `rows` and `vocab` so far.
constexpr int64_t sample_scratch_bytes(int64_t vocab, int64_t rows = 1) {
  return rows * ((int64_t{40} << 10) + (8 * vocab + 255) / 256 * 256);
}

// ---- The arithmetic, for both sides ----

constexpr uint64_t high_product(uint64_t a, uint64_t b) {
  return static_cast<uint64_t>(static_cast<unsigned __int128>(a) * b >> 64);
}

// 2^44 * 2^-(drop / 2^46), rounded; 0 <= drop < 45 units. The polynomial of degree 9 interpolates
// 2^-f at the Chebyshev nodes of [0, 1] within 2^-46; its terms alternate in sign.
constexpr uint64_t sample_weight_within(double drop) {
  const uint64_t fixed = static_cast<uint64_t>(drop);
  const uint64_t f = fixed << 18;  // fraction, in units of 2^-64
  uint64_t r = 665619854799;       // in units of 2^-63 from here on
  r = 11643109196736 - high_product(r, f);
  r = 140058401584327 - high_product(r, f);
  r = 1420289568322878 - high_product(r, f);
  r = 12297847311403364 - high_product(r, f);
  r = 88711532692768605 - high_product(r, f);
  r = 511935036079000749 - high_product(r, f);
  r = 2215698446197332149 - high_product(r, f);
  r = 6393154322583159488 - high_product(r, f);
  r = 9223372036854684996u - high_product(r, f);
  return ((r >> (18 + (fixed >> 46))) + 1) >> 1;
}

// The same for any drop >= 0, or NaN.
constexpr uint64_t sample_weight(double drop) {
  return drop < 45 * kSampleDropUnit ? sample_weight_within(drop) : 0;
}

// The mass at which top-p stops: p * total rounded up, at most total.
constexpr uint64_t sample_top_p_limit(double top_p, uint64_t total) {
  const double exact = top_p * static_cast<double>(total);
  if (!(exact < static_cast<double>(total))) {
    return total;
  }
  uint64_t limit = static_cast<uint64_t>(exact);
  limit += static_cast<double>(limit) < exact ? 1 : 0;
  return limit < total ? limit : total;
}

// The 64 random bits of one draw: Philox4x32-10 (kernels/base/rng.h).
constexpr uint64_t sample_random(uint64_t seed, uint64_t draw) {
  const Philox4 r = philox(seed, draw);
  return static_cast<uint64_t>(r.x[1]) << 32 | r.x[0];
}

}  // namespace ember::k
