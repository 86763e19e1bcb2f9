// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/fault_backend.h"

#include <utility>

namespace ember {

int64_t Fault::layer(int64_t layers, int64_t stage_begin) const {
  switch (first_layer) {
    case FaultLayer::kFirst:
      return 0;
    case FaultLayer::kMiddle:
      return layers / 2;
    case FaultLayer::kLast:
      return layers - 1;
    case FaultLayer::kOutside:
      return -1;
    case FaultLayer::kStage:
      return stage_begin;
  }
  return -1;
}

const std::vector<Fault>& faults() {
  static const std::vector<Fault> kFaults = [] {
    std::vector<Fault> all;
    for (auto part : {rope_and_norm_faults, attention_faults, dataflow_faults}) {
      for (Fault& f : part()) {
        all.push_back(std::move(f));
      }
    }
    return all;
  }();
  return kFaults;
}

const Fault& find_fault(const std::string& name) {
  std::string known;
  for (const Fault& f : faults()) {
    if (f.name == name) {
      return f;
    }
    known += (known.empty() ? "" : ", ") + f.name;
  }
  fail(ErrorKind::kUsage, "no fault is named \"", name, "\"; there are: ", known);
}

std::unique_ptr<IBackend> plant_fault(const Fault& fault, std::unique_ptr<IBackend> inner) {
  return fault.wrap(std::move(inner));
}

}  // namespace ember
