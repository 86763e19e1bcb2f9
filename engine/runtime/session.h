// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "engine/model/kv_cache.h"

namespace ember {

// The state of one generation: the tokens whose keys and values are cached, and the cache, one
// part a pipeline stage. Weights are the runtime's; any number of sessions share them.
class Session {
 public:
  Session(std::vector<KvCache> caches, int64_t capacity)
      : caches_(std::move(caches)), capacity_(capacity) {}

  const std::vector<int32_t>& ids() const { return ids_; }
  int64_t length() const { return static_cast<int64_t>(ids_.size()); }
  int64_t capacity() const { return capacity_; }

  // Forgets all tokens from `length` on; the next pass continues there. Throws Error{kInternal}
  // when it is not 0..length().
  void truncate(int64_t length);

 private:
  friend class PipelineDecode;
  friend class PipelineRuntime;

  std::vector<int32_t> ids_;
  std::vector<KvCache> caches_;
  int64_t capacity_;
};

}  // namespace ember
