// SPDX-License-Identifier: Apache-2.0
#include "kernels/base/cuda_memory.h"

#include <mutex>
#include <set>
#include <utility>

#include "kernels/base/cuda_check.cuh"
#include "kernels/base/cuda_scratch.cuh"
#include "kernels/base/env.h"

namespace ember {
namespace cuda {
namespace {

std::byte* checked(cudaError_t error, void* p, int64_t bytes, const char* what, const char* kind) {
  if (error == cudaSuccess) {
    return static_cast<std::byte*>(p);
  }
  cudaGetLastError();
  size_t free_bytes = 0, total_bytes = 0;
  report(cudaMemGetInfo(&free_bytes, &total_bytes), "cudaMemGetInfo");
  fail(error == cudaErrorMemoryAllocation ? ErrorKind::kOutOfMemory : ErrorKind::kInternal, what,
       ": ", bytes, " bytes of ", kind, " memory: ", cudaGetErrorString(error), "; ", free_bytes,
       " of ", total_bytes, " bytes of the device are free");
}

// Calls visit(byte offset in a dense tensor, address in the view, rows) for each plane.
template <class Visit>
void for_each_plane(const TensorView& v, const Visit& visit) {
  const int rank = v.shape.rank();
  const int64_t planes = rank == 3 ? v.shape[0] : 1;
  const int64_t rows = rank < 2 ? 1 : rank == 4 ? v.numel() / v.shape.last() : v.shape[rank - 2];
  for (int64_t p = 0; p < planes; ++p) {
    visit(p * rows * v.shape.last() * dtype_bytes(v.dtype),
          static_cast<std::byte*>(v.data) + p * v.plane_stride * dtype_bytes(v.dtype), rows);
  }
}

}  // namespace

std::byte* allocate_device(int64_t bytes, int device, const char* what) {
  const DeviceGuard guard(device);
  void* p = nullptr;
  const cudaError_t error = cudaMalloc(&p, static_cast<size_t>(bytes));
  return checked(error, p, bytes, what, "device");
}

std::byte* allocate_pinned(int64_t bytes, const char* what) {
  void* p = nullptr;
  const cudaError_t error = cudaHostAlloc(&p, static_cast<size_t>(bytes), cudaHostAllocPortable);
  return checked(error, p, bytes, what, "pinned host");
}

void free_device(std::byte* p, int device) noexcept {
  int current = 0;
  report(cudaGetDevice(&current), "cudaGetDevice");
  report(cudaSetDevice(device), "cudaSetDevice");
  report(cudaFree(p), "cudaFree");
  report(cudaSetDevice(current), "cudaSetDevice");
}

void free_pinned(std::byte* p) noexcept {
  report(cudaFreeHost(p), "cudaFreeHost");
}

void fill_device(std::byte* p, int value, int64_t bytes, int device) {
  const DeviceGuard guard(device);
  EMBER_CUDA(cudaMemset(p, value, static_cast<size_t>(bytes)));
  EMBER_CUDA(cudaStreamSynchronize(nullptr));
}

void copy_async(void* dst, const void* src, int64_t bytes, Stream stream) {
  EMBER_CUDA(cudaMemcpyAsync(dst, src, static_cast<size_t>(bytes), cudaMemcpyDefault, raw(stream)));
}

void copy_rows_async(void* dst, int64_t dst_pitch, const void* src, int64_t src_pitch,
                     int64_t row_bytes, int64_t rows, Stream stream) {
  EMBER_CUDA(cudaMemcpy2DAsync(dst, static_cast<size_t>(dst_pitch), src,
                               static_cast<size_t>(src_pitch), static_cast<size_t>(row_bytes),
                               static_cast<size_t>(rows), cudaMemcpyDefault, raw(stream)));
}

std::string enable_peer_copies(int device, int peer) {
  // Asking twice is an error of the API, if a harmless one, and tools report it.
  static std::mutex mutex;
  static std::set<std::pair<int, int>> enabled;
  if (env_flag(EnvVar::kNoPeer)) {
    return "EMBER_NO_PEER=1";
  }
  const std::lock_guard<std::mutex> lock(mutex);
  for (int turn = 0; turn < 2; ++turn, std::swap(device, peer)) {
    if (enabled.count({device, peer}) != 0) {
      continue;
    }
    const DeviceGuard guard(device);
    int can = 0;
    cudaError_t error = cudaDeviceCanAccessPeer(&can, device, peer);
    if (error == cudaSuccess && can == 0) {
      return "the devices have no peer access";
    }
    if (error == cudaSuccess) {
      error = cudaDeviceEnablePeerAccess(peer, 0);
    }
    if (error != cudaSuccess) {
      cudaGetLastError();
      if (error != cudaErrorPeerAccessAlreadyEnabled) {
        return cudaGetErrorString(error);
      }
    }
    enabled.insert({device, peer});
  }
  return "";
}

void copy_peer_async(void* dst, int dst_device, const void* src, int src_device, int64_t bytes,
                     Stream stream) {
  EMBER_CUDA(cudaMemcpyPeerAsync(dst, dst_device, src, src_device, static_cast<size_t>(bytes),
                                 raw(stream)));
}

void upload(const TensorView& to, const void* host, Stream stream) {
  const DeviceGuard guard(to.device);
  if (to.numel() > 0) {
    const int64_t row_bytes = to.shape.last() * dtype_bytes(to.dtype);
    const int64_t pitch = to.shape.rank() < 2 ? row_bytes : to.row_stride * dtype_bytes(to.dtype);
    for_each_plane(to, [&](int64_t offset, std::byte* at, int64_t rows) {
      copy_rows_async(at, pitch, static_cast<const std::byte*>(host) + offset, row_bytes, row_bytes,
                      rows, stream);
    });
  }
  synchronize(stream);
}

void download(const TensorView& from, void* host, Stream stream) {
  const DeviceGuard guard(from.device);
  if (from.numel() > 0) {
    const int64_t row_bytes = from.shape.last() * dtype_bytes(from.dtype);
    const int64_t pitch =
        from.shape.rank() < 2 ? row_bytes : from.row_stride * dtype_bytes(from.dtype);
    for_each_plane(from, [&](int64_t offset, std::byte* at, int64_t rows) {
      copy_rows_async(static_cast<std::byte*>(host) + offset, row_bytes, at, pitch, row_bytes, rows,
                      stream);
    });
  }
  synchronize(stream);
}

}  // namespace cuda

void synchronize(Stream stream) {
  EMBER_CUDA(cudaStreamSynchronize(cuda::raw(stream)));
}

OwnedStream::OwnedStream(DeviceId device) : device_(device) {
  if (device.kind != DeviceKind::kCuda) {
    fail(ErrorKind::kUnsupported, "a stream needs a CUDA device, got ", device.str());
  }
  const cuda::DeviceGuard guard(device);
  cudaStream_t stream = nullptr;
  EMBER_CUDA(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  stream_.handle = stream;
}

OwnedStream::~OwnedStream() {
  cuda::report(cudaStreamSynchronize(cuda::raw(stream_)), "cudaStreamSynchronize");
  cuda::release_scratch(device_.index, stream_);
  cuda::report(cudaStreamDestroy(cuda::raw(stream_)), "cudaStreamDestroy");
}

Event::Event(DeviceId device, bool timing) : device_(device) {
  if (device.kind != DeviceKind::kCuda) {
    fail(ErrorKind::kUnsupported, "an event needs a CUDA device, got ", device.str());
  }
  const cuda::DeviceGuard guard(device);
  cudaEvent_t event = nullptr;
  EMBER_CUDA(cudaEventCreateWithFlags(&event, timing ? cudaEventDefault : cudaEventDisableTiming));
  handle_ = event;
}

Event::~Event() {
  cuda::report(cudaEventDestroy(static_cast<cudaEvent_t>(handle_)), "cudaEventDestroy");
}

void Event::record(Stream stream) {
  const cuda::DeviceGuard guard(device_);
  EMBER_CUDA(cudaEventRecord(static_cast<cudaEvent_t>(handle_), cuda::raw(stream)));
}

void Event::wait(Stream stream) const {
  EMBER_CUDA(cudaStreamWaitEvent(cuda::raw(stream), static_cast<cudaEvent_t>(handle_), 0));
}

void Event::synchronize() const {
  EMBER_CUDA(cudaEventSynchronize(static_cast<cudaEvent_t>(handle_)));
}

float Event::elapsed_ms(const Event& earlier) const {
  float ms = 0.0f;
  EMBER_CUDA(cudaEventElapsedTime(&ms, static_cast<cudaEvent_t>(earlier.handle_),
                                  static_cast<cudaEvent_t>(handle_)));
  return ms;
}

}  // namespace ember
