// SPDX-License-Identifier: Apache-2.0
// Linked instead of the .cu files of kernels/base in a build without CUDA.
#include "kernels/base/cuda_graph.h"
#include "kernels/base/cuda_memory.h"
#include "kernels/base/device.h"
#include "kernels/base/error.h"
#include "kernels/base/profile.h"
#include "kernels/base/stream.h"

namespace ember {
namespace {

[[noreturn]] void no_cuda(const char* what) {
  fail(ErrorKind::kUnsupported, what, ": built without CUDA");
}

}  // namespace

std::vector<CudaDeviceInfo> cuda_devices(std::string* why) {
  if (why) {
    *why = "this build has no CUDA support";
  }
  return {};
}

bool built_with_cuda() {
  return false;
}

namespace profile {
void start_capture() {}
void stop_capture() {}
}  // namespace profile

namespace cuda {

std::byte* allocate_device(int64_t, int, const char* what) {
  no_cuda(what);
}
std::byte* allocate_pinned(int64_t, const char* what) {
  no_cuda(what);
}
void free_device(std::byte*, int) noexcept {}
void free_pinned(std::byte*) noexcept {}
void fill_device(std::byte*, int, int64_t, int) {
  no_cuda("fill_device");
}
void copy_async(void*, const void*, int64_t, Stream) {
  no_cuda("copy_async");
}
void copy_rows_async(void*, int64_t, const void*, int64_t, int64_t, int64_t, Stream) {
  no_cuda("copy_rows_async");
}
std::string enable_peer_copies(int, int) {
  return "built without CUDA";
}
void copy_peer_async(void*, int, const void*, int, int64_t, Stream) {
  no_cuda("copy_peer_async");
}
void upload(const TensorView&, const void*, Stream) {
  no_cuda("upload");
}
void download(const TensorView&, void*, Stream) {
  no_cuda("download");
}

}  // namespace cuda

void synchronize(Stream) {
  no_cuda("synchronize");
}
void spin_for(double, DeviceId, Stream) {
  no_cuda("planted delay");
}
OwnedStream::OwnedStream(DeviceId) {
  no_cuda("stream");
}
OwnedStream::~OwnedStream() {}
Event::Event(DeviceId, bool) {
  no_cuda("event");
}
Event::~Event() {}
void Event::record(Stream) {
  no_cuda("event");
}
void Event::wait(Stream) const {
  no_cuda("event");
}
void Event::synchronize() const {
  no_cuda("event");
}
float Event::elapsed_ms(const Event&) const {
  no_cuda("event");
}
CudaGraph::CudaGraph(Stream, const std::function<void()>&) {
  no_cuda("graph");
}
CudaGraph::~CudaGraph() {}
void CudaGraph::launch(Stream) {
  no_cuda("graph");
}

}  // namespace ember
