// SPDX-License-Identifier: Apache-2.0
// Recorded steps of one stream, found again by what they depend on.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "engine/backend/stage.h"
#include "kernels/base/cuda_graph.h"
#include "kernels/base/stream.h"

namespace ember {

enum class GraphKind : uint64_t { kStage, kHead, kToken };

// What a recorded step depends on besides its position: the memory that it works in.
using GraphKey = std::vector<uint64_t>;
GraphKey graph_key(const StageArgs& args, GraphKind kind, int64_t first_row,
                   const TokenArgs* token = nullptr);

class GraphCache {
 public:
  // Keeps the `capacity` keys that came last.
  explicit GraphCache(size_t capacity) : capacity_(capacity) {}

  // The first time under a key runs the work as it is, so that kernels are loaded and scratch has
  // its size; the second time records it, and from then on the recording is launched. False the
  // first time.
  bool replay(const GraphKey& key, Stream stream, const std::function<void()>& work);

  bool recording() const { return recording_; }
  void clear() { graphs_.clear(); }

 private:
  struct Recorded {
    GraphKey key;
    std::unique_ptr<CudaGraph> graph;  // null until the work has run once
  };

  size_t capacity_;
  std::deque<Recorded> graphs_;
  bool recording_ = false;
};

}  // namespace ember
