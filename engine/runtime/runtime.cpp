// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/runtime.h"

namespace ember {

void fail_choice(const std::string& who, int32_t id, int64_t position) {
  if (id == k::kNothingToSample) {
    fail(ErrorKind::kWrong, who, "all logits of position ", position,
         " are -inf: no token can be chosen");
  }
  fail(ErrorKind::kWrong, who, "the logit of token ", -1 - id, " at position ", position,
       " is NaN or infinite: the forward pass overflowed or the weights hold NaN or infinity");
}

std::optional<int32_t> IRuntime::prefill_choose(Session& session, const int32_t* ids, int64_t n,
                                                const DecodeParams& params,
                                                const PrefillOptions& options) {
  const int64_t last = session.length() + n - 1;
  const TensorView logits = prefill(session, ids, n, options);
  if (logits.data == nullptr) {
    return std::nullopt;
  }
  int32_t id = 0;
  k::SampleSettings settings = params.settings;
  k::SampleParams p;
  p.id = TensorView(&id, DType::kI32, {1});
  p.x = logits;
  p.settings = TensorView(&settings, DType::kI32, {k::kSampleSettingsWords});
  p.greedy = params.greedy;
  p.pos = last;
  k::sample_cpu(p);
  if (id < 0) {
    fail_choice("", id, last + 1);
  }
  return id;
}

}  // namespace ember
