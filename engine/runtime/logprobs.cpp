// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/logprobs.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace ember {

GeneratedToken token_logprobs(const float* logits, int64_t vocab, int32_t id, int64_t top) {
  const double largest = *std::max_element(logits, logits + vocab);
  double sum = 0;
  for (int64_t i = 0; i < vocab; ++i) {
    sum += std::exp(static_cast<double>(logits[i]) - largest);
  }
  const double log_total = largest + std::log(sum);
  GeneratedToken out;
  out.id = id;
  out.logprob = logits[id] - log_total;
  std::vector<int32_t> order(static_cast<size_t>(vocab));
  std::iota(order.begin(), order.end(), 0);
  const auto n = static_cast<std::ptrdiff_t>(std::min(top, vocab));
  std::partial_sort(order.begin(), order.begin() + n, order.end(), [logits](int32_t a, int32_t b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  });
  for (std::ptrdiff_t i = 0; i < n; ++i) {
    const int32_t t = order[static_cast<size_t>(i)];
    out.top.push_back({t, logits[t] - log_total});
  }
  return out;
}

}  // namespace ember
