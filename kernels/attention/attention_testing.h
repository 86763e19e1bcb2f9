// SPDX-License-Identifier: Apache-2.0
// Operands of attention for tests. Included by *_test.cpp alone.
#pragma once

#include <cmath>
#include <cstring>
#include <string>

#include "kernels/attention/attention_device_cases.h"
#include "kernels/common/testing.h"

namespace ember::k::testing {

// What a case reads.
struct Inputs {
  TestTensor q, k, v;
  explicit Inputs(const AttentionCase& c)
      : q(c.q, {c.T, c.H * c.E}, c.padding),
        k(c.cache, {c.K, c.S, c.E}),
        v(c.cache, {c.K, c.S, c.E}) {
    // Scores spread over several units, so that weights are far from uniform.
    q.randomise(c.seed * 3 + 1, 3.0f);
    k.randomise(c.seed * 3 + 2, 2.0f);
    v.randomise(c.seed * 3 + 3);
    poison_tail(c);
  }

  // What lies behind the last token is NaN, as in a cache that was used before.
  void poison_tail(const AttentionCase& c) {
    const int64_t used = c.pos + c.T, size = dtype_bytes(c.cache);
    for (const TestTensor* t : {&k, &v}) {
      for (int64_t j = 0; j < c.K; ++j) {
        std::memset(static_cast<std::byte*>(t->view().data) + (j * c.S + used) * c.E * size, 0xff,
                    static_cast<size_t>((c.S - used) * c.E * size));
      }
    }
  }

  AttentionParams params(const AttentionCase& c, const TensorView& o) const {
    return {o, q, k, v, 1.0f / std::sqrt(static_cast<float>(c.E)), c.pos};
  }
};

inline std::string describe(const AttentionCase& c) {
  return c.name + " T " + std::to_string(c.T) + " H " + std::to_string(c.H) + " K " +
         std::to_string(c.K) + " E " + std::to_string(c.E) + " pos " + std::to_string(c.pos) +
         " q " + dtype_name(c.q) + " cache " + dtype_name(c.cache) + " o " + dtype_name(c.o);
}

}  // namespace ember::k::testing
