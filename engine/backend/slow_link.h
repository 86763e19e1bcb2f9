// SPDX-License-Identifier: Apache-2.0
// A link slower than the real one, planted between pipeline stages to see what it does to them. It
// is real time, and no bit changes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace ember {

struct SlowLink {
  double bytes_per_s;
  double latency_s;

  // By how much a message takes longer than over the real link. One message is on its way at a
  // time.
  double seconds(int64_t bytes) const {
    return latency_s + static_cast<double>(bytes) / bytes_per_s;
  }
  std::string str() const;  // "0.5 GB/s, 20 us"
};

// From EMBER_LINK=GB/s[,us]; nothing where that is unset. Throws Error{kUsage} for what is no link.
std::optional<SlowLink> slow_link();

}  // namespace ember
