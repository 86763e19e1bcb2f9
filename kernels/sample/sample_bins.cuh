// SPDX-License-Identifier: Apache-2.0
// The second kernel: tokens are weighed and filed in bins by value.
#pragma once

#include "kernels/sample/sample_summary.cuh"

namespace ember::k::sampling {

// Of each tile the key of its largest logit, zeros up to a whole group.
struct TileKeys {
  static constexpr int kGroup = 16;
  unsigned key[(kMaxTiles + kGroup - 1) / kGroup * kGroup];

  __device__ static int padded(int tiles) { return (tiles + kGroup - 1) / kGroup * kGroup; }
};

// The k-th largest of them: at least k tokens are no smaller, so that top-k keeps nothing below it.
// With many more tiles than k few tokens lie above. 1 <= k <= tiles.
__device__ __forceinline__ unsigned kth_of_tiles(const TileKeys& keys, int tiles, int k,
                                                 unsigned* partial) {
  unsigned least = kAll;
#pragma unroll 1
  for (int j = threadIdx.x; j < tiles; j += kThreads) {
    const unsigned mine = keys.key[j];
    int larger = 0;
#pragma unroll 1
    for (int i = 0; i < tiles; i += TileKeys::kGroup) {
#pragma unroll
      for (int g = 0; g < TileKeys::kGroup; g += 4) {
        const uint4 four = *reinterpret_cast<const uint4*>(keys.key + i + g);
        larger += (four.x > mine) + (four.y > mine) + (four.z > mine) + (four.w > mine);
      }
    }
    least = larger < k ? min(least, mine) : least;
  }
  least = __reduce_min_sync(kAll, least);
  if (threadIdx.x % 32 == 0) {
    partial[threadIdx.x / 32] = least;
  }
  __syncthreads();
  return __reduce_min_sync(kAll, partial[threadIdx.x % (kThreads / 32)]);
}

__device__ __forceinline__ Filing make_filing(const Summary& all, unsigned kth,
                                              const SampleSettings& s, bool few) {
  Filing f;
  f.decided = 0;
  f.id = 0;
  f.top = value_of(all.key);
  f.least = few ? value_of(kth) : -INFINITY;
  f.few = few;
  const float lowest = fmaxf(value_of(all.lowest), f.least);
  const float reach = static_cast<float>(45 * kSampleDropUnit) / static_cast<float>(s.scale);
  const float range = fminf(f.top - lowest, reach);
  f.bins_per_unit = range > 1e-30f ? kBins / range : 0.0f;
  return f;
}

// Adds to the bins; warps whose tokens all lie in one bin (large groups of equals) add once.
__device__ __forceinline__ void add_to_bin(Work* w, int bin, u64 weight) {
  int same = 0;
  __match_all_sync(kAll, bin, &same);
  unsigned tokens = 1;
  bool adds = bin >= 0;
  if (same != 0 && adds) {
#pragma unroll
    for (int d = 16; d > 0; d /= 2) {
      weight += __shfl_xor_sync(kAll, weight, d);
    }
    tokens = 32;
    adds = threadIdx.x % 32 == 0;
  }
  if (adds) {
    atomicAdd(&w->count[bin], tokens);
    atomicAdd(&w->mass[bin], weight);
  }
}

// Weighs and files the tokens of a warp, and lists them where that is asked for and they are few.
// Returns the weights of those that min-p alone would keep.
__device__ __forceinline__ u64 file(Work* w, const Filing& f, const SampleSettings& s,
                                    const float (&v)[kEach]) {
  const unsigned lane = threadIdx.x % 32;
  u64 likely = 0;
#pragma unroll
  for (int e = 0; e < kEach; ++e) {
    const bool large = v[e] >= f.least;
    if (__any_sync(kAll, large) == 0) {  // the usual case with top-k
      continue;
    }
    const double drop = drop_of(f.top, v[e], s.scale);
    const bool in = large && weighs(drop);
    const unsigned lanes = __ballot_sync(kAll, in);
    unsigned at = 0;
    if (f.few != 0 && lane == 0 && lanes != 0) {
      at = atomicAdd(&w->listed, static_cast<unsigned>(__popc(lanes)));
    }
    const u64 weight = sample_weight_within(in ? drop : 0.0);
    likely += in && drop <= s.max_drop ? weight : 0;
    add_to_bin(w, in ? bin_of(f.top, f.bins_per_unit, v[e]) : -1, weight);
    if (f.few != 0) {
      at = __shfl_sync(kAll, at, 0) + __popc(lanes & ((1u << lane) - 1));
      if (in && at < kFewTokens) {
        w->tokens[at] = token(v[e], Operands::index(e));
      }
    }
  }
  return likely;
}

// Grid (tiles, B).
static __global__ void __launch_bounds__(kThreads) sample_bins_kernel(const Operands o) {
  __shared__ __align__(16) TileKeys keys;
  __shared__ Summary partial[kThreads / 32];
  __shared__ unsigned kth_partial[kThreads / 32];
  __shared__ u64 likely_partial[kThreads / 32];
  dev::let_next_start();
  dev::wait_for_previous();
  Work* w = o.work_of(blockIdx.y);
  const int tiles = static_cast<int>(gridDim.x);
  const bool greedy = (o.greedy >> blockIdx.y & 1) != 0;
  float v[kEach];
  o.load(v);
  SampleSettings s;
  if (!greedy) {
    s = o.settings[blockIdx.y];
  }
  Summary all = Summary::none();
#pragma unroll
  for (int i = 0; i < kMaxTiles; i += kThreads) {
    const int t = i + static_cast<int>(threadIdx.x);
    const Summary tile = t < tiles ? w->summaries[t] : Summary::none();
    if (t < TileKeys::padded(tiles)) {
      keys.key[t] = tile.key;
    }
    all.add(tile);
  }
  all = block_summary(all, partial);
  const int choice = all.choice();
  const bool first = blockIdx.x == 0 && threadIdx.x == 0;
  if (greedy || choice < 0) {
    if (first) {
      w->filing.decided = 1;
      w->filing.id = choice;
    }
    return;
  }
  const bool few = s.top_k > 0 && s.top_k <= tiles;
  const unsigned kth = few ? kth_of_tiles(keys, tiles, static_cast<int>(s.top_k), kth_partial) : 0;
  const Filing filing = make_filing(all, kth, s, few);
  if (first) {
    w->filing = filing;
  }
  const u64 likely = file(w, filing, s, v);
  if (s.max_drop < DBL_MAX) {
    const u64 sum = block_running_sum<kThreads>(likely, likely_partial).total;
    if (threadIdx.x == 0 && sum > 0) {
      atomicAdd(&w->likely_mass, sum);
    }
  }
}

}  // namespace ember::k::sampling
