// SPDX-License-Identifier: Apache-2.0
#include "kernels/base/cuda_graph.h"

#include "kernels/base/cuda_check.cuh"

namespace ember {

CudaGraph::CudaGraph(Stream stream, const std::function<void()>& work) {
  cudaGraph_t graph = nullptr;
  EMBER_CUDA(cudaStreamBeginCapture(cuda::raw(stream), cudaStreamCaptureModeThreadLocal));
  try {
    work();
  } catch (...) {
    cuda::report(cudaStreamEndCapture(cuda::raw(stream), &graph), "cudaStreamEndCapture");
    if (graph != nullptr) {
      cuda::report(cudaGraphDestroy(graph), "cudaGraphDestroy");
    }
    throw;
  }
  EMBER_CUDA(cudaStreamEndCapture(cuda::raw(stream), &graph));
  cudaGraphExec_t exec = nullptr;
  const cudaError_t error = cudaGraphInstantiate(&exec, graph, 0);
  cuda::report(cudaGraphDestroy(graph), "cudaGraphDestroy");
  EMBER_CUDA(error);
  handle_ = exec;
}

CudaGraph::~CudaGraph() {
  cuda::report(cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(handle_)), "cudaGraphExecDestroy");
}

void CudaGraph::launch(Stream stream) {
  EMBER_CUDA(cudaGraphLaunch(static_cast<cudaGraphExec_t>(handle_), cuda::raw(stream)));
}

}  // namespace ember
