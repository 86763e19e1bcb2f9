// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/stop_matcher.h"

#include <algorithm>

#include "kernels/base/error.h"

namespace ember {

StopMatcher::StopMatcher(const std::vector<std::string>& stops) : stops_(stops) {
  for (const std::string& s : stops_) {
    if (s.empty()) {
      fail(ErrorKind::kUsage, "a stop string is empty: it would stop before the first character");
    }
    if ((static_cast<unsigned char>(s[0]) & 0xC0u) == 0x80u) {
      fail(ErrorKind::kUsage, "a stop string begins inside a UTF-8 character");
    }
  }
}

// Length of the longest suffix of held_ that is the beginning of a stop string.
size_t StopMatcher::held_length() const {
  size_t longest = 0;
  for (const std::string& s : stops_) {
    for (size_t n = std::min(s.size() - 1, held_.size()); n > longest; --n) {
      if (held_.compare(held_.size() - n, n, s, 0, n) == 0) {
        longest = n;
      }
    }
  }
  return longest;
}

std::string StopMatcher::push(std::string_view text) {
  if (stopped()) {
    return "";
  }
  held_ += text;
  size_t best_end = std::string::npos, best_start = 0;
  for (size_t i = 0; i < stops_.size(); ++i) {
    const size_t start = held_.find(stops_[i]);
    if (start == std::string::npos) {
      continue;
    }
    const size_t end = start + stops_[i].size();
    if (best_end == std::string::npos || end < best_end ||
        (end == best_end && start < best_start)) {
      best_end = end;
      best_start = start;
      matched_ = static_cast<int>(i);
    }
  }
  const size_t show = stopped() ? best_start : held_.size() - held_length();
  std::string out = held_.substr(0, show);
  held_ = stopped() ? "" : held_.substr(show);
  return out;
}

std::string StopMatcher::finish() {
  std::string out;
  out.swap(held_);
  return out;
}

}  // namespace ember
