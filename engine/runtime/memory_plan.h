// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/backend/backend.h"
#include "engine/model/weight_source.h"
#include "engine/runtime/device_map.h"

namespace ember {

// What one stage takes, in bytes, by the same functions that allocate it.
struct StagePlan {
  StageMap stage;
  int64_t weights = 0;
  int64_t cache = 0;                // of `batch` sessions of `context` tokens
  int64_t workspace = 0;            // activations of one chunk, and the logits
  int64_t rope = 0;                 // tables of cos and sin
  int64_t hop = 0;                  // buffers for what stages send to each other
  std::vector<MemoryItem> scratch;  // what the backend takes by itself

  int64_t scratch_bytes() const;
  int64_t total() const { return weights + cache + workspace + rope + hop + scratch_bytes(); }
};

struct DevicePlan {
  DeviceId device;
  int64_t needed = 0;                     // all stages on it, and what it takes once
  int64_t available = 0;                  // free now, or the limit given
  bool limited = false;                   // by a limit that was given
  int64_t weights = 0;                    // of all stages on it
  std::vector<MemoryItem> overhead = {};  // what it takes once
};

struct MemoryPlan {
  int64_t context = 0;  // tokens of one session
  int64_t chunk = 0;    // tokens of one prefill pass
  int64_t batch = 1;    // sessions that decode together
  std::vector<StagePlan> stages;
  std::vector<DevicePlan> devices;
  // The longest context that fits at this chunk; 0 when not even the weights fit. Not more than
  // the model's own limit.
  int64_t largest_context = 0;
  // The longest chunk, by halving, with which the context fits; 0 when none does.
  int64_t largest_chunk = 0;

  bool fits() const;
  int64_t needed() const;
  // Throws Error{kOutOfMemory} with needed, available and what to reduce, unless it fits.
  void require_fits() const;
  // The table that --dry-run prints.
  std::string str() const;
};

struct PlanRequest {
  int64_t context;
  int64_t chunk;
  int64_t logit_rows = 1;
  int64_t batch = 1;
  bool limited = false;                   // `available` is a limit that was given
  std::vector<const IBackend*> backends;  // one a stage
};

// available[i] belongs to map.stages[i].device.
MemoryPlan plan_memory(const IWeightSource& source, const DeviceMap& map,
                       const PlanRequest& request, const std::vector<int64_t>& available);

// Bytes of each part as the backend places it.
PartBytes part_bytes(const IWeightSource& source, const IBackend& backend);
// Of all that a stage holds.
int64_t stage_weight_bytes(const StageMap& stage, const PartBytes& parts, bool tied);

std::string human_bytes(int64_t bytes);  // "1.19 GiB"

}  // namespace ember
