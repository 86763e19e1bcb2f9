// SPDX-License-Identifier: Apache-2.0
// The kernels that one pass through a model is made of, each ready to run alone on operands of the
// model's shapes. Times by counts add up to the pass.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "harness/measure/meter.h"
#include "kernels/base/cost.h"
#include "kernels/base/model_shape.h"

namespace ember {

struct PassShape {
  ModelShape model;
  DType dtype = DType::kBF16;       // weights
  DType activation = DType::kBF16;  // activations and cache
  int64_t tokens = 1;               // T: 1 is a decode step
  int64_t cached = 0;               // before them
  bool fused = false;               // a step of one token on a device that fuses ops
  bool resident = false;            // and runs all layers as one kernel (k::decode_layers_chosen)
};

// One kernel with its operands. Copies of what is read stand in turn, several times the cache in
// all, so that a launch finds what it would find in the engine: nothing but activations.
class StepKernel {
 public:
  virtual ~StepKernel() = default;
  virtual Cost cost() const = 0;
  virtual void run(int64_t copy, Stream stream) = 0;
  // Compares the output of a run on copy 0 with the op's oracle (rows and columns chosen so that it
  // ends soon). Empty when it agrees.
  virtual std::string verify(Meter& meter) = 0;
  int64_t copies = 1;
};

struct StepKernelInfo {
  std::string name;  // "linear.qkv"
  int64_t count;     // in one pass
  bool arithmetic;   // held against the GEMM rate, not the read bandwidth
  std::function<std::unique_ptr<StepKernel>(Meter&)> make;
};

std::vector<StepKernelInfo> step_kernels(const PassShape& shape);

}  // namespace ember
