// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/plan_output.h"

#include <nlohmann/json.hpp>

#include "engine/cli/run_report.h"

namespace ember {
namespace {

using Json = nlohmann::ordered_json;

Json items_json(const std::vector<MemoryItem>& items) {
  Json out = Json::array();
  for (const MemoryItem& item : items) {
    out.push_back({{"name", item.name}, {"bytes", item.bytes}});
  }
  return out;
}

Json plan_json(const MemoryPlan& plan) {
  Json out;
  out["schema"] = "ember.plan/1";
  out["fits"] = plan.fits();
  out["context"] = plan.context;
  out["chunk"] = plan.chunk;
  out["largest_context"] = plan.largest_context;
  out["largest_chunk"] = plan.largest_chunk;
  out["needed_bytes"] = plan.needed();
  out["stages"] = Json::array();
  for (const StagePlan& s : plan.stages) {
    out["stages"].push_back({{"device", s.stage.device.str()},
                             {"first_layer", s.stage.first_layer},
                             {"layers", s.stage.layers},
                             {"weights_bytes", s.weights},
                             {"cache_bytes", s.cache},
                             {"workspace_bytes", s.workspace},
                             {"rope_bytes", s.rope},
                             {"hop_bytes", s.hop},
                             {"scratch_bytes", s.scratch_bytes()},
                             {"scratch", items_json(s.scratch)},
                             {"total_bytes", s.total()}});
  }
  out["devices"] = Json::array();
  for (const DevicePlan& d : plan.devices) {
    out["devices"].push_back({{"device", d.device.str()},
                              {"needed_bytes", d.needed},
                              {"available_bytes", d.available},
                              {"limited", d.limited},
                              {"overhead", items_json(d.overhead)}});
  }
  return out;
}

}  // namespace

int print_plan(const MemoryPlan& plan, const std::string& json) {
  if (json.empty()) {
    write_file("-", plan.str() + (plan.str().empty() || plan.str().back() == '\n' ? "" : "\n"));
  } else {
    write_file(json, dump_json(plan_json(plan), 2) + "\n");
  }
  plan.require_fits();
  return 0;
}

}  // namespace ember
