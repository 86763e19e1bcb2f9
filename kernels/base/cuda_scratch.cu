// SPDX-License-Identifier: Apache-2.0
#include "kernels/base/cuda_scratch.cuh"

#include <map>
#include <mutex>
#include <tuple>

#include "kernels/base/buffer.h"
#include "kernels/base/cuda_check.cuh"

namespace ember::cuda {
namespace {

using Key = std::tuple<int, void*, ScratchUser>;

struct Pool {
  std::mutex mutex;
  std::map<Key, Buffer> pieces;
};

// Never destroyed: the driver may be gone before static destructors run.
Pool& pool() {
  static Pool* p = new Pool;
  return *p;
}

}  // namespace

std::byte* scratch(int device, Stream stream, ScratchUser user, int64_t bytes) {
  Pool& p = pool();
  const std::lock_guard<std::mutex> lock(p.mutex);
  Buffer& piece = p.pieces[{device, stream.handle, user}];
  if (piece.bytes() < bytes) {
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    EMBER_CUDA(cudaStreamIsCapturing(raw(stream), &status));
    EMBER_CHECK(status == cudaStreamCaptureStatusNone, "scratch of ", bytes,
                " bytes asked for during a graph capture, ", piece.bytes(), " are there");
    synchronize(stream);
    piece = Buffer(bytes, Buffer::Fill::kZero, {DeviceKind::kCuda, device}, "kernel scratch");
  }
  return piece.data();
}

void release_scratch(int device, Stream stream) noexcept {
  Pool& p = pool();
  const std::lock_guard<std::mutex> lock(p.mutex);
  for (auto it = p.pieces.begin(); it != p.pieces.end();) {
    const bool ours = std::get<0>(it->first) == device && std::get<1>(it->first) == stream.handle;
    it = ours ? p.pieces.erase(it) : std::next(it);
  }
}

}  // namespace ember::cuda
