// SPDX-License-Identifier: Apache-2.0
// The plainest kernels that move memory as fast as a device can: what all others are held against.
#pragma once

#include <cstdint>

#include "kernels/base/stream.h"
#include "kernels/base/tensor.h"

namespace ember {

// How read_memory goes through the memory on a GPU. Which way is fastest is the card's affair: it
// has to be tried.
struct ReadPlan {
  enum class Order {
    kTiles,    // a block reads 64 KiB in one piece, then the next piece that is nobody's
    kStrides,  // the whole grid reads side by side: a thread's loads lie one grid apart
  };
  Order order = Order::kTiles;
  int blocks_per_sm = 4;  // 4 fill a multiprocessor; more leave it to the hardware who reads more
};
inline constexpr ReadPlan kReadPlans[] = {{ReadPlan::Order::kTiles, 4},
                                          {ReadPlan::Order::kTiles, 16},
                                          {ReadPlan::Order::kStrides, 4},
                                          {ReadPlan::Order::kStrides, 16}};

// Each handles `bytes` (a multiple of 64) of dense memory of one device: kCuda asynchronously on
// the stream, kCpu on all threads, complete when it returns.
// read_memory uses every byte and writes nothing but an impossible case to `sink` (4 bytes).
void read_memory(const void* from, int64_t bytes, void* sink, DeviceId device, Stream stream,
                 ReadPlan plan = {});
void write_memory(void* to, int64_t bytes, DeviceId device, Stream stream);
// `blocks_per_sm` times 512 threads copy: 4 fill a multiprocessor, 2 leave room for a second copy
// at the same time. Peer and pinned host memory will do too, where the device reaches them.
void copy_memory(void* to, const void* from, int64_t bytes, DeviceId device, Stream stream,
                 int blocks_per_sm = 4);
// A kernel that does nothing, for what a launch costs. kCuda only.
void empty_kernel(DeviceId device, Stream stream);

}  // namespace ember
