// SPDX-License-Identifier: Apache-2.0
// Device and pinned memory, and copies, without CUDA's headers. In a build without CUDA every
// function throws Error{kUnsupported} ("built without CUDA"), but the noexcept ones do nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "kernels/base/stream.h"
#include "kernels/base/tensor.h"

namespace ember::cuda {

// Throw Error{kOutOfMemory} naming `what`, the bytes asked for and those free. 256-byte aligned.
std::byte* allocate_device(int64_t bytes, int device, const char* what);
std::byte* allocate_pinned(int64_t bytes, const char* what);
// Failures are logged to stderr.
void free_device(std::byte* p, int device) noexcept;
void free_pinned(std::byte* p) noexcept;
// Sets every byte and waits for it.
void fill_device(std::byte* p, int value, int64_t bytes, int device);

// Asynchronous on the stream; direction and devices follow from the pointers. A copy from or to
// host memory that is not pinned may block the caller.
void copy_async(void* dst, const void* src, int64_t bytes, Stream stream);
// rows x row_bytes, pitches in bytes.
void copy_rows_async(void* dst, int64_t dst_pitch, const void* src, int64_t src_pitch,
                     int64_t row_bytes, int64_t rows, Stream stream);
// Lets two different devices copy to each other without the host, for the life of the process.
// Empty when they can, else why not; never throws a CUDA error.
std::string enable_peer_copies(int device, int peer);
// Between devices; goes through the host where the devices cannot reach each other.
void copy_peer_async(void* dst, int dst_device, const void* src, int src_device, int64_t bytes,
                     Stream stream);
// Dense host memory to a view and back, row by row where the view is strided; wait until done.
void upload(const TensorView& to, const void* host, Stream stream);
void download(const TensorView& from, void* host, Stream stream);

}  // namespace ember::cuda
