// SPDX-License-Identifier: Apache-2.0
// One new token of each of up to 16 sequences. At short context limited by latency: what has to
// happen one after another from the moment that q, k and v are there. At long context by the
// bandwidth of reading keys and values once.
//
// A kv head belongs to the blocks of one row of the grid, which share its groups of 16 positions
// (attention_step_plan.h). A block's four warps take every fourth group of its share, each through
// a ring of its own in shared memory, without barriers. A sequence at a time: the block's warps
// make its queries, walk its groups with an online softmax, and merge in order. A sequence that
// spans several shares is put together by exchange: every block of it sends each of the others that
// owner's slice of its part, and every owner merges its slice in order (clusters), or the block
// that draws the last ticket merges all (tickets). Which block that is changes nothing in the
// result.
//
// What is fetched before the wait for the previous kernel. Gains and angles are weights. With
// Args::settled also positions and the rows of the cache before them. They were written by earlier
// steps, this kernel's own rows included: nothing else in a step writes them. A step that is one
// recorded graph starts when everything enqueued before it has ended, since overlap exists between
// the kernels of one graph alone; so what the steps before it wrote is complete and visible before
// the first kernel of this one, and therefore before any kernel that starts early in it. Kernels
// that follow one another in a stream without a graph's boundary have no such guarantee: this one
// may start while several before it still run, because each lets the next start when it has barely
// begun, and only the wait says that they have ended. Then nothing but weights comes first.
#pragma once

#include "kernels/attention_step/attention_step_queries.cuh"

namespace ember::k::step {

// Weights into the L2 cache, while memory has nothing else to do; one warp of each block asks.
__device__ __forceinline__ void prefetch(const Args& a) {
  constexpr int kPiece = 4096;
  const int lane = threadIdx.x % 32;
  const int64_t block = int64_t{blockIdx.y} * gridDim.x + blockIdx.x;
  const int64_t blocks = int64_t{gridDim.x} * gridDim.y;
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  for (int64_t at = (lane * blocks + block) * kPiece; at < a.prefetch_bytes;
       at += 32 * blocks * kPiece) {
    const int64_t left = a.prefetch_bytes - at;
    asm volatile("cp.async.bulk.prefetch.L2.global [%0], %1;" ::"l"(a.prefetch + at),
                 "r"(static_cast<uint32_t>(left < kPiece ? left : kPiece))
                 : "memory");
  }
#else
  for (int64_t at = block * kPiece + lane * 128; at < a.prefetch_bytes; at += blocks * kPiece) {
    asm volatile("prefetch.global.L2 [%0];" ::"l"(a.prefetch + at));
  }
#endif
}

// A block's share, and the shares that a sequence spans.
struct Share {
  int rank, shares, lo, hi;

  __device__ __forceinline__ Share(const Args& a, const Sequences& s)
      : rank(blockIdx.x),
        shares(step_shares(s.total, s.count, gridDim.x, a.alone, a.least)),
        lo(0),
        hi(0) {
    if (rank < shares) {
      lo = step_cut(rank, s.total, shares);
      hi = step_cut(rank + 1, s.total, shares);
    }
  }
  __device__ __forceinline__ int of(int group, const Sequences& s) const {
    return step_share_of(group, s.total, shares);
  }
};

// Where a block receives what the cluster's blocks have of one sequence: pairs by part and place in
// the owner's slice, maximum and sum by part and query.
struct Inbox {
  float2* pairs;
  float2* tails;
};

// How the pairs of a sequence's rows are shared among its owners, whose number is that of its
// parts.
struct Slices {
  int parts, each, inverse;

  __device__ __forceinline__ Slices(int all, int n) : parts(n), each((all + n - 1) / n) {
    inverse = ((1 << 18) + each - 1) / each;  // exact below 512 pairs
  }
  __device__ __forceinline__ int owner(int pair) const { return pair * inverse >> 18; }
};

template <class T, int E, int kStages, bool kCluster>
class Block {
 public:
  __device__ __forceinline__ Block(const Args& args, unsigned char* shared)
      : a(args),
        memory(shared),
        l(step_layout(args.group, E, kStages, kCluster)),
        head(blockIdx.y) {}

  __device__ __forceinline__ void run() {
    const int warp = threadIdx.x / 32;
    Pairs<E> q_gain, k_gain, angles;
    q_gain.load(a.q_norm.data, a.q_norm.dtype, 0);
    k_gain.load(a.k_norm.data, a.k_norm.dtype, 0);
    if (!a.settled) {
      dev::wait_for_previous();
    }
    const Sequences s(a);
    const Share share(a, s);
    using Ring = Copier<T, E, kStages>;
    unsigned char* ring = memory + l.ring + warp * kStages * Ring::kStage;
    Ring copier(dev::shared_address(ring), share.lo + warp, share.hi);
#pragma unroll
    for (int i = 0; i < kStages - 1; ++i) {
      copier.next(a, s, head);
    }
    if constexpr (kCluster) {
      cluster_wait();  // for the arrival at the start: every block's shared memory may be written
    }
    const bool idle = share.lo == share.hi;
    Place at(s, idle ? 0 : share.lo);
    if (!idle) {
      angles.load_angles(a.cos, a.sin, at.length - 1);
    }
    if (a.settled) {
      dev::wait_for_previous();
    }
    if (idle) {
      fill_idle_time(s);
    }
    int group = share.lo + warp, stage = 0;
    for (int from = share.lo; from < share.hi;) {
      const int to = min(at.end, share.hi);
      const bool newest = to == at.end;
      NewToken<T, E> token;
      token.load(a, head, at.b, newest);
      if (from == share.lo) {
        fill_idle_time(s);
      }
      token.store(a, head, at.b, newest, at.length - 1, q_gain, k_gain, angles, memory + l.q,
                  memory + l.fresh);
      __syncthreads();
      State<E> state;
      uint32_t q[E / 16][2];
      load_queries<E>(q, dev::shared_address(memory + l.q));
      for (; group < to; group += kStepWarps) {
        dev::copies_wait<kStages - 2>();
        __syncwarp();  // the copies of all lanes are there; all are done with the stage before
        copier.next(a, s, head);
        const int first = (group - at.start) * kStepKeys;
        unsigned char* rows = ring + stage * Ring::kStage;
        if (first + kStepKeys >= at.length) {
          insert_row<E>(rows, at.length - 1 - first, memory + l.fresh);
        }
        attend<T, E>(state, q, dev::shared_address(rows), first, at.length, a.scale_log2);
        stage = stage + 1 == kStages ? 0 : stage + 1;
      }
      store_part<E>(warp_rows(warp), warp_tails(warp), state, a.group);
      __syncthreads();
      finish(s, share, at);
      from = to;
      if (from < share.hi) {
        at = Place(s, from);
        angles.load_angles(a.cos, a.sin, at.length - 1);
      }
    }
    if constexpr (kCluster) {
      receive(s, share);
    }
  }

 private:
  __device__ __forceinline__ void fill_idle_time(const Sequences& s) const {
    if (threadIdx.x / 32 == kStepWarps - 1 && a.prefetch != nullptr &&
        step_prefetches(s.total, gridDim.y, E)) {
      prefetch(a);
    }
  }

  __device__ __forceinline__ int all_pairs() const {
    return a.group * (E / 2);
  }
  __device__ __forceinline__ float* warp_rows(int warp) const {
    return reinterpret_cast<float*>(memory + l.parts) + warp * a.group * step_row_floats(E);
  }
  __device__ __forceinline__ float2* warp_tails(int warp) const {
    return reinterpret_cast<float2*>(memory + l.tails) + warp * kStepRows;
  }
  // `first`: of the sequence that the block's share begins in the middle of; else of the one that
  // goes on after it.
  __device__ __forceinline__ Inbox inbox(bool first) const {
    const int which = first ? 0 : 1;
    return {reinterpret_cast<float2*>(memory + l.inbox) + which * step_inbox_pairs(a.group, E),
            reinterpret_cast<float2*>(memory + l.inbox_tails) + which * kStepRanks * a.group};
  }

  __device__ __forceinline__ Merged merge_warps(int row, int element) const {
    return merge<kStepWarps>(
        kStepWarps, [&](int w) { return warp_tails(w)[row]; },
        [&](int w) {
          return *reinterpret_cast<const float2*>(warp_rows(w) + row * step_row_floats(E) +
                                                  element);
        });
  }

  __device__ __forceinline__ void store_output(int b, int row, int element, const Merged& m) const {
    const float inverse = 1.0f / m.sum;
    dev::store2(a.o.row(b), a.o.dtype, int64_t{head * a.group + row} * E + element,
                m.value.x * inverse, m.value.y * inverse);
  }

  // What the block's warps have of a sequence, to where it belongs.
  __device__ __forceinline__ void finish(const Sequences& s, const Share& share, const Place& at) {
    const int first = share.of(at.start, s), last = share.of(at.end - 1, s);
    if (first == last) {
      for (int i = threadIdx.x; i < all_pairs(); i += kThreads) {
        const int row = i / (E / 2), element = i % (E / 2) * 2;
        store_output(at.b, row, element, merge_warps(row, element));
      }
    } else if constexpr (kCluster) {
      send_part(share.rank - first, first, Slices(all_pairs(), last - first + 1));
    } else {
      leave_part(share.rank - first, first, last - first + 1, at.b);
    }
  }

  __device__ __forceinline__ void send_part(int part, int first, const Slices& slices) const {
    for (int i = threadIdx.x; i < all_pairs(); i += kThreads) {
      const Merged m = merge_warps(i / (E / 2), i % (E / 2) * 2);
      const int owner = slices.owner(i);
      send(inbox(owner > 0).pairs + part * slices.each + i - owner * slices.each, first + owner,
           m.value.x, m.value.y);
    }
    static_assert(kStepRows * kStepRanks <= kThreads, "a thread for each owner and row");
    const int row = threadIdx.x % kStepRows, owner = threadIdx.x / kStepRows;
    if (row < a.group && owner < slices.parts) {
      const Merged m = merge_warps(row, 0);
      send(inbox(owner > 0).tails + part * a.group + row, first + owner, m.max, m.sum);
    }
  }

  // After every block has sent: the block's slices of the up to two sequences that it shares.
  __device__ __forceinline__ void receive(const Sequences& s, const Share& share) const {
    const bool spans = s.groups > 0 && share.of(s.start, s) != share.of(s.start + s.groups - 1, s);
    if (__ballot_sync(0xffffffffu, spans) == 0) {
      return;  // the same for the whole cluster
    }
    cluster_arrive();
    cluster_wait();
    if (share.lo == share.hi) {
      return;
    }
    const Place begun(s, share.lo), open(s, share.hi - 1);
    if (begun.start < share.lo) {
      merge_inbox(s, share, begun, true);
    }
    if (open.start >= share.lo && open.end > share.hi) {
      merge_inbox(s, share, open, false);
    }
  }

  __device__ __forceinline__ void merge_inbox(const Sequences& s, const Share& share,
                                              const Place& at, bool begun) const {
    const int first = share.of(at.start, s), last = share.of(at.end - 1, s);
    const Slices slices(all_pairs(), last - first + 1);
    const int begin = (share.rank - first) * slices.each;
    const int count = min(slices.each, all_pairs() - begin);
    const Inbox in = inbox(begun);
    for (int i = threadIdx.x; i < count; i += kThreads) {
      const int row = (begin + i) / (E / 2), element = (begin + i) % (E / 2) * 2;
      store_output(at.b, row, element,
                   merge<kPartsAtOnce>(
                       slices.parts, [&](int p) { return in.tails[p * a.group + row]; },
                       [&](int p) { return in.pairs[p * slices.each + i]; }));
    }
  }

  // The place of a part in global memory: rows, then maximum and sum of each.
  __device__ __forceinline__ float* part_of(int rank, bool first) const {
    const int64_t index = (int64_t{head} * gridDim.x + rank) * 2 + (first ? 0 : 1);
    return a.partials + index * step_part_floats(a.group, E);
  }

  __device__ __forceinline__ void leave_part(int part, int first, int parts, int b) const {
    __shared__ bool is_last;
    float* mine = part_of(first + part, part > 0);
    float2* tails = reinterpret_cast<float2*>(mine + a.group * E);
    for (int i = threadIdx.x; i < all_pairs(); i += kThreads) {
      const int row = i / (E / 2), element = i % (E / 2) * 2;
      const Merged m = merge_warps(row, element);
      __stcg(reinterpret_cast<float2*>(mine) + i, m.value);
      if (element == 0) {
        __stcg(tails + row, make_float2(m.max, m.sum));
      }
    }
    __threadfence();  // this block's part, before its ticket
    __syncthreads();
    unsigned* ticket = a.tickets + head * kMaxStepSequences + b;
    if (threadIdx.x == 0) {
      is_last = atomicAdd(ticket, 1u) == static_cast<unsigned>(parts) - 1;
    }
    __syncthreads();
    if (!is_last) {
      return;
    }
    __threadfence();
    if (threadIdx.x == 0) {
      *ticket = 0;
    }
    for (int i = threadIdx.x; i < all_pairs(); i += kThreads) {
      const int row = i / (E / 2), element = i % (E / 2) * 2;
      // Past the L1 cache, which is not coherent.
      const auto place = [&](int p) {
        return reinterpret_cast<const float2*>(part_of(first + p, p > 0));
      };
      store_output(b, row, element,
                   merge<kPartsAtOnce>(
                       parts, [&](int p) { return __ldcg(place(p) + all_pairs() + row); },
                       [&](int p) { return __ldcg(place(p) + i); }));
    }
  }

  const Args& a;
  unsigned char* memory;
  StepLayout l;
  int head;
};

// Grid (ranks, K), in clusters of (ranks, 1) when kCluster. With clusters the registers leave room
// for a block of the kernel before.
template <class T, int E, int kStages, bool kCluster>
__global__ void __launch_bounds__(kThreads, kCluster ? 4 : 3)
    attention_step_kernel(const __grid_constant__ Args a) {
  // Aligned to whole rows of a tile: see ChunkWalk.
  extern __shared__ __align__(256) unsigned char shared[];
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 900
  if constexpr (kCluster) {
    return;  // never launched
  }
#endif
  dev::let_next_start();
  if constexpr (kCluster) {
    cluster_arrive();
  }
  Block<T, E, kStages, kCluster>(a, shared).run();
}

}  // namespace ember::k::step
