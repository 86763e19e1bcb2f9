// SPDX-License-Identifier: Apache-2.0
// The limits of a device, measured in the same run as what is held against them.
#pragma once

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "harness/measure/meter.h"
#include "kernels/base/dtype.h"

namespace ember {

struct Ceiling {
  std::string kind;  // "mem_read", "gemm_bf16", …: the table in docs/measuring.md
  std::string unit;  // "B/s", "FLOP/s", "s"
  double value = 0;
  double low = 0, high = 0;  // 95 % interval
  bool noisy = false;
};

struct CeilingOptions {
  std::vector<DType> gemm = {DType::kBF16, DType::kF16};
  // Further products (T, N, K) whose rate counts: a square one need not be the quickest.
  std::vector<std::array<int64_t, 3>> gemm_shapes;
  double time_cap = 1;      // seconds each
  int64_t bytes = 0;        // of the bandwidth buffers; 0: 4 GiB on a GPU, 256 MiB on the CPU
  bool host_device = true;  // rates of pinned copies; a GPU alone has them
};

class Ceilings {
 public:
  Ceilings() = default;
  explicit Ceilings(std::vector<Ceiling> all) : all_(std::move(all)) {}
  static Ceilings measure(Meter& meter, const CeilingOptions& options);

  const std::vector<Ceiling>& all() const { return all_; }
  // nullptr when it was not measured.
  const Ceiling* find(const std::string& kind) const;
  double value(const std::string& kind) const;  // 0 when it was not measured

 private:
  std::vector<Ceiling> all_;
};

}  // namespace ember
