// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace ember {

// What one call of an op must move and compute at the least: the only roofline formula there is.
// Each operand counts once, whatever a cache or a second pass makes of it.
struct Cost {
  int64_t bytes_read = 0;
  int64_t bytes_written = 0;
  int64_t flops = 0;  // a multiply-add is two

  int64_t bytes() const { return bytes_read + bytes_written; }
};

}  // namespace ember
