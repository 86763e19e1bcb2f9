// SPDX-License-Identifier: Apache-2.0
// Every CUDA and cuBLAS call goes through EMBER_CUDA or EMBER_CUBLAS, every kernel launch is
// followed by EMBER_LAUNCHED. Destructors use cuda::report, which logs instead of throwing.
#pragma once

#include <cublas_v2.h>
#include <cuda_runtime.h>

#include "kernels/base/device.h"
#include "kernels/base/error.h"
#include "kernels/base/stream.h"

namespace ember::cuda {

// Error{kOutOfMemory} for a refused allocation, else Error{kInternal}.
[[noreturn]] void throw_cuda(cudaError_t error, const char* call, const char* file, int line);
[[noreturn]] void throw_cublas(cublasStatus_t status, const char* call, const char* file, int line);
// One line on stderr when error is not cudaSuccess.
void report(cudaError_t error, const char* what) noexcept;
// Throws the launch error of `op`; with EMBER_SYNC=1 also waits, unless the stream is capturing,
// so that an error inside a kernel names the op that had it.
void check_launch(const char* op, Stream stream);

// Makes a device current for a scope.
class DeviceGuard {
 public:
  explicit DeviceGuard(int device);
  explicit DeviceGuard(DeviceId device) : DeviceGuard(device.index) {}
  ~DeviceGuard();
  DeviceGuard(const DeviceGuard&) = delete;
  DeviceGuard& operator=(const DeviceGuard&) = delete;

 private:
  int previous_ = -1;  // -1: it was current already
};

inline cudaStream_t raw(Stream s) {
  return static_cast<cudaStream_t>(s.handle);
}

}  // namespace ember::cuda

#define EMBER_CUDA(call)                                                 \
  do {                                                                   \
    const cudaError_t ember_error = (call);                              \
    if (ember_error != cudaSuccess) {                                    \
      ::ember::cuda::throw_cuda(ember_error, #call, __FILE__, __LINE__); \
    }                                                                    \
  } while (false)

#define EMBER_CUBLAS(call)                                                  \
  do {                                                                      \
    const cublasStatus_t ember_status = (call);                             \
    if (ember_status != CUBLAS_STATUS_SUCCESS) {                            \
      ::ember::cuda::throw_cublas(ember_status, #call, __FILE__, __LINE__); \
    }                                                                       \
  } while (false)

#define EMBER_LAUNCHED(op, stream) ::ember::cuda::check_launch(op, stream)
