// SPDX-License-Identifier: Apache-2.0
// Tensor core steps of compute capability 8.0 and up: mma.sync m16n8k16 with fp32 accumulation,
// ldmatrix, cp.async, and the swizzle that keeps their shared memory free of bank conflicts.
//
// Fragments of a warp, lane = 4 g + t:
//   A (16 x 16): a0 (g, 2t..), a1 (g + 8, 2t..), a2 (g, 2t + 8..), a3 (g + 8, 2t + 8..)
//   B (16 x 8):  b0 (2t.., g), b1 (2t + 8.., g)
//   C (16 x 8):  c0 c1 (g, 2t..), c2 c3 (g + 8, 2t..)
#pragma once

#include "kernels/common/device.cuh"

namespace ember::k::dev {

template <class T>
__device__ __forceinline__ void mma(float (&c)[4], const uint32_t (&a)[4], uint32_t b0,
                                    uint32_t b1) {
  if constexpr (std::is_same_v<T, f16>) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
        "{%8, %9}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  } else {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
        "{%8, %9}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  }
}

__device__ __forceinline__ uint32_t shared_address(const void* p) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(p));
}

// Four 8 x 8 matrices of 16-bit elements; lanes 8 i to 8 i + 7 give the row addresses of matrix i.
__device__ __forceinline__ void load_matrices(uint32_t (&r)[4], uint32_t address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address)
               : "memory");
}

__device__ __forceinline__ void load_matrices_transposed(uint32_t (&r)[4], uint32_t address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address)
               : "memory");
}

// 16 bytes to shared memory without registers; zeros, and no read, unless `valid`.
__device__ __forceinline__ void copy16_async(uint32_t to, const void* from, bool valid) {
  const int bytes = valid ? 16 : 0;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(bytes)
               : "memory");
}

__device__ __forceinline__ void copies_commit() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}

// Until at most kPending of the groups committed last are under way.
template <int kPending>
__device__ __forceinline__ void copies_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
}

// Byte offset of 16-byte chunk `chunk` of row `row` in a tile with rows of kRowBytes (a multiple of
// 128): eight rows at one chunk fall into eight different groups of banks.
template <int kRowBytes>
__device__ __forceinline__ uint32_t swizzled(int row, int chunk) {
  return static_cast<uint32_t>(row * kRowBytes + ((chunk ^ (row & 7)) << 4));
}

// Walks the chunks of one row of a swizzled tile: start at `first` (0 or 1), then at(k) is the
// address of chunk first + 2 k. Addresses differ from the first by an exclusive or alone, so that
// one register serves a row; forget() keeps the compiler from holding them all across a loop.
template <int kRowBytes>
struct ChunkWalk {
  uint32_t start;
  __device__ __forceinline__ ChunkWalk(uint32_t tile, int row, int first)
      : start(tile + swizzled<kRowBytes>(row, first)) {}
  __device__ __forceinline__ void forget() { asm volatile("" : "+r"(start)); }
  // `rows` further down, a multiple of 8.
  __device__ __forceinline__ uint32_t at(int k, int rows) const {
    return (start ^ static_cast<uint32_t>(k << 5)) + static_cast<uint32_t>(rows * kRowBytes);
  }
};

__device__ __forceinline__ float exp2_fast(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

// Over the four lanes that hold one row of C.
__device__ __forceinline__ float quad_max(float v) {
  v = fmaxf(v, __shfl_xor_sync(0xffffffffu, v, 1));
  return fmaxf(v, __shfl_xor_sync(0xffffffffu, v, 2));
}

__device__ __forceinline__ float quad_sum(float v) {
  v += __shfl_xor_sync(0xffffffffu, v, 1);
  return v + __shfl_xor_sync(0xffffffffu, v, 2);
}

}  // namespace ember::k::dev
