// SPDX-License-Identifier: Apache-2.0
// The filters and the draw of sample.h on the host, over scores in double: logits, or logits after
// penalties. The oracle of the op, and the engine's own sampler.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/sample/sample.h"

namespace ember::k {

class Selection {
 public:
  struct Kept {
    double score;
    uint64_t weight;
    int32_t id;
  };

  // Forgets what was before. scores: (n), neither NaN nor +infinity, not all -infinity.
  void filter(const double* scores, int64_t n, const SampleSettings& settings);

  // What the filters left, largest score first only as far as a filter or a draw had to look.
  // Tokens of weight 0 are kept where the rules keep them.
  const std::vector<Kept>& kept() const { return kept_; }
  uint64_t total() const { return total_; }  // of the weights kept; > 0
  double largest() const { return largest_; }

  int32_t draw(uint64_t random);

 private:
  void keep_top_k(const double* scores, int64_t n, int64_t k);
  void keep_top_p(double p);
  void keep_min_p(const SampleSettings& settings);
  void sort_past(size_t i);

  double largest_ = 0;
  uint64_t total_ = 0;
  size_t sorted_ = 0;  // this many of kept_ are in order and above the others
  std::vector<Kept> kept_;
};

}  // namespace ember::k
