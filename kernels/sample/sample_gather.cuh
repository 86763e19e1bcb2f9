// SPDX-License-Identifier: Apache-2.0
// The third kernel: where in the sums over the bins each filter and the draw end, and the tokens of
// those bins. Every block finds it out for itself, which is quicker than another launch.
//
// top-k and top-p end inside a bin, so that the mass they leave is known up to that bin's. What
// depends on it is then known up to a run of bins: both bounds are carried through, as every step
// (p times a mass, a share of a mass, the bin of a sum) only grows with it.
#pragma once

#include "kernels/sample/sample_blocks.cuh"

namespace ember::k::sampling {

// A bin, with the sums before it and up to its end.
struct BinSums {
  int bin;
  unsigned count_before, count;
  u64 mass_before, mass;
};

struct Bounds {
  u64 low, high;
};

// Bounds of the sum at which top-p stops. Its limit comes from a mass rounded to double, and grows
// with the mass but for that rounding.
__device__ __forceinline__ Bounds top_p_targets(double top_p, const Bounds& mass) {
  constexpr u64 kRounding = 4096;  // a mass is below 2^63: half a unit in the last place is 512
  const u64 low = sample_top_p_limit(top_p, mass.low);
  const u64 high = sample_top_p_limit(top_p, mass.high);
  return {low > kRounding ? low - kRounding : 0, min(high + kRounding, mass.high - 1)};
}

// A block's view of all bins: kOwn a thread.
class Bins {
 public:
  struct Shared {
    u64 mass[kThreads / 32];
    unsigned count[kThreads / 32];
  };

  __device__ __forceinline__ Bins(const Work* w, Shared* shared) {
    const int first = static_cast<int>(threadIdx.x) * kOwn;
#pragma unroll
    for (int i = 0; i < kOwn; i += 4) {
      const uint4 c = *reinterpret_cast<const uint4*>(w->count + first + i);
      count_[i] = c.x, count_[i + 1] = c.y, count_[i + 2] = c.z, count_[i + 3] = c.w;
    }
#pragma unroll
    for (int i = 0; i < kOwn; i += 2) {
      const ulonglong2 m = *reinterpret_cast<const ulonglong2*>(w->mass + first + i);
      mass_[i] = m.x, mass_[i + 1] = m.y;
    }
    u64 mass = 0;
    unsigned count = 0;
#pragma unroll
    for (int i = 0; i < kOwn; ++i) {
      mass += mass_[i];
      count += count_[i];
    }
    m_ = block_running_sum<kThreads>(mass, shared->mass);
    c_ = block_running_sum<kThreads>(count, shared->count);
  }

  __device__ __forceinline__ u64 mass() const {
    return m_.total;
  }
  __device__ __forceinline__ unsigned count() const {
    return c_.total;
  }

  // By the one thread that has it: the bin in which the k-th token lies, 1 <= k <= count().
  __device__ __forceinline__ void find_kth(unsigned k, BinSums* to) const {
    each([&](const BinSums& b) {
      if (b.count_before < k && k <= b.count) {
        *to = b;
      }
    });
  }
  // The bins in which the sum of masses passes each of two targets below mass().
  __device__ __forceinline__ void find(const Bounds& targets, BinSums (&to)[2]) const {
    each([&](const BinSums& b) {
      if (b.mass_before <= targets.low && targets.low < b.mass) {
        to[0] = b;
      }
      if (b.mass_before <= targets.high && targets.high < b.mass) {
        to[1] = b;
      }
    });
  }

 private:
  static constexpr int kOwn = kBins / kThreads;

  template <class F>
  __device__ __forceinline__ void each(const F& f) const {
    BinSums b{static_cast<int>(threadIdx.x) * kOwn, 0, c_.before, 0, m_.before};
#pragma unroll
    for (int i = 0; i < kOwn; ++i) {
      b.count_before = b.count;
      b.mass_before = b.mass;
      b.count += count_[i];
      b.mass += mass_[i];
      f(b);
      ++b.bin;
    }
  }

  unsigned count_[kOwn];
  u64 mass_[kOwn];
  Running<unsigned> c_;
  Running<u64> m_;
};

// Where the draw, top-p and top-k end, in this order: none begins or ends before the one before it.
struct Ends {
  BinSums draw[2], top_p[2], top_k;
  bool has_top_p, has_top_k;

  __device__ __forceinline__ bool has(int bin) const {
    return (bin >= draw[0].bin && bin <= draw[1].bin) ||
           (has_top_p && bin >= top_p[0].bin && bin <= top_p[1].bin) ||
           (has_top_k && bin == top_k.bin);
  }

  __device__ __forceinline__ void write_runs(unsigned all, u64 mass, Runs* to) const {
    Runs& r = *to;
    r.all = all;
    r.mass = mass;
    int n = 0, last = -2;
    unsigned count = 0, end_count = 0;  // in the runs, and up to the end of the last
    u64 sum = 0, end_mass = 0;
    const auto append = [&](const BinSums& from, const BinSums& to) {
      if (from.bin > last + 1) {
        r.start[n] = count;
        r.passed[n] = from.count_before - count;
        r.passed_mass[n] = from.mass_before - sum;
        ++n;
        end_count = from.count_before;
        end_mass = from.mass_before;
      }
      if (to.bin > last) {
        count += to.count - end_count;
        sum += to.mass - end_mass;
        end_count = to.count;
        end_mass = to.mass;
        last = to.bin;
      }
    };
    append(draw[0], draw[1]);
    if (has_top_p) {
      append(top_p[0], top_p[1]);
    }
    if (has_top_k) {
      append(top_k, top_k);
    }
    r.count = count;
    for (; n < 3; ++n) {
      r.start[n] = kAll;
      r.passed[n] = 0;
      r.passed_mass[n] = 0;
    }
  }
};

__device__ __forceinline__ void find_ends(const Bins& bins, const SampleSettings& s, u64 random,
                                          u64 likely, Ends* ends) {
  const bool has_top_k = s.top_k > 0 && s.top_k < static_cast<int64_t>(bins.count());
  const bool has_top_p = s.top_p < 1;
  if (threadIdx.x == 0) {
    ends->has_top_k = has_top_k;
    ends->has_top_p = has_top_p;
  }
  Bounds left{bins.mass(), bins.mass()};
  if (has_top_k) {
    bins.find_kth(static_cast<unsigned>(s.top_k), &ends->top_k);
    __syncthreads();
    left = {ends->top_k.mass_before, ends->top_k.mass};
  }
  if (has_top_p) {
    bins.find(top_p_targets(s.top_p, left), ends->top_p);
    __syncthreads();
    left = {ends->top_p[0].mass_before, min(left.high, ends->top_p[1].mass)};
  }
  if (s.max_drop < DBL_MAX) {
    left = {min(left.low, likely), min(left.high, likely)};
  }
  bins.find({high_product(random, left.low), high_product(random, left.high)}, ends->draw);
  __syncthreads();
}

// Grid (tiles, B).
static __global__ void __launch_bounds__(kThreads) sample_gather_kernel(const Operands o) {
  __shared__ Bins::Shared shared;
  __shared__ Ends ends;
  dev::let_next_start();
  dev::wait_for_previous();
  Work* w = o.work_of(blockIdx.y);
  const Filing f = w->filing;
  const unsigned listed = w->listed;
  const u64 likely = w->likely_mass;
  const int position = o.position(blockIdx.y);
  float v[kEach];
  o.load(v);
  loads_stay_above();
  if (f.decided != 0 || (f.few != 0 && listed <= kFewTokens)) {
    return;
  }
  const SampleSettings s = o.settings[blockIdx.y];
  const Bins bins(w, &shared);
  const u64 random = sample_random(s.seed, s.counter + static_cast<u64>(position));
  find_ends(bins, s, random, likely, &ends);
  if (blockIdx.x == 0 && threadIdx.x == 0) {
    ends.write_runs(bins.count(), bins.mass(), &w->runs);
  }

  bool in[kEach];
  unsigned own = 0;
#pragma unroll
  for (int e = 0; e < kEach; ++e) {
    in[e] = v[e] >= f.least && weighs(drop_of(f.top, v[e], s.scale)) &&
            ends.has(bin_of(f.top, f.bins_per_unit, v[e]));
    own += in[e];
  }
  const unsigned lane = threadIdx.x % 32, upto = warp_running_sum<32>(own);
  unsigned at = 0;
  if (lane == 31 && upto > 0) {
    at = atomicAdd(&w->gathered, upto);
  }
  at = __shfl_sync(kAll, at, 31) + upto - own;
#pragma unroll
  for (int e = 0; e < kEach; ++e) {
    if (in[e]) {
      w->tokens[at++] = token(v[e], Operands::index(e));
    }
  }
}

}  // namespace ember::k::sampling
