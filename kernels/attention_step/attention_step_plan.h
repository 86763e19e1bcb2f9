// SPDX-License-Identifier: Apache-2.0
// Which kernel serves a step of attention on a CUDA device, and how the work is shared out. Pure
// functions; what the kernel itself needs, once the positions are known, is constexpr.
//
// The positions that a kv head's blocks have to read are cut into groups of 16. The groups of all
// sequences stand in one list, sequence after sequence. The blocks of a kv head take equal shares
// of it, so that any mixture of lengths is balanced; a sequence that spans several shares is put
// together from parts.
#pragma once

#include <cstdint>
#include <string>

#include "kernels/attention/attention.h"
#include "kernels/attention_step/attention_step.h"
#include "kernels/qk_norm_rope/qk_norm_rope.h"

namespace ember::k {

enum class AttentionStepKernel {
  kFused,       // one launch; the block of a kv head that comes last merges the others' parts
  kPrimitives,  // qk_norm_rope and attention, row by row: what the other does not take
};

inline constexpr int kStepKeys = 16;  // positions of a group: a warp's step
inline constexpr int kStepRows = 8;   // query heads of a kv head at most: a tile of tensor cores
inline constexpr int kStepMaxRanks = 128;  // blocks of a kv head at most

struct AttentionStepPlan {
  AttentionStepKernel kernel;
  int ranks;         // blocks of a kv head
  int warps;         // of a block: 4 or 8; they take a share's groups in turn
  int stages;        // groups that a warp has room for
  int alone, least;  // see step_shares
  int shared_bytes;  // of a block

  std::string str() const;
};

// For a device whose blocks can have so many bytes of shared memory: 99 KB or more.
AttentionStepPlan plan_attention_step(const AttentionStepParams& p, int sm_count,
                                      int64_t shared_bytes);

// ---- Shares, from the positions ----

// How many shares `groups` of `sequences` are cut into. A block that works alone needs no exchange,
// so short sequences (up to `alone` groups on average) get one each; else a share has `least`
// groups until all blocks have work.
constexpr int step_shares(int groups, int sequences, int ranks, int alone, int least) {
  const int wanted = groups <= alone * sequences ? sequences : (groups + least - 1) / least;
  const int limit = groups < ranks ? groups : ranks;
  return wanted < limit ? wanted : limit;
}
// First group of a share, and of the one after the last.
constexpr int step_cut(int share, int groups, int shares) {
  return share * groups / shares;
}
// The share that a group is in.
constexpr int step_share_of(int group, int groups, int shares) {
  return ((group + 1) * shares - 1) / groups;
}

// ---- Shared memory of a block, bytes from its start ----

// The sum of `group` rows, with room so that rows fall into different banks.
constexpr int step_row_floats(int E) {
  return E + 4;
}
struct StepLayout {
  int ring, q, fresh, parts, tails, end;
};

constexpr StepLayout step_layout(int group, int E, int warps, int stages) {
  StepLayout l{};
  l.ring = 0;  // (warps, stages): 16 rows of K, then of V
  l.q = l.ring + warps * stages * 2 * kStepKeys * E * 2;
  l.fresh = l.q + kStepRows * E * 2;                           // the new rows of K and V
  l.parts = l.fresh + 2 * E * 2;                               // (warps, group) rows
  l.tails = l.parts + warps * group * step_row_floats(E) * 4;  // (warps, kStepRows) max, sum
  l.end = l.tails + warps * kStepRows * 8;
  return l;
}

// Scratch of kFused: two parts of `group` rows for each block, and a ticket for each sequence of
// each kv head; of kPrimitives: q of a step.
constexpr int64_t step_part_floats(int64_t group, int64_t E) {
  return group * E + 2 * kStepRows;
}
constexpr int64_t step_partial_bytes(int64_t K, int64_t ranks, int64_t group, int64_t E) {
  return K * ranks * 2 * step_part_floats(group, E) * 4;
}
constexpr int64_t step_ticket_bytes(int64_t K) {
  return K * kMaxStepSequences * 4;
}

// ---- The two ops of row b ----

QkNormRopeParams step_rope(const AttentionStepParams& p, int64_t b, const TensorView& q_out);
AttentionParams step_attention(const AttentionStepParams& p, int64_t b, const TensorView& q);

}  // namespace ember::k
