// SPDX-License-Identifier: Apache-2.0
// How the blocks of decode_layers share out the work, and what lies where in their memory. Pure
// functions; what the kernel itself needs is constexpr.
//
// Every block takes a run of rows of every matrix, and keeps the same ones in each layer.
// Weights come in stages: 8 rows of up to 1024 or 1280 columns. Cached positions come through the
// same ring of stages: 32 rows of K, then of V, of one kv head. A kv head's positions are cut into
// shares, a block each.
#pragma once

#include <cstdint>
#include <string>

#include "kernels/decode_layers/decode_layers.h"

namespace ember::k {

inline constexpr int kLayersHeadDim = 128;  // E
inline constexpr int kLayersMaxGroup = 8;   // query heads of a kv head: columns of a tile
inline constexpr int kLayersMaxD = 5120;    // a thread holds D / 256 values of x
inline constexpr int kLayersMaxCount = 64;  // layers
inline constexpr int kLayersWarps = 8;      // that compute; one more copies
inline constexpr int kLayersRows = 8;       // of a stage of weights, at most
inline constexpr int kLayersKeys = 32;      // positions of a stage of the cache
inline constexpr int kLayersKeyBytes = kLayersHeadDim * 2;
// Columns of a stage of weights: the wide form for rows of x that it divides and the other does not
// (qwen3-4b: 2560).
inline constexpr int kLayersColumns = 1024, kLayersWideColumns = 1280;
constexpr int layers_columns(int D) {
  return D % kLayersColumns != 0 && D % kLayersWideColumns == 0 ? kLayersWideColumns
                                                                : kLayersColumns;
}
constexpr int layers_stage_bytes(int columns) {
  return kLayersRows * columns * 2;
}
static_assert(2 * kLayersKeys * kLayersKeyBytes == layers_stage_bytes(kLayersColumns),
              "both fill a stage");
inline constexpr int kLayersQueryBytes = kLayersKeyBytes + 16;  // apart, for the banks
inline constexpr int kLayersMinStages = 4, kLayersMaxStages = 12;

// The unit of a matrix's rows (one row, or two for gate and up) that block `b` of `blocks` begins
// with. In 32 bits: a matrix has fewer than 2^17 rows.
constexpr int layers_cut(int b, int units, int blocks) {
  return b * units / blocks;
}
// Room for the rows of any block, in whole stages.
constexpr int layers_most_rows(int rows, int blocks) {
  return ((rows + blocks - 1) / blocks + 1 + kLayersRows - 1) / kLayersRows * kLayersRows;
}

// Shares of a kv head whose positions fill so many stages. Up to 256 positions one block works
// alone, a warp 32 of them, without an exchange; then a share has 4 stages until all of a kv head's
// blocks have one.
constexpr int layers_shares(int stages, int ranks) {
  const int wanted = stages <= 8 ? 1 : (stages + 3) / 4;
  return wanted < ranks ? wanted : ranks;
}
constexpr int layers_share_cut(int share, int stages, int shares) {
  return share * stages / shares;
}

// ---- Shared memory of a block, bytes from its start ----
// While matrices are multiplied: x in planes of 16 bits (padded so that planes fall into different
// banks), and a row of partial sums for each row of weights, a sum a warp. During attention the
// same memory holds queries, the new rows of K and V, and the warps' parts.

constexpr int layers_plane_bytes(int columns) {
  return columns * 2 + 64;
}
inline constexpr int kLayersPlanes = 3;                        // of 16 bits, whose sum is fp32
inline constexpr int kLayersPartialFloats = kLayersWarps + 4;  // a row of sums, padded
inline constexpr int kLayersPartFloats = kLayersHeadDim + 4;
inline constexpr int kLayersFactBytes = 640;

struct LayersLayout {
  int ring, planes, partial;         // multiplying
  int queries, fresh, parts, tails;  // attending: in the memory of planes and partial
  int residual, barriers, facts, end;
};

constexpr LayersLayout layers_layout(int D, int H, int K, int F, int blocks, int stages) {
  const auto most = [](int a, int b) { return a > b ? a : b; };
  const int group = H / K, E = kLayersHeadDim;
  LayersLayout l{};
  l.ring = 0;
  l.planes = stages * layers_stage_bytes(layers_columns(D));
  // Apart from queries and fresh: they are written while sums are still read.
  l.partial = l.planes + most(most(kLayersPlanes * layers_plane_bytes(D), layers_plane_bytes(F)),
                              most(layers_plane_bytes(H * E),
                                   kLayersMaxGroup * kLayersQueryBytes + 2 * kLayersKeyBytes));
  const int rows = most(layers_most_rows((H + 2 * K) * E, blocks),
                        most(2 * layers_most_rows(F, blocks), layers_most_rows(D, blocks)));
  const int multiplying = l.partial + rows * kLayersPartialFloats * 4;
  l.queries = l.planes;
  l.fresh = l.queries + kLayersMaxGroup * kLayersQueryBytes;
  l.parts = l.fresh + 2 * kLayersKeyBytes;
  l.tails = l.parts + kLayersWarps * group * kLayersPartFloats * 4;
  // Rows of all shares that one block merges take the place of its own parts.
  const int attending = most(l.tails + kLayersWarps * kLayersMaxGroup * 8,
                             l.parts + (blocks / K + group) * kLayersPartFloats * 4);
  l.residual = most(multiplying, attending);
  l.barriers = (l.residual + layers_most_rows(D, blocks) * 4 + 15) / 16 * 16;
  l.facts = l.barriers + 2 * kLayersMaxStages * 8;
  l.end = l.facts + kLayersFactBytes;
  return l;
}

// ---- Scratch in device memory: what blocks tell each other ----
// In words of 8 bytes: 4 of payload and a tag. A payload is an fp32 number or two of 16 bits.

struct LayersExchange {
  int x, qkv, attn, act, parts, end;  // bytes from its start
};
// Of a share's row: pairs of elements, then maximum and sum; 16 bytes each.
inline constexpr int kLayersPartUnits = kLayersHeadDim / 2 + 1;
constexpr LayersExchange layers_exchange(int D, int H, int K, int F, int ranks) {
  LayersExchange e{};
  e.x = 0;
  e.qkv = e.x + D * 8;
  e.attn = e.qkv + (H + 2 * K) * kLayersHeadDim * 8;
  e.act = e.attn + H * kLayersHeadDim * 4;
  e.parts = e.act + F * 4;
  e.end = e.parts + H * ranks * kLayersPartUnits * 16;
  return e;
}
// Launches so far, and blocks that have left the current one.
inline constexpr int kLayersCounterBytes = 8;

struct DecodeLayersPlan {
  int blocks;     // one an SM
  int ranks;      // blocks of a kv head at most
  int columns;    // of a stage
  int stages;     // of the ring; 0: the device cannot run the kernel
  int in_flight;  // of these asked for and not there yet, at most
  int shared_bytes;

  std::string str() const;
};

DecodeLayersPlan plan_decode_layers(int64_t D, int64_t H, int64_t K, int64_t F, int sm_count,
                                    int64_t shared_bytes);
// What of decode_layers_takes() concerns operands alone.
bool layers_fit_kernel(const DecodeLayersParams& p);

}  // namespace ember::k
