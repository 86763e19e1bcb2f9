// SPDX-License-Identifier: Apache-2.0
// The last kernel: one block sorts the tokens that were listed, and each filter, then the draw, is
// a search in their running sum.
#pragma once

#include "kernels/sample/sample_blocks.cuh"

namespace ember::k::sampling {

constexpr unsigned kSortShared = 4096;  // a longer list is sorted where it lies
constexpr unsigned kRanked = kFinishThreads;

// Ascending, by a network. Every comparison puts the smaller first, so what would lie past n never
// moves.
__device__ inline void sort(u64* list, unsigned n) {
  const auto order = [list, n](unsigned a, unsigned b) {
    if (b < n && list[b] < list[a]) {
      const u64 t = list[a];
      list[a] = list[b];
      list[b] = t;
    }
  };
  unsigned pairs = 1;
  while (2 * pairs < n) {
    pairs *= 2;
  }
  for (unsigned half = 1; half < n; half *= 2) {
    __syncthreads();
    for (unsigned t = threadIdx.x; t < pairs; t += kFinishThreads) {
      const unsigned r = t & (half - 1), base = 2 * (t - r);
      order(base + r, base + 2 * half - 1 - r);  // mirrored: two ascending runs of `half`
    }
    for (unsigned apart = half / 2; apart > 0; apart /= 2) {
      __syncthreads();
      for (unsigned t = threadIdx.x; t < pairs; t += kFinishThreads) {
        const unsigned r = t & (apart - 1), base = 2 * (t - r);
        order(base + r, base + r + apart);
      }
    }
  }
  __syncthreads();
}

// Ascending into `to`, n <= kRanked: a thread counts what comes before its own. All differ.
__device__ __forceinline__ void sort_by_rank(u64* to, u64* from, const u64* list, unsigned n) {
  const bool mine = threadIdx.x < n;
  const u64 own = mine ? list[threadIdx.x] : 0;
  if (mine) {
    from[threadIdx.x] = own;
  }
  __syncthreads();
  if (mine) {
    unsigned rank = 0;
#pragma unroll 8
    for (unsigned i = 0; i < n; ++i) {
      rank += from[i] < own;
    }
    to[rank] = own;
  }
  __syncthreads();
}

struct FinishShared {
  u64 list[kSortShared];
  u64 unsorted[kRanked];
  u64 partial[kFinishThreads / 32];
  u64 top_k_mass, top_p_mass;
  unsigned kth;
};

// Sorted tokens, a run of consecutive ones a thread.
class Listed {
 public:
  __device__ __forceinline__ Listed(const u64* list, const Runs& runs, const Filing& f,
                                    double scale, u64* partial)
      : list_(list), runs_(runs), scale_(scale), top_(f.top) {
    const unsigned each = (runs.count + kFinishThreads - 1) / kFinishThreads;
    first_ = min(runs.count, threadIdx.x * each);
    end_ = min(runs.count, first_ + each);
    first_weight_ = first_ < end_ ? weight(list_[first_]) : 0;
    u64 own = first_weight_;
#pragma unroll 1
    for (unsigned i = first_ + 1; i < end_; ++i) {
      own += weight(list_[i]);
    }
    sums_ = block_running_sum<kFinishThreads>(own, partial);
  }

  __device__ __forceinline__ u64 mass() const {
    return sums_.total;
  }

  // By the one thread that has it: the value of the k-th token of all, 1 <= k.
  __device__ __forceinline__ void find_kth(unsigned k, unsigned* value) const {
    each([&](unsigned i, unsigned run, u64, u64) {
      if (i + runs_.passed[run] == k - 1) {
        *value = value_bits(list_[i]);
      }
    });
  }
  // By the one thread that has it: the sum over the last token of this value and all before it.
  __device__ __forceinline__ void find_last_of(unsigned value, u64* mass) const {
    each([&](unsigned i, unsigned, u64 before, u64 w) {
      if (value_bits(list_[i]) == value &&
          (i + 1 == runs_.count || value_bits(list_[i + 1]) != value)) {
        *mass = before + w;
      }
    });
  }
  // By the one thread that has it: f(token, sum over it and all before) of the first token at which
  // that sum passes the target.
  template <class F>
  __device__ __forceinline__ void pass(u64 target, const F& f) const {
    each([&](unsigned i, unsigned, u64 before, u64 w) {
      if (before <= target && target < before + w) {
        f(list_[i], before + w);
      }
    });
  }

 private:
  __device__ __forceinline__ u64 weight(u64 token) const {
    return sample_weight(drop_of(top_, value_of_token(token), scale_));
  }

  // f(place in the list, run, sum over all tokens before, weight) of this thread's tokens.
  template <class F>
  __device__ __forceinline__ void each(const F& f) const {
    u64 listed = sums_.before;
#pragma unroll 1
    for (unsigned i = first_; i < end_; ++i) {
      const unsigned run = (i >= runs_.start[1] ? 1u : 0u) + (i >= runs_.start[2] ? 1u : 0u);
      const u64 passed = run == 0   ? runs_.passed_mass[0]
                         : run == 1 ? runs_.passed_mass[1]
                                    : runs_.passed_mass[2];
      const u64 w = i == first_ ? first_weight_ : weight(list_[i]);
      f(i, run, listed + passed, w);
      listed += w;
    }
  }

  const u64* list_;
  const Runs& runs_;
  double scale_;
  float top_;
  unsigned first_, end_;
  u64 first_weight_;
  Running<u64> sums_;
};

// Grid (1, B).
static __global__ void __launch_bounds__(kFinishThreads) sample_finish_kernel(const Operands o) {
  __shared__ FinishShared shared;
  __shared__ Runs runs;
  dev::let_next_start();
  dev::wait_for_previous();
  const unsigned row = blockIdx.y;
  Work* w = o.work_of(row);
  const Filing f = w->filing;
  const unsigned listed = w->listed, gathered = w->runs.count;
  const u64 likely = w->likely_mass;
  const int position = o.position(row);
  loads_stay_above();
  if (f.decided != 0) {
    if (threadIdx.x == 0) {
      o.choose(row, f.id, position);
    }
    return;
  }
  const bool few = f.few != 0 && listed <= kFewTokens;
  const unsigned n = few ? listed : gathered;
  if (threadIdx.x == 0) {
    runs = few ? Runs{n, n, 0, {0, kAll, kAll}, {0, 0, 0}, {0, 0, 0}} : w->runs;
  }
  const SampleSettings s = o.settings[row];
  u64* list = shared.list;
  if (n <= kRanked) {
    sort_by_rank(list, shared.unsorted, w->tokens, n);
  } else {
    if (n <= kSortShared) {
      for (unsigned i = threadIdx.x; i < n; i += kFinishThreads) {
        list[i] = w->tokens[i];
      }
    } else {
      list = w->tokens;
    }
    sort(list, n);
  }
  const Listed tokens(list, runs, f, s.scale, shared.partial);
  u64 total = few ? tokens.mass() : runs.mass;
  if (s.top_k > 0 && s.top_k < static_cast<int64_t>(runs.all)) {
    tokens.find_kth(static_cast<unsigned>(s.top_k), &shared.kth);
    __syncthreads();
    tokens.find_last_of(shared.kth, &shared.top_k_mass);
    __syncthreads();
    total = shared.top_k_mass;
  }
  if (s.top_p < 1) {
    const u64 limit = sample_top_p_limit(s.top_p, total);
    tokens.pass(limit > 0 ? limit - 1 : 0, [&](u64, u64 mass) { shared.top_p_mass = mass; });
    __syncthreads();
    total = shared.top_p_mass;
  }
  if (s.max_drop < DBL_MAX) {
    total = min(total, likely);
  }
  const u64 random = sample_random(s.seed, s.counter + static_cast<u64>(position));
  tokens.pass(high_product(random, total), [&](u64 token, u64) {
    o.choose(row, static_cast<int>(static_cast<unsigned>(token)), position);
  });
}

}  // namespace ember::k::sampling
