// SPDX-License-Identifier: Apache-2.0
#include "kernels/base/cuda_launch_log.cuh"

#include <cxxabi.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "kernels/base/cuda_check.cuh"

namespace ember::cuda {
namespace {

std::string function_name([[maybe_unused]] const char* op, [[maybe_unused]] const void* kernel) {
#if CUDART_VERSION >= 12030
  const char* mangled = nullptr;
  EMBER_CUDA(cudaFuncGetName(&mangled, kernel));
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> text(
      abi::__cxa_demangle(mangled, nullptr, nullptr, &status), std::free);
  return status == 0 ? short_function_name(text.get()) : std::string(mangled);
#else
  return op;
#endif
}

}  // namespace

void note_launch(LaunchLog* log, const char* op, const void* kernel, dim3 grid, dim3 block,
                 int64_t dynamic_shared_bytes) {
  cudaFuncAttributes a{};
  EMBER_CUDA(cudaFuncGetAttributes(&a, kernel));
  KernelLaunch launch;
  launch.op = op;
  launch.kernel = function_name(op, kernel);
  launch.registers = a.numRegs;
  launch.shared_bytes = static_cast<int64_t>(a.sharedSizeBytes) + dynamic_shared_bytes;
  launch.local_bytes = static_cast<int64_t>(a.localSizeBytes);
  launch.threads = int64_t{block.x} * block.y * block.z;
  launch.blocks = int64_t{grid.x} * grid.y * grid.z;
  log->add(std::move(launch));
}

}  // namespace ember::cuda
