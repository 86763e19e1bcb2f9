// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/memory_plan.h"

#include <algorithm>
#include <cstdio>
#include <sstream>

#include "engine/backend/stage.h"
#include "engine/model/kv_cache.h"
#include "kernels/base/error.h"

namespace ember {
namespace {

StagePlan plan_stage(const StageMap& stage, const PartBytes& parts, const ModelConfig& config,
                     const PlanRequest& r) {
  const ModelShape& m = config.shape;
  StagePlan p;
  p.stage = stage;
  for (int64_t l = stage.first_layer; l < stage.first_layer + stage.layers; ++l) {
    p.weights += parts.layers[l];
  }
  p.weights += stage.first ? parts.embedding : 0;
  // A tied head is the embedding itself when both lie on one stage.
  p.weights += stage.last && !(stage.first && m.tied) ? parts.head : 0;
  p.cache = KvCache::bytes(stage.layers, m, r.context, r.cache);
  p.workspace = StageWorkspace::bytes(m, r.activation, std::min(r.chunk, r.context), r.logit_rows,
                                      stage.first, stage.last);
  p.rope = RopeTable::bytes(m, r.context);
  return p;
}

MemoryPlan plan_at(const PartBytes& parts, const ModelConfig& config, const DeviceMap& map,
                   const PlanRequest& request, const std::vector<int64_t>& available) {
  MemoryPlan plan;
  plan.context = request.context;
  plan.chunk = std::min(request.chunk, request.context);
  for (size_t s = 0; s < map.stages.size(); ++s) {
    plan.stages.push_back(plan_stage(map.stages[s], parts, config, request));
    auto device = std::find_if(plan.devices.begin(), plan.devices.end(), [&](const DevicePlan& d) {
      return d.device == map.stages[s].device;
    });
    if (device == plan.devices.end()) {
      plan.devices.push_back({map.stages[s].device, 0, available[s]});
      device = plan.devices.end() - 1;
    }
    device->needed += plan.stages.back().total();
  }
  return plan;
}

}  // namespace

PartBytes part_bytes(const IWeightSource& source) {
  PartBytes parts;
  parts.embedding = source.tensor_bytes(WeightRole::kEmbedding, -1);
  parts.head =
      source.tensor_bytes(WeightRole::kFinalNorm, -1) + source.tensor_bytes(WeightRole::kHead, -1);
  for (int64_t l = 0; l < source.config().shape.L; ++l) {
    int64_t bytes = 0;
    for (const WeightRow& row : weight_schema()) {
      bytes += row.per_layer ? source.tensor_bytes(row.role, l) : 0;
    }
    parts.layers.push_back(bytes);
  }
  return parts;
}

MemoryPlan plan_memory(const IWeightSource& source, const DeviceMap& map,
                       const PlanRequest& request, const std::vector<int64_t>& available) {
  const PartBytes parts = part_bytes(source);
  const ModelConfig& config = source.config();
  MemoryPlan plan = plan_at(parts, config, map, request, available);
  int64_t fits = 0, too_long = std::max<int64_t>(config.max_position, 1) + 1;
  while (too_long - fits > 1) {
    PlanRequest probe = request;
    probe.context = fits + (too_long - fits) / 2;
    (plan_at(parts, config, map, probe, available).fits() ? fits : too_long) = probe.context;
  }
  plan.largest_context = fits;
  return plan;
}

bool MemoryPlan::fits() const {
  return std::all_of(devices.begin(), devices.end(),
                     [](const DevicePlan& d) { return d.needed <= d.available; });
}

int64_t MemoryPlan::needed() const {
  int64_t bytes = 0;
  for (const DevicePlan& d : devices) {
    bytes += d.needed;
  }
  return bytes;
}

void MemoryPlan::require_fits() const {
  for (const DevicePlan& d : devices) {
    if (d.needed <= d.available) {
      continue;
    }
    fail(ErrorKind::kOutOfMemory, "device ", d.device.str(), " needs ", human_bytes(d.needed),
         " and has ", human_bytes(d.available), " free. ",
         largest_context > 0
             ? "A context of " + std::to_string(largest_context) +
                   " tokens fits: lower -c, or spread the model over more --devices."
             : std::string("The weights alone do not fit: use a smaller model or more --devices."),
         "\n", str());
  }
}

std::string MemoryPlan::str() const {
  std::ostringstream out;
  out << "context " << context << " tokens, prefill chunk " << chunk << " tokens\n";
  char line[200];
  std::snprintf(line, sizeof line, "%-6s %-7s %-10s %12s %12s %12s %12s %12s\n", "stage", "device",
                "layers", "weights", "cache", "workspace", "rope", "total");
  out << line;
  for (size_t s = 0; s < stages.size(); ++s) {
    const StagePlan& p = stages[s];
    const std::string layers = std::to_string(p.stage.first_layer) + "-" +
                               std::to_string(p.stage.first_layer + p.stage.layers - 1);
    std::snprintf(line, sizeof line, "%-6zu %-7s %-10s %12s %12s %12s %12s %12s\n", s,
                  p.stage.device.str().c_str(), layers.c_str(), human_bytes(p.weights).c_str(),
                  human_bytes(p.cache).c_str(), human_bytes(p.workspace).c_str(),
                  human_bytes(p.rope).c_str(), human_bytes(p.total()).c_str());
    out << line;
  }
  for (const DevicePlan& d : devices) {
    out << "device " << d.device.str() << ": needs " << human_bytes(d.needed) << " of "
        << human_bytes(d.available) << " available\n";
  }
  out << "largest context that fits: " << largest_context << " tokens\n";
  return out.str();
}

std::string human_bytes(int64_t bytes) {
  static const char* const kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  int unit = 0;
  while (value >= 1024 && unit < 4) {
    value /= 1024;
    ++unit;
  }
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.2f %s", value, kUnits[unit]);
  return text;
}

}  // namespace ember
