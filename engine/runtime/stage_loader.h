// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>

#include "engine/backend/backend.h"
#include "engine/model/weight_source.h"
#include "engine/runtime/device_map.h"

namespace ember {

// Places the weights of one stage on its backend; `placed` is told the stored bytes of each tensor
// once its copy is under way.
StageWeights load_stage(const IWeightSource& source, const StageMap& stage, IBackend& backend,
                        const std::function<void(int64_t bytes)>& placed);

}  // namespace ember
