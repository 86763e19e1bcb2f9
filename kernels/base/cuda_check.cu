// SPDX-License-Identifier: Apache-2.0
#include "kernels/base/cuda_check.cuh"

#include <cstdio>

#include "kernels/base/env.h"

namespace ember::cuda {
namespace {

// "kernels/x/y.cu" of an absolute path, so that messages do not carry the build machine's folders.
const char* short_path(const char* file) {
  const std::string text = file;
  const size_t at = text.rfind("kernels/");
  return at == std::string::npos ? file : file + at;
}

}  // namespace

void throw_cuda(cudaError_t error, const char* call, const char* file, int line) {
  cudaGetLastError();  // an error that does not end the context must not show up in the next check
  const ErrorKind kind =
      error == cudaErrorMemoryAllocation ? ErrorKind::kOutOfMemory : ErrorKind::kInternal;
  fail(kind, short_path(file), ":", line, ": ", cudaGetErrorName(error), " (",
       cudaGetErrorString(error), ") from ", call);
}

void throw_cublas(cublasStatus_t status, const char* call, const char* file, int line) {
  const ErrorKind kind =
      status == CUBLAS_STATUS_ALLOC_FAILED ? ErrorKind::kOutOfMemory : ErrorKind::kInternal;
  fail(kind, short_path(file), ":", line, ": cuBLAS status ", static_cast<int>(status), " (",
       cublasGetStatusString(status), ") from ", call);
}

void report(cudaError_t error, const char* what) noexcept {
  if (error != cudaSuccess) {
    std::fprintf(stderr, "ember: %s: %s\n", what, cudaGetErrorString(error));
    cudaGetLastError();
  }
}

void check_launch(const char* op, Stream stream) {
  static const bool sync = env_flag(EnvVar::kSync);
  cudaError_t error = cudaGetLastError();
  if (error == cudaSuccess && sync) {
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    error = cudaStreamIsCapturing(raw(stream), &status);
    if (error == cudaSuccess && status == cudaStreamCaptureStatusNone) {
      error = cudaStreamSynchronize(raw(stream));
    }
  }
  if (error != cudaSuccess) {
    fail(ErrorKind::kInternal, op, ": kernel launch failed: ", cudaGetErrorName(error), " (",
         cudaGetErrorString(error), ")");
  }
}

DeviceGuard::DeviceGuard(int device) {
  int current = 0;
  EMBER_CUDA(cudaGetDevice(&current));
  if (current != device) {
    EMBER_CUDA(cudaSetDevice(device));
    previous_ = current;
  }
}

DeviceGuard::~DeviceGuard() {
  if (previous_ >= 0) {
    report(cudaSetDevice(previous_), "cudaSetDevice");
  }
}

}  // namespace ember::cuda
