// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/graph_cache.h"

#include <algorithm>

namespace ember {
namespace {

uint64_t word(const void* p) {
  return reinterpret_cast<uintptr_t>(p);
}

}  // namespace

GraphKey graph_key(const StageArgs& a, GraphKind kind, int64_t first_row, const TokenArgs* token) {
  const bool layers = !a.weights.layers.empty();
  GraphKey key = {static_cast<uint64_t>(kind),
                  static_cast<uint64_t>(first_row),
                  word(a.work.x.data),
                  word(a.rope.cos.data),
                  word(a.weights.layers.data()),
                  word(layers ? a.cache.k(0).data : nullptr),
                  static_cast<uint64_t>(a.cache.capacity())};
  for (int64_t i = 1; i < a.sequences(); ++i) {
    const KvCache& cache = *a.sequence(i).cache;
    key.push_back(word(layers ? cache.k(0).data : nullptr));
    key.push_back(static_cast<uint64_t>(cache.capacity()));
  }
  if (token != nullptr) {
    key.insert(key.end(), {token->greedy, word(token->id.data), word(token->ring.data)});
  }
  return key;
}

bool GraphCache::replay(const GraphKey& key, Stream stream, const std::function<void()>& work) {
  auto found =
      std::find_if(graphs_.begin(), graphs_.end(), [&](const Recorded& r) { return r.key == key; });
  if (found == graphs_.end()) {
    work();
    if (graphs_.size() >= capacity_) {
      synchronize(stream);
      graphs_.pop_front();
    }
    graphs_.push_back({key, nullptr});
    return false;
  }
  if (found->graph == nullptr) {
    recording_ = true;
    try {
      found->graph = std::make_unique<CudaGraph>(stream, work);
    } catch (...) {
      recording_ = false;
      throw;
    }
    recording_ = false;
  }
  found->graph->launch(stream);
  return true;
}

}  // namespace ember
