// SPDX-License-Identifier: Apache-2.0
// Limited by latency: the logits lie in L2, so each pass over them takes little more than a launch.
//   statistics  the largest and smallest logit, and anything that is no number (greedy ends here)
//   histogram   tokens and weights of 2048 equal intervals of values, and sums over those before
//   scatter     the tokens of the intervals in which a filter or the draw may end, by interval
//   finish      one block: each filter, then the draw, is a search in the sums and in one sorted
//               interval
// Weights are integers, so atomic additions give the same sums in any order.
#include <cfloat>
#include <climits>

#include "kernels/sample/sample_blocks.cuh"

namespace ember::k {
namespace {

using namespace sampling;

constexpr int kStatisticsThreads = 512;
constexpr int kStatisticsBlocks = 64;
constexpr int kThreads = 256;  // of histogram and scatter
constexpr int kEach = 4;       // logits a thread
constexpr int kFinishThreads = 1024;
static_assert(sizeof(Work) <= sample_scratch_bytes(1), "scratch holds no Work");
constexpr int kSortShared = 4096;  // a longer interval is sorted where it lies

__device__ void set_range(Work* w, float top, float lowest, const SampleSettings& s) {
  const double reach = 45 * kSampleDropUnit / s.scale;
  const double range = fmin(static_cast<double>(top) - static_cast<double>(lowest), reach);
  w->top = top;
  w->bins_per_unit = range > 1e-30 ? static_cast<float>(kBins / range) : 0.0f;
}

// settings null: greedy.
__global__ void __launch_bounds__(kStatisticsThreads)
    sample_statistics_kernel(int32_t* id, const float* x, int V, const SampleSettings* settings,
                             Work* w) {
  __shared__ u64 best_partial[kStatisticsThreads / 32];
  __shared__ unsigned low_partial[kStatisticsThreads / 32];
  __shared__ int bad_partial[kStatisticsThreads / 32];
  __shared__ unsigned slot;
  dev::let_next_start();
  dev::wait_for_previous();
  const int first = blockIdx.x * blockDim.x + threadIdx.x, step = gridDim.x * blockDim.x;
  for (int i = first; i < kBins; i += step) {
    w->count[i] = 0;
    w->mass[i] = 0;
  }
  if (first == 0) {
    w->likely_mass = 0;
  }
  u64 best = 0;
  unsigned lowest = kAll;
  int bad = INT_MAX;
#pragma unroll 4
  for (int i = first; i < V; i += step) {
    const float v = x[i];
    const unsigned key = ordered(v);
    best = Largest()(best, static_cast<u64>(key) << 32 | (kAll - static_cast<unsigned>(i)));
    lowest = v >= -FLT_MAX ? Smallest()(lowest, key) : lowest;
    bad = v <= FLT_MAX ? bad : Smallest()(bad, i);
  }
  best = block_reduce<Largest>(best, best_partial);
  lowest = block_reduce<Smallest>(lowest, low_partial);
  bad = block_reduce<Smallest>(bad, bad_partial);
  if (threadIdx.x == 0) {
    w->best[blockIdx.x] = best;
    w->lowest[blockIdx.x] = lowest;
    w->bad[blockIdx.x] = bad;
  }
  if (!last_block(&w->statistics_ticket, &slot)) {
    return;
  }
  const bool have = threadIdx.x < gridDim.x;
  best = block_reduce<Largest>(have ? __ldcg(&w->best[threadIdx.x]) : 0, best_partial);
  lowest = block_reduce<Smallest>(have ? __ldcg(&w->lowest[threadIdx.x]) : kAll, low_partial);
  bad = block_reduce<Smallest>(have ? __ldcg(&w->bad[threadIdx.x]) : INT_MAX, bad_partial);
  if (threadIdx.x != 0) {
    return;
  }
  const int result = bad != INT_MAX   ? -1 - bad
                     : lowest == kAll ? kNothingToSample
                                      : static_cast<int>(kAll - static_cast<unsigned>(best));
  if (settings == nullptr) {
    *id = result;
    return;
  }
  w->result = result;
  if (result >= 0) {
    set_range(w, value_of(static_cast<unsigned>(best >> 32)), value_of(lowest), *settings);
  }
}

// Sums over the bins before each, and which bins the rest of the work is about. One block of
// kThreads, after the histogram is complete.
__device__ void scan_bins(Work* w, const SampleSettings& s, u64 random, u64* mass_partial,
                          unsigned* count_partial, u64* slot) {
  constexpr int kOwn = kBins / kThreads;
  const int first = threadIdx.x * kOwn;
  u64 mass[kOwn], mass_sum = 0;
  unsigned count[kOwn], count_sum = 0;
#pragma unroll
  for (int i = 0; i < kOwn; ++i) {
    mass_sum += mass[i] = __ldcg(&w->mass[first + i]);
    count_sum += count[i] = __ldcg(&w->count[first + i]);
  }
  u64 mass_before = block_sum_before(mass_sum, mass_partial);
  unsigned count_before = block_sum_before(count_sum, count_partial);
  const u64 mass_from = mass_before;
  unsigned c = count_before;
  u64 total = from_one(threadIdx.x == kThreads - 1, mass_before + mass_sum, slot);
  const u64 k = s.top_k > 0 ? static_cast<u64>(s.top_k) : ~0ull;
  int k_bin = kBins - 1;  // in which top-k ends, and the mass up to its end
  u64 k_mass = total;
  bool mine = false;
#pragma unroll
  for (int i = 0; i < kOwn; ++i) {
    w->mass_before[first + i] = mass_before;
    w->count_before[first + i] = c;
    w->cursor[first + i] = c;
    mass_before += mass[i];
    c += count[i];
    if (c - count[i] < k && k <= c) {
      mine = true;
      k_bin = first + i;
      k_mass = mass_before;
    }
  }
  if (threadIdx.x == kThreads - 1) {
    w->mass_before[kBins] = mass_before;
    w->count_before[kBins] = c;
  }
  const bool any = __syncthreads_or(mine);
  if (any) {
    k_bin = static_cast<int>(from_one(mine, static_cast<u64>(k_bin), slot));
    k_mass = from_one(mine, k_mass, slot);
  }
  // Where the mass passes `target`: the end of top-p, at the latest; or, without filters of which
  // the sums know nothing, the draw itself.
  const bool draw = !any && s.top_p >= 1;
  u64 target = 0;
  if (draw) {
    total = s.max_drop < DBL_MAX ? Smallest()(total, __ldcg(&w->likely_mass)) : total;
    target = high_product(random, total);
  } else if (s.top_p < 1) {
    const u64 limit = sample_top_p_limit(s.top_p, k_mass);
    target = limit > 0 ? limit - 1 : 0;
  }
  int last_bin = k_bin;
  if (draw || s.top_p < 1) {
    int bin = 0;
    mine = false;
    u64 m = mass_from;
#pragma unroll
    for (int i = 0; i < kOwn; ++i) {
      if (m <= target && target < m + mass[i]) {
        mine = true;
        bin = first + i;
      }
      m += mass[i];
    }
    last_bin = Smallest()(k_bin, static_cast<int>(from_one(mine, static_cast<u64>(bin), slot)));
  }
  if (threadIdx.x == 0) {
    w->first_bin = draw ? last_bin : 0;
    w->last_bin = last_bin;
    w->k_bin = any ? k_bin : -1;
  }
}

__device__ __forceinline__ u64 random_bits(const SampleSettings& s, int pos,
                                           const int32_t* pos_device) {
  const u64 position = static_cast<u64>(pos_device != nullptr ? *pos_device : pos);
  return sample_random(s.seed, s.counter + position);
}

__global__ void __launch_bounds__(kThreads)
    sample_histogram_kernel(const float* x, int V, const SampleSettings* settings, int pos,
                            const int32_t* pos_device, Work* w) {
  __shared__ u64 mass_partial[kThreads / 32], slot;
  __shared__ unsigned count_partial[kThreads / 32], ticket_slot;
  dev::let_next_start();
  dev::wait_for_previous();
  if (w->result < 0) {
    return;
  }
  const SampleSettings s = *settings;
  const float top = w->top, bins_per_unit = w->bins_per_unit;
  float v[kEach];
#pragma unroll
  for (int e = 0; e < kEach; ++e) {
    const int i = (blockIdx.x * kEach + e) * kThreads + threadIdx.x;
    v[e] = i < V ? x[i] : -INFINITY;
  }
  u64 likely = 0;
#pragma unroll
  for (int e = 0; e < kEach; ++e) {
    const double drop = drop_of(top, v[e], s.scale);
    const int bin = weighs(drop) ? bin_of(top, bins_per_unit, v[e]) : -1;
    const u64 weight = sample_weight(drop);
    likely += drop <= s.max_drop ? weight : 0;
    int same = 0;
    __match_all_sync(kAll, bin, &same);
    if (same == 0) {
      if (bin >= 0) {
        atomicAdd(&w->count[bin], 1u);
        atomicAdd(&w->mass[bin], weight);
      }
    } else if (bin >= 0) {  // one bin for the whole warp: large groups of equals
      const u64 sum = warp_reduce<Sum>(weight);
      if (threadIdx.x % 32 == 0) {
        atomicAdd(&w->count[bin], 32u);
        atomicAdd(&w->mass[bin], sum);
      }
    }
  }
  if (s.max_drop < DBL_MAX) {
    likely = block_reduce<Sum>(likely, mass_partial);
    if (threadIdx.x == 0) {
      atomicAdd(&w->likely_mass, likely);
    }
  }
  if (last_block(&w->histogram_ticket, &ticket_slot)) {
    scan_bins(w, s, random_bits(s, pos, pos_device), mass_partial, count_partial, &slot);
  }
}

__global__ void __launch_bounds__(kThreads)
    sample_scatter_kernel(const float* x, int V, const SampleSettings* settings, Work* w) {
  dev::let_next_start();
  dev::wait_for_previous();
  if (w->result < 0) {
    return;
  }
  const double scale = settings->scale;
  const float top = w->top, bins_per_unit = w->bins_per_unit;
  const int first_bin = w->first_bin, last_bin = w->last_bin, k_bin = w->k_bin;
#pragma unroll
  for (int e = 0; e < kEach; ++e) {
    const int i = (blockIdx.x * kEach + e) * kThreads + threadIdx.x;
    const float v = i < V ? x[i] : -INFINITY;
    if (weighs(drop_of(top, v, scale))) {
      const int bin = bin_of(top, bins_per_unit, v);
      if ((bin >= first_bin && bin <= last_bin) || bin == k_bin) {
        w->tokens[atomicAdd(&w->cursor[bin], 1u)] = token(v, i);
      }
    }
  }
}

// Ascending. Every comparison puts the smaller first, so what would lie past n never moves.
__device__ void sort(u64* list, unsigned n) {
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

// One block's view of the work: a search over all bins, and one bin sorted at a time.
class Finish {
 public:
  struct Shared {
    u64 list[kSortShared];
    u64 partial[kFinishThreads / 32];
    u64 slot[2];
  };

  __device__ Finish(Work* w, const SampleSettings& s, Shared* shared)
      : w_(w), shared_(shared), scale_(s.scale), top_(w->top) {
#pragma unroll
    for (int i = 0; i <= kOwn; ++i) {
      count_before_[i] = w->count_before[threadIdx.x * kOwn + i];
      mass_before_[i] = w->mass_before[threadIdx.x * kOwn + i];
    }
  }

  // Mass of the first k tokens and of those that tie with the k-th; k is less than all there are.
  __device__ u64 mass_of_top_k(unsigned k) {
    int bin = 0;
    bool mine = false;
#pragma unroll
    for (int i = 0; i < kOwn; ++i) {
      if (count_before_[i] < k && k <= count_before_[i + 1]) {
        bin = threadIdx.x * kOwn + i;
        mine = true;
      }
    }
    load(mine, bin);
    const unsigned kth = static_cast<unsigned>(list_[k - 1 - w_->count_before[bin_]] >> 32);
    u64 sum = 0;
    for (unsigned i = threadIdx.x; i < n_; i += kFinishThreads) {
      sum += static_cast<unsigned>(list_[i] >> 32) <= kth ? weight(list_[i]) : 0;
    }
    return w_->mass_before[bin_] + block_reduce<Sum>(sum, shared_->partial);
  }

  struct Point {
    u64 token, mass;
  };
  // The first token at which the sum over it and those before passes `target`, and that sum;
  // target is less than the mass of all.
  __device__ Point pass(u64 target) {
    int bin = 0;
    bool mine = false;
#pragma unroll
    for (int i = 0; i < kOwn; ++i) {
      if (mass_before_[i] <= target && target < mass_before_[i + 1]) {
        bin = threadIdx.x * kOwn + i;
        mine = true;
      }
    }
    load(mine, bin);
    const unsigned each = (n_ + kFinishThreads - 1) / kFinishThreads;
    const unsigned first = min(n_, threadIdx.x * each), end = min(n_, first + each);
    u64 own = 0;
    for (unsigned i = first; i < end; ++i) {
      own += weight(list_[i]);
    }
    u64 sum = w_->mass_before[bin_] + block_sum_before(own, shared_->partial);
    mine = sum <= target && target < sum + own;
    u64 found = 0;
    for (unsigned i = first; mine && i < end && sum <= target; ++i) {
      found = list_[i];
      sum += weight(found);
    }
    Point p;
    p.token = from_one(mine, found, &shared_->slot[0]);
    p.mass = from_one(mine, sum, &shared_->slot[1]);
    return p;
  }

 private:
  static constexpr int kOwn = kBins / kFinishThreads;

  __device__ u64 weight(u64 token) const {
    return sample_weight(drop_of(top_, value_of_token(token), scale_));
  }

  // Sorts the bin that one thread found, unless it is the one at hand.
  __device__ void load(bool mine, int bin) {
    bin = static_cast<int>(from_one(mine, static_cast<u64>(bin), &shared_->slot[0]));
    if (bin == bin_) {
      return;
    }
    bin_ = bin;
    const unsigned from = w_->count_before[bin];
    n_ = w_->count_before[bin + 1] - from;
    list_ = w_->tokens + from;
    if (n_ <= kSortShared) {
      for (unsigned i = threadIdx.x; i < n_; i += kFinishThreads) {
        shared_->list[i] = list_[i];
      }
      list_ = shared_->list;
    }
    sort(list_, n_);
  }

  Work* w_;
  Shared* shared_;
  double scale_;
  float top_;
  int bin_ = -1;
  unsigned n_ = 0;
  u64* list_ = nullptr;
  unsigned count_before_[kOwn + 1];
  u64 mass_before_[kOwn + 1];
};

__global__ void __launch_bounds__(kFinishThreads)
    sample_finish_kernel(int32_t* id, const SampleSettings* settings, int pos,
                         const int32_t* pos_device, Work* w) {
  __shared__ Finish::Shared shared;
  dev::let_next_start();
  dev::wait_for_previous();
  const int result = w->result;
  if (result < 0) {
    if (threadIdx.x == 0) {
      *id = result;
    }
    return;
  }
  const SampleSettings s = *settings;
  Finish finish(w, s, &shared);
  u64 total = w->mass_before[kBins];
  if (s.top_k > 0 && s.top_k < static_cast<int64_t>(w->count_before[kBins])) {
    total = finish.mass_of_top_k(static_cast<unsigned>(s.top_k));
  }
  if (s.top_p < 1) {
    const u64 limit = sample_top_p_limit(s.top_p, total);
    total = finish.pass(limit > 0 ? limit - 1 : 0).mass;
  }
  if (s.max_drop < DBL_MAX) {
    total = Smallest()(total, w->likely_mass);
  }
  const u64 target = high_product(random_bits(s, pos, pos_device), total);
  const u64 chosen = finish.pass(target).token;
  if (threadIdx.x == 0) {
    *id = static_cast<int32_t>(static_cast<unsigned>(chosen));
  }
}

}  // namespace

void sample_cuda(const SampleParams& p, Stream stream) {
  validate(p);
  require_cuda("sample", "id", p.id);
  const cuda::DeviceGuard guard(p.id.device);
  const int V = dev::narrow("sample", p.x.shape[1]), pos = dev::narrow("sample", p.pos);
  auto* w = reinterpret_cast<Work*>(cuda::scratch(
      p.id.device.index, stream, cuda::ScratchUser::kSample, sample_scratch_bytes(V)));
  auto* id = static_cast<int32_t*>(p.id.data);
  const auto* x = static_cast<const float*>(p.x.data);
  const auto* settings = p.greedy ? nullptr : static_cast<const SampleSettings*>(p.settings.data);
  const int64_t blocks =
      std::min<int64_t>(kStatisticsBlocks, dev::ceil_div(V, 4 * kStatisticsThreads));
  dev::launch("sample", stream, sample_statistics_kernel, dim3(static_cast<unsigned>(blocks)),
              dim3(kStatisticsThreads), 0, id, x, V, settings, w);
  if (p.greedy) {
    return;
  }
  const dim3 grid(static_cast<unsigned>(dev::ceil_div(V, kThreads * kEach)));
  dev::launch("sample", stream, sample_histogram_kernel, grid, dim3(kThreads), 0, x, V, settings,
              pos, p.pos_device, w);
  dev::launch("sample", stream, sample_scatter_kernel, grid, dim3(kThreads), 0, x, V, settings, w);
  dev::launch("sample", stream, sample_finish_kernel, dim3(1), dim3(kFinishThreads), 0, id,
              settings, pos, p.pos_device, w);
}

}  // namespace ember::k
