// SPDX-License-Identifier: Apache-2.0
// One new token of each of up to 16 sequences. At short context limited by latency: what has to
// happen one after another from the moment that q, k and v are there. At long context by the
// bandwidth of reading keys and values once.
//
// A kv head belongs to the blocks of one column of the grid, which share its groups of 16 positions
// (attention_step_plan.h). A block's warps take its share's groups in turn, each through a ring of
// its own in shared memory, without barriers. A sequence at a time: the block's warps make its
// queries, walk its groups with an online softmax, and merge in order. Of a sequence that spans
// several shares every block leaves its part in global memory, and the block that draws the last
// ticket merges them in order; which block that is changes nothing in the result.
//
// A short sequence has one block a kv head, and the blocks that have nothing to do leave at once:
// the next kernel starts on their SMs, and memory is busy with its weights, while the few that work
// are limited by latency. Lost: the blocks of a kv head as a cluster that exchanges parts in shared
// memory. They hold 128 SMs until the last has finished: a whole step of an H100 at 128 to 384
// positions was 2 (8B) to 4.4 us (4B) a layer slower than with qk_norm_rope and attention apart.
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

// A block's share, and the shares that a sequence spans.
struct Share {
  int rank, shares, lo, hi;

  __device__ __forceinline__ Share(const Args& a, const Sequences& s)
      : rank(blockIdx.y),
        shares(step_shares(s.total, s.count, gridDim.y, a.alone, a.least)),
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

template <class T, int E, int kWarps, int kStages>
class Block {
 public:
  static constexpr int kThreads = 32 * kWarps;

  __device__ __forceinline__ Block(const Args& args, unsigned char* shared)
      : a(args), memory(shared), l(step_layout(args.group, E, kWarps, kStages)), head(blockIdx.x) {}

  __device__ __forceinline__ void run() {
    const int warp = threadIdx.x / 32;
    if (!a.settled) {
      dev::wait_for_previous();
    }
    const Sequences s(a);
    const Share share(a, s);
    if (share.lo == share.hi) {
      leave(share);
      return;
    }
    using Ring = Copier<T, E, kWarps, kStages>;
    unsigned char* ring = memory + l.ring + warp * kStages * Ring::kStage;
    Ring copier(dev::shared_address(ring), share.lo + warp, share.hi);
#pragma unroll 1
    for (int i = 0; i < kStages; ++i) {
      copier.next(a, s, head);
    }
    Pairs<E> q_gain, k_gain, angles;
    q_gain.load(a.q_norm.data, a.q_norm.dtype, 0);
    k_gain.load(a.k_norm.data, a.k_norm.dtype, 0);
    Place at(s, share.lo);
    angles.load_angles(a.cos, a.sin, at.length - 1);
    if (a.settled) {
      dev::wait_for_previous();
    }
    int group = share.lo + warp, stage = 0;
    for (int from = share.lo; from < share.hi;) {
      const int to = min(at.end, share.hi);
      const bool newest = to == at.end;
      NewToken<T, E, kWarps> token;
      token.load(a, head, at.b, newest);
      token.store(a, head, at.b, newest, at.length - 1, q_gain, k_gain, angles, memory + l.q,
                  memory + l.fresh);
      __syncthreads();
      State<E> state;
      uint32_t q[E / 16][2];
      load_queries<E>(q, dev::shared_address(memory + l.q));
      for (; group < to; group += kWarps) {
        dev::copies_wait<kStages - 1>();
        __syncwarp();  // the copies of all lanes are there
        const int first = (group - at.start) * kStepKeys;
        unsigned char* rows = ring + stage * Ring::kStage;
        if (first + kStepKeys >= at.length) {
          insert_row<E>(rows, at.length - 1 - first, memory + l.fresh);
        }
        attend<T, E>(state, q, dev::shared_address(rows), first, at.length, a.scale_log2);
        __syncwarp();  // all lanes are done with the stage
        copier.next(a, s, head);
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
  }

 private:
  // A block without work makes room for the next kernel at once. It need not have waited for the
  // previous one: that all earlier kernels are complete when this one is, is what those that stay
  // ensure, and the first rank, which also stays where no sequence has work.
  __device__ __forceinline__ void leave(const Share& share) const {
    if (a.settled && share.rank == 0) {
      dev::wait_for_previous();
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

  __device__ __forceinline__ Merged merge_warps(int row, int element) const {
    return merge<kWarps>(
        kWarps, [&](int w) { return warp_tails(w)[row]; },
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
    if (first != last) {
      leave_part(share.rank - first, first, last - first + 1, at.b);
      return;
    }
    for (int i = threadIdx.x; i < all_pairs(); i += kThreads) {
      const int row = i / (E / 2), element = i % (E / 2) * 2;
      store_output(at.b, row, element, merge_warps(row, element));
    }
  }

  // The place of a part in global memory: rows, then maximum and sum of each.
  __device__ __forceinline__ float* part_of(int rank, bool first) const {
    const int64_t index = (int64_t{head} * gridDim.y + rank) * 2 + (first ? 0 : 1);
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

// Grid (K, ranks): the ranks that have work at every length start first.
template <class T, int E, int kWarps, int kStages>
__global__ void __launch_bounds__(32 * kWarps, kWarps == 8 ? 1 : 3)
    attention_step_kernel(const __grid_constant__ Args a) {
  // Aligned to whole rows of a tile: see ChunkWalk.
  extern __shared__ __align__(256) unsigned char shared[];
  dev::let_next_start();
  Block<T, E, kWarps, kStages>(a, shared).run();
}

}  // namespace ember::k::step
