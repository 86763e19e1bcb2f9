// SPDX-License-Identifier: Apache-2.0
#include "kernels/advance/advance.h"
#include "kernels/base/contract.h"

namespace ember::k {

void validate(const AdvanceParams& p) {
  if ((p.id.data == nullptr) != (p.ring.data == nullptr)) {
    fail(ErrorKind::kUnsupported, "advance: expected both id and ring, or neither");
  }
  require_range("advance", "pos", p.pos, 0, INT32_MAX);
  require_range("advance", "B", p.count, 1, kAdvanceMaxCount);
  if (p.id.data == nullptr) {
    return;
  }
  const Arg id{"advance", "id", p.id}, ring{"advance", "ring", p.ring};
  require_dtype(id, {DType::kI32});
  require_shape(id, {p.count});
  require_dtype(ring, {DType::kI32});
  require_rank(ring, 2);
  require_range("advance", "R", p.ring.shape[1], 1, INT32_MAX);
  require_shape(ring, {p.count, p.ring.shape[1]});
  if (!p.ring.dense()) {
    fail(ErrorKind::kUnsupported, "advance: ring: expected rows one after another");
  }
  require_cpu(ring);
  if (p.id.device != p.device) {
    fail(ErrorKind::kUnsupported, "advance: id: expected memory of ", p.device.str(), ", got ",
         p.id.device.str());
  }
}

Cost cost(const AdvanceParams& p) {
  const int64_t words = p.count * (p.id.data != nullptr) + p.count * (p.pos_device != nullptr);
  return {4 * words, 4 * words, 0};
}

void advance_cpu(const AdvanceParams& p) {
  validate(p);
  if (p.device.kind != DeviceKind::kCpu) {
    fail(ErrorKind::kUnsupported, "advance: expected the CPU, got device ", p.device.str());
  }
  for (int64_t b = 0; b < p.count; ++b) {
    const int64_t position = p.pos_device != nullptr ? p.pos_device[b] : p.pos;
    if (p.id.data != nullptr) {
      const int64_t slots = p.ring.shape[1];
      p.ring.as<int32_t>()[b * slots + position % slots] = p.id.as<int32_t>()[b];
    }
    if (p.pos_device != nullptr) {
      p.pos_device[b] += 1;
    }
  }
}

}  // namespace ember::k
