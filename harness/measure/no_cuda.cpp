// SPDX-License-Identifier: Apache-2.0
// Linked instead of the .cu files of this folder in a build without CUDA.
#include "harness/measure/bandwidth.h"
#include "harness/measure/bandwidth_host.h"
#include "harness/measure/load_chain.h"
#include "harness/measure/spin_gate.h"
#include "kernels/base/error.h"

namespace ember {
namespace {

void require_cpu(DeviceId device) {
  if (device.kind != DeviceKind::kCpu) {
    fail(ErrorKind::kUnsupported, "measuring on device ", device.str(), ": built without CUDA");
  }
}

}  // namespace

SpinGate::SpinGate(DeviceId device) : device_(device) {
  fail(ErrorKind::kUnsupported, "measuring on device ", device_.str(), ": built without CUDA");
}
void SpinGate::close(Stream) {}
void SpinGate::open() {}
bool SpinGate::timed_out() const {
  return false;
}

void read_memory(const void* from, int64_t bytes, void* sink, DeviceId device, Stream, ReadPlan) {
  require_cpu(device);
  read_host_memory(from, bytes, sink);
}
void write_memory(void* to, int64_t bytes, DeviceId device, Stream) {
  require_cpu(device);
  write_host_memory(to, bytes);
}
void copy_memory(void* to, const void* from, int64_t bytes, DeviceId device, Stream, int) {
  require_cpu(device);
  copy_host_memory(to, from, bytes);
}
void follow_chain(const void*, int64_t, void*, DeviceId, Stream) {
  fail(ErrorKind::kUnsupported, "load chain: built without CUDA");
}
void empty_kernel(DeviceId, Stream) {
  fail(ErrorKind::kUnsupported, "empty kernel: built without CUDA");
}

}  // namespace ember
