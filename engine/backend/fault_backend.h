// SPDX-License-Identifier: Apache-2.0
// A decorator that plants one named fault of the kind an implementation of Qwen3 really makes, so
// that a check can prove that it would see it. Works on any device: what a fault changes it
// downloads, changes on the host and uploads, or it gives the op another tensor of the device. A
// decorated backend runs the default bodies of the composite ops, so a device records no graph of
// them, and a fault may copy at any time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/backend/forwarding_backend.h"

namespace ember {

// State that subclasses read: the pass, and the layer (of the whole model) that is running.
class FaultBackend : public ForwardingBackend {
 public:
  explicit FaultBackend(std::unique_ptr<IBackend> inner) : ForwardingBackend(std::move(inner)) {}

  void run_layer(const StageArgs& args, int64_t layer) override {
    args_ = &args;
    local_ = layer;
    IBackend::run_layer(args, layer);
    local_ = -1;
  }
  void run_stage(const StageArgs& args) override {
    args_ = &args;
    IBackend::run_stage(args);
  }
  void run_head(const StageArgs& args, int64_t first_row, int64_t rows) override {
    args_ = &args;
    first_row_ = first_row;
    in_head_ = true;
    IBackend::run_head(args, first_row, rows);
    in_head_ = false;
  }

 protected:
  const StageArgs& args() const { return *args_; }
  bool in_layer() const { return local_ >= 0; }
  bool in_head() const { return in_head_; }
  int64_t first_row() const { return first_row_; }
  int64_t layer() const { return args_->weights.first_layer + local_; }
  const LayerWeights& weights() const { return args_->weights.layers[local_]; }

 private:
  const StageArgs* args_ = nullptr;
  int64_t local_ = -1;
  int64_t first_row_ = 0;
  bool in_head_ = false;
};

// Layer where the first wrong intermediate of a fault stands.
enum class FaultLayer {
  kFirst,
  kMiddle,   // L / 2
  kLast,     // L - 1
  kOutside,  // before or after the layers
  kStage,    // the first layer of the second pipeline stage
};

struct Fault {
  std::string name;
  std::string about;  // one line, as a mistake: "RoPE pairs neighbours instead of halves"
  Tap first_tap;      // the first intermediate that is wrong, in data-flow order
  FaultLayer first_layer;
  std::function<std::unique_ptr<IBackend>(std::unique_ptr<IBackend>)> wrap;
  bool two_stages = false;                                    // shows only across a hop
  std::function<bool(const ModelConfig&)> applies = nullptr;  // null: to every model
  std::string applies_to = "";                                // why not, when it does not
  // Computing types in which the fault cannot show, because Hugging Face does the very same or
  // rounds far more coarsely; null: none. It is then listed with the reason instead of planted.
  std::function<bool(DType)> hidden = nullptr;
  std::string hidden_by = "";

  // The layer's number, or -1 for kOutside. `stage_begin`: first layer of the second stage.
  int64_t layer(int64_t layers, int64_t stage_begin) const;
};

// Every fault, in data-flow order. Names are unique.
const std::vector<Fault>& faults();
// Throws Error{kUsage} naming the nearest faults when there is none of that name.
const Fault& find_fault(const std::string& name);
std::unique_ptr<IBackend> plant_fault(const Fault& fault, std::unique_ptr<IBackend> inner);

// The parts of the list, by what they break.
std::vector<Fault> rope_and_norm_faults();  // fault_rope_norm.cpp
std::vector<Fault> attention_faults();      // fault_attention.cpp
std::vector<Fault> dataflow_faults();       // fault_dataflow.cpp

}  // namespace ember
