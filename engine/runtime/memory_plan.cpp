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

int64_t sum(const std::vector<MemoryItem>& items) {
  int64_t bytes = 0;
  for (const MemoryItem& item : items) {
    bytes += item.bytes;
  }
  return bytes;
}

// What does not change with context and chunk, read from the source once.
struct Model {
  const ModelConfig& config;
  std::vector<PartBytes> parts;  // one a stage
};

StagePlan plan_stage(const DeviceMap& map, size_t index, const Model& model, const PlanRequest& r) {
  const ModelShape& m = model.config.shape;
  const StageMap& stage = map.stages[index];
  const IBackend& backend = *r.backends[index];
  const int64_t tokens = std::max(std::min(r.chunk, r.context), r.batch);
  StagePlan p;
  p.stage = stage;
  p.weights = stage_weight_bytes(stage, model.parts[index], m.tied);
  p.cache = r.batch * KvCache::bytes(stage.layers, m, r.context, backend.cache_dtype());
  p.workspace = StageWorkspace::bytes(m, backend.activation_dtype(), tokens,
                                      std::max(r.logit_rows, r.batch), stage.first, stage.last);
  p.rope = RopeTable::bytes(m, r.context);
  const int64_t rows = tokens * m.D * dtype_bytes(DType::kF32);
  if (index > 0) {
    p.hop += hop_bytes(map.stages[index - 1].device, stage.device, rows).receiver;
  }
  if (index + 1 < map.stages.size()) {
    p.hop += hop_bytes(stage.device, map.stages[index + 1].device, rows).sender;
  }
  p.scratch = backend.stage_memory(m, model.config.dtype, r.batch);
  return p;
}

MemoryPlan plan_at(const Model& model, const DeviceMap& map, const PlanRequest& request,
                   const std::vector<int64_t>& available) {
  MemoryPlan plan;
  plan.context = request.context;
  plan.chunk = std::min(request.chunk, request.context);
  plan.batch = request.batch;
  for (size_t s = 0; s < map.stages.size(); ++s) {
    plan.stages.push_back(plan_stage(map, s, model, request));
    auto device = std::find_if(plan.devices.begin(), plan.devices.end(), [&](const DevicePlan& d) {
      return d.device == map.stages[s].device;
    });
    if (device == plan.devices.end()) {
      DevicePlan d{map.stages[s].device, 0, available[s], request.limited};
      d.overhead = request.backends[s]->device_memory();
      d.needed = sum(d.overhead);
      plan.devices.push_back(std::move(d));
      device = plan.devices.end() - 1;
    }
    device->needed += plan.stages.back().total();
    device->weights += plan.stages.back().weights;
  }
  return plan;
}

std::string itemised(const std::vector<MemoryItem>& items) {
  std::string text;
  for (const MemoryItem& item : items) {
    text += (text.empty() ? "" : ", ") + item.name + " " + human_bytes(item.bytes);
  }
  return text;
}

}  // namespace

int64_t StagePlan::scratch_bytes() const {
  return sum(scratch);
}

PartBytes part_bytes(const IWeightSource& source, const IBackend& backend) {
  const ModelShape& shape = source.config().shape;
  const auto placed = [&](const WeightRow& row, int64_t layer) {
    const Shape s = row.shape(shape);
    return backend.placed_bytes(s.numel(), source.tensor_bytes(row.role, layer), s.rank() > 1);
  };
  PartBytes parts;
  parts.embedding = placed(weight_row(WeightRole::kEmbedding), -1);
  parts.final_norm = placed(weight_row(WeightRole::kFinalNorm), -1);
  parts.head = parts.final_norm + placed(weight_row(WeightRole::kHead), -1);
  for (int64_t l = 0; l < shape.L; ++l) {
    int64_t bytes = 0;
    for (const WeightRow& row : weight_schema()) {
      bytes += row.per_layer ? placed(row, l) : 0;
    }
    parts.layers.push_back(bytes);
  }
  return parts;
}

int64_t stage_weight_bytes(const StageMap& stage, const PartBytes& parts, bool tied) {
  int64_t bytes = stage.first ? parts.embedding : 0;
  for (int64_t l = stage.first_layer; l < stage.first_layer + stage.layers; ++l) {
    bytes += parts.layers[l];
  }
  // A tied head is the embedding itself when both lie on one stage.
  return bytes + (!stage.last ? 0 : stage.first && tied ? parts.final_norm : parts.head);
}

MemoryPlan plan_memory(const IWeightSource& source, const DeviceMap& map,
                       const PlanRequest& request, const std::vector<int64_t>& available) {
  EMBER_CHECK(request.backends.size() == map.stages.size(), request.backends.size(),
              " backends for ", map.stages.size(), " stages");
  Model model{source.config(), {}};
  for (const IBackend* backend : request.backends) {
    model.parts.push_back(part_bytes(source, *backend));
  }
  MemoryPlan plan = plan_at(model, map, request, available);
  PlanRequest probe = request;
  int64_t fits = 0, too_long = std::max<int64_t>(model.config.max_position, 1) + 1;
  while (too_long - fits > 1) {
    probe.context = fits + (too_long - fits) / 2;
    (plan_at(model, map, probe, available).fits() ? fits : too_long) = probe.context;
  }
  plan.largest_context = fits;
  probe = request;
  for (probe.chunk = plan.chunk; probe.chunk > 0; probe.chunk /= 2) {
    if (plan_at(model, map, probe, available).fits()) {
      break;
    }
  }
  plan.largest_chunk = probe.chunk;
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
    std::ostringstream advice;
    if (largest_chunk > 0) {
      advice << "--chunk " << largest_chunk << " fits. ";
    }
    if (largest_context > 0) {
      advice << "A context of " << largest_context
             << " tokens fits: lower -c, or spread the model over more --devices.";
    } else if (largest_chunk == 0) {
      advice << "The weights alone take " << human_bytes(d.weights)
             << ": use a smaller model or more --devices.";
    }
    fail(ErrorKind::kOutOfMemory, "device ", d.device.str(), " needs ", human_bytes(d.needed),
         d.limited ? " and may use " : " and has ", human_bytes(d.available),
         d.limited ? " (--mem-limit). " : " free. ", advice.str(), "\n", str());
  }
}

std::string MemoryPlan::str() const {
  std::ostringstream out;
  out << "context " << context << " tokens, prefill chunk " << chunk << " tokens";
  if (batch > 1) {
    out << ", " << batch << " sessions";
  }
  out << "\n";
  char line[200];
  const auto row = [&](auto... columns) {
    std::snprintf(line, sizeof line, "%-6s %-7s %-8s %11s %11s %11s %11s %11s %11s %11s\n",
                  columns...);
    out << line;
  };
  row("stage", "device", "layers", "weights", "cache", "workspace", "rope", "hop", "scratch",
      "total");
  const auto text = [](int64_t bytes) { return human_bytes(bytes); };
  for (size_t s = 0; s < stages.size(); ++s) {
    const StagePlan& p = stages[s];
    const std::string layers = std::to_string(p.stage.first_layer) + "-" +
                               std::to_string(p.stage.first_layer + p.stage.layers - 1);
    row(std::to_string(s).c_str(), p.stage.device.str().c_str(), layers.c_str(),
        text(p.weights).c_str(), text(p.cache).c_str(), text(p.workspace).c_str(),
        text(p.rope).c_str(), text(p.hop).c_str(), text(p.scratch_bytes()).c_str(),
        text(p.total()).c_str());
  }
  for (size_t s = 0; s < stages.size(); ++s) {
    if (!stages[s].scratch.empty()) {
      out << "scratch of stage " << s << ": " << itemised(stages[s].scratch) << "\n";
    }
  }
  for (const DevicePlan& d : devices) {
    out << "device " << d.device.str() << ": needs " << human_bytes(d.needed);
    if (!d.overhead.empty()) {
      out << " (with " << itemised(d.overhead) << ")";
    }
    out << " of " << human_bytes(d.available) << (d.limited ? " allowed\n" : " available\n");
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
