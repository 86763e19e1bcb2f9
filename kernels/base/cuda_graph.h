// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "kernels/base/stream.h"

namespace ember {

// Work of a stream recorded once and launched as a whole, which saves the cost of its launches.
class CudaGraph {
 public:
  // Records what `work` enqueues on the stream, without running it. What `work` throws is rethrown
  // and nothing stays recorded.
  CudaGraph(Stream stream, const std::function<void()>& work);
  ~CudaGraph();
  CudaGraph(const CudaGraph&) = delete;
  CudaGraph& operator=(const CudaGraph&) = delete;

  void launch(Stream stream);

 private:
  void* handle_ = nullptr;
};

}  // namespace ember
