// SPDX-License-Identifier: Apache-2.0
#include "harness/measure/bandwidth_host.h"

#include <cstddef>
#include <cstring>

#include "kernels/base/parallel.h"

namespace ember {
namespace {

constexpr int64_t kPiece = int64_t{4} << 20;

// Sixteen independent sums, so that adding is not what limits it.
uint64_t bits_of(const uint64_t* p, int64_t n) {
  uint64_t bits[16] = {};
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    for (int j = 0; j < 16; ++j) {
      bits[j] |= p[i + j];
    }
  }
  uint64_t all = 0;
  for (; i < n; ++i) {
    all |= p[i];
  }
  for (const uint64_t b : bits) {
    all |= b;
  }
  return all;
}

}  // namespace

void read_host_memory(const void* from, int64_t bytes, void* sink) {
  parallel_for(bytes, kPiece, [&](int64_t begin, int64_t end) {
    const auto* p = reinterpret_cast<const uint64_t*>(static_cast<const std::byte*>(from) + begin);
    if (bits_of(p, (end - begin) / 8) == ~uint64_t{0}) {
      *static_cast<volatile uint32_t*>(sink) = 1;
    }
  });
}

void write_host_memory(void* to, int64_t bytes) {
  parallel_for(bytes, kPiece, [&](int64_t begin, int64_t end) {
    std::memset(static_cast<std::byte*>(to) + begin, 1, static_cast<size_t>(end - begin));
  });
}

void copy_host_memory(void* to, const void* from, int64_t bytes) {
  parallel_for(bytes, kPiece, [&](int64_t begin, int64_t end) {
    std::memcpy(static_cast<std::byte*>(to) + begin, static_cast<const std::byte*>(from) + begin,
                static_cast<size_t>(end - begin));
  });
}

}  // namespace ember
